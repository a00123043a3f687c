# SPDX-License-Identifier: Apache-2.0
"""Spiking networks with exact gradients as JAX functions, on the CPU.

`EventProp` is a function of parameters and input spike times with a custom derivative, which calls
the library through a pure callback: it works under ``jit`` and ``grad``. Under ``jit`` shapes are
fixed, so that the neurons and offsets of the input spikes are part of the call's static structure,
and outputs are those whose shapes do not depend on how often neurons spike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import expect_dimensions, integers, numbers
from ._backward import backward
from ._first import first_errors
from ._models import NEURONS, SPIKING
from ._network import Network
from ._record import Record, simulate
from ._threads import thread_count

Kind = Literal["maxima", "integrals", "voltages", "first_spikes"]


class EventProp:
    """A network as a JAX function: ``f(parameters, times, neurons, offsets)``.

    Parameters
    ----------
    network : saltus.Network
        With one input.
    t_end : float
        When every sample ends, in seconds.
    readout : str
        A population.
    output : {"maxima", "integrals", "voltages", "first_spikes"}
        What is returned of it: [samples, neurons], or [samples, times, neurons] of voltages. First
        spikes are seconds, `missing` for neurons without a spike.
    at : array_like, shape (times,), optional
        Seconds, ascending; when voltages are read.
    missing : float
        Seconds.
    threads : int, optional
        0: all cores; unless given what `set_threads` says.

    Attributes
    ----------
    parameters : dict of str to ndarray
        The values of the network, by name: what the function takes and differentiates.

    Raises
    ------
    ValueError
        A readout or output that the network does not have, JAX without float64.
    TypeError
        An argument of a wrong type, named in the message.

    Notes
    -----
    Everything is float64: ``jax.config.update("jax_enable_x64", True)``.
    """

    def __init__(
        self,
        network: Network,
        t_end: float,
        readout: str,
        output: Kind,
        *,
        at: ArrayLike | None = None,
        missing: float = np.inf,
        threads: int | None = None,
    ) -> None:
        if not isinstance(network, Network):
            raise TypeError(f"network: expected a saltus.Network; got {type(network).__name__}")
        if not jax.config.jax_enable_x64:
            raise ValueError(
                'JAX runs without float64; say jax.config.update("jax_enable_x64", True)'
            )
        model = network._populations.get(readout, ("", 0))[0]
        fitting = {"maxima": ("LI",), "first_spikes": SPIKING}.get(output, NEURONS)
        if output not in get_args(Kind):
            raise ValueError(f"output is {output!r}; expected one of {', '.join(get_args(Kind))}")
        if model not in fitting:
            got = f"'{readout}' is {model}" if model else f"no population is called '{readout}'"
            raise ValueError(f"readout: {got}; expected {' or '.join(fitting)} for {output}")
        if (output == "voltages") != (at is not None):
            raise ValueError("at: expected times with an output of voltages, and none without one")
        inputs = [name for name, (m, _) in network._populations.items() if m == "input"]
        if len(inputs) != 1:
            raise ValueError(f"network has {len(inputs)} inputs; expected one")
        network._core.check()
        self._network, self._input, self._t_end = network.copy(), inputs[0], t_end
        self._readout, self._output, self._missing = readout, output, missing
        self._size = network._populations[readout][1]
        self._at = numbers([] if at is None else at, "at").copy()
        expect_dimensions(self._at, "at", "[time]")
        self._threads = thread_count(threads)
        self.parameters = {name: network[name].copy() for name in network}
        self._call = jax.custom_vjp(self._run)
        self._call.defvjp(self._forward, self._backward)

    def __call__(
        self, parameters: Mapping[str, Any], times: Any, neurons: Any, offsets: Any
    ) -> jax.Array:
        """Simulate a batch.

        Parameters
        ----------
        parameters : dict of str to array
            As the attribute `parameters`.
        times : array of float64, shape (spikes,)
            Seconds, ascending within a sample; differentiable.
        neurons : array of int, shape (spikes,)
        offsets : array of int, shape (samples + 1,)

        Returns
        -------
        jax.Array

        Raises
        ------
        ValueError
            Parameters of other names or shapes, a neuron or offset that its type cannot hold.
        TypeError
            Times or parameters that are no numbers, neurons or offsets that are no integers; of
            what ``jit`` traces neither is looked at.
        Exception
            What `saltus.simulate` refuses besides arrives as an error of JAX that holds its
            message.
        """
        if set(parameters) != set(self.parameters):
            odd = sorted(set(parameters) ^ set(self.parameters))
            raise ValueError(f"parameters: {', '.join(odd)} is missing or unknown")
        for name, value in self.parameters.items():
            if np.shape(parameters[name]) != value.shape:
                shape = np.shape(parameters[name])
                raise ValueError(f"parameters['{name}'] has shape {shape}; expected {value.shape}")
        # Copies: the way back reads them again, and must not see what was written to a NumPy array.
        values = {
            name: _copy(value, numbers, f"parameters['{name}']", np.float64)
            for name, value in parameters.items()
        }
        spikes = (
            _copy(times, numbers, "times", np.float64),
            _copy(neurons, integers, "neurons", np.int32),
            _copy(offsets, integers, "offsets", np.int64),
        )
        found: jax.Array = self._call(values, *spikes)
        return found

    def _shape(self, offsets: Any) -> jax.ShapeDtypeStruct:
        samples = offsets.shape[0] - 1
        middle = (len(self._at),) if self._output == "voltages" else ()
        return jax.ShapeDtypeStruct((samples, *middle, self._size), np.float64)

    def _run(self, parameters: Any, times: Any, neurons: Any, offsets: Any) -> Any:
        call = lambda *arguments: self._read(self._record(*arguments))  # noqa: E731
        return jax.pure_callback(call, self._shape(offsets), parameters, times, neurons, offsets)

    def _forward(self, parameters: Any, times: Any, neurons: Any, offsets: Any) -> Any:
        arguments = (parameters, times, neurons, offsets)
        return self._run(*arguments), arguments

    def _backward(self, arguments: Any, gradient: Any) -> Any:
        parameters, times, neurons, offsets = arguments

        def adjoint(gradient: Any, *arguments: Any) -> Any:
            record = self._record(*arguments)
            errors = self._errors(record, np.asarray(gradient))
            found = backward(record._network, record, **errors, threads=self._threads)
            return {name: found[name] for name in parameters}, found[f"{self._input}.times"]

        shapes = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, np.float64), (parameters, times)
        )
        by_parameter, by_time = jax.pure_callback(adjoint, shapes, gradient, *arguments)
        nothing = [np.zeros(x.shape, jax.dtypes.float0) for x in (neurons, offsets)]
        return by_parameter, by_time, *nothing

    def _record(self, parameters: Any, times: Any, neurons: Any, offsets: Any) -> Record:
        network = self._network.copy()
        for name, value in parameters.items():
            network[name] = np.asarray(value)
        # Copies: the arrays of JAX do not outlive the callback.
        batch = (np.array(times), np.array(neurons), np.array(offsets))
        return simulate(network, {self._input: batch}, self._t_end, threads=self._threads)

    def _read(self, record: Record) -> NDArray[np.float64]:
        if self._output == "maxima":
            return record.maxima(self._readout).values
        if self._output == "integrals":
            return record.integrals(self._readout)
        if self._output == "voltages":
            return record.voltages(self._readout, self._at)
        return record.spikes(self._readout).first(self._size, self._missing)

    def _errors(self, record: Record, gradient: NDArray[np.float64]) -> dict[str, Any]:
        if self._output == "voltages":
            return {"sample_errors": {self._readout: (self._at, gradient)}}
        if self._output != "first_spikes":
            kind = {"maxima": "maximum_errors", "integrals": "integral_errors"}[self._output]
            return {kind: {self._readout: gradient}}
        errors = first_errors(record.spikes(self._readout), gradient)
        return {"spike_errors": {self._readout: errors}}


def _copy(
    value: Any, check: Callable[..., NDArray[Any]], argument: str, dtype: type[np.number[Any]]
) -> jax.Array:
    """Return an array of JAX, checked as `saltus.simulate` does unless it is only traced."""
    checked = value if isinstance(value, jax.core.Tracer) else check(value, argument, dtype)
    return jax.numpy.array(checked, dtype)
