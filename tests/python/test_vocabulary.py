# SPDX-License-Identifier: Apache-2.0
"""The same words name parameters in `trainable`, `lr`, `wanted` and in modules of PyTorch."""

import numpy as np
import pytest
import saltus

from .networks import random_batch, recurrent_net


def named(word):
    """What a word names, said anew."""
    kinds = {"weights": "weight", "delays": "delay"}
    found = set()
    for name in recurrent_net():
        last = name.rsplit(".", 1)[1]
        neurons = last not in ("weight", "delay")
        if word in (name, "neurons" if neurons else None) or kinds.get(word, word) == last:
            found.add(name)
    return found


WORDS = ["weights", "delays", "neurons", "tau_mem", "hidden.tau_syn", "in->hidden.delay"]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_names_the_same_everywhere(word):
    assert named(word)
    net, batch = recurrent_net(), random_batch(np.random.default_rng(0))
    data = saltus.data.labelled_spikes(batch, [0, 1, 0], 4)
    before = net.copy()
    options = {"epochs": 2, "progress": False, "dtype": np.float64}
    options["optimizer"] = saltus.SGD(1e-3)
    saltus.fit(net, data, saltus.MaximumVoltage(), 0.05, trainable=word, **options)
    moved = {name for name in net if np.any(net[name] != before[name])}
    # Not all have a gradient: what the readout's threshold would be, a reset without a spike.
    assert moved
    assert moved <= named(word)

    record = saltus.simulate(before, {"in": batch}, 0.05)
    errors = {"maximum_errors": {"out": np.ones((3, 2))}}
    found = saltus.backward(before, record, **errors, wanted=word)
    assert set(found) == named(word) | named("weights")

    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    module = saltus.torch.EventProp(before, 0.05, "out.maxima", trainable=word, dtype=torch.float64)
    trained = {name for name in before if module._parameter(name).requires_grad}
    assert trained == named(word)


def test_a_closer_word_says_the_rate():
    batch = random_batch(np.random.default_rng(0))
    data = saltus.data.labelled_spikes(batch, [0, 1, 0], 4)
    options = {"epochs": 1, "progress": False, "dtype": np.float64, "trainable": "neurons"}

    def rates(**lr):
        net = recurrent_net()
        options["optimizer"] = saltus.Adam(1e-9)
        given = {key.replace("__", "."): value for key, value in lr.items()}
        saltus.fit(net, data, saltus.MaximumVoltage(), 0.05, lr=given, **options)
        start = recurrent_net()
        names = ("hidden.tau_mem", "out.tau_mem", "hidden.tau_syn")
        return [float(np.abs(net[name] - start[name]).max()) for name in names]

    # The first step of Adam is the rate.
    assert rates(neurons=1e-6) == pytest.approx([1e-6] * 3, rel=1e-2)
    assert rates(tau_mem=2e-6, neurons=1e-6) == pytest.approx([2e-6, 2e-6, 1e-6], rel=1e-2)
    found = rates(hidden__tau_mem=3e-6, tau_mem=2e-6, neurons=1e-6)
    assert found == pytest.approx([3e-6, 2e-6, 1e-6], rel=1e-2)


def test_an_unknown_word_is_refused_by_the_function_that_was_called():
    net, batch = recurrent_net(), random_batch(np.random.default_rng(0))
    data = saltus.data.labelled_spikes(batch, [0, 1, 0], 4)
    record = saltus.simulate(net, {"in": batch}, 0.05)
    expected = "names 'taus'; expected one of .*weights, delays, neurons, tau_mem.*hidden.tau_syn"
    with pytest.raises(ValueError, match=f"fit: trainable {expected}"):
        saltus.fit(net, data, saltus.MaximumVoltage(), 0.05, epochs=1, trainable=["taus"])
    with pytest.raises(ValueError, match=f"backward: wanted {expected}"):
        saltus.backward(net, record, wanted=["weights", "taus"])
    pytest.importorskip("torch", reason="PyTorch is not installed")
    with pytest.raises(ValueError, match=f"EventProp: trainable {expected}"):
        saltus.torch.EventProp(net, 0.05, "out.maxima", trainable=["taus"])
