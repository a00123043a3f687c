# SPDX-License-Identifier: Apache-2.0
"""A NIR graph boiled down to inputs, neurons and the linear paths between them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MODELS = {"CubaLIF": "LIF", "CubaLI": "LI"}  # populations with neurons
_LINEAR = ("Linear", "Affine", "Scale", "Delay", "Flatten")
_DELTA = ("LIF", "IF", "LI", "I")

Array = NDArray[np.float64]


@dataclass
class Population:
    """An Input, a CubaLIF or a CubaLI."""

    node: Any
    size: int

    @property
    def model(self) -> str:
        return _MODELS.get(type(self.node).__name__, "input")

    def of(self, key: str) -> Array:
        """One parameter for every neuron."""
        values = np.asarray(getattr(self.node, key), np.float64).reshape(-1)
        return np.broadcast_to(values, (self.size,))

    def holds_one(self, key: str) -> bool:
        """Whether the node has one number for many neurons."""
        return self.size > 1 and np.asarray(getattr(self.node, key, ())).size == 1


@dataclass
class Path:
    """A linear way from one population to another: first delay, then weight [post, pre]."""

    source: str
    target: str
    weight: Array
    delay: Array | None
    name: str  # of the last node
    named: Any  # the last node with weights; None so far
    steps: int = 0


@dataclass
class Flat:
    """All that matters of a graph."""

    inputs: dict[str, Population] = field(default_factory=dict)
    neurons: dict[str, Population] = field(default_factory=dict)
    paths: list[Path] = field(default_factory=list)
    biases: dict[str, Array] = field(default_factory=dict)  # what Affines add, per population


def flatten(graph: Any) -> Flat:
    """Boil a graph down; raises ValueError for a node that cannot be expressed."""
    nodes, edges = _unnest(graph)
    for name, node in nodes.items():
        _check(name, node)
    onward: dict[str, list[str]] = {name: [] for name in nodes}
    for a, b in edges:
        for end in (a, b):
            if end not in nodes:
                raise ValueError(f"edge ('{a}', '{b}'): there is no node '{end}'")
        onward[a].append(b)
    flat = Flat()
    for name, node in nodes.items():
        kind = type(node).__name__
        if kind == "Input":
            flat.inputs[name] = Population(node, int(np.prod(node.input_type["input"])))
        elif kind in _MODELS:
            flat.neurons[name] = Population(node, _size(name, nodes, edges))
    for source, population in {**flat.inputs, **flat.neurons}.items():
        start = Path(source, source, np.eye(population.size), None, "", None)
        _walk(flat, nodes, onward, start)
    for name, node in nodes.items():
        if type(node).__name__ == "Affine" and np.any(np.asarray(node.bias)):
            bias = np.asarray(node.bias, np.float64).reshape(-1)
            _spread(flat, nodes, onward, name, bias)
    return flat


def _unnest(graph: Any, prefix: str = "") -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Take subgraphs apart; one with a single population gives it its own name."""
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    entry: dict[str, str] = {}  # of a subgraph: its Input and Output
    leave: dict[str, str] = {}
    for name, node in graph.nodes.items():
        if type(node).__name__ != "NIRGraph":
            nodes[name] = node
            continue
        inner_nodes, inner_edges = _unnest(node)
        kinds = {k: type(n).__name__ for k, n in inner_nodes.items()}
        populations = [k for k, kind in kinds.items() if kind in _MODELS]
        names = {k: f"{name}_{k}" for k in inner_nodes}
        if len(populations) == 1:
            names[populations[0]] = name
        for where, kind in ((entry, "Input"), (leave, "Output")):
            ends = [k for k, found in kinds.items() if found == kind]
            if len(ends) != 1:
                raise ValueError(f"subgraph '{name}' has {len(ends)} {kind} nodes; expected one")
            where[name] = names[ends[0]]
        for k, n in inner_nodes.items():
            # The ends of a subgraph only pass on.
            nodes[names[k]] = _Through() if kinds[k] in ("Input", "Output") else n
        edges += [(names[a], names[b]) for a, b in inner_edges]
    for a, b in graph.edges:
        edges.append((leave.get(a, a), entry.get(b, b)))
    return nodes, edges


class _Through:
    """The end of a subgraph."""


