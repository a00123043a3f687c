# SPDX-License-Identifier: Apache-2.0
"""Windows that slide over a grid of neurons: NIR's convolutions and pooling, as linear maps.

One that `Conv2d` or `SumPool2d` can say stays such a one; groups, and padding that they do not
have, are listed synapse by synapse, with their weights shared as before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .._connections import Synapses
from .._windows import Conv2d, SumPool2d
from .maps import Array, Listed, Map

Pair = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """A kernel [out, in of a group, y, x], or without one the sum of each window times `weight`."""

    input: tuple[int, int, int]  # channels, y, x
    size: Pair
    stride: Pair
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))  # before and behind, along y and x
    dilation: Pair = (1, 1)
    kernel: Array | None = None
    groups: int = 1
    weight: float = 1.0

    @cached_property
    def output(self) -> tuple[int, int, int]:
        """Channels, y and x of the target."""
        room = [
            self.input[k + 1] + sum(self.padding[k]) - self.dilation[k] * (self.size[k] - 1) - 1
            for k in (0, 1)
        ]
        y, x = (max(r // s + 1, 0) if r >= 0 else 0 for r, s in zip(room, self.stride, strict=True))
        return self.input[0] if self.kernel is None else self.kernel.shape[0], y, x

    @property
    def sizes(self) -> tuple[int, int]:
        """Neurons before and behind."""
        return int(np.prod(self.input)), int(np.prod(self.output))

    def through(self, values: Array) -> Array:
        """Apply it."""
        return self.listed().through(values)

    def scaled(self, factor: Array, front: bool = False) -> Map:
        """Multiply by a factor for each neuron: it stays what it is where a channel has but one."""
        channels = self.input[0] if front else self.output[0]
        rows = factor.reshape(channels, -1)
        by_channel = rows[:, 0] if rows.size else np.ones(channels)
        if not np.all(rows == by_channel[:, None]):
            return self.listed().scaled(factor, front)
        if np.all(by_channel == by_channel[0]):
            if self.kernel is None:
                return replace(self, weight=self.weight * float(by_channel[0]))
            return replace(self, kernel=self.kernel * by_channel[0])
        if self.kernel is None or (front and self.groups > 1):
            return self.listed().scaled(factor, front)
        axis = (1, -1, 1, 1) if front else (-1, 1, 1, 1)
        return replace(self, kernel=self.kernel * by_channel.reshape(axis))

    def listed(self) -> Listed:
        """Return the same, synapse by synapse, in the order of `Network.synapses`."""
        (_, height, width), (out, rows, columns) = self.input, self.output
        pixel, lies_on = [], []
        for axis, count, length in ((0, rows, height), (1, columns, width)):
            at = np.arange(count)[:, None] * self.stride[axis] - self.padding[axis][0]
            at = at + np.arange(self.size[axis]) * self.dilation[axis]
            pixel.append(at)
            lies_on.append((at >= 0) & (at < length))
        # Axes: out, y, x, in, window y, window x.
        source = pixel[0][:, None, :, None] * width + pixel[1][None, :, None, :]
        valid = lies_on[0][:, None, :, None] & lies_on[1][None, :, None, :]
        inner = 1 if self.kernel is None else self.kernel.shape[1]
        o, c = np.arange(out), np.arange(inner)
        group = o if self.kernel is None else o // (out // self.groups) * inner
        channel = group[:, None] + c
        shape = (out, rows, columns, inner, *self.size)
        kept = np.broadcast_to(valid[None, :, :, None], shape)
        pre = channel[:, None, None, :, None, None] * (height * width) + source[None, :, :, None]
        post = np.arange(out * rows * columns).reshape(out, rows, columns, 1, 1, 1)
        if self.kernel is None:
            place, weight = np.zeros((1,) * 6, np.int64), np.array([self.weight])
        else:
            place = np.arange(self.kernel.size).reshape(out, 1, 1, inner, *self.size)
            weight = self.kernel.reshape(-1)
        pre, post, place = (np.broadcast_to(x, shape)[kept] for x in (pre, post, place))
        return Listed(pre, post, place, weight, self.sizes)

    def connection(self) -> Synapses:
        """Return what `Network.connect` takes."""
        same = all(a == b for a, b in self.padding)
        before = (self.padding[0][0], self.padding[1][0])
        if self.kernel is not None and self.groups == 1 and same:
            return Conv2d(self.kernel, self.input, self.stride, before, self.dilation)
        if self.kernel is None and same and before == (0, 0):
            return SumPool2d(self.size, self.stride, input_shape=self.input, weight=self.weight)
        return self.listed().connection()
