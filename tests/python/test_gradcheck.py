# SPDX-License-Identifier: Apache-2.0
"""saltus.gradcheck: right gradients pass, wrong ones fail, and it says what it saw."""

import dataclasses

import numpy as np
import pytest
import saltus

from .networks import random_batch, recurrent_net


def squares(record, labels):
    """A loss of one's own of all that a loss can look at."""
    spikes = record.spikes("hidden")
    at = [0.013, 0.031]
    maxima, integrals = record.maxima("out").values, record.integrals("out")
    volts = record.voltages("out", at)
    value = 1e3 * (spikes.times**2).sum() + (maxima**2).sum()
    value += 1e4 * (integrals**2).sum() + (volts**2).sum()
    errors = {
        "spike_errors": {"hidden": 2e3 * spikes.times},
        "maximum_errors": {"out": 2 * maxima},
        "integral_errors": {"out": 2e4 * integrals},
        "sample_errors": {"out": (at, 2 * volts)},
    }
    return saltus.LossResult(value, errors)


@pytest.mark.parametrize("seed", [0, 3])
def test_right_gradients_pass_for_every_parameter(seed):
    net = recurrent_net(seed)
    batch = random_batch(np.random.default_rng(seed))
    report = saltus.gradcheck(net, {"in": batch}, 0.05, squares)
    print(report)
    assert report.passed
    assert {c.name for c in report.compared} == {*net, "in.times"}
    assert sum(report.void.values()) < 0.1 * len(report.compared)
    assert report.worst.error == max(c.error for c in report.compared) <= 1e-6
    assert report.spikes == len(saltus.simulate(net, {"in": batch}, 0.05).spikes("hidden"))
    for word in ("passed", report.worst.name, "graze", "maxima at arrivals"):
        assert word in str(report)


@pytest.mark.parametrize("kind", ["spike_errors", "maximum_errors", "integral_errors"])
def test_a_loss_whose_errors_are_wrong_fails(kind):
    def wrong(record, labels):
        result = squares(record, labels)
        errors = dict(result.errors)
        errors[kind] = {k: 1.001 * v for k, v in errors[kind].items()}
        return dataclasses.replace(result, errors=errors)

    batch = random_batch(np.random.default_rng(0))
    report = saltus.gradcheck(recurrent_net(), {"in": batch}, 0.05, wrong)
    assert not report.passed
    assert report.worst.error > 1e-6
    assert "FAILED" in str(report)


def test_first_spikes_pass_where_the_output_of_a_label_is_silent():
    """Its largest V has an error, in a LIF population."""
    net = saltus.Sequential(
        saltus.Input(4), saltus.LIF(6, saltus.Normal(4, 1)), saltus.LIF(2, saltus.Normal(0.15, 0.1))
    )
    batch, labels = random_batch(np.random.default_rng(1)), [0, 1, 0]
    loss = saltus.FirstSpike()
    record = saltus.simulate(net, {"in": batch}, 0.05)
    result = loss(record, labels)
    assert result.silent > 0
    assert np.any(result.errors["maximum_errors"]["out"])
    assert saltus.gradcheck(net, {"in": batch}, 0.05, loss, labels).passed
    saltus.backward(net, record, **result.errors)


def test_built_in_losses_pass_and_grazing_spikes_are_counted():
    data = saltus.data.yin_yang(n=4)
    net = saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(30, saltus.Normal(1.5, 0.7)),
        saltus.LIF(3, saltus.Normal(4, 0.5)),
    )
    report = saltus.gradcheck(net, {"in": data.spikes}, np.inf, saltus.FirstSpike(), data.labels)
    assert report.passed
    assert report.grazing == 0
    # A bias that just reaches the threshold: V crosses it at a slope of 1e-3 / tau_mem.
    slow = saltus.Network()
    slow.add_input("in", 1)
    slow.add_population("out", "LIF", 1, bias=1.001)
    slow.connect("in", "out", [[0.0]])

    def first(record, labels):
        times = record.spikes("out").times
        return saltus.LossResult(times.sum(), {"spike_errors": {"out": np.ones(len(times))}})

    report = saltus.gradcheck(slow, {"in": ([], [], [0, 0])}, 0.15, first)
    assert report.spikes == report.grazing == 1


def test_comparisons_across_a_change_of_events_are_void():
    net = saltus.Network()
    net.add_input("in", 2)
    net.add_population("out", "LI", 1)
    net.connect("in", "out", [[1.0], [-3.0]])

    def highest(record, labels):
        return saltus.LossResult(
            float(record.maxima("out").values.sum()), {"maximum_errors": {"out": [[1.0]]}}
        )

    # Two arrivals at one time: to move one of them changes the order of events.
    report = saltus.gradcheck(net, {"in": ([5e-3, 5e-3], [0, 1], [0, 2])}, 0.05, highest)
    assert sum(report.void.values()) >= 1
    assert "void" in str(report)


def test_wrong_arguments_are_named():
    net, batch = recurrent_net(), {"in": random_batch(np.random.default_rng(0))}
    with pytest.raises(TypeError, match=r"to return a saltus\.LossResult; got float"):
        saltus.gradcheck(net, batch, 0.05, lambda r, y: 1.0)
    with pytest.raises(ValueError, match="expected spikes of 'in'"):
        saltus.gradcheck(net, {}, 0.05, squares)
    with pytest.raises(TypeError, match="entries: expected an integer"):
        saltus.gradcheck(net, batch, 0.05, squares, entries=1.5)
