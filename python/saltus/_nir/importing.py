# SPDX-License-Identifier: Apache-2.0
"""Networks from NIR, the neuromorphic intermediate representation (docs/theory.md, 13)."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from .._connections import Synapses
from .._network import Network
from .areas import areas
from .cycles import delayed_by_a_step, expect_later
from .extra import extra
from .graph import Flat, Path, Population, flatten
from .kinds import order, restored
from .maps import Array, Dense, Each, Listed
from .models import Values
from .nest import Place, free, names, said
from .report import Asked, NIRImport, assumptions
from .steps import Steps
from .windows import Windows


def from_nir(
    graph: Any,
    *,
    spike_area: float | None = None,
    step: float | None = None,
    tau_ref: float | None = None,
) -> Network:
    """Make a network of a NIR graph.

    Input, Linear, Affine, Scale, Conv2d, SumPool2d, AvgPool2d, CubaLIF, CubaLI, LIF, LI, IF, Delay,
    Flatten and Output, recurrent and nested. LIF, LI and IF have delta synapses here. What lies on
    a grid becomes flat: neuron ``(c * height + y) * width + x`` is pixel (y, x) of channel c.
    `read_nir` makes the same network, and says what was assumed.

    Parameters
    ----------
    graph : nir.NIRGraph or path-like
        A graph, or the file of one.
    spike_area : float, optional
        The area of a spike S in NIR's equations, in seconds. 1 is NIR's own reading. A tool that
        steps by dt and adds W at a spike means dt (snnTorch's exporter: 1e-4, whatever the user's
        step); one whose neurons have no current, and r = 1, means dt too (Norse's LIFBoxCell).
        Unless given it is 1, and a graph whose numbers speak against that is refused; with `step`
        it is read as they say.
    step : float, optional
        The step of the tool that the graph is from, in the unit of its time constants (snnTorch:
        always 1e-4). With it V and I decay in a step by what they do there, 1 - step / tau; weights
        of exponential synapses make V as large as there; and what leads back in a cycle, which a
        tool brings a step later, has a delay of a step.
    tau_ref : float, optional
        The refractory time of all neurons that spike, in seconds; NIR has none. 0 unless given, and
        with `step` half a step for neurons with exponential synapses: so much later than V is at
        the threshold a tool resets on average. One that resets in the step after (snnTorch's
        ``reset_mechanism="zero"`` with its usual reset_delay) wants ``1.5 * step``.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        A node that cannot be expressed or would have no part in the network, named with the
        reason; LIF or IF in a cycle without a delay, unless `step` is given; a graph that looks as
        if spikes did not have area 1, when neither `spike_area` nor `step` is given: the message
        names the value to pass; a time constant that is not longer than `step`.
    TypeError
        `graph` is no NIR graph.
    """
    return read_nir(graph, spike_area=spike_area, step=step, tau_ref=tau_ref).network


def read_nir(
    graph: Any,
    *,
    spike_area: float | None = None,
    step: float | None = None,
    tau_ref: float | None = None,
) -> NIRImport:
    """Make a network of a NIR graph, and say what was read and what was assumed.

    Parameters
    ----------
    graph : nir.NIRGraph or path-like
        A graph, or the file of one.
    spike_area, step, tau_ref : float
        As in `from_nir`, which raises the same errors.

    Returns
    -------
    NIRImport
        To be printed; its `network` is what `from_nir` returns.
    """
    if isinstance(graph, str | PathLike):
        import nir  # noqa: PLC0415 (optional)

        try:
            graph = nir.read(graph)
        except OSError as e:  # of HDF5, which says where it broke down
            if not os.path.exists(graph):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), graph) from None
            raise OSError(f"{os.fspath(graph)}: no file of NIR ({e})") from None
    if not (hasattr(graph, "nodes") and hasattr(graph, "edges")):
        raise TypeError(f"graph: expected a nir.NIRGraph; got {type(graph).__name__}")
    asked = Asked(spike_area, step, tau_ref)
    asked.check()
    flat = _without_added_inputs(flatten(graph))
    late = [] if step is None else delayed_by_a_step(flat, step)
    area = areas(flat, spike_area, step)
    steps = Steps(step)
    called = _names(flat)
    network = Network()
    gains: dict[Place, Array] = {}
    # A graph of ours knows its order, which a file does not keep.
    for place, population in sorted(
        flat.populations.items(), key=lambda e: extra(e[1].node).get("order", 0)
    ):
        if population.row is None:
            network.add_input(called[place], population.size)
        else:
            constant = flat.constants.get(place, 0.0)
            theirs = _parameters(population, constant, area[place])
            parameters = steps.decaying(population, theirs)
            gains[place] = steps.gain(population, theirs) * area[place]
            held = asked.held(population.row)
            if held > 0:
                parameters["tau_ref"] = np.array(held)
            _add_population(network, called[place], population, parameters)
    paths = sorted(flat.paths, key=lambda path: extra(path.node).get("order", 0))
    for path in paths:
        _connect(network, called, path, flat.populations[path.target], gains[path.target])
    for path, name in zip(paths, network.projections, strict=True):
        expect_later(network, name, path, flat)
    return NIRImport(
        network,
        {name: said(place) for place, name in called.items()},
        {
            name: tuple(map(said, path.passed))
            for path, name in zip(paths, network.projections, strict=True)
        },
        assumptions(flat, asked, area, late),
    )


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


def _parameters(neurons: Population, constant: Array | float, area: Array | float) -> Values:
    row = neurons.row
    assert row is not None
    parameters = row.ours(neurons.of, constant)
    ours = extra(neurons.node)
    for key in ours.get("zeros", ()):
        parameters[key] = np.zeros(neurons.size)
    return parameters | _exact(neurons, parameters, ours.get("exact", {}), constant, area)


def _add_population(
    network: Network, name: str, neurons: Population, parameters: Mapping[str, Any]
) -> None:
    row = neurons.row
    assert row is not None
    ours, given = extra(neurons.node), dict(parameters)
    for key, values in given.items():
        every = np.broadcast_to(values, (neurons.size,))
        one = key in ours.get("shared", ()) or neurons.holds_one(key)
        # What NIR has no word for is one number where it is the same for all.
        implied = not ours and key in row.untold and (np.ndim(values) == 0 or not np.any(every))
        asked = key == "tau_ref" and np.ndim(values) == 0
        given[key] = every[0] if one or implied or asked else every
    try:
        network.add_population(name, row.model, neurons.size, **given)
    except ValueError as error:
        raise ValueError(f"node '{said(neurons.place)}': {error}") from None


def _exact(
    neurons: Population,
    parameters: Values,
    saved: dict[str, list[float]],
    constant: Array | float,
    area: Array | float,
) -> Values:
    """Return what NIR's numbers give but to rounding, as it was; nothing if they have changed."""
    row = neurons.row
    if row is None or not saved or isinstance(area, np.ndarray):
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
    network: Network, called: dict[Place, str], path: Path, target: Population, gain: Array
) -> None:
    assert target.row is not None
    ours = extra(path.node)
    default = f"{called[path.source]}->{called[path.target]}"
    name = ours.get("name", path.named[-1] if ours and path.named else default)
    if name in network.projections:
        name = free(default, network.projections)
    linear = path.map.scaled(target.row.gain(target.of) * gain)
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
