# SPDX-License-Identifier: Apache-2.0
"""What happened in the epochs of a training."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

from ._html import html_table


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
        Of all populations that spike but the readout; with a loss of your own, of those from which
        a projection leads on to another population.
    gradient_norm : float
        The mean over the minibatches, before clipping; parameters in seconds or Hz count in their
        units, as for `clip_norm` of `fit`.
    silent_neurons : int
        Neurons of populations that spike, which never did.
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
        Spikes of LIF neurons with exponential synapses (of other models none is counted) that start
        flatter than tau_mem dV/dt = 0.1. This and the next four say how far the
        network is from another set of spikes.
    near_peaks_per_sample : float or None
        Peaks of V within 0.1 of the threshold; None in an epoch of fewer than 1000 samples, and
        where another model than LIF spikes.
    saturated_neurons : int
        Neurons that spiked in every sample.
    limited_steps : int
        Minibatches whose step `step_limit` cut short.
    believable_step : float or None
        The largest step along the first gradient, as it is (no units), before, to first order, a
        spike appears or vanishes; None where `near_peaks_per_sample` is.
    clamped : int
        Values that a step would have taken out of their range: time constants that would more than
        halve, delays below 0, resets at the threshold. 0 with an optimiser of one's own, whose
        `step` holds them in range by itself.
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


Number = Literal[
    "epoch",
    "loss",
    "lr",
    "seconds",
    "gather_seconds",
    "forward_seconds",
    "loss_seconds",
    "backward_seconds",
    "step_seconds",
    "samples",
    "hidden_spikes_per_sample",
    "gradient_norm",
    "silent_neurons",
    "silent_labels",
    "silent_samples",
    "revived",
    "smoothing_sigma",
    "ghosts_per_sample",
    "ghost_share",
    "grazing_spikes_per_sample",
    "saturated_neurons",
    "limited_steps",
    "clamped",
]
Perhaps = Literal[
    "accuracy",
    "validation_loss",
    "validation_accuracy",
    "near_peaks_per_sample",
    "believable_step",
]


class History(Sequence[Epoch]):
    """The epochs of a training; ``history["loss"]`` is a column.

    ``first + second`` goes on counting where the first ends: of trainings one after the other.

    Parameters
    ----------
    epochs : iterable of Epoch
    """

    def __init__(self, epochs: Iterable[Epoch] = ()) -> None:
        self._epochs = list(epochs)

    @overload
    def __getitem__(self, key: int) -> Epoch: ...
    @overload
    def __getitem__(self, key: slice) -> History: ...
    @overload
    def __getitem__(self, key: Number) -> list[float]: ...
    @overload
    def __getitem__(self, key: Perhaps) -> list[float | None]: ...
    @overload
    def __getitem__(self, key: Literal["silent_populations"]) -> list[list[str]]: ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...
    def __getitem__(self, key: int | slice | str) -> Epoch | History | list[Any]:
        if isinstance(key, str):
            if key not in Epoch.__dataclass_fields__:
                known = ", ".join(Epoch.__dataclass_fields__)
                raise KeyError(f"an epoch has no {key!r}; it has: {known}")
            return [getattr(epoch, key) for epoch in self._epochs]
        return History(self._epochs[key]) if isinstance(key, slice) else self._epochs[key]

    def __len__(self) -> int:
        return len(self._epochs)

    def __eq__(self, other: object) -> bool:
        return self._epochs == other._epochs if isinstance(other, History) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: History) -> History:
        if not isinstance(other, History):
            return NotImplemented
        done = self[-1].epoch if len(self) else 0
        begun = other[0].epoch - 1 if len(other) else 0
        counted = [replace(epoch, epoch=epoch.epoch - begun + done) for epoch in other]
        return History([*self, *counted])

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the columns by name: what ``pandas.DataFrame`` takes."""
        return {name: self[name] for name in Epoch.__dataclass_fields__}

    @classmethod
    def from_dict(cls, columns: Mapping[str, Sequence[Any]]) -> History:
        """Make a history of columns, as `to_dict` returns them.

        Raises
        ------
        ValueError
            A column that is missing, unknown, or of another length.
        """
        if odd := sorted(columns.keys() ^ Epoch.__dataclass_fields__.keys()):
            what = "has no" if odd[0] in Epoch.__dataclass_fields__ else "has an unknown"
            known = ", ".join(Epoch.__dataclass_fields__)
            raise ValueError(f"columns: {what} {odd[0]!r}; expected {known}")
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns have the lengths {lengths}; expected the same of all")
        rows = zip(*columns.values(), strict=True)
        return cls(Epoch(**dict(zip(columns, row, strict=True))) for row in rows)

    def to_json(self) -> str:
        """Return the columns as JSON; a number that is not finite is null."""
        shown = {
            name: [None if isinstance(x, float) and not math.isfinite(x) else x for x in column]
            for name, column in self.to_dict().items()
        }
        return json.dumps(shown)

    @classmethod
    def from_json(cls, text: str) -> History:
        """Make a history of what `to_json` returned.

        Raises
        ------
        ValueError
            No JSON; columns as `from_dict` refuses them.
        """
        columns = json.loads(text)
        if not isinstance(columns, dict):
            got = type(columns).__name__
            raise ValueError(f"text: expected a JSON object of columns; got {got}")
        return cls.from_dict(columns)

    def __repr__(self) -> str:
        if not self._epochs:
            return "<saltus.History: 0 epochs>"
        last = self._epochs[-1]
        said = f"last loss {last.loss:.4g}"
        if last.accuracy is not None:
            said += f", accuracy {100 * last.accuracy:.2f} %"
        if last.validation_accuracy is not None:
            said += f", validation {100 * last.validation_accuracy:.2f} %"
        return f"<saltus.History: {len(self)} epochs, {said}>"

    def _repr_html_(self) -> str:
        columns = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "lr")
        given = [c for c in columns if any(value is not None for value in self[c])]
        rows = [[getattr(epoch, c) for c in given] for epoch in self._epochs]
        return html_table(f"History: {len(self)} epochs", given, rows)
