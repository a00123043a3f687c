# SPDX-License-Identifier: Apache-2.0
"""The two loops behind `fit`: the C++ trainer for built-in losses, and one in Python for others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._backward import backward, kind_of
from ._ghosts import Ghosts, find_ghosts
from ._loss import Loss, LossFunction, LossResult, evaluate
from ._network import _LIF_PARAMETERS, Network
from ._optim import Optimizer, Schedule
from ._record import Record, simulate
from ._smoothing import Smoothing
from .data._labelled import LabelledSpikes

Show = Callable[[int, float, float | None], None]
"""Told the samples done, and the loss and accuracy so far."""


@dataclass(frozen=True)
class Setup:
    """What a training is about, checked."""

    network: Network
    loss: LossFunction
    t_end: float
    dtype: np.dtype[Any]
    settings: dict[str, Any]
    trained: tuple[str, ...]
    """Names of parameters."""
    kinds: tuple[str, ...]
    kinds_only: bool
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
    settings: dict[str, Any],
    trainable: tuple[str, ...],
) -> Setup:
    """Refuse what cannot be trained, and what would train nothing."""
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
    if not trainable:
        raise ValueError("trainable is empty; expected 'weights', 'delays' or names of parameters")
    trained = _trained(network, trainable)
    return Setup(
        network,
        loss,
        float(t_end),
        dtype,
        settings,
        tuple(trained),
        trainable,
        not any("." in name for name in trainable),
        inputs[0],
        network._populations[inputs[0]][1],
    )


def _trained(network: Network, trainable: tuple[str, ...]) -> list[str]:
    kinds = ("weights", "delays", *_LIF_PARAMETERS)
    found = []
    for wanted in trainable:
        if wanted in network:
            found.append(wanted)
            continue
        if wanted not in kinds:
            raise ValueError(
                f"trainable names '{wanted}'; expected a parameter of the network such as "
                f"'{next(iter(network), 'in->out.weight')}', or {', '.join(kinds)}"
            )
        last = {"weights": "weight", "delays": "delay"}.get(wanted, wanted)
        matching = [name for name in network if name.rsplit(".", 1)[1] == last]
        if not matching:
            raise ValueError(f"trainable names '{wanted}', but the network has none")
        found += matching
    return [name for name in network if name in found]


def _reached(network: Network, start: str) -> set[str]:
    reached, border = {start}, [start]
    while border:
        source = border.pop()
        for a, b in network._projections.values():
            if a == source and b not in reached:
                reached.add(b)
                border.append(b)
    return reached


class Loop(Protocol):
    """One way of training."""

    def epoch(self, data: LabelledSpikes, show: Show | None) -> dict[str, Any]:
        """Pass once over the data; returns the fields of an `Epoch`."""

    def evaluate(self, data: LabelledSpikes) -> dict[str, Any]:
        """Return the fields of an `Evaluation`."""

    def sync(self) -> None:
        """Bring the user's network to the state of the training."""


class NativeLoop:
    """The C++ trainer; the user's network gets its values when `sync` is called."""

    def __init__(self, setup: Setup) -> None:
        assert isinstance(setup.loss, Loss)
        trainer = _core.Trainer32 if setup.dtype == np.float32 else _core.Trainer64
        self._network = setup.network
        self._trainer = trainer(
            setup.network._core,
            setup.network._core.index(setup.loss.readout),
            setup.loss._settings(),
            setup.t_end,
            {**setup.settings, "trainable": list(setup.kinds)},
        )

    def epoch(self, data: LabelledSpikes, show: Show | None) -> dict[str, Any]:
        """Pass once over the data."""
        return self._trainer.train_epoch(data._core_data(), show)

    def evaluate(self, data: LabelledSpikes) -> dict[str, Any]:
        """Return loss and accuracy."""
        return self._trainer.evaluate(data._core_data())

    def sync(self) -> None:
        """Copy the values, in place: views of parameters stay valid."""
        self._trainer.copy_values(self._network._core)


@dataclass
class _Sums:
    """What is counted over the minibatches of an epoch."""

    network: Network
    readout: str | None
    loss: float = 0.0
    correct: int | None = 0
    silent: int = 0
    hidden: int = 0
    samples: int = 0
    spiked: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (model, size) in self.network._populations.items():
            if model == "LIF":
                self.spiked[name] = np.zeros(size, np.bool_)

    def add(self, record: Record, result: LossResult, labels: NDArray[np.int32]) -> None:
        self.loss += result.value * len(labels)
        self.samples += len(labels)
        self.silent += result.silent
        if result.predictions is None or self.correct is None:
            self.correct = None
        else:
            self.correct += int(np.count_nonzero(np.asarray(result.predictions) == labels))
        for name, spiked in self.spiked.items():
            neurons = record.spikes(name).neurons
            spiked[neurons] = True
            if name != self.readout:
                self.hidden += len(neurons)

    def means(self) -> dict[str, Any]:
        n = max(1, self.samples)
        return {
            "loss": self.loss / n,
            "accuracy": None if self.correct is None else self.correct / n,
            "hidden_spikes_per_sample": self.hidden / n,
            "samples": self.samples,
            "silent_labels": self.silent,
        }


