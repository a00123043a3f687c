# SPDX-License-Identifier: Apache-2.0
"""Networks and spikes that several tests use."""

import os
from pathlib import Path

import numpy as np
import pytest
import saltus


def data_folder(name):
    """Return a folder of the shared data, or skip the test and say why."""
    root = Path(os.environ.get("SALTUS_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (root / name).is_dir():
        pytest.skip(f"no data: {root / name} does not exist; set SALTUS_DATA")
    return root / name


def random_batch(rng, samples=3, size=4, count=8, until=0.04):
    """(times, neurons, offsets) of random spikes."""
    times = np.sort(rng.uniform(1e-3, until, (samples, count)), axis=1).reshape(-1)
    neurons = rng.integers(0, size, samples * count).astype(np.int32)
    return times, neurons, np.arange(samples + 1) * count


def recurrent_net(seed=0):
    """A recurrent, delayed network of three populations whose every parameter matters."""
    rng = np.random.default_rng(seed)
    net = saltus.Network()
    net.add_input("in", 4)
    net.add_population(
        "hidden",
        "LIF",
        5,
        tau_mem=rng.uniform(15e-3, 25e-3, 5),
        tau_syn=5e-3,
        v_threshold=rng.uniform(0.9, 1.1, 5),
        v_reset=-0.1,
        bias=rng.uniform(0.0, 0.3, 5),
        tau_ref=2e-3,
        v_initial=rng.uniform(-0.2, 0.2, 5),
        i_initial=0.3,
    )
    net.add_population("out", "LI", 2, tau_syn=[4e-3, 7e-3], bias=0.02, i_initial=0.1)
    net.connect("in", "hidden", rng.normal(3.0, 1.0, (4, 5)), 1e-3)
    net.connect("hidden", "hidden", rng.normal(0, 0.7, (5, 5)), rng.uniform(1e-3, 4e-3, (5, 5)))
    net.connect("hidden", "out", rng.normal(0, 1.0, (5, 2)), rng.uniform(0.5e-3, 2e-3, 5))
    return net
