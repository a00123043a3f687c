# SPDX-License-Identifier: Apache-2.0
"""Spiking networks with exact gradients as PyTorch modules.

`EventProp` is an ordinary `torch.nn.Module`: its parameters are `torch.nn.Parameter`, its outputs
are tensors, and gradients flow into weights, delays, neuron parameters and the times of input
spikes. Spike trains are ragged tensors (`Spikes`). The simulation runs on the CPU, wherever the
parameters are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from typing_extensions import TypeVar

from ._arrays import expect_dimensions, number, numbers, whole
from ._models import NEURONS, SPIKING
from ._network import Network
from ._record import Record, input_sizes
from ._spikes import SpikeArrays, by_input
from ._torch_names import Named
from ._torch_run import Call, Run, tensors_of
from ._torch_spikes import Spikes, collate, from_padded
from ._torch_state import State, values_of
from ._vocabulary import named_by
from .data._labelled import LabelledSpikes

__all__ = ["EventProp", "Output", "Spikes", "State", "collate", "from_padded"]

_KINDS = ("spikes", "first_spikes", "maxima", "integrals", "voltages")


Output: TypeAlias = torch.Tensor | Spikes
Inputs: TypeAlias = Spikes | SpikeArrays | Mapping[str, Spikes | SpikeArrays]
Out = TypeVar("Out", default=torch.Tensor)


class EventProp(torch.nn.Module, Generic[Out]):
    """A network whose backward pass is the adjoint method (EventProp, [1]_).

    Parameters
    ----------
    network : saltus.Network
        Its values are copied into the module's parameters.
    t_end : float
        When every sample ends, in seconds. May be infinite in a network without cycles.
    output : str or sequence of str
        What `forward` returns: ``"out.maxima"`` [samples, neurons], ``"out.integrals"`` [samples,
        neurons], ``"hidden.spikes"`` (`Spikes`), ``"hidden.first_spikes"`` [samples, neurons], in
        seconds, ``"out.voltages"`` [samples, times, neurons].
    trainable : sequence of str
        Which parameters require a gradient: ``"weights"``, ``"delays"``, ``"neurons"``, or names of
        parameters of all populations (``"tau_mem"``) or of one (``"hidden.tau_mem"``).
        ``requires_grad_`` changes it later.
    at : array_like, shape (times,), optional
        Seconds, ascending; when voltages are read.
    missing : float, optional
        What an output of first spikes holds for a neuron without a spike, in seconds; `t_end`
        unless given.
    dtype : torch.dtype
        float32 or float64: of weights, currents, voltages and first spikes; ``double()`` and
        ``float()`` change it. Neuron parameters, delays and times of spikes are made float64 in
        both.
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

    Notes
    -----
    For type checkers a single output is a Tensor; ``EventProp[Spikes](net, t_end, "h.spikes")``
    says that it is another. At run time it makes no difference.

    The simulation runs on the CPU, with float32 or float64. After ``to("cuda")`` parameters and
    outputs are there, and are copied there and back in each call; ``half()`` is a ValueError.

    `torch.compile` leaves a call out of its graph, which breaks there (``fullgraph=True`` is an
    error of PyTorch that says so). Of torch.func, ``functional_call``, ``grad``, ``vjp`` and
    ``jacrev`` go through it; ``vmap`` and gradients of gradients are errors. Hooks of its
    ``populations`` and ``projections`` are heard: ``torch.nn.utils.prune`` and ``parametrize`` work
    there.

    References
    ----------
    .. [1] T. C. Wunderlich and C. Pehle, "Event-based backpropagation can compute exact gradients
       for spiking neural networks", Scientific Reports 11, 12829 (2021).
    """

    @overload
    def __init__(
        self,
        network: Network,
        t_end: float,
        output: str,
        *,
        trainable: str | Sequence[str] = ...,
        at: ArrayLike | None = ...,
        missing: float | None = ...,
        dtype: torch.dtype = ...,
        threads: int | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: EventProp[dict[str, Output]],
        network: Network,
        t_end: float,
        output: Sequence[str],
        *,
        trainable: str | Sequence[str] = ...,
        at: ArrayLike | None = ...,
        missing: float | None = ...,
        dtype: torch.dtype = ...,
        threads: int | None = ...,
    ) -> None: ...
    def __init__(
        self,
        network: Network,
        t_end: float,
        output: str | Sequence[str],
        *,
        trainable: str | Sequence[str] = ("weights",),
        at: ArrayLike | None = None,
        missing: float | None = None,
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
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"output is {list(names)}; expected names such as 'out.maxima', each once"
            )
        self._outputs = tuple(_check_output(network, name) for name in names)
        self._at = _check_at(at, self._outputs)
        self._missing = _check_missing(missing, t_end, self._outputs)
        self._record: Record | None = None
        self.populations = Named()
        self.projections = Named()
        wanted = named_by(network, trainable, "EventProp: trainable")
        for name in network:
            owner, parameter = name.rsplit(".", 1)
            kind = torch.float64 if parameter != "weight" else dtype
            value = torch.tensor(network[name], dtype=kind)
            place = self._place(owner, parameter)
            if owner not in place:
                place[owner] = _Values()
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
        found: torch.Tensor = self._place(owner, parameter)[owner](parameter)
        return found

    def _real(self) -> torch.dtype:
        """Return the type of the weights, which `double` and `float` change."""
        found = [self._parameter(f"{name}.weight").dtype for name in self._network.projections]
        return found[0] if found else self._dtype

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], *args: Any, **kw: Any) -> Any:
        """Refuse what the core cannot run, before anything is changed."""
        real = fn(torch.empty(0)).dtype
        if real not in (torch.float32, torch.float64):
            raise ValueError(
                f"EventProp: {real}; the core of Saltus runs with torch.float32 or torch.float64"
            )
        return super()._apply(fn, *args, **kw)  # type: ignore[no-untyped-call]

    @property
    def record(self) -> Record:
        """The `saltus.Record` of the last call: spikes, voltages and currents of all populations.

        Raises
        ------
        ValueError
            It was not called yet.
        """
        if self._record is None:
            raise ValueError("EventProp: there is no record before the first call")
        return self._record

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_record": None}  # large, and of a call, not of the module

    def network(self) -> Network:
        """Return a `saltus.Network` with the present values of the parameters."""
        result = self._network.copy()
        for name in result:
            result._parameter(name)[...] = self._parameter(name).detach().cpu().numpy()
        return result

    def forward(
        self, inputs: Inputs, state: State | None = None, *, keep_state: bool = False
    ) -> Any:
        """Simulate a batch.

        Parameters
        ----------
        inputs : Spikes, or what `saltus.simulate` takes for an input
            A dict from names to these where the network has several inputs (a data set takes its
            channels one input after the other). Gradients flow into ``Spikes.times``.
        state : State, optional
            Of an earlier call: this one goes on where that one ended. Gradients flow back through
            it, unless it was detached: truncated backpropagation through time.
        keep_state : bool
            Return the state at the end too.

        Returns
        -------
        Tensor, Spikes, or dict of str to these
            A dict where `output` was a sequence. Voltages and first spikes have the module's dtype,
            times of `Spikes` float64; all are on the device of the parameters. With `keep_state` a
            tuple of that and a `State`.

        Raises
        ------
        ValueError, TypeError
            As `saltus.simulate`.
        """
        run = self._run
        if torch.compiler.is_compiling():  # to import what disables takes a second: not before
            reason = "the simulation of Saltus is no graph"
            run = torch.compiler.disable(run, reason=reason)  # type: ignore[no-untyped-call]
        return run(inputs, state, keep_state)

    if TYPE_CHECKING:  # torch.nn.Module says Any

        @overload
        def __call__(
            self, inputs: Inputs, state: State | None = ..., *, keep_state: Literal[False] = ...
        ) -> Out: ...
        @overload
        def __call__(
            self, inputs: Inputs, state: State | None = ..., *, keep_state: Literal[True]
        ) -> tuple[Out, State]: ...
        def __call__(self, *_: Any, **__: Any) -> Any: ...

    def _run(self, inputs: Inputs, state: State | None, keep_state: bool) -> Any:
        if state is not None and not isinstance(state, State):
            raise TypeError(f"state: expected a saltus.torch.State; got {type(state).__name__}")
        given = inputs if isinstance(inputs, Mapping) else self._by_input(inputs)
        spikes = {name: tensors_of(value, f"inputs['{name}']") for name, value in given.items()}
        parameters = [self._parameter(name) for name in self._network]
        real, device = self._real(), parameters[0].device
        call = Call(
            self._network,
            self._outputs,
            self._at,
            self._missing,
            self.t_end,
            np.float64 if real == torch.float64 else np.float32,
            torch.get_num_threads() if self.threads is None else self.threads,
            list(spikes),
            state,
            keep_state,
        )
        start = [] if state is None else state.values.values()
        flat: list[torch.Tensor] = [
            value.to(device)
            for value in Run.apply(  # type: ignore[no-untyped-call]
                call,
                *(tensor for three in spikes.values() for tensor in three),
                *(value.cpu() for value in (*parameters, *start)),
            )
        ]
        self._record = call.record
        outputs: dict[str, Output] = {}
        for (population, kind), value in zip(self._outputs, flat, strict=False):
            outputs[f"{population}.{kind}"] = (
                call.spikes(population, value)
                if kind == "spikes"
                else value.to(real if kind == "first_spikes" else None)
            )
        result = next(iter(outputs.values())) if self._single else outputs
        if call.end is None:
            return result
        kept = dict(zip(values_of(call.end), flat[len(self._outputs) :], strict=True))
        return result, State(kept, call.end)

    def _by_input(self, inputs: Any) -> dict[str, Any]:
        names = [n for n, (model, _) in self._network._populations.items() if model == "input"]
        if isinstance(inputs, LabelledSpikes):
            sizes = input_sizes(self._network, inputs)
            return dict(zip(names, by_input(inputs.spikes, sizes), strict=True))
        if len(names) != 1:
            raise TypeError(
                f"inputs: the network has {len(names)} inputs; expected a dict from their names"
            )
        return {names[0]: inputs}

    def extra_repr(self) -> str:
        """Say what `print` shows beside the submodules."""
        outputs = ", ".join(f"{p}.{k}" for p, k in self._outputs)
        return f"t_end={self.t_end}, output={outputs}, dtype={self._real()}"


def _check_output(network: Network, name: str) -> tuple[str, str]:
    population, _, kind = name.rpartition(".")
    if population not in network._populations or kind not in _KINDS:
        known = ", ".join(f"'{p}'" for p in network.populations)
        raise ValueError(
            f"output is '{name}'; expected 'population.kind' with a population of {known} and a "
            f"kind of {', '.join(_KINDS)}"
        )
    model = network._populations[population][0]
    fitting = {"spikes": SPIKING, "first_spikes": SPIKING, "maxima": ("LI",)}.get(kind, NEURONS)
    if model not in fitting:
        raise ValueError(
            f"output is '{name}', but '{population}' is {model}; expected {' or '.join(fitting)}"
        )
    return population, kind


class _Values(torch.nn.Module):
    """The parameters of a population or projection; to call it lets its hooks act on them."""

    def forward(self, parameter: str) -> torch.Tensor:
        found: torch.Tensor = getattr(self, parameter)
        return found


def _check_missing(
    missing: float | None, t_end: float, outputs: Sequence[tuple[str, str]]
) -> float:
    reads = any(kind == "first_spikes" for _, kind in outputs)
    if missing is not None and not reads:
        raise ValueError(f"missing is {missing}, but no output is of first spikes; leave it out")
    found = t_end if missing is None else number(missing, "missing")
    if reads and not math.isfinite(found):
        raise ValueError(
            f"missing is {missing} and t_end {t_end}; expected a finite time that stands for a "
            "neuron without a spike, in seconds"
        )
    return found


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
