#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what docs/results.md reports, and writes its tables.

    scripts/results.py --data DIR [--only yinyang mnist ...] [--jobs N] [--write]

DIR holds the folders mnist, fashion_mnist and braille. Every run leaves its JSON line in
runs/results/; a run that is there already is not repeated, so that an interrupted table goes on
where it was. With --write the tables go into docs/results.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = ROOT / "build" / "saltus"
BEGIN, END = "<!-- results: {} -->", "<!-- end -->"

# What the tables are made of: name, title, binary, arguments without the seed, seeds.
TABLES = {
    "yinyang": (
        "Yin-Yang, published settings",
        "saltus",
        ["train", "yinyang"],
        range(1, 11),
    ),
    "yinyang_best": (
        "Yin-Yang, our best settings with 200 hidden neurons",
        "saltus",
        [
            *("train", "yinyang", "--epochs", "300", "--schedule", "cosine"),
            *("--revive", "0.5", "--clip-norm", "1"),
        ],
        range(1, 11),
    ),
    "mnist": (
        "MNIST, published settings",
        "saltus",
        ["train", "mnist", "--data", "{data}/mnist"],
        range(1, 4),
    ),
    "mnist_reference_rule": (
        "MNIST without the time term of maxima at arrivals",
        "saltus_without_kink_time",
        ["train", "mnist", "--data", "{data}/mnist"],
        range(1, 4),
    ),
}


def run(table: str, seed: int, data: Path) -> dict[str, object]:
    """Runs one seed, unless its result is there."""
    _, binary, arguments, _ = TABLES[table]
    folder = ROOT / "runs" / "results" / table
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / f"{seed}.json"
    if not result.exists():
        command = [str(COMMAND.with_name(binary)), *(a.format(data=data) for a in arguments)]
        command += ["--seed", str(seed), "--quiet", "--json", "--out", str(folder / str(seed))]
        print(" ".join(command), file=sys.stderr, flush=True)
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        aside = result.with_suffix(".tmp")
        aside.write_text(done.stdout.splitlines()[-1] + "\n")
        aside.rename(result)
    loaded: dict[str, object] = json.loads(result.read_text())
    return loaded


def table_text(table: str, data: Path, jobs: int) -> str:
    """The Markdown of one table."""
    title, binary, arguments, seeds = TABLES[table]
    with ThreadPoolExecutor(jobs) as pool:
        runs = list(pool.map(lambda seed: run(table, seed, data), seeds))
    shown = " ".join(arguments).format(data="DIR")
    lines = [
        f"### {title}",
        "",
        f"`{binary} {shown} --seed S`, S = {seeds[0]} to {seeds[-1]}; "
        f"commit {', '.join(sorted({str(r['commit']) for r in runs}))}",
        "",
        "| seed | test accuracy | test loss | us a training sample | hidden spikes a sample |",
        "|---|---|---|---|---|",
    ]
    for r in runs:
        lines.append(
            f"| {r['seed']} | {100 * float(str(r['test_accuracy'])):.2f} % "
            f"| {float(str(r['test_loss'])):.4f} | {float(str(r['us_per_sample'])):.1f} "
            f"| {float(str(r['hidden_spikes_per_sample'])):.1f} |"
        )
    accuracies = [100 * float(str(r["test_accuracy"])) for r in runs]
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    times = statistics.mean(float(str(r["us_per_sample"])) for r in runs)
    lines.append(
        f"| **mean** | **{statistics.mean(accuracies):.2f} ± {spread:.2f} %** (standard deviation "
        f"over seeds) | | {times:.1f} | |"
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--only", nargs="*", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="into docs/results.md")
    options = parser.parse_args()
    page = ROOT / "docs" / "results.md"
    for table in options.only:
        text = table_text(table, options.data.resolve(), options.jobs)
        print(text)
        if options.write:
            old = page.read_text()
            begin = old.index(BEGIN.format(table)) + len(BEGIN.format(table))
            end = old.index(END, begin)
            page.write_text(old[:begin] + "\n" + text + old[end:])


if __name__ == "__main__":
    main()
