#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the same networks on the same data with Saltus and with what one would pick instead.

    bench/peers/run.py --data DIR [--only NAME ...] [--saltus build/saltus] [--write]

DIR holds the folder mnist (IDX files). Each peer has a virtual environment of its own, made in
build/peers/. Saltus runs directly before and after every peer, everything on one thread, and a
ratio is that peer's time over the mean of these two. Results go to runs/peers/NAME.json; with
--write they become the tables and the picture of docs/peers.md (--only --write runs nothing
and writes what is there).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULTS = ROOT / "runs" / "peers"
PAGE = ROOT / "docs" / "peers.md"
BEGIN, END = "<!-- peers: {} -->", "<!-- end -->"

ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


@dataclass
class Run:
    """One peer on one task."""

    peer: str
    task: str
    setting: str
    arguments: list[str]
    epochs: int = 10
    samples: int = 0  # of the training data (0: all)


COMPILED = ["--compile", "--chunk", "10"]
VOLTAGE = [*COMPILED, "--voltage"]  # on a grid, highest voltages teach more than first spikes
SCAN = ["--batch", "32", "128", "512"]
MNIST = {"epochs": 3, "samples": 10240}
RUNS = {
    "yinyang_snntorch": Run("snntorch", "yinyang", "dt 1 ms, compiled", [*VOLTAGE, *SCAN]),
    "yinyang_snntorch_32": Run(
        "snntorch", "yinyang", "dt 1 ms, compiled, minibatch as published", VOLTAGE
    ),
    "yinyang_snntorch_spikes": Run(
        "snntorch", "yinyang", "dt 1 ms, compiled, loss over first spikes", COMPILED
    ),
    "yinyang_snntorch_fine": Run(
        "snntorch", "yinyang", "dt 0.1 ms, compiled", ["--dt", "1e-4", *VOLTAGE, *SCAN], 4
    ),
    "yinyang_norse": Run("norse", "yinyang", "dt 1 ms, compiled", [*VOLTAGE, *SCAN]),
    "yinyang_norse_fine": Run(
        "norse", "yinyang", "dt 0.1 ms, compiled", ["--dt", "1e-4", *VOLTAGE, *SCAN], 4
    ),
    "yinyang_jaxsnn": Run(
        "jaxsnn",
        "yinyang",
        "EventProp, tau_mem = 2 tau_syn",
        ["--buffers", "205", "300", "--batch", "32", "128"],
    ),
    "yinyang_eventax": Run(
        "eventax", "yinyang", "EventProp, Euler steps of 0.05 ms", ["--batch", "8", "32"], 2, 320
    ),
    "recurrent_snntorch_eager": Run(
        "snntorch", "recurrent", "dt 1 ms, eager", ["--batch", "16", "64"], 3
    ),
    "recurrent_snntorch": Run(
        "snntorch", "recurrent", "dt 1 ms, compiled", [*COMPILED, "--batch", "16", "64"], 3
    ),
    "recurrent_snntorch_sparse": Run(
        "snntorch",
        "recurrent",
        "dt 1 ms, compiled, input rows added spike by spike",
        [*COMPILED, "--sparse", "--batch", "16", "64"],
        3,
    ),
    "mnist_snntorch": Run(
        "snntorch", "mnist", "dt 1 ms, compiled", [*COMPILED, "--batch", "64", "256"], **MNIST
    ),
    "mnist_snntorch_sparse": Run(
        "snntorch",
        "mnist",
        "dt 1 ms, compiled, input rows added spike by spike",
        [*COMPILED, "--sparse", "--batch", "64", "256"],
        **MNIST,
    ),
    "mnist_norse": Run(
        "norse", "mnist", "dt 1 ms, compiled", [*COMPILED, "--batch", "64", "256"], **MNIST
    ),
    "mnist_jaxsnn": Run(
        "jaxsnn",
        "mnist",
        "EventProp, tau_mem = 2 tau_syn, first spikes",
        ["--buffers", "1200", "1200", "--batch", "16"],
        2,
        320,
    ),
    "mnist_eventax": Run(
        "eventax",
        "mnist",
        "EventProp, Euler steps of 0.05 ms, first spikes",
        ["--events", "1500", "--batch", "16"],
        2,
        32,
    ),
}
TITLES = {
    "yinyang": "Yin-Yang, 5-200-3",
    "mnist": "MNIST, 784-350-10",
    "recurrent": "Recurrent, 700-256-20, 8,000 input and about 4,000 hidden spikes in 1 s",
}
SALTUS_BATCH = {"yinyang": 32, "mnist": 256, "recurrent": 64}


