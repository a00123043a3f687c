# SPDX-License-Identifier: Apache-2.0
"""Learning curves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..plot import learning_curves
from ._evaluation import Tested
from ._figure import figure, style, svg
from ._page import Section, figure_of, percent, picture, pictures, sentence
from ._run import Run

_FEW = 30  # epochs, each of which gets a dot


def section(run: Run, _found: Tested | None) -> Section | None:
    """Return loss, accuracy, gradient and learning rate over the epochs."""
    if not run.history:
        return None
    parts = []
    with style():
        loss, accuracy = figure(), figure()
        axes = [loss.add_subplot(), accuracy.add_subplot()]
        learning_curves(run.history, axes=axes)
        for ax in axes:
            over_epochs(ax, run)
        _plain_log(axes[0], run.column("loss"))
        if np.isfinite(run.column("loss")).any():
            told = f"Loss. {_told(run, 'loss', figure_of)}"
            parts.append(picture(svg(loss, "loss", told), told))
        if np.isfinite(run.column("accuracy")).any():
            told = f"Accuracy. {_told(run, 'accuracy', percent)}"
            parts.append(picture(svg(accuracy, "accuracy", told), told))
        parts += [
            _course(run, "gradient_norm", "Gradient norm", ", mean over the minibatches,"),
            _course(run, "lr", "Learning rate"),
        ]
    return Section("training", "Learning curves", pictures(parts) + _not_finite(run))


def over_epochs(ax: Axes, run: Run) -> None:
    """Make of an axes one whose x counts epochs."""
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    ax.grid(visible=True, axis="y")
    if len(run.history) <= _FEW:
        for line in ax.get_lines():
            line.set(marker="o", markersize=3)


def _told(run: Run, name: str, say: Callable[[float], str]) -> str:
    """The first and the last, and the best of validation."""
    epochs, values = run.column("epoch"), run.column(name)
    text = _ends("In training", epochs, values, say)
    checked = run.column(f"validation_{name}")
    if np.isfinite(checked).any():
        best = int(np.nanargmin(checked) if name == "loss" else np.nanargmax(checked))
        text += " " + _ends("In validation", epochs, checked, say)
        text += f" Best there: {say(checked[best])} after epoch {epochs[best]:.0f}."
    return text


def _ends(what: str, epochs: np.ndarray, values: np.ndarray, say: Callable[[float], str]) -> str:
    finite = np.flatnonzero(np.isfinite(values))
    first, last = finite[0], finite[-1]
    if first == last:
        return f"{what} {say(values[first])} in epoch {epochs[first]:.0f}."
    return (
        f"{what} from {say(values[first])} in epoch {epochs[first]:.0f} "
        f"to {say(values[last])} in epoch {epochs[last]:.0f}."
    )


def _plain_log(ax: Axes, values: np.ndarray) -> None:
    """Tick the losses as one says them; a loss of 0 or below has no logarithm."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0 or finite.min() <= 0 or finite.max() < 1.5 * finite.min():
        ax.set_yscale("linear")
    elif finite.max() < 30 * finite.min():
        for formatter in ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter:
            formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _course(run: Run, name: str, what: str, more: str = "") -> str:
    epochs, values = run.column("epoch"), run.column(name)
    if not np.isfinite(values).any():
        return ""
    fig = figure(height=1.9)
    ax = fig.add_subplot()
    ax.plot(epochs, values)
    ax.set_ylabel(what.lower())
    over_epochs(ax, run)
    told = _ends(what + more, epochs, values, figure_of)
    return picture(svg(fig, name, told), told)


def _not_finite(run: Run) -> str:
    """Say in which epochs the loss was no number."""
    lost = [int(e) for e in run.column("epoch")[~np.isfinite(run.column("loss"))]]
    if not lost:
        return ""
    shown = ", ".join(map(str, lost[:10])) + (", ..." if len(lost) > 10 else "")
    of = len(run.history)
    return sentence(f"The loss was no finite number in {len(lost)} of {of} epochs: {shown}.")
