# SPDX-License-Identifier: Apache-2.0
"""The sections of the page, in their order."""

from __future__ import annotations

from collections.abc import Callable

from . import _activity, _classes, _environment, _parameters, _sample, _summary, _timing, _training
from ._evaluation import Tested
from ._page import Section, page
from ._run import Run

_SECTIONS: tuple[Callable[[Run, Tested | None], Section | None], ...] = (
    _summary.results,
    _summary.network,
    _training.section,
    _classes.section,
    _sample.section,
    _activity.section,
    _parameters.section,
    _timing.section,
    _environment.section,
)


def page_of(run: Run, found: Tested | None) -> str:
    """Return the page; a section that has nothing to say is left out."""
    sections = [section for make in _SECTIONS if (section := make(run, found)) is not None]
    return page(run.name, _summary.headline(run, found), sections)
