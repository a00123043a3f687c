# SPDX-License-Identifier: Apache-2.0
"""Warnings: what looks like a mistake although nothing is wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ._spikes import Arrays


class SaltusWarning(UserWarning):
    """What looks like a mistake: silent layers, input that nobody sees, another unit of time.

    The message names it and what would remedy it. ``warnings.simplefilter("error",
    saltus.SaltusWarning)`` makes an error of it.
    """


class Adviser:
    """Warns, and of each thing once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, sentences: Iterable[str], stacklevel: int = 3) -> None:
        """Warn of what was not said before."""
        for sentence in sentences:
            if sentence not in self._said:
                self._said.add(sentence)
                warnings.warn(sentence, SaltusWarning, stacklevel=stacklevel)


def unseen_input(inputs: Sequence[Arrays], ends: NDArray[np.float64]) -> str:
    """Say that no input spike comes before the end of any sample; nothing if one does."""
    given = [times for times, _, _ in inputs if len(times)]
    if not given or not ends.size:
        return ""
    first, end = min(times.min() for times in given), ends.max()
    if first < end:
        return ""
    last, count = max(times.max() for times in given), sum(map(len, given))
    return (
        f"none of the {count} input spikes comes before t_end = {end:g} s (the first at "
        f"{first:g} s, the last at {last:g} s): the network sees nothing; all times are in "
        "seconds: see whether the data have another unit or origin, or give a later t_end"
    )
