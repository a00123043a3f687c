# SPDX-License-Identifier: Apache-2.0
"""Losses: a record and labels give a value and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
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
        Samples whose label's output says nothing: never spikes, never rises, is never reached.
    """

    value: float
    errors: Mapping[str, Any]
    predictions: NDArray[Any] | None = None
    silent: int = 0


class Loss:
    """A loss of the core, by name: ``loss(record, labels)`` gives a `LossResult`.

    Those of the library have classes of their own, such as `FirstSpike`, which say what each
    computes; ``Loss("first_spike", tau_0=1e-3)`` is the same.

    Parameters
    ----------
    kind : str
        The name, as for ``saltus train --loss``.
    readout : str
        The population that it looks at.
    **settings : float
        Its settings, as on the command line with _ for -.

    Raises
    ------
    ValueError
        No loss of that name, a setting that it does not have, a value without a meaning.
    TypeError
        A setting that is no number.
    """

    kind: str
    readout: str

    def __init__(self, kind: str, *, readout: str = "out", **settings: float) -> None:
        known = _core.losses()
        if kind not in known:
            raise ValueError(f"no loss is called {kind!r}; there are: {', '.join(known)}")
        models, usual = known[kind]
        for name, value in settings.items():
            if name not in usual:
                expected = ", ".join(usual) or "none"
                raise ValueError(f"loss {kind} has no setting '{name}'; there are: {expected}")
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise TypeError(f"{name}: expected a number; got {type(value).__name__}")
        fixed = ("kind", "readout", *usual)
        vars(self).update(kind=kind, readout=readout, _models=models, _given=settings, _fixed=fixed)
        _core.check_loss(self._settings())

    def __setattr__(self, name: str, value: Any) -> None:
        # What is known of the loss was found, and checked, when it was made.
        if name in vars(self).get("_fixed", ()):
            raise AttributeError(f"{name} of a loss cannot be changed; make another one")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        given = "".join(f", {name}={value!r}" for name, value in vars(self)["_given"].items())
        return f"saltus.Loss({self.kind!r}, readout={self.readout!r}{given})"

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
        value, _, silent, predictions, *errors, times, samples = record._core.loss(
            self._settings(), record._index(self.readout), found
        )
        shape = (record.samples, record._size(self.readout))
        names = ("spike_errors", "maximum_errors", "integral_errors")
        given: dict[str, Any] = {
            name: {self.readout: e if name == "spike_errors" else e.reshape(shape)}
            for name, e in zip(names, errors, strict=True)
            if e.size
        }
        if times.size:
            at = (shape[0], times.size, shape[1])
            given["sample_errors"] = {self.readout: (times, samples.reshape(at))}
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
        return {"loss": self.kind, **vars(self)["_given"]}

    def _check(self, network: Any) -> None:
        """Refuse a network that has no such readout."""
        if self.readout not in network._populations:
            known = ", ".join(f"'{p}'" for p in network.populations)
            raise ValueError(
                f"readout: no population is called '{self.readout}'; there are: {known}"
            )
        model, _ = network._populations[self.readout]
        models = vars(self)["_models"]
        if model not in models:
            name = self.kind if type(self) is Loss else type(self).__name__
            expected = " or ".join(models)
            raise ValueError(f"{name}: readout '{self.readout}' is {model}; expected {expected}")


class _Typed(Loss):
    """A loss whose settings are the fields of a dataclass."""

    _kind: ClassVar[str]

    def __post_init__(self) -> None:
        given = {
            f.name: getattr(self, f.name)
            for f in fields(self)  # type: ignore[arg-type]
            if f.name != "readout"
        }
        Loss.__init__(self, self._kind, readout=self.readout, **given)


@dataclass(frozen=True)
class FirstSpike(_Typed):
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

    _kind: ClassVar[str] = "first_spike"
    tau_0: float = 0.5e-3
    tau_1: float = 6.4e-3
    alpha: float = 0.003
    t_missing: float = 40e-3
    silent_pull: float = 10.0
    readout: str = field(default="out", kw_only=True)


@dataclass(frozen=True)
class MaximumVoltage(_Typed):
    """Cross-entropy of the softmax of the largest V of an LI readout (the same paper, equation 12).

    Parameters
    ----------
    readout : str
        An LI population.
    """

    _kind: ClassVar[str] = "maximum_voltage"
    readout: str = field(default="out", kw_only=True)


@dataclass(frozen=True)
class IntegratedVoltage(_Typed):
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

    _kind: ClassVar[str] = "integrated_voltage"
    tau_integral: float = 5e-3
    readout: str = field(default="out", kw_only=True)


@dataclass(frozen=True)
class SpikeCount(_Typed):
    """Cross-entropy of the softmax of how often each output of a LIF readout spikes.

    A spike at t adds ``count_gain exp(-(t_end - t) / tau_count)`` to the score of its output: a
    firing rate that forgets, whose gradient by spike times is exact; or, with an infinite
    `tau_count`, the plain count. **The exact gradient of a plain count is 0**: it trains by spikes
    that nearly exist alone (``smooth_threshold`` of `saltus.fit`, with ``smooth_decay=1`` to keep
    it). Of outputs with equal scores the first wins.

    Parameters
    ----------
    tau_count : float
        After this a spike counts for 1/e, in seconds; infinite: all count the same.
    count_gain : float
        What one spike adds to the score of its output.
    readout : str
        A LIF population.
    """

    _kind: ClassVar[str] = "spike_count"
    tau_count: float = np.inf
    count_gain: float = 1.0
    readout: str = field(default="out", kw_only=True)


def check_labels(labels: ArrayLike, samples: int) -> NDArray[np.int32]:
    """Return one label for each sample."""
    found = integers(labels, "labels", np.int32)
    expect_shape(found, "labels", (samples,), axes="[samples]")
    return found


LossFunction: TypeAlias = Loss | Callable[[Record, NDArray[Any]], LossResult]
"""A built-in loss, or a function of a record and labels [samples] that returns a `LossResult`."""


def evaluate(loss: LossFunction, record: Record, labels: NDArray[Any]) -> LossResult:
    """Return what `loss` says; raise TypeError where that is no `LossResult`."""
    result = loss(record, labels)
    if not isinstance(result, LossResult):
        got = type(result).__name__
        raise TypeError(f"loss: expected it to return a saltus.LossResult; got {got}")
    return result
