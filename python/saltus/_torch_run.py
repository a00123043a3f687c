# SPDX-License-Identifier: Apache-2.0
"""The forward and the backward pass as functions of PyTorch's autograd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ._backward import backward
from ._first import first_errors
from ._network import Network
from ._record import Record, simulate
from ._spikes import spike_arrays
from ._state import State as CoreState
from ._torch_spikes import Spikes
from ._torch_state import State, values_of
from ._vocabulary import kind_of

_ERRORS = {"spikes": "spike", "first_spikes": "spike", "maxima": "maximum", "integrals": "integral"}


@dataclass
class Call:
    """One forward pass, and what its backward pass needs of it.

    All tensors come as arguments of `Run`, since torch.func replaces them on the way.
    """

    network: Network
    outputs: Sequence[tuple[str, str]]
    at: NDArray[np.float64]
    missing: float
    t_end: float
    dtype: type[np.floating[Any]]
    threads: int
    inputs: Sequence[str]
    start: State | None
    keep_state: bool
    record: Record = field(init=False)
    end: CoreState | None = field(init=False, default=None)

    def run(self, tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Simulate, with spikes of inputs, values of parameters and those of a state."""
        network = self.network  # simulate takes a copy of its values
        values = iter(tensor.detach() for tensor in tensors)
        arrays = {
            name: spike_arrays(tuple(next(values).numpy() for _ in range(3)), f"inputs['{name}']")
            for name in self.inputs
        }
        for name in network:
            network._parameter(name)[...] = next(values).numpy()
        start = None
        if self.start is not None:
            start = State(dict(zip(self.start.values, values, strict=True)), self.start.core)
        self.record = simulate(
            network,
            arrays,
            self.t_end,
            state=None if start is None else start._start(),
            dtype=self.dtype,
            threads=self.threads,
        )
        found = [torch.from_numpy(self._read(p, kind)) for p, kind in self.outputs]
        if self.keep_state:
            self.end = self.record.state()
            found += [torch.from_numpy(v.copy()) for v in values_of(self.end).values()]
        return tuple(found)

    def _read(self, population: str, kind: str) -> NDArray[Any]:
        if kind == "spikes":
            # A copy: the record's own array must not change with the tensor.
            return self.record.spikes(population).times.copy()
        if kind == "first_spikes":
            size = self.record._size(population)
            return self.record.spikes(population).first(size, self.missing)
        if kind == "maxima":
            return self.record.maxima(population).values.copy()
        if kind == "integrals":
            return self.record.integrals(population)
        return self.record.voltages(population, self.at)

    def spikes(self, population: str, times: torch.Tensor) -> Spikes:
        """Return the spikes of which these are the times."""
        found = self.record.spikes(population)
        return Spikes(
            times,
            torch.from_numpy(found.neurons.astype(np.int64)),
            torch.from_numpy(found.offsets.copy()),
        )

    def gradients(
        self, needed: Sequence[bool], given: Sequence[torch.Tensor | None]
    ) -> tuple[torch.Tensor, ...]:
        """Return the gradients by those tensors of `run` that are needed."""
        snapshot = self.record._network
        of_inputs = ("times", "neurons", "offsets")  # whole numbers have no gradient
        names = [f"{name}.{what}" for name in self.inputs for what in of_inputs] + list(snapshot)
        if self.start is not None:
            names += [_state_name(name) for name in self.start.values]
        chosen = [name for name, need in zip(names, needed, strict=True) if need]
        wanted = {
            "times" if name.endswith(".times") else kind_of(name)
            for name in chosen
            if ".state." not in name
        }
        errors = self._errors(given)
        found = backward(snapshot, self.record, **errors, wanted=wanted, threads=self.threads)
        return tuple(torch.from_numpy(found[name]) for name in chosen)

    def _errors(self, gradients: Sequence[torch.Tensor | None]) -> dict[str, Any]:
        errors: dict[str, Any] = {}
        for (population, kind), gradient in zip(self.outputs, gradients, strict=False):
            if gradient is None:
                continue
            value: Any = gradient.numpy()
            if kind == "voltages":
                errors.setdefault("sample_errors", {})[population] = (self.at, value)
                continue
            if kind == "first_spikes":
                value = first_errors(self.record.spikes(population), value)
            of_kind = errors.setdefault(f"{_ERRORS[kind]}_errors", {})
            of_kind[population] = of_kind.get(population, 0) + value
        if self.end is not None:
            of_state = zip(values_of(self.end), gradients[len(self.outputs) :], strict=True)
            said = {_state_name(name): g.numpy() for name, g in of_state if g is not None}
            if said:
                errors["state_errors"] = said
        return errors


class Run(torch.autograd.Function):
    """Forward: simulate. Backward: the adjoint, of what is asked for."""

    @staticmethod
    def forward(call: Call, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return call.run(tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.call = inputs[0]
        # Not save_for_backward: a step between there and back may change them, the record has them.
        ctx.tensors = inputs[1:]
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        needed = ctx.needs_input_grad[1:]
        given = (*gradients, *ctx.tensors)
        found = iter(_Back.apply(ctx.call, needed, *given))  # type: ignore[no-untyped-call]
        return None, *(next(found) if need else None for need in needed)

    @staticmethod
    def vmap(*_: Any) -> Any:
        raise TypeError(
            "saltus.torch.EventProp: torch.func.vmap cannot go through it; a call takes a batch of "
            "samples, so give all of them to one, and parameters to one call after the other"
        )


class _Back(torch.autograd.Function):
    """The backward pass: a function of its own, so that torch.func may transform it.

    Behind the gradients stand the tensors of the forward pass, for autograd alone: a gradient of
    this one would go by them, and is an error.
    """

    @staticmethod
    def forward(
        call: Call, needed: tuple[bool, ...], *given: torch.Tensor | None
    ) -> tuple[torch.Tensor, ...]:
        return call.gradients(needed, given[: -len(needed)])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError(
            "saltus.torch.EventProp: a gradient of a gradient; the adjoint gives the first alone"
        )

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        call: Call,
        needed: tuple[bool, ...],
        *given: torch.Tensor | None,
    ) -> tuple[tuple[torch.Tensor, ...], tuple[int, ...]]:
        # Rows of a Jacobian: one backward pass for each.
        rows = []
        for k in range(info.batch_size):
            row = [
                g if g is None or dim is None else g.select(dim, k)
                for g, dim in zip(given, in_dims[2:], strict=True)
            ]
            rows.append(_Back.apply(call, needed, *row))  # type: ignore[no-untyped-call]
        found = tuple(torch.stack(parts) for parts in zip(*rows, strict=True))
        return found, (0,) * len(found)


def tensors_of(value: Any, argument: str) -> Spikes:
    """Return spikes as tensors of the CPU."""
    if not isinstance(value, Spikes):
        value = Spikes(*(torch.from_numpy(array) for array in spike_arrays(value, argument)))
    return Spikes(*(tensor.cpu() for tensor in value))


def _state_name(value: str) -> str:
    population, _, key = value.rpartition(".")
    return f"{population}.state.{key}"
