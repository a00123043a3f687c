# SPDX-License-Identifier: Apache-2.0
"""The backward pass: a record and the errors of a loss give gradients."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from numpy.typing import ArrayLike, NDArray

from ._arrays import expect_dimensions, expect_shape, mapping, numbers
from ._ghosts import Ghosts
from ._models import NEURONS, SPIKING
from ._network import Network
from ._record import Record, network_of
from ._state import errors_of, named
from ._threads import thread_count
from ._vocabulary import kind_of, named_by

KINDS = ("weights", "delays", "neurons", "times")
"""What `backward` gives gradients of."""


def backward(
    network: Network,
    record: Record,
    *,
    spike_errors: Mapping[str, ArrayLike] | None = None,
    maximum_errors: Mapping[str, ArrayLike] | None = None,
    integral_errors: Mapping[str, ArrayLike] | None = None,
    sample_errors: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    state_errors: Mapping[str, ArrayLike] | None = None,
    ghosts: Ghosts | None = None,
    wanted: str | Collection[str] = KINDS,
    threads: int | None = None,
) -> dict[str, NDArray[Any]]:
    """Compute exact gradients by the adjoint equations.

    They run backwards in time with jumps at the spikes ([1]_, equations 3 to 5; delays, maxima at
    arrivals and refractory times in docs/theory.md, sections 5 to 8).

    Parameters
    ----------
    network : Network
        The network that gave the record. Values that differ from the record's are used, with a
        warning: spikes and gradients then belong to different networks.
    record : Record
        From `simulate` or `record`.
    spike_errors : dict of str to array_like, shape (spikes,), optional
        dL/dt of each spike of a population, in the order of ``record.spikes``.
    maximum_errors : dict of str to array_like, shape (samples, neurons), optional
        dL/d(maximum of V) of an LI population; of a LIF population for neurons that do not spike
        in the sample, 0 for the others.
    integral_errors : dict of str to array_like, shape (samples, neurons), optional
        dL/d(integral of V).
    sample_errors : dict of str to (at, errors), optional
        dL/dV at the times ``at``, shape (times,), in seconds and ascending; the errors have shape
        (samples, times, neurons).
    state_errors : dict of str to array_like, optional
        dL/d(`Record.state`): ``"h.state.V"``, ``"h.state.I"`` and so on of shape (samples,
        neurons), ``"h.state.times"`` of the shape of ``record.state()["h"].times``. What
        `backward` returns of the run that went on from this one's end: its other entries are not
        looked at.
    ghosts : Ghosts, optional
        From `find_ghosts`, for this record: the result is then the gradient of the loss averaged
        over noisy thresholds. Their differences are filled in, unless they were measured.
    wanted : str or collection of str
        The gradients to return: ``"weights"``, ``"delays"``, ``"neurons"``, ``"times"`` (of the
        inputs), a parameter of all populations (``"tau_mem"``) or of one (``"hidden.tau_mem"``).
        Kinds that are left out save time. Weights are always there.
    threads : int, optional
        0: all cores; unless given what `set_threads` says. The result has the same bits for any
        number.

    Returns
    -------
    dict of str to ndarray
        One gradient for each parameter (the names that ``network`` iterates over) in the shape of
        that parameter, and one for the times of each input (``"in.times"``, shape (spikes,)).
        Summed over the batch, except for the times. A number that all neurons share has the sum
        of their gradients. Gradients of weights have the record's dtype, others float64.
        The integral of V of a sample that never ends has no limit if the bias is not 0: with such
        errors the gradient of a bias is infinite (nan, if infinite ones of both signs add up).
        Of a record that goes on from a state also those by that state: ``"h.state.V"``,
        ``"h.state.times"`` and so on. Its parameters have no part in how that state came about:
        hand these entries to `backward` of the run before (`state_errors`), and the sum of both
        results is the gradient of the whole.

    Raises
    ------
    ValueError
        A network with another structure than the record's, an unknown population, errors of a
        wrong shape or not finite, errors for a population that cannot have them, ghosts of another
        record.
    TypeError
        An argument of a wrong type, named in the message.

    References
    ----------
    .. [1] T. C. Wunderlich and C. Pehle, "Event-based backpropagation can compute exact gradients
       for spiking neural networks", Scientific Reports 11, 12829 (2021).
    """
    changed = network_of(network, record)
    if ghosts is not None and not isinstance(ghosts, Ghosts):
        raise TypeError(f"ghosts: expected a saltus.Ghosts; got {type(ghosts).__name__}")
    if ghosts is not None and ghosts._record is not record:
        raise ValueError("ghosts belong to another record; expected those of find_ghosts for it")
    errors = error_arrays(
        record,
        spike_errors,
        maximum_errors,
        integral_errors,
        sample_errors,
        state_errors=state_errors,
    )
    other = network.copy()._core if changed else None
    kinds, names = _wanted(network, wanted)
    flat = record._core.backward(
        errors,
        other,
        ("delays" in kinds, "times" in kinds, "neurons" in kinds),
        thread_count(threads),
        None if ghosts is None else ghosts._core,
    )
    gradients = {name: flat[name].reshape(network[name].shape) for name in network if name in names}
    if "times" in kinds:
        for name, (model, _) in network._populations.items():
            if model == "input":
                gradients[f"{name}.times"] = flat[f"{name}.times"]
    if record._goes_on:
        gradients.update(named(network, flat, record.samples))
    return gradients


def adjoint(
    record: Record,
    population: str,
    at: ArrayLike,
    *,
    spike_errors: Mapping[str, ArrayLike] | None = None,
    maximum_errors: Mapping[str, ArrayLike] | None = None,
    integral_errors: Mapping[str, ArrayLike] | None = None,
    sample_errors: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the adjoint variables of a population over time ([1]_, equation 3).

    They say how the loss changes with the state: dL/dV(t) = -tau_mem lambda_V(t) and
    dL/dI(t) = -tau_syn lambda_I(t).

    Parameters
    ----------
    record : Record
        From `simulate` or `record`.
    population : str
        LIF or LI, with exponential synapses.
    at : array_like, shape (times,)
        Seconds, ascending, not after the end of any sample. At the very time of a jump the values
        are those just after it.
    spike_errors, maximum_errors, integral_errors, sample_errors
        As in `backward`.

    Returns
    -------
    lambda_v, lambda_i : ndarray, shape (samples, times, neurons)
        Loss per second (voltages and currents have no dimension).

    Raises
    ------
    ValueError
        As `backward` and `Record.voltages`.
    TypeError
        An argument of a wrong type, named in the message.

    References
    ----------
    .. [1] T. C. Wunderlich and C. Pehle, "Event-based backpropagation can compute exact gradients
       for spiking neural networks", Scientific Reports 11, 12829 (2021).
    """
    if not isinstance(record, Record):
        raise TypeError(f"record: expected a saltus.Record; got {type(record).__name__}")
    errors = error_arrays(record, spike_errors, maximum_errors, integral_errors, sample_errors)
    index = record._index(population)
    times = numbers(at, "at")
    expect_dimensions(times, "at", "[time]")
    shape = (record.samples, len(times), record._size(population))
    v, i = record._core.adjoint(errors, index, times)
    return v.reshape(shape), i.reshape(shape)


