# SPDX-License-Identifier: Apache-2.0
"""Optimisers and schedules of the learning rate; the steps are those of the C++ trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._arrays import expect_shape, number, numbers, whole
from ._network import Network
from ._vocabulary import named_by, neuron_parameter


class Optimizer:
    """Changes the parameters of a network by their gradients: `SGD`, `Adam` or `AdamW`."""

    name: ClassVar[str]
    lr: float
    _network: Network | None  # whose moments it keeps
    _states: dict[str, _core.Optimizer]
    _steps: dict[str, int]  # how many each parameter took

    def step(
        self,
        network: Network,
        gradients: Mapping[str, NDArray[Any]],
        *,
        lr: float | Mapping[str, float] | None = None,
        scale: float = 1.0,
    ) -> None:
        """Take one step, in place, which takes no parameter out of its range.

        A parameter in seconds or Hz is seen in a unit of its own (2 ms for delays and `tau_mem`,
        1 ms for `tau_syn` and `tau_ref`, 10 ms for `tau_adapt`, 0.2 ms for `tau_rise`, 2 Hz for
        `frequency`), so that one learning rate serves all. A time constant at
        most halves; a delay or refractory time ends at 0; what would bring V_reset or V(0) to the
        threshold is undone for that neuron.

        The moments of earlier steps are those of one network: each has an optimiser of its own.
        Each parameter counts its own steps, from which Adam corrects its moments: one that is
        named later starts as any other did.

        Parameters
        ----------
        network : Network
        gradients : dict of str to ndarray
            From `backward`; only the parameters that it names change. Gradients of input times
            and of a state are left out.
        lr : float or dict of str to float, optional
            The optimiser's own unless given. Of a dict: rates of kinds (``"weights"``,
            ``"delays"``, ``"neurons"``, ``"tau_mem"``) or single parameters
            (``"in->hidden.weight"``), in their own units; the rest take the optimiser's.
        scale : float
            A factor of all gradients.

        Raises
        ------
        ValueError
            A gradient of a wrong shape or not finite, another network than that of the first step,
            a rate of a parameter without a gradient.
        TypeError
            A gradient that is no array of numbers.
        KeyError
            A gradient of no parameter.
        """
        if self._network is not None and network is not self._network:
            raise ValueError(
                "network is another one than in earlier steps, whose moments the optimizer keeps; "
                f"expected the same, or a new {type(self).__name__}"
            )
        found = {
            n: _gradient(network, n, g) for n, g in gradients.items() if not _left_out(network, n)
        }
        names = list(found)
        if self._network is None:
            self._check_moments(found)
            self._network = network
        rate = self.lr if lr is None or isinstance(lr, Mapping) else float(lr)
        settings = {**self._settings(), "lr": rate, "trainable": names}
        settings["lr_of"] = rates_for_core(network, lr if isinstance(lr, Mapping) else {}, names)
        known = _core.units_and_rates(network._core, settings)
        before = _core.Ranged(network._core)
        for name, gradient in found.items():
            values = network._parameter(name).reshape(-1)
            state = self._states.setdefault(name, _core.Optimizer())
            count = self._steps[name] = self._steps.get(name, 0) + 1
            unit, own = known[name]
            decays = name.endswith(".weight")
            state.step(
                settings, rate * own, count, scale * unit, values, gradient.reshape(-1), decays
            )
        before.clamp(network._core)

    def _check_moments(self, gradients: Mapping[str, NDArray[Any]]) -> None:
        """Refuse moments that were loaded and are another network's."""
        for name, tensor in self._states.items():
            kept = tensor.moments()[0].size
            if name in gradients and kept not in (0, gradients[name].size):
                raise ValueError(
                    f"the moments of '{name}' are {kept} numbers, but it has "
                    f"{gradients[name].size}; expected those of this network"
                )

    def state_dict(self) -> dict[str, NDArray[np.float64]]:
        """Return what it remembers of earlier steps, to be kept in a file.

        ``np.savez(file, **optimizer.state_dict())`` writes it; an optimiser can be pickled, too.
        With the network, it is all that a loop of your own needs to go on with the same bits.

        Returns
        -------
        dict of str to ndarray
            For each parameter ``"<parameter>:steps"``, how many it took, ``":first"`` and
            ``":second"``: SGD's velocity, or the two moments of Adam, flat. ``"steps"`` is the
            largest of their counts.
        """
        state = {"steps": np.array(float(max(self._steps.values(), default=0)))}
        for name, tensor in self._states.items():
            state[f"{name}:steps"] = np.array(float(self._steps[name]))
            for which, values in zip(("first", "second"), tensor.moments(), strict=True):
                if values.size:
                    state[f"{name}:{which}"] = values
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned; the next step may be on another network object.

        Parameters
        ----------
        state : mapping of str to ndarray
            Also what ``np.load`` makes of a file. Of one without counts of single parameters, as
            they once were, ``"steps"`` is that of all.

        Raises
        ------
        ValueError
            Not what `state_dict` returns.
        """
        if "steps" not in state:
            raise ValueError("state has no 'steps'; expected what state_dict() returned")
        moments: dict[str, dict[str, NDArray[np.float64]]] = {}
        for key in state:
            if key == "steps":
                continue
            name, _, which = key.rpartition(":")
            if which not in ("steps", "first", "second") or not name:
                raise ValueError(
                    f"state has {key!r}; expected names such as 'in->out.weight:first'"
                )
            moments.setdefault(name, {})[which] = np.ravel(np.array(state[key], np.float64))
        of_all = np.ravel(np.array(state["steps"], np.float64))
        steps = {name: _count(of.get("steps", of_all), name) for name, of in moments.items()}
        self._steps, self._states, self._network = steps, {}, None
        for name, arrays in moments.items():
            tensor = self._states[name] = _core.Optimizer()
            tensor.put_moments(*(arrays.get(w, np.empty(0)) for w in ("first", "second")))

    def __getstate__(self) -> dict[str, Any]:
        """Return attributes and moments, for pickle and copy: without the network."""
        own = {k: v for k, v in vars(self).items() if k not in ("_steps", "_states", "_network")}
        return {"own": own, "state": Optimizer.state_dict(self)}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        """Put back what `__getstate__` returned."""
        vars(self).update(saved["own"])
        Optimizer.load_state_dict(self, saved["state"])

    def _settings(self) -> dict[str, Any]:
        return {"optimizer": self.name, **asdict(self)}  # type: ignore[call-overload]

    def __post_init__(self) -> None:
        _check(self, self._settings())
        self._steps, self._states, self._network = {}, {}, None


def _count(given: NDArray[np.float64], name: str) -> int:
    if given.size != 1 or not (given[0] >= 0 and given[0] == np.floor(given[0]) < np.inf):
        raise ValueError(f"state: the steps of '{name}' are {given}; expected one whole number")
    return int(given[0])


def _left_out(network: Network, name: str) -> bool:
    """Is it what `backward` says besides: a gradient of input times, or of a state?"""
    return (name.endswith(".times") or ".state." in name) and name not in network


def _gradient(network: Network, name: str, given: object) -> NDArray[np.float64]:
    argument = f"gradients['{name}']"
    gradient = numbers(given, argument)
    expect_shape(gradient, argument, network._parameter(name).shape)
    for wrong in gradient[~np.isfinite(gradient)][:1]:
        raise ValueError(f"{argument} holds {wrong}; expected finite numbers")
    return gradient


def rates_for_core(
    network: Network, rates: Mapping[str, float], trained: Iterable[str]
) -> list[str]:
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
    of_trained = named_by(network, trained, "trainable") if rates else set()
    for name in rates:
        if not named_by(network, [name], "lr") & of_trained:
            known = ", ".join(sorted(of_trained))
            raise ValueError(f"lr names {name!r}, which is not trained; trained are {known}")
    neurons = {}
    if "neurons" in rates:  # a word that the core does not know; all others are closer
        every = map(neuron_parameter, sorted(of_trained))
        neurons = {name: rates["neurons"] for name in every if name is not None}
    closer = {name: rate for name, rate in rates.items() if name != "neurons"}
    return [f"{name}={float(rate)!r}" for name, rate in {**neurons, **closer}.items()]


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
        A step also shrinks each weight by the factor 1 - lr weight_decay.
    """

    name: ClassVar[str] = "adamw"
    lr: float = 5e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 1e-2


