# SPDX-License-Identifier: Apache-2.0
"""How much the network spikes, and which neurons never do, over the epochs."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from ._evaluation import Tested
from ._figure import figure, style, svg
from ._page import Section, figure_of, picture, pictures
from ._run import Run
from ._training import over_epochs


def section(run: Run, _found: Tested | None) -> Section | None:
    """Return spikes a sample, and neurons that are silent or spike in every sample."""
    if not run.history:
        return None
    neurons = sum(run.network._populations[name][1] for name in (*run.hidden, run.readout))
    epochs = run.column("epoch")
    with style():
        parts = [_spikes(run), _silent(run, neurons, epochs)]
    return Section("activity", "Spikes and silent neurons", pictures(parts))


def _spikes(run: Run) -> str:
    epochs, values = run.column("epoch"), run.column("hidden_spikes_per_sample")
    fig = figure()
    ax = fig.add_subplot()
    ax.plot(epochs, values)
    ax.set_ylabel("hidden spikes a sample")
    ax.set_ylim(bottom=0)
    over_epochs(ax, run)
    told = f"Hidden spikes a sample: {_ends(values)}."
    return picture(svg(fig, "spikes", told), told)


def _silent(run: Run, neurons: int, epochs: np.ndarray) -> str:
    fig = figure()
    ax = fig.add_subplot()
    said = []
    for name, what, dashes in (
        ("silent_neurons", "silent in the whole epoch", "-"),
        ("saturated_neurons", "spiking in every sample", "--"),
    ):
        values = run.column(name)
        if np.isfinite(values).any():
            ax.plot(epochs, values, dashes, label=what)
            said.append(f"{what}: {_ends(values)}")
    ax.set_ylabel("neurons")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=0)
    over_epochs(ax, run)
    ax.legend(loc="best")
    told = f"Neurons, of {neurons:,}: {'; '.join(said)}."
    labels = run.column("silent_labels")
    if np.nansum(labels) > 0:
        told += f" Samples whose label's output said nothing: {_ends(labels)}."
    return picture(svg(fig, "silent", told), told)


def _ends(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return "unknown"
    first, last = figure_of(float(finite[0])), figure_of(float(finite[-1]))
    return first if len(finite) == 1 else f"{first} in the first epoch, {last} in the last"
