# SPDX-License-Identifier: Apache-2.0
"""One linear map after another, as one map: no larger than what it connects."""

from __future__ import annotations

import numpy as np

from .maps import Array, Dense, Each, Listed, Map, Places


def compose(first: Map, then: Map) -> Map:
    """Return the map that does `first` and `then` what comes after it."""
    if isinstance(then, Each):
        return first.scaled(then.factor)
    if isinstance(first, Each):
        return then.scaled(first.factor, front=True)
    if isinstance(first, Dense) and isinstance(then, Dense):
        return Dense(then.matrix @ first.matrix)
    if isinstance(then, Dense):
        listed = first.listed()
        if listed.delay is None:
            return _dense_behind(listed, then)
    elif isinstance(first, Dense):
        listed = then.listed()
        if listed.delay is None:
            return _dense_before(first, listed)
    return _listed(first.listed(), then.listed())


def _dense_behind(first: Listed, then: Dense) -> Dense:
    pre, post = first.sizes[0], then.sizes[1]
    result = np.empty((post, pre))
    values = first.values
    for row, weights in zip(result, then.matrix, strict=True):
        row[:] = np.bincount(first.pre, weights[first.post] * values, pre)
    return Dense(result)


def _dense_before(first: Dense, then: Listed) -> Dense:
    pre, post = first.sizes[0], then.sizes[1]
    values = then.values
    result = np.zeros((post, pre))
    if values.size < pre:
        for j, i, value in zip(then.post, then.pre, values, strict=True):
            result[j] += value * first.matrix[i]
    else:
        for column in range(pre):
            weights = values * first.matrix[then.pre, column]
            result[:, column] = np.bincount(then.post, weights, post)
    return Dense(result)


def _listed(first: Listed, then: Listed) -> Listed:
    order = np.argsort(first.post, kind="stable")
    count = np.bincount(first.post, minlength=first.sizes[1])
    start = np.cumsum(count) - count
    # Each synapse of `then` meets all of `first` that lead to where it begins.
    meets = count[then.pre]
    late = np.repeat(np.arange(then.pre.size), meets)
    within = np.arange(late.size) - np.repeat(np.cumsum(meets) - meets, meets)
    early = order[start[then.pre][late] + within]
    delay: Array | None = None
    for part in (
        None if first.delay is None else first.delay[early],
        None if then.delay is None else then.delay[late],
    ):
        if part is not None:
            delay = part if delay is None else delay + part
    weight = first.values[early] * then.values[late]
    sizes = (first.sizes[0], then.sizes[1])
    return _joined(first.pre[early], then.post[late], weight, delay, sizes)


def _joined(
    pre: Places, post: Places, weight: Array, delay: Array | None, sizes: tuple[int, int]
) -> Listed:
    """Make one synapse of all that lead from one neuron to another with the same delay."""
    keys = (pre, post) if delay is None else (delay, pre, post)
    order = np.lexsort(keys)
    if not order.size:
        return Listed(pre, post, order, weight, sizes, delay)
    new = np.zeros(order.size, bool)
    new[0] = True
    for key in keys:
        new[1:] |= np.diff(key[order]) != 0
    begin = np.flatnonzero(new)
    first = order[begin]
    summed = np.add.reduceat(weight[order], begin)
    delays = None if delay is None else delay[first]
    return Listed(pre[first], post[first], np.arange(first.size), summed, sizes, delays)
