# SPDX-License-Identifier: Apache-2.0
"""What the tables of costs share: spikes at random, and processor time of a sample."""

import time

import numpy as np


def random_spikes(rng, samples, spikes, channels):
    """Return as many spikes in each sample, in 50 ms."""
    times = np.sort(rng.uniform(0, 0.05, (samples, spikes)), axis=1).reshape(-1)
    neurons = rng.integers(0, channels, samples * spikes).astype(np.int32)
    return {"in": (times, neurons, np.arange(samples + 1) * spikes)}


def clocked(run, samples):
    """Return what `run` returns, and microseconds a sample."""
    begin = time.process_time()
    result = run()
    return result, (time.process_time() - begin) / samples * 1e6
