# SPDX-License-Identifier: Apache-2.0
"""Pictures, with matplotlib: each function draws into an axes and returns it.

Times are given in seconds and drawn in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ._arrays import whole
from ._backward import adjoint
from ._epochs import History
from ._models import SPIKING
from ._network import Network
from ._record import Record, simulate
from ._spikes import SpikeArrays, spike_arrays
from .data._labelled import LabelledSpikes

_POINTS = 1000  # of a trace


def raster(
    spikes: SpikeArrays | LabelledSpikes | Record,
    population: str | None = None,
    *,
    sample: int = 0,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw one sample's spikes as dots, time to the right and neurons upwards.

    Parameters
    ----------
    spikes : what `saltus.simulate` takes, `Record.spikes` returns, a data set, or a Record
        Of a record the time axis is that of `voltages`: from 0 to the end of the sample.
    population : str, optional
        Of a record.
    sample : int
    ax : matplotlib.axes.Axes, optional
        The current one unless given.
    **style
        Of ``Axes.scatter``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        No such sample; a population without a record, or the other way round.
    """
    if isinstance(spikes, Record) != (population is not None):
        raise ValueError(
            f"population is {population!r}; expected one of a Record, and none of other spikes"
        )
    end = np.inf
    if isinstance(spikes, Record) and population is not None:
        end = _end(spikes, sample)
        spikes = spikes.spikes(population)
    arrays = spikes.spikes if isinstance(spikes, LabelledSpikes) else spike_arrays(spikes, "spikes")
    times, neurons, offsets = arrays
    _check_sample(sample, len(offsets) - 1)
    part = slice(offsets[sample], offsets[sample + 1])
    ax = _axes(ax)
    defaults: dict[str, Any] = {"s": 6, "color": "black", "linewidths": 0}
    ax.scatter(1e3 * times[part], neurons[part], **(defaults | style))
    ax.set(xlabel="time (ms)", ylabel="neuron")
    if np.isfinite(end):
        ax.set_xlim(0.0, 1e3 * end)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def voltages(
    record: Record,
    population: str,
    neurons: Sequence[int] = (0,),
    *,
    sample: int = 0,
    until: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw V over time, with the threshold and the spikes.

    Parameters
    ----------
    record : Record
    population : str
        Of any model.
    neurons : sequence of int
    sample : int
    until : float, optional
        Seconds, at most the end of the sample; that unless given, which must then be finite.
    ax : matplotlib.axes.Axes, optional
        The current one unless given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        No such population, neuron or sample; a sample that never ends, and no `until`.
    """
    end = _end(record, sample)
    at = _times(record, population, neurons, end if until is None else until)
    # A batch is read until its first sample ends; within fit there is no more than that.
    if at[-1] > record._t_end.min() and record._again is not None:
        record, sample = record._alone(sample), 0
    network = record._network
    ax = _axes(ax)
    spikes = _own_spikes(record, population, sample)
    # Both sides of a jump.
    jumps = np.unique(np.concatenate([spikes[n] for n in neurons])) if spikes else np.empty(0)
    jumps = jumps[jumps < at[-1]]
    at = np.unique(np.concatenate([at, jumps, np.nextafter(jumps, np.inf)]))
    values = record.voltages(population, at)[sample]
    for n in neurons:
        (line,) = ax.plot(1e3 * at, values[:, n], label=f"{population} {n}")
        if not spikes:
            continue
        color = line.get_color()
        own = spikes[n][spikes[n] <= at[-1]]
        if f"{population}.beta" in network:  # the threshold moves: V just before each spike
            heights = values[np.searchsorted(at, own), n]
        else:
            threshold = _of(network, f"{population}.v_threshold", n)
            ax.axhline(threshold, color=color, linestyle=":", linewidth=0.8)
            heights = np.full(len(own), threshold)
        ax.plot(1e3 * own, heights, "^", color=color, markersize=5)
    ax.set(xlabel="time (ms)", ylabel="V", xlim=(0.0, 1e3 * at[-1]))
    ax.legend(loc="best", frameon=False)
    return ax


def overview(
    record: Record,
    populations: Sequence[str] | None = None,
    *,
    sample: int = 0,
    until: float | None = None,
) -> list[Axes]:
    """Draw one sample below one time axis: spikes of what spikes, voltages of what does not.

    Parameters
    ----------
    record : Record
    populations : sequence of str, optional
        All but the inputs, from top to bottom, unless given.
    sample : int
    until : float, optional
        Seconds, at most the end of the sample; that unless given, which must then be finite.

    Returns
    -------
    list of matplotlib.axes.Axes
        One of each population.

    Raises
    ------
    ValueError
        No such population or sample; a sample that never ends, and no `until`.
    """
    known = record._network._populations
    if populations is None:
        populations = [name for name, (model, _) in known.items() if model != "input"]
    if not populations:
        raise ValueError("populations is empty; expected at least one")
    end = _end(record, sample) if until is None else until
    ends = [_times(record, name, (), end)[-1] for name in populations]
    height = 1.0 + 1.5 * len(populations)
    _, grid = plt.subplots(
        len(populations), 1, sharex=True, squeeze=False, figsize=(6, height), layout="constrained"
    )
    axes: list[Axes] = list(grid[:, 0])
    for ax, name in zip(axes, populations, strict=True):
        model, size = known[name]
        if model in SPIKING:
            raster(record, name, sample=sample, ax=ax)
        else:
            voltages(record, name, range(size), sample=sample, until=until, ax=ax)
        ax.set(title=name, xlabel="")
    axes[-1].set(xlabel="time (ms)", xlim=(0.0, 1e3 * ends[-1]))
    return axes


def adjoints(
    record: Record,
    population: str,
    errors: Mapping[str, Any],
    neurons: Sequence[int] = (0,),
    *,
    sample: int = 0,
    until: float | None = None,
    axes: Sequence[Axes] | None = None,
) -> list[Axes]:
    """Draw the adjoint variables lambda_V and lambda_I over time (see `saltus.adjoint`).

    Parameters
    ----------
    record : Record
    population : str
        LIF or LI, with exponential synapses.
    errors : dict
        What `saltus.backward` takes, such as ``loss(record, labels).errors``.
    neurons, sample
        As in `voltages`.
    until : float, optional
        Seconds, at most the earliest end of all samples; that unless given, which must then be
        finite.
    axes : two of matplotlib.axes.Axes, optional
        For lambda_V and lambda_I; two new ones unless given.

    Returns
    -------
    list of two matplotlib.axes.Axes

    Raises
    ------
    ValueError
        As `voltages` and `saltus.adjoint`.
    """
    _check_sample(sample, record.samples)
    end = float(record._t_end.min())
    at = _times(record, population, neurons, end if until is None else until)
    spikes = _own_spikes(record, population, sample)
    jumps = np.unique(np.concatenate([spikes[n] for n in neurons])) if spikes else np.empty(0)
    jumps = jumps[(jumps < at[-1]) & (jumps > 0)]
    at = np.unique(np.concatenate([at, jumps, np.nextafter(jumps, 0.0)]))
    traces = adjoint(record, population, at, **errors)
    if axes is None:
        _, axes = plt.subplots(2, 1, sharex=True)
    for ax, trace, name in zip(axes, traces, (r"$\lambda_V$", r"$\lambda_I$"), strict=True):
        for n in neurons:
            ax.plot(1e3 * at, trace[sample][:, n], label=f"{population} {n}")
        ax.axhline(0.0, color="grey", linewidth=0.5)
        ax.set(ylabel=name)
    axes[0].legend(loc="best", frameon=False)
    axes[-1].set(xlabel="time (ms)")
    return list(axes)


def learning_curves(
    history: History | Mapping[str, Sequence[Any]] | str, *, axes: Sequence[Axes] | None = None
) -> list[Axes]:
    """Draw loss and accuracy over the epochs.

    Parameters
    ----------
    history : History, dict or str
        From `saltus.fit`, or what `History.to_dict` and `History.to_json` made of one.
    axes : two of matplotlib.axes.Axes, optional
        Two new ones unless given.

    Returns
    -------
    list of two matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A history without epochs, a dict or text that is none.
    """
    if isinstance(history, str):
        history = History.from_json(history)
    if not isinstance(history, History):
        history = History.from_dict(history)
    if len(history) == 0:
        raise ValueError("history holds no epochs; expected at least one")
    if axes is None:
        _, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for ax, name in zip(axes, ("loss", "accuracy"), strict=True):
        for prefix, style in (("", "-"), ("validation_", "--")):
            values = history[prefix + name]
            if any(v is not None for v in values):
                ax.plot(history["epoch"], values, style, label=prefix.rstrip("_") or "training")
        ax.set(xlabel="epoch", ylabel=name)
        if ax.get_lines():  # a loss need not make predictions
            ax.legend(loc="best", frameon=False)
    axes[0].set_yscale("log")
    return list(axes)


def decision_map(
    network: Network,
    *,
    readout: str = "out",
    t_max: float = 30e-3,
    t_end: float = np.inf,
    resolution: int = 60,
    ax: Axes | None = None,
) -> Axes:
    """Draw which class a Yin-Yang network gives to each point of the square, over the data.

    The class is the output that spikes first (LIF) or has the largest V (LI); white where no output
    spikes.

    Parameters
    ----------
    network : Network
        Five channels, three outputs.
    readout : str
    t_max, t_end : float
        Of the code (see `saltus.data.yin_yang`) and the end of a sample, in seconds.
    resolution : int
        Points on a side.
    ax : matplotlib.axes.Axes, optional
        The current one unless given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A network of another shape.
    """
    inputs = [name for name, (model, _) in network._populations.items() if model == "input"]
    shape = [network._populations.get(name, ("", 0))[1] for name in (*inputs, readout)]
    if shape != [5, 3]:
        raise ValueError(f"network has input and readout sizes {shape}; expected [5, 3]")
    side = (np.arange(whole(resolution, "resolution")) + 0.5) / resolution
    x, y = (grid.reshape(-1) for grid in np.meshgrid(side, side))
    coordinates = np.stack([x, y, 1 - x, 1 - y, np.zeros(len(x))], axis=1)
    order = np.argsort(coordinates, axis=1, kind="stable")
    times = t_max * np.take_along_axis(coordinates, order, axis=1)
    batch = (times.reshape(-1), order.reshape(-1).astype(np.int32), 5 * np.arange(len(x) + 1))
    record = simulate(network, {inputs[0]: batch}, t_end)
    classes = _winners(record, readout)
    ax = _axes(ax)
    colors = ListedColormap(["white", "#8fb8de", "#f2c48d", "#a8d5a2"])
    picture = classes.reshape(resolution, resolution) + 1
    ax.imshow(picture, origin="lower", extent=(0, 1, 0, 1), cmap=colors, vmin=0, vmax=3)
    from .data import yin_yang_points  # noqa: PLC0415 (a data set, not a part of plotting)

    samples, labels = yin_yang_points(600, 40)
    for label, color in enumerate(("#1f5a94", "#b36b12", "#2e7d32")):
        own = samples[labels == label]
        ax.scatter(own[:, 0], own[:, 1], s=5, color=color, linewidths=0)
    ax.set(xlabel="x", ylabel="y", aspect="equal")
    return ax


def histograms(
    network: Network, kind: str = "weight", *, bins: int = 40, ax: Axes | None = None
) -> Axes:
    """Draw how the weights or delays of each projection are spread.

    Parameters
    ----------
    network : Network
    kind : {"weight", "delay"}
    bins : int
    ax : matplotlib.axes.Axes, optional
        The current one unless given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Another kind, or a network without any.
    """
    if kind not in ("weight", "delay"):
        raise ValueError(f"kind is {kind!r}; expected weight or delay")
    names = [name for name in network if name.endswith(f".{kind}")]
    if not names:
        raise ValueError(f"network has no {kind}s")
    scale = 1e3 if kind == "delay" else 1.0
    every = [scale * network[name].reshape(-1) for name in names]
    edges = np.histogram_bin_edges(np.concatenate(every), bins)
    ax = _axes(ax)
    for name, values in zip(names, every, strict=True):
        ax.hist(
            values, list(edges), histtype="step", label=name.removesuffix(f".{kind}"), density=True
        )
    ax.set(xlabel="delay (ms)" if kind == "delay" else "weight", ylabel="density")
    ax.legend(loc="best", frameon=False)
    return ax


def _axes(ax: Axes | None) -> Axes:
    return plt.gca() if ax is None else ax


def _check_sample(sample: int, samples: int) -> None:
    if not 0 <= whole(sample, "sample") < samples:
        raise ValueError(f"sample is {sample}; expected 0 to {samples - 1}")


def _end(record: Record, sample: int) -> float:
    _check_sample(sample, record.samples)
    return float(np.broadcast_to(record._t_end, record.samples)[sample])


def _times(
    record: Record, population: str, neurons: Sequence[int], end: float
) -> NDArray[np.float64]:
    record._index(population)
    size = record._size(population)
    for n in neurons:
        if not 0 <= whole(n, "neurons") < size:
            raise ValueError(f"neurons: {n}; expected 0 to {size - 1}")
    if not np.isfinite(end):
        raise ValueError("until: expected a time in seconds, since the samples have no end")
    return np.linspace(0.0, end, _POINTS)


def _own_spikes(record: Record, population: str, sample: int) -> dict[int, NDArray[np.float64]]:
    """The spikes of each neuron; empty for LI."""
    model, size = record._network._populations[population]
    if model not in SPIKING:
        return {}
    spikes = record.spikes(population)
    part = slice(spikes.offsets[sample], spikes.offsets[sample + 1])
    times, neurons = spikes.times[part], spikes.neurons[part]
    return {n: times[neurons == n] for n in range(size)}


def _of(network: Network, name: str, neuron: int) -> float:
    value = network[name]
    return float(value if value.ndim == 0 else value[neuron])


def _winners(record: Record, readout: str) -> NDArray[np.int64]:
    model, size = record._network._populations[readout]
    if model == "LI":
        return np.asarray(record.maxima(readout).values.argmax(1))
    first = record.spikes(readout).first(size)
    return np.where(np.isinf(first).all(1), -1, first.argmin(1))
