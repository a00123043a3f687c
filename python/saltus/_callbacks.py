# SPDX-License-Identifier: Apache-2.0
"""What the loop in C++ calls back: a loss, an optimiser and a schedule written in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._arrays import expect_shape, integers
from ._backward import error_arrays
from ._loss import Loss, evaluate
from ._network import Network
from ._optim import Optimizer, Schedule
from ._record import Record
from ._setup import Setup
from ._smoothing import Smoothing

_ERRORS = ("spike_errors", "maximum_errors", "integral_errors", "sample_errors")


def loss_for_core(setup: Setup) -> _core._Loss:
    """Return a loss as the core takes it: by its settings, or as a function, or both.

    Both for a subclass of a built-in loss that is called itself, and for a sum of losses that
    begins with one: what its settings say of readout, labels and ghosts still holds.
    """
    loss, network = setup.loss, setup.network
    built_in = None
    like = setup.built_in
    if like is not None:
        built_in = like._settings(), network._core.index(like.readout)
        if like is loss and type(loss).__call__ is Loss.__call__:
            return built_in, None

    def on_minibatch(
        core: _core._Record,
        labels: NDArray[np.int32],
        ends: NDArray[np.float64],
        noise: tuple[float, bool, int],
    ) -> tuple[float, NDArray[np.int32] | None, int, dict[int, Any]]:
        sigma, sampled, seed = noise
        smoothing = Smoothing(sigma, thresholds="sampled" if sampled else "fixed", seed=seed)
        record = Record(network.copy(), core, setup.dtype, ends, smoothing if sigma > 0 else None)
        result = evaluate(loss, record, labels.astype(np.int64))
        for name in result.errors:
            if name not in _ERRORS:
                known = ", ".join(_ERRORS)
                raise ValueError(f"loss: its errors name {name!r}; expected {known}")
        predictions = None
        if result.predictions is not None:
            predictions = integers(result.predictions, "predictions", np.int32)
            expect_shape(predictions, "predictions", (record.samples,), axes="[samples]")
        errors = error_arrays(record, **result.errors)
        return float(result.value), predictions, int(result.silent), errors

    return built_in, on_minibatch


def own_rate(schedule: Schedule, epochs: int) -> Callable[[float, int], float] | None:
    """Return the learning rates of a schedule of one's own; None: one of the core's."""
    if type(schedule).lr is Schedule.lr:
        return None
    return lambda first, epoch: float(schedule.lr(first, epoch, epochs))


class OwnStep:
    """The step of an optimiser of one's own, its state new."""

    def __init__(self, optimizer: Optimizer, network: Network) -> None:
        self.optimizer = type(optimizer)(**asdict(optimizer))  # type: ignore[call-overload]
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
