# SPDX-License-Identifier: Apache-2.0
"""Exact gradients of spiking neural networks, event by event.

A `Network` and its input spikes give a `Record` (`simulate`); the record and the errors of a loss
give gradients (`backward`). Method: T. C. Wunderlich and C. Pehle, "Event-based backpropagation can
compute exact gradients for spiking neural networks", Scientific Reports 11, 12829 (2021).
"""

from importlib.metadata import PackageNotFoundError, version

from ._backward import backward
from ._network import Network
from ._record import Maxima, Place, Record, Spikes, record, simulate

try:
    __version__ = version("saltus")
except PackageNotFoundError:  # run from a build folder
    __version__ = "0+unknown"

__all__ = [
    "Maxima",
    "Network",
    "Place",
    "Record",
    "Spikes",
    "__version__",
    "backward",
    "record",
    "simulate",
]
