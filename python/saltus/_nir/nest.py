# SPDX-License-Identifier: Apache-2.0
"""A NIR graph with its subgraphs taken apart: nodes are known by where they are, not by a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

Place: TypeAlias = tuple[str, ...]  # the subgraphs that a node is in, and its name there
Edges: TypeAlias = list[tuple[Place, Place]]


@dataclass(frozen=True)
class Through:
    """The Input or Output of a subgraph, which only passes on: as a grid, where it says so."""

    shape: Any


def said(place: Place) -> str:
    """Return what a message calls a node."""
    return "/".join(place)


def unnest(graph: Any) -> tuple[dict[Place, Any], Edges]:
    """Take subgraphs apart; raises ValueError for an edge that leads nowhere."""
    nodes: dict[Place, Any] = {}
    edges: Edges = []
    _unnest(graph, (), nodes, edges)
    return nodes, edges


def _unnest(graph: Any, prefix: Place, nodes: dict[Place, Any], edges: Edges) -> None:
    for name, node in graph.nodes.items():
        place = (*prefix, name)
        if type(node).__name__ == "NIRGraph":
            _unnest(node, place, nodes, edges)
        elif prefix and type(node).__name__ == "Input":
            nodes[place] = Through(node.input_type["input"])
        elif prefix and type(node).__name__ == "Output":
            nodes[place] = Through(node.output_type["output"])
        else:
            nodes[place] = node
    for a, b in graph.edges:
        for end in (a, b):
            if end not in graph.nodes:
                raise ValueError(f"edge ('{a}', '{b}'): there is no node '{end}'")
        edges.append((_end(graph, prefix, a, "Output"), _end(graph, prefix, b, "Input")))


def _end(graph: Any, prefix: Place, name: str, kind: str) -> Place:
    """Return a node, or of a subgraph its only Input or Output."""
    node = graph.nodes[name]
    if type(node).__name__ != "NIRGraph":
        return (*prefix, name)
    ends = [k for k, n in node.nodes.items() if type(n).__name__ == kind]
    if len(ends) != 1:
        where = said((*prefix, name))
        raise ValueError(f"subgraph '{where}' has {len(ends)} {kind} nodes; expected one")
    return (*prefix, name, ends[0])


def names(
    places: Iterable[Place], own_name: Callable[[Place], str], taken: Iterable[str]
) -> dict[Place, str]:
    """Return a name for each population, all different and none of those that are taken.

    A subgraph with one population in it gives it its own name, one with several its name before
    theirs. Nodes of the outermost graph come first where two would be called the same.
    """
    every = list(places)
    held = Counter(place[:depth] for place in every for depth in range(1, len(place)))
    found: dict[Place, str] = {}
    used = set(taken)
    for place in sorted(every, key=len):
        name = own_name(place)
        for depth in range(len(place) - 1, 0, -1):
            outer = place[depth - 1]
            name = outer if held[place[:depth]] == 1 else f"{outer}_{name}"
        found[place] = free(name, used)
        used.add(found[place])
    return found


def free(name: str, used: Iterable[str]) -> str:
    """Return the name, with a number behind it if it is used."""
    result, number = name, 2
    while result in used:
        result, number = f"{name} {number}", number + 1
    return result
