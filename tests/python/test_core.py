# SPDX-License-Identifier: Apache-2.0
"""The Python package: every line of its API, its gradients against differences, its errors."""

import copy
import functools
import gc
import itertools
import pickle
import threading
from collections import Counter

import numpy as np
import pytest
import saltus
from hypothesis import given, settings
from hypothesis import strategies as st

from .networks import random_batch, recurrent_net


def spikes_of(samples):
    """(times, neurons, offsets) of [[(time, neuron), ...], ...]."""
    flat = [spike for sample in samples for spike in sample]
    return (
        np.array([t for t, _ in flat], float),
        np.array([n for _, n in flat], np.int32),
        np.cumsum([0] + [len(sample) for sample in samples]),
    )


def random_spikes(rng, samples=3, size=4, count=8, until=0.04):
    batch = []
    for _ in range(samples):
        times = np.sort(rng.uniform(0, until, count))
        batch.append([(t, rng.integers(size)) for t in times])
    return spikes_of(batch)


def small_net(seed=0, delays=True, recurrent_delay=True, **hidden):
    """A recurrent network whose every parameter matters."""
    rng = np.random.default_rng(seed)
    net = saltus.Network()
    net.add_input("in", 4)
    parameters = {
        "tau_mem": rng.uniform(15e-3, 25e-3, 5),
        "tau_syn": 5e-3,
        "v_threshold": rng.uniform(0.9, 1.1, 5),
        "v_reset": -0.1,
        "bias": rng.uniform(0.0, 0.3, 5),
        "tau_ref": 2e-3,
        "v_initial": rng.uniform(-0.2, 0.2, 5),
        "i_initial": 0.3,
    }
    net.add_population("hidden", "LIF", 5, **(parameters | hidden))
    net.add_population(
        "out",
        "LI",
        2,
        tau_mem=20e-3,
        tau_syn=np.array([4e-3, 7e-3]),
        bias=0.02,
        v_initial=[0.01, -0.02],
        i_initial=0.1,
    )
    net.connect("in", "hidden", rng.normal(2.0, 1.0, (4, 5)), 1e-3 if delays else None)
    recurrent = rng.normal(0, 0.7, (5, 5)), rng.uniform(1e-3, 4e-3, (5, 5))
    net.connect("hidden", "hidden", recurrent[0], recurrent[1] if recurrent_delay else None)
    net.connect("hidden", "out", rng.normal(0, 1.0, (5, 2)), rng.uniform(0, 2e-3, 5))
    return net


@pytest.fixture
def net():
    return small_net()


@pytest.fixture
def inputs():
    return {"in": random_spikes(np.random.default_rng(1))}


T_END = 0.05


# --- the API, line by line ---------------------------------------------------------------------


def test_the_documented_calls():
    net = saltus.Network()
    net.add_input("in", 4)
    net.add_population(
        "hidden", "LIF", 5, tau_mem=20e-3, tau_syn=5e-3, v_threshold=1.0, v_reset=0.0, bias=0.0,
        tau_ref=0.0, v_initial=0.0, i_initial=0.0,
    )  # fmt: skip
    net.add_population(
        "out", "LI", 2, tau_mem=20e-3, tau_syn=5e-3, bias=0.0, v_initial=0.0, i_initial=0.0
    )
    rng = np.random.default_rng(0)
    net.connect("in", "hidden", rng.normal(4, 1, (4, 5)), delay=None)
    net.connect("hidden", "out", rng.normal(0, 1, (5, 2)), delay=1e-3, name="read")
    times, neurons, offsets = random_spikes(rng)
    record = saltus.simulate(net, {"in": (times, neurons, offsets)}, 0.05)
    spikes = record.spikes("hidden")
    assert len(spikes) == len(spikes.times) > 0
    gradients = saltus.backward(
        net,
        record,
        spike_errors={"hidden": np.ones(len(spikes))},
        maximum_errors={"out": np.ones((3, 2))},
        integral_errors={"out": np.ones((3, 2)), "hidden": np.ones((3, 5))},
        sample_errors={"out": ([0.01, 0.02], np.ones((3, 2, 2)))},
    )
    neuron = ["tau_mem", "tau_syn", "bias", "v_initial", "i_initial"]
    expected = {f"{p}.{n}" for p in ("hidden", "out") for n in neuron}
    expected |= {"hidden.v_threshold", "hidden.v_reset", "hidden.tau_ref"}
    expected |= {"in->hidden.weight", "read.weight", "read.delay", "in.times"}
    assert set(gradients) == expected
    assert "in->hidden.delay" not in gradients
    assert saltus.__version__


def test_spikes_are_flat_ascending_and_typed(net, inputs):
    spikes = saltus.simulate(net, inputs, T_END).spikes("hidden")
    assert (spikes.times.dtype, spikes.neurons.dtype, spikes.offsets.dtype) == (
        np.float64, np.int32, np.int64,
    )  # fmt: skip
    assert spikes.offsets[0] == 0
    assert spikes.offsets[-1] == len(spikes.times) > 10
    assert spikes.currents.shape == spikes.times.shape
    for first, last in zip(spikes.offsets[:-1], spikes.offsets[1:], strict=True):
        assert np.all(np.diff(spikes.times[first:last]) >= 0)


def test_currents_are_those_just_before_the_spike():
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("n", "LIF", 1, tau_syn=5e-3)
    net.connect("in", "n", [[6.0]])
    spikes = saltus.simulate(net, {"in": ([1e-3], [0], [0, 1])}, 0.1).spikes("n")
    np.testing.assert_allclose(spikes.currents, 6 * np.exp(-(spikes.times - 1e-3) / 5e-3))


def test_readings_have_batch_shapes(net, inputs):
    record = saltus.simulate(net, inputs, [0.05, 0.04, 0.06])
    maxima = record.maxima("out")
    assert maxima.values.shape == maxima.times.shape == maxima.places.shape == (3, 2)
    assert {saltus.Place(p) for p in maxima.places.ravel()} <= set(saltus.Place)
    assert record.integrals("hidden").shape == (3, 5)
    assert record.integrals("out").shape == (3, 2)
    assert record.voltages("hidden", [0.0, 0.01, 0.04, 0.04]).shape == (3, 4, 5)
    assert record.samples == 3


