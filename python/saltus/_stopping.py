# SPDX-License-Identifier: Apache-2.0
"""Callbacks of a training, and the one that ends it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ._arrays import whole
from ._epochs import Epoch
from ._network import Network

Callback: TypeAlias = Callable[[Epoch, Network], bool | None]
"""Called after each epoch; True stops the training."""

Watched = Literal["loss", "accuracy", "validation_loss", "validation_accuracy"]


class EarlyStopping:
    """A callback that stops a training that no longer improves, and puts the best network back.

    Parameters
    ----------
    patience : int
        So many epochs without an improvement stop the training.
    watch : {"validation_loss", "validation_accuracy", "loss", "accuracy"}
        What should improve.

    Attributes
    ----------
    best_epoch : int
        Counted from 1; 0 before the first.

    Notes
    -----
    Each training starts anew: nothing is left of the one before, unless it is resumed.
    """

    def __init__(self, patience: int = 5, watch: Watched = "validation_loss") -> None:
        if watch not in get_args(Watched):
            raise ValueError(f"watch is {watch!r}; expected one of {', '.join(get_args(Watched))}")
        self.patience, self.watch = whole(patience, "patience"), watch
        self._start()

    def _start(self) -> None:
        self.best_epoch = 0
        self._best = -math.inf
        self._values: dict[str, NDArray[np.float64]] = {}

    def __call__(self, epoch: Epoch, network: Network) -> bool:
        """Look at an epoch; True if it is time to stop."""
        value = getattr(epoch, self.watch)
        if value is None:
            raise ValueError(
                f"EarlyStopping watches {self.watch}, which this training does not give; expected "
                "validation data, and a loss with predictions for an accuracy"
            )
        score = value if self.watch.endswith("accuracy") else -value
        if score > self._best:
            self._best, self.best_epoch = score, epoch.epoch
            self._values = {name: network[name].copy() for name in network}
        return epoch.epoch - self.best_epoch >= self.patience

    def restore(self, network: Network) -> None:
        """Put the values of the best epoch back; `fit` does so at its end."""
        for name, values in self._values.items():
            network[name] = values

    def state_dict(self) -> dict[str, Any]:
        """Return what it knows of the best epoch, for a checkpoint."""
        return {"best_epoch": self.best_epoch, "best": self._best, **self._values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._values = {k: np.array(v) for k, v in state.items() if k not in ("best_epoch", "best")}
        self.best_epoch, self._best = int(state["best_epoch"]), float(state["best"])
