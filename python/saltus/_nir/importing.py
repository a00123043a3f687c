# SPDX-License-Identifier: Apache-2.0
"""Networks from NIR, the neuromorphic intermediate representation (docs/theory.md, 13)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._connections import Synapses
from .._network import Network
from .extra import extra
from .graph import Flat, Path, Population, flatten
from .kinds import order, restored
from .maps import Array, Dense, Each, Listed
from .nest import Place, free, names, said
from .windows import Windows

_SUSPICIOUS = 10.0  # a spike of area 1 that adds more than this times its weight


def from_nir(graph: Any, *, spike_area: float | None = None) -> Network:
    """Make a network of a NIR graph.

    Input, Linear, Affine, Scale, Conv2d, SumPool2d, AvgPool2d, CubaLIF, CubaLI, LIF, LI, IF, Delay,
    Flatten and Output, recurrent and nested. LIF, LI and IF have delta synapses here. What lies on
    a grid becomes flat: neuron ``(c * height + y) * width + x`` is pixel (y, x) of channel c.

    Parameters
    ----------
    graph : nir.NIRGraph
    spike_area : float, optional
        The area of a spike S in NIR's equations, in seconds. 1 is NIR's own reading. A tool that
        steps by dt and adds W at a spike means dt (snnTorch's exporter: 1e-4, whatever the user's
        step); one whose neurons have no current, and r = 1, means dt too (Norse's LIFBoxCell).
        Unless given it is 1, and a graph whose numbers speak against that is refused.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        A node that cannot be expressed or would have no part in the network, named with the
        reason; LIF or IF in a cycle without a delay; a graph that looks as if spikes did not have
        area 1, when no `spike_area` is given: the message names the value to pass.
    TypeError
        `graph` is no NIR graph.
    """
    if not (hasattr(graph, "nodes") and hasattr(graph, "edges")):
        raise TypeError(f"graph: expected a nir.NIRGraph; got {type(graph).__name__}")
    if spike_area is not None and not (np.isfinite(spike_area) and spike_area > 0):
        raise ValueError(f"spike_area is {spike_area}; expected a finite number above 0")
    flat = _without_added_inputs(flatten(graph))
    if spike_area is None:
        _check_area(flat)
        spike_area = 1.0
    called = _names(flat)
    network = Network()
    # A graph of ours knows its order, which a file does not keep.
    for place, population in sorted(
        flat.populations.items(), key=lambda e: extra(e[1].node).get("order", 0)
    ):
        if population.row is None:
            network.add_input(called[place], population.size)
        else:
            constant = flat.constants.get(place, 0.0)
            _add_population(network, called[place], population, constant, spike_area)
    paths = sorted(flat.paths, key=lambda path: extra(path.node).get("order", 0))
    for path in paths:
        _connect(network, called, path, flat.populations[path.target], spike_area)
    for path, name in zip(paths, network.projections, strict=True):
        _expect_later(network, name, path, flat)
    return network


def _without_added_inputs(flat: Flat) -> Flat:
    """Take out the Inputs that NIR puts in front of neurons of ours onto which nothing projects."""
    for place, population in list(flat.populations.items()):
        paths = [path for path in flat.paths if path.source == place]
        if population.row is not None or extra(population.node) or not paths:
            continue
        targets = [flat.populations[path.target].node for path in paths if not path.passed]
        if len(targets) == len(paths) and all(extra(node).get("alone") for node in targets):
            del flat.populations[place]
            flat.paths = [path for path in flat.paths if path.source != place]
    return flat


def _names(flat: Flat) -> dict[Place, str]:
    def own(place: Place) -> str:
        found: str = extra(flat.populations[place].node).get("name", place[-1])
        return found

    inputs = [place for place, population in flat.populations.items() if not population.row]
    neurons = [place for place, population in flat.populations.items() if population.row]
    # Inputs first: never inside of a subgraph, they keep the names that they have.
    found = names(inputs, own, ())
    return {**found, **names(neurons, own, found.values())}


def _add_population(
    network: Network, name: str, neurons: Population, constant: Array | float, area: float
) -> None:
    row = neurons.row
    assert row is not None
    parameters: dict[str, Any] = dict(row.ours(neurons.of, constant))
    ours = extra(neurons.node)
    for key in ours.get("zeros", ()):
        parameters[key] = np.zeros(neurons.size)
    parameters |= _exact(neurons, parameters, ours.get("exact", {}), constant, area)
    for key, values in parameters.items():
        every = np.broadcast_to(values, (neurons.size,))
        one = key in ours.get("shared", ()) or neurons.holds_one(key)
        # What NIR has no word for is one number where it is the same for all.
        implied = not ours and key in row.untold and (np.ndim(values) == 0 or not np.any(every))
        parameters[key] = every[0] if one or implied else every
    try:
        network.add_population(name, row.model, neurons.size, **parameters)
    except ValueError as error:
        raise ValueError(f"node '{said(neurons.place)}': {error}") from None


def _exact(
    neurons: Population,
    parameters: dict[str, Any],
    saved: dict[str, list[float]],
    constant: Array | float,
    area: float,
) -> dict[str, Any]:
    """Return what NIR's numbers give but to rounding, as it was; nothing if they have changed."""
    row = neurons.row
    if row is None or not saved:
        return {}
    found = {key: np.asarray(values, np.float64) for key, values in saved.items()}
    if any(values.shape != (neurons.size,) for values in found.values()):
        return {}
    every = parameters | found

    def of(key: str) -> Array:
        return np.broadcast_to(every[key], (neurons.size,))

    written = row.write(of, area)
    same = all(np.array_equal(value, neurons.of(key)) for key, value in written.items())
    carried = np.broadcast_to(constant, (neurons.size,))
    return found if same and np.array_equal(row.constant(of, area), carried) else {}


def _connect(
    network: Network, called: dict[Place, str], path: Path, target: Population, area: float
) -> None:
    assert target.row is not None
    ours = extra(path.node)
    default = f"{called[path.source]}->{called[path.target]}"
    name = ours.get("name", path.named[-1] if ours and path.named else default)
    if name in network.projections:
        name = free(default, network.projections)
    linear = path.map.scaled(target.row.gain(target.of) * area)
    if isinstance(linear, Listed | Windows) and not linear.listed().place.size:
        raise ValueError(
            f"nothing that leaves '{said(path.source)}' reaches '{said(path.target)}' through "
            f"'{said(path.passed[-1])}': its windows lie beside the grid; take it out"
        )
    connection: Any = linear.connection()
    if "connection" in ours and isinstance(linear, Dense | Each):
        connection = restored(linear, ours["connection"]) or connection
    delay = _delay(path, connection, ours.get("delay"))
    try:
        network.connect(called[path.source], called[path.target], connection, delay, name)
    except ValueError as error:
        way = " and ".join(f"'{said(place)}'" for place in path.passed) or "no node"
        raise ValueError(f"by way of {way}: {error}") from None


def _expect_later(network: Network, name: str, path: Path, flat: Flat) -> None:
    """Refuse spikes of delta synapses that come back at the very time at which they happen."""
    source = flat.populations[path.source]
    if source.row is None or not (source.row.delta and source.row.spikes):
        return
    delay = f"{name}.delay"
    if (delay in network and np.min(network[delay]) > 0) or path.source not in _behind(path, flat):
        return
    first = path.passed[0] if path.passed else path.target
    raise ValueError(
        f"node '{said(path.source)}' is {source.row.node} and in a cycle in which "
        f"'{said(first)}' has no delay in front: a spike at an arrival would arrive again at the "
        "very same time. A tool that steps means one step by it; put a Delay of that, above 0, "
        f"between '{said(path.source)}' and '{said(first)}'"
    )


def _behind(path: Path, flat: Flat) -> set[Place]:
    """Return the populations that a path leads to, directly or through others."""
    found, ready = {path.target}, [path.target]
    while ready:
        place = ready.pop()
        new = {other.target for other in flat.paths if other.source == place} - found
        found |= new
        ready += new
    return found


def _delay(path: Path, connection: Any, ours: str | None) -> Array | None:
    """Return what `Network.connect` takes; `ours`: what a delay of ours was one for."""
    front, behind = path.front, path.behind
    own: Array | None = path.map.delay if isinstance(path.map, Listed) else None
    pre, post = path.map.sizes
    if behind is not None and ours != "synapse" and np.all(behind == behind[0]):
        front, behind = (0.0 if front is None else front) + np.full(pre, behind[0]), None
    listed = isinstance(connection, Synapses)
    if own is None and behind is None and ours != "synapse":
        if front is None:
            return None
        if ours == "common":
            return front[:1].reshape(())
        return front[:, None] if listed else front
    in_front = np.zeros(pre) if front is None else front
    in_back = np.zeros(post) if behind is None else behind
    if not listed:
        return in_front[:, None] + in_back
    before, after, _ = order(connection, pre, post)  # that of `own` if there is one
    result: Array = (0.0 if own is None else own) + in_front[before] + in_back[after]
    return result[None]


def _check_area(flat: Flat) -> None:
    for place, neurons in flat.populations.items():
        if neurons.row is None:
            continue
        jumps = neurons.row.jumps(neurons.of)
        if np.all(np.abs(jumps) <= _SUSPICIOUS):
            continue
        k = int(np.argmax(np.abs(jumps)))
        what, adds_to = neurons.row.jump
        raise ValueError(
            f"node '{said(place)}': {what} is {jumps[k]:.6g}, so a spike of area 1 would add that "
            f"times its weight to {adds_to}. {_advice(neurons, k, float(jumps[k]))}, or "
            "spike_area=1 if the numbers are meant as they are"
        )


def _advice(neurons: Population, k: int, jump: float) -> str:
    row = neurons.row
    if row is not None and row.delta and neurons.of("r")[k] == 1:
        return (
            "r is 1, as of a tool in which a spike is a current that lasts one step (Norse); pass "
            "that step, in the unit of tau, as spike_area"
        )
    looks_like = f"steps by dt = {1 / jump:.6g}"
    if hasattr(neurons.node, "w_in") and neurons.of("w_in")[k] == 1:
        looks_like = "leaves w_in at 1 (Norse)"
    return (
        f"This looks like a tool that {looks_like}; pass spike_area={1 / jump:.6g} if a spike adds "
        "its weight"
    )
