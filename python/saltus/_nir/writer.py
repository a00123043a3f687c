# SPDX-License-Identifier: Apache-2.0
"""The nodes and edges of a NIR graph, made of the projections of a network."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._network import Network
from .delays import split
from .dialects import label
from .extra import with_extra
from .grids import grids, windows_of
from .kinds import Kind, kinds
from .maps import Array
from .nest import free

_LARGEST = 2**27  # entries of a matrix that is zeros for the most part: 1 GiB


class Writer:
    """A graph that grows: populations first, then projections, then outputs.

    `for_modules`: for readers that make modules of PyTorch of its nodes.
    """

    def __init__(self, nir: Any, network: Network, for_modules: bool = False) -> None:
        self.nir, self.network, self.for_modules = nir, network, for_modules
        self.kinds = kinds(network)
        self.shapes = grids(network, self.kinds)
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.labels: dict[str, str] = {}  # of populations

    def graph(self) -> Any:
        """Return it, its shapes checked by NIR."""
        return self.nir.NIRGraph(nodes=self.nodes, edges=self.edges)

    def put_population(self, name: str, node: Any, **extra: Any) -> None:
        """Add the node of a population."""
        self.labels[name] = self._put(name, node, **extra)

    def put_output(self, name: str, node: Any) -> None:
        """Add an Output that reads a population."""
        self.edges.append((self.labels[name], self._put(f"{name} output", node)))

    def put_projections(self, constants: dict[str, tuple[str, Array]]) -> None:
        """Add all projections; one of each target brings its constant current, if it has one.

        `constants`: of each population the parameter that wants the current, and the current.
        """
        delays = {name: self._delays(name) for name in self.network.projections}
        carriers = {}
        for target, (wants, current) in constants.items():
            if np.any(current):
                carriers[self._carrier(target, wants, current, delays)] = current
        for order, name in enumerate(self.network.projections):
            self._put_projection(order, name, delays[name], carriers.get(name))

    def _put_projection(
        self,
        order: int,
        name: str,
        delays: tuple[Array | None, Array | None],
        current: Array | None,
    ) -> None:
        source, target = self.network._projections[name]
        kind = self.kinds[name]
        extra: dict[str, Any] = {"order": order}
        if kind.delay is not None:
            extra["delay"] = kind.delay
        chain = _Chain(self, self.labels[source], self.shapes[source])
        front, behind = delays
        if front is not None:
            chain.add(f"{name} delay", self.nir.Delay(delay=front.reshape(chain.shape)))
        shape, nodes, more = self._weights(name, current)
        chain.reach(shape[0], f"{name} flat")
        for what, node in nodes[:-1]:
            chain.add(f"{name} {what}", node)
        chain.add(name, nodes[-1][1], **extra, **more)
        chain.shape = shape[1]
        if behind is not None:
            chain.add(f"{name} delay behind", self.nir.Delay(delay=behind.reshape(chain.shape)))
        chain.reach(self.shapes[target], f"{name} flat behind")
        if self.for_modules and source == target:
            # snnTorch takes neurons, weights and nothing else in a cycle for a module of its own,
            # and leads what comes to them through these weights.
            shape = {"input": np.array(chain.shape)}
            chain.add(f"{name} back", self.nir.Flatten(shape, start_dim=-1, end_dim=-1))
        self.edges.append((chain.end, self.labels[target]))

    def _weights(self, name: str, current: Array | None) -> Any:
        """Return the shapes before and behind, the nodes, and what else is to be written."""
        kind, nir = self.kinds[name], self.nir
        source, target = self.network._projections[name]
        pre, post = (self.network._populations[p][1] for p in (source, target))
        weight = self.network[f"{name}.weight"].copy()
        windows = windows_of(kind)
        if windows is not None and windows.input == self.shapes[source]:
            shape = (windows.input, windows.output)
            if kind.name == "conv2d":
                each = np.zeros(windows.output[0])
                if current is not None:
                    each = current.reshape(windows.output[0], -1)[:, 0].copy()
                node = nir.Conv2d(
                    input_shape=windows.input[1:],
                    weight=weight,
                    stride=windows.stride,
                    padding=(windows.padding[0][0], windows.padding[1][0]),
                    dilation=windows.dilation,
                    groups=1,
                    bias=each,
                )
                return shape, [("", node)], {}
            return shape, self._pool(windows, float(weight[0])), {}
        if kind.one_to_one(pre, post) and current is None and not self.for_modules:
            at = self.shapes[source] if self.shapes[source] == self.shapes[target] else (pre,)
            place = kind.rows["place"]
            more = {"connection": kind.saved(weight, place)} if place else {}
            values = weight[place] if place else weight
            return (at, at), [("", nir.Scale(scale=values.reshape(at)))], more
        matrix, more = self._matrix(name, kind, weight, pre, post)
        node = nir.Linear(weight=matrix)
        if current is not None:
            node = nir.Affine(weight=matrix, bias=current)
        return ((pre,), (post,)), [("", node)], more

    def _pool(self, windows: Any, weight: float) -> list[tuple[str, Any]]:
        size, stride = np.array(windows.size), np.array(windows.stride)
        window = {"kernel_size": size, "stride": stride, "padding": np.zeros(2, np.int64)}
        if weight == 1.0 / (windows.size[0] * windows.size[1]):
            return [("", self.nir.AvgPool2d(**window))]
        pool = self.nir.SumPool2d(**window)
        if weight == 1.0:
            return [("", pool)]
        return [("sum", pool), ("", self.nir.Scale(scale=np.full(windows.output, weight)))]

    def _matrix(
        self, name: str, kind: Kind, weight: Array, pre: int, post: int
    ) -> tuple[Array, dict[str, Any]]:
        """Write synapses as a matrix, and beside it which they are."""
        if kind.name == "dense":
            return np.ascontiguousarray(weight.T), {}
        if pre * post > _LARGEST:
            raise ValueError(
                f"{name} is {kind.name} and has no word in NIR between these populations; as a "
                f"matrix of {post} x {pre} it would fill {pre * post / 2**27:.3g} GiB; expected at "
                "most 1"
            )
        sources, targets, place = self.network.synapses(name)
        values = weight.reshape(-1)[place]
        matrix = np.zeros((post, pre))
        np.add.at(matrix, (targets, sources), values)
        if np.unique(sources * post + targets).size < sources.size:
            return matrix, {}  # a matrix cannot tell two synapses between the same neurons
        return matrix, {"connection": kind.saved(weight, place)}

    def _delays(self, name: str) -> tuple[Array | None, Array | None]:
        """Return delays of sources and of targets."""
        kind = self.kinds[name]
        source, target = self.network._projections[name]
        sizes = self.network._populations[source][1], self.network._populations[target][1]
        if kind.delay is None:
            return None, None
        delay = self.network[f"{name}.delay"]
        if kind.delay != "synapse":
            return np.broadcast_to(delay, sizes[:1]).copy(), None
        pre, post, _ = self.network.synapses(name)
        found = split(delay.reshape(-1), pre, post, sizes)
        if found is None:
            raise ValueError(
                f"{name}.delay has shape {delay.shape}: NIR has no delay for each synapse; "
                "expected one number, one for each source neuron, one for each target neuron, or "
                "sums of these"
            )
        return found

    def _carrier(
        self,
        target: str,
        wants: str,
        current: Array,
        delays: dict[str, tuple[Array | None, Array | None]],
    ) -> str:
        """Return the projection whose node has a bias for this current."""
        every = list(self.network._projections.items())
        for name, (source, end) in sorted(every, key=lambda e: self.kinds[e[0]].name != "dense"):
            if end != target or delays[name][1] is not None:  # which would delay the bias
                continue
            windows = windows_of(self.kinds[name])
            if windows is None or windows.input != self.shapes[source]:
                return name
            rows = current.reshape(windows.output[0], -1)
            if windows.kernel is not None and np.all(rows == rows[:, :1]):
                return name
        raise ValueError(
            f"{target}.{wants}: NIR's neurons have none, and no projection carries what stands for "
            "it; expected one from all to all, whose Affine has a bias, or "
            f"{'the bias' if wants == 'v_initial' else '0'}"
        )

    def _put(self, name: str, node: Any, **extra: Any) -> str:
        """Add a node under a name that a file can have, and that no other has."""
        own = label(name) if self.for_modules else name.replace("/", "|").replace("\0", "|")
        found = free(own, self.nodes)
        if found in (".", ".."):
            found = free(f"{found} ", self.nodes)
        if extra:
            with_extra(node, **extra, **({} if found == name else {"name": name}))
        self.nodes[found] = node
        return found


class _Chain:
    """Nodes one behind the other, from a population on."""

    def __init__(self, writer: Writer, end: str, shape: tuple[int, ...]) -> None:
        self.writer, self.end, self.shape = writer, end, shape

    def add(self, name: str, node: Any, **extra: Any) -> None:
        label = self.writer._put(name, node, **extra)
        self.writer.edges.append((self.end, label))
        self.end = label

    def reach(self, shape: tuple[int, ...], name: str) -> None:
        """Flatten what is still on a grid: its last axes, if a module has samples in front."""
        if self.shape != shape:
            input_type = {"input": np.array(self.shape)}
            first = -len(self.shape) if self.writer.for_modules else 0
            self.add(name, self.writer.nir.Flatten(input_type, start_dim=first, end_dim=-1))
            self.shape = shape
