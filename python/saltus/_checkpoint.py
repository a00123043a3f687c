# SPDX-License-Identifier: Apache-2.0
"""Trainings kept in files, to be resumed with the same bits."""

from __future__ import annotations

import json
import math
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._advice import SaltusWarning
from ._callbacks import OwnStep
from ._epochs import Epoch, History
from ._loss import Loss
from ._optim import Optimizer, Schedule, _Factor
from ._setup import Setup
from .data._labelled import LabelledSpikes

_LAST, _BEST = "checkpoint.safetensors", "best.safetensors"
_METRICS, _ABOUT = "metrics.jsonl", "training.json"  # for people, other programs and reports


@runtime_checkable
class Remembers(Protocol):
    """A callback whose memory checkpoints keep."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return numbers and arrays of numbers by name."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back."""


def _name(thing: object) -> str:
    kind = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{kind.__module__}.{kind.__qualname__}"


def begun_with(
    setup: Setup,
    data: LabelledSpikes,
    augment: object,
    schedule: Schedule,
    own: OwnStep | None,
) -> str:
    """Return what a checkpoint says, in JSON, of how a training was begun, beside its settings."""
    loss = setup.loss
    about: dict[str, Any] = {"t_end": "infinite" if math.isinf(setup.t_end) else setup.t_end}
    if isinstance(loss, Loss):
        about |= loss._settings()
    if not isinstance(loss, Loss) or type(loss).__call__ is not Loss.__call__:
        about["loss"] = _name(loss)
    if isinstance(schedule, _Factor):
        about["schedule"] = _name(schedule.factor)
    elif type(schedule).lr is not Schedule.lr:
        about["schedule"] = _name(schedule)
    if own is not None:
        about["optimizer"] = _name(own.optimizer)
    about["augment"] = "none" if augment is None else _name(augment)
    about["training_data"] = _core.fingerprint(data._core_data())
    return json.dumps(about)


def told_by(about: str, setup: Setup, settings: Mapping[str, Any]) -> str:
    """Return, in JSON, all that a training was told: what `begun_with` says, and its settings."""
    told = {**settings, **json.loads(about), "precision": setup.dtype.name}
    if setup.built_in is not None:
        told["readout"] = setup.built_in.readout
    return json.dumps(told, indent=2) + "\n"


def _line(epoch: Epoch) -> str:
    """An epoch as ``saltus train`` writes it; JSON has no infinity, and no NaN."""
    figures: dict[str, Any] = {**vars(epoch), "complete": True}
    for name, value in figures.items():
        if isinstance(value, float) and not math.isfinite(value):
            figures[name] = "infinite" if value == math.inf else None
    return json.dumps(figures) + "\n"


def _check_remembers(own: OwnStep) -> None:
    """Refuse an optimiser whose memory would be lost in silence."""
    kind = type(own.optimizer)
    known = {*kind.__dataclass_fields__, "_steps", "_states", "_network"}  # type: ignore[attr-defined]
    more = sorted(vars(own.optimizer).keys() - known)
    if more and kind.state_dict is Optimizer.state_dict:
        raise TypeError(
            f"optimizer: {kind.__name__} keeps {', '.join(more)}, which a checkpoint would lose; "
            "expected it to override state_dict and load_state_dict"
        )


