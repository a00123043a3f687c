# SPDX-License-Identifier: Apache-2.0
"""Layers one after the other: a `Network` in a few lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import wraps
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import numbers, whole
from ._connections import Synapses, as_synapses
from ._initial import FanIn, Value, draw, is_drawn
from ._network import Network
from ._windows import as_grid

Weight: TypeAlias = Value | Synapses
Synapse: TypeAlias = Literal["exponential", "alpha", "double_exponential", "ex_in", "delta"]


@dataclass(frozen=True)
class Recurrent:
    """Synapses from a layer onto itself.

    Parameters
    ----------
    weight : array_like, shape (size, size), what draws it, or Synapses
        Of every neuron to every other, or a `Sparse`, `Masked`, `OneToOne`, `Conv2d` or sparse
        array of SciPy.
    delay : float or array_like, shape (size,), (size, size) or (nnz,), or what draws it, optional
        Seconds; as in `Network.connect`.
    receptor : str, optional
        The one that it drives, of neurons with several; as in `Network.connect`.
    """

    weight: Weight
    delay: Value | None = None
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


L = TypeVar("L")


def _lists_what_is_possible(layer: type[L]) -> type[L]:
    """Let a layer say, of a keyword that it does not have, which ones there are."""
    made: Any = layer.__init__

    @wraps(made)
    def __init__(self: L, *values: Any, **keywords: Any) -> None:
        known = [row.name for row in fields(layer)]  # type: ignore[arg-type]
        for key in keywords:
            if key not in known:
                raise TypeError(
                    f"{layer.__name__}: there is no {key!r}; expected {', '.join(known)}"
                )
        made(self, *values, **keywords)

    layer.__init__ = __init__  # type: ignore[assignment]
    return layer


@dataclass(frozen=True, repr=False)
class _Layer:
    """What all layers have. A parameter that is None has the usual value of its model."""

    size: int | None = None
    weight: Weight | None = None
    _: KW_ONLY
    delay: Value | None = None
    recurrent: Recurrent | None = None
    name: str | None = None
    receptor: str | None = None
    synapse: Synapse = "exponential"
    tau_mem: Value | None = None
    tau_syn: Value | None = None
    tau_rise: Value | None = None
    tau_syn_ex: Value | None = None
    tau_syn_in: Value | None = None
    bias: Value | None = None
    v_initial: Value | None = None
    i_initial: Value | None = None

    model: ClassVar[str]

    def __post_init__(self) -> None:
        if self.size is not None and as_synapses(self.size) is not None:
            raise TypeError(f"size is {self.size}, a connection; expected it as weight=")
        if self.size is not None:
            object.__setattr__(self, "size", whole(self.size, "size"))

    def __repr__(self) -> str:
        given = [
            f"{row.name}={np.shape(value) or value}"
            for row in fields(self)
            if (value := getattr(self, row.name)) is not row.default
        ]
        return f"{type(self).__name__}({', '.join(given)})"

    def _parameters(self) -> dict[str, Any]:
        """Return those that were given."""
        of_synapses = {"size", "weight", "delay", "recurrent", "name", "receptor"}
        every = {row.name: getattr(self, row.name) for row in fields(self)}
        return {k: v for k, v in every.items() if k not in of_synapses and v is not None}


@dataclass(frozen=True, repr=False)
class _SpikingLayer(_Layer):
    """What all layers have that spike."""

    v_threshold: Value | None = None
    v_reset: Value | None = None
    tau_ref: Value | None = None


@_lists_what_is_possible
@dataclass(frozen=True, repr=False)
class LIF(_SpikingLayer):
    """A layer of leaky integrate-and-fire neurons.

    Parameters
    ----------
    size : int, optional
        The number of neurons; as many as `weight` leads to unless given. A `Normal`, and a `Sparse`
        without a shape, do not say it.
    weight : array_like, shape (pre, size), what draws it, or Synapses, optional
        ``FanIn()`` unless given. From the layer before: of every neuron to every other, or a
        `Conv2d`, `SumPool2d`, `AvgPool2d`, `Sparse`, `Masked`, `OneToOne` or sparse array of SciPy.
        Convolution and pooling start from the grid of the layer before, and make one of this one.
    delay : float or array_like, shape (pre,), (pre, size) or (nnz,), or what draws it, optional
        Of the same synapses, in seconds; as in `Network.connect`.
    recurrent : Recurrent, optional
        Synapses from the layer onto itself.
    name : str, optional
        ``"hidden"`` (``"hidden1"``, ``"hidden2"``, ... of several), or ``"out"`` of the last layer,
        unless given.
    receptor : str, optional
        The one that `weight` drives, of neurons with several (``synapse="ex_in"``): ``"ex"`` or
        ``"in"``.
    synapse : str
        ``"exponential"``, ``"alpha"``, ``"double_exponential"``, ``"ex_in"`` or ``"delta"``, as in
        `Network.add_population`.
    tau_mem, tau_syn, v_threshold, v_reset, bias, tau_ref, v_initial, i_initial : optional
        Neuron parameters as in `Network.add_population`: a number, one for each neuron, or what
        draws them.
    tau_rise, tau_syn_ex, tau_syn_in : optional
        Those of ``synapse="double_exponential"`` and ``"ex_in"``.

    Raises
    ------
    ValueError
        A negative `size`.
    TypeError
        A `size` that is no integer; a keyword that there is not.
    """

    model: ClassVar[str] = "LIF"


@_lists_what_is_possible
@dataclass(frozen=True, repr=False)
class ALIF(_SpikingLayer):
    """A layer of LIF neurons whose threshold each spike raises: `LIF` with more parameters.

    Parameters
    ----------
    size, weight, delay, recurrent, name, receptor
        As of `LIF`.
    tau_adapt, beta, a_initial : optional
        Of the adaptation, as in `Network.add_population`. All others are those of `LIF`.
    """

    model: ClassVar[str] = "ALIF"

    tau_adapt: Value | None = None
    beta: Value | None = None
    a_initial: Value | None = None


@_lists_what_is_possible
@dataclass(frozen=True, repr=False)
class IF(_SpikingLayer):
    """A layer of integrate-and-fire neurons: `LIF` without the leak.

    Parameters
    ----------
    size, weight, delay, recurrent, name, receptor
        As of `LIF`.
    synapse, tau_mem, ...
        As of `LIF`.
    """

    model: ClassVar[str] = "IF"


@_lists_what_is_possible
@dataclass(frozen=True, repr=False)
class RF(_SpikingLayer):
    """A layer of resonate-and-fire neurons, whose V oscillates.

    Parameters
    ----------
    size, weight, delay, recurrent, name, receptor
        As of `LIF`.
    frequency, u_reset, u_initial : optional
        Of the oscillation, as in `Network.add_population`. All others are those of `LIF`.
    """

    model: ClassVar[str] = "RF"

    frequency: Value | None = None
    u_reset: Value | None = None
    u_initial: Value | None = None


@_lists_what_is_possible
@dataclass(frozen=True, repr=False)
class LI(_Layer):
    """A layer of leaky integrators, which do not spike: a readout, the last layer.

    Parameters
    ----------
    size, weight, delay, name, receptor
        As of `LIF`.
    synapse, tau_mem, ...
        As of `LIF`, but for `v_threshold`, `v_reset` and `tau_ref`, and for `recurrent`, which it
        refuses.
    """

    model: ClassVar[str] = "LI"


class Sequential(Network):
    """A network of layers, each fed by the one before.

    Parameters
    ----------
    *layers : Input, then LIF, ALIF, IF, RF or LI
    seed : int
        Of values that are drawn (`Normal`, `Uniform`, `FanIn`, functions of one's own), by one
        ``numpy.random.default_rng(seed)``: layer by layer, first `weight`, then neuron parameters
        in the order of the model, `delay`, and weight and delay of `recurrent`.

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
        super().__init__(seed=seed)
        _check(layers)
        first: Any = layers[0]
        self.add_input(first.name, first.size)
        below, grid = first.name, first.shape
        hidden = len(layers) - 2
        for k, layer in enumerate(layers[1:], 1):
            assert isinstance(layer, _Layer)
            default = "out" if k > hidden else f"hidden{k}" if hidden > 1 else "hidden"
            name = layer.name or default
            with _named(f"layer {k}"):
                grid = self._stack(layer, name, below, grid)
            below = name

    def _stack(
        self,
        layer: _Layer,
        name: str,
        below: str,
        grid: tuple[int, ...],
    ) -> tuple[int, ...]:
        """Add a layer on top of one of this grid, and return its own."""
        weight, own = _connection(layer.weight, grid, layer.size, self._rng)
        if layer.size not in (None, math.prod(own)):
            raise ValueError(
                f"size is {layer.size}, but weight leads to {' x '.join(map(str, own))} neurons; "
                f"expected {math.prod(own)}, or none"
            )
        self.add_population(name, layer.model, math.prod(own), **layer._parameters())
        self.connect(below, name, weight, layer.delay, receptor=layer.receptor)
        if layer.recurrent is not None:
            with _named("recurrent"):
                weight, _ = _connection(layer.recurrent.weight, own, math.prod(own), self._rng)
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
    elif weight is None or is_drawn(weight):
        weight = weight or FanIn()
        if size is not None:
            weight = draw(weight, (math.prod(below), size), rng, "weight")
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
