# SPDX-License-Identifier: Apache-2.0
"""What happened in the epochs of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """What happened in one pass over the training data.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    loss, accuracy : float
        Means over the samples as they were met, parameters changing meanwhile; accuracy is None for
        a loss that makes no predictions.
    validation_loss, validation_accuracy : float or None
        After the epoch.
    lr : float
    seconds : float
        Of the training, without validation.
    gather_seconds, forward_seconds, loss_seconds, backward_seconds, step_seconds : float
        Of these, those in which spikes were gathered, the network was run, the loss and the
        gradients were computed, and the optimiser took its steps.
    samples : int
    hidden_spikes_per_sample : float
        Of all LIF populations but the readout; with a loss of your own, of those from which a
        projection leads on to another population.
    gradient_norm : float
        The mean over the minibatches, before clipping.
    silent_neurons : int
        LIF neurons that never spiked.
    silent_labels : int
        Samples whose label's output said nothing: never spiked (losses of spikes), never rose
        (`MaximumVoltage`), was never reached (`IntegratedVoltage`).
    silent_samples : int
        Samples in which no output said anything.
    silent_populations : list of str
        Populations of which no neuron spiked.
    revived : int
        Neurons that `revive` raised.
    smoothing_sigma : float
        Of the noise of the thresholds; 0: exact gradients alone.
    ghosts_per_sample : float
        Spikes that nearly exist or nearly do not, which were counted in.
    ghost_share : float
        The norm of what they add to the gradient, relative to the whole; of the first minibatch.
    grazing_spikes_per_sample : float
        Spikes that start flatter than tau_mem dV/dt = 0.1. This and the next four say how far the
        network is from another set of spikes.
    near_peaks_per_sample : float or None
        Peaks of V within 0.1 of the threshold; None in an epoch of fewer than 1000 samples.
    saturated_neurons : int
        LIF neurons that spiked in every sample.
    limited_steps : int
        Minibatches whose step `step_limit` cut short.
    believable_step : float or None
        The largest step along the first gradient before, to first order, a spike appears or
        vanishes; None in an epoch of fewer than 1000 samples.
    clamped : int
        Values that a step would have taken out of their range: time constants that would more than
        halve, delays below 0, resets at the threshold.
    """

    epoch: int
    loss: float
    accuracy: float | None
    lr: float
    seconds: float
    gather_seconds: float
    forward_seconds: float
    loss_seconds: float
    backward_seconds: float
    step_seconds: float
    samples: int
    hidden_spikes_per_sample: float
    gradient_norm: float
    silent_neurons: int
    silent_labels: int
    silent_samples: int
    silent_populations: list[str]
    revived: int
    smoothing_sigma: float
    ghosts_per_sample: float
    ghost_share: float
    grazing_spikes_per_sample: float
    near_peaks_per_sample: float | None
    saturated_neurons: int
    limited_steps: int
    believable_step: float | None
    clamped: int
    validation_loss: float | None = None
    validation_accuracy: float | None = None


class History(Sequence[Epoch]):
    """The epochs of a training; ``history["loss"]`` is a column."""

    def __init__(self) -> None:
        self._epochs: list[Epoch] = []

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in Epoch.__dataclass_fields__:
                known = ", ".join(Epoch.__dataclass_fields__)
                raise KeyError(f"an epoch has no {key!r}; it has: {known}")
            return [getattr(epoch, key) for epoch in self._epochs]
        return self._epochs[key]

    def __len__(self) -> int:
        return len(self._epochs)

    def __repr__(self) -> str:
        last = f", last {self._epochs[-1]}" if self._epochs else ""
        return f"<saltus.History: {len(self)} epochs{last}>"
