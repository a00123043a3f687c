# SPDX-License-Identifier: Apache-2.0
"""Spiking networks with exact gradients as PyTorch modules.

`EventProp` is an ordinary `torch.nn.Module`: its parameters are `torch.nn.Parameter`, its outputs
are tensors, and gradients flow into weights, delays, neuron parameters and the times of input
spikes. Spike trains are ragged tensors (`Spikes`). Everything runs on the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ._arrays import expect_dimensions, numbers, whole
from ._backward import backward, kind_of
from ._models import NEURONS, SPIKING
from ._network import Network
from ._record import Record, simulate
from ._spikes import SpikeArrays, spike_arrays
from ._state import State as CoreState
from ._torch_names import Named

_KINDS = ("spikes", "maxima", "integrals", "voltages")


class Spikes(NamedTuple):
    """The spikes of one population in every sample of a batch, ragged.

    Sample ``s`` holds the entries ``offsets[s]`` to ``offsets[s + 1] - 1``, ascending in time.

    Attributes
    ----------
    times : Tensor of float64, shape (spikes,)
        Seconds; differentiable.
    neurons : Tensor of int64, shape (spikes,)
    offsets : Tensor of int64, shape (samples + 1,)
    """

    times: torch.Tensor
    neurons: torch.Tensor
    offsets: torch.Tensor

    @property
    def samples(self) -> torch.Tensor:
        """The sample of each spike: int64, shape (spikes,)."""
        counts = self.offsets.diff()
        return torch.repeat_interleave(torch.arange(len(counts)), counts)

    def padded(self, fill: float = torch.inf) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the spikes as dense tensors.

        Parameters
        ----------
        fill : float
            The time of an entry without a spike, in seconds. Its neuron is -1.

        Returns
        -------
        times : Tensor of float64, shape (samples, largest count)
            Differentiable.
        neurons : Tensor of int64, shape (samples, largest count)
        """
        counts = self.offsets.diff()
        shape = (len(counts), int(counts.max()) if len(counts) else 0)
        place = (self.samples, torch.arange(len(self.times)) - self.offsets[:-1][self.samples])
        times = torch.full(shape, fill, dtype=self.times.dtype).index_put(place, self.times)
        neurons = torch.full(shape, -1, dtype=torch.int64).index_put(place, self.neurons)
        return times, neurons

    def first(self, size: int, missing: float = torch.inf) -> torch.Tensor:
        """Return the first spike of each neuron, differentiable.

        Parameters
        ----------
        size : int
            The number of neurons of the population.
        missing : float
            What stands for a neuron without a spike, in seconds.

        Returns
        -------
        Tensor of float64, shape (samples, size)
        """
        samples = len(self.offsets) - 1
        first = torch.full((samples * size,), torch.inf, dtype=self.times.dtype)
        place = self.samples * size + self.neurons
        first = first.scatter_reduce(0, place, self.times, "amin")
        first = torch.where(torch.isinf(first), torch.full_like(first, missing), first)
        return first.reshape(samples, size)


def from_padded(times: torch.Tensor, neurons: torch.Tensor) -> Spikes:
    """Make ragged spikes of dense ones; entries that are infinite or whose neuron is -1 are none.

    Parameters
    ----------
    times : Tensor, shape (samples, entries)
        Seconds, in any order within a sample. Gradients flow through.
    neurons : Tensor of int64, shape (samples, entries)

    Returns
    -------
    Spikes

    Raises
    ------
    ValueError
        Shapes that differ or are not two-dimensional.
    """
    if times.ndim != 2 or times.shape != neurons.shape:
        raise ValueError(
            f"times has shape {tuple(times.shape)} and neurons {tuple(neurons.shape)}; expected "
            "the same, (samples, entries)"
        )
    there = torch.isfinite(times) & (neurons >= 0)
    order = torch.where(there, times, torch.inf).detach().argsort(dim=1, stable=True)
    times, neurons, there = (x.gather(1, order) for x in (times, neurons, there))
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), there.sum(1).cumsum(0)])
    return Spikes(times[there].double(), neurons[there], offsets)


