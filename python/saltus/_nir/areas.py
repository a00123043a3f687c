# SPDX-License-Identifier: Apache-2.0
"""The area of a spike S in NIR's equations: given, found in a graph's numbers, or asked for."""

from __future__ import annotations

import numpy as np

from .graph import Flat, Population
from .maps import Array
from .nest import Place, said

_SUSPICIOUS = 10.0  # a spike of area 1 that adds more than this times its weight


def areas(flat: Flat, given: float | None, step: float | None) -> dict[Place, Array | float]:
    """Return it for each population of neurons: one number, or one for each neuron.

    A graph whose numbers speak against area 1 is of a tool that steps, and is refused unless the
    step is known.
    """
    found: dict[Place, Array | float] = {}
    for place, neurons in flat.populations.items():
        if neurons.row is None:
            continue
        if given is not None:
            found[place] = given
            continue
        jumps = neurons.row.jumps(neurons.of)
        if np.all(np.abs(jumps) <= _SUSPICIOUS):
            found[place] = 1.0
        elif step is None:
            _refuse(place, neurons, jumps)
        else:
            found[place] = _of_a_stepping_tool(neurons, step)
    return found


def _of_a_stepping_tool(neurons: Population, step: float) -> Array | float:
    if _leaves_w_in(neurons):
        tau_syn = neurons.of("tau_syn")
        return float(tau_syn[0]) if np.all(tau_syn == tau_syn[0]) else tau_syn
    return step


def _leaves_w_in(neurons: Population) -> bool:
    """Whether a spike adds its weight to I, and nothing in the node says so (Norse)."""
    return hasattr(neurons.node, "w_in") and bool(
        np.all(neurons.of("w_in") == 1) and np.all(neurons.of("r") == 1)
    )


def _refuse(place: Place, neurons: Population, jumps: Array) -> None:
    assert neurons.row is not None
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
        also = ""
    else:
        also = f", step={1 / jump:.6g} to have its steps too"
    return (
        f"This looks like a tool that {looks_like}; pass spike_area={1 / jump:.6g} if a spike adds "
        f"its weight{also}"
    )
