# SPDX-License-Identifier: Apache-2.0
"""Where the run was written, and what drew the page."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np

from .. import _core
from ._evaluation import Tested
from ._page import Section, sentence, table
from ._run import Run


def section(run: Run, _found: Tested | None) -> Section:
    """Return versions, machine and times."""
    rows = {
        "folder": str(run.folder.resolve()),
        "network": f"{run.model.name}, written {_time(run.model.stat().st_mtime)}",
        "threads of the training": _threads(run),
        "precision of the training": run.settings.get("precision"),
        "command": run.command,
        "Python package": f"saltus {_core.__version__}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "Python": platform.python_version(),
        "NumPy, matplotlib": f"{np.__version__}, {mpl.__version__}",
        "page drawn": _time(datetime.now(UTC).timestamp()),
    }
    body = sentence(
        "Folder, network, threads and precision are of the run; the rest is of the machine that "
        "drew this page."
    )
    shown = [(name, value) for name, value in rows.items() if value not in (None, "")]
    return Section("environment", "Environment", body + table("Environment", ("", ""), shown))


def _threads(run: Run) -> str | None:
    threads = run.settings.get("threads")
    return "all cores" if threads == 0 else None if threads is None else str(threads)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
