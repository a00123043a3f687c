# SPDX-License-Identifier: Apache-2.0
import json
import os

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file


def test_eval_repeats_the_test_result(saltus, tmp_path):
    out = tmp_path / "run"
    trained = saltus.good("train", "yinyang", "--epochs", 2, "--train-samples", 300, "--seed", 5,
                          "--out", out, "--json").json  # fmt: skip
    for threads in (1, 2):
        found = saltus.good("eval", out, "--threads", threads, "--json").json
        for key in ("task", "seed", "epochs", "precision", "test_accuracy", "test_loss",
                    "hidden_spikes_per_sample"):  # fmt: skip
            assert found[key] == trained[key]
        for key in ("train_seconds", "seconds_per_epoch", "us_per_sample"):
            assert found[key] == pytest.approx(trained[key])
        assert found["threads"] == threads
    text = saltus.good("eval", out).out
    assert f"test accuracy {100 * trained['test_accuracy']:.2f} %" in text


def test_eval_finds_the_data_from_another_folder(saltus, images, tmp_path):
    images("data")
    saltus.good("train", "mnist", "--data", "data", "--validation", 20, "--epochs", 1, "--out",
                "run", cwd=tmp_path)  # fmt: skip
    (tmp_path / "elsewhere").mkdir()
    saltus.good("eval", "../run", cwd=tmp_path / "elsewhere")


def test_eval_of_moved_images(saltus, images, tmp_path):
    old, run = images("old"), tmp_path / "run"
    trained = saltus.good("train", "mnist", "--data", old, "--validation", 20, "--epochs", 1,
                          "--out", run, "--json").json  # fmt: skip
    new = old.rename(tmp_path / "new")
    saltus.bad("eval", run, code=1, says=[str(old), "no such file"])
    found = saltus.good("eval", run, "--data", new, "--json").json
    assert found["test_loss"] == trained["test_loss"]


def test_eval_of_moved_spikes(saltus, spike_file, tmp_path):
    train, test, run = spike_file("train.h5"), spike_file("test.h5"), tmp_path / "run"
    trained = saltus.good("train", "spikes", "--train", train, "--test", test, "--hidden", 20,
                          "--epochs", 1, "--out", run, "--json").json  # fmt: skip
    (tmp_path / "new").mkdir()
    moved = test.rename(tmp_path / "new" / "test.h5")
    for place in (["--data", moved.parent], ["--test", moved]):
        found = saltus.good("eval", run, *place, "--json").json
        assert found["test_loss"] == trained["test_loss"]


def test_eval_of_data_that_do_not_fit(saltus, images, spike_file, tmp_path):
    run = tmp_path / "run"
    saltus.good("train", "mnist", "--data", images("six"), "--validation", 20, "--epochs", 1,
                "--out", run)  # fmt: skip
    saltus.bad("eval", run, "--data", images("five", size=5), code=2,
               says=["25 channels", "36"])  # fmt: skip
    small = spike_file("small.h5")
    saltus.good("train", "spikes", "--train", small, "--test", small, "--hidden", 20, "--epochs", 1,
                "--out", run)  # fmt: skip
    saltus.bad("eval", run, "--test", spike_file("classes.h5", classes=5), code=2,
               says=["label 3 is 3", "outputs 0 to 2"])  # fmt: skip
    saltus.bad("eval", run, "--test", spike_file("units.h5", units=9), code=2,
               says=["9 channels", "6"])  # fmt: skip


def test_eval_without_a_model(saltus, model, tmp_path):
    saltus.bad("eval", tmp_path / "none", code=1, says=["settings.json", "No such file"])
    saltus.bad(
        "eval", model / "model.safetensors", code=1, says=["settings.json", "Not a directory"]
    )
    (model / "model.safetensors").unlink()
    saltus.bad("eval", model, code=1, says=["model.safetensors", "No such file"])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9])
def test_eval_of_a_truncated_model(saltus, model, share):
    file = model / "model.safetensors"
    os.truncate(file, int(share * file.stat().st_size))
    saltus.bad("eval", model, code=1, says=["model.safetensors"])


def test_no_damaged_model_crashes_eval(saltus, model):
    good = (model / "model.safetensors").read_bytes()
    random = np.random.default_rng(3)
    for _ in range(40):
        damaged = bytearray(good)
        for place in random.integers(0, len(good), 20):
            damaged[place] = random.integers(0, 256)
        (model / "model.safetensors").write_bytes(damaged)
        result = saltus("eval", model)
        assert result.code in (0, 1, 2), result.err
        assert result.code == 0 or result.err.startswith("saltus: "), result.err