def test_readings_agree_with_each_other(net, inputs):
    record = saltus.simulate(net, inputs, T_END)
    at = np.linspace(0, T_END, 20001)
    for population in ("hidden", "out"):
        v = record.voltages(population, at)
        np.testing.assert_allclose(
            np.trapezoid(v, at, axis=1), record.integrals(population), atol=2e-5
        )
    maxima = record.maxima("out")
    np.testing.assert_allclose(record.voltages("out", at).max(axis=1), maxima.values, atol=1e-4)
    for s, n in np.ndindex(3, 2):
        v = record.voltages("out", [maxima.times[s, n]])[s, 0, n]
        assert v == pytest.approx(maxima.values[s, n], abs=1e-12)


def test_v_initial_is_zero_unless_given():
    net = saltus.Network()
    net.add_population("n", "LIF", 2, v_reset=-0.5)
    record = saltus.simulate(net, {}, [0.01, 0.02])
    assert record.samples == 2
    np.testing.assert_array_equal(record.voltages("n", [0.0, 0.01]), np.zeros((2, 2, 2)))


def test_arrays_convert_and_need_not_be_contiguous(net, inputs):
    times, neurons, offsets = inputs["in"]
    reference = saltus.simulate(net, inputs, T_END).spikes("hidden")
    wide = np.repeat(times, 2)[::2]
    assert not wide.flags.c_contiguous
    variants = [
        (wide, np.repeat(neurons, 3)[::3], np.repeat(offsets, 2)[::2]),
        (list(times), list(neurons), list(offsets)),
        (times.astype(np.longdouble), neurons.astype(np.uint8), offsets.astype(np.int16)),
        (times.astype(">f8"), neurons.astype(np.int64), offsets.astype(np.uint64)),
    ]
    for variant in variants:
        spikes = saltus.simulate(net, {"in": variant}, T_END).spikes("hidden")
        np.testing.assert_array_equal(spikes.times, reference.times)
    weight = net["in->hidden.weight"]
    other = small_net()
    other["in->hidden.weight"] = np.asfortranarray(weight)
    assert other == net
    assert "in->hidden.weight" in other
    assert "in->hidden.weight" in list(other)


def test_order_within_dicts_does_not_matter():
    def build():
        net = saltus.Network()
        net.add_input("a", 1)
        net.add_input("b", 1)
        net.add_population("x", "LIF", 1)
        net.add_population("y", "LIF", 1)
        net.connect("a", "x", [[8.0]])
        net.connect("b", "y", [[6.0]])
        return net

    a, b = ([1e-3], [0], [0, 1]), ([2e-3, 5e-3], [0, 0], [0, 2])
    net = build()
    one = saltus.simulate(net, {"a": a, "b": b}, 0.05)
    two = saltus.simulate(net, {"b": b, "a": a}, 0.05)
    x, y = one.spikes("x"), one.spikes("y")
    np.testing.assert_array_equal(y.times, two.spikes("y").times)
    assert len(x) > 0
    assert len(y) > 0
    errors = {"x": np.ones(len(x)), "y": np.full(len(y), 2.0)}
    foreign = saltus.record(net, {"b": b, "a": a}, {"y": y, "x": x}, 0.05)
    first = saltus.backward(net, one, spike_errors=errors)
    second = saltus.backward(net, foreign, spike_errors=dict(reversed(errors.items())))
    assert first["a.times"].shape == (1,)
    assert first["b.times"].shape == (2,)
    for name, gradient in first.items():
        np.testing.assert_allclose(gradient, second[name], rtol=1e-12, atol=1e-15)


def test_gradients_have_the_shapes_that_were_given(net, inputs):
    gradients = all_gradients(net, saltus.simulate(net, inputs, T_END))
    for name in net:
        assert gradients[name].shape == net[name].shape, name
    assert gradients["hidden.tau_mem"].shape == (5,)
    assert gradients["hidden.tau_syn"].shape == ()
    assert gradients["in->hidden.delay"].shape == ()
    assert gradients["hidden->out.delay"].shape == (5,)
    assert gradients["hidden->hidden.delay"].shape == (5, 5)
    assert gradients["in.times"].shape == inputs["in"][0].shape


def test_a_population_of_one_keeps_the_shape_of_an_array():
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("n", "LIF", 1, tau_mem=[20e-3], tau_syn=5e-3, bias=np.float64(0.1))
    net.connect("in", "n", [[6.0]], np.array([1e-3]), name="per source")
    net.connect("in", "n", [[1.0]], np.array([[1e-3]]), name="per synapse")
    net.connect("in", "n", [[1.0]], np.array(1e-3), name="common")
    record = saltus.simulate(net, {"in": ([1e-3], [0], [0, 1])}, 0.05)
    gradients = saltus.backward(net, record, integral_errors={"n": [[1.0]]})
    assert gradients["n.tau_mem"].shape == (1,)
    assert gradients["n.tau_syn"].shape == gradients["n.bias"].shape == ()
    assert gradients["per source.delay"].shape == (1,)
    assert gradients["per synapse.delay"].shape == (1, 1)
    assert gradients["common.delay"].shape == ()


def test_a_shared_number_has_the_sum_of_the_gradients(inputs):
    shared, apart = small_net(tau_mem=20e-3), small_net(tau_mem=np.full(5, 20e-3))
    one = all_gradients(shared, saltus.simulate(shared, inputs, T_END))["hidden.tau_mem"]
    five = all_gradients(apart, saltus.simulate(apart, inputs, T_END))["hidden.tau_mem"]
    assert one == pytest.approx(five.sum(), rel=1e-9)


# --- networks as values --------------------------------------------------------------------------


