# SPDX-License-Identifier: Apache-2.0
"""What the network does with test samples."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._advice import SaltusWarning
from .._fit import Evaluation, evaluate
from ..data._labelled import LabelledSpikes
from ._run import Run

_SECONDS = 1.5  # that the samples may take
_USUAL, _LEAST = 1000, 100


@dataclass(frozen=True)
class Tested:
    """The samples that were run, out of so many, and what came of them."""

    data: LabelledSpikes
    of: int
    result: Evaluation

    @property
    def labels(self) -> NDArray[Any]:
        """Return what each sample is."""
        return self.data.labels

    @property
    def which(self) -> str:
        """Say which samples these are."""
        n = len(self.data)
        return f"all {n:,} test samples" if n == self.of else f"{n:,} of {self.of:,} test samples"


def evaluated(run: Run, samples: int | None, threads: int | None) -> Tested | None:
    """Run the test samples; None where loss or data are missing."""
    if run.test is None or run.loss is None:
        return None
    count = len(run.test)
    n = _affordable(run, count) if samples is None else (samples or count)
    chosen = np.unique(np.linspace(0, count - 1, min(n, count)).round().astype(np.int64))
    part = run.test if len(chosen) == count else run.test[chosen]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SaltusWarning)  # said when it was trained
        result = evaluate(run.network, part, run.loss, run.t_end, threads=threads, dtype=run.dtype)
    return Tested(part, count, result)


def _affordable(run: Run, count: int) -> int:
    """How many samples fit in the time, by what one took when it was trained."""
    if not run.history:
        return min(count, _USUAL)
    last = run.history[-1]
    if not (last.forward_seconds and last.samples):
        return min(count, _USUAL)
    return min(count, max(_LEAST, int(_SECONDS * last.samples / last.forward_seconds)))
