# SPDX-License-Identifier: Apache-2.0
"""NIR's linear nodes as linear maps, and the constant currents that they add."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from .maps import Array, Dense, Each, Map
from .models import BY_NODE
from .nest import Place, said
from .windows import Windows

Shape: TypeAlias = tuple[int, ...]

POOLS = ("SumPool2d", "AvgPool2d")
MATRICES = ("Linear", "Affine")
MAPS = (*MATRICES, "Scale", "Conv2d", *POOLS)
# Whose parameters have the shape of what goes through, unless they are one number for all; and one
# that tells it.
ELEMENTWISE = {"Scale": "scale", "Delay": "delay", **{n: row.tells for n, row in BY_NODE.items()}}


def linear_map(place: Place, node: Any, coming: Shape) -> Map:
    """Return what a node does to what has the shape `coming`."""
    kind = type(node).__name__
    count = int(np.prod(coming))
    if kind == "Scale":
        return Each(each(place, "scale", node.scale, coming))
    if kind in MATRICES:
        matrix = np.asarray(node.weight, np.float64)
        if matrix.ndim != 2:
            raise ValueError(
                f"node '{said(place)}': weight has shape {matrix.shape}; expected two axes"
            )
        found: Map = Dense(matrix)
    else:
        found = windows(place, node, coming)
    if found.sizes[0] != count:
        raise ValueError(
            f"node '{said(place)}' gets {count} channels; expected {found.sizes[0]}, as its "
            f"{'weight' if kind in MATRICES else 'input'} has"
        )
    return found


def constant(place: Place, node: Any, going: Shape) -> Array | None:
    """Return the constant current that a node adds to what has the shape `going`; None: none."""
    bias = getattr(node, "bias", None)
    if bias is None or not np.any(np.asarray(bias)):
        return None
    values = np.asarray(bias, np.float64)
    if type(node).__name__ == "Conv2d":  # one for each channel
        values = values.reshape(-1, *(1,) * (len(going) - 1))
    return each(place, "bias", values, going)


def each(place: Place, key: str, value: Any, shape: Shape) -> Array:
    """Return a parameter for every neuron; one number is that of all."""
    values = np.asarray(value, np.float64)
    count = int(np.prod(shape))
    if values.size == count:
        return values.reshape(-1)
    if values.size == 1:
        values = values.reshape(())
    try:
        return np.broadcast_to(values, shape).reshape(-1)
    except ValueError:
        raise ValueError(
            f"node '{said(place)}': {key} has shape {values.shape} and does not fit {shape}; "
            "expected one number, or one for each channel"
        ) from None


def windows(place: Place, node: Any, coming: Shape) -> Windows:
    """Return the windows of a convolution or of pooling over a grid."""
    kind = type(node).__name__
    if kind in POOLS:
        size, stride = (_pair(place, node, key) for key in ("kernel_size", "stride"))
        height, width = _pair(place, node, "padding", least=0)
        weight = 1.0 if kind == "SumPool2d" else 1.0 / (size[0] * size[1])
        grid = _grid(place, node, coming, None)
        padding = ((height, height), (width, width))
        return Windows(grid, size, stride, padding, weight=weight)
    kernel = np.asarray(node.weight, np.float64)
    if kernel.ndim != 4:
        raise ValueError(
            f"node '{said(place)}': weight has shape {kernel.shape}; expected four axes, "
            "[out, in, y, x]"
        )
    groups = int(np.asarray(node.groups))
    if groups < 1 or len(kernel) % groups:
        raise ValueError(
            f"node '{said(place)}': groups is {groups}; expected a divisor of its {len(kernel)} "
            "output channels"
        )
    stride, dilation = (_pair(place, node, key) for key in ("stride", "dilation"))
    size = (kernel.shape[2], kernel.shape[3])
    grid = _grid(place, node, coming, kernel.shape[1] * groups)
    padding = _padding(place, node, size, stride, dilation)
    return Windows(grid, size, stride, padding, dilation, kernel, groups)


def _grid(place: Place, node: Any, coming: Shape, channels: int | None) -> tuple[int, int, int]:
    kind = type(node).__name__
    said_by_node = getattr(node, "input_shape", None)
    while len(coming) > 3 and coming[0] == 1:  # one sample, as Norse exports it
        coming = coming[1:]
    if len(coming) != 3 and said_by_node is not None and channels is not None:
        height, width = (int(n) for n in np.asarray(said_by_node).reshape(-1))
        if channels * height * width == np.prod(coming):
            return channels, height, width
    if len(coming) != 3:
        raise ValueError(
            f"node '{said(place)}' is {kind} and gets shape {coming}; expected three axes: "
            "channels, y, x"
        )
    if channels is not None and coming[0] != channels:
        raise ValueError(
            f"node '{said(place)}' gets {coming[0]} channels; expected {channels}, as its weight "
            "and groups have"
        )
    return coming


def _pair(place: Place, node: Any, key: str, least: int = 1) -> tuple[int, int]:
    values = np.asarray(getattr(node, key)).reshape(-1)
    if values.size not in (1, 2) or values.dtype.kind not in "iu" or np.any(values < least):
        raise ValueError(
            f"node '{said(place)}': {key} is {getattr(node, key)!r}; expected one or two whole "
            f"numbers of at least {least}"
        )
    return int(values[0]), int(values[-1])


def _padding(
    place: Place,
    node: Any,
    size: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[tuple[int, int], tuple[int, int]]:
    value = node.padding
    word = value.decode() if isinstance(value, bytes) else str(value)
    if word == "valid":
        return (0, 0), (0, 0)
    if word == "same":
        if stride != (1, 1):
            raise ValueError(
                f"node '{said(place)}': padding is 'same' with stride {stride}; expected a stride "
                "of 1, as in PyTorch"
            )
        y, x = (d * (s - 1) for s, d in zip(size, dilation, strict=True))
        return (y // 2, y - y // 2), (x // 2, x - x // 2)
    y, x = _pair(place, node, "padding", least=0)
    return (y, y), (x, x)
