# SPDX-License-Identifier: Apache-2.0
"""Neuron models beyond LIF, as Python has them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import saltus

from .networks import random_batch


def adaptive_net(**parameters):
    """Input, ALIF in a cycle with delays, LI."""
    rng = np.random.default_rng(3)
    net = saltus.Network()
    net.add_input("in", 4)
    net.add_population("h", "ALIF", 5, beta=rng.uniform(0.1, 0.4, 5), tau_adapt=30e-3, **parameters)
    net.add_population("out", "LI", 3)
    net.connect("in", "h", rng.normal(2.5, 1.5, (4, 5)))
    net.connect("h", "h", rng.normal(0.0, 0.4, (5, 5)), delay=1e-3, name="back")
    net.connect("h", "out", rng.normal(0.5, 0.5, (5, 3)))
    return net


def batch():
    """Return spikes of four channels in three samples."""
    return {"in": random_batch(np.random.default_rng(1))}


def test_the_table_of_models_says_what_there_is():
    models = saltus.models()
    assert {"LIF", "LI", "ALIF"} <= set(models)
    assert models["ALIF"].spikes
    assert not models["LI"].spikes
    assert models["ALIF"].parameters["tau_adapt"].unit == "s"
    net = saltus.Network()
    for name, model in models.items():
        net.add_population(name, name, 2)  # a name such as "LIF:alpha" too
        for key, row in model.parameters.items():
            assert net[f"{name}.{key}"] == row.usual


@pytest.mark.parametrize("key", ["beta", "tau_adapt", "a_initial", "v_threshold", "tau_ref"])
def test_gradients_by_parameters_of_alif_are_central_differences(key):
    net = adaptive_net(tau_ref=1.5e-3, a_initial=0.3)
    if key == "v_threshold":
        net["h.v_threshold"] = 0.9

    def run():
        record = saltus.simulate(net, batch(), 0.06)
        spikes = record.spikes("h")
        return record, spikes, np.cos(37.0 * np.arange(len(spikes.times)))

    record, spikes, weights = run()
    assert len(spikes.times) > 20
    found = saltus.backward(net, record, spike_errors={"h": weights})[f"h.{key}"]
    values = net[f"h.{key}"]
    step = 1e-6 * (1 if key in ("beta", "a_initial", "v_threshold") else 1e-2)
    differences = []
    for j in range(max(1, values.size)):
        sums = []
        for sign in (1, -1):
            at = values.reshape(-1)
            at[j] += sign * step
            moved = run()[1]
            at[j] -= sign * step
            assert len(moved.times) == len(spikes.times)
            sums.append(float(np.dot(weights, moved.times)))
        differences.append((sums[0] - sums[1]) / (2 * step))
    assert np.reshape(found, -1) == pytest.approx(differences, rel=2e-5, abs=1e-9)


# Each neuron with each synapse, by two ways of naming it; `more` makes them spike alike.
SPIKING = [
    (neuron, synapse, more)
    for neuron in ("LIF", "ALIF", "IF")
    for synapse, more in (("alpha", {}), ("double_exponential", {"tau_rise": 2e-3}), ("delta", {}))
]
OF_RF = {"v_threshold": 0.5, "v_reset": -0.2, "u_reset": 0.1, "u_initial": 0.1, "frequency": 18.0}
SPIKING += [
    ("RF", synapse, OF_RF | more)
    for synapse, more in (
        ("exponential", {"v_threshold": 0.2}),
        ("alpha", {}),
        ("double_exponential", {"tau_rise": 2e-3}),
        ("delta", {"v_threshold": 0.3}),
    )
]


def net_of(neuron, synapse, readout="LI", **parameters):
    """Input, a population in a cycle with delays, readout."""
    rng = np.random.default_rng(5)
    net = saltus.Network()
    net.add_input("in", 4)
    net.add_population("h", neuron, 5, synapse=synapse, **parameters)
    net.add_population("out", readout, 3, synapse=synapse)
    strength = 0.4 if synapse == "delta" else 1.0
    net.connect("in", "h", strength * rng.normal(1.6, 1.0, (4, 5)))
    net.connect("h", "h", strength * rng.normal(0.0, 0.3, (5, 5)), delay=1.2e-3, name="back")
    net.connect("h", "out", rng.normal(0.5, 0.5, (5, 3)))
    return net


def loss(record, _):
    """Return a sum of spike times of h and integrals of out, each weighed."""
    spikes = record.spikes("h")
    errors = np.cos(37.0 * np.arange(len(spikes.times)))
    integrals = record.integrals("out")
    weight = np.sin(np.arange(integrals.size)).reshape(integrals.shape)
    value = float(np.dot(errors, spikes.times) + np.sum(weight * integrals))
    errors = {"spike_errors": {"h": errors}, "integral_errors": {"out": weight}}
    return saltus.LossResult(value, errors)


@pytest.mark.parametrize(("neuron", "synapse", "more"), SPIKING)
def test_gradients_of_every_neuron_with_every_synapse(neuron, synapse, more):
    net = net_of(neuron, synapse, tau_ref=1e-3, **more)

    report = saltus.gradcheck(net, batch(), 0.06, loss)
    assert report.passed
    assert report.spikes > 20
    assert len(report.compared) > 20


@pytest.mark.parametrize(("neuron", "synapse"), [("ALIF", "exponential"), ("LIF", "alpha")])
@pytest.mark.parametrize("cyclic", [False, True])
def test_a_refractory_time_that_rounding_hides_is_none(neuron, synapse, cyclic):
    found = []
    for tau_ref in (0.0, 1e-19, 1e-12):
        net = saltus.Network()
        net.add_input("in", 1)
        net.add_population("h", neuron, 1, synapse=synapse, tau_ref=tau_ref)
        net.connect("in", "h", [[12.0]])
        if cyclic:
            net.connect("h", "h", [[0.5]], delay=2e-3)
        record = saltus.simulate(net, {"in": ([1e-3, 5e-3], [0, 0], [0, 2])}, 0.05)
        errors = {"h": np.ones(len(record.spikes("h")))}
        gradients = saltus.backward(net, record, spike_errors=errors)
        found.append([gradients[k] for k in ("in->h.weight", "h.tau_ref", "h.bias", "in.times")])
    for none, hidden, short in zip(*found, strict=True):
        np.testing.assert_allclose(hidden, none, rtol=1e-9)
        np.testing.assert_allclose(short, none, rtol=1e-6)


def test_a_double_exponential_that_rises_as_it_falls_is_an_alpha_synapse():
    alpha = net_of("LIF", "alpha")
    double = net_of("LIF", "double_exponential", tau_rise=5e-3)
    double["out.tau_rise"] = 5e-3
    one, two = (saltus.simulate(net, batch(), 0.06) for net in (alpha, double))
    np.testing.assert_array_equal(one.spikes("h").neurons, two.spikes("h").neurons)
    np.testing.assert_allclose(one.spikes("h").times, two.spikes("h").times, rtol=1e-12)
    np.testing.assert_allclose(one.integrals("out"), two.integrals("out"), rtol=1e-10)


def two_receptors(neuron="LIF", **parameters):
    """Input through both receptors, a population in a cycle, readout."""
    rng = np.random.default_rng(5)
    net = saltus.Network()
    net.add_input("in", 4)
    net.add_population("h", neuron, 5, synapse="ex_in", tau_syn_ex=3e-3, **parameters)
    net.add_population("out", "LI", 3, synapse="ex_in")
    net.connect("in", "h", rng.uniform(2.0, 5.0, (4, 5)), receptor="ex")
    net.connect("in", "h", -rng.uniform(0.0, 1.0, (4, 5)), name="slow", receptor="in")
    net.connect("h", "h", rng.normal(0.0, 0.3, (5, 5)), delay=1.2e-3, receptor="in")
    net.connect("h", "out", rng.normal(0.5, 0.5, (5, 3)), receptor="in")
    return net


@pytest.mark.parametrize("neuron", ["LIF", "ALIF", "IF"])
def test_gradients_through_two_receptors(neuron):
    net = two_receptors(neuron, tau_ref=1e-3)

    report = saltus.gradcheck(net, batch(), 0.06, loss)
    assert report.passed
    assert report.spikes > 15
    assert {"h.tau_syn_in", "slow.weight"} <= {c.name for c in report.compared}


def test_two_receptors_of_one_time_constant_are_one():
    both, one = saltus.Network(), saltus.Network()
    rng = np.random.default_rng(2)
    ex, inhibition = rng.uniform(1.0, 4.0, (4, 5)), -rng.uniform(0.0, 1.0, (4, 5))
    both.add_input("in", 4)
    both.add_population("h", "LIF", 5, synapse="ex_in", tau_syn_ex=5e-3, tau_syn_in=5e-3)
    both.connect("in", "h", ex, receptor="ex")
    both.connect("in", "h", inhibition, name="slow", receptor="in")
    one.add_input("in", 4)
    one.add_population("h", "LIF", 5)
    one.connect("in", "h", ex + inhibition)
    a, b = (saltus.simulate(net, batch(), 0.06).spikes("h") for net in (both, one))
    assert len(a) > 20
    np.testing.assert_array_equal(a.neurons, b.neurons)
    np.testing.assert_allclose(a.times, b.times, rtol=1e-12)


def test_a_receptor_is_named_kept_and_shown(tmp_path):
    net = two_receptors()
    for other in (net.copy(), pickle.loads(pickle.dumps(net))):
        assert other == net
    net.save(tmp_path / "net.safetensors")
    assert saltus.load(tmp_path / "net.safetensors") == net
    assert "receptor in" in str(net)
    net.add_population("plain", "LIF", 2)
    for target, receptor, message in (
        ("h", None, "no receptor is given, and LIF:ex_in has several; expected one of: ex, in"),
        ("h", "gaba", "receptor is 'gaba'; LIF:ex_in has: ex, in"),
        ("plain", "ex", "receptor is 'ex', but LIF has one only"),
    ):
        size = 5 if target == "h" else 2
        with pytest.raises(ValueError, match=message):
            net.connect("in", target, np.ones((4, size)), name="x", receptor=receptor)
    with pytest.raises(TypeError, match="receptor"):
        net.connect("in", "h", np.ones((4, 5)), name="x", receptor=1)


@pytest.mark.parametrize("neuron", ["LIF", "ALIF", "IF"])
def test_a_delta_synapse_is_what_a_stepping_tool_adds_to_v(neuron):
    # V <- exp(-dt/tau) V + W s, a spike above 1, V <- 0: of a grid, as such tools do it.
    rng = np.random.default_rng(8)
    dt, steps, tau = 1e-3, 200, 20e-3
    net = saltus.Network()
    net.add_input("in", 6)
    net.add_population("h", neuron, 8, synapse="delta")
    weight = rng.normal(0.25, 0.4, (6, 8))
    net.connect("in", "h", weight)
    spikes = rng.random((steps, 6)) < 0.15
    step, channel = np.nonzero(spikes)
    record = saltus.simulate(net, {"in": (dt * step, channel, [0, len(step)])}, dt * steps)
    decay = 1.0 if neuron == "IF" else np.exp(-dt / tau)
    v, a, expected = np.zeros(8), np.zeros(8), []
    for k in range(steps):
        v, a = decay * v + spikes[k] @ weight, a * np.exp(-dt / 100e-3)
        fired = v > 1 + (0.1 * a if neuron == "ALIF" else 0)
        v[fired], a[fired] = 0, a[fired] + 1
        expected += [(k, j) for j in np.nonzero(fired)[0]]
    found = record.spikes("h")
    assert len(expected) > 100
    assert list(zip(np.rint(found.times / dt), found.neurons, strict=True)) == expected


def test_without_a_leak_v_is_the_integral_of_the_current():
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", "IF", 1, tau_syn=4e-3, bias=0.1)
    net.connect("in", "h", [[6.0]])
    record = saltus.simulate(net, {"in": ([0.0], [0], [0, 1])}, 0.05)
    # 20 ms V(t) = 6 * 4 ms (1 - exp(-t / 4 ms)) + 0.1 t
    t = record.spikes("h").times[0]
    assert 6 * 4e-3 * -np.expm1(-t / 4e-3) + 0.1 * t == pytest.approx(20e-3, rel=1e-13)
    with pytest.raises(ValueError, match="does not come to rest"):
        saltus.simulate(net, {"in": ([0.0], [0], [0, 1])}, np.inf)


def test_layers_take_every_neuron_and_synapse():
    for layer in (saltus.LIF, saltus.ALIF, saltus.IF, saltus.RF):
        net = saltus.Sequential(
            saltus.Input(4),
            layer(5, saltus.Normal(2.0, 1.0), synapse="double_exponential", tau_rise=2e-3),
            saltus.LI(3, saltus.Normal(0.5, 0.5), synapse="alpha"),
        )
        assert net["hidden.tau_rise"] == 2e-3
        assert len(saltus.simulate(net, batch(), 0.06).spikes("hidden")) > 10


def test_resonate_and_fire_is_saved_trained_and_seen(tmp_path):
    own = {"v_threshold": 0.2, "frequency": [10, 15, 20, 25, 30]}
    net = net_of("RF", "exponential", **OF_RF | own)
    assert saltus.models()["RF"].parameters["frequency"].unit == "Hz"
    net.save(tmp_path / "net.safetensors")
    assert saltus.load(tmp_path / "net.safetensors") == net

    record = saltus.simulate(net, batch(), 0.06)
    assert len(record.spikes("h")) > 20
    at = np.linspace(0, 0.06, 50)
    assert np.all(np.isfinite(record.voltages("h", at)))
    assert np.all(np.isfinite(record.currents("h", at)))
    with pytest.raises(ValueError, match="'h' is a RF population; expected LI"):
        record.maxima("h")
    with pytest.raises(ValueError, match="'h' is RF: thresholds with noise, ghosts"):
        saltus.find_ghosts(net, record, saltus.Smoothing(0.1))

    before = net["h.frequency"].copy()
    data = saltus.data.yin_yang("train", n=64)
    trained = saltus.Sequential(
        saltus.Input(5),
        saltus.RF(10, saltus.Normal(6.0, 3.0), v_threshold=0.3, v_reset=0.5, frequency=before[0]),
        saltus.LI(3, saltus.Normal(0.5, 0.5)),
    )
    history = saltus.fit(
        trained,
        data,
        saltus.Loss("maximum_voltage"),
        t_end=0.06,
        epochs=2,
        trainable=["weights", "hidden.frequency", "hidden.v_threshold"],
    )
    assert np.all(np.isfinite(history["loss"]))
    # On the threshold or above it, the reset is where it is wanted, and nothing is undone for it.
    assert trained["hidden.v_reset"] == 0.5
    assert trained["hidden.frequency"] != before[0]
    assert trained["hidden.v_threshold"] != 0.3


def test_a_loss_of_integrals_takes_every_readout():
    net = net_of("LIF", "alpha")
    labels = np.array([0, 1, 2])
    loss = saltus.Loss("integrated_voltage", tau_integral=5e-3)
    assert np.isfinite(loss(saltus.simulate(net, batch(), 0.06), labels).value)
    with pytest.raises(ValueError, match="readout 'out' is LI:alpha; expected LI"):
        saltus.Loss("maximum_voltage")(saltus.simulate(net, batch(), 0.06), labels)


def test_models_with_other_synapses_are_named_and_saved(tmp_path):
    net = net_of("ALIF", "double_exponential", beta=0.2)
    other = saltus.Network()
    other.add_population("h", "ALIF:double_exponential", 5, beta=0.2)
    assert list(net["h.tau_rise"].shape) == []
    assert [k for k in other if k.startswith("h.")] == [k for k in net if k.startswith("h.")]
    net.save(tmp_path / "net.safetensors")
    assert saltus.load(tmp_path / "net.safetensors") == net
    for synapse, message in {
        "linear": "synapse is 'linear'; expected one of 'exponential', 'alpha'",
        "": "synapse is ''",
    }.items():
        with pytest.raises(ValueError, match=message):
            net.add_population("x", "LIF", 1, synapse=synapse)
    with pytest.raises(ValueError, match="but model is 'LIF:alpha'; give one"):
        net.add_population("x", "LIF:alpha", 1, synapse="double_exponential")
    with pytest.raises(TypeError, match="synapse"):
        net.add_population("x", "LIF", 1, synapse=3)
    with pytest.raises(ValueError, match="i_initial: LIF:alpha has no such parameter"):
        net.add_population("x", "LIF", 1, synapse="alpha", i_initial=1.0)


def test_float32_agrees_with_float64():
    net = adaptive_net()
    single = saltus.simulate(net, batch(), 0.06, dtype=np.float32)
    double = saltus.simulate(net, batch(), 0.06)
    np.testing.assert_array_equal(single.spikes("h").neurons, double.spikes("h").neurons)
    np.testing.assert_allclose(single.spikes("h").times, double.spikes("h").times, rtol=1e-5)


def test_alif_without_adaptation_is_lif():
    lif = saltus.Network()
    lif.add_input("in", 4)
    lif.add_population("h", "LIF", 5)
    alif = saltus.Network()
    alif.add_input("in", 4)
    alif.add_population("h", "ALIF", 5, beta=0.0)
    weight = np.random.default_rng(3).normal(2.5, 1.5, (4, 5))
    spikes = []
    for net in (lif, alif):
        net.connect("in", "h", weight)
        spikes.append(saltus.simulate(net, batch(), 0.06).spikes("h"))
    assert len(spikes[0].times) > 20
    np.testing.assert_array_equal(spikes[0].neurons, spikes[1].neurons)
    np.testing.assert_allclose(spikes[0].times, spikes[1].times, rtol=1e-12)


def endless(model, tau_ref=0.0, **parameters):
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", model, 1, tau_ref=tau_ref, v_reset=0.3, **parameters)
    net.connect("in", "h", [[20.0]])
    return net, saltus.simulate(net, {"in": ([1e-3], [0], [0, 1])}, np.inf)


@pytest.mark.parametrize(("tau_ref", "bias"), [(0.0, 0.5), (200.0, 0.0), (200.0, 0.5)])
def test_samples_long_after_rest_are_those_of_lif(tau_ref, bias):
    at = [10.0, 14.0, 15.0, 150.0, 1000.0]
    found = []
    for model, more in (("LIF", {}), ("ALIF", {"beta": 0.0, "tau_adapt": 20e-3})):
        net, record = endless(model, tau_ref, bias=bias, **more)
        errors = np.zeros((1, 5, 1))
        errors[0, 3, 0] = 1.0
        gradient = saltus.backward(net, record, sample_errors={"h": (at, errors)})
        keys = ("h.bias", "h.v_reset", "h.tau_mem", "in->h.weight")
        found.append([*record.voltages("h", at).ravel(), *(np.ravel(gradient[k])[0] for k in keys)])
        if bias == 0:
            found[-1] += list(record.integrals("h").ravel())
            gradient = saltus.backward(net, record, integral_errors={"h": np.ones((1, 1))})
            found[-1].append(float(gradient["h.v_reset"]))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("tau_syn", [1e-3, 1e-5, 1e-6])
def test_gradients_keep_their_digits_where_the_synapse_is_fast(tau_syn):
    gradients = []
    for model, more in (("LIF", {}), ("ALIF", {"beta": 0.0})):
        net = saltus.Network()
        net.add_input("in", 3)
        net.add_population("h", model, 2, tau_syn=tau_syn, bias=1.5, **more)
        net.connect("in", "h", 0.3 * 5e-3 / tau_syn * np.ones((3, 2)))
        times = np.array([3e-3, 11e-3, 29e-3])
        record = saltus.simulate(net, {"in": (times, [0, 1, 2], [0, 3])}, 0.1)
        count = len(record.spikes("h"))
        assert count > 4
        found = saltus.backward(net, record, spike_errors={"h": np.ones(count)})
        gradients.append(found)
    for key in ("in->h.weight", "in.times", "h.tau_syn", "h.tau_mem"):
        a, b = (np.ravel(g[key]) for g in gradients)
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * np.abs(a).max())


def test_it_is_a_layer():
    net = saltus.Sequential(
        saltus.Input(4),
        saltus.ALIF(5, saltus.Normal(2.5, 1.0), beta=0.3),
        saltus.LI(3, saltus.Normal(0.5, 0.5)),
    )
    assert net["hidden.beta"] == 0.3
    assert saltus.simulate(net, batch(), 0.06).spikes("hidden").times.size > 20


def test_it_is_saved_and_loaded(tmp_path):
    net = adaptive_net(v_reset=-0.2)
    net.save(tmp_path / "net.safetensors")
    assert saltus.load(tmp_path / "net.safetensors") == net


@pytest.mark.parametrize("trainable", [["weights"], ["weights", "beta", "h.tau_adapt"]])
def test_it_trains_to_the_same_bits_on_any_number_of_threads(trainable):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60).astype(np.int32)
    data = saltus.data.LabelledSpikes(*random_batch(rng, samples=60), labels, 4, 3)
    losses = []
    for threads in (1, 2):
        net = adaptive_net()
        before = net["h.beta"].copy()
        history = saltus.fit(
            net,
            data,
            saltus.MaximumVoltage(),
            0.06,
            epochs=4,
            batch=20,
            optimizer=saltus.Adam(lr=2e-3),
            trainable=trainable,
            threads=threads,
            progress=False,
        )
        losses.append(list(history["loss"]))
        assert np.any(net["h.beta"] != before) == ("beta" in trainable)
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]


def test_what_knows_lif_alone_says_so(tmp_path):
    net = adaptive_net()
    record = saltus.simulate(net, batch(), 0.06)
    with pytest.raises(ValueError, match=r"'h' is ALIF.*know LIF only"):
        saltus.find_ghosts(net, record, saltus.Smoothing(0.1))
    with pytest.raises(ValueError, match=r"'h' is ALIF.*expected LIF or LI"):
        saltus.backward(net, record, maximum_errors={"h": np.zeros((3, 5))})
    with pytest.raises(ValueError, match="'h' is ALIF"):
        saltus.adjoint(record, "h", [0.01], spike_errors={"h": np.ones(len(record.spikes("h")))})
    with pytest.raises(ValueError, match="nosuch: ALIF has no such parameter; there are: tau_mem"):
        net.add_population("x", "ALIF", 2, nosuch=1.0)
    with pytest.raises(ValueError, match="tau_adapt: LIF has no such parameter"):
        net.add_population("x", "LIF", 2, tau_adapt=1.0)
    with pytest.raises(ValueError, match="model is 'alif'; expected one of 'LIF', 'LI', 'ALIF'"):
        net.add_population("x", "alif", 2)
    with pytest.raises(ValueError, match=r"x.tau_adapt\[0\] is -1"):
        net.add_population("x", "ALIF", 2, tau_adapt=-1.0)


# --- the table of the guide ----------------------------------------------------------------------

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide.md"
SPIKES = ("LIF", "ALIF", "IF", "RF")


def model_as(name, model):
    """Input of four, six LIF neurons, three of the model: which spike, or would."""
    rng = np.random.default_rng(6)
    net = saltus.Network()
    net.add_input("in", 4)
    net.add_population("h", "LIF", 6)
    more = {"v_threshold": 0.3, "v_reset": 0.3} if model.startswith("RF") else {}
    net.add_population(name, model, 3, **more)
    receptor = "ex" if model.endswith("ex_in") else None
    net.connect("in", "h", rng.normal(3, 1, (4, 6)))
    net.connect("h", name, np.abs(rng.normal(2, 1, (6, 3))), receptor=receptor)
    return net


def run(model, end=0.06, scale=1.0):
    net = model_as("x", model)
    net["h->x.weight"] *= scale
    return net, saltus.simulate(net, batch(), end)


def labelled():
    times, neurons, offsets = batch()["in"]
    return saltus.data.labelled_spikes((times, neurons, offsets), np.arange(3), 4)


def fit(net, loss, **options):
    return saltus.fit(net, labelled(), loss, 0.06, epochs=1, progress=False, **options)


def spike_errors(model):
    net, record = run(model)
    spikes = record.spikes("x")
    assert len(spikes) > 0
    saltus.backward(net, record, spike_errors={"x": np.ones(len(spikes))})
    fit(net, saltus.SpikeTimes(np.full((3, 3), 0.02), readout="x"))
    fit(net, saltus.VanRossum([([0.01], [0])] * 3, readout="x"))
    net.add_population("after", "LI", 1)
    net.connect("x", "after", np.ones((3, 1)))


def errors_of_v(model):
    net, record = run(model)
    integrals, at = record.integrals("x"), [0.01, 0.02]
    volts = record.voltages("x", at)
    errors = {"integral_errors": {"x": integrals}, "sample_errors": {"x": (at, volts)}}
    assert np.any(saltus.backward(net, record, **errors)["h->x.weight"])


def maxima(model):
    run(model)[1].maxima("x")
    fit(model_as("out", model), saltus.MaximumVoltage())


def spike_readout(model):
    net = model_as("out", model)
    refused = []
    for loss in (saltus.FirstSpike(), saltus.SpikeCount(tau_count=0.02)):
        try:
            fit(net, loss)
        except ValueError as e:
            refused.append(e)
    assert len(refused) in (0, 2)
    if refused:
        raise refused[0]


def silent_maxima(model):
    net, record = run(model, scale=1e-3)
    saltus.backward(net, record, maximum_errors={"x": np.ones((3, 3))})


def noise(model):
    net, record = run(model)
    refused = []
    for call in (
        lambda: saltus.find_ghosts(net, record, saltus.Smoothing(0.1)),
        lambda: saltus.simulate(
            net, batch(), 0.06, smoothing=saltus.Smoothing(0.1, thresholds="sampled")
        ),
        lambda: fit(net, loss_of_x, smooth_threshold=0.1),
        lambda: fit(net, loss_of_x, smooth_threshold=0.1, smooth_reading="sampled"),
        lambda: fit(net, loss_of_x, step_limit=0.5),
    ):
        try:
            call()
        except ValueError as e:
            refused.append(e)
    assert len(refused) in (0, 5)
    if refused:
        raise refused[0]


def loss_of_x(record, _):
    integrals = record.integrals("x")
    errors = np.full(integrals.shape, 1 / len(integrals))
    return saltus.LossResult(float(np.sum(integrals * errors)), {"integral_errors": {"x": errors}})


def wakes(model):
    net = model_as("x", model)
    net["h->x.weight"] *= 1e-2
    if "x" not in "".join(saltus.scale_weights(net, batch(), 0.06, 1.0)):
        raise ValueError(f"x, {model}: left alone")
    net["h->x.weight"] = -0.1
    assert fit(net, loss_of_x, revive=0.3)[0].revived >= 3


def bounded(model):
    net = model_as("x", model)
    fit(net, saltus.SumOfLosses(loss_of_x, saltus.SpikeBounds("x", upper=1, strength=1e-3)))


def nir(model):
    pytest.importorskip("nir")
    saltus.to_nir(model_as("x", model))


CELLS = {
    "a sample without an end": lambda model: run(model, end=np.inf),
    "source of a projection": spike_errors,
    "integrals and voltages": errors_of_v,
    "`Record.currents`": lambda model: run(model)[1].currents("x", [0.01]),
    "largest V": maxima,
    "`maximum_errors`": silent_maxima,
    "readout of `FirstSpike`": spike_readout,
    "readout of `IntegratedVoltage`": lambda model: fit(
        model_as("out", model), saltus.IntegratedVoltage()
    ),
    "`SpikeBounds`": bounded,
    "traces of the adjoint": lambda model: saltus.adjoint(
        run(model)[1], "x", [0.01], integral_errors={"x": np.ones((3, 3))}
    ),
    "ghosts": noise,
    "`scale_weights`": wakes,
    "NIR": nir,
}


def table():
    """Rows of the guide's table: {start of a row: {column: cell}}."""
    part = GUIDE.read_text().split("### What works with which neuron")[1].split("\n#")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    head = [cell.strip() for cell in rows[0][1:]]
    return {r[0].strip(): dict(zip(head, map(str.strip, r[1:]), strict=True)) for r in rows[2:]}