class PythonLoop:
    """A loop for any loss; simulation, adjoint and optimiser run in C++."""

    def __init__(self, setup: Setup, optimizer: Optimizer, schedule: Schedule) -> None:
        self._setup, self._optimizer, self._schedule = setup, optimizer, schedule
        self._epochs = 0
        loss = setup.loss
        self._readout = loss.readout if isinstance(loss, Loss) else None

    def epoch(self, data: LabelledSpikes, show: Show | None) -> dict[str, Any]:
        """Pass once over the data, shuffled."""
        setup, settings = self._setup, self._setup.settings
        start = time.perf_counter()
        rng = np.random.default_rng([settings["seed"], self._epochs])
        lr = self._schedule.lr(self._optimizer.lr, self._epochs, settings["epochs"])
        order = rng.permutation(len(data))
        sums, norms = _Sums(setup.network, self._readout), []
        sigma = _core.smoothing_sigma(settings, self._epochs)
        ghost_count, ghost_share = 0, 0.0
        for first in range(0, len(order), settings["batch"]):
            part = data[order[first : first + settings["batch"]]]
            part = _drop(part, settings["input_dropout"], rng)
            smoothing = self._smoothing(sigma, rng) if sigma > 0 else None
            record, result = self._forward(part, smoothing)
            ghosts = self._find_ghosts(record, part.labels, smoothing) if smoothing else None
            gradients = self._gradients(record, result, ghosts)
            norm = _norm(gradients)
            if ghosts is not None:
                ghost_count += len(ghosts)
                if first == 0 and norm > 0:
                    exact = self._gradients(record, result)
                    ghost_share = _norm({k: g - exact[k] for k, g in gradients.items()}) / norm
            if not (math.isfinite(result.value) and math.isfinite(norm)):
                raise ValueError(
                    f"epoch {self._epochs + 1}, sample {first}: the loss is {result.value} and its "
                    f"gradient {norm} long; try a smaller lr, or a clip_norm"
                )
            clip = settings["clip_norm"]
            scale = clip / norm if 0 < clip < norm else 1.0
            self._optimizer.step(setup.network, gradients, lr=lr, scale=scale)
            sums.add(record, result, part.labels)
            norms.append(norm)
            if show is not None:
                so_far = sums.means()
                show(sums.samples, so_far["loss"], so_far["accuracy"])
        setup.network._core.check()
        self._epochs += 1
        return {
            **sums.means(),
            "epoch": self._epochs,
            "lr": lr,
            "gradient_norm": float(np.mean(norms)),
            "silent_neurons": sum(int(np.count_nonzero(~s)) for s in sums.spiked.values()),
            "revived": self._revive(sums, lr) if settings["revive"] > 0 else 0,
            "smoothing_sigma": sigma,
            "ghosts_per_sample": ghost_count / max(1, sums.samples),
            "ghost_share": ghost_share,
            "seconds": time.perf_counter() - start,
        }

    def evaluate(self, data: LabelledSpikes) -> dict[str, Any]:
        """Return loss and accuracy."""
        sums = _Sums(self._setup.network, self._readout)
        for first in range(0, len(data), 256):
            part = data[first : first + 256]
            sums.add(*self._forward(part), part.labels)
        return sums.means()

    def sync(self) -> None:
        """Do nothing: the loop works on the user's network."""

    def _smoothing(self, sigma: float, rng: np.random.Generator) -> Smoothing:
        if self._setup.settings["smooth_reading"] == "fixed":
            return Smoothing(sigma)
        return Smoothing(sigma, thresholds="sampled", seed=int(rng.integers(2**31)))

    def _forward(
        self, part: LabelledSpikes, smoothing: Smoothing | None = None
    ) -> tuple[Record, LossResult]:
        setup = self._setup
        record = simulate(
            setup.network,
            {setup.input: part.spikes},
            setup.t_end,
            smoothing=smoothing,
            dtype=setup.dtype,
            threads=setup.settings["threads"],
        )
        return record, evaluate(setup.loss, record, part.labels)

    def _gradients(
        self, record: Record, result: LossResult, ghosts: Ghosts | None = None
    ) -> dict[str, NDArray[Any]]:
        setup = self._setup
        gradients = backward(
            setup.network,
            record,
            **result.errors,
            ghosts=ghosts,
            wanted={kind_of(name) for name in setup.trained},
            threads=setup.settings["threads"],
        )
        return {name: gradients[name] for name in setup.trained}

    def _find_ghosts(
        self, record: Record, labels: NDArray[np.int32], smoothing: Smoothing
    ) -> Ghosts:
        setup = self._setup
        return find_ghosts(
            setup.network,
            record,
            smoothing,
            loss=setup.loss,
            labels=labels,
            threads=setup.settings["threads"],
        )

    def _revive(self, sums: _Sums, lr: float) -> int:
        network = self._setup.network
        first = self._optimizer.lr
        share = self._setup.settings["revive"] * (lr / first if first > 0 else 1.0)
        for projection, (_, target) in network._projections.items():
            if target in sums.spiked:
                weight = network[f"{projection}.weight"]
                weight[:, ~sums.spiked[target]] += share * math.sqrt(float(np.mean(weight**2)))
        return sum(int(np.count_nonzero(~s)) for s in sums.spiked.values())


def _norm(gradients: dict[str, NDArray[Any]]) -> float:
    return math.sqrt(sum(float(np.vdot(g, g)) for g in gradients.values()))


def _drop(data: LabelledSpikes, probability: float, rng: np.random.Generator) -> LabelledSpikes:
    if probability == 0:
        return data
    keep = rng.random(len(data.times)) >= probability
    offsets = np.concatenate([[0], np.cumsum(keep)])[data.offsets].astype(np.int64)
    return LabelledSpikes(
        data.times[keep], data.neurons[keep], offsets, data.labels, data.channels, data.classes
    )
