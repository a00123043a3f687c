# SPDX-License-Identifier: Apache-2.0
"""A training that is resumed is, to the bit, the one that never stopped."""

import json
import re
import signal
import subprocess
import time

import pytest
from safetensors.numpy import load_file

from tests.cli.conftest import about

SMALL = ["--train-samples", 300, "--hidden", 40]
MIXED = [
    "--input-dropout", 0.1, "--smooth-threshold", 0.2, "--smooth-reading", "sampled", "--revive",
    0.1, "--clip-norm", 1,
]  # fmt: skip


def metrics(folder):
    """The epochs, without what a clock or the system said."""
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    measured = ("us_per_sample", "peak_memory_bytes")
    return [
        {k: v for k, v in epoch.items() if not k.endswith("seconds") and k not in measured}
        for epoch in found
    ]


def expect_same(a, b):
    assert (a / "model.safetensors").read_bytes() == (b / "model.safetensors").read_bytes()
    assert metrics(a) == metrics(b)
    for name in ("checkpoint.safetensors", "best.safetensors"):
        arrays = [load_file(folder / name) for folder in (a, b)]
        assert arrays[0].keys() == arrays[1].keys(), name
        for tensor in arrays[0]:
            assert arrays[0][tensor].tobytes() == arrays[1][tensor].tobytes(), (name, tensor)


@pytest.fixture
def through(saltus, tmp_path):
    """The folder of a run of 6 epochs that nothing stopped."""

    def run(*options):
        saltus.good("train", "yinyang", *SMALL, "--epochs", 6, "--out", tmp_path / "through",
                    "--quiet", *options)  # fmt: skip
        return tmp_path / "through"

    return run


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        MIXED,
        ["--optimizer", "sgd", "--lr", 1e-3, "--precision", "float64"],
        ["--recurrent", "--t-end", 0.05, "--trainable", "weights,delays,tau_mem", "--lr", 1e-3],
    ],
    ids=["mixed", "sgd", "delays"],
)
def test_three_epochs_and_three_are_six(saltus, tmp_path, through, options, threads):
    out = tmp_path / "run"
    saltus.good("train", "yinyang", *SMALL, "--epochs", 3, "--out", out, "--quiet", *options)
    result = saltus.good("train", "--resume", out, "--epochs", 6, "--threads", threads, "--json")
    assert "resumed:" not in result.err
    assert [line.split()[1] for line in result.err.splitlines()] == ["4/6", "5/6", "6/6"]
    assert result.json["epochs"] == 6
    expect_same(out, through(*options))
    assert saltus.good("eval", out, "--json").json["test_loss"] == result.json["test_loss"]


RUN = ["--train-samples", 2000, "--hidden", 40, "--epochs", 6, "--schedule", "cosine"]


def state_of(folder):
    return about(folder / "checkpoint.safetensors")["training"]["state"]


def stopped(saltus, out, number, minutes):
    """Stop a run after its first epoch, within one where its checkpoints tell: what it said."""
    command = saltus.line("train", "yinyang", *RUN, "--checkpoint-minutes", minutes, "--out", out)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = state_of(out) if (out / "checkpoint.safetensors").exists() else {"epochs": 0}
        if state["epochs"] > 0 and (minutes == 0 or state["epoch"]["minibatches"] > 9):
            break
        time.sleep(0.002)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    return said


@pytest.mark.parametrize("minutes", [0, 1e-9])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_stopped_within_an_epoch_goes_on(saltus, tmp_path, number, minutes):
    through, out = tmp_path / "through", tmp_path / "run"
    saltus.good("train", "yinyang", *RUN, "--out", through, "--quiet")
    said = stopped(saltus, out, number, minutes)
    state = state_of(out)
    assert 0 < state["epochs"] < 6
    if number == signal.SIGINT:
        found = re.search(r"stopped after (\d+) epochs and (\d+) samples of the next", said)
        assert int(found[1]) == state["epochs"]
        assert int(found[2]) == 32 * state["epoch"]["minibatches"]
    elif minutes == 0:
        assert state["epoch"]["minibatches"] == 0
    if minutes > 0:
        assert 0 < state["epoch"]["minibatches"] < 63
    saltus.good("train", "--resume", out, "--quiet", "--threads", 2, "--checkpoint-minutes", 0)
    expect_same(out, through)
    assert all(epoch["complete"] for epoch in metrics(out))