def test_parameters_are_read_and_set_in_place(net):
    assert net.populations == ("in", "hidden", "out")
    assert net.projections == ("in->hidden", "hidden->hidden", "hidden->out")
    net["in->hidden.weight"][1, 2] = 7.0
    assert net["in->hidden.weight"][1, 2] == 7.0
    net["hidden.tau_syn"] = 6e-3
    net["hidden.tau_syn"] += 1e-3
    assert net["hidden.tau_syn"] == pytest.approx(7e-3)
    with pytest.raises(ValueError, match=r"hidden.bias has shape \(2,\); expected \(5,\)"):
        net["hidden.bias"] = [1.0, 2.0]
    with pytest.raises(KeyError, match=r"no parameter is called 'hidden.nothing'"):
        net["hidden.nothing"]
    with pytest.raises(KeyError):
        net["out.v_threshold"]
    assert "hidden" in str(net)
    assert "LIF" in str(net)
    assert repr(net) == "<saltus.Network: 3 populations, 3 projections>"


def test_views_stay_valid_while_a_network_grows_and_after_it_is_gone():
    net = saltus.Network()
    net.add_population("first", "LIF", 1, bias=0.25)
    bias = net["first.bias"]
    for k in range(100):
        net.add_population(f"p{k}", "LIF", 1)
        net.connect("first", f"p{k}", [[float(k)]])
    bias[...] = 0.5
    assert net["first.bias"] == 0.5
    del net
    gc.collect()
    assert bias == 0.5


def pickled(net):
    return pickle.loads(pickle.dumps(net))


@pytest.mark.parametrize("duplicate", [saltus.Network.copy, copy.copy, copy.deepcopy, pickled])
def test_a_copy_shares_nothing(net, inputs, duplicate):
    other = duplicate(net)
    assert other == net
    other["hidden.bias"][0] += 0.1
    other.add_population("more", "LI", 1)
    assert other != net
    assert "more.bias" not in net
    times = saltus.simulate(net, inputs, T_END).spikes("hidden").times
    other["hidden.bias"][0] -= 0.1
    assert len(times) > 0


def test_a_record_keeps_the_values_of_its_time(net, inputs):
    record = saltus.simulate(net, inputs, T_END)
    maxima, integrals = record.maxima("out").values.copy(), record.integrals("hidden")
    gradients = all_gradients(net, record)
    weight = net["in->hidden.weight"]
    weight *= 1.1
    fresh = saltus.simulate(net, inputs, T_END)
    assert not np.allclose(fresh.maxima("out").values, maxima)
    np.testing.assert_array_equal(record.maxima("out").values, maxima)
    np.testing.assert_array_equal(record.integrals("hidden"), integrals)
    with pytest.warns(UserWarning, match=r"in->hidden.weight changed after the simulation"):
        mixed = all_gradients(net, record)
    assert not np.allclose(mixed["in->hidden.delay"], gradients["in->hidden.delay"])
    weight[...] = record._network["in->hidden.weight"]
    for name, gradient in all_gradients(net, record).items():
        np.testing.assert_array_equal(gradient, gradients[name])


