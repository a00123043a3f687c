# SPDX-License-Identifier: Apache-2.0
"""bench/peers: what needs no peer installed."""

import gzip
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

PEERS = Path(__file__).resolve().parents[2] / "bench" / "peers"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"peers_{name}", PEERS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


tasks = load("tasks")
run = load("run")


def test_yin_yang_points_are_the_published_ones():
    # The same first point as in tests/data/yin_yang_test.cpp.
    points, labels = tasks.yin_yang_points(1, 42)
    assert points[0, 0] == float.fromhex("0x1.5c51450ae9de0p-1")
    assert points[0, 1] == float.fromhex("0x1.cd4fad08539c4p-2")
    assert labels[0] == 2


def test_yin_yang_spikes_are_the_coordinates_and_a_bias():
    train = tasks.yin_yang().train
    assert len(train) == 5000
    np.testing.assert_array_equal(np.diff(train.offsets), 5)
    assert train.times[4] == 0
    np.testing.assert_allclose(train.times[0] + train.times[2], 30e-3)


def test_mnist_pixels_become_latencies_and_the_validation_images_are_left_out(tmp_path):
    pixels = np.zeros((tasks.VALIDATION + 1, 784), np.uint8)
    pixels[-1, [3, 5, 7]] = [255, 1, 51]
    for prefix in ("train", "t10k"):
        images = gzip.compress(bytes(16) + pixels.tobytes())
        (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(images)
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(bytes(8) + bytes(len(pixels)))
    task = tasks.mnist(tmp_path)
    assert (len(task.train), len(task.test)) == (1, tasks.VALIDATION + 1)
    np.testing.assert_array_equal(task.train.channels, [3, 7])
    np.testing.assert_allclose(task.train.times, [0, 16e-3])
    np.testing.assert_array_equal(task.train.offsets, [0, 2])


def test_first_samples_keep_their_spikes():
    spikes = tasks.recurrent(3).train.first(2)
    assert (len(spikes), len(spikes.times)) == (2, 16000)


def test_a_failure_is_written_into_the_table_as_it_was_met(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    side = {"us_per_sample": 4.0, "commit": "abc", "peak_mb": 20.0, "test_accuracy": 0.98}
    result = {
        "name": "yinyang_eventax",
        "task": "yinyang",
        "setting": "as it is",
        "peer": {"failed": "not done after 600 s"},
        "saltus": [side, side],
        "date": "2026-01-01",
        "machine": "a machine",
    }
    (tmp_path / "yinyang_eventax.json").write_text(json.dumps(result))
    assert "| eventax | as it is | | not done after 600 s | 4.0, 4.0 |" in run.table("yinyang")
    assert run.table("mnist") == "Not run yet.\n"


@pytest.mark.parametrize("name", list(run.RUNS))
def test_every_run_has_a_script_and_pinned_requirements(name):
    peer = run.RUNS[name].peer
    assert (PEERS / f"peer_{peer}.py").exists()
    lines = (PEERS / "requirements" / f"{peer}.txt").read_text().splitlines()
    assert all("==" in line for line in lines if not line.startswith("#"))
