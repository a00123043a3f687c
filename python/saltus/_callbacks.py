# SPDX-License-Identifier: Apache-2.0
"""What the loop in C++ calls back: a loss, an optimiser and a schedule written in Python."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._arrays import expect_shape, integers, number, whole
from ._backward import error_arrays
from ._ghosts import as_built_in, unknown_of_ghosts
from ._loss import Loss, evaluate
from ._network import Network
from ._optim import Optimizer, Schedule
from ._record import Record
from ._setup import Setup
from ._smoothing import Smoothing
from ._spike_losses import SumOfLosses, parts_of

_ERRORS = ("spike_errors", "maximum_errors", "integral_errors", "sample_errors")


def loss_for_core(setup: Setup, notes: list[str]) -> _core._Loss:
    """Return a loss as the core takes it: by its settings, or as a function, or both.

    Both for a subclass of a built-in loss that is called itself, and for a sum of losses: what the
    settings of built-in ones say of readout, labels and ghosts still holds. What cannot be known of
    ghosts is added to `notes` as it is seen.
    """
    loss, network = setup.loss, setup.network
    parts = parts_of(loss)
    built_in = [
        (part._settings(), network._core.index(part.readout))
        for part in parts
        if isinstance(part, Loss)
    ]
    if isinstance(loss, Loss) and as_built_in(loss):
        return built_in, None
    told = False

    def on_minibatch(
        core: _core._Record,
        labels: NDArray[np.int32],
        ends: NDArray[np.float64],
        noise: tuple[float, bool, int],
    ) -> tuple[float, NDArray[np.int32] | None, int, dict[int, Any]]:
        sigma, sampled, seed = noise
        smoothing = Smoothing(sigma, thresholds="sampled" if sampled else "fixed", seed=seed)
        record = Record(network.copy(), core, setup.dtype, ends, smoothing if sigma > 0 else None)
        wanted = labels.astype(np.int64)
        said = [evaluate(part, record, wanted) for part in parts]
        result = said[0] if parts == [loss] else SumOfLosses.added_up(said)
        nonlocal told
        if sigma > 0 and not told:
            told = True
            for part, of_part in zip(parts, said, strict=True):
                notes.extend(unknown_of_ghosts(part, of_part, record, wanted))
        for name in result.errors:
            if name not in _ERRORS:
                known = ", ".join(_ERRORS)
                raise ValueError(f"loss: its errors name {name!r}; expected {known}")
        predictions = None
        if result.predictions is not None:
            predictions = integers(result.predictions, "predictions", np.int32)
            expect_shape(predictions, "predictions", (record.samples,), axes="[samples]")
            for wrong in predictions[predictions < -1][:1]:
                raise ValueError(f"loss: predictions holds {wrong}; expected classes, or -1")
        errors = error_arrays(record, **result.errors)
        value = number(result.value, "loss: its value")
        silent = whole(result.silent, "loss: silent", record.samples)
        return value, predictions, silent, errors

    return built_in, on_minibatch


def own_rate(schedule: Schedule, epochs: int) -> Callable[[float, int], float] | None:
    """Return the learning rates of a schedule of one's own; None: one of the core's."""
    if type(schedule).lr is Schedule.lr:
        return None
    name = type(schedule).__name__
    return lambda first, epoch: number(
        schedule.lr(first, epoch, epochs), f"schedule: the rate that {name} gives epoch {epoch}"
    )


class OwnStep:
    """The step of a copy of an optimiser of one's own, its moments new."""

    def __init__(self, optimizer: Optimizer, network: Network) -> None:
        # With all that was put into it; if it holds the network, the copy holds the very same.
        self.optimizer = deepcopy(optimizer, {id(network): network})
        Optimizer.load_state_dict(self.optimizer, {"steps": 0})
        self._network = network

    def __call__(self, flat: dict[str, NDArray[Any]], lr: float, scale: float) -> None:
        """Change the network."""
        network = self._network
        gradients = {name: g.reshape(network[name].shape) for name, g in flat.items()}
        self.optimizer.step(network, gradients, lr=lr, scale=scale)


def own_step(optimizer: Optimizer, network: Network, rates: list[str]) -> OwnStep | None:
    """Return the step of an optimiser of one's own; None: one of the core's."""
    if type(optimizer).step is Optimizer.step:
        return None
    if rates:
        raise ValueError("lr gives rates by name, but optimizer takes steps of its own; give one")
    return OwnStep(optimizer, network)
