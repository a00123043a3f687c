# SPDX-License-Identifier: Apache-2.0
"""Networks as the readers of other tools want them in NIR.

These step by dt, start at V = 0, reset to 0 and know no v_leak, no delay and no pooling. So V is
written in units in which reset and start are 0 and the threshold is 1, decays in a step by what it
does here, and gets its bias from an Affine; pooling becomes a convolution; a delay of a step, in a
cycle, is what they take anyway. The result is a network again, and what its nodes hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .._connections import Synapses
from .._network import Network
from .grids import windows_of
from .kinds import Kind, kinds
from .maps import Array
from .models import Values
from .steps import rise, tau_of_steps
from .windows import Windows

_NEVER = 1e30  # a threshold, of readouts: the tools have no LI
_NO_LEAK = 1e9  # steps: in their single precision 1 - dt / tau is 1

# What a container of PyTorch's modules has already, and no module in it can be called.
_ATTRIBUTES = """
    T_destination add_module add_submodule apply bfloat16 buffers call_super_init children clear
    code compile cpu delete_all_unused_submodules delete_submodule graph meta print_readable
    recompile shape_env to_folder
    cuda double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half ipu items keys load_state_dict modules mtia named_buffers named_children
    named_modules named_parameters parameters pop register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state
    set_submodule share_memory state_dict to to_empty train training type update values xpu
    zero_grad input output state"""
RESERVED = frozenset(_ATTRIBUTES.split())


@dataclass(frozen=True)
class Dialect:
    """What a tool reads."""

    name: str
    step: float
    any_step: bool
    jump: Callable[[Array, float], Array]
    """What r of LIF is, of tau and the step."""
    fires: bool
    """Whether it reads IF."""


DIALECTS = {
    "snntorch": Dialect("snntorch", 1e-4, False, lambda tau, dt: tau / dt, fires=False),
    "norse": Dialect("norse", 1e-3, True, lambda tau, _: np.ones_like(tau), fires=True),
}


@dataclass
class Prepared:
    """A network whose weights are those of the tool, and what its neurons are in NIR."""

    network: Network
    nodes: dict[str, tuple[str, Values]] = field(default_factory=dict)
    """Of each population the class of its node, and its parameters."""
    currents: dict[str, tuple[str, Array]] = field(default_factory=dict)
    """Of each population which parameter wants a constant current, and that."""


def dialect(name: str | None, step: float | None) -> Dialect | None:
    """Return what a user asked for; None: NIR as it is."""
    if name is None:
        if step is not None:
            raise ValueError(f"step is {step} without a dialect; expected dialect='norse' with it")
        return None
    if name not in DIALECTS:
        raise ValueError(f"dialect is {name!r}; expected one of {sorted(DIALECTS)}, or none")
    found = DIALECTS[name]
    if step is None or step == found.step:
        return found
    if not found.any_step:
        raise ValueError(
            f"step is {step}; {name} always takes {found.step:g} s for its step: expected that, or "
            "a network whose times are scaled"
        )
    if not (np.isfinite(step) and step > 0):
        raise ValueError(f"step is {step}; expected a finite number above 0, in seconds")
    return Dialect(name, step, True, found.jump, found.fires)


def label(name: str) -> str:
    """Return what a node is called: a name that a module of PyTorch can have, or near to it."""
    plain = re.sub(r"[./\0]", "_", name)
    return f"{plain}_" if plain in RESERVED or plain.startswith("_") else plain


def prepare(network: Network, tool: Dialect) -> Prepared:
    """Write a network as a tool has it; raises ValueError for what it cannot have."""
    inputs = [name for name, (model, _) in network._populations.items() if model == "input"]
    if len(inputs) != 1:
        raise ValueError(
            f"{tool.name} reads graphs with one input; there are {len(inputs)}: {inputs}"
        )
    result = Prepared(Network())
    result.network.add_input(inputs[0], network._size(inputs[0]))
    factors = {}
    for name, (model, size) in network._populations.items():
        if model == "input":
            continue
        factors[name] = _neurons(result, network, name, tool)
        result.network.add_population(name, model, size)  # its node holds the parameters
    for name, kind in kinds(network).items():
        source, target = network._projections[name]
        _expect_no_delay(network, name, tool)
        connection = _scaled(network, name, kind, factors[target])
        result.network.connect(source, target, connection, None, name)
    return result


def _neurons(result: Prepared, network: Network, name: str, tool: Dialect) -> Array:
    """Put down the node of a population; return what its weights are multiplied with."""
    model, size = network._populations[name]
    dt = tool.step

    def of(key: str) -> Array:
        return np.broadcast_to(network[f"{name}.{key}"], (size,))

    spikes = f"{name}.v_threshold" in network
    low = of("v_reset") if spikes else np.zeros(size)
    unit = of("v_threshold") - low if spikes else np.ones(size)
    _expect(name, "v_initial", of("v_initial"), low, tool)
    if spikes:
        held = of("tau_ref")
        if np.any(held > dt * (1 + 1e-9)):
            raise ValueError(
                f"{name}.tau_ref is {held.max():.6g}: {tool.name} has none; expected at most its "
                f"step, {dt:g}"
            )
    drive = (of("bias") - (low if model != "IF:delta" else 0.0)) / unit
    limits = {
        "v_threshold": np.ones(size) if spikes else np.full(size, _NEVER),
        "v_reset": np.zeros(size),
    }
    if model == "IF:delta":
        tau = np.full(size, _NO_LEAK * dt)
        result.nodes[name] = ("LIF", {"tau": tau, "r": tau / dt, "v_leak": 0 * tau, **limits})
        if tool.fires:
            result.nodes[name] = ("IF", {"r": np.ones(size), **limits})
        result.currents[name] = ("bias", drive * dt / of("tau_mem"))
        return 1 / unit
    tau = tau_of_steps(of("tau_mem"), dt)
    if model.endswith(":delta"):
        r = tool.jump(tau, dt)
        result.nodes[name] = ("LIF", {"tau": tau, "r": r, "v_leak": np.zeros(size), **limits})
        result.currents[name] = ("bias", drive / r)
        return tau / dt / r / unit
    tau_syn = tau_of_steps(of("tau_syn"), dt)
    _expect(name, "i_initial", of("i_initial"), low - of("bias"), tool)
    r, w_in = tau / dt, tau_syn / dt
    values = {"tau_mem": tau, "tau_syn": tau_syn, "r": r, "w_in": w_in, "v_leak": np.zeros(size)}
    result.nodes[name] = ("CubaLIF", {**values, **limits})
    result.currents[name] = ("i_initial", drive / r / w_in)
    return 1 / (r * rise(tau, tau_syn, dt) * unit)


def _scaled(network: Network, name: str, kind: Kind, factor: Array) -> Array | Synapses:
    """Return a connection with its weights multiplied by a factor for each target neuron."""
    weight = network[f"{name}.weight"]
    windows = windows_of(kind)
    if kind.name == "dense":
        return weight * factor
    if windows is not None and windows.kernel is None:  # pooling
        channels = windows.input[0]
        kernel = np.zeros((channels, channels, *windows.size))
        kernel[range(channels), range(channels)] = weight[0]
        kind = Kind("conv2d", _conv_rows(windows, kernel), None)
        weight = kernel
    _, post, place = network.synapses(name)
    if kind.name == "conv2d":
        rows = factor.reshape(len(weight), -1)
        if not np.all(rows == rows[:, :1]):
            raise ValueError(_differ(network, name))
        return Synapses("conv2d", weight * rows[:, :1, None, None], list(kind.rows.items()))
    values = weight.reshape(-1)
    own = np.ones(values.size)
    own[place] = factor[post]
    if not np.array_equal(own[place], factor[post]):
        raise ValueError(_differ(network, name))
    return Synapses(kind.name, (values * own).reshape(weight.shape), list(kind.rows.items()))


def _differ(network: Network, name: str) -> str:
    return (
        f"{name}: synapses that share a weight lead to neurons of "
        f"'{network._projections[name][1]}' that differ in tau_mem, tau_syn, v_threshold or "
        "v_reset; a tool has these in the weights: expected the same of all neurons of a channel"
    )


def _conv_rows(windows: Windows, kernel: Array) -> dict[str, list[int]]:
    return {
        "input": list(windows.input),
        "kernel": list(kernel.shape),
        "stride": list(windows.stride),
        "padding": [0, 0],
        "dilation": [1, 1],
    }


def _expect_no_delay(network: Network, name: str, tool: Dialect) -> None:
    if f"{name}.delay" not in network:
        return
    delay = network[f"{name}.delay"]
    if not np.any(delay):
        return
    source, target = network._projections[name]
    if _leads(network, target, source) and np.max(delay) <= tool.step * (1 + 1e-9):
        return  # the tool takes a step there anyway
    raise ValueError(
        f"{name}.delay is up to {np.max(delay):.6g}: {tool.name} has no delays; expected 0, or in "
        f"a cycle at most its step, {tool.step:g}"
    )


def _leads(network: Network, start: str, end: str) -> bool:
    found, ready = {start}, [start]
    while ready:
        at = ready.pop()
        new = {b for a, b in network._projections.values() if a == at} - found
        found |= new
        ready += new
    return end in found


def _expect(name: str, key: str, found: Array, expected: Array, tool: Dialect) -> None:
    wrong = ~np.isclose(found, expected, rtol=1e-12, atol=1e-300)
    if np.any(wrong):
        k = int(np.argmax(wrong))
        raise ValueError(
            f"{name}.{key} is {found[k]:.6g}: {tool.name} cannot have that; expected "
            f"{expected[k]:.6g} (it starts at its reset, and a bias comes through the synapse)"
        )
