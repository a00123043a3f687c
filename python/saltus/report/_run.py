# SPDX-License-Identifier: Apache-2.0
"""What a training left in its folder."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from .. import data as data_sets
from .._epochs import Epoch, History
from .._loss import Loss, LossFunction
from .._models import SPIKING
from .._network import Network, load
from ..data._labelled import LabelledSpikes

# Of `saltus train`, of `fit`; and those of format 1.
_MODELS = ("model.safetensors", "checkpoint.safetensors", "model.h5", "checkpoint.h5")


@dataclass(frozen=True)
class Run:
    """A training, and what can be known of it.

    Attributes
    ----------
    model : Path
        The file of the network.
    history : History
        Complete epochs, and the part of one in which the run was stopped.
    stopped : bool
        Whether the last epoch of the history is such a part.
    settings : dict
        By name; empty where the folder has none.
    loss : Loss, callable or None
        None where it is not known, for the reason in `missing`.
    test : LabelledSpikes or None
        None where they are not known or not found, for the reason in `missing`.
    missing : str
        A sentence.
    """

    folder: Path
    model: Path
    network: Network
    history: History
    stopped: bool
    settings: dict[str, Any]
    loss: LossFunction | None
    t_end: float | None
    test: LabelledSpikes | None
    missing: str
    command: str

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return self.folder.resolve().name

    @property
    def task(self) -> str:
        """Return yinyang, mnist or spikes; empty for a training of `fit` on other data."""
        return str(self.settings.get("task", ""))

    @property
    def readout(self) -> str:
        """Return the population that the loss looks at."""
        last = self.network.populations[-1]
        return str(getattr(self.loss, "readout", self.settings.get("readout", last)))

    @property
    def hidden(self) -> list[str]:
        """Return the populations that spike, without the readout."""
        found = self.network._populations.items()
        return [name for name, (m, _) in found if m in SPIKING and name != self.readout]

    @property
    def dtype(self) -> type[np.float32] | type[np.float64]:
        """Return the type of weights, currents and voltages while it was trained."""
        return np.float64 if self.settings.get("precision") == "float64" else np.float32

    def column(self, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return a figure of every epoch; NaN where there is none."""
        values = [getattr(epoch, name) for epoch in self.history]
        return np.array([math.nan if v is None else v for v in values], np.float64)


def read(
    folder: str,
    *,
    data: LabelledSpikes | str | os.PathLike[str] | None,
    loss: LossFunction | None,
    t_end: float | None,
    command: str,
) -> Run:
    """Read all that the folder holds; raise as `saltus.report.write` says."""
    place = Path(folder)
    expected = "expected what `saltus train --out` or saltus.fit(checkpoint=...) left"
    if not place.is_dir():
        what = "is no folder" if place.exists() else "does not exist"
        raise FileNotFoundError(f"folder: {place} {what}; {expected}")
    model = next((place / name for name in _MODELS if (place / name).is_file()), None)
    if model is None:
        raise FileNotFoundError(
            f"folder: {place} holds neither {' nor '.join(_MODELS[:2])}; {expected}"
        )
    network = load(model)
    settings = _settings(place)
    _check_together(place / "settings.json", model)
    history, stopped = _history(place / "metrics.jsonl")
    settings.setdefault("task", _recognised(settings, network))
    why = []
    if loss is None:
        loss, said = _loss(settings, network)
        why += said
    test, said = _test(settings, network, data)
    why += said
    if t_end is None and "t_end" in settings:
        t_end = _seconds(settings["t_end"])
        fitted = not (place / "settings.json").is_file()
        if fitted and t_end == math.inf and test is not None and test.t_end is not None:
            t_end = None  # what the data say of each sample
    return Run(
        folder=place,
        model=model,
        network=network,
        history=history,
        stopped=stopped,
        settings=settings,
        loss=loss,
        t_end=t_end,
        test=test,
        missing=" ".join(why),
        command=command,
    )


def _settings(place: Path) -> dict[str, Any]:
    for file in place / "settings.json", place / "training.json":
        if not file.is_file():
            continue
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file} is not JSON ({error}); expected settings") from None
        if not isinstance(found, dict):
            raise ValueError(f"{file} holds {type(found).__name__}; expected settings by name")
        return found
    return {}


