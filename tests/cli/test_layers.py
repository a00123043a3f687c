# SPDX-License-Identifier: Apache-2.0
"""Convolutions and pooling from the command line: --layers."""

import json

import h5py
import pytest

from tests.cli.conftest import about

LAYERS = "conv:6x3,pool:2,30"


def test_help_says_how_layers_are_written(saltus):
    text = " ".join(saltus.good("train", "--help").out.split())
    for word in ("--layers", "conv:CHANNELSxKERNEL", "pool:SIZE", "--layers conv:16x5s2,pool:2"):
        assert word in text


def test_a_convolution_learns_and_comes_back_from_its_folder(saltus, images, tmp_path):
    out = tmp_path / "run"
    found = saltus.good("train", "mnist", "--data", images(train=400, size=12), "--validation", 0,
                        "--layers", LAYERS, "--epochs", 10, "--lr", 0.005, "--out", out,
                        "--json").json  # fmt: skip
    assert found["test_accuracy"] > 0.5  # of ten classes
    settings = json.loads((out / "settings.json").read_text())
    assert settings["layers"] == LAYERS.split(",")
    assert settings["hidden"] == []
    assert settings["lr_final"] == 2e-5
    network = about(out / "model.safetensors")["network"]
    kinds = [projection.get("connection") for projection in network["projections"]]
    assert kinds == ["conv2d", "pool2d", None, None]
    sizes = [population["size"] for population in network["populations"]]
    assert sizes == [144, 6 * 10 * 10, 6 * 5 * 5, 30, 10]
    assert saltus.good("eval", out, "--json").json["test_accuracy"] == found["test_accuracy"]


def test_spike_files_that_say_their_grid_have_convolutions(saltus, spike_file, tmp_path):
    files = [spike_file("train.h5", units=32), spike_file("test.h5", n=30, units=32)]
    line = ["train", "spikes", "--train", files[0], "--test", files[1], "--layers", "conv:4x3,10",
            "--epochs", 1]  # fmt: skip
    says = ["layers[0] is 'conv:4x3'", "the data do not say", 'file.attrs["grid"] = [2, 34, 34]']
    saltus.bad(*line, code=2, says=says)
    with h5py.File(files[0], "a") as file:
        file.attrs["grid"] = [2, 4, 4]
    saltus.bad(*line, code=1, says=["training spikes lie on a grid of 2 x 4 x 4", "test"])
    with h5py.File(files[1], "a") as file:
        file.attrs["grid"] = [2, 4, 4]
    out = tmp_path / "run"
    saltus.good(*line, "--out", out)
    network = about(out / "model.safetensors")["network"]
    sizes = [population["size"] for population in network["populations"]]
    assert sizes == [32, 4 * 2 * 2, 10, 3]
    saltus.good("eval", out)


@pytest.mark.parametrize("grid", [[4, 4], [2, 0, 16], 32, "2x4x4", [65536, 65536, 2]])
def test_a_grid_that_is_none_is_refused(saltus, spike_file, grid):
    file = spike_file("train.h5", units=32)
    with h5py.File(file, "a") as h5:
        h5.attrs["grid"] = grid
    saltus.bad("train", "spikes", "--train", file, "--test", file, code=1,
               says=["attribute grid", "channels, height, width"])  # fmt: skip


def test_units_outside_of_the_grid_are_refused(saltus, spike_file):
    file = spike_file("train.h5", units=32)
    with h5py.File(file, "a") as h5:
        h5.attrs["grid"] = [1, 4, 4]
    saltus.bad("train", "spikes", "--train", file, "--test", file, code=2, says=["[0, 16)"])


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ("conv:6x7", ["layers[0] is 'conv:6x7'", "larger than the 6 x 6", "at most 6"]),
        ("conv:6x3,pool:3", ["layers[1] is 'pool:3'", "the 4 x 4", "pool:2 or pool:4"]),
        ("maxpool:2,10", ["layers[0] is 'maxpool:2'", "pool:SIZE"]),
        ("20,conv:6x3", ["layers[1] is 'conv:6x3'", "before the dense layers"]),
        ("conv:6x3,", ["--layers", "is empty"]),
    ],
)
def test_layers_that_do_not_fit_are_refused_by_their_names(saltus, images, layers, says):
    saltus.bad("train", "mnist", "--data", images(), "--validation", 0, "--layers", layers, code=2,
               says=says)  # fmt: skip


def test_hidden_and_layers_exclude_each_other(saltus, images):
    saltus.bad("train", "mnist", "--data", images(), "--hidden", 20, "--layers", LAYERS, code=2,
               says=["hidden is 20 and layers is conv:6x3,pool:2,30", "one of them"])  # fmt: skip
