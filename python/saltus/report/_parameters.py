# SPDX-License-Identifier: Apache-2.0
"""How weights, delays and time constants are spread."""

from __future__ import annotations

import numpy as np

from ..plot import histograms
from ._evaluation import Tested
from ._figure import figure, style, svg
from ._page import Section, figure_of, picture, pictures
from ._run import Run

_BINS = 40


def section(run: Run, _found: Tested | None) -> Section | None:
    """Return histograms of all that differs from synapse to synapse, or neuron to neuron."""
    network = run.network
    parts = []
    with style():
        for kind in "weight", "delay":
            names = [name for name in network if name.endswith(f".{kind}")]
            names = [name for name in names if network[name].size]
            values = [network[name] for name in names]
            if not values or (kind == "delay" and all(np.ptp(v) == 0 for v in values)):
                continue  # one delay for all is in the table of projections
            fig = figure()
            histograms(network, kind, bins=_BINS, ax=fig.add_subplot())
            unit = ""
            if kind == "delay":
                values, unit = [1e3 * v for v in values], " ms"
            short = [name.removesuffix(f".{kind}").replace("->", "→") for name in names]
            told = _told(f"{kind.capitalize()}s", short, values, unit)
            parts.append(picture(svg(fig, kind, told), told))
        parts += _time_constants(run)
    return Section("parameters", "Weights, delays and time constants", pictures(parts))


def _time_constants(run: Run) -> list[str]:
    """Those that neurons do not share; the others are in the table of populations."""
    network = run.network
    found = {
        name: 1e3 * network[name]
        for name in network
        if name.rpartition(".")[2].startswith("tau_") and network[name].size > 1
    }
    found = {name: values for name, values in found.items() if np.ptp(values) > 0}
    if not found:
        return []
    fig = figure()
    ax = fig.add_subplot()
    edges = np.histogram_bin_edges(np.concatenate(list(found.values())), _BINS)
    for name, values in found.items():
        ax.hist(values, list(edges), histtype="step", label=name)
    ax.set(xlabel="time constant (ms)", ylabel="neurons")
    ax.legend(loc="best")
    told = _told("Time constants", list(found), list(found.values()), " ms")
    return [picture(svg(fig, "constants", told), told)]


def _told(what: str, names: list[str], values: list[np.ndarray], unit: str) -> str:
    parts = []
    for name, array in zip(names, values, strict=True):
        mean, deviation = (figure_of(float(f(array)), 3) for f in (np.mean, np.std))
        parts.append(f"{name} {mean} ± {deviation}{unit}")
    return f"{what}, mean and standard deviation: {'; '.join(parts)}."