def change_attribute(place, name, value):
    def change(file):
        del file[place].attrs[name]
        file[place].attrs[name] = value

    return change


def change_data(place, value):
    def change(file):
        del file[place]
        file[place] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda file: file.attrs.__delitem__("saltus_format"), ["saltus_format", "not a model"]),
        (change_attribute("/", "saltus_format", 99), ["another format"]),
        (change_attribute("/", "populations", 7), ["group 3"]),
        (change_attribute("/", "populations", np.arange(64)), ["populations", "not one value"]),
        (change_attribute("populations/1", "model", np.bytes_("AdEx")), ["AdEx", "LIF"]),
        (change_attribute("populations/1", "model", "LIF"), ["model is no text of fixed length"]),
        (change_attribute("populations/1", "size", 7), ["5 x 7"]),
        (change_attribute("populations/0", "name", np.bytes_("out")), ["'out'"]),
        (change_attribute("projections/0", "target", 9), ["leads nowhere"]),
        (change_data("projections/0/weight", np.full((5, 60), np.nan)), ["weight[0, 0] is nan"]),
        (change_data("projections/0/weight", np.zeros((5, 3))), ["15 values", "5 x 60"]),
        (change_data("projections/0/weight", "text"), ["weight"]),
        (change_data("populations/1/tau_mem", [[-1.0]]), ["tau_mem[0] is -1"]),
    ],
)
def test_eval_of_a_wrong_hdf5_model(saltus, old_model, change, says):
    with h5py.File(old_model / "model.h5", "r+") as file:
        change(file)
    result = saltus("eval", old_model)
    assert result.code in (1, 2), result.err
    assert result.err.count("\n") == 1
    for text in ["model.h5", *says]:
        assert text in result.err


def test_eval_of_an_hdf5_model_too_large_to_read(saltus, old_model):
    with h5py.File(old_model / "model.h5", "r+") as file:
        del file["projections/0/weight"]
        file.create_dataset("projections/0/weight", (2**24, 2**24), chunks=(64, 64), dtype="f4")
    saltus.bad("eval", old_model, code=1, says=["model.h5", "more than 50", "MB of memory"])


def test_eval_of_an_hdf5_model_is_that_of_the_same_model(saltus, model, request):
    now = saltus.good("eval", model, "--json").json
    old = request.getfixturevalue("old_model")
    assert saltus.good("eval", old, "--json").json == now


def test_eval_of_a_damaged_model(saltus, model):
    file = model / "model.safetensors"
    whole = file.read_bytes()
    for at in (0, 20, 200, len(whole) - 1):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        saltus.bad("eval", model, code=1, says=["model.safetensors: damaged"])
    save_file({"w": np.zeros(3)}, file)
    saltus.bad("eval", model, code=1, says=["model.safetensors: damaged: it has no digest"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ["not JSON"]),
        ("{", ["not JSON"]),
        ("\x00\xff", ["not JSON"]),
        ("[]", ["no task"]),
        ("{}", ["no task"]),
        ('{"task": "chess"}', ["chess", "yinyang"]),
        ('{"task": 5}', ["task is 5", "a text"]),
    ],
)
def test_eval_of_corrupted_settings(saltus, model, text, says):
    (model / "settings.json").write_bytes(text.encode("latin-1"))
    saltus.bad("eval", model, code=1, says=["settings.json", *says])


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("precision", "float16", "float32 or float64"),
        ("hidden", [-5], "whole number"),
        ("hidden", "many", "a list"),
        ("tau_mem", None, "a number"),
        ("seed", 1.5, "whole number"),
        ("recurrent", 1, "true or false"),
        ("loss", "hinge", "first_spike"),
        ("t_end", -1, "above 0"),
    ],
)
def test_eval_of_a_wrong_setting(saltus, model, field, value, says):
    settings = json.loads((model / "settings.json").read_text())
    (model / "settings.json").write_text(json.dumps(settings | {field: value}))
    saltus.bad("eval", model, code=1, says=["settings.json", says])


def test_eval_of_another_loss_than_the_models(saltus, model):
    settings = json.loads((model / "settings.json").read_text())
    (model / "settings.json").write_text(json.dumps(settings | {"loss": "maximum_voltage"}))
    saltus.bad("eval", model, code=1, says=["settings.json", "loss is", "trained with"])


