# SPDX-License-Identifier: Apache-2.0
"""How the projections of a network connect, for a format that has a word for some of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._connections import Synapses
from .._network import Network
from .maps import Array, Dense, Each, Places

_ROWS = {  # in the order of the core
    "sparse": ("pre", "post", "place"),
    "conv2d": ("input", "kernel", "stride", "padding", "dilation"),
    "pool2d": ("input", "size", "stride"),
}
_DELAYS = (None, "common", "source", "synapse")


@dataclass(frozen=True)
class Kind:
    """Which synapses a projection has; `name` is "dense" of all to all."""

    name: str
    rows: dict[str, list[int]]
    delay: str | None

    def one_to_one(self, pre: int, post: int) -> bool:
        """Whether it is `OneToOne` between populations of these sizes."""
        if self.name != "sparse" or pre != post:
            return False
        return self.rows["pre"] == list(range(pre)) == self.rows["post"]

    def saved(self, weight: Array, place: ArrayLike) -> dict[str, Any]:
        """Return what `restored` takes, of the weights and the place that each synapse has there.

        The weights themselves stand in the node, but for those of places that no synapse has.
        """
        unused = np.setdiff1d(np.arange(weight.size), place)
        values = weight.reshape(-1)[unused]
        return {
            "kind": self.name,
            "rows": list(self.rows.items()),
            "shape": weight.shape,
            "unused": [unused.tolist(), values.tolist()],
        }


def kinds(network: Network) -> dict[str, Kind]:
    """Return that of each projection."""
    return {name: _kind(*network._core.connection(name)) for name in network._projections}


def _kind(name: str, shape: dict[str, list[int]], delay: int) -> Kind:
    return Kind(name, {row: shape[row] for row in _ROWS.get(name, shape)}, _DELAYS[delay])


def order(synapses: Synapses, pre: int, post: int) -> tuple[Places, Places, Places]:
    """Return what `Network.synapses` says of them."""
    probe = Network()
    probe.add_input("in", pre)
    probe.add_population("out", "LI", post)
    probe.connect("in", "out", synapses)
    return probe.synapses(*probe.projections)


def restored(linear: Dense | Each, saved: dict[str, Any]) -> Synapses | None:
    """Return the synapses that were written as a matrix or as a factor for each neuron.

    None, if the numbers are no longer those of such synapses: another tool may have changed them.
    """
    shape = tuple(saved["shape"])
    rows = [(str(name), [int(n) for n in numbers]) for name, numbers in saved["rows"]]
    synapses = Synapses(str(saved["kind"]), np.zeros(shape), rows)
    try:
        pre, post, place = order(synapses, *linear.sizes)
    except (TypeError, ValueError):
        return None
    values: Array
    if isinstance(linear, Each):
        every = np.arange(linear.factor.size)
        if not (np.array_equal(pre, every) and np.array_equal(post, every)):
            return None
        values = linear.factor
    else:
        values = linear.matrix[post, pre]
        if np.count_nonzero(linear.matrix) != np.count_nonzero(values):
            return None
    weight = np.zeros(int(np.prod(shape)))
    unused, others = saved["unused"]
    weight[unused] = others
    weight[place] = values
    if not np.array_equal(weight[place], values):
        return None
    return replace(synapses, weight=weight.reshape(shape))
