# SPDX-License-Identifier: Apache-2.0
"""First weights that make neurons spike: a silent neuron has no gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

from numpy.typing import ArrayLike

from ._advice import unseen_input
from ._models import SPIKING
from ._network import Network
from ._record import _prepare, simulate
from ._spikes import SpikeArrays
from .data._labelled import LabelledSpikes

_DOUBLINGS = 10
_BISECTIONS = 12
_RUNAWAY = 1000  # times the spikes that were asked for


def scale_weights(
    network: Network,
    inputs: Mapping[str, SpikeArrays] | LabelledSpikes,
    t_end: ArrayLike | None = None,
    spikes: float = 2.0,
    *,
    leave: Collection[str] = ("out",),
    threads: int | None = None,
) -> dict[str, float]:
    """Scale the weights into each population until its neurons spike so often, in place.

    Populations are taken in the order of the first projection into each, so that a layer is driven
    by one that spikes already. All projections into one are scaled by one factor; those from a
    population onto itself stay. It is ``--initial-spikes`` of the command line.

    Parameters
    ----------
    network : Network
    inputs, t_end, threads
        As in `simulate`: a few dozen typical samples.
    spikes : float
        Per neuron and sample, on average; above 0.
    leave : collection of str
        Populations to leave as they are.

    Returns
    -------
    dict of str to float
        The factor of each projection that was scaled.

    Raises
    ------
    ValueError
        `spikes` is not above 0; weights that would have to grow or shrink a thousandfold (mostly
        negative; driven by something else); a network that spikes without end; no input spike
        before the end. The weights that were to be scaled are then as they were.
    """
    if not (math.isfinite(spikes) and spikes > 0):
        raise ValueError(f"spikes is {spikes}; expected a finite number above 0")
    _, arrays, ends = _prepare(network, inputs, t_end)
    if len(arrays[0][2]) < 2:
        raise ValueError("inputs holds no samples; expected a few dozen")
    if unseen := unseen_input(arrays, ends):
        raise ValueError(unseen)
    most = math.ceil(_RUNAWAY * max(1.0, spikes) * sum(n for _, n in network._populations.values()))
    factors: dict[str, float] = {}
    for target, names in _into(network).items():
        model, size = network._populations[target]
        if model not in SPIKING or target in leave:
            continue
        drawn = {name: network[f"{name}.weight"].copy() for name in names}

        def scale(factor: float) -> None:
            for name, weight in drawn.items():  # noqa: B023
                network[f"{name}.weight"] = weight * factor

        def mean_spikes(exponent: float) -> float:
            scale(2**exponent)
            try:
                record = simulate(
                    network, inputs, t_end, threads=threads, max_spikes_per_sample=most
                )
            except ValueError as e:
                if "max_spikes_per_sample" in str(e):
                    return math.inf  # it runs away
                raise
            return len(record.spikes(target)) / max(1, size * record.samples)  # noqa: B023

        try:
            exponent = _least(mean_spikes, spikes)
        except _MissedError as e:
            scale(1.0)
            into = ", ".join(map(repr, names))
            raise ValueError(
                f"spikes is {spikes}, but {e.args[0]} the weights of {into} a neuron of "
                f"'{target}' spikes {e.args[1]}"
            ) from None
        scale(2**exponent)
        factors |= dict.fromkeys(names, 2**exponent)
    return factors


class _MissedError(Exception):
    """With what share of the weights it spikes how often, and what to do."""


def _least(mean_spikes: Callable[[float], float], spikes: float) -> float:
    """Return the least exponent with so many spikes, of those between that are told apart."""
    high = 0.0
    while (found := mean_spikes(high)) < spikes:
        if high == _DOUBLINGS:
            raise _MissedError(
                f"with {2**_DOUBLINGS} times", f"only {found:.3g} times a sample; raise their mean"
            )
        high += 1
    low = high - 1
    while (found := mean_spikes(low)) >= spikes:
        if low == -_DOUBLINGS:
            raise _MissedError(
                f"even with 1/{2**_DOUBLINGS} of",
                f"{found:.3g} times a sample; what else drives it?",
            )
        low, high = low - 1, low
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if mean_spikes(middle) < spikes:
            low = middle
        else:
            high = middle
    if mean_spikes(high) == math.inf:
        raise _MissedError(
            f"with {2**high:.3g} times",
            "without end; expected smaller weights of cycles, a refractory time",
        )
    return high


def _into(network: Network) -> dict[str, list[str]]:
    """The projections into each population from others, in the order of the first of each."""
    into: dict[str, list[str]] = {}
    for name, (source, target) in network._projections.items():
        if source != target:
            into.setdefault(target, []).append(name)
    return into
