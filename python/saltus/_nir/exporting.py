# SPDX-License-Identifier: Apache-2.0
"""Networks to NIR, the neuromorphic intermediate representation (docs/theory.md, 13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._models import MODELS
from .._network import Network
from .dialects import Dialect, prepare
from .dialects import dialect as find_dialect
from .models import BY_MODEL, Row
from .visits import output_last
from .writer import Writer


def to_nir(
    network: Network,
    outputs: Sequence[str] | None = None,
    *,
    spike_area: float | None = None,
    dialect: str | None = None,
    step: float | None = None,
) -> Any:
    """Turn a network into a NIR graph.

    LIF and LI become CubaLIF and CubaLI, and with delta synapses NIR's LIF and LI; IF with them
    becomes IF. Projections become Linear, Scale (one to one), Conv2d, SumPool2d or AvgPool2d, with
    delays of sources as a Delay before and delays of targets as one behind. Synapses that NIR has
    no word for are written as a Linear with zeros between. An I(0), or a bias of IF, makes an
    Affine of a Linear. `from_nir` gives the same network back, to the bit unless a delay is a sum
    of both or spikes have another area than 1.

    Parameters
    ----------
    network : Network
    outputs : sequence of str, optional
        The populations that lead to an Output; those that project onto no other unless given.
    spike_area : float, optional
        The area of a spike S in NIR's equations, in seconds, as in `from_nir`. 1, NIR's own
        reading, unless given. For a tool that steps by dt and reads that a spike lasts a step: dt.
    dialect : {"snntorch", "norse"}, optional
        Write what the reader of this tool reads as it is meant: one input and one output, voltages
        in units of v_threshold above v_reset, time constants and weights with which its steps make
        the same voltages, pooling as a convolution, readouts as neurons with a threshold of 1e30.
        ``from_nir(graph, step=step)`` reads that.
    step : float, optional
        With a dialect the step of the tool, in seconds. snnTorch always takes 1e-4; Norse the dt
        that is given to its ``from_nir``, 1e-3 unless given.

    Returns
    -------
    nir.NIRGraph

    Raises
    ------
    ValueError
        What NIR cannot express: ALIF, RF, alpha synapses, a refractory time, a V(0) that does not
        follow from the other parameters, delays that are no sum of one for each source and one for
        each target, an I(0), or a bias of IF, of neurons onto which nothing projects that can carry
        it, sparse weights that would fill gigabytes as a matrix; with a dialect what the tool
        cannot have: delays, a start elsewhere than at the reset. The message names it.
    ImportError
        The package nir is not installed.
    """
    import nir  # noqa: PLC0415 (optional)

    if not isinstance(network, Network):
        raise TypeError(f"network: expected a saltus.Network; got {type(network).__name__}")
    if spike_area is not None and not (np.isfinite(spike_area) and spike_area > 0):
        raise ValueError(f"spike_area is {spike_area}; expected a finite number above 0")
    network._core.check()
    tool = find_dialect(dialect, step)
    if tool is None:
        return _plain(nir, network, outputs, 1.0 if spike_area is None else spike_area)
    if spike_area is not None:
        raise ValueError(
            f"spike_area is {spike_area} with dialect {dialect!r}; expected none, since a spike "
            "lasts a step there"
        )
    return _for_tool(nir, network, outputs, tool)


def _plain(nir: Any, network: Network, outputs: Sequence[str] | None, spike_area: float) -> Any:
    rows = {name: _row(network, name) for name in network._populations}
    writer = Writer(nir, network)
    for order, (name, row) in enumerate(rows.items()):
        shape = writer.shapes[name]
        if row is None:
            node = nir.Input(input_type={"input": np.array(shape)})
            writer.put_population(name, node, order=order)
        else:
            node, extra = _neurons(writer, name, row, spike_area)
            writer.put_population(name, node, order=order, **extra)
    writer.put_projections(
        {
            name: (row.carried, row.constant(_reader(network, name), spike_area))
            for name, row in rows.items()
            if row
        }
    )
    # NIR's check starts at Inputs that lead somewhere.
    onward = {source for source, _ in network._projections.values()}
    unused = [name for name, row in rows.items() if row is None and name not in onward]
    for name in (*_outputs(network, outputs), *unused):
        size = np.array(writer.shapes[name])
        writer.put_output(name, nir.Output(output_type={"output": size}))
    return writer.graph()


def _for_tool(nir: Any, network: Network, outputs: Sequence[str] | None, tool: Dialect) -> Any:
    for name in network._populations:
        _row(network, name, for_tool=True)
    ends = _outputs(network, outputs)
    if len(ends) != 1:
        raise ValueError(
            f"outputs: {tool.name} reads graphs with one output; there are {len(ends)}: {ends}. "
            "Name one in outputs"
        )
    found = prepare(network, tool)
    writer = Writer(nir, found.network, for_modules=True)
    for order, name in enumerate(found.network._populations):
        shape = writer.shapes[name]
        if name in found.nodes:
            kind, values = found.nodes[name]
            node = getattr(nir, kind)(**{key: v.reshape(shape) for key, v in values.items()})
        else:
            node = nir.Input(input_type={"input": np.array(shape)})
        writer.put_population(name, node, order=order)
    writer.put_projections(found.currents)
    size = np.array(writer.shapes[ends[0]])
    writer.put_output(ends[0], nir.Output(output_type={"output": size}))
    if tool.name == "norse":
        start = writer.labels[next(iter(found.network._populations))]
        last = writer.edges[-1][1]
        writer.edges = output_last(writer.edges, start, last)
    return writer.graph()


def _reader(network: Network, name: str) -> Any:
    size = network._populations[name][1]
    return lambda key: np.broadcast_to(network[f"{name}.{key}"], (size,))


def _row(network: Network, name: str, for_tool: bool = False) -> Row | None:
    """Return what a population is in NIR, None for an input; refuse what it cannot be."""
    model, _ = network._populations[name]
    if model == "input":
        return None
    row = BY_MODEL.get(model)
    if row is None:
        *others, last = BY_MODEL
        known = f"{', '.join(others)} or {last}"
        raise ValueError(f"'{name}' is {model}: NIR has no such neuron; expected {known}")
    if for_tool:
        return row  # which says itself where it may start
    if f"{name}.tau_ref" in network and np.any(network[f"{name}.tau_ref"]):
        raise ValueError(f"{name}.tau_ref is not 0: NIR cannot express it; set it to 0")
    of = _reader(network, name)
    start, expected = of("v_initial"), np.zeros(())
    if row.start is not None:
        expected = row.start(row.write(of, 1.0).__getitem__)
    wrong = ~np.isclose(start, expected, rtol=1e-12, atol=0)
    if np.any(wrong):
        usual = np.broadcast_to(expected, wrong.shape)[np.argmax(wrong)]
        raise ValueError(
            f"{name}.v_initial is not {usual:.6g}: NIR cannot express it; set it to that, where "
            "readers of NIR start"
        )
    return row


def _neurons(writer: Writer, name: str, row: Row, area: float) -> tuple[Any, dict[str, Any]]:
    network, shape = writer.network, writer.shapes[name]
    of = _reader(network, name)
    values = row.write(of, area)
    kind = getattr(writer.nir, row.node)
    node = kind(**{key: v.reshape(shape).copy() for key, v in values.items()})
    # Which parameters are one number for all, and which are zeros that NIR does not have.
    given = {key: network[f"{name}.{key}"] for key in MODELS[row.model].parameters}
    shared = [key for key, value in given.items() if value.ndim == 0]
    read = row.ours(values.__getitem__, row.constant(of, area))
    zeros = [key for key in given if key not in read and key not in shared]
    exact = {key: of(key).tolist() for key, value in read.items() if not np.all(of(key) == value)}
    fed = any(target == name for _, target in network._projections.values())
    more = {"exact": exact} if exact else {}
    return node, {"shared": shared, "zeros": zeros, **more, **({} if fed else {"alone": True})}


def _outputs(network: Network, outputs: Sequence[str] | None) -> list[str]:
    neurons = [name for name, (model, _) in network._populations.items() if model != "input"]
    if outputs is None:
        onward = {a for a, b in network._projections.values() if a != b}
        return [name for name in neurons if name not in onward] or neurons[-1:]
    for name in outputs:
        if name not in neurons:
            raise ValueError(f"outputs: '{name}' is no population of neurons; there are: {neurons}")
    return list(outputs)
