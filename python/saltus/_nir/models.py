# SPDX-License-Identifier: Apache-2.0
"""Which neurons of NIR are which of ours: a row for each, and nothing of a model elsewhere.

NIR's CubaLIF and CubaLI are our LIF and LI::

    tau_syn dI/dt = -I + w_in S        tau_mem dv/dt = v_leak - v + r I

With a spike S of area A through a weight W: bias = v_leak, weight = r w_in W A / tau_syn. An
Affine's bias B enters through the synapse: bias += r w_in B and I(0) = -r w_in B.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Of: TypeAlias = Callable[[str], Array]  # a parameter by its name, for every neuron


@dataclass(frozen=True)
class Row:
    """A neuron of NIR and the model that it is here."""

    node: str
    """The class of NIR's nodes."""
    model: str
    """As in `Network.add_population`."""
    spikes: bool
    tells: str
    """A parameter of NIR that tells the shape, unless it is one number for all neurons."""
    jump: str
    """What a spike of area 1 adds, times its weight, to a current in NIR's own unit: in words."""
    jumps: Callable[[Of], Array]
    """The same, of NIR's parameters."""
    gain: Callable[[Of], Array]
    """What a weight of NIR is multiplied with."""
    read: Callable[[Of, Array | float], dict[str, Array]]
    """Our parameters, of NIR's and of the constant current B that Affines add."""
    write: Callable[[Of], dict[str, Array]]
    """NIR's parameters, of ours."""
    constant: Callable[[Of], Array]
    """The constant current that must come from an Affine, of our parameters."""


def first_voltage(v_threshold: Array, v_leak: Array, v_reset: Array) -> Array:
    """Return V(0), of which NIR says nothing: 0, or where that is no voltage below the threshold
    (volts or millivolts against ground) the one at rest; of a neuron that never rests, its reset.
    """
    at_rest = np.where(v_leak < v_threshold, v_leak, v_reset)
    return np.where(v_threshold > 0, 0.0, at_rest)


def _read_cuba(of: Of, constant: Array | float) -> dict[str, Array]:
    incoming = of("r") * of("w_in") * constant
    return {
        "tau_mem": of("tau_mem"),
        "tau_syn": of("tau_syn"),
        "bias": of("v_leak") + incoming,
        "i_initial": 0.0 - incoming,
    }


def _read_cuba_lif(of: Of, constant: Array | float) -> dict[str, Array]:
    limits = {key: of(key) for key in ("v_threshold", "v_reset")}
    start = first_voltage(v_leak=of("v_leak"), **limits)
    return {**_read_cuba(of, constant), **limits, "v_initial": start}


def _write_cuba(of: Of) -> dict[str, Array]:
    # v_leak is where V settles before the Affine's constant current comes in.
    tau_syn = of("tau_syn")
    return {
        "tau_mem": of("tau_mem"),
        "tau_syn": tau_syn,
        "r": np.ones_like(tau_syn),
        "v_leak": of("bias") + of("i_initial"),
        "w_in": tau_syn,
    }


def _write_cuba_lif(of: Of) -> dict[str, Array]:
    return {**_write_cuba(of), "v_threshold": of("v_threshold"), "v_reset": of("v_reset")}


def _cuba(
    node: str,
    model: str,
    spikes: bool,
    read: Callable[[Of, Array | float], dict[str, Array]],
    write: Callable[[Of], dict[str, Array]],
) -> Row:
    return Row(
        node,
        model,
        spikes,
        tells="tau_mem",
        jump="w_in / tau_syn",
        jumps=lambda of: of("w_in") / of("tau_syn"),
        gain=lambda of: of("r") * of("w_in") / of("tau_syn"),
        read=read,
        write=write,
        constant=lambda of: -of("i_initial") / of("tau_syn"),
    )


ROWS = (
    _cuba("CubaLIF", "LIF", True, _read_cuba_lif, _write_cuba_lif),
    _cuba("CubaLI", "LI", False, _read_cuba, _write_cuba),
)
BY_NODE = {row.node: row for row in ROWS}
BY_MODEL = {row.model: row for row in ROWS}
DELTA = ("LIF", "IF", "LI", "I")  # nodes whose synapses are delta pulses
