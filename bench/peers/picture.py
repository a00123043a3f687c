#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws docs/images/peers.png from runs/peers/*.json: one panel a task, one bar a run."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt

matplotlib.use("Agg")
ROOT = Path(__file__).resolve().parent.parent.parent
TITLES = {"yinyang": "Yin-Yang", "mnist": "MNIST", "recurrent": "Recurrent"}
OURS, THEIRS = "#c0392b", "#7f8c8d"


def bars(results: list[dict[str, Any]]) -> tuple[list[str], list[float]]:
    """Saltus first (median of all its runs), then the peers from fast to slow."""
    ours = statistics.median(side["us_per_sample"] for r in results for side in r["saltus"])
    done = [r for r in results if "failed" not in r["peer"]]
    done.sort(key=lambda r: r["peer"]["us_per_sample"])
    names = [f"{r['peer']['peer']}, {r['setting']}\n(minibatch {r['peer']['batch']})" for r in done]
    return ["Saltus", *names], [ours, *(r["peer"]["us_per_sample"] for r in done)]


def main() -> None:
    """Reads, draws, saves."""
    results = [json.loads(f.read_text()) for f in sorted((ROOT / "runs/peers").glob("*.json"))]
    shown = [task for task in TITLES if any(r["task"] == task for r in results)]
    parts = [bars([r for r in results if r["task"] == task]) for task in shown]
    figure, panels = plt.subplots(
        len(shown),
        1,
        figsize=(9, 1.2 + 0.5 * sum(len(names) for names, _ in parts)),
        height_ratios=[len(names) for names, _ in parts],
        layout="constrained",
        squeeze=False,
    )
    for panel, task, (names, times) in zip(panels[:, 0], shown, parts, strict=True):
        drawn = panel.barh(names, times, color=[OURS] + [THEIRS] * (len(names) - 1))
        panel.bar_label(drawn, [f"{t:,.0f}" if t >= 100 else f"{t:.1f}" for t in times], padding=3)
        panel.set(xscale="log", title=TITLES[task])
        panel.set_xlim(min(times) / 3, max(times) * 4)
        panel.invert_yaxis()
        panel.grid(axis="x", alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(axis="y", labelsize=8)
    panels[-1, 0].set_xlabel("µs a training sample, one thread (less is better)")
    target = ROOT / "docs" / "images" / "peers.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=130)


if __name__ == "__main__":
    main()
