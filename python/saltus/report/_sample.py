# SPDX-License-Identifier: Apache-2.0
"""One sample from within: spikes, voltages, and what the loss wants of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from .._advice import SaltusWarning
from .._backward import adjoint
from .._models import SPIKING
from .._record import Record, simulate
from ..data._labelled import LabelledSpikes
from ..plot import adjoints, voltages
from ._evaluation import Tested
from ._figure import INK, figure, style, svg
from ._page import Section, figure_of, picture, pictures, sentence
from ._run import Run

_WITH_ADJOINTS = ("LIF", "LI")  # models of which `adjoint` can be asked
_TRACES, _OUTPUTS = 3, 4
_COARSE, _FINE = 60, 400  # times at which traces are compared, and at which they are told


@dataclass(frozen=True)
class _View:
    """A sample that was run, and until when it is drawn, in seconds."""

    run: Run
    record: Record
    sample: LabelledSpikes
    label: int
    prediction: int | None
    errors: Mapping[str, Any]
    until: float

    def model(self, name: str) -> str:
        return self.run.network._populations[name][0]

    def size(self, name: str) -> int:
        return self.run.network._populations[name][1]


def section(run: Run, found: Tested | None) -> Section | None:
    """Return raster, traces and adjoints of the first sample that the network gets right."""
    if found is None:
        return None
    view = _view(run, found)
    said = f"A test sample of label {view.label}"
    if view.prediction is not None:
        taken = f"taken for {view.prediction}"
        said += f", {taken if view.prediction >= 0 else 'for which no output says anything'}"
    outputs = _outputs(view)
    with style():
        parts = [_raster(view), _voltages(view, run.readout, outputs, f"outputs {_list(outputs)}")]
        if run.hidden:
            parts += _hidden(view, run.hidden[-1])
    return Section("sample", "A sample from within", sentence(f"{said}.") + pictures(parts))


def _view(run: Run, found: Tested) -> _View:
    predictions = found.result.predictions
    number = 0 if predictions is None else int(np.argmax(found.labels == predictions))
    sample = found.data[np.array([number])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SaltusWarning)  # said when it was trained
        record = simulate(run.network, sample, run.t_end)
    assert run.loss is not None
    return _View(
        run=run,
        record=record,
        sample=sample,
        label=int(sample.labels[0]),
        prediction=None if predictions is None else int(predictions[number]),
        errors=run.loss(record, sample.labels).errors,
        until=_until(run, record, sample),
    )


def _until(run: Run, record: Record, sample: LabelledSpikes) -> float:
    """The end, or a while after the last spike where there is none."""
    end = float(record._t_end[0])
    if np.isfinite(end):
        return end
    every = [sample.spikes[0], *(record.spikes(name).times for name in _spiking(run))]
    return 1.1 * max((float(t.max()) for t in every if len(t)), default=0.0) or 0.1


def _spiking(run: Run) -> list[str]:
    readout = run.network._populations[run.readout][0] in SPIKING
    return [*run.hidden, *([run.readout] if readout else [])]


def _raster(view: _View) -> str:
    times, neurons, _ = view.sample.spikes
    rows = [("input", view.sample.channels, times, neurons)]
    for name in _spiking(view.run):
        spikes = view.record.spikes(name)
        rows.append((name, view.size(name), spikes.times, spikes.neurons))
    fig = figure(4.4, min(6.0, 1.0 + 1.1 * len(rows)))
    heights = [0.5 if size <= 12 else 1.0 for _, size, _, _ in rows]
    every = fig.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for ax, (name, size, at, who) in zip(every, rows, strict=True):
        # All ticks in one path, not a mark each: 20 bytes a spike instead of 100.
        half = max(0.45, size / 120)
        gap = np.full(len(at), np.nan)
        ax.plot(
            1e3 * np.stack([at, at, gap], axis=1).reshape(-1),
            np.stack([who - half, who + half, gap], axis=1).reshape(-1),
            color=INK,
            linewidth=1.2,
        )
        left, right = -10 * view.until, 1e3 * view.until  # a spike at 0 is not hidden by the axis
        ax.set(ylabel=name, xlim=(left, right), ylim=(-0.5 - half, size - 0.5 + half))
        ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    every[-1].set_xlabel("time (ms)")
    parts = [
        f"{len(at):,} of {name} ({len(np.unique(who)):,} of {size:,} neurons)"
        for name, size, at, who in rows
    ]
    told = f"Spikes: {', '.join(parts)}."
    return picture(svg(fig, "raster", told), told)


def _hidden(view: _View, name: str) -> list[str]:
    """The neurons that the loss would move most, where it can be asked; else the liveliest."""
    asked = view.model(name) in _WITH_ADJOINTS
    if asked:
        traces, _ = adjoint(view.record, name, np.linspace(0, view.until, _COARSE), **view.errors)
        strength = np.abs(traces[0]).max(axis=0)
    else:
        strength = np.bincount(view.record.spikes(name).neurons, minlength=view.size(name))
    chosen = [int(n) for n in np.argsort(-strength, kind="stable")[:_TRACES]]
    parts = [_voltages(view, name, chosen, f"neurons {_list(chosen)} of {name}")]
    return [*parts, _adjoints(view, name, chosen)] if asked else parts


def _outputs(view: _View) -> list[int]:
    """The label's, the winner, and others."""
    size = view.size(view.run.readout)
    first = [view.label, -1 if view.prediction is None else view.prediction]
    return [n for n in dict.fromkeys([*first, *range(size)]) if 0 <= n < size][:_OUTPUTS]


def _voltages(view: _View, name: str, neurons: Sequence[int], which: str) -> str:
    fig = figure()
    voltages(view.record, name, neurons, until=view.until, ax=fig.add_subplot())
    told = f"V of {which}"
    if view.model(name) in SPIKING:
        who = view.record.spikes(name).neurons
        told += f", which spike {_list([int(np.sum(who == n)) for n in neurons])} times; "
        moves = f"{name}.beta" in view.run.network
        told += "▲ is a spike" if moves else "▲ is a spike, dots the threshold"
    else:
        values = view.record.voltages(name, np.linspace(0, view.until, _FINE))[0][:, list(neurons)]
        told += f", which rise to {_list([figure_of(float(v), 3) for v in values.max(axis=0)])}"
    told += "."
    return picture(svg(fig, "outputs" if name == view.run.readout else "hidden", told), told)


def _adjoints(view: _View, name: str, neurons: Sequence[int]) -> str:
    fig = figure(4.4, 3.4)
    axes = list(fig.subplots(2, 1, sharex=True))
    adjoints(view.record, name, view.errors, neurons, until=view.until, axes=axes)
    traces = adjoint(view.record, name, np.linspace(0, view.until, _FINE), **view.errors)
    most = [figure_of(float(np.abs(t[0][:, list(neurons)]).max()), 3) for t in traces]
    told = (
        "Adjoints of the same neurons, those whose V the loss would move most: λV up to "
        f"{most[0]}, λI up to {most[1]} in size; at 0 a change of V, or I, makes no difference."
    )
    return picture(svg(fig, "adjoints", told), told)


def _list(values: Sequence[object]) -> str:
    texts = list(map(str, values))
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
