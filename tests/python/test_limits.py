# SPDX-License-Identifier: Apache-2.0
"""What a sample may take: keywords of simulate, fit, evaluate and predict."""

import time

import numpy as np
import pytest
import saltus


@pytest.fixture
def runaway():
    net = saltus.Network()
    net.add_input("in", 2)
    net.add_population("hidden", "LIF", 50)
    net.add_population("out", "LI", 2)
    net.connect("in", "hidden", np.full((2, 50), 10.0))
    net.connect("hidden", "hidden", np.full((50, 50), 5.0), delay=1e-3)
    net.connect("hidden", "out", np.ones((50, 2)))
    return net


def driven(samples=4):
    """Sample 0 is silent."""
    return [(np.array([]), np.array([], np.int32))] + [
        (np.array([1e-3, 2e-3]), np.array([0, 1], np.int32)) for _ in range(samples - 1)
    ]


def test_simulate_names_sample_population_and_time(runaway):
    told = set()
    for threads in 1, 2, 4:
        with pytest.raises(
            ValueError, match=r"sample 1: population 'hidden' takes it over 5000 spikes by 0\.0"
        ) as error:
            saltus.simulate(
                runaway, {"in": driven()}, 0.05, threads=threads, max_spikes_per_sample=5000
            )
        told.add(str(error.value))
    assert len(told) == 1
    with pytest.raises(ValueError, match="bytes of spikes"):
        saltus.simulate(runaway, {"in": driven()}, 0.05, max_memory_per_sample=1e5)
    with pytest.raises(ValueError, match=r"0\.05 s of processor time"):
        saltus.simulate(runaway, {"in": driven()}, 5.0, max_seconds_per_sample=0.05)


def test_a_limit_that_is_kept_changes_nothing(runaway):
    few = runaway.copy()
    few["hidden->hidden.weight"] = np.full((50, 50), 0.1)
    free = saltus.simulate(few, {"in": driven()}, 0.05)
    kept = saltus.simulate(
        few, {"in": driven()}, 0.05, max_spikes_per_sample=10**6, max_seconds_per_sample=60.0
    )
    np.testing.assert_array_equal(free.spikes("hidden").times, kept.spikes("hidden").times)


def test_fit_evaluate_and_predict_name_the_sample_of_the_data(runaway):
    data = saltus.data.labelled_spikes(driven(40), np.arange(40) % 2, 2)
    loss, limit = saltus.MaximumVoltage(), {"max_spikes_per_sample": 5000}
    for call in (
        lambda: saltus.evaluate(runaway, data, loss, 0.05, **limit),
        lambda: saltus.predict(runaway, data, loss, 0.05, **limit),
    ):
        with pytest.raises(ValueError, match="sample 1: population 'hidden'"):
            call()
    with pytest.raises(ValueError, match=r"sample [1-9]\d*: population 'hidden'"):
        saltus.fit(runaway, data, loss, 0.05, epochs=1, batch=8, progress=False, **limit)


def test_a_wrong_limit_is_told(runaway):
    for wrong, error in ((-1, ValueError), (0.5, TypeError)):
        with pytest.raises(error, match="max_spikes_per_sample"):
            saltus.simulate(runaway, {"in": driven()}, 0.05, max_spikes_per_sample=wrong)
    for wrong in -1.0, float("nan"):
        with pytest.raises(ValueError, match="max_seconds_per_sample"):
            saltus.simulate(runaway, {"in": driven()}, 0.05, max_seconds_per_sample=wrong)


def test_a_search_that_lasts_is_ended():
    # Between two arrivals V turns five million times, close to the threshold.
    net = saltus.Network()
    net.add_input("in", 2)
    net.add_population("h", "RF", 1, frequency=1e9)
    net.connect("in", "h", np.full((2, 1), 3000.0))
    begun = time.process_time()
    with pytest.raises(ValueError, match=r"'h' had come to .* when 0\.05 s of processor time"):
        saltus.simulate(net, {"in": driven(2)}, 0.05, max_seconds_per_sample=0.05)
    assert time.process_time() - begun < 5
