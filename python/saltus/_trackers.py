# SPDX-License-Identifier: Apache-2.0
"""Callbacks that hand every epoch of a training to a tool that keeps experiments."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from os import PathLike
from typing import Any

from ._arrays import path
from ._epochs import Epoch
from ._network import Network


class TensorBoard:
    """A callback that writes the numbers of each epoch for TensorBoard.

    Parameters
    ----------
    folder : path-like
        Where ``tensorboard --logdir`` finds them.
    prefix : str
        Of their names: ``"saltus/loss"``.

    Raises
    ------
    ImportError
        Neither PyTorch with tensorboard nor tensorboardX is installed.
    TypeError
        A folder that is no path.

    Examples
    --------
    >>> import saltus
    >>> callbacks = [saltus.TensorBoard("runs/first")]  # doctest: +SKIP
    """

    def __init__(self, folder: str | PathLike[str], *, prefix: str = "saltus") -> None:
        self._writer = _summary_writer(path(folder, "folder"))
        self._prefix = prefix

    def __call__(self, epoch: Epoch, network: Network) -> None:
        """Write an epoch."""
        for name, value in numbers_of(epoch).items():
            self._writer.add_scalar(f"{self._prefix}/{name}", value, epoch.epoch)
        self._writer.flush()


class MLflow:
    """A callback that logs the numbers of each epoch to the active run of MLflow.

    MLflow starts a run if there is none. What else belongs to it (parameters, files) is logged with
    MLflow itself.

    Parameters
    ----------
    prefix : str
        Of the names of the metrics: ``"saltus.loss"``.

    Raises
    ------
    ImportError
        The package mlflow is not installed.

    Examples
    --------
    >>> import saltus
    >>> callbacks = [saltus.MLflow()]  # doctest: +SKIP
    """

    def __init__(self, *, prefix: str = "saltus") -> None:
        try:
            self._mlflow: Any = importlib.import_module("mlflow")
        except ImportError as error:
            raise ImportError("saltus.MLflow needs mlflow: pip install mlflow") from error
        self._prefix = prefix

    def __call__(self, epoch: Epoch, network: Network) -> None:
        """Log an epoch."""
        metrics = {f"{self._prefix}.{name}": value for name, value in numbers_of(epoch).items()}
        self._mlflow.log_metrics(metrics, step=epoch.epoch)


def numbers_of(epoch: Epoch) -> dict[str, float]:
    """Return what of an epoch is a number, but for its own."""
    every = asdict(epoch).items()
    return {k: float(v) for k, v in every if isinstance(v, (int, float)) and k != "epoch"}


def _summary_writer(folder: str) -> Any:
    for module in ("torch.utils.tensorboard", "tensorboardX"):
        try:
            return importlib.import_module(module).SummaryWriter(folder)
        except ImportError:
            continue
    raise ImportError(
        "saltus.TensorBoard needs tensorboard with PyTorch, or tensorboardX: "
        "pip install tensorboard"
    )
