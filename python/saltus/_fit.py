# SPDX-License-Identifier: Apache-2.0
"""Training: epochs of minibatches, with a progress bar, callbacks and checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core
from ._advice import Adviser
from ._arrays import number, whole
from ._callbacks import loss_for_core, own_rate, own_step
from ._checkpoint import Checkpoints, begun_with, told_by
from ._epochs import Epoch, History
from ._limits import limits_for_core
from ._loop import Augment, Loop, loss_of
from ._loss import LossFunction
from ._network import Network
from ._optim import SGD, Adam, AdamW, Optimizer, Schedule, rates_for_core, schedule_of
from ._progress import Progress
from ._record import _core_type
from ._setup import check_setup
from ._smoothing import Thresholds
from ._stopping import Callback, EarlyStopping
from ._threads import thread_count
from ._unrounded import unrounded
from ._vocabulary import named_by, words_for_core
from .data._labelled import LabelledSpikes


@dataclass(frozen=True)
class Evaluation:
    """Loss and accuracy on data, without training.

    Attributes
    ----------
    loss : float
        NaN if the loss says so.
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
    schedule: Schedule | Callable[[int], float] | str | None = None,
    validation: LabelledSpikes | None = None,
    augment: Augment | None = None,
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
    max_spikes_per_sample: int = 0,
    max_memory_per_sample: float = 0.0,
    max_seconds_per_sample: float = 0.0,
    callbacks: Iterable[Callback] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_minutes: float = 0.0,
    resume: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> History:
    """Train a network, in place.

    The loop is that of ``saltus train``, in C++, with the same bits; a loss of your own is called
    once for each minibatch, and one that says what a built-in one says trains to the same bits.
    While the loss, or a callback, is called the network has its present values; a callback may
    write to it, a loss may not. Ctrl-C, or an error in a loss or a callback, leaves it as the last
    step made it.

    Parameters
    ----------
    network : Network
        Of several inputs each takes the channels of the data after those of the one before.
    data : saltus.data.LabelledSpikes
    loss : Loss or callable
        `FirstSpike`, `MaximumVoltage`, `IntegratedVoltage`, or a function of a `Record` (in the
        given dtype) and labels [samples] that returns a `LossResult`: the mean over the samples of
        the minibatch, and its errors. A subclass of a built-in one may override ``__call__``. What
        a spike more or less is worth by itself (``smooth_threshold``) is known of built-in losses,
        in a `SumOfLosses` too, and of a subclass by its settings; not of a function, nor of a
        `SumOfLosses` that overrides ``__call__``.
    t_end : float, optional
        When every sample ends, in seconds. May be infinite in a network without cycles. Unless
        given, what the data say of each sample (their `t_end`).
    epochs : int
        In all, those of a training that is resumed among them.
    batch : int
        Samples of a minibatch.
    optimizer : Optimizer, optional
        ``Adam(lr=5e-3)`` unless given. Its state starts anew. A callback may change its ``lr``,
        from which the schedule starts. A subclass may override ``step``, which is called of a copy,
        with all that the optimiser holds when `fit` begins; with checkpoints also
        ``state_dict`` and ``load_state_dict``, if it keeps more than the base class.
    schedule : Schedule, callable or str, optional
        ``Exponential(0.95)`` unless given. A subclass may override ``lr``. Or a function of the
        epoch, counted from 0, that returns a factor of the optimiser's learning rate; or the name
        of a schedule.
    validation : saltus.data.LabelledSpikes, optional
        Evaluated after each epoch.
    augment : callable, optional
        Before each epoch it is called with the data and the number of the epoch, from 0, and what
        it returns is trained on: ``lambda data, epoch: saltus.data.jitter_times(data, 1e-3,
        seed=epoch)``. A training that is resumed has the same bits if it returns the same of the
        same.
    trainable : str or iterable of str
        ``"weights"``, ``"delays"``, ``"neurons"`` (all their parameters), a parameter of all
        populations (``"tau_mem"``), or single ones (``"in->hidden.weight"``, ``"hidden.tau_mem"``).
        All others keep their bits; where weights are float32 while training, callbacks see them so
        rounded.
    lr : dict of str to float, optional
        Learning rates of their own, by the same names: ``{"delays": 1e-4, "hidden.tau_mem":
        2e-5}``, in the parameter's own unit (seconds), that of a single parameter before that of
        its kind. They follow the schedule. All else takes the optimiser's; a parameter in seconds
        is then seen in a unit of its own (2 ms for delays and `tau_mem`, 1 ms for
        `tau_syn` and `tau_ref`), whatever its value: of neurons ten times as slow as usual they
        hardly move unless a rate is given.
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
        The longest gradient, over all that is trained; 0: no limit. A parameter in seconds or Hz
        counts in its unit (2 ms for delays and `tau_mem`, as in `Optimizer.step`): its gradient by
        seconds times 2e-3.
    input_dropout : float
        The probability that an input spike is left out.
    revive : float
        After an epoch in which a neuron never spiked, each of its incoming weights that is trained
        is raised by this share of the root mean square of its projection, less as the learning rate
        falls; 0: off.
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
    max_spikes_per_sample, max_memory_per_sample, max_seconds_per_sample
        As in `simulate`, of every sample that is trained on or validated.
    callbacks : iterable of callable
        Each is called after an epoch with the `Epoch` and the network; True stops. See
        `EarlyStopping`. The next epoch starts from the values that they leave in the network, and
        from the learning rate that they leave in the optimiser. Checkpoints keep what their
        ``state_dict()`` returns, numbers and arrays by name, and give it to ``load_state_dict``.
    checkpoint : path, optional
        A folder. ``checkpoint.safetensors`` there is the last state of the training,
        ``best.safetensors`` that after the epoch of the best validation accuracy (where they are
        the same, or there is none, loss): networks that `load` reads, with all else that
        ``resume`` needs. ``metrics.jsonl`` there has a line of JSON for each epoch,
        ``training.json`` the settings: `saltus.report` reads them.
    checkpoint_minutes : float
        0: after each epoch. Else when so many minutes have passed, within an epoch too, and at the
        end. Ctrl-C writes one as well.
    resume : path, optional
        A checkpoint, or a folder: then its last, and checkpoints go on there. The training goes on
        with the same bits as if it had never stopped, from the file's values instead of the
        network's. Other arguments must be those that it was begun with. ``epochs``, ``threads`` and
        where data lie may differ; what steps and losses are made of may, with a warning; network,
        seed, optimiser and ``trainable`` may not.
    progress : bool
        Tell on standard error how it goes.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        Something that does not fit together, before the first minibatch; a step of an optimiser of
        your own that takes a parameter out of its range; a loss that writes to the network or is
        not finite, errors that do not fit the record; a sample that takes more than it may; a
        callback that changes more of the optimiser than its ``lr``; a checkpoint of another network
        or of settings that cannot change.
    OSError
        A checkpoint that cannot be written; or read, as it is missing, damaged, or none. A folder
        that another run writes.
    TypeError
        An argument of a wrong type, named in the message.
    KeyboardInterrupt
        Ctrl-C.

    Warns
    -----
    SaltusWarning
        Once of each: a loss whose worth of a spike more or less is not known, with
        ``smooth_threshold``; input that comes after the end, times or time constants that look
        like another unit than seconds, a layer that stays silent for an epoch, a readout that
        nothing reaches.
    """
    optimizer = Adam() if optimizer is None else optimizer
    schedule = schedule_of(schedule)
    if not isinstance(optimizer, (SGD, Adam, AdamW)):
        got = type(optimizer).__name__
        raise TypeError(
            f"optimizer: expected a saltus.SGD, Adam or AdamW, or a subclass of one; got {got}"
        )
    hooks = _functions(callbacks, augment)
    settings = {
        **optimizer._settings(),
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
        **limits_for_core(max_spikes_per_sample, max_memory_per_sample, max_seconds_per_sample),
    }
    if not (names := [trainable] if isinstance(trainable, str) else list(trainable)):
        raise ValueError("trainable is empty; expected 'weights', 'delays' or names of parameters")
    _core.check_settings(settings)
    _, real = _core_type(dtype)
    setup = check_setup(network, loss, t_end, dtype=real)
    settings["trainable"] = words_for_core(network, names, "fit: trainable")
    settings["lr_of"] = rates_for_core(network, {} if lr is None else lr, names)
    _core.check_settings(settings)
    frozen = set(network).difference(named_by(network, names, "fit: trainable"))
    setup.check_data(data, "data")
    if validation is not None:
        setup.check_data(validation, "validation")
    adviser, notes = Adviser(), list[str]()
    adviser.say(_core.advice(network._core, setup.core_data(data), setup.t_end))
    make = _core.Trainer32 if real == np.float32 else _core.Trainer64
    own = own_step(optimizer, network, settings["lr_of"])
    trainer = make(
        network._core,
        loss_for_core(setup, notes),
        setup.t_end,
        settings,
        own_rate(schedule, settings["epochs"]),
        own,
    )
    stoppings = [callback for callback in hooks if isinstance(callback, EarlyStopping)]
    for stopping in stoppings:
        stopping._start()
    history = History()
    if checkpoint is None and resume is not None and os.path.isdir(resume):
        checkpoint = resume
    kept = None
    with unrounded(network, frozen, real):
        if checkpoint is not None or resume is not None:
            about = begun_with(setup, data, augment, schedule, own)
            kept = Checkpoints(
                trainer,
                about,
                told_by(about, setup, settings),
                history,
                folder=checkpoint,
                minutes=checkpoint_minutes,
                own=own,
                callbacks=hooks,
            )
            _begin(kept, resume, trainer, optimizer, history=history, epochs=settings["epochs"])
        bar = Progress(settings["epochs"], len(data), quiet=not progress, done=trainer.epochs)
        loop = Loop(
            trainer=trainer,
            network=network,
            optimizer=optimizer,
            data=data,
            augment=augment,
            validation=validation,
            callbacks=hooks,
            kept=kept,
            history=history,
            bar=bar,
            setup=setup,
            adviser=adviser,
            notes=notes,
        )
        try:
            loop.run(settings["epochs"])
        except KeyboardInterrupt:
            if kept is not None:
                kept.interrupted()
            raise
        finally:
            bar.clear()
            if kept is not None:
                kept.release()
        for stopping in stoppings:
            stopping.restore(network)
    return history


