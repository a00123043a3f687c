# SPDX-License-Identifier: Apache-2.0
"""Spikes to and from NIR's data: events or a time grid, of each node of a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import number
from .._network import Network
from .._record import Record
from .._spikes import Arrays, SpikeArrays, spike_arrays
from .nest import Place, names, said

_SPIKES = "spikes"  # the observable, as NIR's documentation calls it


def to_nir_data(
    network: Network,
    spikes: Record | Mapping[str, SpikeArrays],
    t_max: float,
    *,
    dt: float | None = None,
) -> Any:
    """Turn spikes into NIR's data of a graph.

    Parameters
    ----------
    network : Network
        Whose populations spike: they are the nodes, as `to_nir` calls them.
    spikes : Record or mapping of population to spikes
        Of a record those of all neurons; or of any populations as `simulate` takes them.
    t_max : float
        How long the recording is, in seconds; no spike may be later.
    dt : float, optional
        With it they lie on a time grid of that step, in seconds (nir.TimeGriddedData, of bool);
        without they are events (nir.EventData), with -1 and inf where a sample has fewer.

    Returns
    -------
    nir.NIRGraphData
        Of each population a nir.NIRNodeData with the observable "spikes".

    Raises
    ------
    ValueError
        A spike after `t_max`, two of a neuron in one step, an unknown population.
    """
    from nir.data_ir import NIRGraphData, NIRNodeData  # noqa: PLC0415 (optional)

    t_max = _positive("t_max", t_max)
    if dt is not None:
        dt = _positive("dt", dt)
    nodes = {}
    for name, given in _every(network, spikes).items():
        arrays = spike_arrays(given, f"spikes['{name}']")
        size = network._size(name)
        late = arrays[0][arrays[0] > t_max]
        if late.size:
            raise ValueError(
                f"'{name}' spikes at {late.max():.6g} s, after t_max = {t_max:.6g}; expected a "
                "t_max that holds all spikes"
            )
        data = _events(arrays, size, t_max) if dt is None else _grid(name, arrays, size, t_max, dt)
        nodes[name.replace("/", "|")] = NIRNodeData({_SPIKES: data})
    return NIRGraphData(nodes)


def from_nir_data(data: Any) -> dict[str, Arrays]:
    """Take spikes out of NIR's data.

    Parameters
    ----------
    data : nir.NIRGraphData
        Of each node its observable "spikes", or its only one: events, or a time grid in which true
        is a spike at the beginning of its step, and a whole number so many. Times are in seconds.

    Returns
    -------
    dict of str to (times, neurons, offsets)
        Of each node what `simulate` takes, ascending in time. Nodes of a graph inside are called
        as `from_nir` calls them.

    Raises
    ------
    ValueError
        A node without spikes, events of another value than 1, values that are no whole numbers of
        spikes, neurons that do not exist.
    TypeError
        `data` is no nir.NIRGraphData.
    """
    if not isinstance(getattr(data, "nodes", None), dict):
        raise TypeError(f"data: expected a nir.NIRGraphData; got {type(data).__name__}")
    found = dict(_unnest(data, ()))
    called = names(found, lambda place: place[-1], ())
    return {name: _spikes(place, found[place]) for place, name in called.items()}


def _positive(argument: str, value: float) -> float:
    found = number(value, argument)
    if not (np.isfinite(found) and found > 0):
        raise ValueError(f"{argument} is {found}; expected a finite number above 0, in seconds")
    return found


def _every(network: Network, spikes: Record | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(spikes, Record):
        return {
            name: spikes.spikes(name)
            for name in network.populations
            if f"{name}.v_threshold" in network
        }
    for name in spikes:
        if name not in network.populations:
            raise ValueError(f"spikes: there is no population '{name}'; {network.populations}")
    return spikes


def _events(arrays: Arrays, size: int, t_max: float) -> Any:
    from nir.data_ir import EventData  # noqa: PLC0415 (optional)

    times, neurons, offsets = arrays
    counts = np.diff(offsets)
    shape = (len(counts), int(counts.max(initial=0)))
    sample = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(times)) - np.repeat(offsets[:-1], counts)
    idx, time = np.full(shape, -1), np.full(shape, np.inf)
    idx[sample, within], time[sample, within] = neurons, times
    return EventData(idx, time, size, t_max)


def _grid(name: str, arrays: Arrays, size: int, t_max: float, dt: float) -> Any:
    from nir.data_ir import TimeGriddedData  # noqa: PLC0415 (optional)

    times, neurons, offsets = arrays
    steps = _steps(np.array([t_max]), dt, np.ceil)[0]
    sample = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    place = np.minimum(_steps(times, dt, np.floor), steps - 1)
    counts = np.zeros((len(offsets) - 1, steps, size), np.int64)
    np.add.at(counts, (sample, place, neurons), 1)
    lost = int(np.sum(np.maximum(counts - 1, 0)))
    if lost:
        raise ValueError(
            f"'{name}': {lost} spikes lie in a step of {dt:.6g} s with another of the same neuron; "
            "expected a smaller dt, or none for events"
        )
    return TimeGriddedData(counts > 0, dt)


def _steps(times: NDArray[np.float64], dt: float, rounding: Any) -> NDArray[np.int64]:
    """Return times in steps; what is a whole number of them but for rounding is that number."""
    found = times / dt
    near = np.rint(found)
    whole = np.abs(found - near) <= 1e-9 * np.maximum(near, 1.0)
    result: NDArray[np.int64] = np.where(whole, near, rounding(found)).astype(np.int64)
    return result


def _unnest(data: Any, prefix: Place) -> Iterator[tuple[Place, Any]]:
    for name, node in data.nodes.items():
        place = (*prefix, name)
        if hasattr(node, "nodes"):
            yield from _unnest(node, place)
        elif isinstance(getattr(node, "observables", None), dict):
            yield place, node
        else:
            raise TypeError(
                f"node '{said(place)}': expected a nir.NIRNodeData; got {type(node).__name__}"
            )


def _spikes(place: Place, node: Any) -> Arrays:
    observed = node.observables
    key = _SPIKES if _SPIKES in observed or len(observed) != 1 else next(iter(observed))
    if key not in observed:
        raise ValueError(
            f"node '{said(place)}' has observables {list(observed)}; expected '{_SPIKES}'"
        )
    found = observed[key]
    if hasattr(found, "dt"):
        times, neurons, sample = _of_grid(place, found)
    else:
        times, neurons, sample = _of_events(place, found)
    wrong = neurons[(neurons < 0) | (neurons >= found.n_neurons)]
    if wrong.size:
        raise ValueError(
            f"node '{said(place)}': neuron {wrong[0]} spikes; expected 0 to {found.n_neurons - 1}"
        )
    order = np.lexsort((times, sample))
    counts = np.bincount(sample, minlength=found.n_samples)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return times[order], neurons[order].astype(np.int32), offsets


def _of_events(place: Place, data: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    idx, time = np.asarray(data.idx), np.asarray(data.time, np.float64)
    there = idx != -1
    values = np.asarray(getattr(data, "value", np.ones(idx.shape)))[there]
    if np.any(values != 1):
        raise ValueError(
            f"node '{said(place)}': an event has value {values[values != 1][0]}; expected 1, "
            "a spike"
        )
    wrong = time[there & ~np.isfinite(time)]
    if wrong.size:
        raise ValueError(f"node '{said(place)}': an event is at {wrong[0]}; expected seconds")
    sample = np.broadcast_to(np.arange(len(idx))[:, None], idx.shape)
    return time[there], idx[there], sample[there]


def _of_grid(place: Place, data: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    values = np.asarray(data.data)
    counts = values.astype(np.int64)
    wrong = values[(counts != values) | (counts < 0)]
    if wrong.size:
        raise ValueError(
            f"node '{said(place)}': a step holds {wrong[0]}; expected how many spikes lie in it"
        )
    sample, step, neuron = np.nonzero(counts)
    many = counts[sample, step, neuron]
    return np.repeat(step * data.dt, many), np.repeat(neuron, many), np.repeat(sample, many)
