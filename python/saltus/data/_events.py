# SPDX-License-Identifier: Apache-2.0
"""Events of cameras and cochleas, as Tonic has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._spikes import Arrays, event_arrays
from ._labelled import LabelledSpikes, labelled_spikes


def from_events(
    events: NDArray[Any] | Iterable[NDArray[Any]], sensor_size: Sequence[int]
) -> Arrays:
    """Turn event arrays into spikes.

    The neuron of an event is ``(p * height + y) * width + x``.

    Parameters
    ----------
    events : structured ndarray, or iterable of them
        One sample, or several: fields ``t`` (microseconds), ``x``, and ``y`` and ``p`` where there
        are any. Events need not be sorted.
    sensor_size : (width, height, polarities)
        What Tonic's data sets call ``sensor_size``.

    Returns
    -------
    (times, neurons, offsets)
        Times in seconds; what `saltus.simulate` takes.

    Raises
    ------
    ValueError
        Fields that are missing, an event outside of the sensor.
    TypeError
        Something that is no structured array.
    """
    size = _sensor(sensor_size)
    samples = [events] if isinstance(events, np.ndarray) and events.dtype.names else list(events)
    found = []
    for k, sample in enumerate(samples):
        if not isinstance(sample, np.ndarray) or sample.dtype.names is None:
            got = type(sample).__name__
            raise TypeError(f"events[{k}]: expected a structured array with fields t, x; got {got}")
        found.append(event_arrays(sample, f"events[{k}]", size))
    return (
        np.concatenate([np.empty(0), *[times for times, _ in found]]),
        np.concatenate([np.empty(0, np.int32), *[neurons for _, neurons in found]]),
        np.cumsum([0] + [len(times) for times, _ in found]).astype(np.int64),
    )


def from_tonic(dataset: Any, samples: Iterable[int] | None = None) -> LabelledSpikes:
    """Read a data set of Tonic.

    Parameters
    ----------
    dataset : tonic.Dataset
        Anything with ``len``, ``sensor_size`` and items ``(events, label)``; a transform must keep
        event arrays.
    samples : iterable of int, optional
        Which samples to read; all unless given.

    Returns
    -------
    LabelledSpikes
        Channels: width x height x polarities, numbered as in `from_events`. Classes are counted
        from Tonic's labels.

    Raises
    ------
    ValueError
        A data set without a sensor size, an event outside of the sensor.
    TypeError
        Items that are not (structured array, integer).
    """
    sensor = getattr(dataset, "sensor_size", None)
    if sensor is None:
        raise ValueError("dataset has no sensor_size; expected a data set of Tonic")
    size = _sensor(sensor)
    events, labels = [], []
    for k in range(len(dataset)) if samples is None else samples:
        sample, label = dataset[k]
        if not isinstance(label, (int, np.integer)):
            got = type(label).__name__
            raise TypeError(f"dataset[{k}]: expected an integer label; got {got}")
        events.append(sample)
        labels.append(int(label))
    classes = getattr(dataset, "classes", None)
    known = len(classes) if isinstance(classes, (list, tuple)) else 0
    most = max([known, *[label + 1 for label in labels]])
    return labelled_spikes(from_events(events, size), labels, int(np.prod(size)), most)


def _sensor(given: Sequence[int]) -> tuple[int, int, int]:
    if len(given) != 3 or not all(isinstance(s, (int, np.integer)) and s > 0 for s in given):
        raise ValueError(
            f"sensor_size is {tuple(given)}; expected (width, height, polarities), each at least 1"
        )
    width, height, polarities = (int(s) for s in given)
    return width, height, polarities
