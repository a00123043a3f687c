# SPDX-License-Identifier: Apache-2.0
"""A NIR graph boiled down to inputs, neurons and the linear paths between them.

Whatever of the graph has no part in these is an error that names it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .compose import compose
from .maps import Array, Each, Map
from .models import BY_NODE, CALLED, Row
from .nest import Edges, Place, Through, said, unnest
from .nodes import MAPS, Shape, constant, each, linear_map
from .shapes import shapes


@dataclass
class Population:
    """An Input, or a node with neurons."""

    place: Place
    node: Any
    shape: Shape

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def row(self) -> Row | None:
        """What neurons it has; None: an Input."""
        return BY_NODE.get(type(self.node).__name__)

    def of(self, key: str) -> Array:
        """One parameter for every neuron."""
        value = getattr(self.node, key, None) if key == "v_reset" else getattr(self.node, key)
        return each(self.place, key, 0.0 if value is None else value, self.shape)

    def holds_one(self, key: str) -> bool:
        """Whether the node has one number for many neurons; `key` as it is called here."""
        node, called = self.node, CALLED.get(key, key)
        value = getattr(node, key if hasattr(node, key) else called, ())
        return self.size > 1 and np.asarray(value).size == 1


@dataclass(frozen=True)
class Path:
    """A linear way from one population to another."""

    source: Place
    target: Place
    map: Map
    front: Array | None = None  # delays in front of the map, one for each source neuron
    behind: Array | None = None  # and behind it, one for each target neuron
    named: Place | None = None  # the last node with weights
    node: Any = None  # the same
    passed: tuple[Place, ...] = ()  # all nodes between the two


@dataclass
class Flat:
    """All that matters of a graph."""

    populations: dict[Place, Population] = field(default_factory=dict)
    paths: list[Path] = field(default_factory=list)
    constants: dict[Place, Array] = field(default_factory=dict)  # currents, of a population


def flatten(graph: Any) -> Flat:
    """Boil a graph down; raises ValueError for a node that cannot be expressed."""
    nodes, edges = unnest(graph)
    for place, node in nodes.items():
        _check(place, node)
    return _Walk(nodes, edges).flat


def _check(place: Place, node: Any) -> None:
    kind = type(node).__name__
    if kind == "I":
        raise ValueError(
            f"node '{said(place)}' is I, a readout that integrates without a leak, which cannot be "
            "expressed; expected LI, or IF with a threshold that it does not reach"
        )
    if node is None:
        raise ValueError(
            f"node '{said(place)}' is None: the exporter of the tool has no word for that module; "
            "put a node of NIR there, or leave the module out"
        )
    known = ("Input", "Output", *BY_NODE, *MAPS, "Delay", "Flatten")
    if kind not in known and not isinstance(node, Through):
        raise ValueError(
            f"node '{said(place)}' is {kind}, which cannot be expressed; expected "
            f"{', '.join(known)}"
        )
    for key, value in vars(node).items():
        found = np.asarray(() if value is None else value)
        if found.dtype.kind == "f" and not np.all(np.isfinite(found)):
            without = " (a neuron without a leak is IF)" if key.startswith("tau") else ""
            raise ValueError(
                f"node '{said(place)}': {key} holds a value that is not finite{without}"
            )


class _Walk:
    """From every population along every edge, through linear nodes, to the next populations."""

    def __init__(self, nodes: dict[Place, Any], edges: Edges) -> None:
        self.flat = Flat()
        self.nodes = nodes
        self.onward: dict[Place, list[Place]] = {place: [] for place in nodes}
        for a, b in edges:
            self.onward[a].append(b)
        self.shapes = shapes(nodes, edges)
        self.coming: dict[Place, Shape] = {}
        self.maps: dict[Place, Map] = {}
        self.useful: set[Place] = set()  # nodes on a way to neurons
        self.reached: set[Place] = set()  # nodes on a way from a population
        # Inputs first: the order in which they are added to a network.
        for wanted in (True, False):
            for place, node in nodes.items():
                kind = type(node).__name__
                if kind == "Input" if wanted else kind in BY_NODE:
                    population = Population(place, node, self.shapes[place])
                    self.flat.populations[place] = population
        for place, population in self.flat.populations.items():
            self.follow(place, Path(place, place, Each(np.ones(population.size))))
        for place, node in nodes.items():
            self.spread_of(place, node)
        for place, node in nodes.items():
            self.expect_part(place, node)

    def follow(self, at: Place, path: Path) -> None:
        """Follow every way on from a node at the end of `path`."""
        for place in self.onward[at]:
            node = self.nodes[place]
            kind = type(node).__name__
            if place in path.passed:
                raise ValueError(
                    f"node '{said(place)}' leads back to itself without a neuron in between"
                )
            if kind == "Input":
                raise ValueError(
                    f"edge ('{said(at)}', '{said(place)}'): nothing can lead into an Input"
                )
            if kind == "Output":
                self.expect_nothing_lost(place, path)
            elif kind in BY_NODE:
                self.expect(path.map.sizes[1], self.flat.populations[place].size, at, place)
                self.flat.paths.append(replace(path, target=place))
                self.useful.update(path.passed)
            else:
                if isinstance(node, Through):
                    self.expect(path.map.sizes[1], int(np.prod(self.shapes[place])), at, place)
                self.reached.add(place)
                onto = self.through(place, node, path, self.shapes[at])
                self.follow(place, replace(onto, passed=(*path.passed, place)))

    def through(self, place: Place, node: Any, path: Path, coming: Shape) -> Path:
        """Lengthen a path by a linear node."""
        kind = type(node).__name__
        if kind == "Delay":
            delay = each(place, "delay", node.delay, coming)
            if isinstance(path.map, Each):  # in front or behind is the same there
                return replace(path, front=_sum(path.front, delay))
            return replace(path, behind=_sum(path.behind, delay))
        if kind not in MAPS:
            return path
        then = self.map_of(place, node, coming)
        if path.named is None:
            return replace(path, map=then, named=place, node=node)
        first, front, behind = path.map, path.front, path.behind
        if behind is not None and np.all(behind == behind[0]):
            front, behind = _sum(front, np.full(first.sizes[0], behind[0])), None
        elif behind is not None and not isinstance(then, Each):
            # From here on the ways between two neurons differ in their delays.
            listed = first.listed()
            own = _sum(listed.delay, behind[listed.post])
            first, behind = replace(listed, delay=own), None
        joined = compose(first, then)
        return replace(path, map=joined, front=front, behind=behind, named=place, node=node)

    def map_of(self, place: Place, node: Any, coming: Shape) -> Map:
        found = self.maps.get(place)
        if found is None or self.coming[place] != coming:
            found = linear_map(place, node, coming)
            self.maps[place], self.coming[place] = found, coming
        return found

    def spread_of(self, place: Place, node: Any) -> None:
        """Carry the constant current that a node adds to the populations that it leads to."""
        current = constant(place, node, self.shapes[place]) if hasattr(node, "bias") else None
        if current is not None:
            self.spread(place, place, current, (place,))

    def spread(self, start: Place, at: Place, current: Array, passed: tuple[Place, ...]) -> None:
        for place in self.onward[at]:
            node = self.nodes[place]
            kind = type(node).__name__
            if kind in BY_NODE:
                self.expect(current.size, self.flat.populations[place].size, at, place)
                known = self.flat.constants.get(place, 0.0)
                self.flat.constants[place] = known + current
                self.useful.update(passed)
                continue
            if kind == "Delay":
                raise ValueError(
                    f"node '{said(place)}' delays the bias of '{said(start)}'; expected it in front"
                )
            if place in passed:
                raise ValueError(
                    f"node '{said(place)}' leads back to itself without a neuron in between"
                )
            onto = current
            if kind in MAPS:
                onto = self.map_of(place, node, self.shapes[at]).through(current)
            self.spread(start, place, onto, (*passed, place))

    def expect_nothing_lost(self, output: Place, path: Path) -> None:
        """Refuse an Output that reads something else than neurons or inputs."""
        if self.onward[output]:
            raise ValueError(f"'{said(output)}' is an Output, and nothing can follow it")
        for place in reversed(path.passed):
            kind = type(self.nodes[place]).__name__
            if kind in MAPS or kind == "Delay":
                raise ValueError(
                    f"node '{said(place)}' is {kind} and leads to Output '{said(output)}', not to "
                    "neurons, so it would be lost; put a CubaLI behind it, or let the Output read "
                    "neurons"
                )

    def expect_part(self, place: Place, node: Any) -> None:
        """Refuse a linear node that is on no way between populations."""
        kind = type(node).__name__
        if place in self.useful or not (kind in MAPS or kind == "Delay"):
            return
        why = "leads to no neurons" if place in self.reached else "has nothing that leads to it"
        raise ValueError(
            f"node '{said(place)}' is {kind} and {why}, so it would be lost; connect it, or take "
            "it out"
        )

    def expect(self, found: int, expected: int, at: Place, place: Place) -> None:
        if found != expected:
            raise ValueError(
                f"'{said(at)}' has {found} channels at '{said(place)}'; expected {expected}"
            )


def _sum(a: Array | None, b: Array) -> Array:
    return b if a is None else a + b
