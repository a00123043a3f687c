# SPDX-License-Identifier: Apache-2.0
"""What a training or an evaluation is about: checked before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._loss import Loss, LossFunction
from ._network import Network
from .data._labelled import LabelledSpikes


@dataclass(frozen=True)
class Setup:
    """What a training is about, checked."""

    network: Network
    loss: LossFunction
    t_end: float
    dtype: np.dtype[Any]
    input: str
    channels: int

    def check_data(self, data: object, argument: str) -> None:
        """Refuse data that do not fit the network."""
        if not isinstance(data, LabelledSpikes):
            got = type(data).__name__
            raise TypeError(f"{argument}: expected a saltus.data.LabelledSpikes; got {got}")
        if data.channels != self.channels:
            raise ValueError(
                f"{argument} has {data.channels} channels; expected {self.channels}, "
                f"as input '{self.input}'"
            )
        if len(data) == 0:
            raise ValueError(f"{argument} holds no samples; expected at least one")
        if isinstance(self.loss, Loss):
            outputs = self.network._populations[self.loss.readout][1]
            if int(data.labels.max()) >= outputs:
                raise ValueError(
                    f"{argument} has a label {data.labels.max()}; expected 0 to {outputs - 1}, the "
                    f"outputs of '{self.loss.readout}'"
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
    if not isinstance(t_end, (int, float, np.number)) or isinstance(t_end, bool):
        raise TypeError(f"t_end: expected a number, in seconds; got {type(t_end).__name__}")
    if not t_end > 0:
        raise ValueError(f"t_end is {t_end}; expected a time above 0, in seconds")
    network._core.check()
    inputs = [name for name, (model, _) in network._populations.items() if model == "input"]
    if len(inputs) != 1:
        raise ValueError(f"network has {len(inputs)} inputs; expected one")
    if isinstance(loss, Loss):
        loss._check(network)
        if loss.readout not in _reached(network, inputs[0]):
            raise ValueError(
                f"network: no projections lead from '{inputs[0]}' to readout '{loss.readout}'; "
                "nothing would be trained"
            )
    return Setup(
        network,
        loss,
        float(t_end),
        dtype,
        inputs[0],
        network._populations[inputs[0]][1],
    )


def _reached(network: Network, start: str) -> set[str]:
    reached, border = {start}, [start]
    while border:
        source = border.pop()
        for a, b in network._projections.values():
            if a == source and b not in reached:
                reached.add(b)
                border.append(b)
    return reached