def test_a_network_of_another_structure_is_refused(net, inputs):
    record = saltus.simulate(net, inputs, T_END)
    grown = net.copy()
    grown.add_population("more", "LI", 1)
    for other, message in [
        (grown, "populations"),
        (small_net(delays=False), r"in->hidden.delay of shape none, not \(\)"),
        (small_net(tau_mem=20e-3), r"hidden.tau_mem of shape \(\), not \(5,\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            saltus.backward(other, record)


def test_a_record_keeps_its_inputs_alive_and_uses_them_in_place(net):
    times, neurons, offsets = random_spikes(np.random.default_rng(1))
    record = saltus.simulate(net, {"in": (times, neurons, offsets)}, T_END)
    before = record.integrals("out")
    times[0] += 1e-9
    with pytest.raises(ValueError, match="changed after the simulation"):
        record.integrals("out")
    times[0] -= 1e-9
    del times, neurons, offsets
    gc.collect()
    np.testing.assert_allclose(record.integrals("out"), before)


def test_what_a_record_returns_outlives_it(net, inputs):
    record = saltus.simulate(net, inputs, T_END)
    spikes, maxima = record.spikes("hidden"), record.maxima("out")
    times, values = spikes.times.copy(), maxima.values.copy()
    del record
    gc.collect()
    np.testing.assert_array_equal(spikes.times, times)
    np.testing.assert_array_equal(maxima.values, values)
    with pytest.raises(ValueError, match="read-only"):
        spikes.times[0] = 0.0


# --- gradients -----------------------------------------------------------------------------------


AT = np.array([0.0, 0.011, 0.023, 0.05])


def errors_for(record, seed=5):
    """Random errors of every kind, as keyword arguments of backward."""
    rng = np.random.default_rng(seed)
    b = record.samples
    return {
        "spike_errors": {"hidden": 30 * rng.normal(size=len(record.spikes("hidden")))},
        "maximum_errors": {"out": rng.normal(size=(b, 2))},
        "integral_errors": {
            "hidden": 20 * rng.normal(size=(b, 5)),
            "out": 20 * rng.normal(size=(b, 2)),
        },
        "sample_errors": {
            "hidden": (AT[1:3], rng.normal(size=(b, 2, 5))),
            "out": (AT, rng.normal(size=(b, 4, 2))),
        },
    }


def all_gradients(net, record, **options):
    return saltus.backward(net, record, **errors_for(record), **options)


def loss(record, errors):
    """The loss whose derivatives are `errors`: linear in all that a record returns."""
    total = np.sum(errors["spike_errors"]["hidden"] * record.spikes("hidden").times)
    total += np.sum(errors["maximum_errors"]["out"] * record.maxima("out").values)
    for population, e in errors["integral_errors"].items():
        total += np.sum(e * record.integrals(population))
    for population, (at, e) in errors["sample_errors"].items():
        total += np.sum(e * record.voltages(population, at))
    return total


def events(record):
    """What must not change for a difference to mean anything."""
    spikes = record.spikes("hidden")
    return (*spikes.offsets, *spikes.neurons, *record.maxima("out").places.ravel())


def difference(value, start, scale, bar):
    """Richardson central difference; its step shrinks until halving it does not matter."""
    for relative in (1e-3, 1e-4, 1e-5, 1e-6):
        h = relative * max(abs(start), 1e-2)
        d = [(value(start + k) - value(start - k)) / (2 * k) for k in (h, h / 2, h / 4)]
        first, second = ((4 * narrow - wide) / 3 for wide, narrow in itertools.pairwise(d))
        if abs(first - second) < 0.1 * bar * scale:  # false for NaN
            return second
    return np.nan


def check_differences(net, inputs, bar):
    """Compare all gradients with differences; returns counts of what was seen."""
    record = saltus.simulate(net, inputs, T_END)
    errors, seen = errors_for(record), Counter()
    gradients = saltus.backward(net, record, **errors)
    seen.update(saltus.Place(p).name for p in record.maxima("out").places.ravel())
    seen["spikes"] = len(record.spikes("hidden"))
    times, neurons, offsets = inputs["in"]
    for name, gradient in gradients.items():
        values = times if name == "in.times" else net[name]
        if name.endswith("tau_ref") and not values.any():
            continue  # a refractory time cannot be less than 0
        scale = np.abs(gradient).max()
        worst = 0.0

        def value_at(index, x, values=values):
            start, values[index] = float(values[index]), x
            sorted_still = all(np.all(np.diff(t) >= 0) for t in np.split(times, offsets[1:-1]))
            spikes = {"in": (times.copy(), neurons, offsets)}
            moved = saltus.simulate(net, spikes, T_END) if sorted_still else None
            values[index] = start
            return loss(moved, errors) if moved and events(moved) == events(record) else np.nan

        for index in np.ndindex(values.shape):
            value = functools.partial(value_at, index)
            estimate = difference(value, float(values[index]), scale, bar)
            if np.isnan(estimate):
                seen["void"] += 1
                continue
            seen["compared"] += 1
            worst = max(worst, abs(estimate - gradient[index]) / scale)
        assert worst < bar, f"{name}: {worst}"
        seen["worst"] = max(seen["worst"], worst)
    return seen


@pytest.mark.parametrize(
    ("refractory", "recurrent_delay"), [(0.0, True), (2e-3, True), (0.0, False), (2e-3, False)]
)
def test_gradients_match_central_differences(refractory, recurrent_delay, record_property):
    total, worst = Counter(), 0.0
    for seed in range(2):
        net = small_net(seed, recurrent_delay=recurrent_delay, tau_ref=refractory)
        spikes = random_spikes(np.random.default_rng(seed + 10), samples=4, count=10)
        seen = check_differences(net, {"in": spikes}, bar=1e-6)
        worst = max(worst, seen.pop("worst"))
        total += seen
    for what, count in (total | {"worst": worst}).items():
        record_property(what, count)
        print(what, count)
    assert total["ARRIVAL"] > 0
    assert total["INTERIOR"] > 0
    assert total["spikes"] > 50
    assert total["compared"] > 200
    assert total["void"] < 0.05 * total["compared"]


def test_a_foreign_record_of_our_own_spikes_gives_our_own_gradients(net, inputs):
    ours = saltus.simulate(net, inputs, T_END)
    s = ours.spikes("hidden")
    foreign = saltus.record(net, inputs, {"hidden": (s.times, s.neurons, s.offsets)}, T_END)
    np.testing.assert_allclose(foreign.spikes("hidden").currents, s.currents, rtol=1e-12)
    expected = all_gradients(net, ours)
    for name, gradient in all_gradients(net, foreign).items():
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(gradient, expected[name], rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("neuron", ["LIF", "ALIF"])
def test_a_foreign_record_may_have_spikes_tau_ref_apart_on_a_grid(neuron):
    first = np.arange(1000)  # in ms, one a sample; 60 such sums of times are rounded up
    assert np.sum(first * 1e-3 + 3e-3 > (first + 3) * 1e-3) == 60

    def batch(steps):
        times = (first[:, None] + steps).ravel() * 1e-3
        return times, np.zeros(len(times), int), len(steps) * np.arange(len(first) + 1)

    found = []
    for tau_ref in (3e-3, 3e-3 - 1e-12):
        net = saltus.Network()
        net.add_input("in", 1)
        net.add_population("h", neuron, 1, tau_ref=tau_ref, bias=1.5, i_initial=1.0)
        net.connect("in", "h", [[12.0]])
        measured = {"h": batch([0, 3, 8])}  # and nothing arrives at a release: a kink
        record = saltus.record(net, {"in": batch([0, 2, 5])}, measured, t_end=1.1)
        moved = measured["h"][0] - record.spikes("h").times  # by as little as there is
        assert np.all((moved >= 0) & (moved <= 1.2e-16))
        assert np.sum(moved > 0) == (60 if tau_ref == 3e-3 else 0)
        errors = {"h": np.cos(np.arange(len(measured["h"][0])))}
        found.append(saltus.backward(net, record, spike_errors=errors))
    for name, gradient in found[0].items():
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(gradient, found[1][name], rtol=0, atol=1e-6 * scale)


def test_float32_is_close_to_float64(net, inputs):
    double = saltus.simulate(net, inputs, T_END)
    single = saltus.simulate(net, inputs, T_END, dtype=np.float32)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert single.spikes("hidden").currents.dtype == np.float32
    assert single.spikes("hidden").times.dtype == np.float64
    np.testing.assert_array_equal(single.spikes("hidden").neurons, double.spikes("hidden").neurons)
    np.testing.assert_allclose(
        single.spikes("hidden").times, double.spikes("hidden").times, atol=1e-6
    )
    np.testing.assert_allclose(single.maxima("out").values, double.maxima("out").values, atol=1e-4)
    expected = all_gradients(net, double)
    for name, gradient in all_gradients(net, single).items():
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(gradient, expected[name], rtol=0, atol=2e-3 * scale)
    assert all_gradients(net, single)["in->hidden.weight"].dtype == np.float32


@pytest.mark.parametrize("threads", [0, 2, 3])
def test_threads_do_not_change_a_bit(net, inputs, threads):
    one = saltus.simulate(net, inputs, T_END)
    many = saltus.simulate(net, inputs, T_END, threads=threads)
    np.testing.assert_array_equal(one.spikes("hidden").times, many.spikes("hidden").times)
    np.testing.assert_array_equal(one.integrals("out"), many.integrals("out"))
    expected = all_gradients(net, one)
    for name, gradient in all_gradients(net, many, threads=threads).items():
        np.testing.assert_array_equal(gradient, expected[name])


def test_python_threads_may_share_a_record(net, inputs):
    record = saltus.simulate(net, inputs, T_END)
    expected = all_gradients(net, record)["in->hidden.weight"]
    found = []

    def work():
        for _ in range(20):
            found.append(all_gradients(net, record)["in->hidden.weight"])

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 80
    assert all(np.array_equal(f, expected) for f in found)


# --- the edges ---------------------------------------------------------------------------------


def test_an_empty_batch(net):
    record = saltus.simulate(net, {"in": ([], [], [0])}, T_END)
    assert record.samples == 0
    assert len(record.spikes("hidden")) == 0
    assert record.maxima("out").values.shape == (0, 2)
    assert record.integrals("hidden").shape == (0, 5)
    assert record.voltages("out", [0.01]).shape == (0, 1, 2)
    for name, gradient in all_gradients(net, record).items():
        expected = (0,) if name == "in.times" else net[name].shape
        assert gradient.shape == expected
        assert not gradient.any()


def test_a_silent_network():
    net = small_net(bias=0.0, i_initial=0.0)
    net["hidden.v_threshold"] = np.full(5, 100.0)
    record = saltus.simulate(net, {"in": ([0.01], [0], [0, 0, 1])}, T_END)
    assert len(record.spikes("hidden")) == 0
    assert list(record.spikes("hidden").offsets) == [0, 0, 0]
    gradients = saltus.backward(net, record, maximum_errors={"out": np.ones((2, 2))})
    assert not gradients["in->hidden.weight"].any()
    assert gradients["out.bias"] > 0
    no_errors = saltus.backward(net, record)
    assert all(not gradient.any() for gradient in no_errors.values())


def test_an_infinite_end():
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("out", "LI", 1)
    net.connect("in", "out", [[1.0]])
    record = saltus.simulate(net, {"in": ([1e-3], [0], [0, 1])}, np.inf)
    # The integral of V is that of I: weight * tau_syn.
    assert record.integrals("out")[0, 0] == pytest.approx(5e-3)
    gradients = saltus.backward(net, record, integral_errors={"out": [[1.0]]})
    assert gradients["in->out.weight"][0, 0] == pytest.approx(5e-3)
    assert record.maxima("out").places[0, 0] == saltus.Place.INTERIOR


@pytest.mark.parametrize(
    ("model", "error"),
    [("LI", "integral_errors"), ("LIF", "integral_errors"), ("LIF", "spike_errors")],
)
def test_an_infinite_end_in_float32_of_time_constants_of_each_neuron(model, error):
    # Short ones: 1 / tau_syn**2 times an endless time would be infinite.
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("n", model, 3, tau_mem=[1e-2, 1.2e-2, 2e-5], tau_syn=[5e-5, 2e-5, 1e-2])
    net.connect("in", "n", [[500.0, 900.0, 1.1]])
    gradients = []
    for dtype in (np.float64, np.float32):
        record = saltus.simulate(net, {"in": ([1e-3], [0], [0, 1])}, np.inf, dtype=dtype)
        ones = (1, 3) if error == "integral_errors" else len(record.spikes("n"))
        gradients.append(saltus.backward(net, record, **{error: {"n": np.ones(ones)}}))
    for name in ("n.tau_mem", "n.tau_syn"):
        largest = np.abs(gradients[0][name]).max()
        np.testing.assert_allclose(gradients[1][name], gradients[0][name], atol=1e-3 * largest)


# --- errors --------------------------------------------------------------------------------------


def simple():
    net = saltus.Network()
    net.add_input("in", 2)
    net.add_population("n", "LIF", 3)
    net.add_population("out", "LI", 1)
    net.connect("in", "n", np.ones((2, 3)))
    return net


GOOD = ([0.001, 0.002], [0, 1], [0, 2])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda n: n.add_input("in", 2), ValueError, "'in' exists already"),
        (lambda n: n.add_input("x", 0), ValueError, "size 0"),
        (lambda n: n.add_input("x", -1), ValueError, "size is -1"),
        (lambda n: n.add_input(3, 1), TypeError, "name: expected a string; got int"),
        (lambda n: n.add_input("x", 1.5), TypeError, "size: expected an integer; got float"),
        (lambda n: n.add_population("x", "AdEx", 1), ValueError, "model is 'AdEx'"),
        (lambda n: n.add_population("x", "LIF", 2, tau_mem=-1.0), ValueError, r"x.tau_mem\[0\]"),
        (lambda n: n.add_population("x", "LIF", 2, bias=[1, 2, 3]), ValueError,
         r"bias has shape \(3,\); expected \(\) or \(2,\)"),
        (lambda n: n.add_population("x", "LIF", 2, tau_syn="fast"), TypeError,
         "tau_syn: expected a number or an array of numbers; got str"),
        (lambda n: n.add_population("x", "LIF", 2, bias=[1, None]), TypeError, "bias: .*object"),
        (lambda n: n.add_population("x", "LIF", 2, bias=[[1], [1, 2]]), ValueError, "bias: not"),
        (lambda n: n.add_population("x", "LIF", 1, v_reset=2.0), ValueError, "v_threshold"),
        (lambda n: n.add_population("x", "LIF", 1, bias=np.nan), ValueError, "x.bias"),
        (lambda n: n.add_population("x", "LI", 1, v_threshold=1.0), ValueError, "v_threshold"),
        (lambda n: n.connect("in", "nowhere", [[1]]), ValueError, "no population is called"),
        (lambda n: n.connect("in", "n", np.ones((3, 2))), ValueError,
         r"weight has shape \(3, 2\); expected \(2, 3\) \(\[pre, post\]\)"),
        (lambda n: n.connect("in", "out", [[1], [1]], delay=[1e-3]), ValueError,
         r"delay has shape \(1,\); expected \(\) or \(2,\) or \(2, 1\)"),
        (lambda n: n.connect("in", "out", [[1], [1]], delay=-1e-3), ValueError, "delay"),
        (lambda n: n.connect("in", "out", [[1], [np.inf]]), ValueError, r"weight\[1, 0\]"),
        (lambda n: n.connect("in", "n", np.ones((2, 3))), ValueError, "'in->n' exists already"),
        (lambda n: n.connect("out", "n", np.ones((1, 3))), ValueError, "never spikes"),
        (lambda n: n.connect("n", "in", np.ones((3, 2))), ValueError, "is an input"),
        (lambda n: n.connect("in", "n", 1j * np.ones((2, 3)), name="c"), TypeError,
         "weight: .*complex128"),
    ],
)  # fmt: skip
def test_building_errors(call, error, message):
    net = simple()
    before = net.copy()
    with pytest.raises(error, match=message):
        call(net)
    assert net == before  # nothing half done


