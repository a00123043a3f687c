# SPDX-License-Identifier: Apache-2.0
"""Samples as spikes, each with its class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._arrays import expect_shape, integers, whole
from .._spikes import SpikeArrays, spike_arrays


@dataclass(frozen=True, eq=False)
class LabelledSpikes:
    """Samples as spikes, each with its class.

    Sample ``s`` holds the entries ``offsets[s]`` to ``offsets[s + 1] - 1``, ascending in time.
    ``data[s]`` is one sample, ``data[array or slice]`` a smaller data set (a copy).

    Arrays of the types below are used in place, others are converted. What is written to them
    counts: `saltus.fit` reads them in each epoch.

    Attributes
    ----------
    times : ndarray of float64, shape (spikes,)
        Seconds.
    neurons : ndarray of int32, shape (spikes,)
        The channel of each spike.
    offsets : ndarray of int64, shape (samples + 1,)
    labels : ndarray of int32, shape (samples,)
        Classes, counted from 0.
    channels : int
    classes : int
    """

    times: NDArray[np.float64]
    neurons: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int32]
    channels: int
    classes: int

    def __post_init__(self) -> None:
        times, neurons, offsets = spike_arrays(self.spikes, "spikes")
        labels = integers(self.labels, "labels", np.int32)
        expect_shape(labels, "labels", (len(offsets) - 1,), axes="[samples], as the spikes")
        # The dataclass is frozen.
        vars(self).update(times=times, neurons=neurons, offsets=offsets, labels=labels)

    @property
    def spikes(self) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]:
        """(times, neurons, offsets), as `saltus.simulate` takes them."""
        return self.times, self.neurons, self.offsets

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(
        self, samples: int | np.integer[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], int]: ...
    @overload
    def __getitem__(self, samples: slice | NDArray[Any] | list[int]) -> LabelledSpikes: ...
    def __getitem__(self, samples: Any) -> Any:
        if isinstance(samples, (int, np.integer)):
            if not -len(self) <= samples < len(self):
                raise IndexError(f"sample {samples} of {len(self)}")
            s = int(samples) % len(self)
            part = slice(self.offsets[s], self.offsets[s + 1])
            return self.times[part], self.neurons[part], int(self.labels[s])
        if not isinstance(samples, slice) and len(samples) == 0:
            samples = np.empty(0, np.int64)
        chosen = np.arange(len(self))[samples]
        counts = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
        entries = within + np.repeat(self.offsets[:-1][chosen], counts)
        return LabelledSpikes(
            self.times[entries],
            self.neurons[entries],
            offsets,
            self.labels[chosen],
            self.channels,
            self.classes,
        )

    def __iter__(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int32], int]]:
        return (self[s] for s in range(len(self)))

    def __repr__(self) -> str:
        return (
            f"<saltus.data.LabelledSpikes: {len(self)} samples, {self.channels} channels, "
            f"{self.classes} classes, {len(self.times)} spikes>"
        )

    def _core_data(self) -> _core.Data:
        """Return a copy for the core, checked. Not kept: the arrays may change."""
        return _core.Data.of(*self.spikes, self.labels, self.channels, self.classes)


def labelled_spikes(
    spikes: SpikeArrays, labels: ArrayLike, channels: int, classes: int | None = None
) -> LabelledSpikes:
    """Make a data set from spikes and classes, checked.

    Parameters
    ----------
    spikes : (times, neurons, offsets), or a list of samples
        What `saltus.simulate` takes for an input.
    labels : array_like of int, shape (samples,)
        Classes, counted from 0.
    channels : int
        Input neurons.
    classes : int, optional
        The largest label + 1 unless given.

    Returns
    -------
    LabelledSpikes

    Raises
    ------
    ValueError
        Spikes that are unsorted, negative or not finite, neurons outside of [0, channels), another
        number of labels than of samples, a label outside of [0, classes).
    TypeError
        An argument of a wrong type, named in the message.
    """
    times, neurons, offsets = spike_arrays(spikes, "spikes")
    found = integers(labels, "labels", np.int32)
    channels = whole(channels, "channels")
    most = int(found.max()) + 1 if found.size else 0
    count = most if classes is None else whole(classes, "classes")
    if found.size and (int(found.min()) < 0 or most > count):
        wrong = int(found.min()) if int(found.min()) < 0 else most - 1
        raise ValueError(f"labels: {wrong} is no class; expected 0 to {count - 1}")
    result = LabelledSpikes(times, neurons, offsets, found, channels, count)
    result._core_data()  # checks the spikes
    return result
