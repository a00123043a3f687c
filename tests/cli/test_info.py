# SPDX-License-Identifier: Apache-2.0
"""`saltus info` says what a run, a model or a checkpoint is."""

import json
import shutil
import signal
import subprocess
import time

import pytest
from safetensors import safe_open


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run(saltus, model):
    found = saltus.good("info", model, "--json").json
    assert (found["kind"], found["task"], found["place"]) == ("run", "yinyang", str(model))
    assert found["populations"] == [
        {"name": "in", "model": "input", "size": 5},
        {"name": "hidden", "model": "LIF", "size": 60},
        {"name": "out", "model": "LIF", "size": 3},
    ]
    assert found["projections"][0] == {
        "name": "in->hidden", "source": "in", "target": "hidden", "connection": "dense",
        "weights": 300, "synapses": 300,
    }  # fmt: skip
    assert found["settings"] == json.loads((model / "settings.json").read_text())
    assert found["changed"] == {
        "epochs": {"value": 2, "default": 100},
        "hidden": {"value": [60], "default": [200]},
        "train_samples": {"value": 300, "default": 0},
    }
    names = {file["name"]: file["bytes"] for file in found["files"]}
    assert names == {path.name: path.stat().st_size for path in model.iterdir()}


def test_figures_are_those_of_the_metrics(saltus, model):
    lines, training = metrics(model), saltus.good("info", model, "--json").json["training"]
    assert training["epochs"] == 2
    assert training["stopped_within"] is None
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy", "silent_neurons"):
        assert training[name] == lines[-1][name]
    seconds = sum(line["seconds"] for line in lines)
    assert training["seconds"] == pytest.approx(seconds)
    assert training["samples"] == 600
    assert training["us_per_sample"] == pytest.approx(1e6 * seconds / 600)
    for phase, spent in training["phases"].items():
        assert spent == pytest.approx(sum(line[f"{phase}_seconds"] for line in lines))
    assert sum(training["phases"].values()) <= seconds
    assert training["peak_memory_bytes"] == max(line["peak_memory_bytes"] for line in lines)
    best = max(lines, key=lambda line: (line["validation_accuracy"], -line["validation_loss"]))
    assert training["best"]["epoch"] == best["epoch"]
    assert training["best"]["validation_accuracy"] == best["validation_accuracy"]


def test_people_read_the_same(saltus, model):
    text = saltus.good("info", model).out
    for line in (
        f"{model}: a run",
        "  epochs = 2 (default 100)",
        "  hidden = [60] (default [200])",
        "training: 2 of 2 epochs\n",
        "us/sample: gather",
        "  model.safetensors",
        "the network after the last epoch",
    ):
        assert line in text
    assert "tau_mem = " not in text
    lowest = min(metrics(model), key=lambda line: line["loss"])
    assert f"loss {lowest['loss']:.4f}" in text


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_files_of_a_run(saltus, tmp_path, precision):
    folder = tmp_path / "run"
    saltus.good("train", "yinyang", "--epochs", 2, "--train-samples", 100, "--hidden", 20,
                "--precision", precision, "--out", folder)  # fmt: skip
    found = saltus.good("info", folder / "model.safetensors", "--json").json
    assert found["kind"] == "model"
    assert "training" not in found
    # A model keeps neither epochs nor threads.
    assert found["changed"]["hidden"] == {"value": [20], "default": [200]}
    checkpoint = saltus.good("info", folder / "checkpoint.safetensors", "--json").json
    whole = saltus.good("info", folder, "--json").json
    assert checkpoint["kind"] == "checkpoint"
    del whole["training"]["peak_memory_bytes"]
    assert whole["training"].pop("resumes_after") == whole["training"]["epochs"]
    assert checkpoint["training"] == whole["training"]
    assert checkpoint["changed"] == whole["changed"]
    assert "precision" in whole["changed"] or precision == "float32"


def test_a_run_that_was_stopped(saltus, tmp_path):
    folder = tmp_path / "run"
    command = saltus.line("train", "yinyang", "--epochs", 100, "--out", folder)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    process.stderr.readline()
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    done = metrics(folder)
    training = saltus.good("info", folder, "--json").json["training"]
    within = training["stopped_within"]
    if done[-1]["complete"]:
        assert within is None
    else:
        assert within == {"epoch": done[-1]["epoch"], "samples": done[-1]["samples"]}
    assert training["epochs"] == sum(line["complete"] for line in done)
    assert f"training: {training['epochs']} of 100 epochs, " in saltus.good("info", folder).out


