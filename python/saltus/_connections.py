# SPDX-License-Identifier: Apache-2.0
"""Which synapses a projection has, where not every neuron reaches every other."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import expect_dimensions, expect_shape, integers, numbers, whole
from ._initial import Initial, Value, draw, is_drawn

if TYPE_CHECKING:
    Rows = list[tuple[str, list[int]]]


@dataclass(frozen=True, eq=False, repr=False)
class Synapses:
    """What `Network.connect` and layers of `Sequential` take instead of a dense array of weights.

    Made by `Sparse`, `Masked`, `OneToOne`, `Conv2d`, `AvgPool2d` and `SumPool2d`; of any kind that
    the core knows, a C++ user's too, by itself.

    Parameters
    ----------
    kind : str
    weight : array_like, or what draws it
        As many as the kind says; several synapses may share one.
    rows : list of (str, list of int)
        The whole numbers that the kind is made of, by name.
    shape : (int, int), optional
        The sizes of source and target that it is meant for.
    """

    kind: str
    weight: NDArray[np.float64] | Initial
    rows: Rows
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.weight, np.ndarray):  # what is written to the caller's changes nothing
            object.__setattr__(self, "weight", self.weight.copy())

    def __repr__(self) -> str:
        weight = self.weight
        parts = [f"weight {weight.shape if isinstance(weight, np.ndarray) else weight}"]
        parts += [f"{n} {tuple(v) if len(v) < 5 else f'[{len(v)}]'}" for n, v in self.rows if v]
        return f"<saltus.{type(self).__name__}: {', '.join(parts)}>"

    def _check(self, pre: int, post: int) -> None:
        """Refuse populations of other sizes than it is meant for."""
        if self.shape not in (None, (pre, post)):
            raise ValueError(
                f"weight is for populations of {self.shape}; expected {(pre, post)} ([pre, post])"
            )

    def _drawn(self, rng: np.random.Generator) -> Synapses:
        """Return the same with weights, if it says what draws them."""
        return self

    def _over(
        self, below: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[Synapses, tuple[int, ...] | None]:
        """Return what leads on from a layer of this grid, and the next one's grid if it says it."""
        return self._drawn(rng), None if self.shape is None else self.shape[1:]


class Sparse(Synapses):
    """Synapses one by one: from ``pre[k]`` to ``post[k]`` with ``weight[k]``.

    Memory and time go with the synapses that there are.

    Parameters
    ----------
    weight : array_like, shape (nnz,), or what draws it
        Or, with `place`, the weights that synapses share, in any number.
    pre, post : array_like of int, shape (nnz,)
        Source and target neuron.
    shape : (int, int), optional
        The sizes of source and target; any that hold the neurons unless given.
    place : array_like of int, shape (nnz,), optional
        Which weight each synapse has: synapse k has ``weight[place[k]]``. Its own unless given.

    Raises
    ------
    ValueError
        Arrays of different lengths, numbers out of range, weights behind the last that a synapse
        has.
    TypeError
        No arrays of numbers.

    Examples
    --------
    >>> import saltus
    >>> net = saltus.Network()
    >>> net.add_input("in", 3)
    >>> net.add_population("h", "LIF", 2)
    >>> net.connect("in", "h", saltus.Sparse([2.0, 3.0], pre=[0, 2], post=[0, 1]))
    >>> net["in->h.weight"]
    array([2., 3.])
    """

    def __init__(
        self,
        weight: Value,
        pre: ArrayLike,
        post: ArrayLike,
        shape: tuple[int, ...] | None = None,
        *,
        place: ArrayLike | None = None,
    ) -> None:
        sources, targets = _listed(pre, "pre"), _listed(post, "post")
        expect_shape(targets, "post", sources.shape, axes="as pre")
        w: NDArray[np.float64] | Initial
        if is_drawn(weight):
            w, values = weight, sources.size
            if place is not None:
                values = 1 + int(_listed(place, "place").max(initial=-1))
        else:
            w = numbers(weight, "weight")
            expect_dimensions(w, "weight", "[nnz]")
            values = w.size
        places = np.arange(0)
        if place is not None:
            places = _listed(place, "place", values, f"weight has {values} values")
            expect_shape(places, "place", sources.shape, axes="as pre")
            if (used := int(places.max(initial=-1)) + 1) < values:
                raise ValueError(
                    f"weight has {values} values, but place names none after the first {used}; "
                    "leave them out"
                )
        elif isinstance(w, np.ndarray):
            expect_shape(w, "weight", sources.shape, axes="as pre")
        sizes = None
        if shape is not None:
            given = integers(shape, "shape", np.int64)
            if given.shape != (2,):
                raise ValueError(f"shape is {shape}; expected two numbers, (pre, post)")
            sizes = tuple(given.tolist())
            _expect_below(sources, "pre", sizes[0], f"shape is {sizes}")
            _expect_below(targets, "post", sizes[1], f"shape is {sizes}")
        rows = [("pre", sources), ("post", targets), ("place", places)]
        super().__init__("sparse", w, [(name, row.tolist()) for name, row in rows], sizes)

    def _drawn(self, rng: np.random.Generator) -> Self:
        if not is_drawn(self.weight):
            return self
        rows = dict(self.rows)
        values = 1 + max(rows["place"]) if rows["place"] else len(rows["pre"])
        drawn = copy(self)
        object.__setattr__(drawn, "weight", draw(self.weight, (values,), rng, "weight"))
        return drawn

    def _check(self, pre: int, post: int) -> None:
        super()._check(pre, post)
        rows = dict(self.rows)
        _expect_below(np.array(rows["pre"]), "pre", pre, f"the source has {pre} neurons")
        _expect_below(np.array(rows["post"]), "post", post, f"the target has {post} neurons")


