# SPDX-License-Identifier: Apache-2.0
"""Spikes as they come from a user: flat arrays, a list of samples, or Tonic's events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._arrays import expect_dimensions, expect_shape, integers, number, numbers, whole


@dataclass(frozen=True, eq=False)
class Spikes:
    """The spikes of one population in every sample of a batch.

    Sample ``s`` holds the entries ``offsets[s]`` to ``offsets[s + 1] - 1``, ascending in time.

    Attributes
    ----------
    times : ndarray of float64, shape (spikes,)
        Seconds.
    neurons : ndarray of int32, shape (spikes,)
        Numbers within the population.
    currents : ndarray, shape (spikes,)
        The synaptic current I just before the spike.
    offsets : ndarray of int64, shape (samples + 1,)
    """

    times: NDArray[np.float64]
    neurons: NDArray[np.int32]
    currents: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        return f"<saltus.Spikes: {len(self)} spikes in {len(self.offsets) - 1} samples>"

    def first(self, size: int, missing: float = np.inf) -> NDArray[np.float64]:
        """Return the first spike of each neuron.

        Parameters
        ----------
        size : int
            The number of neurons of the population.
        missing : float
            What stands for a neuron without a spike, in seconds.

        Returns
        -------
        ndarray of float64, shape (samples, size)
            Seconds.

        Raises
        ------
        ValueError
            A `size` that leaves out a neuron that spikes.
        """
        size = holds_neurons(self.neurons, size)
        first = np.full((len(self.offsets) - 1, size), np.inf)
        sample = np.repeat(np.arange(len(first)), np.diff(self.offsets))
        np.minimum.at(first, (sample, self.neurons), self.times)
        first[np.isinf(first)] = missing
        return first

    def counts(self, size: int) -> NDArray[np.int64]:
        """Return how often each neuron spikes: shape (samples, `size`).

        Raises
        ------
        ValueError
            A `size` that leaves out a neuron that spikes.
        """
        size = holds_neurons(self.neurons, size)
        samples = len(self.offsets) - 1
        sample = np.repeat(np.arange(samples), np.diff(self.offsets))
        flat = np.bincount(sample * size + self.neurons, minlength=samples * size)
        return flat.reshape(samples, size)


def holds_neurons(neurons: Any, size: int) -> int:
    """Return a size that holds all neurons, of an array or a tensor; refuse another."""
    size = whole(size, "size")
    for neuron in neurons[(neurons < 0) | (neurons >= size)][:1]:
        raise ValueError(
            f"size is {size}, but neuron {int(neuron)} spikes; expected the size of the population"
        )
    return size


Sample: TypeAlias = tuple[ArrayLike, ArrayLike] | NDArray[np.void]
"""(times, neurons) in seconds, or a Tonic event array with fields t (microseconds) and x."""


class _Labelled(Protocol):
    @property
    def spikes(self) -> tuple[Any, Any, Any]: ...


SpikeArrays: TypeAlias = (
    tuple[ArrayLike, ArrayLike, ArrayLike] | Spikes | list[Sample] | Sample | _Labelled
)
"""(times, neurons, offsets), what `Record.spikes` returns, a list of samples, or a data set."""

Arrays: TypeAlias = tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]


def spike_arrays(given: object, argument: str) -> Arrays:
    """Return (times, neurons, offsets) of the types that the core wants."""
    if isinstance(given, Spikes):
        given = (given.times, given.neurons, given.offsets)
    given = spikes_of(given)
    if _is_events(given):
        given = [given]
    if isinstance(given, list) and given and all(map(_is_sample, given)):
        return join_samples([_sample(s, f"{argument}[{k}]") for k, s in enumerate(given)])
    if not isinstance(given, (tuple, list)) or len(given) != 3:
        got = type(given).__name__
        if isinstance(given, (tuple, list)):
            got += f" of {len(given)}"
        raise TypeError(
            f"{argument}: expected a tuple (times, neurons, offsets), or a list of samples, each a "
            f"tuple (times, neurons) or a Tonic event array; got {got}"
        )
    times = numbers(given[0], f"{argument} times")
    neurons = integers(given[1], f"{argument} neurons", np.int32)
    offsets = integers(given[2], f"{argument} offsets", np.int64)
    expect_dimensions(times, f"{argument} times", "[spikes]")
    expect_shape(neurons, f"{argument} neurons", times.shape, axes="[spikes], as the times")
    expect_dimensions(offsets, f"{argument} offsets", "[samples + 1]")
    return times, neurons, offsets


def spikes_of(given: Any) -> Any:
    """Return (times, neurons, offsets) of a `saltus.data.LabelledSpikes`, else what was given."""
    found = getattr(given, "spikes", None)
    return found if isinstance(found, tuple) else given


def check_spikes(arrays: Arrays, size: int, argument: str) -> None:
    """Refuse spikes without a meaning, of a neuron outside of [0, size) too, as the core does."""
    labels = np.zeros(max(0, len(arrays[2]) - 1), np.int32)
    try:
        _core.Data.of(*arrays, labels, size, 1, None)
    except ValueError as error:
        raise ValueError(str(error).replace("spikes", argument, 1)) from None


def by_input(arrays: Arrays, sizes: Sequence[int]) -> list[Arrays]:
    """Return the spikes of each input, which take the channels one after the other."""
    if len(sizes) == 1:
        return [arrays]
    check_spikes(arrays, sum(sizes), "inputs")  # a channel of none would be left out in silence
    times, neurons, offsets = arrays
    result, first = [], 0
    for size in sizes:
        own = (neurons >= first) & (neurons < first + size)
        counted = np.concatenate([[0], np.cumsum(own)])[offsets].astype(np.int64)
        result.append((times[own], (neurons[own] - first).astype(np.int32), counted))
        first += size
    return result


Origin: TypeAlias = float | Literal["first"]
"""What is time 0: a time in seconds, or the first spike of each sample."""


def in_seconds(
    times: NDArray[np.float64],
    offsets: NDArray[np.int64],
    unit: float,
    origin: Origin,
    argument: str,
) -> NDArray[np.float64]:
    """Return times in seconds from the origin on: the very same if they are already."""
    unit = number(unit, "unit")
    if not (np.isfinite(unit) and unit > 0):
        raise ValueError(f"unit is {unit}; expected a number above 0: how many seconds it lasts")
    if unit != 1:
        times = times * unit
    if origin == "first":
        counts = np.diff(offsets)
        return times - np.repeat(times[offsets[:-1][counts > 0]], counts[counts > 0])
    if isinstance(origin, str):
        raise ValueError(f"origin is {origin!r}; expected a time in seconds, or 'first'")
    start = number(origin, "origin")
    if not np.isfinite(start):
        raise ValueError(f"origin is {start}; expected a finite time in seconds, or 'first'")
    if start == 0:
        return times
    if len(times) and times.min() < start:
        raise ValueError(
            f"{argument}: the first spike is at {times.min():g} s, before origin = {start:g} s; "
            "expected an earlier origin, or 'first'"
        )
    return times - start


def join_samples(samples: list[tuple[NDArray[np.float64], NDArray[np.int32]]]) -> Arrays:
    """Return (times, neurons, offsets) of samples, each (times, neurons); of none too."""
    return (
        np.concatenate([np.empty(0), *[times for times, _ in samples]]),
        np.concatenate([np.empty(0, np.int32), *[neurons for _, neurons in samples]]),
        np.cumsum([0] + [len(times) for times, _ in samples]).astype(np.int64),
    )


def event_arrays(
    events: NDArray[Any],
    argument: str,
    sensor: tuple[int, int, int] | None = None,
    unit: float = 1e-6,
    origin: Origin = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return (times, neurons) of a Tonic event array, in ascending order of time.

    With `sensor` = (width, height, polarities) the neuron of an event is
    ``(p * height + y) * width + x``; without, only ``x`` may differ between events. No event is
    ever left out: one without a place or a time is an error.
    """
    names = events.dtype.names or ()
    if "t" not in names or "x" not in names:
        raise ValueError(f"{argument} has fields {names}; expected at least 't' and 'x'")
    if events.shape[1:] == (1,):  # a column, as Tonic reads ASL-DVS
        events = events[:, 0]
    expect_dimensions(events, argument, "[events]")
    if sensor is None:
        for axis in "yp":
            if axis in names and np.any(events[axis] != events[axis][:1]):
                raise ValueError(
                    f"{argument}: events differ in '{axis}'; expected only t and x to differ. Use "
                    "saltus.data.from_events(events, sensor_size) to number the pixels"
                )
        place = _coordinates(events, "x", argument, 2**31 - 1)
    else:
        width, height, polarities = sensor
        place = np.zeros(len(events), np.int64)
        for axis, size in ("p", polarities), ("y", height), ("x", width):
            place = place * size + _coordinates(events, axis, argument, size)
    found = _finite_times(events, argument)
    order = np.argsort(found, kind="stable")
    offsets = np.array([0, len(found)])
    times = in_seconds(found[order], offsets, unit, origin, argument)
    if len(times) and times[0] < 0:
        raise ValueError(
            f"{argument}: 't' is {found.min():.10g}; expected microseconds from 0 on, or another "
            "unit= or origin="
        )
    return times, place[order].astype(np.int32)


