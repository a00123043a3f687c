# SPDX-License-Identifier: Apache-2.0
"""First values that are drawn: of weights, delays and every parameter of neurons.

Any function of a shape and a NumPy generator that returns an array of that shape is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import expect_shape, number, numbers

Initial: TypeAlias = Callable[[tuple[int, ...], np.random.Generator], ArrayLike]
"""What draws first values: a function of their shape and of a generator."""

Value: TypeAlias = ArrayLike | Initial
"""A parameter: its values, or what draws them."""


@dataclass(frozen=True)
class Normal:
    """First values drawn from a normal distribution.

    Parameters
    ----------
    mean, std : float
        Of a single value. For scale, of weights: one arrival of weight 1 lifts V by 0.157 at time
        constants of 20 ms and 5 ms.

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
        _check_numbers(self)

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw values of a shape."""
        return rng.normal(self.mean, self.std, shape)


@dataclass(frozen=True)
class Uniform:
    """First values drawn evenly from an interval, such as delays or time constants.

    Parameters
    ----------
    low, high : float
        In the parameter's unit: seconds, of delays and time constants.

    Raises
    ------
    ValueError
        A number that is not finite, a `high` below `low`.
    TypeError
        Something that is no number.

    Examples
    --------
    >>> import saltus
    >>> net = saltus.Sequential(
    ...     saltus.Input(5),
    ...     saltus.LIF(40, delay=saltus.Uniform(0, 5e-3), tau_mem=saltus.Uniform(10e-3, 30e-3)),
    ...     saltus.LI(3),
    ... )
    >>> net["in->hidden.delay"].shape, net["hidden.tau_mem"].shape
    ((5, 40), (40,))
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_numbers(self)
        if self.high < self.low:
            raise ValueError(f"high is {self.high}; expected at least low, {self.low}")

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw values of a shape."""
        return rng.uniform(self.low, self.high, shape)


@dataclass(frozen=True)
class FanIn:
    """First weights whose sum over what arrives at a neuron does not depend on how much that is.

    Each weight is drawn from a normal distribution of mean ``mean / n`` and standard deviation
    ``std / sqrt(n)``, where n synapses lead to a neuron. It is what layers and `Network.connect`
    take where no weight is given. `scale_weights` goes on from there to a chosen number of spikes.

    Parameters
    ----------
    mean, std : float
        Of the sum of n weights: if each of n sources spikes once, within less than the time
        constants, V comes to about 0.157 `mean` at 20 ms and 5 ms.

    Raises
    ------
    ValueError
        A number that is not finite, a negative `std`; weights of synapses one by one, of which
        nothing says how many lead to a neuron.
    TypeError
        Something that is no number.
    """

    mean: float = 16.0
    std: float = 4.0

    def __post_init__(self) -> None:
        _check_numbers(self)

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw weights [pre, post], or a kernel [out, in, y, x]."""
        if len(shape) not in (2, 4):
            raise ValueError(
                f"{self}: weights have shape {shape}; expected [pre, post] or a kernel"
            )
        n = max(1, shape[0] if len(shape) == 2 else math.prod(shape[1:]))
        return rng.normal(self.mean / n, self.std / math.sqrt(n), shape)


def is_drawn(value: Any) -> TypeGuard[Initial]:
    """Is it what draws values, and no array of them?"""
    return callable(value) and not isinstance(value, (np.ndarray, type))


def draw(
    initial: Initial, shape: tuple[int, ...], rng: np.random.Generator, argument: str
) -> NDArray[np.float64]:
    """Return drawn values, checked."""
    found: NDArray[np.float64] = numbers(initial(shape, rng), f"{argument}, drawn by {initial}")
    expect_shape(found, f"{argument}, drawn by {initial},", shape)
    return found


def _check_numbers(of: Normal | Uniform | FanIn) -> None:
    for row in fields(of):
        value = number(getattr(of, row.name), row.name)
        if row.name == "std" and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"std is {value}; expected a finite number of at least 0")
        if not math.isfinite(value):
            raise ValueError(f"{row.name} is {value}; expected a finite number")
