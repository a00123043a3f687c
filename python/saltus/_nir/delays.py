# SPDX-License-Identifier: Apache-2.0
"""Delays of synapses as what NIR can say: one for each source, plus one for each target."""

from __future__ import annotations

import numpy as np

from .maps import Array, Places


def split(
    delay: Array, pre: Places, post: Places, sizes: tuple[int, int]
) -> tuple[Array | None, Array | None] | None:
    """Return delays in front and behind whose sums are those of the synapses; None: there are none.

    To the bit where one of the two is enough, else to rounding. A neuron without synapses gets a
    delay of others: another tool sees weights of 0, and in a cycle a delay of 0 may mean something.
    """
    for ends, size, in_front in ((pre, sizes[0], True), (post, sizes[1], False)):
        one = np.full(size, np.min(delay) if delay.size else 0.0)
        one[ends] = delay
        if np.array_equal(one[ends], delay):
            return (one, None) if in_front else (None, one)
    front, behind = np.full(sizes[0], np.nan), np.full(sizes[1], np.nan)
    while True:
        open_ends = np.flatnonzero(np.isnan(front[pre]))
        if not open_ends.size:
            break
        # What hangs together has one free number: front is as small as it can be.
        group_front, group_behind = _group(delay, pre, post, sizes, int(pre[open_ends[0]]))
        front = np.where(np.isnan(group_front), front, group_front)
        behind = np.where(np.isnan(group_behind), behind, group_behind)
    front, behind = (np.where(np.isnan(ends), np.nanmin(ends), ends) for ends in (front, behind))
    tolerance = 8 * np.finfo(float).eps * np.max(delay)
    if np.max(np.abs(front[pre] + behind[post] - delay)) > tolerance:
        return None
    if np.min(front) < 0 or np.min(behind) < -tolerance:
        return None
    return front, np.maximum(behind, 0.0)


def _group(
    delay: Array, pre: Places, post: Places, sizes: tuple[int, int], start: int
) -> tuple[Array, Array]:
    """Follow synapses from one source to all that hang together with it."""
    front, behind = np.full(sizes[0], np.nan), np.full(sizes[1], np.nan)
    front[start] = 0.0
    while True:
        known, wanted = ~np.isnan(front[pre]), np.isnan(behind[post])
        there = known & wanted
        behind[post[there]] = delay[there] - front[pre[there]]
        known, wanted = ~np.isnan(behind[post]), np.isnan(front[pre])
        back = known & wanted
        front[pre[back]] = delay[back] - behind[post[back]]
        if not (np.any(there) or np.any(back)):
            break
    least = np.nanmin(front)
    return front - least, behind + least