class State(NamedTuple):
    """Where a run stands at the end of every sample: another goes on from there.

    Attributes
    ----------
    values : dict of str to Tensor of float64
        Differentiable: ``"hidden.V"``, ``"hidden.I"`` and so on of shape (samples, neurons), and
        ``"hidden.times"``, the spikes that are on their way or behind which V is held, in seconds
        from the end, shape (spikes,). A run starts where these say: others may take their place,
        as a start that is learned.
    core : saltus.State
        The same as `saltus.Record.state` has it; of it a run takes whose the spikes are.
    """

    values: dict[str, torch.Tensor]
    core: CoreState

    def _start(self) -> CoreState:
        """Return what `values` says, as `saltus.simulate` takes it."""
        known = _values_of(self.core)
        if odd := sorted(known.keys() ^ self.values.keys()):
            what = "lacks" if odd[0] in known else "has"
            raise ValueError(
                f"state.values {what} '{odd[0]}'; expected {', '.join(repr(k) for k in known)}"
            )
        arrays = {key: value.detach().numpy() for key, value in self.values.items()}
        return CoreState(
            {
                name: replace(
                    p,
                    values={key: arrays[f"{name}.{key}"] for key in p.values},
                    times=arrays[f"{name}.times"],
                )
                for name, p in self.core.items()
            },
            self.core.samples,
        )

    def detach(self) -> State:
        """Return the same state, through which no gradient flows back."""
        return State({name: value.detach() for name, value in self.values.items()}, self.core)


Output: TypeAlias = torch.Tensor | Spikes


