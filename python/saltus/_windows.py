# SPDX-License-Identifier: Apache-2.0
"""Convolution and pooling: windows that slide over neurons on a grid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ._arrays import integers, numbers, whole
from ._connections import Synapses
from ._initial import Initial, Value, draw, is_drawn

if TYPE_CHECKING:
    from ._connections import Rows


@dataclass(frozen=True, eq=False, repr=False)
class _Windows(Synapses, ABC):
    """Windows that slide over neurons on a grid: what convolution and pooling have in common."""

    input_shape: tuple[int, ...] | None = None
    output_shape: tuple[int, ...] | None = None

    def _drawn(self, rng: np.random.Generator) -> Synapses:
        if is_drawn(self.weight) and self.input_shape is not None:
            return self._on(self.input_shape, rng)
        return self

    def _check(self, pre: int, post: int) -> None:
        own = type(self).__name__
        if self.input_shape is None:
            raise ValueError(
                f"input_shape of {own} is missing, and only a layer of saltus.Sequential finds it "
                "out; expected (channels, y, x)"
            )

    def _over(
        self, below: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[Synapses, tuple[int, ...] | None]:
        own = type(self).__name__
        if self.input_shape is None and len(below) != 3:
            raise ValueError(
                f"input_shape of {own} is missing, and the layer below is no grid; expected "
                "input_shape=(channels, y, x), or a saltus.Input((channels, y, x)), convolution or "
                "pooling below"
            )
        if self.input_shape is not None and len(below) == 3 and self.input_shape != below:
            raise ValueError(
                f"input_shape of {own} is {self.input_shape}; expected {below} as the layer below, "
                "or none"
            )
        made = self._on(self.input_shape or below, rng)
        return made, made.output_shape

    @abstractmethod
    def _on(self, grid: tuple[int, ...], rng: np.random.Generator) -> _Windows:
        """Return the same on a grid."""


class Conv2d(_Windows):
    """A convolution, as PyTorch has it: a kernel slides over neurons on a grid.

    Neuron ``(c * height + y) * width + x`` of the source is pixel (y, x) of channel c, and alike in
    the target. Along y and along x the target has ::

        floor((input + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1

    Parameters
    ----------
    kernel : array_like, shape (out, in, y, x), or what draws it
        The weights: those of a place in the kernel are one. A layer of `Sequential` draws a
        `Normal`.
    input_shape : (int, int, int), optional
        Channels, height and width of the source. In a layer of `Sequential` those of the layer
        below unless given; `Network.connect` needs it.
    stride, dilation : int or (int, int)
        Along y and x, at least 1.
    padding : int or (int, int) or {"same", "valid"}
        Along y and x, on both sides. ``"valid"`` is 0; ``"same"``, for kernels of odd size and a
        stride of 1, gives the target the height and width of the source.
    channels : int
        Of the target, where `kernel` is a `Normal`.
    size : int or (int, int)
        Height and width of the kernel, where it is a `Normal`.

    Attributes
    ----------
    input_shape, output_shape : (int, int, int) or None
        Channels, height and width of source and target; None while `input_shape` is not known.

    Raises
    ------
    ValueError
        A kernel of another number of input channels than `input_shape`, or that does not fit into
        it with its padding; a number out of range.
    TypeError
        An argument of a wrong type; `channels` and `size` without `Normal`, or a `Normal` without
        them.

    Examples
    --------
    >>> import numpy as np
    >>> import saltus
    >>> saltus.Conv2d(np.ones((4, 1, 5, 5)), input_shape=(1, 28, 28), stride=2).output_shape
    (4, 12, 12)
    >>> net = saltus.Sequential(
    ...     saltus.Input((1, 28, 28)),
    ...     saltus.LIF(weight=saltus.Conv2d(saltus.Normal(1.0, 0.5), channels=4, size=5, stride=2)),
    ...     saltus.LI(10, saltus.Normal(0, 1)),
    ... )
    >>> net["in->hidden.weight"].shape, net["hidden->out.weight"].shape
    ((4, 1, 5, 5), (576, 10))
    """

    def __init__(
        self,
        kernel: Value,
        input_shape: tuple[int, int, int] | None = None,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        *,
        channels: int | None = None,
        size: int | tuple[int, int] | None = None,
    ) -> None:
        grid = None if input_shape is None else as_grid(input_shape, "input_shape")
        drawn = is_drawn(kernel)
        for name, value in (("channels", channels), ("size", size)):
            if drawn and value is None:
                raise TypeError(f"{name}: missing; expected of a kernel that is drawn")
            if not drawn and value is not None:
                raise TypeError(f"{name} is {value}, but the kernel says it; leave {name} out")
        if is_drawn(kernel):
            w: NDArray[np.float64] | Initial = kernel
            out, window = _at_least_one(channels, "channels"), _pair(size, "size")
            shape: tuple[int, ...] = (out, *window)
        else:
            w = numbers(kernel, "kernel")
            if w.ndim != 4 or w.size == 0:
                raise ValueError(
                    f"kernel has shape {w.shape}; expected 4 dimensions, [out, in, y, x], of at "
                    "least 1"
                )
            shape = w.shape
            out, channels_in, *window = w.shape
            if grid is not None and channels_in != grid[0]:
                raise ValueError(
                    f"kernel has {channels_in} input channels ([out, in, y, x] is {shape}); "
                    f"expected {grid[0]} as input_shape {grid}"
                )
        steps, spread = _pair(stride, "stride"), _pair(dilation, "dilation")
        around = _padding(padding, window, steps, spread)
        rows: Rows = [
            ("input", list(grid or [])),
            ("kernel", list(shape)),
            ("stride", steps),
            ("padding", around),
            ("dilation", spread),
        ]
        output = grid and (
            out,
            *_count("kernel", grid, window, steps, padding=around, dilation=spread),
        )
        super().__init__("conv2d", w, rows, None, grid, output)

    def _on(self, grid: tuple[int, ...], rng: np.random.Generator) -> Conv2d:
        kernel, rows = self.weight, dict(self.rows)
        if is_drawn(kernel):
            out, y, x = rows["kernel"]
            kernel = draw(kernel, (out, grid[0], y, x), rng, "kernel")
        slides: Any = {name: rows[name] for name in ("stride", "padding", "dilation")}
        return Conv2d(kernel, grid, **slides)  # type: ignore[arg-type]


class SumPool2d(_Windows):
    """Windows of each channel added up, with one weight that all synapses share.

    It is trained as any other weight: name others in ``trainable=`` to leave it as it is. Along y
    and along x the target has ``floor((input - size) / stride) + 1``: what is left at the end, too
    little for a window, goes nowhere.

    Parameters
    ----------
    size : int or (int, int)
        Of the window, along y and x.
    stride : int or (int, int), optional
        The size unless given.
    input_shape : (int, int, int), optional
        Channels, height and width of the source, as in `Conv2d`.
    weight : float
        Of each synapse.

    Attributes
    ----------
    input_shape, output_shape : (int, int, int) or None
        Channels, height and width of source and target; None while `input_shape` is not known.

    Raises
    ------
    ValueError
        A window that is larger than the source, a number out of range, several weights.
    TypeError
        An argument of a wrong type.

    Examples
    --------
    >>> import saltus
    >>> saltus.SumPool2d(2, input_shape=(4, 12, 13)).output_shape
    (4, 6, 6)
    """

    _averages = False

    def __init__(
        self,
        size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        *,
        input_shape: tuple[int, int, int] | None = None,
        weight: float = 1.0,
    ) -> None:
        if np.shape(size) == (3,):
            raise ValueError(
                f"size is {size}; expected one number, or two (y, x): a grid is input_shape="
            )
        w = numbers(weight, "weight")
        if w.ndim != 0:
            raise ValueError(f"weight has shape {w.shape}; expected one number that all share")
        grid = None if input_shape is None else as_grid(input_shape, "input_shape")
        window = _pair(size, "size")
        steps = window if stride is None else _pair(stride, "stride")
        rows: Rows = [("input", list(grid or [])), ("size", window), ("stride", steps)]
        output = grid and (grid[0], *_count("size", grid, window, steps))
        w = w.reshape(1) / (window[0] * window[1] if self._averages else 1)
        super().__init__("pool2d", w, rows, None, grid, output)

    def _on(self, grid: tuple[int, ...], rng: np.random.Generator) -> SumPool2d:
        rows: Any = dict(self.rows)
        assert isinstance(self.weight, np.ndarray)
        of: Any = {"input_shape": grid, "weight": self.weight[0]}
        return SumPool2d(rows["size"], rows["stride"], **of)


class AvgPool2d(SumPool2d):
    """The same as `SumPool2d` with `weight` divided by the number of neurons in a window."""

    _averages = True


def as_grid(value: object, argument: str) -> tuple[int, ...]:
    """Return channels, height and width."""
    array = integers(value, argument, np.int64)
    if array.shape != (3,) or array.min() < 1:
        raise ValueError(f"{argument} is {value}; expected (channels, y, x), each at least 1")
    return tuple(array.tolist())


def _at_least_one(value: object, argument: str) -> int:
    number = whole(value, argument)
    if number == 0:
        raise ValueError(f"{argument} is 0; expected at least 1")
    return number


def _pair(value: object, argument: str, least: int = 1) -> list[int]:
    array = integers(value, argument, np.int64)
    if array.shape not in ((), (2,)) or array.min() < least:
        raise ValueError(
            f"{argument} is {value}; expected one number, or two (y, x), of at least {least}"
        )
    return np.broadcast_to(array, 2).tolist()  # type: ignore[no-any-return]


def _padding(value: object, window: list[int], stride: list[int], dilation: list[int]) -> list[int]:
    if not isinstance(value, str):
        return _pair(value, "padding", 0)
    if value == "valid":
        return [0, 0]
    if value != "same":
        raise ValueError(f"padding is '{value}'; expected numbers, 'same' or 'valid'")
    both = [d * (k - 1) for k, d in zip(window, dilation, strict=True)]
    half = [n // 2 for n in both]
    if stride != [1, 1]:
        raise ValueError(
            f"padding is 'same', but stride is {tuple(stride)}; expected a stride of 1, or padding "
            f"in numbers such as {tuple(half)}"
        )
    if any(n % 2 for n in both):
        raise ValueError(
            f"padding is 'same', but a kernel of {_times(window)} (y, x) would be padded unevenly; "
            f"expected odd sizes, or padding in numbers such as {tuple(half)}"
        )
    return half


def _count(
    argument: str,
    grid: tuple[int, ...],
    window: list[int],
    stride: list[int],
    *,
    padding: list[int] | None = None,
    dilation: list[int] | None = None,
) -> list[int]:
    """Return how many windows there are along y and x."""
    around, spread = padding or [0, 0], dilation or [1, 1]
    room = [n + 2 * p for n, p in zip(grid[1:], around, strict=True)]
    cover = [d * (k - 1) + 1 for k, d in zip(window, spread, strict=True)]
    if any(c > r for c, r in zip(cover, room, strict=True)):
        padded = f" with padding {tuple(around)}" if padding else ""
        raise ValueError(
            f"{argument} covers {_times(cover)} (y, x), but input_shape {grid}{padded} has only "
            f"{_times(room)}; expected a smaller {argument}{' or more padding' if padding else ''}"
        )
    return [(r - c) // s + 1 for r, c, s in zip(room, cover, stride, strict=True)]


def _times(sizes: list[int]) -> str:
    return " x ".join(map(str, sizes))
