# SPDX-License-Identifier: Apache-2.0
"""Where the time of the training went."""

from __future__ import annotations

import numpy as np

from ._evaluation import Tested
from ._figure import figure, style, svg
from ._page import Section, figure_of, percent, picture, pictures, table
from ._run import Run
from ._training import over_epochs

_PHASES = {
    "gather": "spikes of a minibatch are gathered",
    "forward": "the network is run",
    "loss": "the loss and its errors",
    "backward": "the adjoint gives gradients",
    "step": "the optimiser takes its step",
}


def section(run: Run, _found: Tested | None) -> Section | None:
    """Return microseconds a sample by phase over the epochs, and their sums."""
    seconds, samples = run.column("seconds"), run.column("samples")
    timed = np.isfinite(seconds) & (samples > 0)
    if not timed.any():
        return None
    phases = {name: np.nan_to_num(run.column(f"{name}_seconds"))[timed] for name in _PHASES}
    total = seconds[timed]
    phases["other"] = np.maximum(0, total - sum(phases.values()))
    with style():
        fig = figure()
        ax = fig.add_subplot()
        # A step an epoch, so that one epoch has a width too.
        epochs = run.column("epoch")[timed]
        edges = np.append(epochs - 0.5, epochs[-1] + 0.5)
        per_sample = [1e6 * p / samples[timed] for p in phases.values()]
        shown = [k for k, p in enumerate(phases.values()) if p.sum() >= 0.005 * total.sum()]
        ax.stackplot(
            edges,
            [np.append(per_sample[k], per_sample[k][-1]) for k in shown],
            labels=[list(phases)[k] for k in shown],
            step="post",
            colors=[f"C{k}" for k in shown],
            alpha=0.75,
        )
        ax.set_ylabel("µs a sample")
        over_epochs(ax, run)
        fig.legend(loc="outside upper center", ncols=3)
        sums = {name: float(p.sum()) for name, p in phases.items()}
        share = {name: value / max(total.sum(), 1e-300) for name, value in sums.items()}
        told = (
            f"{figure_of(float(total.sum()), 3)} s of training, "
            f"{figure_of(float(1e6 * total.sum() / samples[timed].sum()), 3)} µs a sample: "
            + ", ".join(f"{name} {percent(s)}" for name, s in share.items() if s >= 0.005)
            + "."
        )
        drawn = picture(svg(fig, "timing", told), f"Time of a sample, by phase. {told}")
    rows = [
        (name, _PHASES.get(name, "all else"), f"{figure_of(value, 3)}\u00a0s", percent(share[name]))
        for name, value in sums.items()
    ]
    sheet = table("Time by phase, all epochs", ("phase", "what is done", "time", "share"), rows)
    return Section("timing", "Time by phase", pictures([drawn, f"<div>{sheet}</div>\n"]))
