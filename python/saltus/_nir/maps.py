# SPDX-License-Identifier: Apache-2.0
"""Linear maps from the spikes of one population to another, as sparse as they are.

A map has `sizes` (pre, post), goes `through` a vector, is `scaled` behind or in front of it by a
factor for each neuron, can be `listed` synapse by synapse, and says what `Network.connect` takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._connections import OneToOne, Sparse, Synapses

Array: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]


class Map(Protocol):
    """What every one of them can."""

    @property
    def sizes(self) -> tuple[int, int]:
        """Neurons before and behind."""

    def through(self, values: Array) -> Array:
        """Apply it."""

    def scaled(self, factor: Array, front: bool = False) -> Map:
        """Multiply what comes out, or what goes in, by a factor for each neuron."""

    def listed(self) -> Listed:
        """Return the same, synapse by synapse."""

    def connection(self) -> Array | Synapses:
        """Return what `Network.connect` takes."""


@dataclass(frozen=True)
class Each:
    """From each neuron to the one of the same number."""

    factor: Array

    @property
    def sizes(self) -> tuple[int, int]:
        return self.factor.size, self.factor.size

    def through(self, values: Array) -> Array:
        return self.factor * values

    def scaled(self, factor: Array, front: bool = False) -> Each:
        return Each(self.factor * factor)

    def listed(self) -> Listed:
        every = np.arange(self.factor.size)
        return Listed(every, every, every, self.factor, self.sizes)

    def connection(self) -> Synapses:
        return OneToOne(self.factor)


@dataclass(frozen=True)
class Dense:
    """From all to all."""

    matrix: Array  # [post, pre], as NIR has it

    @property
    def sizes(self) -> tuple[int, int]:
        return self.matrix.shape[1], self.matrix.shape[0]

    def through(self, values: Array) -> Array:
        result: Array = self.matrix @ values
        return result

    def scaled(self, factor: Array, front: bool = False) -> Dense:
        if np.all(factor == 1):
            return self  # a copy would double the memory of large ones
        return Dense(self.matrix * (factor if front else factor[:, None]))

    def listed(self) -> Listed:
        pre, post = self.sizes
        every = np.arange(pre * post)
        return Listed(every % pre, every // pre, every, self.matrix.reshape(-1), self.sizes)

    def connection(self) -> Array:
        return np.ascontiguousarray(self.matrix.T)


@dataclass(frozen=True)
class Listed:
    """Synapses one by one; several may share a weight, and have delays of their own."""

    pre: Places
    post: Places
    place: Places  # of its weight
    weight: Array
    sizes: tuple[int, int]
    delay: Array | None = None

    @property
    def values(self) -> Array:
        """The weight of each synapse."""
        return self.weight[self.place]

    def through(self, values: Array) -> Array:
        weights = self.values * values[self.pre]
        result: Array = np.bincount(self.post, weights, self.sizes[1]).astype(np.float64)
        return result

    def scaled(self, factor: Array, front: bool = False) -> Listed:
        if factor.size and np.all(factor == factor[0]):
            return replace(self, weight=self.weight * factor[0])
        own = self.values * factor[self.pre if front else self.post]
        return replace(self, weight=own, place=np.arange(own.size))

    def listed(self) -> Listed:
        return self

    def connection(self) -> Synapses:
        count = self.place.size
        own = count == self.weight.size and np.array_equal(self.place, np.arange(count))
        shared: Any = {} if own else {"place": self.place}
        return Sparse(self.weight, self.pre, self.post, self.sizes, **shared)
