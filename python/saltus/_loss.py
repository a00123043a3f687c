# SPDX-License-Identifier: Apache-2.0
"""Losses: a record and labels give a value and errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import expect_shape, integers
from ._record import Record


@dataclass(frozen=True, eq=False)
class LossResult:
    """What a loss says about a record.

    Attributes
    ----------
    value : float
        The mean over the samples.
    errors : dict
        What `backward` takes: ``saltus.backward(network, record, **result.errors)``. Keys are
        ``spike_errors``, ``maximum_errors``, ``integral_errors`` and ``sample_errors``.
    predictions : ndarray of int, shape (samples,), optional
        The class that wins; -1 where no output says anything. Without it there is no accuracy.
    silent : int
        Samples whose label's output never spikes, or never rises above 0.
    """

    value: float
    errors: Mapping[str, Any]
    predictions: NDArray[Any] | None = None
    silent: int = 0


class Loss:
    """A built-in loss, evaluated in C++: ``loss(record, labels)`` gives a `LossResult`."""

    kind: ClassVar[str]
    model: ClassVar[str]
    """The model that the readout must have."""
    readout: str

    def __call__(self, record: Record, labels: ArrayLike) -> LossResult:
        """Evaluate the loss.

        Parameters
        ----------
        record : Record
        labels : array_like of int, shape (samples,)
            Outputs that should win, counted from 0.

        Returns
        -------
        LossResult

        Raises
        ------
        ValueError
            A readout of the wrong model, labels outside of it or of a wrong number.
        TypeError
            An argument of a wrong type, named in the message.
        """
        if not isinstance(record, Record):
            raise TypeError(f"record: expected a saltus.Record; got {type(record).__name__}")
        self._check(record._network)
        found = check_labels(labels, record.samples)
        value, _, silent, predictions, *errors = record._core.loss(
            self._settings(), record._index(self.readout), found
        )
        shape = (record.samples, record._size(self.readout))
        names = ("spike_errors", "maximum_errors", "integral_errors")
        given = {
            name: {self.readout: e if name == "spike_errors" else e.reshape(shape)}
            for name, e in zip(names, errors, strict=True)
            if e.size
        }
        return LossResult(value, given, predictions, silent)

    def _on_labels(
        self, record: Record, labels: NDArray[np.int32]
    ) -> tuple[dict[str, Any], int, NDArray[np.int32]]:
        """Return what the core takes for a loss, its readout and its labels, checked."""
        self._check(record._network)
        outputs = record._size(self.readout)
        for label in labels[(labels < 0) | (labels >= outputs)][:1]:
            raise ValueError(
                f"labels holds {label}; expected 0 to {outputs - 1}, the outputs of "
                f"'{self.readout}'"
            )
        return self._settings(), record._index(self.readout), labels

    def _settings(self) -> dict[str, Any]:
        settings = asdict(self)  # type: ignore[call-overload]
        settings.pop("readout")
        return {"loss": self.kind, **settings}

    def _check(self, network: Any) -> None:
        """Refuse a network that has no such readout."""
        if self.readout not in network._populations:
            known = ", ".join(f"'{p}'" for p in network.populations)
            raise ValueError(
                f"readout: no population is called '{self.readout}'; there are: {known}"
            )
        model, _ = network._populations[self.readout]
        if model != self.model:
            raise ValueError(
                f"{type(self).__name__}: readout '{self.readout}' is {model}; expected {self.model}"
            )

    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if f.name == "readout":
                continue
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise TypeError(f"{f.name}: expected a number; got {type(value).__name__}")
            weight = f.name in ("alpha", "silent_pull")
            least = "at least 0" if weight else "above 0, in seconds"
            if not (math.isfinite(value) and (value > 0 or (weight and value == 0))):
                raise ValueError(f"{f.name} is {value}; expected a finite number {least}")


@dataclass(frozen=True)
class FirstSpike(Loss):
    """Cross-entropy of the times of first spikes of a LIF readout ([1]_, equation 11).

    With t_n the first spike of output n and l the label::

        L = -log( exp(-t_l/tau_0) / sum_n exp(-t_n/tau_0) ) + alpha (exp(t_l/tau_1) - 1)

    A sample in which the label's own output is silent has the loss
    ``t_missing / tau_0 - silent_pull max_t V_l(t)``: it pulls that output up to its threshold.

    Parameters
    ----------
    tau_0, tau_1 : float
        Sharpness of the softmax, and the time scale of the pull on the label's spike; seconds.
    alpha : float
        The weight of that pull.
    t_missing : float
        When an output without a spike counts as spiking, in seconds.
    silent_pull : float
        The weight of the largest V of a label's output that is silent.
    readout : str
        A LIF population.

    References
    ----------
    .. [1] T. C. Wunderlich and C. Pehle, "Event-based backpropagation can compute exact gradients
       for spiking neural networks", Scientific Reports 11, 12829 (2021).
    """

    kind: ClassVar[str] = "first_spike"
    model: ClassVar[str] = "LIF"
    tau_0: float = 0.5e-3
    tau_1: float = 6.4e-3
    alpha: float = 0.003
    t_missing: float = 40e-3
    silent_pull: float = 10.0
    readout: str = field(default="out", kw_only=True)


@dataclass(frozen=True)
class MaximumVoltage(Loss):
    """Cross-entropy of the softmax of the largest V of an LI readout (the same paper, equation 12).

    Parameters
    ----------
    readout : str
        An LI population.
    """

    kind: ClassVar[str] = "maximum_voltage"
    model: ClassVar[str] = "LI"
    readout: str = field(default="out", kw_only=True)


@dataclass(frozen=True)
class IntegratedVoltage(Loss):
    """Cross-entropy of the softmax of the integral of V of an LI readout ([1]_).

    Parameters
    ----------
    tau_integral : float
        An integral is divided by this, in seconds.
    readout : str
        An LI population.

    References
    ----------
    .. [1] T. Nowotny, J. P. Turner and J. C. Knight, "Loss shaping enhances exact gradient learning
       with EventProp in spiking neural networks", Neuromorphic Computing and Engineering 5, 014001
       (2025).
    """

    kind: ClassVar[str] = "integrated_voltage"
    model: ClassVar[str] = "LI"
    tau_integral: float = 5e-3
    readout: str = field(default="out", kw_only=True)


def check_labels(labels: ArrayLike, samples: int) -> NDArray[np.int32]:
    """Return one label for each sample."""
    found = integers(labels, "labels", np.int32)
    expect_shape(found, "labels", (samples,), axes="[samples]")
    return found


LossFunction: TypeAlias = Loss | Callable[[Record, NDArray[np.int32]], LossResult]
"""A built-in loss, or a function of a record and labels [samples] that returns a `LossResult`."""


def evaluate(loss: LossFunction, record: Record, labels: NDArray[np.int32]) -> LossResult:
    """Return what `loss` says; raise TypeError where that is no `LossResult`."""
    result = loss(record, labels)
    if not isinstance(result, LossResult):
        got = type(result).__name__
        raise TypeError(f"loss: expected it to return a saltus.LossResult; got {got}")
    return result
