# SPDX-License-Identifier: Apache-2.0
"""Events of cameras and cochleas become spikes."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._spikes import Arrays, Origin, event_arrays, join_samples


def from_events(
    events: NDArray[Any] | Iterable[NDArray[Any]],
    sensor_size: Sequence[int],
    *,
    unit: float = 1e-6,
    origin: Origin = 0.0,
) -> Arrays:
    """Turn event arrays into spikes.

    The neuron of an event is ``(p * height + y) * width + x``.

    Parameters
    ----------
    events : structured ndarray, or iterable of them
        One sample, or several: fields ``t`` (times), ``x``, and ``y`` and ``p`` where the
        sensor has more than one row or polarity. Events need not be sorted.
    sensor_size : (width, height, polarities)
        What Tonic's data sets call ``sensor_size``: one more than the largest x, y and p.
    unit : float
        How many seconds a unit of ``t`` lasts: 1e-6 for microseconds, 1 for seconds.
    origin : float or "first"
        What becomes time 0: a time in seconds, or the first event of each sample.

    Returns
    -------
    (times, neurons, offsets)
        Times in seconds; what `saltus.simulate` takes.

    Raises
    ------
    ValueError
        Fields that are missing, an event outside of the sensor or before the origin.
    TypeError
        Something that is no structured array, a field that is no number.
    """
    size = expect_sensor(sensor_size)
    samples = [events] if isinstance(events, np.ndarray) and events.dtype.names else list(events)
    found = []
    for k, sample in enumerate(samples):
        if not isinstance(sample, np.ndarray) or sample.dtype.names is None:
            got = type(sample).__name__
            raise TypeError(f"events[{k}]: expected a structured array with fields t, x; got {got}")
        found.append(event_arrays(sample, f"events[{k}]", size, unit, origin))
    return join_samples(found)


def expect_sensor(given: object) -> tuple[int, int, int]:
    """Return (width, height, polarities), or an error that says what is given instead."""
    try:
        size = tuple(operator.index(s) for s in given)  # type: ignore[attr-defined]
    except TypeError:
        raise TypeError(
            f"sensor_size is {given!r}; expected (width, height, polarities), three integers"
        ) from None
    if len(size) != 3 or min(size) < 1:
        raise ValueError(
            f"sensor_size is {size}; expected (width, height, polarities), each at least 1"
        )
    width, height, polarities = size
    if width * height * polarities > 2**31 - 1:
        raise ValueError(
            f"sensor_size is {size}, which is {width * height * polarities} channels; expected at "
            f"most {2**31 - 1}"
        )
    return width, height, polarities
