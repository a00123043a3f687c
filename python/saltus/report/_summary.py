# SPDX-License-Identifier: Apache-2.0
"""What was trained, how, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from .._models import MODELS
from ._evaluation import Tested
from ._page import Section, figure_of, folded, percent, sentence, table
from ._run import Run

_TASKS = {"yinyang": "Yin-Yang", "mnist": "images by latency", "spikes": "a spike file"}


def headline(run: Run, found: Tested | None) -> str:
    """Return the run in one sentence or two."""
    sizes = "–".join(str(size) for _, size in run.network._populations.values())
    trained = f"A network of {sizes} neurons, trained"
    if run.task:
        trained += f" on {_TASKS.get(run.task, run.task)}"
    done = len(run.history) - run.stopped
    if run.history:
        trained += f" for {done} {'epoch' if done == 1 else 'epochs'}"
        if run.stopped:
            trained += f", stopped within epoch {done + 1}"
    said = f"{trained}."
    if found is not None:
        said += _tested(found)
    return said


def _tested(found: Tested) -> str:
    result = found.result
    if result.accuracy is None:
        return f" Loss {figure_of(result.loss)} on {found.which}."
    return f" It is right in {percent(result.accuracy)} of {found.which}."


def results(run: Run, found: Tested | None) -> Section:
    """Return the figures that one looks for first."""
    cards: dict[str, str] = {}
    if found is not None:
        cards["test accuracy"] = percent(found.result.accuracy)
        cards["test loss"] = figure_of(found.result.loss)
    if run.history:
        last = run.history[-1]
        if last.validation_accuracy is not None:
            cards["validation accuracy"] = percent(last.validation_accuracy)
        cards["training accuracy"] = percent(last.accuracy)
        seconds, samples = run.column("seconds"), run.column("samples")
        cards["training time"] = _time(float(np.nansum(seconds)))
        if np.nansum(samples) > 0:
            per = 1e6 * np.nansum(seconds) / np.nansum(samples)
            cards["a training sample"] = f"{figure_of(float(per), 3)} µs"
        cards["hidden spikes a training sample"] = figure_of(last.hidden_spikes_per_sample, 3)
        if last.silent_neurons is not None:
            cards["silent neurons"] = str(last.silent_neurons)
    items = "".join(
        f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>\n"
        for k, v in cards.items()
        if v != "–"
    )
    body = f'<dl class="figures">\n{items}</dl>\n' if items else ""
    if run.stopped:
        body += sentence("The run was stopped within an epoch; the last figures are of that part.")
    if not run.history:
        body += sentence(
            "The folder has no metrics.jsonl with an epoch in it: nothing is known of the course "
            "of the training."
        )
    if run.missing:
        body += sentence(f"{run.missing} The page has no sections about samples.")
    return Section("results", "Results", body)


def network(run: Run, _found: Tested | None) -> Section:
    """Return the network and the settings."""
    body = table(
        "Populations",
        ("name", "model", "neurons", "parameters"),
        (
            (name, model, f"{size:,}", _parameters(run, name, model))
            for name, (model, size) in run.network._populations.items()
        ),
    )
    body += table(
        "Projections",
        ("name", "weights", "weight", "delay"),
        (
            (
                name,
                f"{run.network[f'{name}.weight'].size:,}",
                _spread(run.network[f"{name}.weight"]),
                _spread(1e3 * run.network[f"{name}.delay"], "ms")
                if f"{name}.delay" in run.network
                else "none",
            )
            for name in run.network.projections
        ),
    )
    if "optimizer" in run.settings:
        of = {name: _setting(value) for name, value in run.settings.items()}
        body += sentence(
            f"Loss {of.get('loss', '?')}; optimiser {of['optimizer']} with a learning rate of "
            f"{of.get('lr', '?')}, schedule {of.get('schedule', '?')}; minibatches of "
            f"{of.get('batch', '?')}; seed {of.get('seed', '?')}; trained: "
            f"{of.get('trainable', '?')}."
        )
    if run.settings:
        body += folded(
            "All settings",
            table("Settings", ("name", "value"), _settings(run)),
        )
    return Section("network", "Network and settings", body)


def _settings(run: Run) -> Iterator[tuple[str, str]]:
    for name, value in sorted(run.settings.items()):
        if value not in ("", []):
            yield name, _setting(value)


def _setting(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _parameters(run: Run, name: str, model: str) -> str:
    """Times in ms; initial values that are 0 go without saying."""
    if model == "input":
        return ""
    said = []
    for key in MODELS[model].parameters:
        value = run.network[f"{name}.{key}"]
        if key.endswith("_initial") and not np.any(value):
            continue
        seconds = key.startswith("tau_")
        said.append(f"{key} {_spread(1e3 * value if seconds else value, 'ms' if seconds else '')}")
    return ", ".join(said)


def _spread(values: np.ndarray[Any, Any], unit: str = "") -> str:
    unit = unit and f" {unit}"
    if values.size == 0:
        return "none"
    low, high = float(values.min()), float(values.max())
    if low == high:
        return f"{figure_of(low)}{unit}"
    return (
        f"{figure_of(float(values.mean()), 3)} ± {figure_of(float(values.std()), 3)}{unit} "
        f"({figure_of(low, 3)} to {figure_of(high, 3)})"
    )


def _time(seconds: float) -> str:
    if math.isnan(seconds):
        return "–"
    if seconds < 120:
        return f"{figure_of(seconds, 3)} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 120 else f"{minutes} min"