@pytest.mark.parametrize(
    ("inputs", "t_end", "error", "message"),
    [
        ({}, 0.1, ValueError, "inputs: expected spikes of 'in'; none given"),
        ({"in": GOOD, "n": GOOD}, 0.1, ValueError, "inputs: 'n' is no input"),
        ([GOOD], 0.1, TypeError, "inputs: expected a dict"),
        ({"in": GOOD[:2]}, 0.1, TypeError, r"inputs\['in'\]: expected a tuple"),
        ({"in": ([np.nan, 1], *GOOD[1:])}, 0.1, ValueError, r"in.times\[0\] is nan"),
        ({"in": ([-1.0, 1], *GOOD[1:])}, 0.1, ValueError, r"in.times\[0\] is -1"),
        ({"in": ([0.2, 0.1], *GOOD[1:])}, 0.1, ValueError, r"in.times\[1\] is 0.1.*ascend"),
        ({"in": (GOOD[0], [0, 2], GOOD[2])}, 0.1, ValueError, r"in.neurons\[1\] is 2"),
        ({"in": (GOOD[0], [0, 2**32], GOOD[2])}, 0.1, ValueError, "does not fit into int32"),
        ({"in": (GOOD[0], [0.0, 1.0], GOOD[2])}, 0.1, TypeError, r"inputs\['in'\] neurons"),
        ({"in": (GOOD[0], [0], GOOD[2])}, 0.1, ValueError, r"neurons has shape \(1,\); .*\(2,\)"),
        ({"in": ([GOOD[0]], *GOOD[1:])}, 0.1, ValueError, r"times has shape \(1, 2\)"),
        ({"in": (*GOOD[:2], [0, 1])}, 0.1, ValueError, r"in.offsets\[1\] is 1; expected 2"),
        ({"in": (*GOOD[:2], [])}, 0.1, ValueError, "in.offsets is empty"),
        ({"in": (["a", "b"], *GOOD[1:])}, 0.1, TypeError, r"inputs\['in'\] times"),
        ({"in": GOOD}, [0.1, 0.2], ValueError, r"t_end has shape \(2,\); expected \(\) or \(1,\)"),
        ({"in": GOOD}, -1.0, ValueError, r"t_end\[0\] is -1"),
        ({"in": GOOD}, np.nan, ValueError, r"t_end\[0\] is nan"),
        ({"in": GOOD}, "late", TypeError, "t_end: expected a number"),
    ],
)
def test_simulation_errors(inputs, t_end, error, message):
    with pytest.raises(error, match=message):
        saltus.simulate(simple(), inputs, t_end)


