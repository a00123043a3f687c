# SPDX-License-Identifier: Apache-2.0
"""Networks to NIR, the neuromorphic intermediate representation (docs/theory.md, 13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._models import MODELS
from .._network import Network
from .models import BY_MODEL, Row, first_voltage
from .writer import Writer


def to_nir(network: Network, outputs: Sequence[str] | None = None) -> Any:
    """Turn a network into a NIR graph, in which spikes have area 1.

    Populations become CubaLIF and CubaLI; projections become Linear, Scale (one to one), Conv2d,
    SumPool2d or AvgPool2d, with delays of sources as a Delay before and delays of targets as one
    behind. Synapses that NIR has no word for are written as a Linear with zeros between. An I(0)
    makes an Affine of a Linear. `from_nir` gives the same network back, to the bit if I(0) is 0 and
    no delay is a sum of both.

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
        What NIR cannot express: ALIF, a refractory time, a V(0) that does not follow from the
        other parameters, delays that are no sum of one for each source and one for each target, an
        I(0) of neurons onto which nothing projects that can carry it, sparse weights that would
        fill gigabytes as a matrix. The message names it.
    ImportError
        The package nir is not installed.
    """
    import nir  # noqa: PLC0415 (optional)

    if not isinstance(network, Network):
        raise TypeError(f"network: expected a saltus.Network; got {type(network).__name__}")
    network._core.check()
    rows = {name: _row(network, name) for name in network._populations}
    writer = Writer(nir, network)
    for order, (name, row) in enumerate(rows.items()):
        shape = writer.shapes[name]
        if row is None:
            node = nir.Input(input_type={"input": np.array(shape)})
            writer.put_population(name, node, order=order)
        else:
            node, extra = _neurons(nir, network, name, row, shape)
            writer.put_population(name, node, order=order, **extra)
    constants = {name: row.constant(_reader(network, name)) for name, row in rows.items() if row}
    writer.put_projections(constants)
    # NIR's check starts at Inputs that lead somewhere.
    onward = {source for source, _ in network._projections.values()}
    unused = [name for name, row in rows.items() if row is None and name not in onward]
    for name in (*_outputs(network, outputs), *unused):
        size = np.array(writer.shapes[name])
        writer.put_output(name, nir.Output(output_type={"output": size}))
    return writer.graph()


def _reader(network: Network, name: str) -> Any:
    size = network._populations[name][1]
    return lambda key: np.broadcast_to(network[f"{name}.{key}"], (size,))


def _row(network: Network, name: str) -> Row | None:
    """Return what a population is in NIR, None for an input; refuse what it cannot be."""
    model, _ = network._populations[name]
    if model == "input":
        return None
    row = BY_MODEL.get(model)
    if row is None:
        known = " or ".join(BY_MODEL)
        raise ValueError(f"'{name}' is {model}: NIR has no such neuron; expected {known}")
    if f"{name}.tau_ref" in network and np.any(network[f"{name}.tau_ref"]):
        raise ValueError(f"{name}.tau_ref is not 0: NIR cannot express it; set it to 0")
    of = _reader(network, name)
    start, expected = of("v_initial"), np.zeros(())
    if row.spikes:
        written = row.write(of)
        expected = first_voltage(*(written[key] for key in ("v_threshold", "v_leak", "v_reset")))
    wrong = ~np.isclose(start, expected, rtol=1e-12, atol=0)
    if np.any(wrong):
        usual = np.broadcast_to(expected, wrong.shape)[np.argmax(wrong)]
        raise ValueError(
            f"{name}.v_initial is not {usual:.6g}: NIR cannot express it; set it to that, where "
            "readers of NIR start"
        )
    return row


def _neurons(
    nir: Any, network: Network, name: str, row: Row, shape: tuple[int, ...]
) -> tuple[Any, dict[str, Any]]:
    values = {key: v.reshape(shape).copy() for key, v in row.write(_reader(network, name)).items()}
    node = getattr(nir, row.node)(**values)
    # Which parameters are one number for all, and which are zeros that NIR does not have.
    given = {key: network[f"{name}.{key}"] for key in MODELS[row.model].parameters}
    shared = [key for key, value in given.items() if value.ndim == 0]
    read = row.read(lambda key: values[key].reshape(-1), 0.0)
    zeros = [key for key in given if key not in read and key not in shared]
    fed = any(target == name for _, target in network._projections.values())
    return node, {"shared": shared, "zeros": zeros, **({} if fed else {"alone": True})}


def _outputs(network: Network, outputs: Sequence[str] | None) -> list[str]:
    neurons = [name for name, (model, _) in network._populations.items() if model != "input"]
    if outputs is None:
        onward = {a for a, b in network._projections.values() if a != b}
        return [name for name in neurons if name not in onward] or neurons[-1:]
    for name in outputs:
        if name not in neurons:
            raise ValueError(f"outputs: '{name}' is no LIF or LI population; there are: {neurons}")
    return list(outputs)
