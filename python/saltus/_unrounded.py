# SPDX-License-Identifier: Apache-2.0
"""What is not trained keeps its bits, though the core trains with weights of another type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import DTypeLike

from ._network import Network


@contextmanager
def unrounded(network: Network, names: Iterable[str], dtype: DTypeLike) -> Iterator[None]:
    """Put values of these parameters back at the end where they were rounded to `dtype`, no more.

    What an optimiser of one's own made of them stays.
    """
    before = {name: network[name].copy() for name in names}
    try:
        yield
    finally:
        for name, values in before.items():
            now = network._parameter(name)
            with np.errstate(over="ignore"):
                rounded = values.astype(dtype)
            now[...] = np.where(now == rounded, values, now)
