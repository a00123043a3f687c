# SPDX-License-Identifier: Apache-2.0
"""Augmentations that event data need. Each returns new data, which share no array with the old, and
the same seed gives the same."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .._arrays import generator, whole
from ._labelled import LabelledSpikes


def jitter_times(data: LabelledSpikes, std: float, *, seed: int) -> LabelledSpikes:
    """Move each spike by a normal random time; those that would be negative go to 0.

    Those that come to lie behind the end of their sample are not seen.

    Parameters
    ----------
    data : LabelledSpikes
    std : float
        Standard deviation, in seconds.
    seed : int

    Returns
    -------
    LabelledSpikes

    Raises
    ------
    ValueError
        `std` is negative or not finite.
    """
    _not_negative(std, "std")
    moved = data.times + generator(seed).normal(0.0, std, len(data.times))
    return _sorted(data, np.maximum(moved, 0.0), data.neurons)


def shift_units(data: LabelledSpikes, largest: int, *, seed: int) -> LabelledSpikes:
    """Shift all spikes of a sample by the same random number of channels, between -n and n.

    Spikes that leave the channels are dropped. For spoken words: a change of pitch.

    Parameters
    ----------
    data : LabelledSpikes
    largest : int
        n.
    seed : int

    Returns
    -------
    LabelledSpikes

    Raises
    ------
    ValueError
        `largest` is negative.
    TypeError
        `largest` is no integer.
    """
    largest = whole(largest, "largest")
    shifts = generator(seed).integers(-largest, largest + 1, len(data))
    moved = data.neurons + np.repeat(shifts, np.diff(data.offsets))
    inside = (moved >= 0) & (moved < data.channels)
    return _kept(data, inside, moved.astype(np.int32))


def drop_spikes(data: LabelledSpikes, probability: float, *, seed: int) -> LabelledSpikes:
    """Leave each spike out with a probability.

    Parameters
    ----------
    data : LabelledSpikes
    probability : float
        In [0, 1].
    seed : int

    Returns
    -------
    LabelledSpikes

    Raises
    ------
    ValueError
        A probability outside of [0, 1].
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"probability is {probability}; expected 0 to 1")
    keep = generator(seed).random(len(data.times)) >= probability
    return _kept(data, keep, data.neurons)


def merge_samples(data: LabelledSpikes, count: int, *, seed: int) -> LabelledSpikes:
    """Add `count` samples, each blended of two samples of one class.

    Of both, each spike is kept with probability 1/2, after both were moved so that their mean times
    lie in the middle of the two ("blend" of [1]_). The two are never the same sample; one without
    spikes, which has no mean time, is blended with none.

    Parameters
    ----------
    data : LabelledSpikes
    count : int
        How many samples to add.
    seed : int

    Returns
    -------
    LabelledSpikes
        The given samples, then the new ones, each with the `extra` and the end of the first of its
        two.

    Raises
    ------
    ValueError
        `count` is negative, or no class has two samples with spikes.
    TypeError
        `count` is no integer.

    References
    ----------
    .. [1] T. Nowotny, J. P. Turner and J. C. Knight, "Loss shaping enhances exact gradient learning
       with EventProp in spiking neural networks", Neuromorphic Computing and Engineering 5, 014001
       (2025).
    """
    count = whole(count, "count")
    labels, of_label = np.unique(data.labels, return_inverse=True)
    spikes = np.diff(data.offsets) > 0
    partners = np.bincount(of_label[spikes], minlength=len(labels))[of_label]
    paired = np.flatnonzero(spikes & (partners > 1))
    if len(paired) == 0 and count > 0:
        raise ValueError(
            "data holds no two samples of one class with spikes; expected some to blend"
        )
    rng = generator(seed)
    times, neurons = [data.times], [data.neurons]
    rows: list[int] = []
    counts = [np.diff(data.offsets)]
    for first in paired[rng.integers(0, len(paired), count)] if count else ():
        others = paired[data.labels[paired] == data.labels[first]]
        second = rng.choice(others[others != first])
        t, n = _blend(data, int(first), int(second), rng)
        times.append(t)
        neurons.append(n)
        rows.append(int(first))
        counts.append(np.array([len(t)]))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    return data._with(
        np.concatenate(times),
        np.concatenate(neurons),
        offsets,
        np.array([*range(len(data)), *rows]),
    )


def _blend(
    data: LabelledSpikes, first: int, second: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    parts = [data[first][:2], data[second][:2]]
    means = [float(np.mean(t)) for t, _ in parts]
    middle = sum(means) / 2
    kept_times, kept_neurons = [], []
    for (t, n), mean in zip(parts, means, strict=True):
        keep = rng.random(len(t)) < 0.5
        kept_times.append(np.maximum(t[keep] + (middle - mean), 0.0))
        kept_neurons.append(n[keep])
    t, n = np.concatenate(kept_times), np.concatenate(kept_neurons)
    order = np.argsort(t, kind="stable")
    return t[order], n[order]


def _kept(
    data: LabelledSpikes, keep: NDArray[np.bool_], neurons: NDArray[np.int32]
) -> LabelledSpikes:
    offsets = np.concatenate([[0], np.cumsum(keep)])[data.offsets].astype(np.int64)
    return data._with(data.times[keep], neurons[keep], offsets, np.arange(len(data)))


def _sorted(
    data: LabelledSpikes, times: NDArray[np.float64], neurons: NDArray[np.int32]
) -> LabelledSpikes:
    sample = np.repeat(np.arange(len(data)), np.diff(data.offsets))
    order = np.lexsort((times, sample))
    return data._with(times[order], neurons[order], data.offsets.copy(), np.arange(len(data)))


def _not_negative(value: float, argument: str) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{argument} is {value}; expected a finite number of at least 0")
