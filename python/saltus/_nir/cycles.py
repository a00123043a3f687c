# SPDX-License-Identifier: Apache-2.0
"""Cycles of a NIR graph: its edges take no time, but a tool that steps takes one step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._network import Network
from .graph import Flat, Path
from .maps import Listed
from .nest import Place, said


def delayed_by_a_step(flat: Flat, step: float) -> list[Path]:
    """Delay by a step what leads back in a cycle and has no delay; return these paths.

    Of delta synapses every way in the cycle: without a delay it is refused.
    """
    depth = _depths(flat)
    found = []
    for k, path in enumerate(flat.paths):
        row = flat.populations[path.source].row
        if row is None or _delayed(path) or path.source not in _behind(path, flat):
            continue
        if depth[path.target] <= depth[path.source] or row.delta:
            flat.paths[k] = replace(path, front=np.full(path.map.sizes[0], step))
            found.append(flat.paths[k])
    return found


def expect_later(network: Network, name: str, path: Path, flat: Flat) -> None:
    """Refuse spikes of delta synapses that come back at the very time at which they happen."""
    source = flat.populations[path.source]
    if source.row is None or not (source.row.delta and source.row.spikes):
        return
    delay = f"{name}.delay"
    if (delay in network and np.min(network[delay]) > 0) or path.source not in _behind(path, flat):
        return
    first = path.passed[0] if path.passed else path.target
    raise ValueError(
        f"node '{said(path.source)}' is {source.row.node} and in a cycle in which "
        f"'{said(first)}' has no delay in front: a spike at an arrival would arrive again at the "
        "very same time. A tool that steps means one step by it; pass it as step, or put a Delay "
        f"of that, above 0, between '{said(path.source)}' and '{said(first)}'"
    )


def _delayed(path: Path) -> bool:
    own = path.map.delay if isinstance(path.map, Listed) else None
    return any(delay is not None and np.any(delay) for delay in (path.front, path.behind, own))


def _behind(path: Path, flat: Flat) -> set[Place]:
    """Return the populations that a path leads to, directly or through others."""
    found, ready = {path.target}, [path.target]
    while ready:
        place = ready.pop()
        new = {other.target for other in flat.paths if other.source == place} - found
        found |= new
        ready += new
    return found


def _depths(flat: Flat) -> dict[Place, int]:
    """Return how many paths lead to each population at least, from an Input on."""
    depth: dict[Place, int] = {}
    ready = [place for place, found in flat.populations.items() if found.row is None]
    for here in range(len(flat.populations)):
        depth |= dict.fromkeys(ready, here)
        reached = [path.target for path in flat.paths if path.source in ready]
        ready = [place for place in dict.fromkeys(reached) if place not in depth]
    return {place: depth.get(place, 0) for place in flat.populations}
