# SPDX-License-Identifier: Apache-2.0
"""What the way through Python costs: the same training by the command line and from Python.

Run: python bench/python_border.py --saltus build/saltus [--data MNIST_FOLDER] [--rounds 5]

Both sides of a round run one after the other in this process or a child of it, one thread each; the
smallest time of the rounds counts, since other work on the machine only ever adds.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import saltus


def command_line(program, task, epochs, *options):
    """Train; returns the seconds of each epoch and the network before training."""
    with tempfile.TemporaryDirectory() as folder:
        base = [program, "train", task, "--quiet", "--out", folder, *options]
        subprocess.run([*base, "--epochs", "0"], check=True, capture_output=True)
        network = saltus.load(Path(folder) / "model.h5")
        subprocess.run([*base, "--epochs", str(epochs)], check=True, capture_output=True)
        lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["seconds"] for line in lines], network


def yin_yang(program):
    """Return seconds an epoch, by the command line and by saltus.fit: the mean of ten."""
    seconds, network = command_line(program, "yinyang", 10)
    data = saltus.data.yin_yang()
    start = time.perf_counter()
    saltus.fit(network, data, saltus.FirstSpike(), np.inf, epochs=10, threads=1, progress=False)
    return sum(seconds) / 10, (time.perf_counter() - start) / 10


def mnist(program, folder, samples=5120, batch=256):
    """Return seconds an epoch, by the command line and by saltus.torch with torch's Adam."""
    import saltus.torch  # noqa: PLC0415 (only this part needs it)
    import torch  # noqa: PLC0415

    options = ["--data", folder, "--batch", str(batch), "--input-dropout", "0"]
    options += ["--validation", "1", "--train-samples", str(samples)]
    (seconds,), network = command_line(program, "mnist", 1, *options)
    data = saltus.data.mnist(folder)[1 : samples + 1]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module = saltus.torch.EventProp(network, np.inf, "out.maxima")
    optimizer = torch.optim.Adam(module.parameters(), lr=5e-3)
    labels = torch.from_numpy(data.labels.astype(np.int64))
    start = time.perf_counter()
    for chosen in torch.randperm(samples).split(batch):
        optimizer.zero_grad()
        outputs = module(data[chosen.numpy()].spikes)
        torch.nn.functional.cross_entropy(outputs, labels[chosen]).backward()
        optimizer.step()
    return seconds, time.perf_counter() - start


def main():
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--saltus", default="build/saltus", help="the command")
    parser.add_argument("--data", help="folder of MNIST's IDX files; without it only Yin-Yang")
    parser.add_argument("--rounds", type=int, default=5)
    a = parser.parse_args()
    print(f"{'':28} command line    Python   ratio")
    jobs = {"Yin-Yang, saltus.fit": lambda: yin_yang(a.saltus)}
    if a.data:
        jobs["MNIST, 256, saltus.torch"] = lambda: mnist(a.saltus, a.data)
    for name, job in jobs.items():
        rounds = [job() for _ in range(a.rounds)]
        there, here = (min(column) for column in zip(*rounds, strict=True))
        print(f"{name:28} {there:10.3f} s {here:8.3f} s  {here / there:6.3f}")


if __name__ == "__main__":
    main()