def _coordinates(events: NDArray[Any], axis: str, argument: str, size: int) -> NDArray[np.int64]:
    """Return a field of events, each checked to be in [0, `size`); an axis of one needs none."""
    names = events.dtype.names or ()
    if axis not in names:
        if size == 1:
            return np.zeros(len(events), np.int64)
        raise ValueError(
            f"{argument} has fields {names}; expected '{axis}' too, of which sensor_size has {size}"
        )
    found = events[axis]
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{argument}: '{axis}' is of dtype {found.dtype}; expected whole numbers")
    with np.errstate(invalid="ignore"):
        whole = found.astype(np.int64)
    if axis == "p" and size == 1 and "y" not in names and np.all(whole == 1):
        return np.zeros_like(whole)  # Tonic's audio calls its only polarity 1
    wrong = found[(whole < 0) | (whole >= size) | (whole != found)]
    if len(wrong):
        raise ValueError(
            f"{argument}: '{axis}' is {wrong[0]}; expected 0 to {size - 1}, in whole numbers. "
            "Correct the events or the sensor_size"
        )
    return whole


def _finite_times(events: NDArray[Any], argument: str) -> NDArray[np.float64]:
    found = events["t"]
    if found.dtype.kind not in "iuf":
        raise TypeError(
            f"{argument}: 't' is of dtype {found.dtype}; expected numbers, in microseconds unless "
            "unit= says otherwise"
        )
    wrong = found[~np.isfinite(found)]
    if len(wrong):
        raise ValueError(f"{argument}: 't' is {wrong[0]}; expected microseconds from 0 on")
    return found.astype(np.float64)


def _is_events(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.names is not None


def _is_sample(value: object) -> bool:
    return _is_events(value) or (isinstance(value, tuple) and len(value) == 2)


def _sample(value: Any, argument: str) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    if _is_events(value):
        return event_arrays(value, argument)
    times = numbers(value[0], f"{argument} times")
    neurons = integers(value[1], f"{argument} neurons", np.int32)
    expect_dimensions(times, f"{argument} times", "[spikes]")
    expect_shape(neurons, f"{argument} neurons", times.shape, axes="[spikes], as the times")
    return times, neurons
