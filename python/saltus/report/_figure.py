# SPDX-License-Identifier: Apache-2.0
"""Pictures of matplotlib as SVG within the page, in the page's own colours and font.

What is drawn in one of the colours below takes in the page the colour that its style sheet gives:
dark on light, light on dark, and what a printer wants.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

INK, FAINT = "#1b1e21", "#9a9da1"
COLORS = ("#1f6fb5", "#c2610b", "#1a7f4c", "#8251df", "#cf232f", "#0b7c8a")
_IN_PAGE = {INK: "var(--ink)", FAINT: "var(--faint)"} | {
    color: f"var(--c{k})" for k, color in enumerate(COLORS)
}

_STYLE: dict[Any, Any] = {
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=COLORS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "figure.facecolor": "none",
    "font.size": 9,
    "grid.color": FAINT,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "path.simplify_threshold": 0.3,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",  # text stays text: searched, read out, in the page's font
    "text.color": INK,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw, and save, as the page wants it; what the user set elsewhere does not matter."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def figure(width: float = 4.4, height: float = 2.7) -> Figure:
    """Return an empty figure, in inches: one column of the page, the width of a phone."""
    return Figure(figsize=(width, height), layout="constrained")


def svg(drawn: Figure, name: str, told: str) -> str:
    """Return a figure as an element of the page.

    Parameters
    ----------
    drawn : Figure
    name : str
        Of its own in the page: names within the picture begin with it.
    told : str
        What the picture shows, in words and figures.
    """
    mpl.rcParams["svg.hashsalt"] = name
    text = io.StringIO()
    drawn.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    picture = text.getvalue()
    picture = picture[picture.index("<svg") :]
    picture = re.sub(r"<metadata>.*?</metadata>\s*", "", picture, flags=re.S)
    picture = re.sub(r"<!--.*?-->\s*", "", picture, flags=re.S)
    view = re.search(r'viewBox="[^"]*"', picture)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{view[0] if view else ""} role="img" aria-label="{escape(told)}">'
    )
    picture = opening + picture[picture.index(">") + 1 :]
    picture = _own_names(picture, name)
    picture = re.sub(r' (?:d|transform|points)="[^"]*"', _rounded, picture)
    for color, variable in _IN_PAGE.items():
        picture = picture.replace(color, variable)
    return re.sub(r"\n\s*", "\n", picture)


def _own_names(picture: str, name: str) -> str:
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', picture))

    def own(found: re.Match[str]) -> str:
        return f' id="{name}-{found[1]}"' if found[1] in used else ""

    picture = re.sub(r' id="([^"]+)"', own, picture)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", picture)


def _rounded(attribute: re.Match[str]) -> str:
    """A hundredth of a point is less than anyone sees."""
    return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", attribute[0])
