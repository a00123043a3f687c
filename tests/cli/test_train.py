# SPDX-License-Identifier: Apache-2.0
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

KEYS = {
    "task", "seed", "epochs", "threads", "precision", "test_accuracy", "test_loss", "train_seconds",
    "seconds_per_epoch", "us_per_sample", "hidden_spikes_per_sample",
}  # fmt: skip
SMALL = ["--epochs", 2, "--train-samples", 300, "--hidden", 60]
FILES = [
    "best.safetensors",
    "checkpoint.safetensors",
    "metrics.jsonl",
    "model.safetensors",
    "settings.json",
]


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_help_and_version(saltus):
    assert re.match(r"saltus \d+\.\d+\.\d+ \(.+\)\n", saltus.good("--version").out)
    assert "gradcheck" in saltus.good("--help").out
    text = saltus.good("train", "--help").out
    for word in ("--hidden", "--out", "--precision", "Examples:", "saltus train mnist --data"):
        assert word in text


def test_json_is_the_last_line_and_complete(saltus):
    result = saltus.good("train", "yinyang", *SMALL, "--seed", 7, "--threads", 2, "--json")
    found = result.json
    assert set(found) >= KEYS
    assert (found["task"], found["seed"], found["epochs"]) == ("yinyang", 7, 2)
    assert (found["threads"], found["precision"]) == (2, "float32")
    assert 0 <= found["test_accuracy"] <= 1
    assert found["train_seconds"] > 0
    assert found["us_per_sample"] == pytest.approx(1e6 * found["train_seconds"] / 600)
    assert result.out.count("\n") == 1


def test_plain_lines_without_a_terminal(saltus):
    result = saltus.good("train", "yinyang", *SMALL)
    lines = result.err.splitlines()
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    for word in ("loss", "accuracy", "us/sample", "left"):
        assert word in lines[0]
    assert "\r" not in result.err
    assert "\033" not in result.err
    assert "test accuracy" in result.out
    assert saltus.good("train", "yinyang", *SMALL, "--quiet").err == ""


def test_log_levels(saltus):
    def lines(*options):
        # Weights of 0: a warning is due.
        silent = ["--hidden-mean", 0, "--hidden-std", 0]
        return saltus.good("train", "yinyang", *SMALL, *silent, *options).err.splitlines()

    def kinds(said):
        return {"warning" if "warning:" in line else line.split()[0] for line in said}

    assert lines("--log-level", "error") == []
    assert kinds(lines("--log-level", "warning")) == {"warning"}
    assert kinds(lines()) == kinds(lines("--log-level", "info")) == {"warning", "epoch"}
    told = lines("--log-level", "debug")
    assert len(told) == len(lines()) + 2 == len(lines("-v"))
    after = told[told.index(next(line for line in told if line.startswith("epoch"))) + 1]
    for word in ("gather", "forward", "backward", "step", "gradient", "MB"):
        assert word in after
    saltus.bad("train", "yinyang", "--log-level", "loud", code=2, says=["'loud'", "debug"])
    saltus.bad("train", "yinyang", "-v", "--quiet", code=2, says=["--quiet"])


def test_peak_memory_is_told_and_kept(saltus, tmp_path):
    out = tmp_path / "run"
    told = saltus.good("train", "yinyang", *SMALL, "--out", out, "--json").json
    first = [line["peak_memory_bytes"] for line in metrics(out)]
    assert 5e6 < first[0] <= first[1] <= told["peak_memory_bytes"] < 1e9
    saltus.good("train", "--resume", out, "--epochs", 3, "--quiet")
    again = [line["peak_memory_bytes"] for line in metrics(out)]
    assert again[:2] == first
    assert len(again) == 3


