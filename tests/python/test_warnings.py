# SPDX-License-Identifier: Apache-2.0
"""What looks like a mistake is said, once, with what would remedy it; what is one is refused by its
name."""

import json
import warnings
from dataclasses import asdict

import numpy as np
import pytest
import saltus

DATA = saltus.data.yin_yang(n=60)


def net(out=saltus.LIF, mean=1.5, **parameters):
    return saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(30, saltus.Normal(mean, 0.5), **parameters),
        out(3, saltus.Normal(0.9, 0.3)),
    )


def moved(factor=1.0, by=0.0):
    return saltus.data.labelled_spikes(
        (DATA.times * factor + by, DATA.neurons, DATA.offsets), DATA.labels, 5
    )


def said(call):
    """The texts of the warnings of a call."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    assert all(w.category is saltus.SaltusWarning for w in found)
    assert all(w.filename == __file__ for w in found), "points at the caller"
    return [str(w.message) for w in found]


def fit(network, data=DATA, loss=None, t_end=np.inf, **options):
    loss = saltus.FirstSpike() if loss is None else loss
    return saltus.fit(network, data, loss, t_end, **{"epochs": 2, "progress": False, **options})


def test_nothing_is_said_where_all_is_well():
    assert said(lambda: fit(net())) == []
    assert said(lambda: saltus.evaluate(net(), DATA, saltus.FirstSpike(), 0.1)) == []
    assert said(lambda: saltus.simulate(net(), DATA, 0.1)) == []


def test_a_layer_that_stays_silent_is_named_once():
    texts = said(lambda: fit(net(mean=-2)))
    assert len(texts) == 1
    assert "no neuron of 'hidden' spiked in a whole epoch" in texts[0]
    for remedy in "scale_weights", "smooth_threshold", "revive":
        assert remedy in texts[0]
    assert said(lambda: fit(net(mean=-2), smooth_threshold=0.3)) == []
    assert said(lambda: fit(net(mean=-2), loss=lambda r, y: saltus.LossResult(0.0, {}))) == texts


def test_a_readout_that_nothing_reaches_is_named():
    dead = net(saltus.LI)
    dead["hidden->out.weight"][...] = 0
    loss = saltus.MaximumVoltage()
    history = []
    texts = said(lambda: history.append(fit(dead, loss=loss, trainable="in->hidden.weight")))
    assert len(texts) == 1
    assert "nothing reaches the readout" in texts[0]
    assert history[0]["silent_samples"] == [60] * 2
    assert np.allclose(history[0]["loss"], np.log(3))


@pytest.mark.parametrize(
    ("data", "t_end", "parameters", "says"),
    [
        (moved(1e3), np.inf, {}, "look like milliseconds"),
        (moved(1e6), np.inf, {}, "look like microseconds"),
        (moved(by=40), 0.1, {}, "none of the 300 input spikes comes before t_end = 0.1 s"),
        (DATA, 4e-3, {}, "of the input spikes do not come before t_end = 0.004 s"),
        (DATA, 0.1, {"tau_mem": 20}, "hidden.tau_mem is 20 s"),
    ],
)
def test_times_in_another_unit_are_named(data, t_end, parameters, says):
    for call in (
        lambda: fit(net(**parameters), data, t_end=t_end),
        lambda: saltus.evaluate(net(**parameters), data, saltus.FirstSpike(), t_end),
    ):
        assert says in said(call)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("data", "t_end", "parameters", "says"),
    [
        (moved(1e3), np.inf, {}, "look like milliseconds"),
        (DATA, 0.1, {"tau_mem": 20}, "hidden.tau_mem is 20 s"),
    ],
)
def test_simulate_names_another_unit_once_for_a_network(data, t_end, parameters, says, dtype):
    network = net(**parameters)
    text = said(lambda: saltus.simulate(network, data, t_end, dtype=dtype))
    assert len(text) == 1
    assert says in text[0]
    assert said(lambda: saltus.simulate(network, data, t_end, dtype=dtype)) == []
    assert said(lambda: saltus.simulate(network.copy(), data, t_end, dtype=dtype)) == text


def test_a_unit_is_read_off_all_inputs_together():
    network = saltus.Network()
    for name in "ab":
        network.add_input(name, 1)
    network.add_population("h", "LIF", 1)
    one, other = ([0.0], [0], [0, 1]), ([50.0], [0], [0, 1])
    text = said(lambda: saltus.simulate(network, {"a": one, "b": other}, 60))
    assert len(text) == 1
    assert "the longest sample lasts 50 s" in text[0]
    assert said(lambda: saltus.simulate(network.copy(), {"a": one, "b": one}, 0.1)) == []


def test_input_after_the_end_is_named_where_it_is_simulated():
    late = moved(by=40)
    assert "none of the 300 input spikes" in said(lambda: saltus.simulate(net(), late, 0.1))[0]
    # The weights are not to blame.
    with pytest.raises(ValueError, match=r"none of the 300 input spikes comes before t_end = 0\.1"):
        saltus.scale_weights(net(), late, 0.1)


def test_silent_neurons_stand_in_the_line_of_an_epoch(capsys):
    network = net()
    network["in->hidden.weight"][:, :7] = -1
    silent = fit(network, epochs=1, progress=True)[0].silent_neurons
    assert silent >= 7
    assert f"{silent} silent neurons" in capsys.readouterr().err
    assert fit(net(mean=4), epochs=1, progress=True)[0].silent_neurons == 0
    assert "silent" not in capsys.readouterr().err


def test_an_integral_below_0_is_no_silent_label():
    network = net(saltus.LI)
    network["hidden->out.weight"] = -np.abs(network["hidden->out.weight"])
    found = saltus.evaluate(network, DATA, saltus.IntegratedVoltage(), 0.1)
    assert (found.silent_labels, found.silent_samples) == (0, 0)
    network["hidden->out.weight"][:, 1] = 0
    found = saltus.evaluate(network, DATA, saltus.IntegratedVoltage(), 0.1)
    assert found.silent_labels == np.sum(DATA.labels == 1)
    network["hidden->out.weight"][...] = 0
    found = saltus.evaluate(network, DATA, saltus.IntegratedVoltage(), 0.1)
    assert (found.silent_labels, found.silent_samples) == (60, 60)
    assert np.all(found.predictions == -1)


def test_an_epoch_is_json():
    history = fit(net(), epochs=1)
    assert history[0].near_peaks_per_sample is None
    again = json.loads(json.dumps(asdict(history[0]), allow_nan=False))
    assert again["silent_populations"] == []


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: saltus.Normal("a", 1), TypeError, "mean: expected a number; got str"),
        (lambda: saltus.Normal(1, None), TypeError, "std: expected a number; got NoneType"),
        (
            lambda: saltus.Sequential(saltus.Input(1), saltus.LI(1, [[1.0]]), seed=-1),
            ValueError,
            "seed is -1",
        ),
        (lambda: saltus.data.drop_spikes(DATA, 0.5, seed=1.5), TypeError, "seed: expected an int"),
        (lambda: saltus.load(3), TypeError, "file: expected a path, such as a string; got int"),
        (lambda: saltus.data.read_spike_file(3), TypeError, "file: expected a path"),
        (lambda: net().save(3), TypeError, "file: expected a path"),
        (lambda: fit(net(), clip_norm="a"), TypeError, "clip_norm: expected a number; got str"),
        (
            lambda: saltus.data.labelled_spikes(DATA.spikes, DATA.labels[:10], 5),
            ValueError,
            r"labels has shape \(10,\); expected \(60,\)",
        ),
        (
            lambda: saltus.data.labelled_spikes(DATA.spikes, DATA.labels * 1.0, 5),
            TypeError,
            "labels: expected an array of integers; got ndarray of dtype float64",
        ),
        (
            lambda: saltus.data.labelled_spikes(DATA.spikes, np.ma.masked_equal(DATA.labels, 1), 5),
            TypeError,
            "labels: a masked array, whose mask would be lost",
        ),
        (lambda: net(tau_mem=1e-320), ValueError, r"hidden\.tau_mem\[0\] is "),
    ],
)
def test_what_is_wrong_is_named(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_a_weight_that_no_float32_holds_leaves_the_older_file_whole(tmp_path):
    file = tmp_path / "net.safetensors"
    network = net()
    network.save(file, np.float32)
    before = file.read_bytes()
    network["in->hidden.weight"][0, 0] = 1e300
    with pytest.raises(ValueError, match=r"is 1e\+300, more than float32 holds"):
        network.save(file, np.float32)
    for call in saltus.evaluate, saltus.simulate:
        given = (DATA, saltus.FirstSpike()) if call is saltus.evaluate else (DATA,)
        with pytest.raises(ValueError, match=r"is 1e\+300, more than float32 holds"):
            call(network, *given, 0.06, dtype=np.float32)
    assert file.read_bytes() == before
    network.save(file)
    assert saltus.load(file) == network


def test_one_name_of_what_is_trained_needs_no_list():
    a, b = net(), net()
    fit(a, trainable="weights")
    fit(b, trainable=["weights"])
    assert a == b


def test_a_network_says_the_grids_of_its_convolutions():
    network = saltus.Sequential(
        saltus.Input((1, 12, 12)),
        saltus.LIF(weight=saltus.Conv2d(saltus.Normal(1, 1), channels=4, size=5, stride=2)),
        saltus.LI(2, saltus.Normal(0, 1)),
    )
    assert "grid 1 x 12 x 12 to 4 x 4 x 4" in str(network)


def test_a_layer_says_which_receptor_it_drives():
    network = saltus.Sequential(
        saltus.Input(2),
        saltus.LIF(
            2,
            np.ones((2, 2)),
            synapse="ex_in",
            receptor="ex",
            recurrent=saltus.Recurrent(-np.ones((2, 2)), delay=1e-3, receptor="in"),
        ),
        saltus.LI(1, np.ones((2, 1))),
    )
    lines = str(network).splitlines()
    assert any("in->hidden" in line and "receptor ex" in line for line in lines)
    assert any("hidden->hidden" in line and "receptor in" in line for line in lines)
