# SPDX-License-Identifier: Apache-2.0
"""Which shape leaves each node of a NIR graph: said by the node, or by what is around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .nest import Edges, Place, Through
from .nodes import ELEMENTWISE, POOLS, Shape, windows


def shapes(nodes: dict[Place, Any], edges: Edges) -> dict[Place, Shape]:
    """Return the shape of what leaves each node; one number where nothing says more."""
    before: dict[Place, list[Place]] = {place: [] for place in nodes}
    behind: dict[Place, list[Place]] = {place: [] for place in nodes}
    for a, b in edges:
        before[b].append(a)
        behind[a].append(b)
    known: dict[Place, Shape] = {}
    for place, node in nodes.items():
        own = _own(node)
        if own is not None:
            known[place] = own
    while True:
        _forward(nodes, before, behind, known)
        for place, node in nodes.items():
            if place not in known and _keeps_shape(node):
                wanted = (_wanted(nodes[b], known.get(b)) for b in behind[place])
                found = next((shape for shape in wanted if shape is not None), None)
                if found is not None:
                    known[place] = found
                    break  # what follows from it comes first
        else:
            return {place: known.get(place, (1,)) for place in nodes}


def _forward(
    nodes: dict[Place, Any],
    before: dict[Place, list[Place]],
    behind: dict[Place, list[Place]],
    known: dict[Place, Shape],
) -> None:
    ready = [b for a in known for b in behind[a]]
    while ready:
        place = ready.pop()
        if place in known:
            continue
        coming = next(known[a] for a in before[place] if a in known)
        known[place] = _out(place, nodes[place], coming)
        ready += behind[place]


def _keeps_shape(node: Any) -> bool:
    return isinstance(node, Through) or type(node).__name__ in ELEMENTWISE


def _own(node: Any) -> Shape | None:
    """Return what a node says of itself."""
    kind = type(node).__name__
    if isinstance(node, Through):
        return _shape(node.shape)
    if kind == "Input":
        return _shape(node.input_type["input"])
    if kind in ("Linear", "Affine"):
        shape = np.shape(node.weight)
        return (*shape[:-2], shape[-2]) if len(shape) > 1 else None
    if kind in ELEMENTWISE:
        # One number may stand for any number of neurons.
        shape = np.shape(getattr(node, ELEMENTWISE[kind]))
        return shape if np.prod(shape) > 1 else None
    return None


def _wanted(node: Any, found: Shape | None) -> Shape | None:
    """Return the shape of what goes into a node."""
    kind = type(node).__name__
    if kind in ("Linear", "Affine"):
        return (*np.shape(node.weight)[:-2], np.shape(node.weight)[-1])
    if kind == "Output":
        return _shape(node.output_type["output"])
    return found if _keeps_shape(node) else None


def _out(place: Place, node: Any, coming: Shape) -> Shape:
    """Return what a node makes of the shape of what comes."""
    kind = type(node).__name__
    if kind == "Conv2d" or kind in POOLS:
        return windows(place, node, coming).output
    if kind == "Flatten":
        axes = len(coming)
        first, last = int(node.start_dim) % axes, int(node.end_dim) % axes
        flat = int(np.prod(coming[first : last + 1]))
        return (*coming[:first], flat, *coming[last + 1 :])
    return coming


def _shape(value: Any) -> Shape | None:
    if value is None:
        return None
    return tuple(int(n) for n in np.asarray(value).reshape(-1))
