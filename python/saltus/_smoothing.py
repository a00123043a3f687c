# SPDX-License-Identifier: Apache-2.0
"""Noise that thresholds are thought to have."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from ._arrays import whole

Thresholds = Literal["fixed", "sampled"]
Difference = Literal["first_order", "exact"]


@dataclass(frozen=True)
class Smoothing:
    """Gaussian noise of the thresholds of LIF neurons, cut off and normalised (docs/ghosts.md).

    A loss averaged over it has a gradient that sees spikes appear and vanish: `find_ghosts`.

    Parameters
    ----------
    sigma : float
        Standard deviation before the cut, in units of V; 0: nothing is done.
    reach : float
        Peaks of V further from the threshold than ``reach * sigma`` have no part.
    thresholds : {"fixed", "sampled"}
        Where neurons spike: at their mean thresholds, deterministic, the average not being taken;
        or at thresholds drawn for each neuron and sample, anew after each of its spikes: unbiased.
    difference : {"first_order", "exact"}
        How the loss with the spike minus that without it is found: from the backward pass that is
        run anyway, or from two more simulations for each ghost, for reference and small networks.
    seed : int
        Of sampled thresholds.

    Raises
    ------
    ValueError
        A value out of its range.
    TypeError
        A value of a wrong type.
    """

    sigma: float
    reach: float = 3.0
    thresholds: Thresholds = "fixed"
    difference: Difference = "first_order"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("sigma", "at least 0"), ("reach", "above 0")):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise TypeError(f"{name}: expected a number; got {type(value).__name__}")
            if not (math.isfinite(value) and (value > 0 or (value == 0 and name == "sigma"))):
                raise ValueError(f"{name} is {value}; expected a finite number {least}")
        for name, choices in (("thresholds", Thresholds), ("difference", Difference)):
            value = getattr(self, name)
            if value not in get_args(choices):
                expected = " or ".join(repr(choice) for choice in get_args(choices))
                raise ValueError(f"{name} is {value!r}; expected {expected}")
        whole(self.seed, "seed", largest=2**64 - 1)

    @property
    def _draws(self) -> bool:
        return self.sigma > 0 and self.thresholds == "sampled"

    @property
    def _noise(self) -> tuple[float, float, int] | None:
        """What decides which thresholds are drawn; None: they are fixed."""
        return (self.sigma, self.reach, self.seed) if self._draws else None

    def _settings(self) -> dict[str, Any]:
        return {**asdict(self), "sigma": float(self.sigma), "reach": float(self.reach)}


def check_smoothing(value: object) -> None:
    """Raise TypeError for anything but a `Smoothing`."""
    if not isinstance(value, Smoothing):
        got = type(value).__name__
        raise TypeError(f"smoothing: expected a saltus.Smoothing; got {got}")
