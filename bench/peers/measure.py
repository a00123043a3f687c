# SPDX-License-Identifier: Apache-2.0
"""What every peer's script shares: its options, the clock, and the JSON line it ends with."""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tasks

SCAN_SECONDS = 3.0  # for each batch size


class Trainer(Protocol):
    """A network under training, compiled for one batch size."""

    def step(self, samples: np.ndarray, epoch: int) -> None:
        """Trains on one minibatch and waits until it is done."""

    def accuracy(self) -> float:
        """On the test data."""

    def notes(self) -> dict[str, Any]:
        """What else the JSON line shall hold, after training."""


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Options that all peers have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=Path("data"), help="holds the folder mnist")
    parser.add_argument("--task", choices=["yinyang", "mnist", "recurrent"], default="yinyang")
    parser.add_argument(
        "--batch", type=int, nargs="+", default=[32], help="several: the fastest of them trains"
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=0, help="train on the first (0: on all)")
    parser.add_argument("--seconds", type=float, default=150, help="no epoch begins after so many")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def scan(make: Callable[[int], Trainer], batches: list[int], samples: int) -> dict[int, float]:
    """us a training sample for each batch size, warm: the mean of a few steps."""
    found = {}
    for batch in batches:
        trainer = make(batch)
        order = np.arange(samples)
        steps = 0
        for _ in range(2):
            trainer.step(order[:batch], 0)
        start = time.perf_counter()
        while time.perf_counter() - start < SCAN_SECONDS:
            trainer.step(np.roll(order, -batch * (steps + 1))[:batch], 0)
            steps += 1
        found[batch] = 1e6 * (time.perf_counter() - start) / (steps * batch)
    return found


def run(
    options: argparse.Namespace, task: tasks.Task, make: Callable[[int], Trainer], **about: Any
) -> None:
    """Trains, and prints one JSON line. The first epoch warms up and is not in the times."""
    batches = [b for b in options.batch if b <= len(task.train)]
    speeds = scan(make, batches, len(task.train)) if len(batches) > 1 else {}
    batch = min(speeds, key=lambda b: speeds[b]) if speeds else batches[0]

    random = np.random.default_rng(options.seed)
    trainer = make(batch)
    begin = time.perf_counter()
    trainer.step(np.arange(batch), 0)
    first_step = time.perf_counter() - begin
    wall, cpu = [], []
    for epoch in range(options.epochs):
        order = random.permutation(len(task.train))
        order = order[: len(order) // batch * batch].reshape(-1, batch)
        start, cpu_start = time.perf_counter(), time.process_time()
        for samples in order:
            trainer.step(samples, epoch)
        wall.append(1e6 * (time.perf_counter() - start) / order.size)
        cpu.append(1e6 * (time.process_time() - cpu_start) / order.size)
        if time.perf_counter() - begin > options.seconds:
            break
    warm = wall[1:] or wall
    result = {
        **about,
        "task": task.name,
        "batch": batch,
        "scan_us_per_sample": {str(b): round(us, 1) for b, us in speeds.items()},
        "epochs": len(wall),
        "training_samples": len(task.train),
        "us_per_sample": statistics.median(warm),
        "us_per_sample_min": min(warm),
        "us_per_sample_epochs": [round(us, 1) for us in wall],
        "cpu_us_per_sample": statistics.median(cpu[1:] or cpu),
        "first_step_s": round(first_step, 2),
        "test_accuracy": trainer.accuracy() if task.test else None,
        # KiB on Linux; of this process, without a compiler that it starts.
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        **trainer.notes(),
    }
    print(json.dumps(result))
