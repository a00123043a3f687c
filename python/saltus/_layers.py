# SPDX-License-Identifier: Apache-2.0
"""Layers one after the other: a `Network` in a few lines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._network import Network


@dataclass(frozen=True)
class Normal:
    """First weights drawn from a normal distribution.

    Parameters
    ----------
    mean, std : float
        Of a single weight. For scale: one arrival of weight 1 lifts V by 0.157 at time constants of
        20 ms and 5 ms.
    """

    mean: float
    std: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean):
            raise ValueError(f"mean is {self.mean}; expected a finite number")
        if not (math.isfinite(self.std) and self.std >= 0):
            raise ValueError(f"std is {self.std}; expected a finite number of at least 0")


Weight: TypeAlias = ArrayLike | Normal


@dataclass(frozen=True)
class Recurrent:
    """Synapses from a layer onto itself.

    Parameters
    ----------
    weight : array_like, shape (size, size), or Normal
    delay : float or array_like, shape (size,) or (size, size), optional
        Seconds.
    """

    weight: Weight
    delay: ArrayLike | None = None


@dataclass(frozen=True)
class Input:
    """The first layer: spikes from outside.

    Parameters
    ----------
    size : int
        The number of channels.
    name : str
    """

    size: int
    name: str = "in"


@dataclass(frozen=True, init=False)
class _Layer:
    size: int
    weight: Weight
    delay: ArrayLike | None
    recurrent: Recurrent | None
    name: str | None
    parameters: Mapping[str, ArrayLike] = field(default_factory=dict)

    def __init__(
        self,
        size: int,
        weight: Weight,
        *,
        delay: ArrayLike | None = None,
        recurrent: Recurrent | None = None,
        name: str | None = None,
        **parameters: ArrayLike,
    ) -> None:
        for key, value in {
            "size": size,
            "weight": weight,
            "delay": delay,
            "recurrent": recurrent,
            "name": name,
            "parameters": parameters,
        }.items():
            object.__setattr__(self, key, value)


class LIF(_Layer):
    """A layer of leaky integrate-and-fire neurons.

    Parameters
    ----------
    size : int
        The number of neurons.
    weight : array_like, shape (pre, size), or Normal
        From the layer before.
    delay : float or array_like, shape (pre,) or (pre, size), optional
        Of the same synapses, in seconds.
    recurrent : Recurrent, optional
        Synapses from the layer onto itself.
    name : str, optional
        ``"hidden"`` (``"hidden1"``, ``"hidden2"``, ... of several), or ``"out"`` of the last layer,
        unless given.
    **parameters
        Neuron parameters, as in `Network.add_population`.
    """

    model = "LIF"


class ALIF(_Layer):
    """A layer of LIF neurons whose threshold each spike raises. Parameters as `LIF`."""

    model = "ALIF"


class LI(_Layer):
    """A layer of leaky integrators, which do not spike: a readout. Parameters as `LIF`."""

    model = "LI"


class Sequential(Network):
    """A network of layers, each fed by the one before.

    Parameters
    ----------
    *layers : Input, then LIF, ALIF or LI
    seed : int
        Of weights given as `Normal`.

    Raises
    ------
    ValueError
        A first layer that is no `Input`, an LI layer that is not the last (it never spikes),
        anything that `Network.add_population` or `Network.connect` refuses.
    TypeError
        Something that is no layer.

    Examples
    --------
    >>> import saltus
    >>> net = saltus.Sequential(
    ...     saltus.Input(5),
    ...     saltus.LIF(200, saltus.Normal(1.5, 0.78)),
    ...     saltus.LIF(3, saltus.Normal(0.93, 0.1)),
    ... )
    >>> net.projections
    ('in->hidden', 'hidden->out')
    """

    def __init__(self, *layers: Input | LIF | ALIF | LI, seed: int = 0) -> None:
        super().__init__()
        _check(layers)
        rng = np.random.default_rng(seed)
        self.add_input(layers[0].name, layers[0].size)  # type: ignore[arg-type]
        below, below_size = layers[0].name, layers[0].size
        hidden = len(layers) - 2
        for k, layer in enumerate(layers[1:], 1):
            assert isinstance(layer, _Layer)
            default = "out" if k > hidden else f"hidden{k}" if hidden > 1 else "hidden"
            name = layer.name or default
            parameters: Any = layer.parameters
            self.add_population(name, layer.model, layer.size, **parameters)
            weight = _weight(layer.weight, (below_size, layer.size), rng)
            self.connect(below, name, weight, layer.delay)  # type: ignore[arg-type]
            if layer.recurrent is not None:
                shape = (layer.size, layer.size)
                self.connect(
                    name, name, _weight(layer.recurrent.weight, shape, rng), layer.recurrent.delay
                )
            below, below_size = name, layer.size


def _check(layers: tuple[Any, ...]) -> None:
    for k, layer in enumerate(layers):
        if not isinstance(layer, (Input, _Layer)):
            got = type(layer).__name__
            raise TypeError(f"layer {k}: expected a saltus.Input, LIF, ALIF or LI; got {got}")
        if isinstance(layer, Input) != (k == 0):
            raise ValueError(f"layer {k} is {type(layer).__name__}; expected Input first, once")
        if isinstance(layer, LI) and k + 1 < len(layers):
            raise ValueError(f"layer {k} is LI, which never spikes; expected it last")
        recurrent = getattr(layer, "recurrent", None)
        if isinstance(layer, LI) and recurrent is not None:
            raise ValueError(f"layer {k} is LI, which never spikes; it cannot be recurrent")
        if recurrent is not None and not isinstance(recurrent, Recurrent):
            got = type(recurrent).__name__
            raise TypeError(f"layer {k}: recurrent: expected a saltus.Recurrent; got {got}")
    if len(layers) < 2:
        raise ValueError(
            f"{len(layers)} layers; expected an Input and at least one LIF, ALIF or LI"
        )


def _weight(
    weight: Weight, shape: tuple[int, int], rng: np.random.Generator
) -> ArrayLike | NDArray[np.float64]:
    return rng.normal(weight.mean, weight.std, shape) if isinstance(weight, Normal) else weight
