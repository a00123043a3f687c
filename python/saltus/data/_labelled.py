# SPDX-License-Identifier: Apache-2.0
"""Samples as spikes, each with its class."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._arrays import expect_shape, integers, numbers, whole
from .._html import html_table
from .._spikes import Origin, SpikeArrays, in_seconds, spike_arrays


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
        The channel of each spike. A network with several inputs takes the channels one input after
        the other (`stack_channels`).
    offsets : ndarray of int64, shape (samples + 1,)
    labels : ndarray of int64, shape (samples,)
        Classes, counted from 0.
    channels : int
    classes : int
    grid : (channels, height, width) or None
        Where the channels lie, if they do: channel ``(c * height + y) * width + x``. What
        `saltus.Input` takes.
    extra : dict of str to ndarray, each of shape (samples, ...)
        What is known of each sample besides: ``extra["speaker"]``. Kept by slices, splits and
        augmentations.
    tables : dict of str to ndarray
        What is known besides of all: names of speakers. Kept as it is.
    t_end : ndarray of float64, shape (samples,), or None
        When each sample ends, in seconds: for `saltus.fit`, `saltus.evaluate` and
        `saltus.simulate` if they are given no other.
    """

    times: NDArray[np.float64]
    neurons: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]
    channels: int
    classes: int
    grid: tuple[int, int, int] | None = None
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    tables: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    t_end: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        times, neurons, offsets = spike_arrays(self.spikes, "spikes")
        _check_offsets(offsets, len(times))
        integers(self.labels, "labels", np.int32)  # the core's: what does not fit is refused
        labels = integers(self.labels, "labels", np.int64)
        samples = (len(offsets) - 1,)
        expect_shape(labels, "labels", samples, axes="[samples], as the spikes")
        extra = {name: np.asarray(column) for name, column in self.extra.items()}
        for name, column in extra.items():
            if column.shape[:1] != samples:
                raise ValueError(
                    f"extra[{name!r}] has shape {column.shape}; expected {samples[0]} rows, one "
                    "for each sample"
                )
        tables = {name: np.asarray(table) for name, table in self.tables.items()}
        ends = None
        if self.t_end is not None:
            ends = numbers(self.t_end, "t_end")
            expect_shape(ends, "t_end", samples, axes="[samples]")
        # The dataclass is frozen.
        vars(self).update(times=times, neurons=neurons, offsets=offsets, labels=labels)
        vars(self).update(extra=extra, tables=tables, t_end=ends)

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
        if (number := _number(samples)) is not None:
            if not -len(self) <= number < len(self):
                raise IndexError(f"sample {number} of {len(self)}")
            s = number % len(self)
            part = slice(self.offsets[s], self.offsets[s + 1])
            return self.times[part], self.neurons[part], int(self.labels[s])
        if not isinstance(samples, slice):
            samples = _several(samples)
        chosen = np.arange(len(self))[samples]
        counts = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
        entries = within + np.repeat(self.offsets[:-1][chosen], counts)
        return self._with(self.times[entries], self.neurons[entries], offsets, chosen)

    def __iter__(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int32], int]]:
        return (self[s] for s in range(len(self)))

    def __repr__(self) -> str:
        return (
            f"<saltus.data.LabelledSpikes: {len(self)} samples, {self.channels} channels, "
            f"{self.classes} classes, {len(self.times)} spikes>"
        )

    def _repr_html_(self) -> str:
        rows: list[tuple[str, str | int | float]] = [
            ("samples", len(self)),
            ("channels", self.channels),
            ("classes", self.classes),
            ("spikes a sample", len(self.times) / max(1, len(self))),
        ]
        if self.grid is not None:
            rows.append(("grid", " x ".join(map(str, self.grid))))
        if len(self.times):
            rows.append(("spikes from, to", f"{self.times.min():.4g} s, {self.times.max():.4g} s"))
        if self.extra:
            rows.append(("extra", ", ".join(self.extra)))
        return html_table("LabelledSpikes", ("", ""), rows)

    def _with(
        self,
        times: NDArray[np.float64],
        neurons: NDArray[np.int32],
        offsets: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> LabelledSpikes:
        """Return other spikes, of samples of which all else is that of `rows`: copies."""
        return replace(
            self,
            times=times,
            neurons=neurons,
            offsets=offsets,
            labels=self.labels[rows],
            extra={name: column[rows] for name, column in self.extra.items()},
            t_end=None if self.t_end is None else self.t_end[rows],
        )

    def _core_data(self, *, own_ends: bool = False) -> _core.Data:
        """Return a copy for the core, checked. Not kept: the arrays may change."""
        labels = integers(self.labels, "labels", np.int32)
        ends = self.t_end if own_ends else None
        return _core.Data.of(*self.spikes, labels, self.channels, self.classes, ends)


def _check_offsets(offsets: NDArray[np.int64], spikes: int) -> None:
    """Refuse offsets that leave out a spike or count one twice, as a slice would in silence."""
    if (
        len(offsets) == 0
        or offsets[0] != 0
        or offsets[-1] != spikes
        or np.any(np.diff(offsets) < 0)
    ):
        raise ValueError(
            f"spikes.offsets go from {offsets[0] if len(offsets) else 'nowhere'} to "
            f"{offsets[-1] if len(offsets) else 'nowhere'}; expected 0 to {spikes}, the number of "
            "spikes, and none below the one before"
        )


def _number(samples: Any) -> int | None:
    """Return the number of one sample, of whatever type; None: it is something else."""
    if isinstance(samples, bool | np.bool_):
        raise TypeError(f"expected the number of a sample, or several; got {samples}")
    if getattr(samples, "ndim", 0):  # an array or tensor of one entry is a choice of samples
        return None
    try:
        return operator.index(samples)
    except TypeError:
        return None


def _several(samples: Any) -> NDArray[Any]:
    """Return a choice of samples as an array of whole numbers or bool."""
    found = np.asarray(samples)
    if found.ndim == 1 and found.size == 0:
        return np.empty(0, np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iub":
        raise TypeError(
            f"samples is {samples!r}; expected a number, a slice, or one dimension of numbers or "
            "bool"
        )
    return found


def labelled_spikes(
    spikes: SpikeArrays,
    labels: ArrayLike,
    channels: int,
    classes: int | None = None,
    *,
    unit: float = 1.0,
    origin: Origin = 0.0,
    t_end: ArrayLike | None = None,
    extra: Mapping[str, ArrayLike] | None = None,
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
    unit : float
        How many seconds a unit of the times lasts: 1e-3 for milliseconds.
    origin : float or "first"
        What becomes time 0: a time in seconds, or the first spike of each sample.
    t_end : array_like, shape (samples,), optional
        When each sample ends, in seconds from the origin on.
    extra : dict of str to array_like, each of shape (samples, ...), optional
        What is known of each sample besides.

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
    found = integers(labels, "labels", np.int32).astype(np.int64)
    channels = whole(channels, "channels")
    most = int(found.max()) + 1 if found.size else 0
    count = most if classes is None else whole(classes, "classes")
    if found.size and (int(found.min()) < 0 or most > count):
        wrong = int(found.min()) if int(found.min()) < 0 else most - 1
        raise ValueError(f"labels: {wrong} is no class; expected 0 to {count - 1}")
    result = LabelledSpikes(
        times,
        neurons,
        offsets,
        found,
        channels,
        count,
        extra={name: np.asarray(column) for name, column in (extra or {}).items()},
        t_end=None if t_end is None else numbers(t_end, "t_end"),
    )
    return checked(result, unit, origin)


def checked(data: LabelledSpikes, unit: float, origin: Origin) -> LabelledSpikes:
    """Return data with times in seconds from the origin on; refuse spikes without a meaning."""
    times = in_seconds(data.times, data.offsets, unit, origin, "spikes")
    result = data if times is data.times else replace(data, times=times)
    result._core_data()
    return result
