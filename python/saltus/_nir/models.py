# SPDX-License-Identifier: Apache-2.0
"""Which neurons of NIR are which of ours: a row for each, and nothing of a model elsewhere.

NIR's CubaLIF and CubaLI are our LIF and LI::

    tau_syn dI/dt = -I + w_in S        tau_mem dv/dt = v_leak - v + r I

With a spike S of area A through a weight W: bias = v_leak, weight = r w_in W A / tau_syn. An
Affine's bias B enters through the synapse: bias += r w_in B and I(0) = -r w_in B.

NIR's LIF, LI and IF are ours with delta synapses::

    tau dv/dt = v_leak - v + r I       of IF: dv/dt = r I

Weight = r W A / tau, bias = v_leak + r B. Of IF weight = r W A, and tau_mem = 1 s makes bias = r B.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Of: TypeAlias = Callable[[str], Array]  # a parameter by its name, for every neuron
Values: TypeAlias = dict[str, Array]


@dataclass(frozen=True)
class Row:
    """A neuron of NIR and the model that it is here."""

    node: str
    """The class of NIR's nodes."""
    model: str
    """As in `Network.add_population`, with its synapse."""
    tells: str
    """A parameter of NIR that tells the shape, unless it is one number for all neurons."""
    jump: tuple[str, str]
    """What a spike of area 1 adds, times its weight, in NIR's own unit: in words; and to what."""
    jumps: Callable[[Of], Array]
    """The same, of NIR's parameters."""
    gain: Callable[[Of], Array]
    """What a weight of NIR is multiplied with."""
    read: Callable[[Of, Array | float], Values]
    """Our parameters, of NIR's and of the constant current B that Affines add."""
    start: Callable[[Of], Array] | None
    """V(0), of NIR's parameters; None: neurons without a spike, that start at 0."""
    write: Callable[[Of, float], Values]
    """NIR's parameters, of ours and of the area of a spike."""
    constant: Callable[[Of, float], Array]
    """The constant current that must come from an Affine, of the same."""
    carried: str
    """Which of our parameters wants it."""
    untold: tuple[str, ...]
    """Those of ours that NIR has no word for: one number for all where they are 0."""

    def ours(self, of: Of, constant: Array | float) -> Values:
        """Return all of our parameters that are not always the usual ones."""
        start = {} if self.start is None else {"v_initial": self.start(of)}
        return {**self.read(of, constant), **start}

    @property
    def spikes(self) -> bool:
        """A readout does not."""
        return self.start is not None

    @property
    def leaks(self) -> bool:
        """IF does not: its time constant is a unit."""
        return self.node != "IF"

    @property
    def delta(self) -> bool:
        """Whether an arrival moves V itself, and can make a spike at its own time."""
        return self.model.endswith(":delta")


def first_voltage(v_threshold: Array, v_leak: Array, v_reset: Array) -> Array:
    """Return V(0), of which NIR says nothing: 0, or where that is no voltage below the threshold
    (volts or millivolts against ground) the one at rest; of a neuron that never rests, its reset.
    """
    at_rest = np.where(v_leak < v_threshold, v_leak, v_reset)
    return np.where(v_threshold > 0, 0.0, at_rest)


def _at_rest(of: Of) -> Array:
    return first_voltage(of("v_threshold"), of("v_leak"), of("v_reset"))


def _at_reset(of: Of) -> Array:
    return np.where(of("v_threshold") > 0, 0.0, of("v_reset"))


def _limits(of: Of) -> Values:
    return {key: of(key) for key in ("v_threshold", "v_reset")}


def _read_cuba(of: Of, constant: Array | float) -> Values:
    incoming = of("r") * of("w_in") * constant
    return {
        "tau_mem": of("tau_mem"),
        "tau_syn": of("tau_syn"),
        "bias": of("v_leak") + incoming,
        "i_initial": 0.0 - incoming,
    }


