# SPDX-License-Identifier: Apache-2.0
"""Data sets taken apart and put together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import expect_shape, generator, number, whole
from ._labelled import LabelledSpikes


def split(
    data: LabelledSpikes, *shares: float, seed: int, stratify: bool = True
) -> tuple[LabelledSpikes, ...]:
    """Take data apart at random.

    Parameters
    ----------
    data : LabelledSpikes
    *shares : float
        Of the parts, above 0, 1 together: ``split(data, 0.8, 0.2, seed=0)``.
    seed : int
    stratify : bool
        Each class is split by these shares, to a sample.

    Returns
    -------
    tuple of LabelledSpikes
        One for each share; samples stay in their order.

    Raises
    ------
    ValueError
        Shares that are not above 0, or do not add up to 1.
    TypeError
        An argument of a wrong type, named in the message.
    """
    parts = [number(share, "shares") for share in shares]
    if not parts or min(parts) <= 0 or not math.isclose(sum(parts), 1):
        raise ValueError(f"shares are {parts}; expected numbers above 0 that add up to 1")
    rng = generator(seed)
    place = np.empty(len(data))  # in [0, 1): each class is spread evenly
    for own in _classes(data) if stratify else [np.arange(len(data))]:
        place[rng.permutation(own)] = (np.arange(len(own)) + rng.random()) / max(1, len(own))
    part = np.searchsorted(np.cumsum(parts)[:-1], place, side="right")
    return tuple(data[np.flatnonzero(part == k)] for k in range(len(parts)))


def stratified_folds(
    data: LabelledSpikes, folds: int, *, seed: int
) -> Iterator[tuple[LabelledSpikes, LabelledSpikes]]:
    """Hold out one fold after the other, each with its share of every class.

    Parameters
    ----------
    data : LabelledSpikes
    folds : int
        At least 2.
    seed : int

    Yields
    ------
    (train, held_out) : LabelledSpikes
        Samples stay in their order; each is held out once.

    Raises
    ------
    ValueError
        Fewer than two folds, or more than samples.
    TypeError
        An argument of a wrong type, named in the message.
    """
    count = whole(folds, "folds")
    if not 2 <= count <= len(data):
        raise ValueError(f"folds is {count}; expected 2 to {len(data)}, the number of samples")
    rng = generator(seed)
    fold, next_fold = np.empty(len(data), np.int64), 0
    for own in _classes(data):
        fold[rng.permutation(own)] = (np.arange(len(own)) + next_fold) % count
        next_fold += len(own)
    return ((data[fold != k], data[fold == k]) for k in range(count))


def leave_one_group_out(
    data: LabelledSpikes, groups: str | ArrayLike
) -> Iterator[tuple[Any, LabelledSpikes, LabelledSpikes]]:
    """Hold out all samples of one group after the other: of a speaker, of a session.

    Parameters
    ----------
    data : LabelledSpikes
    groups : str or array_like, shape (samples,)
        A name in ``data.extra``, or the group of each sample.

    Yields
    ------
    group
        The value that stands for it.
    (train, held_out) : LabelledSpikes
        Samples stay in their order.

    Raises
    ------
    ValueError
        No such name, a wrong shape, fewer than two groups, a group that is NaN.
    """
    if isinstance(groups, str):
        if groups not in data.extra:
            known = ", ".join(map(repr, data.extra)) or "none"
            raise ValueError(f"groups is {groups!r}; extra of the data has: {known}")
        groups = data.extra[groups]
    own = np.asarray(groups)
    expect_shape(own, "groups", (len(data),), axes="[samples]")
    for k in np.flatnonzero(own != own)[:1]:  # noqa: PLR0124 (NaN, of whatever type)
        raise ValueError(f"groups[{k}] is {own[k]}; expected the group of each sample")
    found = np.unique(own)
    if len(found) < 2:
        raise ValueError(f"groups holds {len(found)} of them; expected at least two")
    return ((group.item(), data[own != group], data[own == group]) for group in found)


def concatenate(*parts: LabelledSpikes) -> LabelledSpikes:
    """Put samples behind samples.

    Parameters
    ----------
    *parts : LabelledSpikes
        Of as many channels.

    Returns
    -------
    LabelledSpikes
        With as many classes as the part that has most. Of `extra` what all parts have.

    Raises
    ------
    ValueError
        No parts, another number of channels, another grid, tables that differ, ends of samples in
        some parts alone.
    """
    _expect_parts(parts)
    first = parts[0]
    for k, part in enumerate(parts):
        for name in "channels", "grid":
            one, other = getattr(first, name), getattr(part, name)
            if one != other:
                raise ValueError(f"part {k} has {name} {other}; expected {one}, as part 0")
        if (part.t_end is None) != (first.t_end is None):
            raise ValueError(f"part {k} and part 0: only one says t_end; expected both, or none")
        for name in part.tables.keys() & first.tables.keys():
            if not np.array_equal(part.tables[name], first.tables[name]):
                raise ValueError(
                    f"part {k} has another table {name!r} than part 0; expected the same numbers "
                    "to mean the same"
                )
    shared = [name for name in first.extra if all(name in part.extra for part in parts)]
    return LabelledSpikes(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.neurons for part in parts]),
        np.cumsum([0, *(n for part in parts for n in np.diff(part.offsets))]),
        np.concatenate([part.labels for part in parts]),
        first.channels,
        max(part.classes for part in parts),
        first.grid,
        {name: np.concatenate([part.extra[name] for part in parts]) for name in shared},
        {name: table for part in reversed(parts) for name, table in part.tables.items()},
        None if first.t_end is None else np.concatenate([_ends(part) for part in parts]),
    )


def stack_channels(*parts: LabelledSpikes) -> LabelledSpikes:
    """Put the channels of the same samples side by side: what a network with several inputs takes.

    Parameters
    ----------
    *parts : LabelledSpikes
        For each input, in the order of the network: as many samples, of the same labels.

    Returns
    -------
    LabelledSpikes
        Channel c of part k is number c + (channels of the parts before). Labels, `extra`, tables
        and ends are those of the first part.

    Raises
    ------
    ValueError
        No parts, other labels.
    """
    _expect_parts(parts)
    first = parts[0]
    for k, part in enumerate(parts):
        if not np.array_equal(part.labels, first.labels):
            raise ValueError(f"part {k} has other labels than part 0; expected the same samples")
    before = np.cumsum([0, *(part.channels for part in parts)])
    counts = [np.diff(part.offsets) for part in parts]
    sample = np.concatenate([np.repeat(np.arange(len(first)), count) for count in counts])
    times = np.concatenate([part.times for part in parts])
    neurons = np.concatenate(
        [part.neurons + shift for part, shift in zip(parts, before, strict=False)]
    )
    order = np.lexsort((times, sample))  # stable
    return LabelledSpikes(
        times[order],
        neurons[order],
        np.concatenate([[0], np.cumsum(np.sum(counts, axis=0))]),
        first.labels.copy(),
        int(before[-1]),
        max(part.classes for part in parts),
        extra=first.extra,
        tables=first.tables,
        t_end=first.t_end,
    )


def _classes(data: LabelledSpikes) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(data.labels == label) for label in np.unique(data.labels)]


def _ends(part: LabelledSpikes) -> NDArray[np.float64]:
    assert part.t_end is not None
    return part.t_end


def _expect_parts(parts: tuple[Any, ...]) -> None:
    for k, part in enumerate(parts):
        if not isinstance(part, LabelledSpikes):
            got = type(part).__name__
            raise TypeError(f"part {k}: expected a saltus.data.LabelledSpikes; got {got}")
    if not parts:
        raise ValueError("no parts; expected at least one")
