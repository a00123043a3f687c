# SPDX-License-Identifier: Apache-2.0
"""What a training or an evaluation is about: checked before anything is done."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _core
from ._loss import Loss, LossFunction
from ._network import Network
from ._spike_losses import SumOfLosses
from .data._labelled import LabelledSpikes


@dataclass(frozen=True)
class Setup:
    """What a training is about, checked."""

    network: Network
    loss: LossFunction
    t_end: float
    dtype: np.dtype[Any]
    inputs: tuple[str, ...]
    channels: int
    own_ends: bool

    @property
    def built_in(self) -> Loss | None:
        """The loss of the core that says of readout, labels and ghosts what is so."""
        return built_in_of(self.loss)

    def core_data(self, data: LabelledSpikes) -> _core.Data:
        """Return a copy of data for the core, with their own ends if those count."""
        return data._core_data(own_ends=self.own_ends)

    def check_data(self, data: object, argument: str) -> None:
        """Refuse data that do not fit the network."""
        if not isinstance(data, LabelledSpikes):
            got = type(data).__name__
            raise TypeError(f"{argument}: expected a saltus.data.LabelledSpikes; got {got}")
        if data.channels != self.channels:
            raise ValueError(
                f"{argument} has {data.channels} channels; expected {self.channels}, "
                f"as input {' and '.join(map(repr, self.inputs))}"
            )
        if self.own_ends and data.t_end is None:
            raise ValueError(
                f"{argument} does not say when its samples end, and t_end is not given; expected "
                "one of them, in seconds"
            )
        if len(data) == 0:
            raise ValueError(f"{argument} holds no samples; expected at least one")
        if len(data.labels) and int(data.labels.max()) >= data.classes:
            raise ValueError(
                f"{argument} has a label {data.labels.max()}; expected 0 to {data.classes - 1}, "
                f"its {data.classes} classes"
            )
        if (loss := self.built_in) is not None:
            outputs = self.network._populations[loss.readout][1]
            if int(data.labels.max()) >= outputs:
                raise ValueError(
                    f"{argument} has a label {data.labels.max()}; expected 0 to {outputs - 1}, the "
                    f"outputs of '{loss.readout}'"
                )


def check_setup(
    network: object,
    loss: object,
    t_end: object,
    *,
    dtype: np.dtype[Any],
) -> Setup:
    """Refuse what cannot be evaluated, and what would train nothing."""
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a saltus.Network; got {type(network).__name__}")
    if not callable(loss) or isinstance(loss, type):
        got = loss.__name__ if isinstance(loss, type) else type(loss).__name__
        raise TypeError(
            f"loss: expected a saltus.Loss such as FirstSpike(), or a function; got {got}"
        )
    if t_end is not None:
        if not isinstance(t_end, (int, float, np.number)) or isinstance(t_end, bool):
            raise TypeError(f"t_end: expected a number, in seconds; got {type(t_end).__name__}")
        if not t_end > 0:
            raise ValueError(f"t_end is {t_end}; expected a time above 0, in seconds")
    network._core.check()
    inputs = [name for name, (model, _) in network._populations.items() if model == "input"]
    if not inputs:
        raise ValueError("network has no input; expected at least one")
    if (known := built_in_of(loss)) is not None:
        known._check(network)
        if not any(known.readout in _reached(network, name) for name in inputs):
            raise ValueError(
                f"network: no projections lead from {' or '.join(map(repr, inputs))} to readout "
                f"'{known.readout}'; nothing would be trained"
            )
    return Setup(
        network,
        loss,
        math.inf if t_end is None else float(t_end),
        dtype,
        tuple(inputs),
        sum(network._populations[name][1] for name in inputs),
        t_end is None,
    )


def built_in_of(loss: object) -> Loss | None:
    """Return a loss of the core: itself, or the first of a sum."""
    if isinstance(loss, SumOfLosses):
        return loss.built_in
    return loss if isinstance(loss, Loss) else None


def _reached(network: Network, start: str) -> set[str]:
    reached, border = {start}, [start]
    while border:
        source = border.pop()
        for a, b in network._projections.values():
            if a == source and b not in reached:
                reached.add(b)
                border.append(b)
    return reached
