# SPDX-License-Identifier: Apache-2.0
"""The gradients of a user's own network and loss against central differences.

docs/theory.md, section 12: in float64; the error is relative to the largest entry of its tensor; a
difference counts only if the order of events and the places of maxima are the same at its points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import generator, integers, mapping, whole
from ._backward import backward
from ._loss import LossFunction, LossResult, evaluate
from ._models import SPIKING
from ._network import Network
from ._record import Place, Record, simulate
from ._spikes import SpikeArrays, spike_arrays

_BAR = 1e-6
_GRAZING = 1e-2  # tau_mem dV/dt at a spike below which it grazes
_HALVINGS = 12


@dataclass(frozen=True)
class Compared:
    """One entry of a tensor.

    Attributes
    ----------
    name : str
        Of the parameter, or ``"in.times"``.
    entry : tuple of int
    gradient, difference : float
        By the adjoint, and by central differences.
    error : float
        Their distance, relative to the largest entry of the tensor.
    """

    name: str
    entry: tuple[int, ...]
    gradient: float
    difference: float
    error: float


@dataclass
class GradcheckReport:
    """What `gradcheck` found; ``print(report)`` says it in words.

    Attributes
    ----------
    compared : list of Compared
    void : dict of str to int
        Comparisons that mean nothing, by reason.
    grazing : int
        Spikes with tau_mem dV/dt below 0.01: their gradients are steep, and differences rough.
    maxima_at_arrivals : int
        Maxima of readouts that sit at an arrival, where V has a kink.
    spikes : int
    bar : float
    """

    bar: float = _BAR
    compared: list[Compared] = field(default_factory=list)
    void: dict[str, int] = field(default_factory=dict)
    grazing: int = 0
    maxima_at_arrivals: int = 0
    spikes: int = 0

    @property
    def worst(self) -> Compared | None:
        """The comparison with the largest error; None without any."""
        return max(self.compared, key=lambda c: c.error, default=None)

    @property
    def passed(self) -> bool:
        """Whether there were comparisons, and all kept the bar."""
        return bool(self.compared) and all(c.error <= self.bar for c in self.compared)

    def __str__(self) -> str:
        lines = [f"{'passed' if self.passed else 'FAILED'}: {len(self.compared)} entries compared"]
        if self.worst:
            w = self.worst
            at = list(w.entry) or ""
            lines.append(
                f"worst {w.name}{at}: adjoint {w.gradient:.9g}, difference {w.difference:.9g}, "
                f"error {w.error:.1e} of the tensor's largest entry (bar {self.bar:.0e})"
            )
        for reason, count in self.void.items():
            lines.append(f"{count} void: {reason}")
        lines.append(
            f"{self.spikes} spikes, {self.grazing} of them graze the threshold; "
            f"{self.maxima_at_arrivals} maxima at arrivals"
        )
        return "\n".join(lines)


def gradcheck(
    network: Network,
    inputs: Mapping[str, SpikeArrays],
    t_end: ArrayLike,
    loss: LossFunction,
    labels: ArrayLike | None = None,
    *,
    entries: int = 5,
    seed: int = 0,
    bar: float = _BAR,
    threads: int | None = None,
) -> GradcheckReport:
    """Compare the gradients of a network with central differences, in float64.

    Parameters
    ----------
    network, inputs, t_end, threads
        As in `simulate`. A few samples are enough.
    loss : Loss or callable
        A built-in loss, or a function of a `Record` and labels that returns a `LossResult`.
    labels : array_like of int, shape (samples,), optional
        Handed to the loss; zeros unless given.
    entries : int
        So many entries of each tensor, drawn at random; 0: all.
    seed : int
        Of that drawing.
    bar : float
        The largest error that passes, relative to the largest entry of the tensor.

    Returns
    -------
    GradcheckReport

    Raises
    ------
    ValueError, TypeError
        As `simulate` and the loss.
    """
    arrays = {k: spike_arrays(v, f"inputs['{k}']") for k, v in mapping(inputs, "inputs").items()}
    if labels is None:
        samples = len(next(iter(arrays.values()))[2]) - 1 if arrays else 0
        labels = np.zeros(samples, np.int32)
    check = _Check(network, arrays, t_end, loss, labels, threads)
    report = GradcheckReport(bar)
    base = check.run(network, arrays)
    _census(report, base.record)
    gradients = backward(network, base.record, **base.result.errors, threads=threads)
    rng = generator(seed)
    count = whole(entries, "entries")
    for name, gradient in gradients.items():
        flat = np.arange(gradient.size)
        if count and gradient.size > count:
            flat = rng.choice(flat, count, replace=False)
        for k in flat:
            entry = tuple(int(i) for i in np.unravel_index(k, gradient.shape))
            check.compare(report, base, name, entry, gradient)
    return report


@dataclass
class _Point:
    """A forward pass, and what must not change between the points of a difference."""

    record: Record
    result: LossResult
    topology: list[NDArray[Any]]


@dataclass
class _Check:
    network: Network
    arrays: dict[str, Any]
    t_end: ArrayLike
    loss: LossFunction
    labels: ArrayLike
    threads: int | None

    def run(self, network: Network, arrays: dict[str, Any]) -> _Point:
        record = simulate(network, arrays, self.t_end, threads=self.threads)
        labels = integers(self.labels, "labels", np.int32)
        result = evaluate(self.loss, record, labels)
        return _Point(record, result, _topology(record, arrays))

    def moved(self, name: str, entry: tuple[int, ...], change: float) -> _Point:
        network, arrays = self.network, dict(self.arrays)
        if name in network:
            network = network.copy()
            network[name][entry] += change
        else:
            population = name.removesuffix(".times")
            times, *rest = arrays[population]
            times = times.copy()
            times[entry] += change
            arrays[population] = (times, *rest)
        return self.run(network, arrays)

    def compare(
        self,
        report: GradcheckReport,
        base: _Point,
        name: str,
        entry: tuple[int, ...],
        gradient: NDArray[Any],
    ) -> None:
        largest = float(np.abs(gradient).max())
        exact = float(gradient[entry])
        found = self._difference(base, name, entry, self.bar_of(report, largest))
        if isinstance(found, str):
            report.void[found] = report.void.get(found, 0) + 1
            return
        difference, noise = found
        scale = max(largest, noise / report.bar)  # below rounding: compared absolutely
        error = abs(exact - difference) / scale if scale > 0 else 0.0
        report.compared.append(Compared(name, entry, exact, difference, error))

    @staticmethod
    def bar_of(report: GradcheckReport, largest: float) -> float:
        """Return how far an estimate may still move to count as settled."""
        return 0.1 * report.bar * largest

    def _difference(
        self, base: _Point, name: str, entry: tuple[int, ...], settled: float
    ) -> tuple[float, float] | str:
        """Richardson central differences, the step halved until they settle; or why there is none.

        Returns the difference and the rounding that it may hold.
        """
        value = float(self.network[name][entry] if name in self.network else 0.0)
        last = name.rsplit(".", 1)[1]
        time_like = last in ("tau_mem", "tau_syn", "tau_ref", "delay", "times")
        step = 1e-5 if time_like else 1e-3 * max(1.0, abs(value))
        if last in ("tau_ref", "delay") and value == 0:
            return "a delay or refractory time of 0 has only a one-sided derivative"
        if last in ("tau_ref", "delay", "tau_mem", "tau_syn"):
            step = min(step, value / 4)
        best: tuple[float, float] | None = None
        smallest = np.inf
        coarse: float | None = None
        previous: float | None = None
        for _ in range(_HALVINGS):
            central = self._central(base, name, entry, step)
            if central is not None:
                if coarse is not None:
                    estimate = (4 * central - coarse) / 3
                    noise = 4 * np.finfo(float).eps * max(1.0, abs(base.result.value)) / step
                    if previous is not None:
                        change = abs(estimate - previous)
                        if change < smallest:
                            best, smallest = (estimate, noise), change
                        if change <= max(settled, noise):
                            return estimate, noise
                    previous = estimate
                coarse = central
            step /= 2
        if best is None:
            return "the order of events or the place of a maximum changes at every step"
        return best if smallest <= 10 * settled else "the difference does not settle"

    def _central(
        self, base: _Point, name: str, entry: tuple[int, ...], step: float
    ) -> float | None:
        values = []
        for change in (step, -step):
            try:
                point = self.moved(name, entry, change)
            except ValueError:  # a step out of the range of the parameter
                return None
            same = all(
                a.shape == b.shape and np.array_equal(a, b)
                for a, b in zip(point.topology, base.topology, strict=True)
            )
            if not same:
                return None
            values.append(point.result.value)
        return (values[0] - values[1]) / (2 * step)


def _topology(record: Record, arrays: dict[str, Any]) -> list[NDArray[Any]]:
    """The order of all events of each sample, arrivals included, and the places of maxima."""
    network = record._network
    found: list[NDArray[Any]] = []
    for population, (model, _) in network._populations.items():
        if model in SPIKING:
            spikes = record.spikes(population)
            found += [spikes.neurons, spikes.offsets]
        elif model == "LI" and any(t == population for _, t in network._projections.values()):
            found.append(record.maxima(population).places)
    trains: dict[str, tuple[NDArray[Any], ...]] = dict(arrays)
    for population, (model, _) in network._populations.items():
        if model in SPIKING:
            s = record.spikes(population)
            trains[population] = (s.times, s.neurons, s.offsets)
    # What each neuron meets, its own spikes, releases and maximum among it, in their order.
    for target, (model, size) in network._populations.items():
        if model != "input":
            found.append(_meeting(record, trains, target, size, model))
    return found


def _meeting(
    record: Record,
    trains: dict[str, tuple[NDArray[Any], ...]],
    target: str,
    size: int,
    model: str,
) -> NDArray[Any]:
    network = record._network
    times, samples, posts = [], [], []
    for name, (source, onto) in network._projections.items():
        if onto != target:
            continue
        t, n, offsets = trains[source]
        sample = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        pre, post, _ = network.synapses(name)
        delay = network[f"{name}.delay"] if f"{name}.delay" in network else np.zeros(())
        if delay.ndim == 1 and delay.size != pre.size:  # one of each source
            delay = delay[pre]
        delays = np.broadcast_to(delay.reshape(-1), pre.shape)
        # Which synapses each spike takes: those of its neuron, which lie together in this order.
        order = np.argsort(pre, kind="stable")
        first = np.searchsorted(pre[order], n)
        counts = np.searchsorted(pre[order], n, side="right") - first
        spike = np.repeat(np.arange(len(n)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        synapse = order[first[spike] + within]
        times.append(t[spike] + delays[synapse])
        samples.append(sample[spike])
        posts.append(post[synapse])
    if model in SPIKING:
        t, n, offsets = trains[target]
        sample = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        times.append(t)
        samples.append(sample)
        posts.append(n)
        if f"{target}.tau_ref" in network and np.any(network[f"{target}.tau_ref"]):
            times.append(t + np.broadcast_to(network[f"{target}.tau_ref"], (size,))[n])
            samples.append(sample)
            posts.append(n)
    elif model == "LI":
        maxima = record.maxima(target)
        inside = (maxima.places == Place.INTERIOR) | (maxima.places == Place.ARRIVAL)
        sample, neuron = np.nonzero(inside)
        times.append(maxima.times[inside])
        samples.append(sample)
        posts.append(neuron)
    if not times:
        return np.empty(0, np.int64)
    return np.lexsort((np.concatenate(times), np.concatenate(posts), np.concatenate(samples)))


def _census(report: GradcheckReport, record: Record) -> None:
    network = record._network
    for population, (model, size) in network._populations.items():
        if model == "LIF":
            spikes = record.spikes(population)
            slope = (
                spikes.currents
                + np.broadcast_to(
                    network[f"{population}.bias"] - network[f"{population}.v_threshold"], (size,)
                )[spikes.neurons]
            )
            report.spikes += len(spikes)
            report.grazing += int(np.count_nonzero(slope < _GRAZING))
        elif model in SPIKING:
            report.spikes += len(record.spikes(population))
        elif model == "LI":
            places = record.maxima(population).places
            report.maxima_at_arrivals += int(np.count_nonzero(places == Place.ARRIVAL))
