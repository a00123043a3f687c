# SPDX-License-Identifier: Apache-2.0
"""What an import read of a NIR graph, and what it assumed where the graph says nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .._network import Network
from .graph import Flat, Path, Population
from .maps import Array
from .models import Row
from .nest import Place, said


@dataclass(frozen=True, eq=False)
class NIRImport:
    """A network from NIR, and how it was read; printed it says so in a few lines.

    Attributes
    ----------
    network : Network
    nodes : mapping of str to str
        The node of each population: a name, or of a subgraph's ``"outer/inner"``.
    through : mapping of str to tuple of str
        The nodes that each projection was made of; none where populations follow each other.
    assumed : tuple of str
        A sentence for each thing that the graph does not say.
    """

    network: Network
    nodes: Mapping[str, str]
    through: Mapping[str, tuple[str, ...]]
    assumed: tuple[str, ...]

    def __str__(self) -> str:
        net = self.network
        lines = []
        for name, node in self.nodes.items():
            model, size = net._populations[name]
            called = "" if name == node else f" (node '{node}')"
            lines.append(f"  {name}: {size} {model}{called}")
        for name, passed in self.through.items():
            weight = "x".join(map(str, net[f"{name}.weight"].shape)) or "1"
            way = ", ".join(f"'{node}'" for node in passed) or "no node"
            lines.append(f"  {name}: {weight} weights (of {way})")
        return "\n".join(["read", *lines, "assumed", *(f"  {line}" for line in self.assumed)])

    def __repr__(self) -> str:
        return f"<saltus.NIRImport of {self.network!r}, {len(self.assumed)} assumptions>"


@dataclass(frozen=True)
class Asked:
    """What a user says of a graph, the arguments of `from_nir`."""

    spike_area: float | None
    step: float | None
    tau_ref: float | None

    def held(self, row: Row) -> float:
        """Return for how long neurons are held at their reset."""
        if not row.spikes:
            return 0.0
        if self.tau_ref is not None:
            return self.tau_ref
        # An arrival at a delta synapse is at a step, and so is what it makes V do.
        return 0.0 if self.step is None or row.delta else self.step / 2

    def check(self) -> None:
        for argument, value in (("spike_area", self.spike_area), ("step", self.step)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise ValueError(f"{argument} is {value}; expected a finite number above 0")
        if self.tau_ref is not None and not (np.isfinite(self.tau_ref) and self.tau_ref >= 0):
            raise ValueError(
                f"tau_ref is {self.tau_ref}; expected a finite number of at least 0, in seconds"
            )


def assumptions(
    flat: Flat, asked: Asked, areas: Mapping[Place, Array | float], late: Sequence[Path]
) -> tuple[str, ...]:
    """Return a sentence for each thing that a graph does not say."""
    step = asked.step
    neurons = {place: p for place, p in flat.populations.items() if p.row is not None}
    spiking = {place: p for place, p in neurons.items() if p.row is not None and p.row.spikes}
    found = [_area(asked, areas)] if neurons else []
    found.append(
        "time constants as they stand: of a tool that steps, pass step"
        if step is None
        else f"V and I decay and rise in {step:g} s as in a tool that steps by it"
    )
    for path in late:
        found.append(
            f"from '{said(path.source)}' back to '{said(path.target)}' it takes a step, {step:g} s"
        )
    for held in sorted({asked.held(p.row) for p in spiking.values() if p.row is not None}):
        of = [said(place) for place, p in spiking.items() if p.row and asked.held(p.row) == held]
        found.append(
            f"V is held at its reset for {held:g} s in {_listed(of)}"
            if held > 0
            else f"V goes on from its reset at once in {_listed(of)}"
        )
    bare = [said(place) for place, p in spiking.items() if _without_reset(p)]
    if bare:
        found.append(f"v_reset is 0 of {_listed(bare)}, which say none")
    below = [said(place) for place, p in spiking.items() if np.any(p.of("v_threshold") <= 0)]
    if below:
        found.append(f"V starts at rest or reset in {_listed(below)}, whose threshold is below 0")
    if len(below) < len(neurons):
        found.append("V starts at 0" + (" elsewhere" if below else ""))
    return tuple(found)


def _area(asked: Asked, areas: Mapping[Place, Array | float]) -> str:
    if asked.spike_area is not None:
        return f"a spike has area {asked.spike_area:g} s, as given"
    of_tools = [place for place, area in areas.items() if np.any(area != 1)]
    if not of_tools:
        return "a spike has area 1, as NIR reads it"
    sizes = " or ".join(sorted({f"{np.mean(areas[place]):g} s" for place in of_tools}))
    return f"a spike has area {sizes} in {_listed(map(said, of_tools))}, as the numbers there say"


def _without_reset(neurons: Population) -> bool:
    return getattr(neurons.node, "v_reset", None) is None


def _listed(places: Iterable[str]) -> str:
    return ", ".join(f"'{place}'" for place in places)