def _check_together(settings: Path, model: Path) -> None:
    """Refuse settings that are not those of the model, as ``saltus eval`` does."""
    if not settings.is_file() or not model.name.startswith("model."):
        return
    try:
        _core.check_settings_of_model(str(settings), str(model))
    except ValueError as error:
        raise ValueError(f"{settings}: {error}") from None


def _history(file: Path) -> tuple[History, bool]:
    epochs, stopped = [], False
    if not file.is_file():
        return History(), stopped
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            figures: dict[str, Any] = {k: entry.get(k) for k in Epoch.__dataclass_fields__}
            figures.update({k: math.inf for k, v in figures.items() if v == "infinite"})
            epoch = Epoch(**figures)
            sound = isinstance(epoch.epoch, int) and all(
                value is None or isinstance(value, int | float)
                for name, value in vars(epoch).items()
                if name != "silent_populations"
            )
        except (ValueError, AttributeError, RecursionError):
            sound = False
        if not sound:
            raise ValueError(f"{file}: line {number} is not an epoch's line of a training")
        if epoch.epoch != number:
            raise ValueError(f"{file}: line {number} is of epoch {epoch.epoch}; expected {number}")
        epochs.append(epoch)
        stopped = entry.get("complete") is False
    return History(epochs), stopped


def _seconds(value: Any) -> float:
    return math.inf if value == "infinite" else float(value)


def input_sizes(network: Network) -> list[int]:
    """Return how many channels each input takes."""
    return [size for model, size in network._populations.values() if model == "input"]


def _recognised(settings: dict[str, Any], network: Network) -> str:
    """A training of `fit` on the Yin-Yang data, which can be made again, is known by its print."""
    if "training_data" in settings and input_sizes(network) == [5]:
        print_of = _core.fingerprint(data_sets.yin_yang("train")._core_data())
        if settings["training_data"] == print_of:
            return "yinyang"
    return ""


def _loss(settings: dict[str, Any], network: Network) -> tuple[Loss | None, list[str]]:
    kind, known = settings.get("loss"), _core.losses()
    if kind is None:
        return None, ["The folder does not say which loss was trained on."]
    if kind not in known:
        return None, [
            f"The loss {kind} is not one of the library: saltus.report.write(..., loss=...) takes "
            "it."
        ]
    given = {name: _seconds(settings[name]) for name in known[kind][1] if name in settings}
    readout = str(settings.get("readout", network.populations[-1]))
    return Loss(kind, readout=readout, **given), []


def _test(
    settings: dict[str, Any],
    network: Network,
    data: LabelledSpikes | str | os.PathLike[str] | None,
) -> tuple[LabelledSpikes | None, list[str]]:
    """The test data, or why there are none; data that were given must be there."""
    if isinstance(data, LabelledSpikes):
        return data, []
    task = str(settings.get("task", ""))
    if task == "yinyang" and data is not None:
        raise ValueError(f"data is {data}, but task yinyang has no such data: it makes its own")
    if task == "yinyang":
        return data_sets.yin_yang("test", t_max=_seconds(settings.get("t_max", 30e-3))), []
    named = Path(str(settings.get({"mnist": "data", "spikes": "test_file"}.get(task, ""), "")))
    if data is not None:
        place = Path(data)
        if task == "spikes" and place.is_dir():
            place /= named.name
        if not place.exists():
            raise FileNotFoundError(f"data: {place} does not exist; expected the test data")
        return _read(place, settings, network), []
    if named == Path():
        said = "--data FILE, or saltus.report.write(..., data=...), says it."
        return None, [f"The folder does not say where the test data are: {said}"]
    places = [p for p in _places(named) if p.exists()]
    if not places:
        return None, [f"The test data are not in {named} any more: --data says where they are."]
    return _read(places[0], settings, network), []


def _read(place: Path, settings: dict[str, Any], network: Network) -> LabelledSpikes:
    """A folder of IDX files, or a file of spikes."""
    if place.is_dir():
        return data_sets.mnist(place, "test", t_max=_seconds(settings.get("t_max", 20e-3)))
    channels = sum(input_sizes(network))
    origin = settings.get("origin", "0")
    return data_sets.read_spike_file(
        place,
        channels,
        unit=settings.get("unit", 1.0),
        origin=origin if origin == "first" else float(origin),
    )


def _places(named: Path) -> list[Path]:
    """Where the run found them, and the same in the folder of all data sets."""
    root = os.environ.get("SALTUS_DATA")
    beside = [Path(root) / named.name, Path(root) / named.parent.name / named.name] if root else []
    return [named, *beside]