class EventProp(torch.nn.Module):
    """A network whose backward pass is the adjoint method (EventProp, [1]_).

    Parameters
    ----------
    network : saltus.Network
        Its values are copied into the module's parameters.
    t_end : float
        When every sample ends, in seconds. May be infinite in a network without cycles.
    output : str or sequence of str
        What `forward` returns: ``"out.maxima"`` [samples, neurons], ``"out.integrals"`` [samples,
        neurons], ``"hidden.spikes"`` (`Spikes`), ``"out.voltages"`` [samples, times, neurons].
    trainable : sequence of str
        Which parameters require a gradient: ``"weights"``, ``"delays"``, ``"neurons"``, or names of
        single parameters such as ``"hidden.tau_mem"``. ``requires_grad_`` changes it later.
    at : array_like, shape (times,), optional
        Seconds, ascending; when voltages are read.
    dtype : torch.dtype
        float32 or float64: of weights, currents and voltages; ``double()`` and ``float()`` change
        it. Neuron parameters, delays and times are float64 in both.
    threads : int, optional
        ``torch.get_num_threads()`` unless given. The result has the same bits for any number.

    Attributes
    ----------
    populations, projections : torch.nn.ModuleDict
        ``module.populations["hidden"].tau_mem``, ``module.projections["in->hidden"].weight``. Names
        that PyTorch does not take (``"lif1.lif"``, ``"values"``) are found under themselves all the
        same; only in ``state_dict()`` and ``named_parameters()`` they are written as in a URL
        (``"lif1%2Elif"``, ``"%76alues"``).

    Raises
    ------
    ValueError
        An output or a trainable parameter that the network does not have.
    TypeError
        An argument of a wrong type, named in the message.

    References
    ----------
    .. [1] T. C. Wunderlich and C. Pehle, "Event-based backpropagation can compute exact gradients
       for spiking neural networks", Scientific Reports 11, 12829 (2021).
    """

    def __init__(
        self,
        network: Network,
        t_end: float,
        output: str | Sequence[str],
        *,
        trainable: Sequence[str] = ("weights",),
        at: ArrayLike | None = None,
        dtype: torch.dtype = torch.float32,
        threads: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(network, Network):
            raise TypeError(f"network: expected a saltus.Network; got {type(network).__name__}")
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(f"dtype is {dtype}; expected torch.float32 or torch.float64")
        network._core.check()
        self._network = network.copy()
        self.t_end = t_end
        self.threads = None if threads is None else whole(threads, "threads")
        self._dtype = dtype
        self._single = isinstance(output, str)
        names = (output,) if isinstance(output, str) else tuple(output)
        self._outputs = tuple(_check_output(network, name) for name in names)
        self._at = _check_at(at, self._outputs)
        self.populations = Named()
        self.projections = Named()
        wanted = _trainable(network, trainable)
        for name in network:
            owner, parameter = name.rsplit(".", 1)
            kind = torch.float64 if parameter != "weight" else dtype
            value = torch.tensor(network[name], dtype=kind)
            place = self._place(owner, parameter)
            if owner not in place:
                place[owner] = torch.nn.Module()
            place[owner].register_parameter(
                parameter, torch.nn.Parameter(value, requires_grad=name in wanted)
            )

    def _place(self, owner: str, parameter: str) -> Named:
        # A projection may have the name of a population.
        of_projection = parameter in ("weight", "delay")
        if of_projection and owner in self._network._projections:
            return self.projections
        return self.populations

    def _parameter(self, name: str) -> torch.Tensor:
        owner, parameter = name.rsplit(".", 1)
        found: torch.Tensor = getattr(self._place(owner, parameter)[owner], parameter)
        return found

    def _real(self) -> torch.dtype:
        """Return the type of the weights, which `double` and `float` change."""
        found = [self._parameter(f"{name}.weight").dtype for name in self._network.projections]
        return found[0] if found else self._dtype

    def network(self) -> Network:
        """Return a `saltus.Network` with the present values of the parameters."""
        result = self._network.copy()
        for name in result:
            result._parameter(name)[...] = self._parameter(name).detach().numpy()
        return result

    def forward(
        self,
        inputs: Spikes | SpikeArrays | Mapping[str, Spikes | SpikeArrays],
        state: State | None = None,
        *,
        keep_state: bool = False,
    ) -> Any:
        """Simulate a batch.

        Parameters
        ----------
        inputs : Spikes, or what `saltus.simulate` takes for an input
            A dict from names to these where the network has several inputs. Gradients flow into
            ``Spikes.times``.
        state : State, optional
            Of an earlier call: this one goes on where that one ended. Gradients flow back through
            it, unless it was detached: truncated backpropagation through time.
        keep_state : bool
            Return the state at the end too.

        Returns
        -------
        Tensor, Spikes, or dict of str to these
            A dict where `output` was a sequence. Voltages have the module's dtype, spike times
            float64. With `keep_state` a tuple of that and a `State`.

        Raises
        ------
        ValueError, TypeError
            As `saltus.simulate`.
        """
        given = inputs if isinstance(inputs, Mapping) else self._only_input(inputs)
        arrays = {name: _arrays(value, f"inputs['{name}']") for name, value in given.items()}
        times = [
            value.times if isinstance(value, Spikes) else torch.from_numpy(arrays[name][0])
            for name, value in given.items()
        ]
        parameters = [self._parameter(name) for name in self._network]
        if state is not None and not isinstance(state, State):
            raise TypeError(f"state: expected a saltus.torch.State; got {type(state).__name__}")
        start = [] if state is None else list(state.values.values())
        call = _Call(self, arrays, state, keep_state)
        flat = _Run.apply(call, *times, *parameters, *start)  # type: ignore[no-untyped-call]
        outputs: dict[str, Output] = {}
        for (population, kind), value in zip(self._outputs, flat, strict=False):
            outputs[f"{population}.{kind}"] = (
                call.spikes(population, value) if kind == "spikes" else value
            )
        result = next(iter(outputs.values())) if self._single else outputs
        if call.end is None:
            return result
        kept = dict(zip(_values_of(call.end), flat[len(self._outputs) :], strict=True))
        return result, State(kept, call.end)

    def _only_input(self, inputs: Any) -> dict[str, Any]:
        names = [n for n, (model, _) in self._network._populations.items() if model == "input"]
        if len(names) != 1:
            raise TypeError(
                f"inputs: the network has {len(names)} inputs; expected a dict from their names"
            )
        return {names[0]: inputs}

    def extra_repr(self) -> str:
        """Say what `print` shows beside the submodules."""
        outputs = ", ".join(f"{p}.{k}" for p, k in self._outputs)
        return f"t_end={self.t_end}, output={outputs}, dtype={self._real()}"


class _Call:
    """What one forward pass knows, for its backward pass."""

    def __init__(
        self, module: EventProp, arrays: dict[str, Any], state: State | None, keep_state: bool
    ) -> None:
        self.start, self.keep_state = state, keep_state
        self.end: CoreState | None = None
        self.outputs, self.at, self.arrays = module._outputs, module._at, arrays
        self.network = module._network
        self.t_end = module.t_end
        self.dtype = np.float64 if module._real() == torch.float64 else np.float32
        self.threads = torch.get_num_threads() if module.threads is None else module.threads
        self.record: Record

    def run(self, parameters: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        network = self.network  # simulate takes a copy of its values
        for name, value in zip(network, parameters, strict=True):
            network._parameter(name)[...] = value.detach().numpy()
        self.record = simulate(
            network,
            self.arrays,
            self.t_end,
            state=None if self.start is None else self.start._start(),
            dtype=self.dtype,
            threads=self.threads,
        )
        found = [torch.from_numpy(self._read(p, kind)) for p, kind in self.outputs]
        if self.keep_state:
            self.end = self.record.state()
            found += [torch.from_numpy(v.copy()) for v in _values_of(self.end).values()]
        return tuple(found)

    def _read(self, population: str, kind: str) -> NDArray[Any]:
        if kind == "spikes":
            # A copy: the record's own array must not change with the tensor.
            return self.record.spikes(population).times.copy()
        if kind == "maxima":
            return self.record.maxima(population).values.copy()
        if kind == "integrals":
            return self.record.integrals(population)
        return self.record.voltages(population, self.at)

    def spikes(self, population: str, times: torch.Tensor) -> Spikes:
        found = self.record.spikes(population)
        return Spikes(
            times,
            torch.from_numpy(found.neurons.astype(np.int64)),
            torch.from_numpy(found.offsets.copy()),
        )

    def errors(self, gradients: Sequence[torch.Tensor | None]) -> dict[str, Any]:
        errors: dict[str, Any] = {}
        names = {"spikes": "spike", "maxima": "maximum", "integrals": "integral"}
        for (population, kind), gradient in zip(self.outputs, gradients, strict=False):
            if gradient is None:
                continue
            value: Any = gradient.numpy()
            if kind == "voltages":
                errors.setdefault("sample_errors", {})[population] = (self.at, value)
            else:
                errors.setdefault(f"{names[kind]}_errors", {})[population] = value
        if self.end is not None:
            of_state = zip(_values_of(self.end), gradients[len(self.outputs) :], strict=True)
            said = {_state_name(name): g.numpy() for name, g in of_state if g is not None}
            if said:
                errors["state_errors"] = said
        return errors


class _Run(torch.autograd.Function):
    """Forward: simulate. Backward: the adjoint, of what is asked for."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.call = call
        ctx.set_materialize_grads(False)
        first = len(call.arrays)
        return call.run(tensors[first : first + len(list(call.network))])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        call: _Call = ctx.call
        snapshot = call.record._network
        names = [f"{name}.times" for name in call.arrays] + list(snapshot)
        if call.start is not None:
            names += [_state_name(name) for name in call.start.values]
        needed = ctx.needs_input_grad[1:]
        wanted = {
            "times" if name.endswith(".times") else kind_of(name)
            for name, need in zip(names, needed, strict=True)
            if need and ".state." not in name
        }
        found = backward(
            snapshot,
            call.record,
            **call.errors(gradients),
            wanted=wanted,
            threads=call.threads,
        )
        return (
            None,
            *(
                torch.from_numpy(found[name]) if need else None
                for name, need in zip(names, needed, strict=True)
            ),
        )


def _values_of(state: CoreState) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for name, population in state.items():
        found |= {f"{name}.{key}": value for key, value in population.values.items()}
        found[f"{name}.times"] = population.times
    return found


def _state_name(value: str) -> str:
    population, _, key = value.rpartition(".")
    return f"{population}.state.{key}"


def _arrays(value: Any, argument: str) -> Any:
    if isinstance(value, Spikes):
        value = tuple(tensor.detach().numpy() for tensor in value)
    return spike_arrays(value, argument)


def _check_output(network: Network, name: str) -> tuple[str, str]:
    population, _, kind = name.rpartition(".")
    if population not in network._populations or kind not in _KINDS:
        known = ", ".join(f"'{p}'" for p in network.populations)
        raise ValueError(
            f"output is '{name}'; expected 'population.kind' with a population of {known} and a "
            f"kind of {', '.join(_KINDS)}"
        )
    model = network._populations[population][0]
    fitting = {"spikes": SPIKING, "maxima": ("LI",)}.get(kind, NEURONS)
    if model not in fitting:
        raise ValueError(
            f"output is '{name}', but '{population}' is {model}; expected {' or '.join(fitting)}"
        )
    return population, kind


def _check_at(at: ArrayLike | None, outputs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    reads = any(kind == "voltages" for _, kind in outputs)
    if reads != (at is not None):
        raise ValueError(
            "at: expected times with an output of voltages, and none without one; "
            f"got {'none' if at is None else 'times'}"
        )
    times = numbers([] if at is None else at, "at").copy()
    expect_dimensions(times, "at", "[time]")
    return times


def _trainable(network: Network, given: Sequence[str]) -> set[str]:
    found = set()
    for wanted in (given,) if isinstance(given, str) else given:
        names = [n for n in network if wanted in (n, kind_of(n))]
        if not names:
            raise ValueError(
                f"trainable names '{wanted}'; expected weights, delays, neurons or one of: "
                f"{', '.join(network)}"
            )
        found |= set(names)
    return found