class Masked(Sparse):
    """Dense weights of which some are no synapses: they stay 0 and have no gradient.

    The parameter of the network holds the weights that are left, row by row.

    Parameters
    ----------
    weight : array_like, shape (pre, post), or, with `mask`, what draws those that are left
    mask : array_like of bool, shape (pre, post), optional
        True where there is a synapse; where `weight` is not 0 unless given.

    Raises
    ------
    ValueError
        A weight that is not two-dimensional, a mask of another shape.
    TypeError
        A weight that is no array of numbers, a mask that is none of bool.

    Examples
    --------
    A tenth of all synapses, at random:

    >>> import numpy as np
    >>> import saltus
    >>> rng = np.random.default_rng(0)
    >>> saltus.Masked(rng.normal(0, 1, (50, 20)), rng.random((50, 20)) < 0.1)
    <saltus.Masked: weight (118,), pre [118], post [118]>
    """

    def __init__(self, weight: Value, mask: ArrayLike | None = None) -> None:
        if is_drawn(weight) and mask is not None:
            kept = _mask(mask)
            pre, post = np.nonzero(kept)
            super().__init__(weight, pre, post, kept.shape)
            return
        w = numbers(weight, "weight")
        if w.ndim != 2:
            raise ValueError(f"weight has shape {w.shape}; expected two dimensions, [pre, post]")
        kept = w != 0 if mask is None else _mask(mask)
        expect_shape(kept, "mask", w.shape, axes="[pre, post]")
        pre, post = np.nonzero(kept)
        super().__init__(w[kept], pre, post, w.shape)


class OneToOne(Sparse):
    """From each neuron to the one of the same number.

    Parameters
    ----------
    weight : array_like, shape (size,), or, with `size`, what draws it
    size : int, optional
        Of both populations; that of the array unless given.

    Raises
    ------
    ValueError
        A weight that is not one-dimensional or not of that size; one that is drawn, and no size.
    TypeError
        A weight that is no array of numbers.

    Examples
    --------
    >>> import saltus
    >>> saltus.OneToOne(saltus.Uniform(0.5, 1.5), size=30)
    <saltus.OneToOne: weight Uniform(0.5, 1.5), pre [30], post [30]>
    """

    def __init__(self, weight: Value, size: int | None = None) -> None:
        if is_drawn(weight):
            if size is None:
                raise ValueError(f"weight is {weight!r}; it can draw any number: add size=")
            w: Value = weight
            neurons = whole(size, "size")
        else:
            w = numbers(weight, "weight")
            expect_dimensions(w, "weight", "[size]")
            if size is not None:
                expect_shape(w, "weight", (whole(size, "size"),), axes="[size]")
            neurons = w.size
        number = np.arange(neurons)
        super().__init__(w, number, number, (neurons, neurons))

    def _over(
        self, below: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[Synapses, tuple[int, ...] | None]:
        return self, below


def as_synapses(weight: Any) -> Synapses | None:
    """Return what lists its synapses: ours, or a sparse array of SciPy; None: a dense array."""
    if isinstance(weight, Synapses):
        return weight
    if hasattr(weight, "tocoo"):
        listed = weight.tocoo()
        if len(listed.shape) != 2:
            raise ValueError(
                f"weight has shape {listed.shape}; expected two dimensions, [pre, post]"
            )
        data, row, col = listed.data, listed.row, listed.col
        if getattr(weight, "format", None) == "bsr":  # what fills up its blocks is no synapse
            data, row, col = data[data != 0], row[data != 0], col[data != 0]
        return Sparse(data, row, col, listed.shape)
    return None


def _mask(mask: ArrayLike) -> NDArray[np.bool_]:
    kept = np.asarray(mask)
    if kept.dtype != np.bool_:
        raise TypeError(f"mask: expected an array of bool; got dtype {kept.dtype}")
    if kept.ndim != 2:
        raise ValueError(f"mask has shape {kept.shape}; expected two dimensions, [pre, post]")
    return kept


def _listed(value: object, argument: str, limit: int = 2**31, why: str = "") -> NDArray[np.int64]:
    array = integers(value, argument, np.int64)
    expect_dimensions(array, argument, "[nnz]")
    _expect_below(array, argument, limit, why)
    return array


def _expect_below(array: NDArray[np.int64], argument: str, limit: int, why: str = "") -> None:
    wrong = np.flatnonzero((array < 0) | (array >= limit))
    if wrong.size:
        k = wrong[0]
        reason = f" ({why})" if why else ""
        raise ValueError(f"{argument}[{k}] is {array[k]}; expected 0 to {limit - 1}{reason}")
