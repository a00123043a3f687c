# SPDX-License-Identifier: Apache-2.0
"""Data sets of Tonic, bare or wrapped, become labelled spikes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import integers, whole
from .._spikes import Origin, event_arrays, join_samples
from ._events import expect_sensor
from ._labelled import LabelledSpikes, labelled_spikes


def from_tonic(
    dataset: Any,
    samples: Iterable[int] | None = None,
    *,
    sensor_size: Sequence[int] | None = None,
    classes: int | Sequence[str] | None = None,
    unit: float = 1e-6,
    origin: Origin = 0.0,
) -> LabelledSpikes:
    """Read a data set of Tonic, bare or wrapped any number of times.

    A wrapper is what keeps other data sets in ``dataset`` or ``datasets``: ``Subset``,
    ``random_split`` and ``ConcatDataset`` of PyTorch; ``DiskCachedDataset``,
    ``MemoryCachedDataset`` and ``SlicedDataset`` of Tonic.

    Parameters
    ----------
    dataset : tonic.Dataset
        Anything with ``len`` and items ``(events, target)``. ``events`` is a structured array as in
        `from_events`, its times ``t`` in microseconds unless `unit` says otherwise; transforms must
        leave it one (not ``ToFrame``). A target is the number of a class, or its name.
    samples : iterable of int, optional
        Which samples to read; all unless given.
    sensor_size : (width, height, polarities), optional
        Of the events that the data set returns. Needed after a transform to another size
        (``Downsample``, crops) and where the data set knows none; else its own ``sensor_size``.
    classes : int or sequence of str, optional
        How many classes, or their names in the order of their numbers. Unless given, what the data
        set lists as ``classes``; where it lists none, the largest label + 1.
    unit, origin
        As in `from_events`: ``unit=1`` for times in seconds; ``origin="first"`` for slices, which
        keep their place in the recording.

    Returns
    -------
    LabelledSpikes
        Times in seconds, counted from `origin`. Channels: width x height x polarities, numbered as
        in `from_events`.

    Raises
    ------
    ValueError
        No sensor size, or data sets that differ in it or in their classes; an event outside of the
        sensor or before the origin; a target that is none of the classes.
    TypeError
        Something that has no length or items, an item without events (frames, tensors), a target
        that is neither an integer nor a name.
    """
    for needed in "__len__", "__getitem__":
        if not hasattr(dataset, needed):
            raise TypeError(
                f"dataset: expected a data set with len(dataset) and dataset[k]; got "
                f"{type(dataset).__name__}, which has no {needed}"
            )
    size = _sensor_of(dataset) if sensor_size is None else expect_sensor(sensor_size)
    numbers, count = _classes_of(dataset) if classes is None else _numbered(classes)
    spikes, labels = [], []
    for k in _chosen(samples, len(dataset)):
        events, target = _events_and_target(dataset[k], f"dataset[{k}]")
        spikes.append(event_arrays(events, f"dataset[{k}]", size, unit, origin))
        labels.append(_label(target, numbers, count, f"dataset[{k}]"))
    return labelled_spikes(join_samples(spikes), labels, math.prod(size), count)


def _said(dataset: Any, name: str) -> Iterator[Any]:
    """Yield what a data set, or each that it wraps, says as attribute `name`: None if nothing."""
    own = getattr(dataset, name, None)
    inside = getattr(dataset, "datasets", None) or [getattr(dataset, "dataset", None)]
    parts = [part for part in inside if part is not None]
    if own is not None or not parts:
        yield own
        return
    for part in parts:
        yield from _said(part, name)


def _sensor_of(dataset: Any) -> tuple[int, int, int]:
    found = list(_said(dataset, "sensor_size"))
    if any(size is None for size in found):
        raise ValueError(
            f"dataset, of type {type(dataset).__name__}, has no sensor_size; give "
            "sensor_size=(width, height, polarities) of its events"
        )
    sizes = sorted({expect_sensor(size) for size in found})
    if len(sizes) > 1:
        raise ValueError(
            f"dataset joins sensors of the sizes {', '.join(map(str, sizes))}; expected one. Give "
            "sensor_size=(width, height, polarities) that holds them all"
        )
    return sizes[0]


def _classes_of(dataset: Any) -> tuple[dict[Any, int], int | None]:
    found = [_numbered(classes) for classes in _said(dataset, "classes")]
    if any(count is None for _, count in found):
        return {}, None
    if any(classes != found[0] for classes in found):
        raise ValueError(
            "dataset joins data sets that list different classes; expected one list. Give "
            "classes=[...], the names of all, and names as targets"
        )
    return found[0]


def _numbered(classes: Any) -> tuple[dict[Any, int], int | None]:
    """Return the number of each named class, and how many classes there are."""
    if classes is None:
        return {}, None
    if isinstance(classes, Mapping):
        return {_text(name): int(number) for name, number in classes.items()}, len(classes)
    if isinstance(classes, (Sequence, np.ndarray)):
        return {_text(name): number for number, name in enumerate(classes)}, len(classes)
    return {}, whole(classes, "classes")


def _text(name: Any) -> Any:
    """Return a name as text: a cache on disk, and the files of SHD, hold bytes."""
    return name.decode() if isinstance(name, bytes) else name


def _chosen(samples: Iterable[int] | None, count: int) -> Iterable[int]:
    if samples is None:
        return range(count)
    chosen: list[int] = integers(list(samples), "samples", np.int64).tolist()
    for k in chosen:
        if not 0 <= k < count:
            raise ValueError(f"samples: {k} is no sample of dataset; expected 0 to {count - 1}")
    return chosen


def _events_and_target(item: Any, argument: str) -> tuple[NDArray[Any], Any]:
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise TypeError(f"{argument}: expected a pair (events, target); got {_shown(item)}")
    events, target = item
    if not isinstance(events, np.ndarray) or events.dtype.names is None:
        raise TypeError(
            f"{argument}: expected events, a structured array with fields t, x; got "
            f"{_shown(events)}. Give the data set transforms that return events, unlike ToFrame"
        )
    return events, target


def _label(target: Any, numbers: dict[Any, int], count: int | None, argument: str) -> int:
    target = _text(target)
    if isinstance(target, str):
        if target not in numbers:
            known = ", ".join(map(repr, numbers)) or "no names"
            raise ValueError(
                f"{argument}: target {str(target)!r} is no class; the classes are {known}. Give "
                "classes=[...], the names in the order of their numbers"
            )
        return numbers[target]
    try:
        label = operator.index(target)
    except TypeError:
        raise TypeError(
            f"{argument}: expected the number or the name of a class as target; got "
            f"{_shown(target)}. Give the data set a target_transform that returns one"
        ) from None
    if label < 0 or (count is not None and label >= count):
        limit = "a number from 0 on" if count is None else f"0 to {count - 1}"
        raise ValueError(
            f"{argument}: target {label} is no class; expected {limit}. Correct it with a "
            "target_transform of the data set, or give classes="
        )
    return label


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"{type(value).__name__} of shape {tuple(shape)}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__
