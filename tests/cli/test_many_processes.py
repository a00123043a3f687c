# SPDX-License-Identifier: Apache-2.0
"""`mpirun -n N saltus train` is, to the bit, what one process trains; whoever dies ends the job."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Result, about
from tests.cli.test_resume import MIXED, SMALL, expect_same, metrics

MPIRUN = shutil.which("mpirun")
needs_mpirun = pytest.mark.skipif(
    MPIRUN is None, reason="no mpirun: apt-get install openmpi-bin (scripts/setup.sh does)"
)
# More processes than cores, on a machine that others use, and as root in a container.
USUAL = ["--oversubscribe", "--bind-to", "none"]
ENVIRONMENT = os.environ | {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    # Where a container forbids processes to read each other's memory: without a complaint.
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
}


def mpirun(processes, line, **options):
    return subprocess.Popen(
        [MPIRUN, *USUAL, "-n", str(processes), *line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        **options,
    )


class Many:
    """Runs the command in several processes."""

    def __init__(self, saltus):
        self.saltus = saltus

    def start(self, processes, *arguments):
        return mpirun(processes, self.saltus.line(*arguments))

    def __call__(self, processes, *arguments):
        process = self.start(processes, *arguments)
        out, err = process.communicate(timeout=60)
        return Result(subprocess.CompletedProcess([], process.returncode, out, err))

    def good(self, processes, *arguments):
        result = self(processes, *arguments)
        assert result.code == 0, result.err
        return result


@pytest.fixture(scope="session")
def many(saltus):
    return Many(saltus)


def yinyang(*options, samples=300, hidden=40):
    return ["yinyang", "--train-samples", samples, "--hidden", hidden, "--epochs", 2, *options]


RUNS = {
    "mixed": yinyang(*MIXED),
    # The last minibatch has a sample, and the others have three: fewer than processes.
    "few": yinyang("--batch", 3, samples=31),
    "delays": yinyang("--recurrent", "--t-end", 0.05, "--lr", 1e-3, "--trainable",
                      "weights,delays,tau_mem,v_reset", hidden="130,70",
                      samples=100),  # several tiles
    "ghosts": yinyang("--smooth-threshold", 0.2, "--trainable", "weights,tau_syn,bias",
                      "--step-limit", 5, samples=64),
    "float64": yinyang("--precision", "float64", "--optimizer", "sgd", "--lr", 1e-3,
                       "--kernel", "scalar", "--schedule", "plateau"),
}  # fmt: skip


@needs_mpirun
@pytest.mark.parametrize("name", RUNS)
def test_any_number_of_processes_and_threads_gives_the_bits_of_one(saltus, many, tmp_path, name):
    saltus.good("train", *RUNS[name], "--out", tmp_path / "one", "--quiet")
    for processes, threads in ((2, 2), (4, 1)):
        out = tmp_path / f"{processes}"
        many.good(processes, "train", *RUNS[name], "--threads", threads, "--out", out, "--quiet")
        expect_same(out, tmp_path / "one")


@needs_mpirun
def test_convolutions_and_spike_files_too(saltus, many, tmp_path, images, spike_file):
    files = ["--train", spike_file("a.h5"), "--test", spike_file("b.h5", n=30)]
    for name, run in {
        "conv": ["mnist", "--data", images(), "--layers", "conv:4x3,pool:2,20", "--epochs", 2,
                 "--validation", 20, "--batch", 16],
        "spikes": ["spikes", *files, "--loss", "spike_count", "--tau-count", 0.05, "--hidden", 20,
                   "--epochs", 2, "--batch", 7, "--trainable", "weights,v_threshold",
                   "--validation", 12],
    }.items():  # fmt: skip
        saltus.good("train", *run, "--out", tmp_path / name, "--quiet")
        result = many.good(3, "train", *run, "--out", tmp_path / f"{name} of 3", "--json")
        expect_same(tmp_path / name, tmp_path / f"{name} of 3")
        evaluations = [
            saltus.good("eval", tmp_path / name, "--json").json,
            many.good(2, "eval", tmp_path / name, "--json").json,
        ]
        assert evaluations[0] == evaluations[1]
        assert evaluations[0]["test_loss"] == result.json["test_loss"]


@needs_mpirun
@pytest.mark.parametrize(("first", "second"), [(1, 4), (2, 1)])
def test_another_number_of_processes_goes_on(saltus, many, tmp_path, first, second):
    out, through = tmp_path / "run", tmp_path / "through"
    saltus.good("train", "yinyang", *SMALL, *MIXED, "--epochs", 4, "--out", through, "--quiet")
    many.good(first, "train", "yinyang", *SMALL, *MIXED, "--epochs", 2, "--out", out)
    result = many.good(second, "train", "--resume", out, "--epochs", 4)
    assert [line.split()[1] for line in result.err.splitlines()] == ["3/4", "4/4"]  # said once
    assert result.out.count("test accuracy") == 1
    expect_same(out, through)


LONG = ["--train-samples", 2000, "--hidden", 40, "--schedule", "cosine"]
KILLED = [*LONG, "--epochs", 6]  # with a checkpoint after each minibatch
STOPPED = [*LONG, "--epochs", 200]  # seconds, for mpirun takes its time


def number_of(pid):
    """Its place among the processes of its job; None: it is not one of them."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    name = b"OMPI_COMM_WORLD_RANK="
    return next((int(e[len(name) :]) for e in environment if e.startswith(name)), None)