def test_other_simulation_errors(net, inputs):
    with pytest.raises(ValueError, match="dtype is int32; expected float64 or float32"):
        saltus.simulate(net, inputs, T_END, dtype=np.int32)
    with pytest.raises(TypeError, match="dtype: "):
        saltus.simulate(net, inputs, T_END, dtype="number")
    with pytest.raises(ValueError, match="threads is -1"):
        saltus.simulate(net, inputs, T_END, threads=-1)
    with pytest.raises(TypeError, match=r"network: expected a saltus.Network; got str"):
        saltus.simulate("net", inputs, T_END)
    with pytest.raises(ValueError, match=r"infinite.*cycle"):
        saltus.simulate(net, inputs, np.inf)
    net["hidden.tau_mem"][3] = -1.0
    with pytest.raises(ValueError, match=r"hidden.tau_mem\[3\] is -1"):
        saltus.simulate(net, inputs, T_END)


def test_reading_errors(net, inputs):
    record = saltus.simulate(net, inputs, T_END)
    for call, error, message in [
        (lambda: record.spikes("nothing"), ValueError, "no population is called 'nothing'"),
        (lambda: record.spikes("out"), ValueError, "'out' is LI"),
        (lambda: record.spikes("in"), ValueError, "'in' is input"),
        (lambda: record.spikes(1), TypeError, "population: expected a string"),
        (lambda: record.maxima("hidden"), ValueError, "'hidden' is a LIF"),
        (lambda: record.integrals("in"), ValueError, "'in' is an input"),
        (lambda: record.voltages("out", [0.02, 0.01]), ValueError, r"at\[1\] is 0.01"),
        (lambda: record.voltages("out", [1.0]), ValueError, r"at\[0\] is 1, after the end"),
        (lambda: record.voltages("out", 0.01), ValueError, r"at has shape \(\)"),
        (lambda: record.voltages("out", [-1.0]), ValueError, r"at\[0\] is -1"),
        (lambda: record.voltages("out", [np.nan]), ValueError, r"at\[0\] is nan"),
    ]:
        with pytest.raises(error, match=message):
            call()