def works(cells, model):
    neuron, _, synapse = model.partition(":")
    columns = [neuron, f"{neuron}, other synapses"] if synapse else [neuron]
    cell = next(cells[c] for c in reversed(columns) if c in cells)
    return cell == "yes" or (synapse or "exponential") in cell.split(", ")


def test_the_table_of_the_guide_names_every_cell_that_is_tried():
    assert len(table()) == len(CELLS)
    for row, cells in table().items():
        assert len([key for key in CELLS if row.startswith(key)]) == 1, row
        for cell in cells.values():
            known = {"yes", "no", "exponential", "alpha", "double_exponential", "delta"}
            assert set(cell.split(", ")) <= known, (row, cell)


@pytest.mark.parametrize("row", CELLS)
@pytest.mark.filterwarnings("ignore::saltus.SaltusWarning")
def test_what_works_with_which_neuron_is_as_the_guide_says(row):
    cells = next(cells for key, cells in table().items() if key.startswith(row))
    for model in saltus.models():
        said = ""
        try:
            CELLS[row](model)
        except ValueError as e:
            said = str(e)
        assert works(cells, model) == (not said), (model, said)
        if said:
            assert model in said, "names the model"
            assert "'x'" in said or "'out'" in said or "x[" in said or "x," in said


# --- how RF is reset, and how far apart time constants may lie ------------------------------------