def _check(name: str, node: Any) -> None:
    kind = type(node).__name__
    if kind in _DELTA:
        raise ValueError(
            f"node '{name}' is {kind}, whose synapses are delta pulses; expected CubaLIF "
            "or CubaLI, with exponential synapses"
        )
    if kind not in ("Input", "Output", "_Through", *_MODELS, *_LINEAR):
        raise ValueError(
            f"node '{name}' is {kind}, which cannot be expressed; expected Input, Output, CubaLIF, "
            f"CubaLI, {', '.join(_LINEAR)}"
        )
    for key in ("weight", "bias", "scale", "delay", "tau_mem", "tau_syn", "r", "w_in", "v_leak"):
        value = getattr(node, key, None)
        if value is not None and not np.all(np.isfinite(np.asarray(value, np.float64))):
            raise ValueError(f"node '{name}': {key} holds a value that is not finite")


def _size(name: str, nodes: dict[str, Any], edges: list[tuple[str, str]]) -> int:
    """The neurons of a node: as many as its parameters, or as what leads to it or away."""
    own = np.asarray(nodes[name].tau_mem).size  # also of a tensor, of which np.size is a method
    if own > 1:
        return own
    for a, b in edges:
        near = nodes[a] if b == name else nodes[b] if a == name else None
        weight = getattr(near, "weight", None)
        if weight is not None:
            return int(np.shape(weight)[0 if b == name else 1])
        if b == name and isinstance(near, _Through):
            return _size_before(a, nodes, edges)
    return own


def _size_before(name: str, nodes: dict[str, Any], edges: list[tuple[str, str]]) -> int:
    for a, b in edges:
        if b == name and getattr(nodes[a], "weight", None) is not None:
            return int(np.shape(nodes[a].weight)[0])
    return 1


def _walk(flat: Flat, nodes: dict[str, Any], onward: dict[str, list[str]], path: Path) -> None:
    """Follow every way from the end of `path` through linear nodes to populations."""
    place = path.name or path.source
    linear = path.named is not None
    if path.steps > len(nodes):
        raise ValueError(f"node '{place}' leads back to itself without a neuron in between")
    for name in onward[place]:
        node = nodes[name]
        kind = type(node).__name__
        if kind == "Output":
            continue
        if kind in _MODELS:
            _expect(path.weight.shape[0], flat.neurons[name].size, place, name)
            flat.paths.append(replace(path, target=name))
            continue
        weight, delay, named = path.weight, path.delay, path.named
        if kind in ("Linear", "Affine"):
            matrix = np.asarray(node.weight, np.float64)
            if matrix.ndim != 2:
                raise ValueError(
                    f"node '{name}': weight has shape {matrix.shape}; expected two axes"
                )
            _expect(matrix.shape[1], weight.shape[0], name, place)
            weight, named = matrix @ weight if linear else matrix, node
        elif kind == "Scale":
            weight, named = np.asarray(node.scale).reshape(-1, 1) * weight, node
        elif kind == "Delay":
            if linear:
                raise ValueError(
                    f"node '{name}': a Delay behind weights would be one for each synapse; "
                    "expected it in front of them"
                )
            steps = np.asarray(node.delay, np.float64).reshape(-1)
            steps = np.broadcast_to(steps, (weight.shape[0],))
            delay = steps if delay is None else delay + steps
        onto = Path(path.source, name, weight, delay, name, named, path.steps + 1)
        _walk(flat, nodes, onward, onto)


def _spread(
    flat: Flat, nodes: dict[str, Any], onward: dict[str, list[str]], place: str, bias: Array
) -> None:
    """Add the constant current of an Affine to the populations that it leads to."""
    for name in onward[place]:
        node = nodes[name]
        kind = type(node).__name__
        if kind in _MODELS:
            _expect(len(bias), flat.neurons[name].size, place, name)
            flat.biases[name] = flat.biases.get(name, 0.0) + bias
        elif kind in ("Linear", "Affine"):
            _spread(flat, nodes, onward, name, np.asarray(node.weight, np.float64) @ bias)
        elif kind == "Scale":
            _spread(flat, nodes, onward, name, np.asarray(node.scale).reshape(-1) * bias)
        elif kind == "Delay":
            raise ValueError(f"node '{name}' delays the bias of '{place}'; expected it in front")
        elif kind != "Output":
            _spread(flat, nodes, onward, name, bias)


def _expect(found: int, expected: int, place: str, name: str) -> None:
    if found != expected:
        raise ValueError(f"'{place}' has {found} channels at '{name}'; expected {expected}")