def processes_of(job):
    """The saltus processes that a job runs, by their number."""
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    return {number_of(pid): int(pid) for pid in children}


def wait_for_an_epoch(out):
    end = time.monotonic() + 40
    while time.monotonic() < end:
        if (out / "checkpoint.safetensors").exists():
            state = about(out / "checkpoint.safetensors")["training"]["state"]
            if state["epochs"] > 0 and state["epoch"]["minibatches"] > 0:
                return
        time.sleep(0.002)
    pytest.fail("no epoch was done")


@needs_mpirun
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_dies_ends_the_job_and_the_rest_is_resumed(saltus, many, tmp_path, victim):
    out, through = tmp_path / "run", tmp_path / "through"
    saltus.good("train", "yinyang", *KILLED, "--out", through, "--quiet")
    job = many.start(2, "train", "yinyang", *KILLED, "--checkpoint-minutes", 1e-9, "--out", out)
    wait_for_an_epoch(out)
    os.kill(processes_of(job)[victim], signal.SIGKILL)
    _, said = job.communicate(timeout=20)
    assert job.returncode not in (0, None)
    assert "signal 9" in said
    state = about(out / "checkpoint.safetensors")["training"]["state"]
    assert 0 < state["epochs"] < 6
    saltus.good("train", "--resume", out, "--quiet", "--checkpoint-minutes", 0)
    expect_same(out, through)


@needs_mpirun
def test_a_job_that_is_told_to_stop_saves_where_it_is(saltus, many, tmp_path):
    out, through = tmp_path / "run", tmp_path / "through"
    saltus.good("train", "yinyang", *STOPPED, "--checkpoint-minutes", "inf", "--out", through)
    options = ["--checkpoint-minutes", "inf", "--out", out]
    job = many.start(2, "train", "yinyang", *STOPPED, *options)
    while not (out / "metrics.jsonl").exists() or not metrics(out):
        time.sleep(0.002)
    job.send_signal(signal.SIGTERM)  # of Ctrl-C mpirun makes the same
    _, said = job.communicate(timeout=20)
    assert job.returncode != 0
    assert said.count("stopped after") == 1, said
    state = about(out / "checkpoint.safetensors")["training"]["state"]
    assert 0 < state["epochs"] < 200
    saltus.good("train", "--resume", out, "--quiet")
    expect_same(out, through)


def lines_of_saltus(result):
    return [line for line in result.err.splitlines() if line.startswith("saltus:")]


@needs_mpirun
def test_an_error_is_said_once(many, tmp_path):
    for arguments, code, says in (
        (["yinyang", "--epochs", "many"], 2, "--epochs"),
        (["yinyang", "--nonsense"], 2, "--nonsense"),
        (["mnist", "--data", tmp_path / "nothing"], 1, "nothing"),
        (["yinyang", "--smooth-threshold", 5, "--smooth-reading", "sampled"], 2, "smaller sigma"),
    ):
        result = many(3, "train", *arguments)
        assert result.code == code, result.err
        lines = lines_of_saltus(result)
        assert len(lines) == 1, result.err
        assert says in lines[0]
    assert many.good(3, "train", "--help").out.count("Examples:") == 1


@needs_mpirun
def test_processes_that_would_train_different_networks_do_not(saltus, tmp_path, images):
    def job(*lines):
        together = [saltus.line("train", *line) for line in lines]
        process = mpirun(1, [*together[0], ":", "-n", "1", *together[1]])
        _, err = process.communicate(timeout=60)
        result = Result(subprocess.CompletedProcess([], process.returncode, "", err))
        assert result.code != 0
        return lines_of_saltus(result)

    said = job(yinyang("--seed", 0), yinyang("--seed", 1))
    assert len(said) == 1
    assert "process 2 of 2 holds another" in said[0]
    folder = images()
    small = ["--validation", 20, "--epochs", 1]
    said = job(
        ["mnist", "--data", folder, *small], ["mnist", "--data", tmp_path / "nothing", *small]
    )
    assert len(said) == 1  # who failed alone
    assert said[0].startswith("saltus: process 2 of 2: ")
    assert "nothing" in said[0]


def test_processes_that_cannot_find_each_other_are_an_error(saltus):
    slurm = os.environ | {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0"}
    result = saltus("train", *yinyang(), env=slurm)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "4 processes were started together" in result.err
    alone = os.environ | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}
    saltus.good("train", *yinyang("--quiet"), env=alone)