def _wanted(network: Network, given: str | Collection[str]) -> tuple[set[str], set[str]]:
    """Return which kinds to compute, and the parameters to return."""
    words = {given} if isinstance(given, str) else set(given)
    named = named_by(network, words - {*KINDS}, "backward: wanted", besides="times")
    kinds = (words & {*KINDS}) | {kind_of(name) for name in named}
    whole = (words & {*KINDS}) | {"weights"}
    return kinds, named | {name for name in network if kind_of(name) in whole}


def error_arrays(
    record: Record,
    spike_errors: Mapping[str, ArrayLike] | None = None,
    maximum_errors: Mapping[str, ArrayLike] | None = None,
    integral_errors: Mapping[str, ArrayLike] | None = None,
    sample_errors: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    *,
    state_errors: Mapping[str, ArrayLike] | None = None,
) -> dict[int, Any]:
    """Return the errors of each population as the core wants them, checked."""
    collect = _Errors(record)
    collect.spikes(spike_errors)
    collect.matrices(maximum_errors, "maximum_errors", 1, "LIF", "LI")
    collect.matrices(integral_errors, "integral_errors", 2, *NEURONS)
    collect.samples(sample_errors)
    collect.state(state_errors)
    return collect.tuples()


class _Errors:
    """Gathers the errors of each population, in the order that the core wants."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._found: dict[int, list[NDArray[Any] | None]] = {}

    def spikes(self, given: Mapping[str, ArrayLike] | None) -> None:
        for name, value in self._entries(given, "spike_errors", *SPIKING):
            shape = self._record.spikes(name).times.shape
            argument = f"spike_errors['{name}']"
            self._put(name, 0, self._array(value, argument, shape, "[spikes]"))

    def matrices(
        self, given: Mapping[str, ArrayLike] | None, kind: str, place: int, *models: str
    ) -> None:
        for name, value in self._entries(given, kind, *models):
            shape = (self._record.samples, self._record._size(name))
            array = self._array(value, f"{kind}['{name}']", shape, "[sample, neuron]")
            self._put(name, place, array)

    def samples(self, given: Mapping[str, tuple[ArrayLike, ArrayLike]] | None) -> None:
        for name, value in self._entries(given, "sample_errors", *NEURONS):
            argument = f"sample_errors['{name}']"
            if not isinstance(value, (tuple, list)) or len(value) != 2:
                got = type(value).__name__
                raise TypeError(f"{argument}: expected a tuple (at, errors); got {got}")
            at = numbers(value[0], f"{argument} at")
            expect_dimensions(at, f"{argument} at", "[time]")
            shape = (self._record.samples, len(at), self._record._size(name))
            axes = "[sample, time, neuron]"
            errors = self._array(value[1], f"{argument} errors", shape, axes)
            if errors.size:
                self._put(name, 3, at)
                self._put(name, 4, errors)

    def state(self, given: Mapping[str, ArrayLike] | None) -> None:
        if given is None:
            return
        found = errors_of(self._record._network, given, self._record.samples)
        for name, (x, past) in found.items():
            if x is not None:
                self._put(name, 5, x)
            if past is not None:
                self._put(name, 6, past)

    def tuples(self) -> dict[int, Any]:
        return {index: tuple(arrays) for index, arrays in self._found.items()}

    def _entries(self, given: object, argument: str, *models: str) -> list[tuple[str, object]]:
        if given is None:
            return []
        entries = list(mapping(given, argument).items())
        for name, _ in entries:
            self._record._index(name)  # raises for a name that it does not know
            model, _ = self._record._network._populations[name]
            if model not in models:
                expected = " or ".join(models)
                raise ValueError(f"{argument}: '{name}' is {model}; expected {expected}")
        return entries

    def _array(
        self, value: object, argument: str, shape: tuple[int, ...], axes: str
    ) -> NDArray[Any]:
        array = numbers(value, argument, self._record.dtype)
        expect_shape(array, argument, shape, axes=axes)
        return array

    def _put(self, name: str, place: int, array: NDArray[Any]) -> None:
        arrays = self._found.setdefault(self._record._index(name), [None] * 7)
        arrays[place] = array.reshape(-1)