def test_eval_of_metrics(saltus, model):
    good = (model / "metrics.jsonl").read_text()
    for bad in (good[:-30], good + "5\n", '{"epoch": 1}\n', "\n"):
        (model / "metrics.jsonl").write_text(bad)
        saltus.bad("eval", model, code=1, says=["metrics.jsonl: line"])
    (model / "metrics.jsonl").write_text("")
    assert saltus.good("eval", model, "--json").json["epochs"] == 0
    (model / "metrics.jsonl").unlink()
    assert saltus.good("eval", model, "--json").json["epochs"] is None


def small_run(saltus, out, *more):
    saltus.good("train", "yinyang", "--epochs", 2, "--train-samples", 300, "--hidden", 20, "--out",
                out, *more)  # fmt: skip
    return out


@pytest.mark.parametrize("command", ["eval", "predict", "report", "adjoint"])
def test_settings_of_another_model_are_refused_everywhere(saltus, tmp_path, command):
    run = small_run(saltus, tmp_path / "run")
    file = run / "settings.json"
    file.write_text(file.read_text().replace('"t_max": 0.03', '"t_max": 0.02'))
    more = ["none.safetensors", "--out", tmp_path / "g.safetensors"] if command == "adjoint" else []
    result = saltus(command, run, *more)
    assert result.code != 0
    assert "settings.json: t_max is 0.02, but the model was trained with 0.03" in result.err
    # A training goes on with what its checkpoint says, and tells.
    resumed = saltus("train", "--resume", run, "--epochs", 3)
    assert resumed.code == 0
    assert "says something else (t_max is 0.02" in resumed.err


def test_epochs_out_of_order_are_refused(saltus, tmp_path):
    run = small_run(saltus, tmp_path / "run")
    file = run / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines, lines[0]]))
    for command in "eval", "info", "report":
        result = saltus(command, run)
        assert result.code != 0
        assert "metrics.jsonl: line 3 is" in result.err
    file.unlink()  # then nobody knows how it was trained
    assert saltus.good("eval", run, "--json").json["epochs"] is None


@pytest.mark.parametrize(
    ("command", "option"), [("eval", "--data"), ("predict", "--test"), ("eval", "--test")]
)
def test_data_that_a_task_has_not_are_refused(saltus, tmp_path, command, option):
    run = small_run(saltus, tmp_path / "run")
    saltus.bad(command, run, option, "x", code=2, says=[f"{option} is x", "task yinyang has no"])


def test_a_run_that_is_replaced_is_told(saltus, tmp_path):
    first = saltus("train", "yinyang", "--epochs", 1, "--train-samples", 100, "--out", tmp_path)
    again = saltus("train", "yinyang", "--epochs", 1, "--train-samples", 100, "--out", tmp_path)
    assert first.code == again.code == 0
    assert "is replaced" not in first.out
    assert f"the run that {tmp_path} holds is replaced" in again.out


def test_windows_see_the_grid_that_they_were_trained_on(saltus, tmp_path):
    files = {}
    for name, grid in ("train", (1, 4, 4)), ("same", (1, 4, 4)), ("flat", (1, 2, 8)), ("none", ()):
        files[name] = tmp_path / f"{name}.h5"
        with h5py.File(files[name], "w") as file:
            kind = h5py.vlen_dtype(np.float32), h5py.vlen_dtype(np.int32)
            group = file.create_group("spikes")
            times = group.create_dataset("times", 20, kind[0])
            units = group.create_dataset("units", 20, kind[1])
            for k in range(20):
                times[k] = np.linspace(1e-3, 20e-3, 8, dtype=np.float32)
                units[k] = np.arange(8, dtype=np.int32) * 2 + k % 2
            file["labels"] = np.arange(20) % 2
            if grid:
                file.attrs["grid"] = grid
    run = tmp_path / "run"
    saltus.good("train", "spikes", "--train", files["train"], "--test", files["same"], "--layers",
                "conv:2x2,5", "--epochs", 1, "--out", run)  # fmt: skip
    saltus.good("eval", run, "--test", files["same"])
    saltus.bad("eval", run, "--test", files["flat"], code=2,
               says=["the test data are a grid of 1 x 2 x 8; expected 1 x 4 x 4"])  # fmt: skip