def _functions(callbacks: Iterable[Callback], augment: object) -> list[Callback]:
    if augment is not None and not callable(augment):
        raise TypeError(f"augment: expected a function; got {type(augment).__name__}")
    if callable(callbacks):
        raise TypeError("callbacks: expected a list of functions; got one, which takes brackets")
    hooks = list(callbacks)
    for k, hook in enumerate(hooks):
        if not callable(hook):
            raise TypeError(f"callbacks[{k}]: expected a function; got {type(hook).__name__}")
    return hooks


def _begin(
    kept: Checkpoints,
    resume: str | os.PathLike[str] | None,
    trainer: _core._Trainer,
    optimizer: Optimizer,
    *,
    history: History,
    epochs: int,
) -> None:
    if resume is not None:
        history._epochs += [Epoch(**report) for report in kept.resume(resume)]
        if epochs < len(history):
            raise ValueError(
                f"epochs is {epochs}, but {len(history)} are done; expected {len(history)} or "
                "more, in all"
            )
        if optimizer.lr != trainer.lr:  # callbacks had changed it
            optimizer.lr = trainer.lr
    kept.begin()


def evaluate(
    network: Network,
    data: LabelledSpikes,
    loss: LossFunction,
    t_end: float | None = None,
    *,
    threads: int | None = None,
    dtype: DTypeLike = np.float32,
    max_spikes_per_sample: int = 0,
    max_memory_per_sample: float = 0.0,
    max_seconds_per_sample: float = 0.0,
) -> Evaluation:
    """Return loss and accuracy of a network on data, without training.

    Parameters
    ----------
    network, data, loss, t_end, threads, dtype
        As in `fit`.
    max_spikes_per_sample, max_memory_per_sample, max_seconds_per_sample
        As in `simulate`.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        Something that does not fit together; a sample that takes more than it may.
    TypeError
        An argument of a wrong type, named in the message.

    Warns
    -----
    SaltusWarning
        Input that comes after the end, times or time constants that look like another unit.
    """
    _, real = _core_type(dtype)
    count = thread_count(threads)
    limits = limits_for_core(max_spikes_per_sample, max_memory_per_sample, max_seconds_per_sample)
    check_setup(network, loss, t_end, dtype=real).check_data(data, "data")
    # A copy, so that the values that a loss of one's own may look at stay the network's.
    setup = check_setup(network.copy(), loss, t_end, dtype=real)
    core = _core.evaluate32 if real == np.float32 else _core.evaluate64
    given = setup.core_data(data)
    Adviser().say(_core.advice(network._core, given, setup.t_end))
    found = core(setup.network._core, loss_for_core(setup, []), setup.t_end, given, count, limits)
    if found["accuracy"] is None:
        found["predictions"] = None
    return Evaluation(**{**found, "loss": loss_of(found)})