def test_a_checkpoint_is_written_at_the_end_whatever_the_minutes(saltus, tmp_path, through):
    out = tmp_path / "run"
    saltus.good("train", "yinyang", *SMALL, "--epochs", 3, "--out", out, "--quiet",
                "--checkpoint-minutes", "inf")  # fmt: skip
    saltus.good("train", "--resume", out, "--epochs", 6, "--quiet")
    expect_same(out, through())


def test_the_best_epoch_is_kept_and_can_be_gone_on_from(saltus, tmp_path, through):
    out = through("--lr", 0.02)
    epochs = metrics(out)
    best = max(epochs, key=lambda e: (e["validation_accuracy"], -e["validation_loss"]))
    state = about(out / "best.safetensors")["training"]["state"]
    assert state["epochs"] == best["epoch"]
    again = tmp_path / "again"
    saltus.good("train", "--resume", out / "best.safetensors", "--out", again, "--quiet")
    expect_same(again, out)
    # A new run leaves nothing of the old one.
    saltus.good("train", "yinyang", *SMALL, "--epochs", 0, "--out", out, "--quiet")
    assert not (out / "best.safetensors").exists()


def test_what_steps_are_made_of_may_change_and_is_told(saltus, tmp_path):
    out = tmp_path / "run"
    saltus.good("train", "yinyang", *SMALL, "--epochs", 1, "--out", out, "--quiet")
    result = saltus.good("train", "yinyang", "--resume", out, "--epochs", 2, "--lr", 0.001,
                         "--schedule", "constant", "--batch", 10, "--quiet")  # fmt: skip
    assert sorted(result.err.splitlines()) == [
        "resumed: batch is 10 from here on; it was 32",
        "resumed: lr is 0.001 from here on; it was 0.005",
        "resumed: schedule is constant from here on; it was exponential",
    ]
    assert [epoch["lr"] for epoch in metrics(out)] == [0.005, 0.001]
    # And from then on it is what the training is made of.
    result = saltus.good("train", "--resume", out, "--epochs", 3, "--quiet")
    assert result.err == ""
    assert metrics(out)[2]["lr"] == 0.001
    assert "all 3 epochs are done" in saltus.good("train", "--resume", out).err


def test_what_it_cannot_go_on_with_is_refused(saltus, tmp_path):
    out = tmp_path / "run"
    saltus.good("train", "yinyang", *SMALL, "--epochs", 1, "--out", out, "--quiet")
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    for option, value, was in (
        ("--seed", 1, "0"), ("--hidden", 41, "[40]"), ("--optimizer", "sgd", "adam"),
        ("--precision", "float64", "float32"), ("--tau-mem", 1e-3, "0.02"),
        ("--train-samples", 299, "300"),
    ):  # fmt: skip
        field = option[2:].replace("-", "_")
        saltus.bad("train", "--resume", out, option, value, "--epochs", 2, code=2,
                   says=[field, was])  # fmt: skip
    saltus.bad("train", "spikes", "--resume", out, code=2, says=["task is spikes", "of yinyang"])
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_what_is_no_checkpoint_is_an_error_that_names_the_file(saltus, tmp_path):
    out = tmp_path / "run"
    saltus.bad("train", "--resume", out, code=1, says=[str(out), "No such file"])
    assert not out.exists()
    saltus.good("train", "yinyang", *SMALL, "--epochs", 1, "--out", out, "--quiet")
    saltus.bad(
        "train",
        "--resume",
        out / "model.safetensors",
        code=1,
        says=["model.safetensors", "no training"],
    )
    whole = (out / "checkpoint.safetensors").read_bytes()
    other = whole.replace(b"yinyang", b"yanging")
    for damaged in (whole[:-100], whole[: len(whole) // 2], b"", other):
        (out / "checkpoint.safetensors").write_bytes(damaged)
        saltus.bad("train", "--resume", out, code=1, says=["checkpoint.safetensors"])


def test_fewer_epochs_than_are_done_are_refused(saltus, tmp_path):
    run = tmp_path / "run"
    saltus.good("train", "yinyang", *SMALL, "--epochs", 3, "--out", run, "--quiet")
    before = (run / "settings.json").read_bytes()
    saltus.bad("train", "--resume", run, "--epochs", 2, code=2,
               says=["epochs is 2, but 3 are done; expected 3 or more"])  # fmt: skip
    assert (run / "settings.json").read_bytes() == before
