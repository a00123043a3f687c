# SPDX-License-Identifier: Apache-2.0
"""A line that tells how far a training is: redrawn in place on a terminal, plain elsewhere.

In a notebook it is a bar of tqdm, where that is installed.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import Any

_BAR = 20


class Progress:
    """Writes to standard error.

    Parameters
    ----------
    epochs, samples : int
        How many epochs, and samples in each.
    quiet : bool
        Write nothing.
    done : int
        Epochs of a training that is resumed.
    """

    def __init__(self, epochs: int, samples: int, quiet: bool, done: int = 0) -> None:
        self._epochs, self._samples, self._quiet = epochs, samples, quiet
        self._bar = None if quiet else _notebook_bar(epochs * samples, done * samples)
        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._live = not quiet and self._bar is None and terminal
        self._start = time.monotonic()
        self._epoch = self._before = done

    def batch(self, done: int, loss: float, accuracy: float | None) -> None:
        """Say how many samples of the current epoch are done, and how it goes."""
        text = f"loss {loss:.4f}"
        if accuracy is not None:
            text += f"  accuracy {100 * accuracy:.2f} %"
        self._advance(self._epoch * self._samples + done, text)
        if self._live:
            full = _BAR * done // max(1, self._samples)
            line = f"{self._epoch + 1}/{self._epochs} [{'#' * full:{_BAR}}] {text}"
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

    def epoch(self, text: str) -> None:
        """Say what an epoch gave."""
        self._epoch += 1
        self._advance(self._epoch * self._samples, text)
        if self._quiet or self._bar is not None:
            return
        each = (time.monotonic() - self._start) / (self._epoch - self._before)
        left = each * (self._epochs - self._epoch)
        clear = "\r\x1b[K" if self._live else ""
        minutes, seconds = divmod(round(left), 60)
        line = f"epoch {self._epoch:3}/{self._epochs}  {text}  {minutes}:{seconds:02} left"
        print(f"{clear}{line}", file=sys.stderr)

    def clear(self) -> None:
        """Take the unfinished line away."""
        if self._bar is not None:
            self._bar.close()
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _advance(self, samples: int, text: str) -> None:
        if self._bar is not None:
            self._bar.set_description(f"epoch {self._epoch}/{self._epochs}", refresh=False)
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(samples - self._bar.n)


def _notebook_bar(total: int, done: int) -> Any:
    """Return a bar of tqdm in a notebook; None elsewhere, and where tqdm is not installed."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if type(shell).__name__ != "ZMQInteractiveShell":  # of Jupyter, not of a terminal
        return None
    try:
        tqdm = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return None
    return tqdm(total=total, initial=done, unit=" samples")