def _write_cuba(of: Of, area: float) -> Values:
    # v_leak is where V settles before the Affine's constant current comes in.
    tau_syn = of("tau_syn")
    return {
        "tau_mem": of("tau_mem"),
        "tau_syn": tau_syn,
        "r": np.ones_like(tau_syn),
        "v_leak": of("bias") + of("i_initial"),
        "w_in": tau_syn / area,
    }


def _read_leaky(of: Of, constant: Array | float) -> Values:
    return {"tau_mem": of("tau"), "bias": of("v_leak") + of("r") * constant}


def _write_li(of: Of, area: float) -> Values:
    tau = of("tau_mem")
    return {"tau": tau, "r": tau / area, "v_leak": of("bias")}


def _write_lif(of: Of, area: float) -> Values:
    # In millivolts V starts at v_leak: what of the bias is not there at the start is a current.
    start, bias = of("v_initial"), of("bias")
    usual = first_voltage(v_leak=bias, **_limits(of))
    whole = (of("v_threshold") > 0) | np.isclose(start, usual, rtol=1e-12, atol=0)
    return {**_write_li(of, area), "v_leak": np.where(whole, bias, start), **_limits(of)}


def _constant_lif(of: Of, area: float) -> Array:
    current: Array = (of("bias") - _write_lif(of, area)["v_leak"]) / of("tau_mem") * area
    return current


def _read_if(of: Of, constant: Array | float) -> Values:
    return {"tau_mem": np.ones(()), "bias": of("r") * constant, **_limits(of)}


def _write_if(of: Of, area: float) -> Values:
    return {"r": np.full_like(of("tau_mem"), 1 / area), **_limits(of)}


def _cuba(node: str, model: str) -> Row:
    lif = node == "CubaLIF"
    return Row(
        node,
        model,
        tells="tau_mem",
        jump=("w_in / tau_syn", "I"),
        jumps=lambda of: of("w_in") / of("tau_syn"),
        gain=lambda of: of("r") * of("w_in") / of("tau_syn"),
        read=lambda of, b: {**_read_cuba(of, b), **(_limits(of) if lif else {})},
        start=_at_rest if lif else None,
        write=lambda of, area: {**_write_cuba(of, area), **(_limits(of) if lif else {})},
        constant=lambda of, area: -of("i_initial") / (of("tau_syn") / area),
        carried="i_initial",
        untold=("i_initial", "v_initial"),
    )


def _leaky(node: str, model: str) -> Row:
    lif = node == "LIF"
    return Row(
        node,
        model,
        tells="tau",
        jump=("r / tau", "V"),
        jumps=lambda of: of("r") / of("tau"),
        gain=lambda of: of("r") / of("tau"),
        read=lambda of, b: {**_read_leaky(of, b), **(_limits(of) if lif else {})},
        start=_at_rest if lif else None,
        write=_write_lif if lif else _write_li,
        constant=_constant_lif if lif else lambda of, _: np.zeros_like(of("bias")),
        carried="v_initial",
        untold=("v_initial",),
    )


ROWS = (
    _cuba("CubaLIF", "LIF"),
    _cuba("CubaLI", "LI"),
    _leaky("LIF", "LIF:delta"),
    _leaky("LI", "LI:delta"),
    Row(
        "IF",
        "IF:delta",
        tells="r",
        jump=("r", "V"),
        jumps=lambda of: of("r"),
        gain=lambda of: of("r"),
        read=_read_if,
        start=_at_reset,
        write=_write_if,
        constant=lambda of, area: of("bias") / of("tau_mem") * area,
        carried="bias",
        untold=("tau_mem", "bias", "v_initial"),
    ),
)
BY_NODE = {row.node: row for row in ROWS}
BY_MODEL = {row.model: row for row in ROWS}
CALLED = {"tau_mem": "tau"}  # what NIR calls otherwise in neurons with delta synapses
