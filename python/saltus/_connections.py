# SPDX-License-Identifier: Apache-2.0
"""Which synapses a projection has, where not every neuron reaches every other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import expect_dimensions, expect_shape, integers, numbers

if TYPE_CHECKING:
    Rows = list[tuple[str, list[int]]]


@dataclass(frozen=True, eq=False, repr=False)
class Synapses:
    """What `Network.connect` takes instead of a dense array of weights.

    Made by `Sparse`, `Masked`, `OneToOne`, `Conv2d`, `AvgPool2d` and `SumPool2d`; of any kind that
    the core knows, a C++ user's too, by itself.

    Parameters
    ----------
    kind : str
    weight : array_like
        As many as the kind says; several synapses may share one.
    rows : list of (str, list of int)
        The whole numbers that the kind is made of, by name.
    shape : (int, int), optional
        The sizes of source and target that it is meant for.
    """

    kind: str
    weight: NDArray[np.float64]
    rows: Rows
    shape: tuple[int, ...] | None = None

    def __repr__(self) -> str:
        parts = [f"weight {self.weight.shape}"]
        parts += [f"{n} {tuple(v) if len(v) < 5 else f'[{len(v)}]'}" for n, v in self.rows if v]
        return f"<saltus.{type(self).__name__}: {', '.join(parts)}>"


def _pair(value: object, argument: str) -> list[int]:
    array = integers(value, argument, np.int64)
    if array.ndim == 0:
        return [int(array), int(array)]
    expect_shape(array, argument, (2,), axes="y, x")
    return [int(v) for v in array]


def _grid(value: object) -> list[int]:
    array = integers(value, "input_shape", np.int64)
    expect_shape(array, "input_shape", (3,), axes="channels, y, x")
    return [int(v) for v in array]


class Sparse(Synapses):
    """Synapses one by one: from ``pre[k]`` to ``post[k]`` with ``weight[k]``.

    Memory and time go with the synapses that there are.

    Parameters
    ----------
    weight : array_like, shape (nnz,)
        Or, with `place`, the weights that synapses share, in any number.
    pre, post : array_like of int, shape (nnz,)
    place : array_like of int, shape (nnz,), optional
        Which weight each synapse has; its own unless given.
    shape : (int, int), optional
        The sizes of source and target; any that hold the neurons unless given.

    Raises
    ------
    ValueError
        Arrays of different lengths, negative numbers.
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
        weight: ArrayLike,
        pre: ArrayLike,
        post: ArrayLike,
        shape: tuple[int, ...] | None = None,
        *,
        place: ArrayLike | None = None,
    ) -> None:
        w = numbers(weight, "weight")
        expect_dimensions(w, "weight", "[nnz]")
        rows: Rows = []
        count = None
        for name, value in (("pre", pre), ("post", post), ("place", place)):
            array = integers([] if value is None else value, name, np.int64)
            expect_dimensions(array, name, "[nnz]")
            if value is not None:
                count = array.size if count is None else count
                expect_shape(array, name, (count,), axes="as pre")
            rows.append((name, array.tolist()))
        if place is None:
            expect_shape(w, "weight", (count,), axes="as pre")  # type: ignore[arg-type]
        super().__init__("sparse", w, rows, None if shape is None else tuple(shape))


class Masked(Sparse):
    """Dense weights of which some are no synapses: they stay 0 and have no gradient.

    The parameter of the network holds the weights that are left, row by row.

    Parameters
    ----------
    weight : array_like, shape (pre, post)
    mask : array_like of bool, shape (pre, post), optional
        True where there is a synapse; where `weight` is not 0 unless given.
    """

    def __init__(self, weight: ArrayLike, mask: ArrayLike | None = None) -> None:
        w = numbers(weight, "weight")
        if w.ndim != 2:
            raise ValueError(f"weight has shape {w.shape}; expected two dimensions, [pre, post]")
        kept = w != 0 if mask is None else np.asarray(mask)
        if kept.dtype != np.bool_:
            raise TypeError(f"mask: expected an array of bool; got dtype {kept.dtype}")
        expect_shape(kept, "mask", w.shape, axes="[pre, post]")
        pre, post = np.nonzero(kept)
        super().__init__(w[kept], pre, post, w.shape)


class OneToOne(Sparse):
    """From each neuron to the one of the same number.

    Parameters
    ----------
    weight : array_like, shape (size,)
    """

    def __init__(self, weight: ArrayLike) -> None:
        w = numbers(weight, "weight")
        expect_dimensions(w, "weight", "[size]")
        super().__init__(w, np.arange(w.size), np.arange(w.size), (w.size, w.size))


class Conv2d(Synapses):
    """A convolution, as PyTorch has it: a kernel slides over neurons on a grid.

    Neuron ``(c * height + y) * width + x`` of the source is pixel (y, x) of channel c, and alike in
    the target.

    Parameters
    ----------
    kernel : array_like, shape (out, in, y, x)
        The weights: those of a place in the kernel are one.
    input_shape : (int, int, int)
        Channels, height and width of the source.
    stride, padding, dilation : int or (int, int)
        Along y and x.
    """

    def __init__(
        self,
        kernel: ArrayLike,
        input_shape: tuple[int, int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
    ) -> None:
        w = numbers(kernel, "kernel")
        if w.ndim != 4:
            raise ValueError(f"kernel has shape {w.shape}; expected 4 dimensions, [out, in, y, x]")
        rows: Rows = [
            ("input", _grid(input_shape)),
            ("kernel", list(w.shape)),
            ("stride", _pair(stride, "stride")),
            ("padding", _pair(padding, "padding")),
            ("dilation", _pair(dilation, "dilation")),
        ]
        super().__init__("conv2d", w, rows)


class SumPool2d(Synapses):
    """Windows of each channel added up, with one weight that all synapses share.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, height and width of the source, as in `Conv2d`.
    size : int or (int, int)
        Of the window.
    stride : int or (int, int), optional
        The size unless given.
    weight : float
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        weight: float = 1.0,
    ) -> None:
        w = numbers(weight, "weight")
        expect_shape(w, "weight", ())
        window = _pair(size, "size")
        rows: Rows = [
            ("input", _grid(input_shape)),
            ("size", window),
            ("stride", window if stride is None else _pair(stride, "stride")),
        ]
        super().__init__("pool2d", w.reshape(1), rows)


class AvgPool2d(SumPool2d):
    """The same with `weight` divided by the number of neurons in a window."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        weight: float = 1.0,
    ) -> None:
        y, x = _pair(size, "size")
        if y < 1 or x < 1:
            raise ValueError(f"size is {size}; expected at least 1")
        super().__init__(input_shape, size, stride, float(numbers(weight, "weight")) / (y * x))


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