def test_backward_errors(net, inputs):
    record = saltus.simulate(net, inputs, T_END)
    count = len(record.spikes("hidden"))
    ones = np.ones
    for errors, error, message in [
        ({"spike_errors": {"hidden": ones(1)}}, ValueError,
         rf"spike_errors\['hidden'\] has shape \(1,\); expected \({count},\)"),
        ({"spike_errors": {"out": []}}, ValueError, "spike_errors: 'out' is LI; expected LIF"),
        ({"spike_errors": {"nothing": []}}, ValueError, "no population is called 'nothing'"),
        ({"spike_errors": [1]}, TypeError, "spike_errors: expected a dict"),
        ({"spike_errors": {"hidden": np.full(count, np.nan)}}, ValueError, "is nan"),
        ({"maximum_errors": {"hidden": ones((3, 5))}}, ValueError,
         "of 'hidden' spikes in sample 0: its maximum is its threshold; expected a maximum error"),
        ({"maximum_errors": {"in": ones((3, 4))}}, ValueError, "'in' is input; expected LIF or LI"),
        ({"maximum_errors": {"out": ones((2, 2))}}, ValueError, r"expected \(3, 2\) \(\[sample"),
        ({"integral_errors": {"in": ones((3, 4))}}, ValueError, "'in' is input"),
        ({"sample_errors": {"out": ones(3)}}, TypeError, r"\['out'\]: expected a tuple"),
        ({"sample_errors": {"out": ([0.01], ones((3, 2)))}}, ValueError, r"expected \(3, 1, 2\)"),
        ({"sample_errors": {"out": ([0.02, 0.01], ones((3, 2, 2)))}}, ValueError, "ascending"),
        ({"sample_errors": {"out": ([9.0], ones((3, 1, 2)))}}, ValueError, "sample time 0"),
    ]:  # fmt: skip
        with pytest.raises(error, match=message):
            saltus.backward(net, record, **errors)
    with pytest.raises(TypeError, match=r"record: expected a saltus.Record; got dict"):
        saltus.backward(net, {})


def test_foreign_spike_errors(net, inputs):
    ours = saltus.simulate(net, inputs, T_END).spikes("hidden")
    with pytest.raises(ValueError, match="spikes: expected spikes of 'hidden'"):
        saltus.record(net, inputs, {}, T_END)
    with pytest.raises(ValueError, match="spikes: 'out' is no population that spikes"):
        saltus.record(net, inputs, {"hidden": ours, "out": ours}, T_END)
    with pytest.raises(ValueError, match="expected a time until the end"):
        saltus.record(net, inputs, {"hidden": spikes_of([[(1.0, 0)], [], []])}, T_END)
    close = spikes_of([[(0.010, 0), (0.011, 0)], [], []])
    with pytest.raises(ValueError, match="tau_ref"):
        saltus.record(net, inputs, {"hidden": close}, T_END)


# --- properties --------------------------------------------------------------------------------


seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, samples=st.integers(1, 4))
def test_a_batch_is_its_samples_one_by_one(seed, samples):
    net = small_net(seed % 7)
    times, neurons, offsets = random_spikes(np.random.default_rng(seed), samples)
    whole = saltus.simulate(net, {"in": (times, neurons, offsets)}, T_END)
    found = whole.spikes("hidden")
    total = None
    errors = np.cos(np.arange(len(found)))
    for s in range(samples):
        part = slice(offsets[s], offsets[s + 1])
        alone = saltus.simulate(
            net, {"in": (times[part], neurons[part], [0, len(times[part])])}, T_END
        )
        own = slice(found.offsets[s], found.offsets[s + 1])
        np.testing.assert_array_equal(alone.spikes("hidden").times, found.times[own])
        gradient = saltus.backward(net, alone, spike_errors={"hidden": errors[own]})
        weight = gradient["in->hidden.weight"]
        total = weight if total is None else total + weight
    batch = saltus.backward(net, whole, spike_errors={"hidden": errors})["in->hidden.weight"]
    np.testing.assert_allclose(batch, total, rtol=1e-9, atol=1e-12 * np.abs(total).max())


@settings(deadline=None, max_examples=30)
@given(seed=seeds, a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_gradients_are_linear_in_the_errors(seed, a, b):
    net = small_net(seed % 7)
    record = saltus.simulate(net, {"in": random_spikes(np.random.default_rng(seed))}, T_END)
    e, f = (np.random.default_rng(seed + k).normal(size=(3, 2)) for k in (1, 2))
    one, two, both = (
        saltus.backward(net, record, maximum_errors={"out": x}) for x in (e, f, a * e + b * f)
    )
    for name, gradient in both.items():
        scale = np.abs(one[name]).max() + np.abs(two[name]).max()
        np.testing.assert_allclose(
            gradient, a * one[name] + b * two[name], rtol=0, atol=1e-11 * scale + 1e-300
        )


@settings(deadline=None, max_examples=30)
@given(seed=seeds, shift=st.floats(1e-4, 5e-3))
def test_input_times_shift_with_everything_else(seed, shift):
    """From rest and without bias, later inputs give later spikes: the errors' sum is conserved."""
    rng = np.random.default_rng(seed)
    net = saltus.Network()
    net.add_input("in", 4)
    net.add_population("n", "LIF", 3)
    net.connect("in", "n", rng.normal(3, 1, (4, 3)))
    times, neurons, offsets = random_spikes(rng, samples=1)
    early = saltus.simulate(net, {"in": (times, neurons, offsets)}, 1.0)
    late = saltus.simulate(net, {"in": (times + shift, neurons, offsets)}, 1.0)
    np.testing.assert_allclose(late.spikes("n").times, early.spikes("n").times + shift, atol=1e-9)
    errors = rng.normal(size=len(early.spikes("n")))
    moved = saltus.backward(net, early, spike_errors={"n": errors})["in.times"]
    assert moved.sum() == pytest.approx(errors.sum(), rel=1e-6, abs=1e-6 * np.abs(moved).sum())


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=6))
def test_times_are_taken_if_and_only_if_they_are_valid(times):
    array = np.array(times, float)
    valid = bool(np.all(np.isfinite(array)) and np.all(array >= 0) and np.all(np.diff(array) >= 0))
    spikes = (array, np.zeros(len(array), np.int32), [0, len(array)])
    if valid:
        assert saltus.simulate(simple(), {"in": spikes}, 0.01).samples == 1
    else:
        with pytest.raises(ValueError, match=r"in.times"):
            saltus.simulate(simple(), {"in": spikes}, 0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_record_is_pickled_and_copied(dtype):
    net, batch = recurrent_net(), random_batch(np.random.default_rng(0))
    first = saltus.simulate(net, {"in": batch}, 0.05, dtype=dtype)
    noisy = saltus.Smoothing(0.1, thresholds="sampled", seed=3)
    spikes = first.spikes("hidden")
    foreign = {"hidden": (spikes.times, spikes.neurons, spikes.offsets)}
    records = [
        first,
        saltus.simulate(net, {"in": batch}, [0.05, 0.04, 0.06], dtype=dtype, state=first.state()),
        saltus.simulate(net, {"in": batch}, 0.05, dtype=dtype, smoothing=noisy),
        saltus.record(net, {"in": batch}, foreign, 0.05, dtype=dtype),
    ]
    net["in->hidden.weight"] *= 2  # it keeps the values that were
    for record in records:
        for again in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):
            assert again.dtype == record.dtype
            for name in ("times", "neurons", "currents", "offsets"):
                a, b = (getattr(r.spikes("hidden"), name) for r in (again, record))
                assert np.array_equal(a, b), name
            errors = {"maximum_errors": {"out": np.ones((3, 2))}}
            found = saltus.backward(again._network, again, **errors)
            expected = saltus.backward(record._network, record, **errors)
            assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_a_record_within_a_training_says_that_it_is_not_pickled():
    data = saltus.data.labelled_spikes(random_batch(np.random.default_rng(0)), [0, 1, 0], 4)

    def loss(record, labels):
        pickle.dumps(record)

    with pytest.raises(TypeError, match="record: one of a minibatch within fit cannot be pickled"):
        saltus.fit(recurrent_net(), data, loss, 0.05, epochs=1, progress=False)


