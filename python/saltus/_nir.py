# SPDX-License-Identifier: Apache-2.0
"""Networks to and from NIR, the neuromorphic intermediate representation (docs/theory.md, 13).

NIR's CubaLIF and CubaLI are our LIF and LI::

    tau_syn dI/dt = -I + w_in S        tau_mem dv/dt = v_leak - v + r I

With a spike S of area A through a weight W: bias = v_leak, weight = r w_in W A / tau_syn. An
Affine's bias B enters through the synapse: bias += r w_in B and I(0) = -r w_in B.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._network import Network
from ._nir_graph import Flat, Population, flatten

_SUSPICIOUS = 10.0  # a spike of area 1 that adds more than this times its weight
_EXTRA = "saltus"  # the key of what NIR has no word for, in the metadata of our nodes


def to_nir(network: Network, outputs: Sequence[str] | None = None) -> Any:
    """Turn a network into a NIR graph, in which spikes have area 1.

    Populations become CubaLIF and CubaLI, projections Linear (Affine if I(0) is not 0) with a Delay
    before it. `from_nir` gives the same network back, to the bit if I(0) is 0.

    Parameters
    ----------
    network : Network
    outputs : sequence of str, optional
        The populations that lead to an Output; those that project onto no other unless given.

    Returns
    -------
    nir.NIRGraph

    Raises
    ------
    ValueError
        What NIR cannot express: a refractory time, V(0), a delay for each synapse, an I(0) of
        neurons that nothing projects onto. The message names it.
    ImportError
        The package nir is not installed.
    """
    import nir  # noqa: PLC0415 (optional)

    if not isinstance(network, Network):
        raise TypeError(f"network: expected a saltus.Network; got {type(network).__name__}")
    network._core.check()
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    for order, (name, (model, size)) in enumerate(network._populations.items()):
        if model == "input":
            node = nir.Input(input_type={"input": np.array([size])})
            node.metadata = {_EXTRA: json.dumps({"order": order})}
        else:
            node = _neurons(nir, network, name, order)
        _put(nodes, name, node)
    biased: set[str] = set()
    for order, (name, (source, target)) in enumerate(network._projections.items()):
        weight = _all_to_all(network, name)
        extra: dict[str, Any] = {"order": order}
        start = source
        if f"{name}.delay" in network:
            delay = network[f"{name}.delay"]
            if delay.ndim == 2:
                raise ValueError(
                    f"{name}.delay has shape {delay.shape}: NIR has no delay for each synapse; "
                    "expected one number, or one for each source neuron"
                )
            extra["delay"] = delay.ndim
            start = f"{name} delay"
            pre = network._populations[source][1]
            _put(nodes, start, nir.Delay(delay=np.broadcast_to(delay, (pre,)).copy()))
            edges.append((source, start))
        i_initial = network[f"{target}.i_initial"]
        if np.any(i_initial) and target not in biased:
            biased.add(target)
            size = network._populations[target][1]
            tau_syn = np.broadcast_to(network[f"{target}.tau_syn"], (size,))
            node = nir.Affine(weight=weight, bias=-i_initial / tau_syn + np.zeros(size))
        else:
            node = nir.Linear(weight=weight)
        node.metadata = {_EXTRA: json.dumps(extra)}
        _put(nodes, name, node)
        edges += [(start, name), (name, target)]
    for name, (model, _) in network._populations.items():
        if model != "input" and np.any(network[f"{name}.i_initial"]) and name not in biased:
            raise ValueError(f"{name}.i_initial: NIR has no I(0), and no projection to carry it")
    for name in _outputs(network, outputs):
        size = network._populations[name][1]
        label = f"{name} output"
        _put(nodes, label, nir.Output(output_type={"output": np.array([size])}))
        edges.append((name, label))
    return nir.NIRGraph(nodes=nodes, edges=edges)


def _all_to_all(network: Network, name: str) -> NDArray[np.float64]:
    weight = network[f"{name}.weight"]
    if weight.ndim != 2:
        raise ValueError(
            f"{name} lists its synapses, which is not exported yet; expected a projection that "
            "connects all to all"
        )
    return np.ascontiguousarray(weight.T)


def _neurons(nir: Any, network: Network, name: str, order: int) -> Any:
    model, size = network._populations[name]
    if model not in ("LIF", "LI"):
        raise ValueError(f"'{name}' is {model}: NIR has no such neuron; expected LIF or LI")
    for key in ("tau_ref", "v_initial"):
        if f"{name}.{key}" in network and np.any(network[f"{name}.{key}"]):
            raise ValueError(f"{name}.{key} is not 0: NIR cannot express it")

    def of(key: str) -> NDArray[np.float64]:
        return np.broadcast_to(network[f"{name}.{key}"], (size,)).copy()

    tau_syn = of("tau_syn")
    # v_leak is where V settles before the Affine's constant current comes in.
    common = {
        "tau_mem": of("tau_mem"),
        "tau_syn": tau_syn,
        "r": np.ones(size),
        "v_leak": of("bias") + of("i_initial"),
        "w_in": tau_syn.copy(),
    }
    if model == "LIF":
        node = nir.CubaLIF(v_threshold=of("v_threshold"), v_reset=of("v_reset"), **common)
    else:
        node = nir.CubaLI(**common)
    shared = [
        key
        for key in ("tau_mem", "tau_syn", "bias", "i_initial", "v_threshold", "v_reset")
        if f"{name}.{key}" in network and network[f"{name}.{key}"].ndim == 0
    ]
    node.metadata = {_EXTRA: json.dumps({"order": order, "shared": shared})}
    return node


def _outputs(network: Network, outputs: Sequence[str] | None) -> list[str]:
    neurons = [name for name, (model, _) in network._populations.items() if model != "input"]
    if outputs is None:
        onward = {a for a, b in network._projections.values() if a != b}
        return [name for name in neurons if name not in onward] or neurons[-1:]
    for name in outputs:
        if name not in neurons:
            raise ValueError(f"outputs: '{name}' is no LIF or LI population; there are: {neurons}")
    return list(outputs)


def _put(nodes: dict[str, Any], name: str, node: Any) -> None:
    if name in nodes or "/" in name:
        why = "two nodes would be called so" if name in nodes else "NIR files allow no '/'"
        raise ValueError(f"'{name}': {why}; rename the population or projection")
    nodes[name] = node


def from_nir(graph: Any, *, spike_area: float | None = None) -> Network:
    """Make a network of a NIR graph.

    Input, Linear, Affine, Scale, CubaLIF, CubaLI, Delay, Flatten and Output, recurrent and nested.

    Parameters
    ----------
    graph : nir.NIRGraph
    spike_area : float, optional
        The area of a spike S in NIR's equations, in seconds. 1 is NIR's own reading. A tool that
        steps by dt and adds W at a spike means dt (snnTorch's exporter: 1e-4, whatever the user's
        step). Unless given it is 1, and a graph whose numbers speak against that is refused.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        A node that cannot be expressed, named with the reason; a graph that looks as if spikes did
        not have area 1, when no `spike_area` is given: the message names the value to pass.
    TypeError
        `graph` is no NIR graph.
    """
    if not (hasattr(graph, "nodes") and hasattr(graph, "edges")):
        raise TypeError(f"graph: expected a nir.NIRGraph; got {type(graph).__name__}")
    if spike_area is not None and not (np.isfinite(spike_area) and spike_area > 0):
        raise ValueError(f"spike_area is {spike_area}; expected a finite number above 0")
    flat = flatten(graph)
    if spike_area is None:
        _check_area(flat)
        spike_area = 1.0
    network = Network()
    # A graph of ours knows its order, which a file does not keep.
    everyone = {**flat.inputs, **flat.neurons}
    for name, one in sorted(everyone.items(), key=lambda e: _extra(e[1].node).get("order", 0)):
        if one.model == "input":
            network.add_input(name, one.size)
        else:
            _add_population(network, flat, name, one)
    paths = sorted(flat.paths, key=lambda path: _extra(path.named).get("order", 0))
    for path in paths:
        target = flat.neurons[path.target]
        factor = target.of("r") * target.of("w_in") / target.of("tau_syn") * spike_area
        extra = _extra(path.named)
        delay: Any = path.delay
        if delay is not None and extra.get("delay") == 0:
            delay = delay[0]
        default = f"{path.source}->{path.target}"
        name = path.name if extra else default
        number = 2
        while name in network.projections:
            name, number = f"{default} {number}", number + 1
        weight = np.ascontiguousarray(path.weight.T) * factor
        network.connect(path.source, path.target, weight, delay, name)
    return network


def _add_population(network: Network, flat: Flat, name: str, neurons: Population) -> None:
    incoming = neurons.of("r") * neurons.of("w_in") * flat.biases.get(name, 0.0)
    parameters: dict[str, Any] = {
        "tau_mem": neurons.of("tau_mem"),
        "tau_syn": neurons.of("tau_syn"),
        "bias": neurons.of("v_leak") + incoming,
        "i_initial": 0.0 - incoming,
    }
    if neurons.model == "LIF":
        parameters["v_threshold"] = neurons.of("v_threshold")
        parameters["v_reset"] = neurons.of("v_reset")
    shared = set(_extra(neurons.node).get("shared", ()))
    if not _extra(neurons.node) and not np.any(incoming):
        shared.add("i_initial")
    for key, values in parameters.items():
        every = np.broadcast_to(values, (neurons.size,))
        parameters[key] = every[0] if key in shared or neurons.holds_one(key) else every
    model: Any = neurons.model
    try:
        network.add_population(name, model, neurons.size, **parameters)
    except ValueError as error:
        raise ValueError(f"node '{name}': {error}") from None


def _extra(node: Any) -> dict[str, Any]:
    text = (getattr(node, "metadata", None) or {}).get(_EXTRA)
    if text is None:
        return {}
    found: dict[str, Any] = json.loads(text.decode() if isinstance(text, bytes) else text)
    return found


def _check_area(flat: Flat) -> None:
    for name, neurons in flat.neurons.items():
        gain = neurons.of("w_in") / neurons.of("tau_syn")
        if np.all(np.abs(gain) <= _SUSPICIOUS):
            continue
        k = int(np.argmax(np.abs(gain)))
        looks_like = f"steps by dt = {1 / gain[k]:.6g}"
        if neurons.of("w_in")[k] == 1:
            looks_like = "leaves w_in at 1 (Norse)"
        raise ValueError(
            f"node '{name}': w_in / tau_syn is {gain[k]:.6g}, so a spike of area 1 would add that "
            f"times its weight to I. This looks like a tool that {looks_like}; "
            f"pass spike_area={1 / gain[k]:.6g} if a spike adds its weight, or spike_area=1 if the "
            "numbers are meant as they are"
        )
