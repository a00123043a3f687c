# SPDX-License-Identifier: Apache-2.0
"""Which class a network takes samples for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._arrays import expect_dimensions, expect_shape, integers, whole
from ._fit import evaluate
from ._loss import LossFunction
from ._network import Network
from .data._labelled import LabelledSpikes


def predict(
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
) -> NDArray[np.int32]:
    """Return the class that wins in each sample, as the loss has it.

    Parameters
    ----------
    network, data, loss, t_end, threads, dtype
        As in `evaluate`. Labels do not matter: the loss is given 0 for each.
    max_spikes_per_sample, max_memory_per_sample, max_seconds_per_sample
        As in `simulate`.

    Returns
    -------
    ndarray of int32, shape (samples,)
        -1 where no output says anything.

    Raises
    ------
    ValueError
        As `evaluate`; a loss that makes no predictions.
    TypeError
        An argument of a wrong type, named in the message.
    """
    if isinstance(data, LabelledSpikes):
        data = replace(data, labels=np.zeros_like(data.labels), classes=max(1, data.classes))
    found = evaluate(
        network,
        data,
        loss,
        t_end,
        threads=threads,
        dtype=dtype,
        max_spikes_per_sample=max_spikes_per_sample,
        max_memory_per_sample=max_memory_per_sample,
        max_seconds_per_sample=max_seconds_per_sample,
    ).predictions
    if found is None:
        raise ValueError(f"loss: {loss!r} makes no predictions; expected one that does")
    return found


def confusion_matrix(
    labels: ArrayLike, predictions: ArrayLike, classes: int | None = None
) -> NDArray[np.int64]:
    """Count which class was taken for which.

    Parameters
    ----------
    labels, predictions : array_like of int, shape (samples,)
        What each sample is, and what it was taken for; -1 for nothing, which is not counted.
    classes : int, optional
        The largest number + 1 unless given.

    Returns
    -------
    ndarray of int64, shape (classes, classes)
        ``[label, prediction]``.

    Raises
    ------
    ValueError
        Arrays of different lengths, a class that there is not.
    TypeError
        An argument of a wrong type, named in the message.

    Examples
    --------
    >>> import saltus
    >>> saltus.confusion_matrix([0, 0, 1, 1], [0, 1, 1, -1])
    array([[1, 1],
           [0, 1]])
    """
    true = integers(labels, "labels", np.int64)
    found = integers(predictions, "predictions", np.int64)
    expect_dimensions(true, "labels", "[samples]")
    expect_shape(found, "predictions", true.shape, axes="[samples], as the labels")
    most = 1 + max([-1, *true.tolist(), *found.tolist()])
    count = most if classes is None else whole(classes, "classes")
    for name, numbers, least in ("labels", true, 0), ("predictions", found, -1):
        for wrong in numbers[(numbers < least) | (numbers >= count)][:1]:
            raise ValueError(f"{name}: {wrong} is no class; expected {least} to {count - 1}")
    said = found >= 0
    flat = np.bincount(true[said] * count + found[said], minlength=count * count)
    return flat.reshape(count, count)
