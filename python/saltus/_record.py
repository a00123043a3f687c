# SPDX-License-Identifier: Apache-2.0
"""The forward pass: a network and its input spikes give a record."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _core
from ._advice import SaltusWarning, unseen_input
from ._arrays import expect_dimensions, expect_shape, mapping, numbers
from ._html import html_table
from ._limits import limits_for_core
from ._models import SPIKING
from ._network import Network
from ._smoothing import Smoothing, check_smoothing
from ._spikes import Arrays, SpikeArrays, Spikes, by_input, spike_arrays
from ._state import State, from_core, to_core
from ._threads import thread_count
from .data._labelled import LabelledSpikes


class Place(IntEnum):
    """Where the maximum of a readout sits."""

    START = 0
    INTERIOR = 1
    ARRIVAL = 2
    END = 3


@dataclass(frozen=True, eq=False)
class Maxima:
    """The largest V of each neuron of a readout: all arrays [sample, neuron].

    Attributes
    ----------
    values : ndarray, shape (samples, neurons)
    times : ndarray of float64, shape (samples, neurons)
        Seconds; infinite where a sample without end only comes near its maximum, the bias.
    places : ndarray of uint8, shape (samples, neurons)
        Values of `Place`: at the start, where dV/dt = 0, at an arrival, at the end.
    """

    values: NDArray[Any]
    times: NDArray[np.float64]
    places: NDArray[np.uint8]


class Record:
    """All that the backward pass needs of a forward pass; `simulate` and `record` make it.

    It keeps the values that the network had, and the arrays of the input spikes, which are used in
    place where their types allow it: to write to them makes the record unusable (ValueError).

    It can be pickled and copied (`copy.deepcopy`): what is kept is of what it was made, and it is
    made anew, with the same bits (ValueError after its input spikes were written to). One that a
    loss of your own is given by `fit` cannot.
    """

    def __init__(
        self,
        network: Network,
        core: _core._Record,
        dtype: np.dtype[Any],
        t_end: NDArray[np.float64],
        smoothing: Smoothing | None = None,
        *,
        again: tuple[Any, ...] | None = None,
    ) -> None:
        self._network = network
        self._again = again  # the call that makes it: a function and its arguments
        self._core = core
        self._dtype = dtype
        self._t_end = t_end
        self._smoothing = smoothing

    @property
    def _goes_on(self) -> bool:
        """Does it go on from a state?"""
        return self._core.goes_on

    @property
    def samples(self) -> int:
        """The number of samples in the batch."""
        return self._core.samples

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of currents and voltages, float64 or float32. Times are always float64."""
        return self._dtype

    def spikes(self, population: str) -> Spikes:
        """Return the spikes of a population; read-only arrays, without a copy.

        Parameters
        ----------
        population : str
            Of any model that spikes.

        Returns
        -------
        Spikes

        Raises
        ------
        ValueError
            No such population, an input, or one that does not spike.
        """
        return Spikes(*self._core.spikes(self._spiking_index(population)))

    def maxima(self, population: str) -> Maxima:
        """Return the largest V of each neuron of an LI population; read-only arrays.

        Parameters
        ----------
        population : str
            LI with exponential synapses.

        Returns
        -------
        Maxima

        Raises
        ------
        ValueError
            No such population, or one of another model.
        """
        values, times, places = self._core.maxima(self._index(population))
        shape = (self.samples, self._size(population))
        return Maxima(values.reshape(shape), times.reshape(shape), places.reshape(shape))

    def integrals(self, population: str) -> NDArray[Any]:
        """Return the integral of V over [0, t_end].

        Parameters
        ----------
        population : str
            Of any model.

        Returns
        -------
        ndarray, shape (samples, neurons)
            Seconds times voltage.

        Raises
        ------
        ValueError
            No such population, an input, or an infinite end and a bias that is not 0.
        """
        values = self._core.integrals(self._index(population))
        return values.reshape(self.samples, self._size(population))

    def voltages(self, population: str, at: ArrayLike) -> NDArray[Any]:
        """Return V at chosen times, the same for all samples.

        Parameters
        ----------
        population : str
            Of any model.
        at : array_like, shape (times,)
            Seconds, ascending, not after the end of any sample. At the very time of a spike V is
            the one just before it.

        Returns
        -------
        ndarray, shape (samples, times, neurons)

        Raises
        ------
        ValueError
            No such population, an input, or times that are unsorted, negative or after the end.
        """
        index, times = self._index(population), _times(at)
        values = self._core.voltages(index, times)
        return values.reshape(self.samples, len(times), self._size(population))

    def currents(self, population: str, at: ArrayLike) -> NDArray[Any]:
        """Return the synaptic current I at chosen times, the same for all samples.

        Parameters
        ----------
        population : str
            Of any model whose synapses are one current: not ``"delta"``, not ``"ex_in"``.
        at : array_like, shape (times,)
            Seconds, ascending, not after the end of any sample. At the very time of an arrival I is
            the one just before it.

        Returns
        -------
        ndarray, shape (samples, times, neurons)

        Raises
        ------
        ValueError
            No such population, an input, one without a single current, or times that are unsorted,
            negative or after the end.
        """
        index, times = self._index(population), _times(at)
        values = self._core.currents(index, times)
        return values.reshape(self.samples, len(times), self._size(population))

    def state(self) -> State:
        """Return where the run stands at its end: `simulate` goes on from there.

        V, I and what else neurons have, and the spikes that are on their way or behind which a
        neuron is refractory. Chunks of a run then give what the whole would.

        Returns
        -------
        State

        Raises
        ------
        ValueError
            A sample that never ends.
        """
        return from_core(self._network, self._core.state(), self.samples)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._again is None:
            raise TypeError(
                "record: one of a minibatch within fit cannot be pickled or copied; expected one "
                "of simulate or record"
            )
        self._check_unchanged()
        return self._again

    def _alone(self, sample: int) -> Record:
        """Return the record of one sample: times that are read of it may go on to its own end."""
        assert self._again is not None
        self._check_unchanged()
        _, (network, arrays, *_) = self._again
        inputs = _by_name(network, [_one(a, sample) for a in arrays])
        end = np.broadcast_to(self._t_end, self.samples)[sample]
        if self._goes_on:
            state = self._again[1][3]["state"].take([sample])
            return simulate(network, inputs, end, state=state, dtype=self._dtype)
        spikes = {}
        for name, (model, _) in network._populations.items():
            if model in SPIKING:
                found = self.spikes(name)
                spikes[name] = _one((found.times, found.neurons, found.offsets), sample)
        return record(network, inputs, spikes, end, dtype=self._dtype)

    def _check_unchanged(self) -> None:
        """Refuse arrays of the input spikes that were written to: it is another record's."""
        for name, (model, _) in self._network._populations.items():
            if model != "input":
                self._core.voltages(self._index(name), np.empty(0))  # it looks, then reads nothing
                return

    def __repr__(self) -> str:
        return f"<saltus.Record: {self.samples} samples, {self._dtype}, of {self._network!r}>"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, str, int, float | None]] = []
        for name, (model, size) in self._network._populations.items():
            spikes = len(self.spikes(name)) / max(1, self.samples) if model in SPIKING else None
            rows.append((name, model, size, spikes))
        head = ("population", "model", "neurons", "spikes a sample")
        return html_table(f"Record: {self.samples} samples, {self._dtype}", head, rows)

    def _index(self, population: str) -> int:
        if not isinstance(population, str):
            got = type(population).__name__
            raise TypeError(f"population: expected a string; got {got}")
        return self._network._core.index(population)

    def _spiking_index(self, population: str) -> int:
        index = self._index(population)
        model, _ = self._network._populations[population]
        if model not in SPIKING:
            raise ValueError(f"'{population}' is {model}; expected a population that spikes")
        return index

    def _size(self, population: str) -> int:
        return self._network._populations[population][1]