def test_a_checkpoint_that_is_older_than_the_run_is_told(saltus, tmp_path):
    folder = tmp_path / "run"
    command = saltus.line("train", "yinyang", "--epochs", 200, "--train-samples", 300, "--out",
                          folder, "--checkpoint-minutes", 60)  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    process.stderr.readline()
    process.kill()
    process.communicate(timeout=30)
    assert metrics(folder)
    assert saltus.good("info", folder, "--json").json["training"]["resumes_after"] == 0
    assert "; --resume goes on after epoch 0, of which" in saltus.good("info", folder).out
    (folder / "checkpoint.safetensors").write_bytes(b"damaged")
    assert saltus.good("info", folder, "--json").json["training"]["resumes_after"] is None


def test_a_stopped_line_is_told_apart(saltus, model):
    lines = (model / "metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1]) | {"complete": False, "samples": 64}
    (model / "metrics.jsonl").write_text(f"{lines[0]}\n{json.dumps(last)}\n")
    training = saltus.good("info", model, "--json").json["training"]
    assert training["epochs"] == 1
    assert training["stopped_within"] == {"epoch": 2, "samples": 64}
    assert training["samples"] == 364
    assert "stopped within epoch 2 after 64 samples" in saltus.good("info", model).out


def test_models_of_earlier_versions(saltus, old_model):
    found = saltus.good("info", old_model, "--json").json
    assert found["kind"] == "run"
    assert "model.h5" in [file["name"] for file in found["files"]]
    assert found["populations"][1]["size"] == 60
    assert saltus.good("info", old_model / "model.h5", "--json").json["kind"] == "model"


def test_a_model_without_a_run(saltus, tmp_path):
    library = pytest.importorskip("saltus")  # the Python package, whose models no run made
    net = library.Sequential(library.Input(4), library.LIF(3, library.Normal(1, 0.1)))
    net.save(tmp_path / "net.safetensors")
    found = saltus.good("info", tmp_path / "net.safetensors", "--json").json
    assert "settings" not in found
    assert [p["size"] for p in found["populations"]] == [4, 3]
    assert "settings" not in saltus.good("info", tmp_path / "net.safetensors").out


def test_a_folder_without_metrics_and_one_of_images(saltus, model, tmp_path, images):
    (model / "metrics.jsonl").unlink()
    found = saltus.good("info", model, "--json").json
    assert found["training"]["epochs"] == 0
    out = tmp_path / "conv"
    saltus.good("train", "mnist", "--data", images(), "--layers", "conv:2x3,10", "--validation", 20,
                "--epochs", 1, "--out", out)  # fmt: skip
    found = saltus.good("info", out, "--json").json
    assert found["projections"][0]["connection"] == "conv2d"
    assert found["projections"][0]["weights"] == 18
    assert found["projections"][0]["synapses"] == 2 * 16 * 9
    assert "layers" in found["changed"]
    assert "initial_spikes" not in found["changed"]  # the default with layers


def test_what_is_no_run(saltus, tmp_path, model):
    saltus.bad("info", tmp_path / "none", code=1, says=["none"])
    saltus.bad("info", tmp_path, code=1, says=["model.safetensors"])
    saltus.bad("info", model / "settings.json", code=1, says=["settings.json"])
    saltus.bad("info", code=2, says=["place"])
    damaged = tmp_path / "damaged"
    shutil.copytree(model, damaged)
    (damaged / "settings.json").write_text('{"task": "yinyang", "lr": "fast"}')
    saltus.bad("info", damaged, code=1, says=["settings.json", "lr"])
    shutil.copy(model / "settings.json", damaged)
    (damaged / "metrics.jsonl").write_text('{"seconds": 1, "samples": 2}\n')
    saltus.bad("info", damaged, code=1, says=["metrics.jsonl", "line 1"])
    (damaged / "metrics.jsonl").write_text(
        '{"seconds": 1, "samples": 2, "complete": true, "loss": "low"}\n'
    )
    saltus.bad("info", damaged, code=1, says=["metrics.jsonl", "line 1", "loss"])
    file = damaged / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    saltus.bad("info", file, code=1, says=["model.safetensors"])


def test_a_folder_of_checkpoints_alone(saltus, model):
    for path in model.iterdir():
        if path.name != "checkpoint.safetensors":
            path.unlink()
    found = saltus.good("info", model, "--json").json
    assert (found["kind"], found["training"]["epochs"]) == ("checkpoint", 2)
    assert [file["name"] for file in found["files"]] == ["checkpoint.safetensors"]


def test_nothing_is_written(saltus, model):
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    saltus.good("info", model)
    with safe_open(model / "model.safetensors", "numpy") as opened:
        assert opened.keys()
    assert before == {path.name: path.read_bytes() for path in model.iterdir()}
