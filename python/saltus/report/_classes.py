# SPDX-License-Identifier: Apache-2.0
"""Which class is taken for which; where, and in which samples, the network is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .._predict import confusion_matrix
from ..plot import decision_map
from ._evaluation import Tested
from ._figure import COLORS, INK, figure, style, svg
from ._page import Section, folded, percent, picture, pictures, table
from ._run import Run, input_sizes

_NUMBERED = 12  # classes up to which counts are written into the matrix
_TABLED = 40
_SHOWN = 15  # images


def section(run: Run, found: Tested | None) -> Section | None:
    """Return confusion matrix, and decision map or wrong images."""
    if found is None or found.result.predictions is None:
        return None
    predictions = found.result.predictions
    classes = run.network._populations[run.readout][1]
    counts = confusion_matrix(found.labels, predictions, classes)
    with style():
        parts = [_matrix(counts, found)]
        # The map draws points, which one input takes whole.
        if run.task == "yinyang" and classes == 3 and input_sizes(run.network) == [5]:
            parts.append(_map(run))
        elif found.data.grid is not None and run.task == "mnist":
            parts += _images(run, found)
    after = ""
    if classes <= _TABLED:
        head = ("label", *(f"taken for {k}" for k in range(classes)), "no output", "right")
        sheet = table(f"Confusion matrix of {found.which}", head, _rows(counts, found))
        after = folded("Confusion matrix as a table", sheet)
    return Section("classes", "Which class is taken for which", pictures(parts) + after)


def _rows(counts: NDArray[np.int64], found: Tested) -> list[tuple[object, ...]]:
    every = np.bincount(found.labels, minlength=len(counts))
    return [
        (k, *row, every[k] - row.sum(), percent(row[k] / every[k] if every[k] else None))
        for k, row in enumerate(counts)
    ]


def _matrix(counts: NDArray[np.int64], found: Tested) -> str:
    n = len(counts)
    share = counts / np.maximum(1, np.bincount(found.labels, minlength=n))[:, None]
    clear, full = (to_rgba(COLORS[0], alpha) for alpha in (0.0, 0.55))  # numbers are read on both
    colors = LinearSegmentedColormap.from_list("share", [clear, full])
    fig = figure(4.4, 4.0)
    ax = fig.add_subplot()
    edges = np.arange(n + 1) - 0.5
    ax.pcolormesh(edges, edges, share, cmap=colors, vmin=0, vmax=1, linewidth=0)
    if n <= _NUMBERED:
        for (k, j), count in np.ndenumerate(counts):
            if count:
                ax.text(j, k, str(count), ha="center", va="center", color=INK, fontsize=8)
    ax.set(xlabel="taken for", ylabel="label", aspect="equal")
    ax.invert_yaxis()
    for axis in ax.xaxis, ax.yaxis:
        axis.set_major_locator(MaxNLocator(nbins=min(n, 12), integer=True))
    ax.tick_params(length=0)
    told = _told(counts, found)
    return picture(svg(fig, "confusion", told), f"Confusion matrix of {found.which}. {told}")


def _told(counts: NDArray[np.int64], found: Tested) -> str:
    said = f"{np.trace(counts):,} of {len(found.labels):,} are right."
    wrong = counts - np.diag(np.diag(counts))
    if wrong.any():
        label, taken = np.unravel_index(wrong.argmax(), wrong.shape)
        said += f" The most frequent mistake: {label} taken for {taken}, {_times(wrong.max())}."
    if missed := len(found.labels) - counts.sum():
        said += f" In {missed:,} no output says anything."
    return said


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _map(run: Run) -> str:
    fig = figure(4.4, 4.0)
    t_max = float(run.settings.get("t_max", 30e-3))
    end = np.inf if run.t_end is None else run.t_end
    ax = fig.add_subplot()
    decision_map(run.network, readout=run.readout, t_max=t_max, t_end=end, resolution=60, ax=ax)
    picture_of = np.asarray(ax.images[0].get_array())
    shares = np.bincount(picture_of.reshape(-1), minlength=4) / picture_of.size
    told = (
        f"Of the square, class 0 (blue) takes {percent(shares[1])}, class 1 (orange) "
        f"{percent(shares[2])}, class 2 (green) {percent(shares[3])}; where no output spikes it "
        f"is white, {percent(shares[0])}."
    )
    caption = f"Decision map: the class of each point, and 600 points of the data. {told}"
    return picture(svg(fig, "map", told), caption)


def _images(run: Run, found: Tested) -> list[str]:
    predictions = found.result.predictions
    assert predictions is not None
    wrong = np.flatnonzero(predictions != found.labels)
    if len(wrong) == 0:
        return []
    shown = wrong[:_SHOWN]
    fig = figure(4.4, 3.2)
    every = fig.subplots(3, 5).reshape(-1)
    for ax in every:
        ax.axis("off")
    for ax, s in zip(every, shown, strict=False):
        ax.imshow(image(run, found, int(s)), cmap="gray", vmin=0, vmax=1, interpolation="none")
        ax.set_title(f"{found.labels[s]} → {_name(predictions[s])}", fontsize=8, pad=2)
    first = ", ".join(f"{found.labels[s]} for {_name(predictions[s])}" for s in shown)
    told = f"The first {len(shown)} of {len(wrong):,} that are wrong, label → prediction: {first}."
    return [picture(svg(fig, "wrong", told), told)]


def _name(prediction: Any) -> str:
    return "none" if prediction < 0 else str(prediction)


def image(run: Run, found: Tested, sample: int) -> NDArray[np.float64]:
    """Return the brightness of each pixel, as its spike tells it."""
    assert found.data.grid is not None
    times, neurons, offsets = found.data.spikes
    part = slice(offsets[sample], offsets[sample + 1])
    pixels = np.zeros(found.data.channels)
    pixels[neurons[part]] = 1 - times[part] / float(run.settings.get("t_max", 20e-3))
    return np.asarray(pixels.reshape(found.data.grid)[0])
