# SPDX-License-Identifier: Apache-2.0
"""The way back from first spikes, which `Spikes.first` reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._spikes import Spikes


def first_errors(spikes: Spikes, gradient: NDArray[Any]) -> NDArray[np.float64]:
    """Return dL/dt of every spike, by dL/dt of the first ones: shape (samples, neurons)."""
    samples, size = gradient.shape
    sample = np.repeat(np.arange(samples), np.diff(spikes.offsets))
    # Spikes ascend in time: the first of each neuron is the first entry of its pair.
    _, first = np.unique(sample * size + spikes.neurons, return_index=True)
    errors = np.zeros(len(spikes))
    errors[first] = gradient[sample[first], spikes.neurons[first]]
    return errors
