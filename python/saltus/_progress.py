# SPDX-License-Identifier: Apache-2.0
"""A line that tells how far a training is: redrawn in place on a terminal, plain elsewhere."""

from __future__ import annotations

import os
import sys
import time

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
        self._live = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._start = time.monotonic()
        self._epoch = self._before = done

    def batch(self, done: int, loss: float, accuracy: float | None) -> None:
        """Say how many samples of the current epoch are done, and how it goes."""
        if not self._live:
            return
        full = _BAR * done // max(1, self._samples)
        text = f"{self._epoch + 1}/{self._epochs} [{'#' * full:{_BAR}}] loss {loss:.4f}"
        if accuracy is not None:
            text += f"  accuracy {100 * accuracy:.2f} %"
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    def epoch(self, text: str) -> None:
        """Say what an epoch gave."""
        self._epoch += 1
        if self._quiet:
            return
        each = (time.monotonic() - self._start) / (self._epoch - self._before)
        left = each * (self._epochs - self._epoch)
        clear = "\r\x1b[K" if self._live else ""
        minutes, seconds = divmod(round(left), 60)
        line = f"epoch {self._epoch:3}/{self._epochs}  {text}  {minutes}:{seconds:02} left"
        print(f"{clear}{line}", file=sys.stderr)

    def clear(self) -> None:
        """Take the unfinished line away."""
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
