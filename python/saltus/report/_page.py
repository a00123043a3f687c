# SPDX-License-Identifier: Apache-2.0
"""The page: sections of pictures, tables and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template


@dataclass(frozen=True)
class Section:
    """A heading and what is below it, as HTML."""

    name: str
    title: str
    body: str


def page(name: str, headline: str, sections: Sequence[Section]) -> str:
    """Return the whole page."""
    here = resources.files(__package__)
    links = "".join(f'<a href="#{s.name}">{escape(s.title)}</a>\n' for s in sections)
    parts = "".join(
        f'<section id="{s.name}" aria-labelledby="{s.name}-title">\n'
        f'<h2 id="{s.name}-title">{escape(s.title)}</h2>\n{s.body}\n</section>\n'
        for s in sections
    )
    return Template((here / "page.html").read_text(encoding="utf-8")).substitute(
        style=(here / "page.css").read_text(encoding="utf-8"),
        title=escape(name),
        headline=escape(headline),
        links=links,
        sections=parts,
    )


def picture(drawn: str, caption: str, wide: bool = False) -> str:
    """Return a picture with the words below it."""
    kind = ' class="wide"' if wide else ""
    return f"<figure{kind}>\n{drawn}\n<figcaption>{escape(caption)}</figcaption>\n</figure>\n"


def pictures(each: Iterable[str]) -> str:
    """Return pictures side by side where there is room."""
    return f'<div class="pictures">\n{"".join(each)}</div>\n'


def sentence(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>\n"


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table whose first column names its rows."""
    columns = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(str(first))}</th>'
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in rest)
        + "</tr>\n"
        for first, *rest in rows
    )
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(caption)}"><table>\n'
        f"<caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{columns}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table></div>\n"
    )


def folded(title: str, body: str) -> str:
    """Return what opens on a click."""
    return f"<details>\n<summary>{escape(title)}</summary>\n{body}</details>\n"


def figure_of(value: float | None, digits: int = 4) -> str:
    """Return a number as one reads it; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "infinite"
    return f"{value:,.0f}" if 10**digits <= abs(value) < 1e15 else f"{value:.{digits}g}"


def percent(value: float | None) -> str:
    """Return a share."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.2f}\u00a0%"