def _times(at: ArrayLike) -> NDArray[np.float64]:
    times = numbers(at, "at")
    expect_dimensions(times, "at", "[time]")
    return times


def simulate(
    network: Network,
    inputs: Mapping[str, SpikeArrays] | LabelledSpikes,
    t_end: ArrayLike | None = None,
    *,
    smoothing: Smoothing | None = None,
    state: State | None = None,
    dtype: DTypeLike = np.float64,
    threads: int | None = None,
    max_spikes_per_sample: int = 0,
    max_memory_per_sample: float = 0.0,
    max_seconds_per_sample: float = 0.0,
) -> Record:
    """Simulate every sample of a batch, event by event, without a time grid.

    Parameters
    ----------
    network : Network
        Its values are copied: to change it later does not change the record.
    inputs : dict of str to (times, neurons, offsets)
        The spikes of each input population: times [spikes] in seconds, neurons [spikes],
        offsets [samples + 1]. Sample ``s`` holds the entries ``offsets[s]`` to
        ``offsets[s + 1] - 1``, ascending in time. C-contiguous arrays of float64, int32 and int64
        are used in place, others are converted. Or a list of samples, which is joined (a copy):
        each a tuple (times, neurons), or a Tonic event array with fields t in microseconds and x.
        Or a `saltus.data.LabelledSpikes`, in the dict or in its place: several inputs then take
        its channels one after the other.
    t_end : float or array_like, shape (samples,)
        When each sample ends, in seconds. May be infinite in a network without cycles. None: as
        the data say (`LabelledSpikes.t_end`); several, in a dict, must say the same.
    smoothing : Smoothing, optional
        With ``thresholds="sampled"`` neurons spike at thresholds drawn from its noise; without it,
        or with ``"fixed"``, at their own.
    state : State, optional
        From `Record.state` of a run of as many samples: this one is its continuation. The end of
        that run is the time 0 of this one. Without it V, I and so on start at ``v_initial``,
        ``i_initial``, and nothing is on its way.
    dtype : {numpy.float64, numpy.float32}
        The type of weights, currents and voltages. Times are float64 in both.
    threads : int, optional
        0: all cores; unless given what `set_threads` says. The result has the same bits for any
        number.
    max_spikes_per_sample : int
        Refuse a sample in which all neurons together spike more often: a network that runs away.
        The error names the first such sample, for any number of threads, the population and the
        simulated time. 0: no limit.
    max_memory_per_sample : float
        The same of the bytes that the record of its spikes takes: 28 a spike, 20 in float32.
        0: no limit.
    max_seconds_per_sample : float
        The same of the processor time of its forward pass, in seconds. 0: no limit.

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        Spikes that are unsorted, negative or not finite, neurons that do not exist, wrong shapes,
        an end that is negative or NaN, an infinite end where a network could spike for ever,
        parameters without meaning, sampled thresholds that could lie below V(0) or V_reset, a
        state of another network or batch or with sampled thresholds, a sample that takes more than
        it may.
    TypeError
        An argument of a wrong type, named in the message.
    KeyboardInterrupt
        Ctrl-C; it is heard between samples.

    Warns
    -----
    SaltusWarning
        No input spike comes before the end. Once for a network: times or time constants that look
        like another unit than seconds.
    """
    core, real = _core_type(dtype)
    if smoothing is not None:
        check_smoothing(smoothing)
    snapshot, arrays, ends = _prepare(network, inputs, t_end)
    if unseen := unseen_input(arrays, ends):
        warnings.warn(unseen, SaltusWarning, stacklevel=2)
    noise = None if smoothing is None else smoothing._settings()
    start = None if state is None else to_core(snapshot, state)
    limits = limits_for_core(max_spikes_per_sample, max_memory_per_sample, max_seconds_per_sample)
    count = thread_count(threads)
    found = core.simulate(snapshot._core, arrays, ends, count, noise, start, limits)
    if not (unseen or network._advised) and (says := found.advice()):
        network._advised = snapshot._advised = True
        for sentence in says:
            warnings.warn(sentence, SaltusWarning, stacklevel=2)
    # Of a state of its own: what is written to the given one is not of this record.
    kept = None if state is None or start is None else from_core(snapshot, start, state.samples)
    again = (
        _simulate_again,
        (snapshot, arrays, ends, {"smoothing": smoothing, "state": kept, "dtype": real}),
    )
    return Record(snapshot, found, real, ends, smoothing, again=again)


