# SPDX-License-Identifier: Apache-2.0
"""The order of a graph's edges, for Norse: it visits nodes depth first, and returns the last."""

from __future__ import annotations

Edges = list[tuple[str, str]]


def output_last(edges: Edges, start: str, end: str) -> Edges:
    """Order the edges that leave each node: what leads back first, what leads to the end last.

    Raises ValueError where the end is not the last node visited all the same: when two ways lead to
    it from one population.
    """

    def key(edge: tuple[str, str]) -> tuple[bool, bool]:
        source, target = edge
        return target == end, end in _reached(edges, target, without=source)

    ordered = sorted(edges, key=key)
    visited = list(_reached(ordered, start))
    if visited[-1] != end:
        raise ValueError(
            f"norse would return what leaves '{visited[-1]}', and not '{end}': it visits nodes one "
            "behind the other, and two ways lead there; expected a network without ways beside "
            "each other"
        )
    return ordered


def _reached(edges: Edges, start: str, without: str | None = None) -> dict[str, None]:
    """Return the nodes that a node leads to, itself first, depth first in the order of edges."""
    found: dict[str, None] = {}
    ready = [start]
    while ready:
        node = ready.pop()
        if node in found or node == without:
            continue
        found[node] = None
        ready += [target for source, target in reversed(edges) if source == node]
    return found
