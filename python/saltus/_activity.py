# SPDX-License-Identifier: Apache-2.0
"""First weights that make neurons spike: a silent neuron has no gradient."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from numpy.typing import ArrayLike

from ._advice import unseen_input
from ._models import SPIKING
from ._network import Network
from ._record import _prepare, simulate
from ._spikes import SpikeArrays
from .data._labelled import LabelledSpikes

_DOUBLINGS = 10
_BISECTIONS = 12


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

    Projections are taken in their order, so that a layer is driven by one that spikes already;
    those from a population onto itself stay. It is ``--initial-spikes`` of the command line.

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
        `spikes` is not above 0; weights that would have to grow a thousandfold (mostly negative);
        no input spike before the end.
    """
    if not (math.isfinite(spikes) and spikes > 0):
        raise ValueError(f"spikes is {spikes}; expected a finite number above 0")
    _, arrays, ends = _prepare(network, inputs, t_end)
    if unseen := unseen_input(arrays, ends):
        raise ValueError(unseen)
    factors: dict[str, float] = {}
    for name, (source, target) in network._projections.items():
        model, size = network._populations[target]
        if model not in SPIKING or source == target or target in leave:
            continue
        drawn = network[f"{name}.weight"].copy()

        def mean_spikes(exponent: float) -> float:
            network[f"{name}.weight"] = drawn * 2**exponent  # noqa: B023
            record = simulate(network, inputs, t_end, threads=threads)
            return len(record.spikes(target)) / max(1, size * record.samples)  # noqa: B023

        high = 0.0
        while (found := mean_spikes(high)) < spikes:
            if high == _DOUBLINGS:
                network[f"{name}.weight"] = drawn
                raise ValueError(
                    f"spikes is {spikes}, but with {2**_DOUBLINGS} times the weights of '{name}' a "
                    f"neuron of '{target}' spikes only {found:.3g} times a sample; raise their mean"
                )
            high += 1
        low = high - 1
        while low > -_DOUBLINGS and mean_spikes(low) >= spikes:
            low, high = low - 1, low
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if mean_spikes(middle) < spikes:
                low = middle
            else:
                high = middle
        mean_spikes(high)
        factors[name] = 2**high
    return factors