def record(
    network: Network,
    inputs: Mapping[str, SpikeArrays] | LabelledSpikes,
    spikes: Mapping[str, SpikeArrays],
    t_end: ArrayLike | None = None,
    *,
    dtype: DTypeLike = np.float64,
    threads: int | None = None,
) -> Record:
    """Make a record from spikes that were measured elsewhere: other hardware, another simulator.

    The currents at the spikes are rebuilt from the weights; `backward` takes the result.

    Parameters
    ----------
    network, inputs, t_end, dtype, threads
        As in `simulate`.
    spikes : dict of str to (times, neurons, offsets)
        The spikes of every population that spikes, in the layout of `inputs`.

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        As `simulate`; spikes after the end, or of one neuron closer than `tau_ref` (but for
        rounding, as on a grid: the record has the earlier one that little earlier).
    TypeError
        An argument of a wrong type, named in the message.
    """
    core, real = _core_type(dtype)
    snapshot, arrays, ends = _prepare(network, inputs, t_end)
    measured = _all_spikes(snapshot, spikes, "spikes", *SPIKING)
    indexed = {snapshot._core.index(name): arrays for name, arrays in measured.items()}
    found = core.record(snapshot._core, arrays, indexed, ends, thread_count(threads))
    kept = {name: (t.copy(), n.copy(), o.copy()) for name, (t, n, o) in measured.items()}
    again = (_record_again, (snapshot, arrays, kept, ends, real))
    return Record(snapshot, found, real, ends, again=again)


