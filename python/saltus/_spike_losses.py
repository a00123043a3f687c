# SPDX-License-Identifier: Apache-2.0
"""Losses and regularisers of spike trains, written in Python on top of a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import expect_shape, number, numbers, text
from ._loss import Loss, LossFunction, LossResult, check_labels, evaluate
from ._network import Network
from ._record import Record
from ._spikes import SpikeArrays, Spikes, check_spikes, spike_arrays


class SpikeTimes:
    """Squared error of the times of first spikes: mean over samples of sum_n ((t_n - T_n) / tau)^2.

    T is the row of the sample's label in `times`. An output that does not spike counts as spiking
    at `t_missing`, and has no gradient. The gradient by the spikes that there are is exact. The
    class whose times are nearest wins.

    Parameters
    ----------
    times : array_like, shape (classes, outputs)
        When each output should spike first for each label, in seconds; NaN: whenever it likes.
    tau : float
        The unit of the error, in seconds.
    t_missing : float
        In seconds.
    readout : str
        A population that spikes.

    Raises
    ------
    ValueError
        No matrix, a `tau` that is not above 0, a `t_missing` that is not finite.
    TypeError
        Something that is no number.
    """

    def __init__(
        self, times: ArrayLike, *, tau: float = 1e-3, t_missing: float = 0.1, readout: str = "out"
    ) -> None:
        self.times = numbers(times, "times").copy()
        if self.times.ndim != 2:
            raise ValueError(f"times has shape {self.times.shape}; expected [classes, outputs]")
        for wrong in self.times[np.isinf(self.times)][:1]:
            raise ValueError(f"times holds {wrong}; expected seconds, or NaN for any time")
        self.tau = _above_0(tau, "tau")
        self.t_missing, self.readout = number(t_missing, "t_missing"), text(readout, "readout")
        if not np.isfinite(self.t_missing):
            raise ValueError(f"t_missing is {self.t_missing}; expected a finite time, in seconds")

    def __call__(self, record: Record, labels: ArrayLike) -> LossResult:
        """Evaluate the loss."""
        size = _outputs(record, self.readout)
        expect_shape(self.times[:1], "times", (1, size), axes="[classes, outputs of the readout]")
        wanted = self.times[_labels_below(labels, record, len(self.times))]
        spikes = record.spikes(self.readout)
        first, at = _first(spikes, record.samples, size)
        seen = np.where(at >= 0, first, self.t_missing)
        error = np.nan_to_num((seen - wanted) / self.tau)  # NaN: no error
        errors = np.zeros(len(spikes))
        errors[at[at >= 0]] = 2 * error[at >= 0] / (self.tau * record.samples)
        apart = np.nansum((seen[:, None] - self.times) ** 2, axis=2)  # [sample, class]
        return LossResult(
            float(np.sum(error**2) / record.samples),
            {"spike_errors": {self.readout: errors}},
            *_predictions(-apart, at, labels),
        )


class VanRossum:
    r"""The van Rossum distance ([1]_) of the readout's spike trains from wanted ones.

    The mean over samples of ``sum_n 1/tau integral (f_n - g_n)^2 dt``, where f_n is the sum of
    ``exp(-(t - t_k) / tau)`` over the spikes of output n before t, and g_n that of the wanted ones
    (over all t, also after the end). The gradient by the spikes that there are is exact. The class
    whose trains are nearest wins.

    Parameters
    ----------
    trains : (times, neurons, offsets), or a list of samples
        For each label what the readout should do, as an input of `saltus.simulate`: one sample for
        each class.
    tau : float
        Seconds.
    readout : str
        A population that spikes.

    Raises
    ------
    ValueError
        Trains without a meaning, a `tau` that is not above 0.
    TypeError
        An argument of a wrong type, named in the message.

    References
    ----------
    .. [1] M. C. W. van Rossum, "A novel spike distance", Neural Computation 13, 751 (2001).
    """

    def __init__(self, trains: SpikeArrays, *, tau: float = 10e-3, readout: str = "out") -> None:
        times, neurons, offsets = spike_arrays(trains, "trains")
        self.trains = times.copy(), neurons.copy(), offsets.copy()
        check_spikes(self.trains, 2**31 - 1, "trains")  # of any neuron: no record is known yet
        self.tau, self.readout = _above_0(tau, "tau"), text(readout, "readout")

    def __call__(self, record: Record, labels: ArrayLike) -> LossResult:
        """Evaluate the loss."""
        size = _outputs(record, self.readout)
        times, neurons, offsets = self.trains
        classes = len(offsets) - 1
        if len(neurons) and int(neurons.max()) >= size:
            raise ValueError(
                f"trains has a spike of neuron {neurons.max()}; expected 0 to {size - 1}, the "
                f"outputs of '{self.readout}'"
            )
        found = _labels_below(labels, record, classes)
        spikes = record.spikes(self.readout)
        _, at = _first(spikes, record.samples, size)
        errors = np.zeros(len(spikes))
        distance = np.zeros((record.samples, classes))
        wanted = [slice(offsets[c], offsets[c + 1]) for c in range(classes)]
        between_wanted = [self._kernel(times[w], neurons[w], times[w], neurons[w]) for w in wanted]
        for s, label in enumerate(found):
            own = slice(spikes.offsets[s], spikes.offsets[s + 1])
            t, n = spikes.times[own], spikes.neurons[own]
            within, slope = self._kernel(t, n, t, n)
            for c, w in enumerate(wanted):
                across, towards = self._kernel(t, n, times[w], neurons[w])
                distance[s, c] = (within.sum() + between_wanted[c][0].sum()) / 2 - across.sum()
                if c == label:
                    errors[own] = (slope.sum(1) - towards.sum(1)) / record.samples
        value = float(distance[np.arange(record.samples), found].mean())
        return LossResult(
            value,
            {"spike_errors": {self.readout: errors}},
            *_predictions(-distance, at, labels),
        )

    def _kernel(
        self, t: NDArray[Any], n: NDArray[Any], u: NDArray[Any], m: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return exp(-|t - u| / tau) of spikes of one neuron, and its derivative by t."""
        apart = (t[:, None] - u) / self.tau
        overlap = np.where(n[:, None] == m, np.exp(-np.abs(apart)), 0.0)
        return overlap, -np.sign(apart) * overlap / self.tau