def test_redraws_in_place_on_a_terminal(saltus):
    main, side = pty.openpty()
    command = saltus.line("train", "yinyang", "--epochs", 2)
    process = subprocess.Popen(command, stdout=side, stderr=side, env={"TERM": "xterm"})
    os.close(side)
    text = b""
    while True:
        try:
            block = os.read(main, 4096)
        except OSError:
            break
        if not block:
            break
        text += block
    os.close(main)
    assert process.wait() == 0
    redrawn = re.findall(r"\r\x1b\[K(epoch 1/2 [^\r\n]*)", text.decode())
    assert redrawn
    for word in ("loss", "accuracy", "samples/s", "left"):
        assert word in redrawn[0]
    assert all(len(line) < 80 for line in redrawn)


def test_learns_yin_yang(saltus):
    found = saltus.good("train", "yinyang", "--epochs", 3, "--seed", 1, "--json").json
    assert found["test_accuracy"] > 0.85


def test_out_holds_model_settings_and_a_line_an_epoch(saltus, model):
    assert sorted(p.name for p in model.iterdir()) == FILES
    settings = json.loads((model / "settings.json").read_text())
    assert (settings["task"], settings["epochs"], settings["hidden"]) == ("yinyang", 2, [60])
    lines = metrics(model)
    assert [line["epoch"] for line in lines] == [1, 2]
    for key in ("loss", "accuracy", "seconds", "us_per_sample", "validation_accuracy"):
        assert key in lines[0]


def test_a_new_run_replaces_the_old_one(saltus, model, tensors):
    saltus.good("train", "yinyang", "--epochs", 1, "--train-samples", 50, "--hidden", 20, "--out",
                model)  # fmt: skip
    assert len(metrics(model)) == 1
    assert tensors(model)["in->hidden.weight"].shape == (5, 20)


def test_zero_epochs_leave_the_first_weights(saltus, tmp_path, tensors):
    out = tmp_path / "run"
    found = saltus.good("train", "yinyang", "--epochs", 0, "--out", out, "--json").json
    assert found["epochs"] == 0
    assert tensors(out)["in->hidden.weight"].mean() == pytest.approx(1.5, abs=0.1)
    assert saltus.good("eval", out, "--json").json["test_accuracy"] == found["test_accuracy"]


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_threads_and_repetition_change_no_bit(saltus, tmp_path, precision):
    models = []
    for name, threads in (("one", 1), ("two", 2), ("again", 1), ("many", 1000)):
        out = tmp_path / name
        saltus.good("train", "yinyang", *SMALL, "--precision", precision, "--threads", threads,
                    "--out", out)  # fmt: skip
        models.append((out / "model.safetensors").read_bytes())
    assert models[0] == models[1] == models[2] == models[3]


def test_precision_and_seed_reach_the_model(saltus, tmp_path, tensors):
    found = {}
    for precision in ("float32", "float64"):
        for seed in (1, 2):
            out = tmp_path / f"{precision}-{seed}"
            saltus.good("train", "yinyang", *SMALL, "--precision", precision, "--seed", seed,
                        "--out", out)  # fmt: skip
            found[precision, seed] = tensors(out)["in->hidden.weight"]
            assert found[precision, seed].dtype == precision
    assert not np.array_equal(found["float32", 1], found["float32", 2])
    np.testing.assert_allclose(found["float32", 1], found["float64", 1], atol=1e-2)


@pytest.mark.parametrize(
    "options",
    [
        ["--optimizer", "sgd", "--lr", 0.1],
        ["--optimizer", "adamw", "--weight-decay", 0.01],
        ["--schedule", "cosine", "--lr-final", 1e-4, "--warmup", 1],
        ["--schedule", "step", "--decay-every", 1],
        ["--schedule", "plateau", "--patience", 1],
        ["--schedule", "constant", "--clip-norm", 1],
        ["--revive", 0.1],
        ["--input-dropout", 0.1],
        ["--loss", "integrated_voltage"],
        ["--tau-ref", 0.001, "--hidden", "60,30"],
    ],
)
def test_options_train(saltus, options):
    arguments = ["--epochs", 2, "--train-samples", 300]
    found = saltus.good("train", "yinyang", *arguments, *options, "--json").json
    assert np.isfinite(found["test_loss"])


