#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kill trainings at random instants, go on, and compare with one that nothing stopped.

kills.py [--kills 200] [--seed 0]: SIGKILL reaches `saltus train`, with a checkpoint after each
minibatch, somewhere in its life; it is resumed, killed again, ..., until it ends. Then model,
metrics and checkpoints must be those of the training that ran through, to the bit, and nothing may
lie aside. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.numpy import load_file

REPOSITORY = Path(__file__).resolve().parents[1]
COMMAND = Path(os.environ.get("SALTUS", REPOSITORY / "build" / "saltus")).resolve()
TRAIN = [COMMAND, "train"]
OPTIONS = ["--quiet", "--checkpoint-minutes", "1e-9"]
BEGIN = ["yinyang", "--train-samples", "640", "--hidden", "30", "--epochs", "6", "--schedule",
         "cosine", "--input-dropout", "0.1"]  # fmt: skip


def content(folder: Path) -> dict[str, object]:
    """Return all that a training left, without what a clock said."""
    measured = ("us_per_sample", "peak_memory_bytes")
    found: dict[str, object] = {"model": (folder / "model.safetensors").read_bytes()}
    for name in ("checkpoint.safetensors", "best.safetensors"):
        for tensor, values in load_file(folder / name).items():
            found[f"{name} {tensor}"] = values.tobytes()
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        epoch = json.loads(line)
        found[f"epoch {epoch['epoch']}"] = {
            k: v for k, v in epoch.items() if not k.endswith("seconds") and k not in measured
        }
    return found


def killed(line: list[str], after: float) -> bool:
    """Run a command and kill it; False: it had ended before."""
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, said = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return process.returncode < 0
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(line)}: {said.decode()}")
    return False


def main() -> int:
    """Count the kills that a training survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    r = random.Random(given.seed)
    kills = survived = trainings = within = unborn = 0
    with tempfile.TemporaryDirectory() as place:
        through = Path(place) / "through"
        start = time.monotonic()
        line = [*TRAIN, *BEGIN, *OPTIONS, "--out", through]
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
        lasts = time.monotonic() - start
        expected = content(through)
        while kills < given.kills:
            out = Path(place) / str(trainings)
            of_this, trouble = 0, ""
            while True:
                begun = (out / "checkpoint.safetensors").exists()
                what = ["--resume", out] if begun else [*BEGIN, "--out", out]
                line = [str(word) for word in (*TRAIN, *what, *OPTIONS)]
                after = r.uniform(0, lasts) if kills + of_this < given.kills else 3600
                try:
                    if not killed(line, after):
                        break
                except RuntimeError as error:
                    trouble = str(error)
                    break
                of_this += 1
                unborn += not (out / "checkpoint.safetensors").exists()
                within += any(out.glob("*.tmp"))
            aside = [file.name for file in out.glob("*.tmp")]
            if not trouble and content(out) != expected:
                was = content(out)
                trouble = f"another result: {[k for k in expected if was.get(k) != expected[k]]}"
            elif not trouble and aside:
                trouble = f"left aside: {aside}"
            kills += of_this
            trainings += 1
            if trouble:
                print(f"training {trainings}, {of_this} kills: {trouble}", file=sys.stderr)
            else:
                survived += of_this
    print(
        f"{survived} of {kills} kills survived, to the bit: {trainings} trainings; {unborn} before "
        f"the first checkpoint, {within} while a file was being written"
    )
    return survived != kills


if __name__ == "__main__":
    sys.exit(main())
