# SPDX-License-Identifier: Apache-2.0
"""From epoch to epoch: the trainer in C++ holds the state, here is what surrounds it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import _core
from ._advice import Adviser
from ._arrays import number
from ._checkpoint import Checkpoints
from ._epochs import Epoch, History
from ._network import Network
from ._optim import Optimizer
from ._progress import Progress
from ._setup import Setup
from ._stopping import Callback
from .data._labelled import LabelledSpikes

Augment: TypeAlias = Callable[[LabelledSpikes, int], LabelledSpikes]


@dataclass
class Loop:
    """All that an epoch needs and leaves."""

    trainer: _core._Trainer
    network: Network
    optimizer: Optimizer
    data: LabelledSpikes
    augment: Augment | None
    validation: LabelledSpikes | None
    callbacks: list[Callback]
    kept: Checkpoints | None
    history: History
    bar: Progress
    setup: Setup
    adviser: Adviser
    notes: list[str]  # what the loss has to say

    def run(self, epochs: int) -> None:
        """Train until so many epochs are done, or a callback stops."""
        chosen = self.optimizer._settings()
        stopped = False
        while self.trainer.epochs < epochs and not stopped:
            epoch, advice = self._train()
            self.history._epochs.append(epoch)
            self.bar.epoch(_line(epoch))
            self.adviser.say(advice, stacklevel=4)
            stops = [bool(callback(epoch, self.network)) for callback in self.callbacks]
            stopped = any(stops)
            if self.optimizer._settings() | {"lr": chosen["lr"]} != chosen:
                raise ValueError(
                    f"optimizer became {self.optimizer} in a callback; expected no change but of "
                    "its lr"
                )
            lr = number(self.optimizer.lr, "optimizer.lr, after a callback")
            if not (math.isfinite(lr) and lr >= 0):
                raise ValueError(
                    f"optimizer.lr is {lr} after a callback; expected a finite number of at least 0"
                )
            self.trainer.lr = lr
            if self.kept is not None:
                self.kept.epoch()
        if self.kept is not None:
            self.kept.end()

    def _train(self) -> tuple[Epoch, list[str]]:
        data = self.data
        if self.augment is not None:
            data = self.augment(data, self.trainer.epochs)
            self.setup.check_data(data, f"augment, epoch {self.trainer.epochs}")
        report = self.trainer.train_epoch(self.setup.core_data(data), self._minibatch)
        if self.validation is not None:
            tested = self.trainer.evaluate(self.setup.core_data(self.validation))
            report["validation_loss"] = loss_of(tested)
            self.trainer.validated(report["validation_loss"], tested["accuracy"])
            report["validation_accuracy"] = tested["accuracy"]
        advice = report.pop("advice") + self.notes
        self.notes.clear()
        return Epoch(**report), advice

    def _minibatch(self, done: int, loss: float, accuracy: float | None) -> None:
        self.bar.batch(done, loss, accuracy)
        if self.kept is not None:
            self.kept.minibatch()


def loss_of(evaluation: Mapping[str, Any]) -> float:
    """Return the loss of an evaluation of the core, which says None of NaN."""
    loss = evaluation["loss"]
    return math.nan if loss is None else loss


def _line(epoch: Epoch) -> str:
    text = f"loss {epoch.loss:.4f}"
    if epoch.accuracy is not None:
        text += f"  accuracy {100 * epoch.accuracy:5.2f} %"
    if epoch.validation_accuracy is not None:
        text += f"  validation {100 * epoch.validation_accuracy:5.2f} %"
    elif epoch.validation_loss is not None:
        text += f"  validation loss {epoch.validation_loss:.4f}"
    if epoch.smoothing_sigma > 0:
        share = 100 * epoch.ghost_share
        text += f"  {epoch.ghosts_per_sample:.1f} ghosts ({share:.0f} % of the gradient)"
    if epoch.clamped > 0:
        text += f"  {epoch.clamped} values held in range"
    if epoch.silent_neurons > 0:
        text += f"  {epoch.silent_neurons} silent neurons"
    us = 1e6 * epoch.seconds / max(1, epoch.samples)
    return f"{text}  {us:6.1f} us/sample  {epoch.hidden_spikes_per_sample:.1f} spikes/sample"