class SpikeBounds:
    """Keeps the mean number of spikes of each neuron within bounds, by a heuristic ([1]_).

    The value is ``strength / 2`` times the sum over neurons of the squared distance of the mean
    count from the bounds. **Its gradient is no derivative**: that of a count is 0. As in [1]_, V at
    each spike of a neuron outside of the bounds is pushed, as if dL/dV there were ``strength``
    times the distance over the number of samples. A silent neuron has no spike to push: see
    `revive` and `smooth_threshold` of `saltus.fit`.

    Parameters
    ----------
    population : str
        LIF.
    lower, upper : float
        Spikes of a neuron in a sample, on average.
    strength : float

    Raises
    ------
    ValueError
        Bounds or a strength without a meaning.
    TypeError
        An argument of a wrong type, named in the message.

    References
    ----------
    .. [1] T. Nowotny, J. P. Turner and J. C. Knight, "Loss shaping enhances exact gradient learning
       with EventProp in spiking neural networks", Neuromorphic Computing and Engineering 5, 014001
       (2025).
    """

    def __init__(
        self,
        population: str,
        *,
        lower: float = 0.0,
        upper: float = np.inf,
        strength: float,
    ) -> None:
        self.population = text(population, "population")
        self.lower, self.upper = number(lower, "lower"), number(upper, "upper")
        self.strength = number(strength, "strength")
        if not 0 <= self.lower <= self.upper:
            raise ValueError(f"lower is {lower} and upper {upper}; expected 0 <= lower <= upper")
        if not (np.isfinite(self.strength) and self.strength >= 0):
            raise ValueError(f"strength is {strength}; expected a finite number of at least 0")

    def __call__(self, record: Record, labels: ArrayLike) -> LossResult:
        """Return the value and what pushes the spikes; labels do not matter."""
        network, name = record._network, self.population
        spikes = record.spikes(name)
        if (model := network._populations[name][0]) != "LIF":
            raise ValueError(f"SpikeBounds: '{name}' is {model}; expected LIF")
        size = network._populations[name][1]
        mean = spikes.counts(size).mean(axis=0) if record.samples else np.zeros(size)
        outside = mean - np.clip(mean, self.lower, self.upper)
        # An error of V, g, is one of the time of the spike: -g dV/dt.
        reached = record._core.thresholds(record._index(name)).astype(np.float64)
        if not reached.size:
            reached = np.broadcast_to(network[f"{name}.v_threshold"], size)[spikes.neurons]
        slope = spikes.currents.astype(np.float64) - reached
        slope += np.broadcast_to(network[f"{name}.bias"], size)[spikes.neurons]
        slope /= np.broadcast_to(network[f"{name}.tau_mem"], size)[spikes.neurons]
        push = self.strength * outside[spikes.neurons] / max(1, record.samples)
        value = self.strength / 2 * float(np.sum(outside**2))
        return LossResult(value, {"spike_errors": {name: -push * slope}})