class Checkpoints:
    """Where a training is kept, and from where it goes on.

    Parameters
    ----------
    trainer : the core's
    about : str
        Of `begun_with`.
    told : str
        Of `told_by`.
    history : History
        The epochs that are done, in all.
    folder : path or None
        Of ``checkpoint.safetensors`` and ``best.safetensors``, with ``metrics.jsonl`` and
        ``training.json``; None: nothing is written.
    minutes : float
        Between two checkpoints; 0: one after each epoch.
    own, callbacks
        An optimiser of one's own, and what has a `state_dict` of the callbacks, are kept too.
    """

    def __init__(
        self,
        trainer: _core._Trainer,
        about: str,
        told: str,
        history: History,
        *,
        folder: str | os.PathLike[str] | None,
        minutes: float,
        own: OwnStep | None,
        callbacks: Sequence[object],
    ) -> None:
        self._trainer, self._about, self._own = trainer, about, own
        self._told, self._history = told, history
        self._folder = None if folder is None else Path(folder)
        self._minutes = float(minutes)
        if not self._minutes >= 0:
            raise ValueError(f"checkpoint_minutes is {minutes}; expected at least 0")
        self._owners: dict[str, Remembers] = {}
        if own is not None:
            _check_remembers(own)
            self._owners["optimizer."] = own.optimizer
        for k, callback in enumerate(callbacks):
            if isinstance(callback, Remembers):
                self._owners[f"callback.{k}.{_name(callback)}."] = callback
        self._beside: Path | None = None  # where a resumed training was kept
        self._written = time.monotonic()
        self._lock: _core._FolderLock | None = None

    def _memory(self) -> dict[str, tuple[list[int], NDArray[np.float64]]]:
        memory: dict[str, tuple[list[int], NDArray[np.float64]]] = {}
        for prefix, owner in self._owners.items():
            memory[prefix] = ([0], np.empty(0))  # it was there, though it may remember nothing
            for name, value in owner.state_dict().items():
                array = np.array(value, np.float64)
                memory[prefix + name] = (list(array.shape), array.reshape(-1))
        return memory

    def _save(self, name: str) -> None:
        if self._folder is not None:
            self._trainer.save(str(self._folder / name), self._about, self._memory())

    def _save_last(self) -> None:
        self._save(_LAST)
        self._written = time.monotonic()

    def _metrics(self) -> None:
        self._write(_METRICS, "".join(map(_line, self._history)))

    def _write(self, name: str, text: str) -> None:
        """Replace a file as a whole."""
        if self._folder is not None:
            _core.write_file(os.fspath(self._folder / name), text.encode())

    def _due(self) -> bool:
        return time.monotonic() - self._written >= 60 * self._minutes

    def resume(self, place: str | os.PathLike[str]) -> list[dict[str, Any]]:
        """Put a state that was kept in place, and return what it says of its epochs.

        Parameters
        ----------
        place : path
            A checkpoint, or a folder: then its last.
        """
        path = Path(place)
        self._beside = path if path.is_dir() else path.parent
        told, reports, memory = self._trainer.resume(os.fspath(place), self._about)
        left = set(memory)
        for prefix, owner in self._owners.items():
            mine = {}
            for name, (shape, values) in memory.items():
                if name.startswith(prefix):
                    mine[name.removeprefix(prefix)] = values.reshape(shape)
                    left.discard(name)
            if mine.pop("", None) is not None:
                owner.load_state_dict(mine)
            else:
                told.append(f"{prefix.rstrip('.')} begins anew: the checkpoint has nothing of it")
        if left:
            told.append(f"what the checkpoint has of {', '.join(sorted(left))} is left out")
        for line in told:
            warnings.warn(f"resume: {line}", SaltusWarning, stacklevel=4)
        return list(reports)

    def begin(self) -> None:
        """Keep the state before the first epoch, or the one that was resumed."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = _core._FolderLock(os.fspath(self._folder))
        best = self._folder / _BEST
        if self._trainer.is_best and not self._trainer.within_epoch:
            self._save(_BEST)
        elif self._beside is None or self._trainer.epochs == 0:
            best.unlink(missing_ok=True)
        elif self._beside.resolve() != self._folder.resolve():
            best.unlink(missing_ok=True)
            if (self._beside / _BEST).exists():
                _core.write_file(os.fspath(best), (self._beside / _BEST).read_bytes())
        self._write(_ABOUT, self._told)
        self._metrics()
        self._save_last()

    def minibatch(self) -> None:
        """Keep the state within an epoch, if it is time to."""
        if self._folder is not None and self._minutes > 0 and self._due():
            self._save_last()

    def epoch(self) -> None:
        """Keep the state after an epoch."""
        self._metrics()
        # The best before the last: what a run that is killed in between does again is the same.
        if self._trainer.is_best:
            self._save(_BEST)
        if self._minutes == 0 or self._due():
            self._save_last()

    def end(self) -> None:
        """Keep the last state."""
        if self._minutes > 0:
            self._save_last()

    def release(self) -> None:
        """Let others write the folder."""
        if self._lock is not None:
            self._lock.release()

    def interrupted(self) -> None:
        """Keep what was learnt within an epoch, if nothing stopped half way.

        A step of an optimiser in Python may have: then the checkpoint before it stands.
        """
        if self._trainer.within_epoch and self._own is None:
            self._save_last()