def driven(model="RF", **parameters):
    """One neuron that two spikes reach."""
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("x", model, 1, **parameters)
    net.connect("in", "x", [[8.0]])
    return net, {"in": ([1e-3, 5e-3], [0, 0], [0, 2])}


def test_a_reset_of_rf_far_above_its_threshold_rings_on_for_ever():
    for threshold, rings in (0.13, True), (0.2, False):
        net, inputs = driven(v_threshold=threshold)
        late = saltus.simulate(net, inputs, 1.0).spikes("x").times
        assert (late[-1] > 0.9) == rings
        if not rings:
            saltus.simulate(net, inputs, np.inf)
            continue
        with pytest.raises(ValueError, match="does not come to rest below its threshold"):
            saltus.simulate(net, inputs, np.inf)
        net["x.v_reset"] = threshold
        assert saltus.simulate(net, inputs, 1.0).spikes("x").times[-1] < 0.1


@pytest.mark.parametrize(
    ("model", "ratio", "parameters"),
    [
        ("ALIF", "tau_adapt", {"tau_mem": 1e-2, "tau_syn": 1e-2}),
        ("LIF:alpha", "tau_mem", {"tau_syn": 1e-2}),
        ("LIF", "tau_mem", {"tau_syn": 1e-2}),
        ("LI", "tau_mem", {"tau_syn": 1e-2}),
        ("RF", "tau_syn", {"tau_mem": 1e-2, "frequency": 1e-9}),
    ],
)
@pytest.mark.filterwarnings("ignore::saltus.SaltusWarning")
def test_rates_further_apart_than_a_trillion_are_refused(model, ratio, parameters):
    net, inputs = driven(model, **parameters, **{ratio: 0.99e10})
    saltus.simulate(net, inputs, 0.05)
    net[f"x.{ratio}"] = 1.01e10
    with pytest.raises(
        ValueError, match=r"time constants of x\[0\] lie further apart than 1 : 1e\+12"
    ):
        saltus.simulate(net, inputs, 0.05)