class SumOfLosses:
    """Losses and regularisers, added up; predictions and readout are those of the first.

    With ``smooth_threshold`` of `saltus.fit` those of the core each say what a spike more or less
    is worth to them, wherever they stand; of the others that is not known (docs/ghosts.md), nor of
    a subclass that overrides ``__call__``, which is a loss of its own.

    Parameters
    ----------
    *losses : Loss or callable
        As `saltus.fit` takes one.

    Raises
    ------
    TypeError
        Something that cannot be called, or nothing.

    Examples
    --------
    >>> import saltus
    >>> loss = saltus.SumOfLosses(
    ...     saltus.FirstSpike(), saltus.SpikeBounds("hidden", upper=3, strength=1e-3)
    ... )
    """

    def __init__(self, *losses: LossFunction) -> None:
        if not losses:
            raise TypeError("losses: none given; expected at least one")
        for k, loss in enumerate(losses):
            if not callable(loss) or isinstance(loss, type):
                got = loss.__name__ if isinstance(loss, type) else type(loss).__name__
                raise TypeError(f"losses[{k}]: expected a saltus.Loss or a function; got {got}")
        self.losses = losses

    @property
    def built_in(self) -> Loss | None:
        """The first, if it is one of the core."""
        return self.losses[0] if isinstance(self.losses[0], Loss) else None

    @property
    def parts(self) -> list[LossFunction]:
        """All of them; of sums among them, what they add up."""
        return [part for loss in self.losses for part in parts_of(loss)]

    def __call__(self, record: Record, labels: NDArray[Any]) -> LossResult:
        """Evaluate all of them."""
        return self.added_up([evaluate(part, record, labels) for part in self.parts])

    @staticmethod
    def added_up(said: Sequence[LossResult]) -> LossResult:
        """Return what `parts` say together."""
        errors: dict[str, dict[str, Any]] = {}
        for result in said:
            for kind, given in result.errors.items():
                _add(kind, given, errors.setdefault(kind, {}))
        value = float(sum(result.value for result in said))
        return LossResult(value, errors, said[0].predictions, said[0].silent)


def parts_of(loss: LossFunction) -> list[LossFunction]:
    """Return the parts of a sum; any other loss is one, also a sum that overrides ``__call__``."""
    if isinstance(loss, SumOfLosses) and type(loss).__call__ is SumOfLosses.__call__:
        return loss.parts
    return [loss]


def weight_penalty(
    network: Network,
    *,
    l1: float = 0.0,
    l2: float = 0.0,
    projections: Sequence[str] | None = None,
) -> tuple[float, dict[str, NDArray[np.float64]]]:
    """Return ``l1 sum |w| + l2 / 2 sum w**2`` of weights, and its gradient.

    For a training loop of your own; `saltus.fit` has ``l1=`` and ``l2=``.

    Parameters
    ----------
    network : Network
    l1, l2 : float
    projections : sequence of str, optional
        All unless given.

    Returns
    -------
    value : float
    gradients : dict of str to ndarray
        By the names of `saltus.backward`; 0 where a weight is 0.

    Raises
    ------
    ValueError
        No such projection.
    """
    chosen = network.projections if projections is None else tuple(projections)
    value, gradients = 0.0, {}
    for name in chosen:
        if name not in network.projections:
            known = ", ".join(map(repr, network.projections)) or "none"
            raise ValueError(f"projections: {name!r} is none; there are: {known}")
        w = network[f"{name}.weight"]
        value += float(l1 * np.abs(w).sum() + l2 / 2 * np.square(w).sum())
        gradients[f"{name}.weight"] = l1 * np.sign(w) + l2 * w
    return value, gradients


def _add(kind: str, given: Mapping[str, Any], total: dict[str, Any]) -> None:
    for population, error in given.items():
        if population not in total:
            total[population] = error
        elif kind != "sample_errors":
            total[population] = np.asarray(total[population]) + np.asarray(error)
        else:
            (times, one), (others, other) = total[population], error
            if not np.array_equal(times, others):
                raise ValueError(
                    f"losses: two read V of '{population}' at different times; expected the same"
                )
            total[population] = (times, np.asarray(one) + np.asarray(other))


def _above_0(value: object, argument: str) -> float:
    found = number(value, argument)
    if not (np.isfinite(found) and found > 0):
        raise ValueError(f"{argument} is {found}; expected a finite number above 0")
    return found


def _outputs(record: Record, readout: str) -> int:
    record._spiking_index(readout)
    return record._size(readout)


def _labels_below(labels: ArrayLike, record: Record, classes: int) -> NDArray[np.int32]:
    found = check_labels(labels, record.samples)
    for label in found[(found < 0) | (found >= classes)][:1]:
        raise ValueError(f"labels holds {label}; expected 0 to {classes - 1}, the classes")
    return found


def _first(
    spikes: Spikes, samples: int, size: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the time of each output's first spike, and its number or -1: [sample, output]."""
    at = np.full((samples, size), -1, np.int64)
    sample = np.repeat(np.arange(samples), np.diff(spikes.offsets))
    order = np.arange(len(spikes))[::-1]  # the first is written last
    at[sample[order], spikes.neurons[order]] = order
    times = np.where(at >= 0, np.append(spikes.times, np.inf)[at], np.inf)
    return times, at


def _predictions(
    scores: NDArray[np.float64], first: NDArray[np.int64], labels: ArrayLike
) -> tuple[NDArray[np.int64], int]:
    """Return the class of the highest score, or -1 where no output spikes, and silent labels."""
    spiked = first >= 0
    predictions = np.where(spiked.any(axis=1), scores.argmax(axis=1), -1)
    own = np.asarray(labels)
    known = own < spiked.shape[1]
    return predictions, int(np.sum(~spiked[known, own[known]]))
