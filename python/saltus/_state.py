# SPDX-License-Identifier: Apache-2.0
"""Where a run stands at its end: `simulate` goes on from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._arrays import expect_shape, integers, numbers
from ._models import MODELS
from ._network import Network
from ._spikes import spike_arrays

_CoreState = list[
    tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]
]


def _no_times() -> NDArray[np.float64]:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class PopulationState:
    """The state of one population at the end of every sample.

    Attributes
    ----------
    values : dict of str to ndarray of float64, shape (samples, neurons)
        V, I and what else the neuron model has (`Model.components`); empty of an input.
    times : ndarray of float64, shape (spikes,)
        Spikes that have not arrived everywhere yet, or behind which V is still held: seconds from
        the end of their sample, at most 0, ascending within it.
    neurons : ndarray of int32, shape (spikes,)
    offsets : ndarray of int64, shape (samples + 1,)
        Sample ``s`` has the spikes ``offsets[s]`` to ``offsets[s + 1] - 1``.
    """

    values: dict[str, NDArray[np.float64]]
    times: NDArray[np.float64] = field(default_factory=_no_times)
    neurons: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    offsets: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    def __getitem__(self, component: str) -> NDArray[np.float64]:
        """Return a component of the state, as ``"V"``: shape (samples, neurons)."""
        if component not in self.values:
            known = ", ".join(f"'{name}'" for name in self.values) or "none"
            raise KeyError(f"no component '{component}'; there are: {known}")
        return self.values[component]


@dataclass(frozen=True, eq=False)
class State(Mapping[str, PopulationState]):
    """All that a network remembers at the end of every sample of a batch.

    `Record.state` makes it; ``simulate(..., state=...)`` goes on from it. A mapping from the names
    of populations to `PopulationState`.

    Attributes
    ----------
    populations : dict of str to PopulationState
    samples : int
        The number of samples in the batch.

    Examples
    --------
    A run in two halves, the second of which goes on where the first ends:

    >>> import numpy as np, saltus
    >>> net = saltus.Network()
    >>> net.add_input("in", 1)
    >>> net.add_population("out", "LIF", 1, tau_ref=2e-3)
    >>> net.connect("in", "out", [[4.0]], delay=3e-3)
    >>> first = saltus.simulate(net, {"in": [([1e-3, 9e-3], [0, 0])]}, t_end=10e-3)
    >>> rest = saltus.simulate(net, {"in": [([], [])]}, t_end=40e-3, state=first.state())
    >>> first.state()["in"].times
    array([-0.001])
    """

    populations: dict[str, PopulationState]
    samples: int

    def __getitem__(self, population: str) -> PopulationState:
        """Return the state of one population."""
        if population not in self.populations:
            known = ", ".join(f"'{name}'" for name in self.populations)
            raise KeyError(f"no population '{population}' in the state; there are: {known}")
        return self.populations[population]

    def __iter__(self) -> Iterator[str]:
        return iter(self.populations)

    def __len__(self) -> int:
        return len(self.populations)

    def __repr__(self) -> str:
        waiting = sum(len(p.times) for p in self.populations.values())
        names = ", ".join(self.populations)
        return f"<saltus.State: {self.samples} samples of {names}, {waiting} spikes on their way>"

    def take(self, samples: ArrayLike) -> State:
        """Return the state of some samples, in that order.

        Parameters
        ----------
        samples : array_like of int, shape (chosen,)
            Their numbers, from 0; a sample may come more than once.

        Returns
        -------
        State

        Raises
        ------
        ValueError
            A number that is no sample.
        """
        chosen = integers(samples, "samples", np.int64).reshape(-1)
        for number in chosen:
            if not 0 <= number < self.samples:
                raise ValueError(f"samples: {number} is none of the {self.samples} samples")
        return State({name: _take(p, chosen) for name, p in self.items()}, len(chosen))

    def below(self, network: Network) -> State:
        """Return the state with V just below the threshold of its neuron where it is not below.

        There is no crossing from below to wait for otherwise, and `simulate` refuses it: as after
        thresholds were lowered between two chunks.

        Parameters
        ----------
        network : Network
            With the populations of the state.

        Returns
        -------
        State

        Raises
        ------
        ValueError
            A network with other populations.
        """
        found = _core.below_thresholds(network._core, to_core(network, self))
        return from_core(network, found, self.samples)


def _take(p: PopulationState, chosen: NDArray[np.int64]) -> PopulationState:
    slices = [slice(p.offsets[s], p.offsets[s + 1]) for s in chosen]
    counts = [part.stop - part.start for part in slices]
    return PopulationState(
        {name: values[chosen] for name, values in p.values.items()},
        np.concatenate([p.times[part] for part in slices] or [p.times[:0]]),
        np.concatenate([p.neurons[part] for part in slices] or [p.neurons[:0]]),
        np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
    )


def components(network: Network, population: str) -> tuple[str, ...]:
    """Return what the components of the state of a population are called; none of an input."""
    model, _ = network._populations[population]
    return () if model == "input" else MODELS[model].components


def from_core(network: Network, found: _CoreState, samples: int) -> State:
    """Make a state of what the core gives."""
    populations = {}
    every = zip(network._populations.items(), found, strict=True)
    for (name, (_, size)), (x, times, neurons, offsets) in every:
        names = components(network, name)
        shaped = x.reshape(samples, size, len(names)) if names else x
        values = {key: np.ascontiguousarray(shaped[:, :, k]) for k, key in enumerate(names)}
        populations[name] = PopulationState(values, times, neurons, offsets)
    return State(populations, samples)


def to_core(network: Network, state: object) -> _CoreState:
    """Return a copy of a state as the core wants it; shapes are checked."""
    if not isinstance(state, State):
        raise TypeError(f"state: expected a saltus.State; got {type(state).__name__}")
    known = list(network._populations)
    if list(state) != known:
        raise ValueError(
            f"state: it is of {', '.join(state)}; expected the populations {', '.join(known)}"
        )
    result: _CoreState = []
    for name, p in state.items():
        names = components(network, name)
        if tuple(p.values) != names:
            has = ", ".join(p.values) or "none"
            raise ValueError(
                f"state['{name}'] has the components {has}; expected {', '.join(names) or 'none'}"
            )
        shape = (state.samples, network._populations[name][1])
        parts = []
        for key in names:
            values = numbers(p.values[key], f"state['{name}']['{key}']")
            expect_shape(values, f"state['{name}']['{key}']", shape, axes="[sample, neuron]")
            parts.append(values)
        x = np.stack(parts, axis=-1) if parts else np.zeros(0)
        argument = f"state['{name}'] spikes"
        times, neurons, offsets = spike_arrays((p.times, p.neurons, p.offsets), argument)
        result.append((x.reshape(-1), times.copy(), neurons.copy(), offsets.copy()))
    return result


def named(network: Network, flat: Mapping[str, NDArray[Any]], samples: int) -> dict[str, Any]:
    """Return gradients by a state under the names ``"h.state.V"`` and ``"h.state.times"``."""
    result = {}
    for name, (_, size) in network._populations.items():
        names = components(network, name)
        x = flat[f"{name}.state"]
        for k, key in enumerate(names):
            shaped = x.reshape(samples, size, len(names))[:, :, k]
            result[f"{name}.state.{key}"] = np.ascontiguousarray(shaped)
        result[f"{name}.state.times"] = flat[f"{name}.state.times"]
    return result


Errors = Mapping[str, ArrayLike]


def errors_of(
    network: Network, given: Errors, samples: int
) -> dict[str, tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]]:
    """Return what is said of a state, per population: [sample, neuron, component], [spikes].

    Entries of other kinds than ``"h.state.V"`` are what the same call gave besides.
    """
    if not isinstance(given, Mapping):
        raise TypeError(
            "state_errors: expected a dict, as backward() of what goes on returns it; got "
            f"{type(given).__name__}"
        )
    found: dict[str, tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]] = {}
    used: set[str] = set()
    for name, (_, size) in network._populations.items():
        names = components(network, name)
        x = None
        for k, key in enumerate(names):
            entry = f"{name}.state.{key}"
            if entry not in given:
                continue
            argument = f"state_errors['{entry}']"
            values = numbers(given[entry], argument)
            expect_shape(values, argument, (samples, size), axes="[sample, neuron]")
            if x is None:
                x = np.zeros((samples, size, len(names)))
            x[:, :, k] = values
            used.add(entry)
        past = None
        entry = f"{name}.state.times"
        if entry in given:
            past = numbers(given[entry], f"state_errors['{entry}']").reshape(-1)
            used.add(entry)
        if x is not None or past is not None:
            found[name] = (None if x is None else x.reshape(-1), past)
    odd = next((key for key in given if ".state." in key and key not in used), None)
    if odd or not used:
        known = [f"{n}.state.{c}" for n in network._populations for c in components(network, n)]
        raise ValueError(
            f"state_errors: {f'no {odd!r}' if odd else 'nothing of a state'}; expected "
            f"{', '.join(repr(key) for key in known)} or '....state.times'"
        )
    return found