def _one(arrays: Arrays, sample: int) -> Arrays:
    """Return the spikes of one sample."""
    times, neurons, offsets = arrays
    part = slice(offsets[sample], offsets[sample + 1])
    return times[part], neurons[part], np.array([0, part.stop - part.start])


def _simulate_again(
    network: Network,
    arrays: list[Arrays],
    ends: NDArray[np.float64],
    options: dict[str, Any],
) -> Record:
    given = _ends_as_given(arrays, ends)
    return simulate(network, _by_name(network, arrays), given, **options)


def _record_again(
    network: Network,
    arrays: list[Arrays],
    measured: dict[str, Arrays],
    ends: NDArray[np.float64],
    dtype: np.dtype[Any],
) -> Record:
    given = _ends_as_given(arrays, ends)
    return record(network, _by_name(network, arrays), measured, given, dtype=dtype)


def _by_name(network: Network, arrays: list[Arrays]) -> dict[str, SpikeArrays]:
    names = [name for name, (model, _) in network._populations.items() if model == "input"]
    return dict(zip(names, arrays, strict=True))


def _ends_as_given(arrays: list[Arrays], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one end for all samples as a number, which it was."""
    samples = len(arrays[0][2]) - 1 if arrays else len(ends)
    return ends if len(ends) == samples else ends.reshape(())


def network_of(network: object, record: object) -> bool:
    """Whether a network has other values than the record's; another structure is an error."""
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a saltus.Network; got {type(network).__name__}")
    if not isinstance(record, Record):
        raise TypeError(f"record: expected a saltus.Record; got {type(record).__name__}")
    if network is record._network:
        return False
    difference = network._structure_difference(record._network)
    if difference:
        raise ValueError(f"network differs from the record's: it has {difference}")
    changed = [name for name in network if not np.array_equal(network[name], record._network[name])]
    if changed:
        warnings.warn(
            f"{', '.join(changed)} changed after the simulation: the record's spikes belong to the "
            "old values; simulate again for exact gradients",
            SaltusWarning,
            stacklevel=3,
        )
    return bool(changed)


def _core_type(dtype: DTypeLike) -> tuple[type[_core._Record], np.dtype[Any]]:
    try:
        real = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype: expected float64 or float32; got {dtype!r}") from None
    if real == np.float64:
        return _core.Record64, real
    if real == np.float32:
        return _core.Record32, real
    raise ValueError(f"dtype is {real}; expected float64 or float32")


def _prepare(
    network: Network,
    inputs: Mapping[str, SpikeArrays] | LabelledSpikes,
    t_end: ArrayLike | None,
) -> tuple[Network, list[Arrays], NDArray[np.float64]]:
    if not isinstance(network, Network):
        got = type(network).__name__
        raise TypeError(f"network: expected a saltus.Network; got {got}")
    if isinstance(inputs, LabelledSpikes):
        arrays = by_input(inputs.spikes, input_sizes(network, inputs))
        t_end = inputs.t_end if t_end is None else t_end
    else:
        arrays = list(_all_spikes(network, inputs, "inputs", "input").values())
        t_end = _ends_of(inputs) if t_end is None else t_end
    if t_end is None:
        raise TypeError("t_end: missing; expected when each sample ends, in seconds")
    ends = numbers(t_end, "t_end")
    if not arrays:
        expect_shape(ends, "t_end", (), (ends.size,), axes="one number, or one per sample")
    elif len(arrays[0][2]):  # an empty array of offsets is the core's to refuse
        samples = (len(arrays[0][2]) - 1,)
        expect_shape(ends, "t_end", (), samples, axes="one number, or one per sample")
    return network.copy(), arrays, ends.reshape(-1).copy()


def _ends_of(inputs: Mapping[str, SpikeArrays]) -> NDArray[np.float64] | None:
    """Return when the samples end, as those inputs have it that say so; None: none does."""
    said = {
        name: data.t_end
        for name, data in inputs.items()
        if isinstance(data, LabelledSpikes) and data.t_end is not None
    }
    if not said:
        return None
    first, *others = said
    for name in others:
        if not np.array_equal(said[first], said[name]):
            raise ValueError(
                f"t_end: the data of '{first}' and '{name}' end at different times; expected the "
                "same, or t_end="
            )
    return said[first]


def input_sizes(network: Network, data: LabelledSpikes) -> list[int]:
    """Return how many channels each input takes of a data set."""
    sizes = [size for model, size in network._populations.values() if model == "input"]
    if data.channels != sum(sizes):
        raise ValueError(
            f"inputs has {data.channels} channels; expected {' + '.join(map(str, sizes)) or 0}, as "
            "the inputs of the network"
        )
    return sizes


def _all_spikes(
    network: Network, given: Mapping[str, SpikeArrays], argument: str, *models: str
) -> dict[str, Arrays]:
    """Check the spikes of every population of the models and put them in the network's order."""
    spikes = mapping(given, argument)
    wanted = [name for name, (m, _) in network._populations.items() if m in models]
    for name in spikes:
        if name not in wanted:
            known = ", ".join(f"'{w}'" for w in wanted) or "none"
            what = "input" if models == ("input",) else "population that spikes"
            raise ValueError(f"{argument}: '{name}' is no {what}; there are: {known}")
    for name in wanted:
        if name not in spikes:
            raise ValueError(f"{argument}: expected spikes of '{name}'; none given")
    return {name: spike_arrays(spikes[name], f"{argument}['{name}']") for name in wanted}
