# SPDX-License-Identifier: Apache-2.0
"""Layers one after the other: a `Network` in a few lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import generator, numbers, whole
from ._connections import Synapses, as_synapses
from ._network import Network
from ._normal import Normal
from ._windows import as_grid

Weight: TypeAlias = ArrayLike | Normal | Synapses


@dataclass(frozen=True)
class Recurrent:
    """Synapses from a layer onto itself.

    Parameters
    ----------
    weight : array_like, shape (size, size), Normal, or Synapses
        Of every neuron to every other, or a `Sparse`, `Masked`, `OneToOne`, `Conv2d` or sparse
        array of SciPy.
    delay : float or array_like, shape (size,), (size, size) or (nnz,), optional
        Seconds; as in `Network.connect`.
    receptor : str, optional
        The one that it drives, of neurons with several; as in `Network.connect`.
    """

    weight: Weight
    delay: ArrayLike | None = None
    receptor: str | None = None


@dataclass(frozen=True)
class Input:
    """The first layer: spikes from outside.

    Parameters
    ----------
    size : int or (int, int, int)
        The number of channels; or a grid, (channels, y, x), for a `Conv2d` or pooling above, whose
        neuron ``(c * height + y) * width + x`` is pixel (y, x) of channel c.
    name : str

    Attributes
    ----------
    size : int
        The number of neurons.
    shape : tuple of int
        The grid, or ``(size,)``.

    Raises
    ------
    ValueError
        A grid that is not three numbers of at least 1.
    TypeError
        No whole numbers.

    Examples
    --------
    >>> import saltus
    >>> saltus.Input((1, 28, 28))
    Input(size=784, name='in', shape=(1, 28, 28))
    """

    size: Any
    name: str = "in"
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        of = self.size
        shape = as_grid(of, "size") if np.ndim(of) else (whole(of, "size"),)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "size", math.prod(shape))


@dataclass(frozen=True, init=False)
class _Layer:
    size: int | None
    weight: Weight
    delay: ArrayLike | None
    recurrent: Recurrent | None
    name: str | None
    receptor: str | None
    parameters: Mapping[str, ArrayLike] = field(default_factory=dict)

    def __init__(
        self,
        size: int | None = None,
        weight: Weight | None = None,
        *,
        delay: ArrayLike | None = None,
        recurrent: Recurrent | None = None,
        name: str | None = None,
        receptor: str | None = None,
        **parameters: ArrayLike,
    ) -> None:
        if size is not None and as_synapses(size) is not None:
            raise TypeError(f"size is {size}, a connection; expected it as weight=")
        if weight is None:
            raise TypeError("weight: missing; expected an array, Normal or Synapses")
        for key, value in {
            "size": None if size is None else whole(size, "size"),
            "weight": weight,
            "delay": delay,
            "recurrent": recurrent,
            "name": name,
            "receptor": receptor,
            "parameters": parameters,
        }.items():
            object.__setattr__(self, key, value)


class LIF(_Layer):
    """A layer of leaky integrate-and-fire neurons.

    Parameters
    ----------
    size : int, optional
        The number of neurons; as many as `weight` leads to unless given. A `Normal`, and a `Sparse`
        without a shape, do not say it.
    weight : array_like, shape (pre, size), Normal, or Synapses
        From the layer before: of every neuron to every other, or a `Conv2d`, `SumPool2d`,
        `AvgPool2d`, `Sparse`, `Masked`, `OneToOne` or sparse array of SciPy. Convolution and
        pooling start from the grid of the layer before, and make a grid of this one.
    delay : float or array_like, shape (pre,), (pre, size) or (nnz,), optional
        Of the same synapses, in seconds; as in `Network.connect`.
    recurrent : Recurrent, optional
        Synapses from the layer onto itself.
    name : str, optional
        ``"hidden"`` (``"hidden1"``, ``"hidden2"``, ... of several), or ``"out"`` of the last layer,
        unless given.
    receptor : str, optional
        The one that `weight` drives, of neurons with several (``synapse="ex_in"``): ``"ex"`` or
        ``"in"``.
    **parameters
        Neuron parameters and ``synapse=``, as in `Network.add_population`.

    Raises
    ------
    ValueError
        A negative `size`.
    TypeError
        A `size` that is no integer, no `weight`.
    """

    model = "LIF"


class ALIF(_Layer):
    """A layer of LIF neurons whose threshold each spike raises: `LIF` with more parameters.

    Parameters
    ----------
    size, weight, delay, recurrent, name, receptor
        As of `LIF`.
    **parameters
        Those of ALIF, such as `beta` and `tau_adapt`; as in `Network.add_population`.
    """

    model = "ALIF"


class IF(_Layer):
    """A layer of integrate-and-fire neurons: `LIF` without the leak.

    Parameters
    ----------
    size, weight, delay, recurrent, name, receptor
        As of `LIF`.
    **parameters
        Those of IF; as in `Network.add_population`.
    """

    model = "IF"


class RF(_Layer):
    """A layer of resonate-and-fire neurons, whose V oscillates.

    Parameters
    ----------
    size, weight, delay, recurrent, name, receptor
        As of `LIF`.
    **parameters
        Those of RF, such as `frequency`; as in `Network.add_population`.
    """

    model = "RF"


class LI(_Layer):
    """A layer of leaky integrators, which do not spike: a readout, the last layer.

    Parameters
    ----------
    size, weight, delay, name, receptor
        As of `LIF`.
    **parameters
        Those of LI; as in `Network.add_population`.
    """

    model = "LI"


class Sequential(Network):
    """A network of layers, each fed by the one before.

    Parameters
    ----------
    *layers : Input, then LIF, ALIF, IF, RF or LI
    seed : int
        Of weights given as `Normal`: drawn layer by layer, first `weight`, then that of
        `recurrent`, by one ``numpy.random.default_rng(seed)``.

    Raises
    ------
    ValueError
        A first layer that is no `Input`, an LI layer that is not the last (it never spikes), a
        size that cannot be told or is another than the weight says, anything that
        `Network.add_population` or `Network.connect` refuses. The message names the layer.
    TypeError
        Something that is no layer, an argument of a wrong type.

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

    Convolution and pooling take sizes and grids from the layer below:

    >>> net = saltus.Sequential(
    ...     saltus.Input((1, 28, 28)),
    ...     saltus.LIF(weight=saltus.Conv2d(saltus.Normal(1, 0.5), channels=16, size=5, stride=2)),
    ...     saltus.LIF(weight=saltus.AvgPool2d(2, weight=20.0)),
    ...     saltus.LI(10, saltus.Normal(0, 1)),
    ... )
    >>> net["in->hidden1.weight"].shape, net["hidden2->out.weight"].shape
    ((16, 1, 5, 5), (576, 10))
    """

    def __init__(self, *layers: Input | LIF | ALIF | IF | RF | LI, seed: int = 0) -> None:
        super().__init__()
        _check(layers)
        rng = generator(seed)
        first: Any = layers[0]
        self.add_input(first.name, first.size)
        below, grid = first.name, first.shape
        hidden = len(layers) - 2
        for k, layer in enumerate(layers[1:], 1):
            assert isinstance(layer, _Layer)
            default = "out" if k > hidden else f"hidden{k}" if hidden > 1 else "hidden"
            name = layer.name or default
            with _named(f"layer {k}"):
                grid = self._stack(layer, name, below, grid, rng)
            below = name

    def _stack(
        self,
        layer: _Layer,
        name: str,
        below: str,
        grid: tuple[int, ...],
        rng: np.random.Generator,
    ) -> tuple[int, ...]:
        """Add a layer on top of one of this grid, and return its own."""
        weight, own = _connection(layer.weight, grid, layer.size, rng)
        if layer.size not in (None, math.prod(own)):
            raise ValueError(
                f"size is {layer.size}, but weight leads to {' x '.join(map(str, own))} neurons; "
                f"expected {math.prod(own)}, or none"
            )
        parameters: Any = layer.parameters
        self.add_population(name, layer.model, math.prod(own), **parameters)  # type: ignore[attr-defined]
        self.connect(below, name, weight, layer.delay, receptor=layer.receptor)
        if layer.recurrent is not None:
            with _named("recurrent"):
                weight, _ = _connection(layer.recurrent.weight, own, math.prod(own), rng)
                own_synapses = layer.recurrent
                self.connect(name, name, weight, own_synapses.delay, receptor=own_synapses.receptor)
        return own


def _check(layers: tuple[Any, ...]) -> None:
    for k, layer in enumerate(layers):
        if not isinstance(layer, (Input, _Layer)):
            got = type(layer).__name__
            raise TypeError(
                f"layer {k}: expected a saltus.Input, LIF, ALIF, IF, RF or LI; got {got}"
            )
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
            f"{len(layers)} layers; expected an Input and at least one LIF, ALIF, IF, RF or LI"
        )


def _connection(
    weight: Any, below: tuple[int, ...], size: int | None, rng: np.random.Generator
) -> tuple[ArrayLike | Synapses, tuple[int, ...]]:
    """Return what connects a layer of this grid to the next, and the grid of that one."""
    above: tuple[int, ...] | None = None if size is None else (size,)
    listed = as_synapses(weight)
    if listed is not None:
        weight, told = listed._over(below, rng)
        above = told or above
    elif isinstance(weight, Normal):
        if size is not None:
            weight = weight._draw((math.prod(below), size), rng)
    elif size is None:
        weight = numbers(weight, "weight")
        if weight.ndim != 2:
            raise ValueError(f"weight has shape {weight.shape}; expected [pre, size]")
        above = weight.shape[1:]
    if above is None:
        raise ValueError(f"size is missing, and {weight} does not say it; expected a number")
    return weight, above


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Say in which place an error arose."""
    try:
        yield
    except (TypeError, ValueError) as error:
        error.args = (f"{place}: {error}",)
        raise