def environment(name: str) -> Path:
    """The Python of a virtual environment with what requirements/NAME.txt lists, made if needed."""
    folder = ROOT / "build" / "peers" / name
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    wanted = (HERE / "requirements" / f"{name}.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {name}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r"]
        subprocess.run(
            [*install, str(HERE / "requirements" / f"{name}.txt")],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        stamp.write_text(wanted)
    return python


def run_peer(run: Run, data: Path, limit: float) -> dict[str, Any]:
    """The JSON line of a peer, or how it failed."""
    command = [str(environment(run.peer)), str(HERE / f"peer_{run.peer}.py")]
    command += ["--task", run.task, "--data", str(data), "--epochs", str(run.epochs)]
    command += ["--samples", str(run.samples), *run.arguments]
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | ONE_THREAD,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {limit:.0f} s"}
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["nothing"]
        return {"failed": f"exit code {done.returncode}: {said[-1][:300]}"}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run_saltus(saltus: Path, run: Run, epochs: int, data: Path) -> dict[str, Any]:
    """The same task with Saltus, timed and read as a peer is: epochs after the first."""
    batch = str(SALTUS_BATCH[run.task])
    with tempfile.TemporaryDirectory() as folder:
        if run.task == "recurrent":
            command = ["bench", "recurrent", "--batch", batch, "--json"]
        else:
            command = ["train", run.task, "--epochs", str(epochs), "--batch", batch]
            command += ["--train-samples", str(run.samples), "--json", "--quiet", "--out", folder]
            if run.task == "mnist":  # peers leave no input out either
                command += ["--data", str(data / "mnist"), "--input-dropout", "0"]
        with subprocess.Popen(
            [str(saltus), *command], stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD
        ) as process:
            assert process.stdout
            output = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"saltus {' '.join(command)} failed")
        result: dict[str, Any] = json.loads(output.splitlines()[-1])
        if run.task == "recurrent":
            result["us_per_sample"] = result["train_us_per_sample"]
        else:
            lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
            times = [json.loads(line)["us_per_sample"] for line in lines]
            result["us_per_sample"] = statistics.median(times[1:] or times)
            result["us_per_sample_min"] = min(times[1:] or times)
    result |= {"batch": SALTUS_BATCH[run.task], "peak_mb": usage.ru_maxrss * 1024 / 1e6}
    return result


def measure(name: str, saltus: Path, data: Path, limit: float) -> dict[str, Any]:
    """Saltus, the peer, and Saltus again."""
    run = RUNS[name]
    before = run_saltus(saltus, run, run.epochs, data)
    peer = run_peer(run, data, limit)
    after = run_saltus(saltus, run, peer.get("epochs", run.epochs), data)
    result = {
        "name": name,
        "task": run.task,
        "setting": run.setting,
        "peer": peer,
        "saltus": [before, after],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
    }
    if "failed" not in peer:
        mean = statistics.mean(side["us_per_sample"] for side in (before, after))
        result["ratio"] = peer["us_per_sample"] / mean
    return result


def machine() -> str:
    """Processor, cores and the widest vectors, in words."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    info = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    facts = {key.strip(): value.strip() for key, value in info.items()}
    flags = facts.get("flags", "").split()
    wide = [label for flag, label in (("avx2", "AVX2"), ("avx512f", "AVX-512")) if flag in flags]
    model = facts.get("model name", "unknown processor")
    family = f"family {facts.get('cpu family')} model {facts.get('model')}"
    return f"{os.cpu_count()} cores, {model} ({family}), {' and '.join(wide) or 'no AVX2'}"


def cell(value: float | None, text: str) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else text.format(value)


def table(task: str) -> str:
    """What was measured of one task, in Markdown."""
    results = [json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))]
    order = list(RUNS)
    results = [r for r in results if r["task"] == task and r["name"] in order]
    if not results:
        return "Not run yet.\n"
    results.sort(key=lambda r: order.index(r["name"]))
    commits = ", ".join(sorted({side["commit"] for r in results for side in r["saltus"]}))
    machines = ", ".join(sorted({r["machine"] for r in results}))
    days = ", ".join(sorted({r["date"] for r in results}))
    lines = [
        f"### {TITLES[task]}",
        "",
        f"Saltus at commit {commits}; {machines}; {days}",
        "",
        "| peer | setting | minibatch | us a sample (least) | Saltus, before and after | ratio "
        "| epochs x samples | accuracy (Saltus) | peak MB (Saltus) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        peer, (before, after) = r["peer"], r["saltus"]
        full = sum(peer.get("samples_with_a_full_buffer", []))
        setting = r["setting"] + (f"; buffer full {full} times, spikes lost" if full else "")
        trained = f"{peer.get('epochs')} x {peer.get('training_samples')}"
        ours = f"{before['us_per_sample']:.1f}, {after['us_per_sample']:.1f}"
        if "failed" in peer:
            lines.append(
                f"| {RUNS[r['name']].peer} | {r['setting']} | | {peer['failed']} | {ours} | | | | |"
            )
            continue
        accuracy = f"{cell(peer['test_accuracy'], '{:.1%}')} "
        accuracy += f"({cell(after.get('test_accuracy'), '{:.1%}')})"
        lines.append(
            f"| {peer['peer']} {peer['version']} | {setting} | {peer['batch']} "
            f"| {peer['us_per_sample']:,.0f} ({peer['us_per_sample_min']:,.0f}) | {ours} "
            f"| **{r['ratio']:.1f}** | {trained} | {accuracy} "
            f"| {peer['peak_mb']:.0f} ({after['peak_mb']:.0f}) |"
        )
    return "\n".join(lines) + "\n"


def write() -> None:
    """Tables and picture of docs/peers.md."""
    page = PAGE.read_text()
    for task in TITLES:
        begin = page.index(BEGIN.format(task)) + len(BEGIN.format(task))
        page = page[:begin] + "\n" + table(task) + page[page.index(END, begin) :]
    PAGE.write_text(page)
    python = environment("picture")
    subprocess.run([str(python), str(HERE / "picture.py")], check=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(RUNS), default=list(RUNS), metavar="NAME")
    parser.add_argument("--saltus", type=Path, default=ROOT / "build" / "saltus")
    parser.add_argument("--limit", type=float, default=600, help="seconds for one peer")
    parser.add_argument("--write", action="store_true", help="into docs/peers.md")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        environment(RUNS[name].peer)
    for name in options.only:
        result = measure(name, options.saltus.resolve(), options.data.resolve(), options.limit)
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        peer = result["peer"]
        said = peer.get("failed") or f"{peer['us_per_sample']:.1f} us a sample"
        print(f"{name}: {said}, Saltus {result['saltus'][1]['us_per_sample']:.1f}", flush=True)
    if options.write:
        write()


if __name__ == "__main__":
    main()
