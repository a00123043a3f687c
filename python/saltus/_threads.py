# SPDX-License-Identifier: Apache-2.0
"""How many threads the core takes where a call does not say."""

from __future__ import annotations

from ._arrays import whole

_setting = {"threads": 1}


def set_threads(threads: int) -> None:
    """Set how many threads calls take that do not say: 1 at first; 0: all cores.

    No number of threads changes a bit of any result.

    Parameters
    ----------
    threads : int

    Raises
    ------
    ValueError, TypeError
        No whole number of at least 0.
    """
    _setting["threads"] = whole(threads, "threads")


def get_threads() -> int:
    """Return what `set_threads` set."""
    return _setting["threads"]


def thread_count(given: int | None) -> int:
    """Return the number that a call asks for, or the setting."""
    return get_threads() if given is None else whole(given, "threads")