def test_trains_delays_and_neuron_parameters(saltus, tmp_path, tensors):
    out = tmp_path / "run"
    saltus.good("train", "yinyang", *SMALL, "--recurrent", "--t-end", 0.05, "--lr", 1e-4,
                "--trainable", "weights,delays,tau_mem,v_threshold", "--out", out)  # fmt: skip
    found = tensors(out)
    assert found["hidden->hidden.delay"].item() != 1e-3
    assert found["hidden.tau_mem"].item() != 20e-3
    assert found["hidden.v_threshold"].item() != 1
    assert found["hidden.tau_syn"].item() == 5e-3


def test_images(saltus, images, tmp_path):
    folder = images()
    result = saltus.good("train", "mnist", "--data", folder, "--validation", 20, "--epochs", 10,
                         "--hidden", 50, "--initial-spikes", 1, "--input-dropout", 0, "--out",
                         tmp_path / "run", "--json")  # fmt: skip
    assert result.json["test_samples"] == 40
    assert result.json["test_accuracy"] > 0.5
    assert "validation_accuracy" in metrics(tmp_path / "run")[0]


@pytest.mark.parametrize("recurrent", [[], ["--recurrent"]])
def test_spike_files(saltus, spike_file, recurrent):
    train, test = spike_file("train.h5"), spike_file("test.h5", n=30)
    result = saltus.good("train", "spikes", "--train", train, "--test", test, "--hidden", 20,
                         "--epochs", 5, *recurrent, "--json")  # fmt: skip
    assert result.json["test_samples"] == 30
    assert result.json["hidden_spikes_per_sample"] > 0


def scaled(unit, start):
    """Times of seconds in a unit, from a start on, all of them exact in float32."""

    def change(times, _numbers, _labels):
        for k, row in enumerate(times):
            times[k] = (np.round(row * 2**16) / 2**16 + start) / unit

    return change


@pytest.mark.parametrize("origin", [[], ["--origin", 0.25]])
def test_spike_files_in_another_unit_train_to_the_same_bits(saltus, spike_file, tmp_path, origin):
    start = origin[1] if origin else 0
    found = []
    for unit, since, given in ((1, 0, []), (2**-10, start, ["--unit", 2**-10, *origin])):
        change, out = scaled(unit, since), tmp_path / f"run{unit}"
        train = spike_file(f"train{unit}.h5", change=change)
        test = spike_file(f"test{unit}.h5", n=30, change=change)
        saltus.good("train", "spikes", "--train", train, "--test", test, "--hidden", 20,
                    "--epochs", 2, *given, "--out", out)  # fmt: skip
        again = saltus.good("train", "--config", out, "--json")  # settings.json says the unit
        assert again.err.count("looks") == again.err.count("look like") == 0, again.err
        tested = saltus.good("eval", out, "--json")
        assert tested.json["test_loss"] == again.json["test_loss"]
        found.append((out / "model.safetensors", tested.json["test_loss"]))
    (one, loss), (other, same) = found
    assert loss == same
    one, other = load_file(one), load_file(other)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_spike_file_in_milliseconds(saltus, spike_file, tmp_path):
    def to_ms(times, _numbers, _labels):
        times[:] = [1e3 * (row + 0.1) for row in times]

    files = ["--train", spike_file("train.h5", change=to_ms),
             "--test", spike_file("test.h5", n=30, change=to_ms)]  # fmt: skip
    told = saltus.good("train", "spikes", *files, "--tau-mem", 20e-3, "--hidden", 20, "--epochs", 0)
    assert "milliseconds" in told.err
    read = saltus.good("train", "spikes", *files, "--hidden", 20, "--epochs", 0,
                       "--unit", 1e-3, "--origin", "first")  # fmt: skip
    assert "milliseconds" not in read.err
    last = float(re.search(r"the last at (\S+) s", read.out)[1])
    assert 0.03 < last < 0.056
    said = ["test.h5: sample 0: the first spike is at", "before origin = 0.13 s"]
    saltus.bad("train", "spikes", *files, "--unit", 1e-3, "--origin", 0.13, code=2, says=said)
    saltus.bad("train", "spikes", *files, "--unit", 0, code=2, says=["unit is 0", "above 0"])
    saltus.bad("train", "spikes", *files, "--origin", "last", code=2,
               says=["origin is 'last'", "or first"])  # fmt: skip
    saltus.bad("train", "yinyang", "--unit", 1, code=2, says=["yinyang has no --unit", "spikes"])
    config = tmp_path / "spikes.toml"
    saltus.good("init", "spikes", "--out", config)
    text = config.read_text()
    assert "unit = 1\n" in text
    assert 'origin = "0"\n' in text
    text = text.replace("unit = 1\n", "unit = 1e-3\n").replace('origin = "0"', 'origin = "first"')
    config.write_text(text)
    set_so = saltus.good("train", "--config", config, *files, "--hidden", 20, "--epochs", 0)
    assert set_so.out == read.out


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_real_images(saltus, real_data, name):
    result = saltus.good("train", "mnist", "--data", real_data(name), "--train-samples", 500,
                         "--epochs", 1, "--hidden", 100, "--json")  # fmt: skip
    assert result.json["test_samples"] == 10000
    assert result.json["test_accuracy"] > 0.3


