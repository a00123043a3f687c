# SPDX-License-Identifier: Apache-2.0
"""First weights that are drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._arrays import number


@dataclass(frozen=True)
class Normal:
    """First weights of a layer, or of its `Conv2d`, drawn from a normal distribution.

    Parameters
    ----------
    mean, std : float
        Of a single weight. For scale: one arrival of weight 1 lifts V by 0.157 at time constants of
        20 ms and 5 ms.

    Raises
    ------
    ValueError
        A number that is not finite, a negative `std`.
    TypeError
        Something that is no number.
    """

    mean: float
    std: float

    def __post_init__(self) -> None:
        number(self.mean, "mean")
        number(self.std, "std")
        if not math.isfinite(self.mean):
            raise ValueError(f"mean is {self.mean}; expected a finite number")
        if not (math.isfinite(self.std) and self.std >= 0):
            raise ValueError(f"std is {self.std}; expected a finite number of at least 0")

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.normal(self.mean, self.std, shape)
