# SPDX-License-Identifier: Apache-2.0
"""Training: epochs of minibatches, with a progress bar, callbacks and early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core
from ._advice import Adviser
from ._arrays import number, whole
from ._callbacks import loss_for_core, own_rate, own_step
from ._loss import LossFunction
from ._network import Network
from ._optim import Adam, Exponential, Optimizer, Schedule, rates_for_core
from ._progress import Progress
from ._record import _core_type
from ._setup import check_setup
from ._smoothing import Thresholds
from ._threads import thread_count
from .data._labelled import LabelledSpikes


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


Callback: TypeAlias = Callable[[Epoch, Network], bool | None]
"""Called after each epoch; True stops the training."""

Watched = Literal["loss", "accuracy", "validation_loss", "validation_accuracy"]


class EarlyStopping:
    """A callback that stops a training that no longer improves, and puts the best network back.

    Parameters
    ----------
    patience : int
        So many epochs without an improvement stop the training.
    watch : {"validation_loss", "validation_accuracy", "loss", "accuracy"}
        What should improve.

    Attributes
    ----------
    best_epoch : int
        Counted from 1; 0 before the first.

    Notes
    -----
    Each training starts anew: nothing is left of the one before.
    """

    def __init__(self, patience: int = 5, watch: Watched = "validation_loss") -> None:
        if watch not in get_args(Watched):
            raise ValueError(f"watch is {watch!r}; expected one of {', '.join(get_args(Watched))}")
        self.patience, self.watch = whole(patience, "patience"), watch
        self._start()

    def _start(self) -> None:
        self.best_epoch = 0
        self._best = -math.inf
        self._network: Network | None = None

    def __call__(self, epoch: Epoch, network: Network) -> bool:
        """Look at an epoch; True if it is time to stop."""
        value = getattr(epoch, self.watch)
        if value is None:
            raise ValueError(
                f"EarlyStopping watches {self.watch}, which this training does not give; expected "
                "validation data, and a loss with predictions for an accuracy"
            )
        score = value if self.watch.endswith("accuracy") else -value
        if score > self._best:
            self._best, self.best_epoch, self._network = score, epoch.epoch, network.copy()
        return epoch.epoch - self.best_epoch >= self.patience

    def restore(self, network: Network) -> None:
        """Put the values of the best epoch back; `fit` does so at its end."""
        if self._network is not None:
            for name in network:
                network[name] = self._network[name]


@dataclass(frozen=True)
class Evaluation:
    """Loss and accuracy on data, without training.

    Attributes
    ----------
    loss : float
    accuracy : float or None
        None for a loss that makes no predictions.
    hidden_spikes_per_sample : float
    samples : int
    silent_labels : int
        Samples whose label's output said nothing, as in `Epoch`.
    silent_samples : int
        Samples in which no output said anything.
    predictions : ndarray of int, shape (samples,), or None
        The class that wins in each sample; -1 where no output says anything. None for a loss that
        makes no predictions.
    """

    loss: float
    accuracy: float | None
    hidden_spikes_per_sample: float
    samples: int
    silent_labels: int
    silent_samples: int
    predictions: NDArray[np.int32] | None = field(default=None, compare=False, repr=False)


def fit(
    network: Network,
    data: LabelledSpikes,
    loss: LossFunction,
    t_end: float | None = None,
    *,
    epochs: int,
    batch: int = 32,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    validation: LabelledSpikes | None = None,
    trainable: str | Iterable[str] = ("weights",),
    lr: Mapping[str, float] | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    seed: int = 0,
    threads: int | None = None,
    dtype: DTypeLike = np.float32,
    clip_norm: float = 0.0,
    input_dropout: float = 0.0,
    revive: float = 0.0,
    smooth_threshold: float = 0.0,
    smooth_decay: float = 0.8,
    smooth_end: float = 0.01,
    smooth_reading: Thresholds = "fixed",
    step_limit: float = 0.0,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
) -> History:
    """Train a network, in place.

    The loop is that of ``saltus train``, in C++, with the same bits; a loss of your own is called
    once for each minibatch, and one that says what a built-in one says trains to the same bits.
    While the loss, or a callback, is called the network has its present values. Ctrl-C, or an error
    in a loss or a callback, leaves it as the last step made it.

    Parameters
    ----------
    network : Network
        Of several inputs each takes the channels of the data after those of the one before.
    data : saltus.data.LabelledSpikes
    loss : Loss or callable
        `FirstSpike`, `MaximumVoltage`, `IntegratedVoltage`, or a function of a `Record` (in the
        given dtype) and labels [samples] that returns a `LossResult`: the mean over the samples of
        the minibatch, and its errors. A subclass of a built-in one may override ``__call__``.
    t_end : float, optional
        When every sample ends, in seconds. May be infinite in a network without cycles. Unless
        given, what the data say of each sample (their `t_end`).
    epochs : int
    batch : int
        Samples of a minibatch.
    optimizer : Optimizer, optional
        ``Adam(lr=5e-3)`` unless given. Its state starts anew; a callback cannot change it. A
        subclass may override ``step``.
    schedule : Schedule, optional
        ``Exponential(0.95)`` unless given. A subclass may override ``lr``.
    validation : saltus.data.LabelledSpikes, optional
        Evaluated after each epoch.
    trainable : str or iterable of str
        ``"weights"``, ``"delays"``, names of neuron parameters (``"tau_mem"``) of all populations,
        or single parameters (``"in->hidden.weight"``, ``"hidden.tau_mem"``).
    lr : dict of str to float, optional
        Learning rates of their own, by the same names: ``{"delays": 1e-4, "hidden.tau_mem":
        2e-5}``, in the parameter's own unit (seconds), that of a single parameter before that of
        its kind. They follow the schedule. All else takes the optimiser's; a parameter in seconds
        is then seen in a unit of its own (0.2 ms for delays, 2 ms for `tau_mem`, 1 ms for
        `tau_syn` and `tau_ref`).
    l1, l2 : float
        Penalties of weights that are trained, ``l1 sum |w| + l2 / 2 sum w**2``: in the gradient,
        before clipping and the optimiser; not in the loss that is reported.
    seed : int
        Of the order of samples and of dropout.
    threads : int, optional
        0: all cores; unless given what `set_threads` says. The result has the same bits for any
        number.
    dtype : {numpy.float32, numpy.float64}
        The type of weights, currents and voltages while training.
    clip_norm : float
        The longest gradient, over all that is trained; 0: no limit.
    input_dropout : float
        The probability that an input spike is left out.
    revive : float
        After an epoch in which a LIF neuron never spiked, each of its incoming weights is raised by
        this share of the root mean square of its projection, less as the learning rate falls;
        0: off.
    smooth_threshold : float
        Standard deviation of noise that thresholds are thought to have in the first epoch, in units
        of V: the gradient then sees spikes appear and vanish (`Smoothing`, docs/ghosts.md;
        differences of the first order). 0: off.
    smooth_decay : float
        The factor of that from epoch to epoch; above 0, at most 1.
    smooth_end : float
        Below this it is 0: the exact gradient, to the last bit.
    smooth_reading : {"fixed", "sampled"}
        While training, neurons spike at their mean thresholds; or at thresholds that each draws
        from the noise, anew after each of its spikes and in each minibatch.
    step_limit : float
        No step goes further than this many times the distance at which, to first order, the first
        spike of its minibatch appears or vanishes. Costs two simulations and two searches for near
        spikes in float64 for each minibatch. 0: no limit.
    callbacks : iterable of callable
        Each is called after an epoch with the `Epoch` and the network; True stops. See
        `EarlyStopping`. The next epoch starts from the values that they leave in the network.
    progress : bool
        Tell on standard error how it goes.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        Something that does not fit together, before the first minibatch; a step of an optimiser of
        your own that takes a parameter out of its range, a loss that is not finite, errors that do
        not fit the record, or a callback that changes the optimiser.
    TypeError
        An argument of a wrong type, named in the message.
    KeyboardInterrupt
        Ctrl-C.

    Warns
    -----
    SaltusWarning
        Once of each: input that comes after the end, times or time constants that look like another
        unit than seconds, a layer that stays silent for an epoch, a readout that nothing reaches.
    """
    optimizer = Adam() if optimizer is None else optimizer
    schedule = Exponential() if schedule is None else schedule
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer: expected a saltus.Optimizer; got {type(optimizer).__name__}")
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule: expected a saltus.Schedule; got {type(schedule).__name__}")
    chosen = optimizer._settings()
    settings = {
        **chosen,
        **schedule._settings(),
        "epochs": whole(epochs, "epochs"),
        "batch": whole(batch, "batch"),
        "seed": whole(seed, "seed"),
        "threads": thread_count(threads),
        "l1": number(l1, "l1"),
        "l2": number(l2, "l2"),
        "clip_norm": number(clip_norm, "clip_norm"),
        "input_dropout": number(input_dropout, "input_dropout"),
        "revive": number(revive, "revive"),
        "smooth_threshold": number(smooth_threshold, "smooth_threshold"),
        "smooth_decay": number(smooth_decay, "smooth_decay"),
        "smooth_end": number(smooth_end, "smooth_end"),
        "smooth_reading": smooth_reading,
        "step_limit": number(step_limit, "step_limit"),
    }
    if not (names := [trainable] if isinstance(trainable, str) else list(trainable)):
        raise ValueError("trainable is empty; expected 'weights', 'delays' or names of parameters")
    settings["trainable"] = names
    settings["lr_of"] = rates_for_core({} if lr is None else lr)
    _core.check_settings(settings)
    _, real = _core_type(dtype)
    setup = check_setup(network, loss, t_end, dtype=real)
    setup.check_data(data, "data")
    if validation is not None:
        setup.check_data(validation, "validation")
    adviser = Adviser()
    adviser.say(_core.advice(network._core, setup.core_data(data), setup.t_end))
    make = _core.Trainer32 if real == np.float32 else _core.Trainer64
    trainer = make(
        network._core,
        loss_for_core(setup),
        setup.t_end,
        settings,
        own_rate(schedule, optimizer.lr, settings["epochs"]),
        own_step(optimizer, network, settings["lr_of"]),
    )
    history = History()
    bar = Progress(settings["epochs"], len(data), quiet=not progress)
    hooks = list(callbacks)
    stoppings = [callback for callback in hooks if isinstance(callback, EarlyStopping)]
    for stopping in stoppings:
        stopping._start()
    try:
        for _ in range(settings["epochs"]):
            report = trainer.train_epoch(setup.core_data(data), bar.batch if progress else None)
            if validation is not None:
                tested = trainer.evaluate(setup.core_data(validation))
                report["validation_loss"] = tested["loss"]
                report["validation_accuracy"] = tested["accuracy"]
            advice = report.pop("advice")
            epoch = Epoch(**report)
            history._epochs.append(epoch)
            bar.epoch(_line(epoch))
            adviser.say(advice)
            stops = [bool(callback(epoch, network)) for callback in hooks]
            if optimizer._settings() != chosen:
                raise ValueError(
                    f"optimizer became {optimizer} in a callback, which the training would not "
                    "follow; expected it unchanged. A schedule= changes the learning rate"
                )
            if any(stops):
                break
    finally:
        bar.clear()
    for stopping in stoppings:
        stopping.restore(network)
    return history


def _line(epoch: Epoch) -> str:
    text = f"loss {epoch.loss:.4f}"
    if epoch.accuracy is not None:
        text += f"  accuracy {100 * epoch.accuracy:5.2f} %"
    if epoch.validation_accuracy is not None:
        text += f"  validation {100 * epoch.validation_accuracy:5.2f} %"
    elif epoch.validation_loss is not None:
        text += f"  validation loss {epoch.validation_loss:.4f}"
    if epoch.smoothing_sigma > 0:
        share = 100 * epoch.ghost_share
        text += f"  {epoch.ghosts_per_sample:.1f} ghosts ({share:.0f} % of the gradient)"
    if epoch.clamped > 0:
        text += f"  {epoch.clamped} values held in range"
    if epoch.silent_neurons > 0:
        text += f"  {epoch.silent_neurons} silent neurons"
    us = 1e6 * epoch.seconds / max(1, epoch.samples)
    return f"{text}  {us:6.1f} us/sample  {epoch.hidden_spikes_per_sample:.1f} spikes/sample"


def evaluate(
    network: Network,
    data: LabelledSpikes,
    loss: LossFunction,
    t_end: float | None = None,
    *,
    threads: int | None = None,
    dtype: DTypeLike = np.float32,
) -> Evaluation:
    """Return loss and accuracy of a network on data, without training.

    Parameters
    ----------
    network, data, loss, t_end, threads, dtype
        As in `fit`.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        Something that does not fit together.
    TypeError
        An argument of a wrong type, named in the message.

    Warns
    -----
    SaltusWarning
        Input that comes after the end, times or time constants that look like another unit.
    """
    _, real = _core_type(dtype)
    count = thread_count(threads)
    check_setup(network, loss, t_end, dtype=real).check_data(data, "data")
    # A copy, so that the values that a loss of one's own may look at stay the network's.
    setup = check_setup(network.copy(), loss, t_end, dtype=real)
    core = _core.evaluate32 if real == np.float32 else _core.evaluate64
    given = setup.core_data(data)
    Adviser().say(_core.advice(network._core, given, setup.t_end))
    found = core(setup.network._core, loss_for_core(setup), setup.t_end, given, count)
    if found["accuracy"] is None:
        found["predictions"] = None
    return Evaluation(**found)
