# SPDX-License-Identifier: Apache-2.0
"""The shape of each population in a NIR graph.

NIR's convolutions and pooling work on a grid, all other weights on a row of neurons, and it can
flatten a grid but not make one. So a population is a grid where it leads to windows, if nothing
that leads into it is flat; weights that then find no grid in front of them are written as a matrix.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._network import Network
from .kinds import Kind
from .windows import Windows

Shape = tuple[int, ...]


def windows_of(kind: Kind) -> Windows | None:
    """Return the windows of a convolution or of pooling, without their weights.

    None also of kernels whose output NIR's own check gets wrong: it takes their height for their
    width, and would refuse the graph.
    """
    rows = kind.rows

    def pair(row: str) -> tuple[int, int]:
        return rows[row][0], rows[row][1]

    if kind.name not in ("conv2d", "pool2d"):
        return None
    channels, height, width = rows["input"]
    grid = (channels, height, width)
    if kind.name == "pool2d":
        return Windows(grid, pair("size"), pair("stride"))
    kernel = np.zeros(rows["kernel"])
    y, x = pair("padding")
    size = (kernel.shape[2], kernel.shape[3])
    found = Windows(grid, size, pair("stride"), ((y, y), (x, x)), pair("dilation"), kernel)
    as_checked = replace(found, size=(size[0], size[0]))
    return found if as_checked.output == found.output else None


def grids(network: Network, kinds: dict[str, Kind]) -> dict[str, Shape]:
    """Return a shape for each population: channels, y and x of a grid, or its size."""
    flat: dict[str, Shape] = {name: (size,) for name, (_, size) in network._populations.items()}
    found = dict(flat)
    for name, (source, _) in network._projections.items():
        windows = windows_of(kinds[name])
        if windows is not None and found[source] == flat[source]:
            found[source] = windows.input
    changed = True
    while changed:
        changed = False
        for name, (source, target) in network._projections.items():
            if found[target] == flat[target]:
                continue
            windows = windows_of(kinds[name])
            if windows is not None and windows.input == found[source]:
                fits = windows.output == found[target]
            else:
                same = found[source] == found[target]
                fits = same and kinds[name].one_to_one(*flat[source], *flat[target])
            if not fits:
                found[target], changed = flat[target], True
    return found