def test_real_braille(saltus, real_data):
    folder = real_data("braille")
    result = saltus.good("train", "spikes", "--train", folder / "braille_train.h5", "--test",
                         folder / "braille_test.h5", "--epochs", 6, "--json")  # fmt: skip
    assert result.json["test_samples"] == 270
    assert result.json["test_accuracy"] > 0.7


# --- interruptions --------------------------------------------------------------------------------


class Running:
    """A run of many epochs, once its first epoch is over."""

    def __init__(self, saltus, out):
        command = saltus.line("train", "yinyang", "--epochs", 100, "--out", out, "--json")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.out = out
        end = time.monotonic() + 30
        while time.monotonic() < end and not self.lines():
            time.sleep(0.01)

    def lines(self):
        return metrics(self.out) if (self.out / "metrics.jsonl").exists() else []

    def stop(self, *signals):
        for number in signals:
            self.process.send_signal(number)
            time.sleep(0.005)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves_and_says_so(saltus, tmp_path, number):
    code, out, err = Running(saltus, tmp_path / "run").stop(number)
    assert code == 128 + number
    assert re.search(r"stopped after \d+ epochs and \d+ samples of the next; the model is in", err)
    found = json.loads(out.splitlines()[-1])
    assert found["interrupted"] is True
    again = saltus.good("eval", tmp_path / "run", "--json").json
    for key in ("test_accuracy", "test_loss", "epochs"):
        assert again[key] == found[key]
    assert again["train_seconds"] == pytest.approx(found["train_seconds"])


RUNS_AWAY = """task = "yinyang"
[data]
t_end = 0.06
train_samples = 32
[optimiser]
epochs = 1
[[population]]
name = "h"
size = 200
[[projection]]
from = "in"
to = "h"
[[projection]]
from = "out"
to = "h"
[[projection]]
from = "h"
to = "out"
"""


@pytest.mark.parametrize(
    ("number", "threads"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGINT, 2)]
)
def test_an_interrupt_ends_a_network_that_runs_away(saltus, tmp_path, number, threads):
    config, out = tmp_path / "run.toml", tmp_path / "run"
    config.write_text(RUNS_AWAY)
    command = saltus.line("train", "--config", config, "--out", out, "--threads", threads, "--json")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 30
    while time.monotonic() < end and not (out / "checkpoint.safetensors").exists():
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(number)
    text, _ = process.communicate(timeout=20)  # the test of it ends after 5 s
    assert process.returncode == 128 + number
    found = json.loads(text)
    assert (found["interrupted"], found["test_accuracy"]) == (True, None)
    assert (found["hidden_spikes_per_sample"], found["epochs"]) == (None, 0)


