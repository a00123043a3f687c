# SPDX-License-Identifier: Apache-2.0
"""Data sets as labelled spikes: generated, from files, or from Tonic; augmentations.

Nothing is downloaded unless `fetch` is called.
"""

from ._augment import drop_spikes, jitter_times, merge_samples, shift_units
from ._events import from_events
from ._fetch import SOURCES, Source, fetch
from ._labelled import LabelledSpikes, labelled_spikes
from ._sources import fashion_mnist, mnist, read_spike_file, yin_yang, yin_yang_points
from ._tonic import from_tonic

__all__ = [
    "SOURCES",
    "LabelledSpikes",
    "Source",
    "drop_spikes",
    "fashion_mnist",
    "fetch",
    "from_events",
    "from_tonic",
    "jitter_times",
    "labelled_spikes",
    "merge_samples",
    "mnist",
    "read_spike_file",
    "shift_units",
    "yin_yang",
    "yin_yang_points",
]
