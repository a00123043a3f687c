# SPDX-License-Identifier: Apache-2.0
"""Optimisers and schedules of the learning rate; the steps are those of the C++ trainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._network import Network


class Optimizer:
    """Changes the parameters of a network by their gradients: `SGD`, `Adam` or `AdamW`."""

    name: ClassVar[str]
    lr: float
    _network: Network | None  # whose moments it keeps

    def step(
        self,
        network: Network,
        gradients: Mapping[str, NDArray[Any]],
        *,
        lr: float | Mapping[str, float] | None = None,
        scale: float = 1.0,
    ) -> None:
        """Take one step, in place, which takes no parameter out of its range.

        A parameter in seconds is seen in a unit of its own (0.2 ms for delays, 2 ms for `tau_mem`,
        1 ms for `tau_syn` and `tau_ref`), so that one learning rate serves all. A time constant at
        most halves; a delay or refractory time ends at 0; what would bring V_reset or V(0) to the
        threshold is undone for that neuron.

        The moments of earlier steps are those of one network: each has an optimiser of its own.

        Parameters
        ----------
        network : Network
        gradients : dict of str to ndarray
            From `backward`; only the parameters that it names change. Gradients of input times
            are left out.
        lr : float or dict of str to float, optional
            The optimiser's own unless given. Of a dict: rates of kinds (``"weights"``,
            ``"delays"``, ``"tau_mem"``) or single parameters (``"in->hidden.weight"``), in their
            own units; the rest take the optimiser's.
        scale : float
            A factor of all gradients.

        Raises
        ------
        ValueError
            A gradient of a wrong shape, another network than that of the first step, a rate of a
            parameter without a gradient.
        KeyError
            A gradient of no parameter.
        """
        if self._network is None:
            self._network = network
        if network is not self._network:
            raise ValueError(
                "network is another one than in earlier steps, whose moments the optimizer keeps; "
                f"expected the same, or a new {type(self).__name__}"
            )
        names = [name for name in gradients if not name.endswith(".times")]
        for name in names:
            expected = network._parameter(name).shape
            if gradients[name].shape != expected:
                got = gradients[name].shape
                raise ValueError(f"gradients['{name}'] has shape {got}; expected {expected}")
        rate = self.lr if lr is None or isinstance(lr, Mapping) else float(lr)
        settings = {**self._settings(), "lr": rate, "trainable": names}
        settings["lr_of"] = rates_for_core(lr if isinstance(lr, Mapping) else {})
        known = _core.units_and_rates(network._core, settings)
        before = _core.Ranged(network._core)
        self._steps += 1
        for name in names:
            gradient = gradients[name]
            values = network._parameter(name)
            state = self._states.setdefault(name, _core.Optimizer())
            flat = np.ascontiguousarray(gradient, np.float64).reshape(-1)
            unit, own = known[name]
            decays = name.endswith(".weight")
            whole = values.reshape(-1)
            state.step(settings, rate * own, self._steps, scale * unit, whole, flat, decays)
        before.clamp(network._core)

    def _settings(self) -> dict[str, Any]:
        return {"optimizer": self.name, **asdict(self)}  # type: ignore[call-overload]

    def __post_init__(self) -> None:
        _check(self, self._settings())
        self._steps = 0
        self._states: dict[str, _core.Optimizer] = {}
        self._network = None


def rates_for_core(rates: Mapping[str, float]) -> list[str]:
    """Return rates of their own as the core's settings say them."""
    if not isinstance(rates, Mapping):
        raise TypeError(
            f"lr: expected rates by name, such as {{'delays': 1e-4}}; got {type(rates).__name__}. "
            "The one of all is the optimizer's"
        )
    for name, rate in rates.items():
        if not isinstance(name, str):
            raise TypeError(f"lr: expected names; got {type(name).__name__}")
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)):
            raise TypeError(f"lr['{name}']: expected a number; got {type(rate).__name__}")
    return [f"{name}={float(rate)!r}" for name, rate in rates.items()]


@dataclass
class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

    Parameters
    ----------
    lr : float
        The learning rate.
    momentum : float
        In [0, 1).
    weight_decay : float
        A penalty weight_decay |w|^2 / 2.
    """

    name: ClassVar[str] = "sgd"
    lr: float = 1e-2
    momentum: float = 0.9
    weight_decay: float = 0.0


@dataclass
class Adam(Optimizer):
    """Adam (D. P. Kingma and J. Ba, ICLR 2015).

    Parameters
    ----------
    lr : float
        The learning rate.
    beta_1, beta_2 : float
        Decays of the two moments, in [0, 1).
    epsilon : float
    """

    name: ClassVar[str] = "adam"
    lr: float = 5e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8


@dataclass
class AdamW(Optimizer):
    """Adam with decoupled weight decay (I. Loshchilov and F. Hutter, ICLR 2019).

    Parameters
    ----------
    lr, beta_1, beta_2, epsilon : float
        As `Adam`.
    weight_decay : float
        A step also shrinks each parameter by the factor 1 - lr weight_decay.
    """

    name: ClassVar[str] = "adamw"
    lr: float = 5e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 1e-2


class Schedule:
    """How the learning rate changes with the epochs."""

    name: ClassVar[str]

    def lr(self, first: float, epoch: int, epochs: int) -> float:
        """Return the learning rate of an epoch, counted from 0, of `epochs`."""
        settings = {"lr": first, "epochs": epochs, **self._settings()}
        return _core.learning_rate(settings, epoch)

    def _settings(self) -> dict[str, Any]:
        return {"schedule": self.name, **asdict(self)}  # type: ignore[call-overload]

    def __post_init__(self) -> None:
        _check(self, self._settings())


@dataclass(frozen=True)
class Constant(Schedule):
    """The learning rate stays."""

    name: ClassVar[str] = "constant"


@dataclass(frozen=True)
class Exponential(Schedule):
    """Each epoch multiplies the learning rate by `decay`."""

    name: ClassVar[str] = "exponential"
    decay: float = 0.95


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from the first learning rate to `lr_final`."""

    name: ClassVar[str] = "cosine"
    lr_final: float = 0.0


def _check(what: object, settings: dict[str, Any]) -> None:
    for key, value in settings.items():
        if key in ("optimizer", "schedule"):
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            got = type(value).__name__
            raise TypeError(f"{type(what).__name__}: {key}: expected a number; got {got}")
    _core.check_settings(settings)