def test_a_second_run_in_a_folder_is_refused_and_names_the_first(saltus, tmp_path):
    out = tmp_path / "run"
    first = Running(saltus, out)
    for command in (("yinyang", "--out", out), ("--resume", out)):
        says = [f"{out} is in use by another run", f"process {first.process.pid} on"]
        saltus.bad("train", *command, code=1, says=says)
    assert first.stop(signal.SIGTERM)[0] == 143
    assert not (out / "lock").exists()
    saltus.good("train", "yinyang", *SMALL, "--out", out, "--quiet")
    # A killed one leaves its lock behind, which holds nobody.
    (out / "metrics.jsonl").unlink()  # by which a run is seen to have begun
    assert Running(saltus, out).stop(signal.SIGKILL)[0] == -signal.SIGKILL
    assert (out / "lock").exists()
    saltus.good("train", "yinyang", *SMALL, "--out", out, "--quiet")
    assert sorted(p.name for p in out.iterdir()) == FILES


@pytest.mark.parametrize("signals", [[signal.SIGKILL], [signal.SIGINT, signal.SIGINT]])
def test_a_killed_run_leaves_readable_files(saltus, tmp_path, signals):
    Running(saltus, tmp_path / "run").stop(*signals)
    lines = metrics(tmp_path / "run")
    assert lines
    assert saltus.good("eval", tmp_path / "run", "--json").json["epochs"] >= 1


def test_an_interrupt_without_out_says_that_nothing_is_saved(saltus):
    command = saltus.line("train", "yinyang", "--epochs", 100)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert first.startswith("epoch")
    assert process.returncode == 130
    assert "nothing is saved" in err


# --- streams and disks ----------------------------------------------------------------------------


def shell(saltus, text):
    return subprocess.run(
        ["bash", "-c", text.replace("SALTUS", saltus.command)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


RUN = "SALTUS train yinyang --epochs 1 --train-samples 100"


def test_a_closed_pipe_is_no_crash(saltus):
    done = shell(saltus, f"{RUN} --quiet | head -n 1; exit ${{PIPESTATUS[0]}}")
    assert done.returncode in (0, 128 + signal.SIGPIPE)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_a_full_standard_output_is_an_error(saltus):
    done = shell(saltus, f"{RUN} --quiet > /dev/full")
    assert done.returncode == 1
    assert "cannot write to standard output" in done.stderr


@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-"])
def test_training_needs_no_standard_error(saltus, tmp_path, stream):
    done = shell(saltus, f"{RUN} --out {tmp_path}/run --json {stream}")
    assert done.returncode == 0
    assert json.loads(done.stdout)["epochs"] == 1
    saltus.good("eval", tmp_path / "run")


def test_neurons_that_spike_without_end_fill_no_machine(saltus):
    done = shell(saltus, f"ulimit -v 1000000; {RUN} --lr 10000 --quiet")
    assert done.returncode == 1
    assert "out of memory" in done.stderr


def test_a_limit_on_files_is_a_write_that_fails(saltus, tmp_path):
    done = shell(saltus, f"ulimit -f 8; {RUN} --hidden 2000 --quiet --out {tmp_path / 'run'}")
    assert done.returncode == 1
    assert "model.safetensors: File too large" in done.stderr


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 200 kB (needs the right to mount)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.call(mount):
        pytest.skip("cannot mount a small tmpfs here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_run(saltus, small_disk):
    out = small_disk / "run"
    before = saltus.good("train", "yinyang", *SMALL, "--out", out, "--json").json
    saltus.bad("train", "yinyang", "--epochs", 1, "--train-samples", 50, "--hidden", 20000,
               "--quiet", "--out", out, code=1,
               says=["model.safetensors", "No space left on device"])  # fmt: skip
    assert sorted(p.name for p in out.iterdir()) == FILES
    assert saltus.good("eval", out, "--json").json["test_loss"] == before["test_loss"]
