# SPDX-License-Identifier: Apache-2.0
"""The three tasks that every peer trains on, as spikes: the same bits as Saltus' own.

Yin-Yang and MNIST equal what `saltus train` reads or makes; the recurrent task has the shape of
`saltus bench recurrent` (as many spikes, uniform in time), from another random generator.
Times are in seconds.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TAU_MEM = 20e-3
TAU_SYN = 5e-3
LEARNING_RATE = 5e-3
DECAY = 0.95  # of the learning rate, an epoch
TAU_0, TAU_1, ALPHA = 0.5e-3, 6.4e-3, 0.003  # loss over first spikes
VALIDATION = 5000  # first MNIST training images, which Saltus holds out


@dataclass
class Spikes:
    """Samples as spikes: those of sample s are offsets[s] to offsets[s + 1]."""

    times: np.ndarray
    channels: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> Spikes:
        """The first `count` samples."""
        end = self.offsets[count]
        return Spikes(
            self.times[:end], self.channels[:end], self.offsets[: count + 1], self.labels[:count]
        )


@dataclass
class Task:
    """A network's sizes, its first weights (mean, standard deviation) and its data."""

    name: str
    inputs: int
    hidden: int
    outputs: int
    t_end: float  # end of every sample where a peer needs one
    hidden_weights: tuple[float, float]
    output_weights: tuple[float, float]
    train: Spikes
    test: Spikes | None
    recurrent_std: float = 0.0  # above 0: hidden neurons excite each other, 1 ms later
    hidden_spikes: float = 0.0  # above 0: scale the first weights until a sample has so many
    first_spike: bool = False  # the output that spikes first wins; else the highest voltage


def yin_yang_points(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points [count, 4] and labels of Kriener, Göltz, Petrovici 2022, as published."""
    random = np.random.RandomState(seed)
    r_big, r_small = 0.5, 0.1

    def label(x: float, y: float) -> int:
        right = float(np.sqrt((x - 1.5 * r_big) ** 2 + (y - r_big) ** 2))
        left = float(np.sqrt((x - 0.5 * r_big) ** 2 + (y - r_big) ** 2))
        if right < r_small or left < r_small:
            return 2
        yang = right <= r_small or r_small < left <= 0.5 * r_big
        return int(yang or (y > r_big and right > 0.5 * r_big))

    points, labels = [], []
    for _ in range(count):
        goal = random.randint(3)
        while True:
            x, y = random.rand(2) * 2.0 * r_big
            if np.sqrt((x - r_big) ** 2 + (y - r_big) ** 2) <= r_big and label(x, y) == goal:
                break
        points.append((x, y, 1.0 - x, 1.0 - y))
        labels.append(goal)
    return np.array(points), np.array(labels)


def yin_yang() -> Task:
    """5-200-3: each coordinate is one spike within 30 ms, a fifth channel spikes at 0."""

    def encode(count: int, seed: int) -> Spikes:
        points, labels = yin_yang_points(count, seed)
        times = np.concatenate([points * 30e-3, np.zeros((count, 1))], axis=1)
        channels = np.tile(np.arange(5), count)
        return Spikes(times.ravel(), channels, 5 * np.arange(count + 1), labels)

    # 40 ms: when Saltus' loss too gives up waiting for an output's first spike.
    task = Task(
        "yinyang", 5, 200, 3, 40e-3, (1.5, 0.78), (0.93, 0.1), encode(5000, 42), encode(1000, 40)
    )
    task.first_spike = True
    return task


def read_idx(folder: Path, name: str, header: int) -> np.ndarray:
    """The bytes of an IDX file after its header, gzipped or not."""
    plain = folder / name
    data = (
        plain.read_bytes()
        if plain.exists()
        else gzip.decompress((folder / f"{name}.gz").read_bytes())
    )
    return np.frombuffer(data, np.uint8, offset=header)


def mnist(folder: Path) -> Task:
    """784-350-10: a pixel p > 1 is one spike at (1 - p / 255) 20 ms."""

    def encode(prefix: str, skip: int) -> Spikes:
        pixels = read_idx(folder, f"{prefix}-images-idx3-ubyte", 16).reshape(-1, 784)[skip:]
        labels = read_idx(folder, f"{prefix}-labels-idx1-ubyte", 8)[skip:].astype(np.int64)
        samples, channels = np.nonzero(pixels > 1)
        times = (1 - pixels[samples, channels] / 255.0) * 20e-3
        offsets = np.searchsorted(samples, np.arange(len(labels) + 1))
        return Spikes(times, channels, offsets, labels)

    train, test = encode("train", VALIDATION), encode("t10k", 0)
    return Task("mnist", 784, 350, 10, 40e-3, (0.078, 0.045), (0.2, 0.37), train, test)


def recurrent(samples: int = 128) -> Task:
    """700-256-20: 8,000 input spikes at random over 1 s, about 4,000 hidden ones."""
    random = np.random.default_rng(1)
    count, duration = 8000, 1.0
    times = np.sort(random.uniform(0, duration, (samples, count)), axis=1).ravel()
    channels = random.integers(0, 700, samples * count)
    train = Spikes(times, channels, count * np.arange(samples + 1), np.arange(samples) % 20)
    return Task(
        "recurrent", 700, 256, 20, duration, (0.02, 0.05), (0.0, 0.3), train, None, 0.02, 4000.0
    )


def load(name: str, data: Path, samples: int = 0) -> Task:
    """A task by name, its training data cut to the first `samples` (0: all)."""
    if name == "mnist":
        task = mnist(data / "mnist")
    else:
        task = {"yinyang": yin_yang, "recurrent": recurrent}[name]()
    if 0 < samples < len(task.train):
        task.train = task.train.first(samples)
    return task