class Schedule:
    """How the learning rate changes with the epochs.

    Each has a `warmup`: so many epochs before, in which the rate rises linearly to the first one.
    """

    name: ClassVar[str]

    def lr(self, first: float, epoch: int, epochs: int) -> float:
        """Return the learning rate of an epoch, counted from 0, of `epochs`."""
        settings = {"lr": first, "epochs": epochs, **self._settings()}
        return _core.learning_rate(settings, epoch)

    def _settings(self) -> dict[str, Any]:
        return {"schedule": self.name, **asdict(self)}  # type: ignore[call-overload]

    def __post_init__(self) -> None:
        for key in ("warmup", "decay_every", "patience"):
            if hasattr(self, key):
                whole(getattr(self, key), f"{type(self).__name__}: {key}")
        _check(self, self._settings())


@dataclass(frozen=True)
class Constant(Schedule):
    """The learning rate stays."""

    name: ClassVar[str] = "constant"
    warmup: int = 0


@dataclass(frozen=True)
class Exponential(Schedule):
    """Each epoch multiplies the learning rate by `decay`."""

    name: ClassVar[str] = "exponential"
    decay: float = 0.95
    warmup: int = 0


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from the first learning rate to `lr_final`."""

    name: ClassVar[str] = "cosine"
    lr_final: float = 0.0
    warmup: int = 0


@dataclass(frozen=True)
class Step(Schedule):
    """Every `decay_every` epochs multiply the learning rate by `decay`."""

    name: ClassVar[str] = "step"
    decay: float = 0.1
    decay_every: int = 10
    warmup: int = 0


@dataclass(frozen=True)
class Plateau(Schedule):
    """Multiplies the learning rate by `decay` where the loss no longer falls.

    That is after each `patience` epochs without a lower validation loss, or, where `fit` has no
    validation data, loss. By itself, without the epochs before, `lr` knows of none.
    """

    name: ClassVar[str] = "plateau"
    decay: float = 0.5
    patience: int = 5
    warmup: int = 0


@dataclass(frozen=True)
class _Factor(Schedule):
    """A function of the epoch: a factor of the first learning rate."""

    name: ClassVar[str] = "constant"
    factor: Callable[[int], float]

    def lr(self, first: float, epoch: int, epochs: int) -> float:
        name = getattr(self.factor, "__name__", type(self.factor).__name__)
        return first * number(self.factor(epoch), f"schedule: what {name} returns of epoch {epoch}")

    def _settings(self) -> dict[str, Any]:
        return {"schedule": self.name}


def schedule_of(given: Schedule | Callable[[int], float] | str | None) -> Schedule:
    """Return the schedule that `fit` was given, by itself, as a function or by its name."""
    if given is None:
        return Exponential()
    if isinstance(given, Schedule):
        return given
    if isinstance(given, str):
        named = {c.name: c for c in (Constant, Exponential, Cosine, Step, Plateau)}
        if given not in named:
            raise ValueError(f"schedule is {given!r}; expected one of {', '.join(named)}")
        return named[given]()
    if callable(given) and not isinstance(given, type):
        return _Factor(given)
    raise TypeError(
        "schedule: expected a saltus.Schedule, its name, or a function of the epoch; got "
        f"{given.__name__ if isinstance(given, type) else type(given).__name__}"
    )


def _check(what: object, settings: dict[str, Any]) -> None:
    for key, value in settings.items():
        if key in ("optimizer", "schedule"):
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            got = type(value).__name__
            raise TypeError(f"{type(what).__name__}: {key}: expected a number; got {got}")
    _core.check_settings(settings)