@pytest.mark.filterwarnings("ignore::saltus.SaltusWarning")
@pytest.mark.parametrize("model", ["LIF", "LI"])
def test_a_membrane_too_slow_for_float32_is_refused_there(model):
    net, inputs = driven(model, tau_mem=99.0, tau_syn=10e-3)
    saltus.simulate(net, inputs, 0.05, dtype=np.float32)
    net["x.tau_mem"] = 101.0
    saltus.simulate(net, inputs, 0.05)
    with pytest.raises(ValueError, match=r"further apart than 1 : 10000: .*take float64"):
        saltus.simulate(net, inputs, 0.05, dtype=np.float32)


@pytest.mark.filterwarnings("ignore::saltus.SaltusWarning")
def test_what_does_not_decay_has_no_rate_that_could_lie_too_far_from_others():
    """The pair of RF turns, V of IF stays, and a slow synapse of LIF loses nothing."""
    times = []
    for slow in 1e6, 1e11:
        net, inputs = driven(tau_mem=slow, v_threshold=0.5, v_reset=0.0)
        net["in->x.weight"] *= slow / 20e-3
        times.append(saltus.simulate(net, inputs, 0.5).spikes("x").times)
    assert len(times[0]) == 3
    np.testing.assert_allclose(times[1], times[0], rtol=1e-7)
    net, inputs = driven("IF", tau_mem=1e11)
    net["in->x.weight"] *= 1e11 / 20e-3
    assert len(saltus.simulate(net, inputs, 0.05).spikes("x")) == 3
    net, inputs = driven("LIF", tau_mem=5e-3, tau_syn=1e11)
    # 8 from 1 ms on, 16 from 5 ms on: V is 1 after tau_mem ln(I / (I - 1)).
    last = saltus.simulate(net, inputs, 0.05).spikes("x").times
    np.testing.assert_allclose(np.diff(last)[10:], 5e-3 * np.log(16 / 15), rtol=1e-9)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"a_initial": -50.0}, r"v_initial\[0\] is 0; .* v_threshold \+ beta a_initial = -4"),
        ({"beta": -0.5, "v_reset": 0.7}, r"v_reset\[0\] is 0\.7; .* v_threshold \+ beta = 0\.5"),
    ],
)
def test_alif_starts_below_its_threshold(parameters, says):
    """It would wait for a crossing from below that never comes."""
    net = saltus.Network()
    net.add_input("in", 1)
    with pytest.raises(ValueError, match=says):
        net.add_population("h", "ALIF", 2, **parameters)


def test_no_step_takes_alif_above_its_threshold():
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", "ALIF", 2, beta=[-0.95, 0.1], tau_adapt=[0.1, 0.2])
    net.connect("in", "h", [[12.0, 12.0]])
    before = net.copy()
    gradients = {"h.beta": np.array([1.0, 0.0]), "h.tau_adapt": np.array([1.0, 1.0])}
    saltus.SGD(0.1).step(net, gradients)  # to -1.05: undone, of that neuron
    for name in gradients:
        assert net[name][0] == before[name][0]
    assert net["h.tau_adapt"][1] < before["h.tau_adapt"][1]
    saltus.SGD(0.01).step(net, gradients)
    assert net["h.beta"][0] == pytest.approx(-0.96)
    assert net["h.tau_adapt"][0] < before["h.tau_adapt"][0]
