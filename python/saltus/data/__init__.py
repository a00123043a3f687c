# SPDX-License-Identifier: Apache-2.0
"""Data sets as labelled spikes: generated, from files, or from Tonic; augmentations.

Nothing is downloaded unless `fetch` is called.
"""

from ._augment import drop_spikes, jitter_times, merge_samples, shift_units
from ._events import from_events
from ._fetch import SOURCES, Source, fetch
from ._labelled import LabelledSpikes, labelled_spikes
from ._sources import fashion_mnist, mnist, read_spike_file, yin_yang, yin_yang_points
from ._split import concatenate, leave_one_group_out, split, stack_channels, stratified_folds
from ._tonic import from_tonic

__all__ = [
    "SOURCES",
    "LabelledSpikes",
    "Source",
    "concatenate",
    "drop_spikes",
    "fashion_mnist",
    "fetch",
    "from_events",
    "from_tonic",
    "jitter_times",
    "labelled_spikes",
    "leave_one_group_out",
    "merge_samples",
    "mnist",
    "read_spike_file",
    "shift_units",
    "split",
    "stack_channels",
    "stratified_folds",
    "yin_yang",
    "yin_yang_points",
]