def test_one_number_sets_an_array_and_equal_ones_a_shared_number():
    net = saltus.Network()
    net.add_input("in", 2)
    net.add_population("h", "LIF", 3, tau_mem=[1e-2, 2e-2, 3e-2])
    net.connect("in", "h", np.ones((2, 3)), delay=1e-3)
    net["h.tau_mem"] = 5e-3
    net["h.tau_syn"] = [4e-3, 4e-3, 4e-3]
    net["in->h.weight"] = 2
    net["in->h.delay"] = np.full((2, 3), 2e-3)
    assert net["h.tau_mem"].tolist() == [5e-3] * 3
    assert net["h.tau_syn"].item() == 4e-3
    assert np.all(net["in->h.weight"] == 2)
    assert net["in->h.delay"].item() == 2e-3
    with pytest.raises(ValueError, match=r"h.tau_syn has shape \(3,\); expected one number, which"):
        net["h.tau_syn"] = [4e-3, 5e-3, 6e-3]
    with pytest.raises(ValueError, match=r"h.tau_syn has shape \(0,\); expected one number"):
        net["h.tau_syn"] = []
    with pytest.raises(ValueError, match=r"h.tau_mem has shape \(2,\); expected \(3,\)"):
        net["h.tau_mem"] = [1e-2, 1e-2]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_a_copied_record_is_what_it_was_whatever_was_written_since(duplicate):
    net, batch = recurrent_net(), random_batch(np.random.default_rng(0))
    record = saltus.simulate(net, {"in": batch}, 0.05)
    batch[0][0] *= 0.5
    with pytest.raises(ValueError, match="input spikes were changed after the simulation"):
        duplicate(record)

    batch = random_batch(np.random.default_rng(0))
    state = saltus.simulate(net, {"in": batch}, 0.05).state()
    on = saltus.simulate(net, {"in": batch}, 0.05, state=state)
    state["hidden"]["V"][...] = 0.9
    state["in"].times[...] = -1e-4
    spikes = record.spikes("hidden")
    measured = spikes.times.copy(), spikes.neurons.copy(), spikes.offsets.copy()
    from_outside = saltus.record(net, {"in": batch}, {"hidden": measured}, 0.05)
    measured[0][-1] += 1e-4
    for one in on, from_outside:
        assert np.array_equal(duplicate(one).spikes("hidden").times, one.spikes("hidden").times)


def two_inputs():
    net = saltus.Network()
    net.add_input("a", 2)
    net.add_input("b", 3)
    net.add_population("h", "LIF", 2)
    net.connect("a", "h", np.full((2, 2), 9.0))
    net.connect("b", "h", np.full((3, 2), 9.0))
    return net


@pytest.mark.parametrize("channel", [7, -3])
def test_a_channel_of_no_input_is_refused(channel):
    data = saltus.data.labelled_spikes([([1e-3, 2e-3], [0, 4])], [0], 5)
    assert len(saltus.simulate(two_inputs(), data, 0.1).spikes("h")) == 6
    data.neurons[1] = channel
    for call in saltus.simulate, saltus.scale_weights:
        with pytest.raises(
            ValueError, match=rf"inputs\.neurons\[1\] is {channel} \(sample 0\); exp"
        ):
            call(two_inputs(), data, 0.1)


def test_the_end_is_that_of_the_data_of_each_input():
    def data(channels, ends):
        samples = [([1e-3], [0]), ([2e-3], [1])]
        return saltus.data.labelled_spikes(samples, [0, 0], channels, t_end=ends)

    net, both = two_inputs(), {"a": data(2, [0.01, 0.02]), "b": data(3, [0.01, 0.02])}
    found = saltus.simulate(net, both).spikes("h")
    expected = saltus.simulate(net, both, [0.01, 0.02]).spikes("h")
    assert np.array_equal(found.times, expected.times)
    both["b"] = both["b"].spikes  # says nothing of ends
    assert np.array_equal(saltus.simulate(net, both).spikes("h").times, expected.times)
    both["b"] = data(3, [0.01, 0.03])
    with pytest.raises(ValueError, match="the data of 'a' and 'b' end at different times"):
        saltus.simulate(net, both)
    assert saltus.simulate(net, both, 0.01).samples == 2
