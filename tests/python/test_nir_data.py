# SPDX-License-Identifier: Apache-2.0
"""Spikes to and from NIR's data."""

import numpy as np
import pytest
import saltus

nir = pytest.importorskip("nir", reason="the package nir is not installed")
data_ir = pytest.importorskip("nir.data_ir", reason="this version of nir has no data")


def network():
    net = saltus.Network()
    net.add_input("a/in", 3)
    net.add_population("h", "LIF", 4)
    net.add_population("out", "LI", 2)
    net.connect("a/in", "h", np.random.default_rng(1).normal(6, 3, (3, 4)))
    net.connect("h", "out", np.ones((4, 2)))
    return net


def samples(seed=0, count=5):
    """Several, one of them without spikes."""
    rng = np.random.default_rng(seed)
    found = [(np.sort(rng.uniform(0, 30e-3, 20)), rng.integers(0, 3, 20)) for _ in range(count)]
    found[2] = ([], [])
    return found


def same(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_events_of_a_record_come_back_to_the_bit_and_fit_the_graph():
    net = network()
    record = saltus.simulate(net, {"a/in": samples()}, 50e-3)
    data = saltus.to_nir_data(net, record, 50e-3)
    data.check_nodes(saltus.to_nir(net))
    events = data.nodes["h"].observables["spikes"]
    assert (events.n_neurons, events.n_samples, events.t_max) == (4, 5, 50e-3)
    spikes = record.spikes("h")
    assert len(spikes) > 20
    same(saltus.from_nir_data(data)["h"], (spikes.times, spikes.neurons, spikes.offsets))


def test_inputs_go_out_and_in_and_are_simulated():
    net = network()
    data = saltus.to_nir_data(net, {"a/in": samples()}, 30e-3)
    data.check_nodes(saltus.to_nir(net))
    (back,) = saltus.from_nir_data(data).values()
    direct = saltus.simulate(net, {"a/in": samples()}, 50e-3).spikes("h")
    again = saltus.simulate(net, {"a/in": back}, 50e-3).spikes("h")
    same(
        (again.times, again.neurons, again.offsets), (direct.times, direct.neurons, direct.offsets)
    )


@pytest.mark.parametrize("dt", [1e-4, 1e-3, 0.3e-3])
def test_spikes_on_a_grid_keep_their_steps(dt):
    """Also those whose time by dt is a hair below a whole number."""
    net = network()
    step = np.arange(100)
    times = step * dt
    assert np.any(times / dt < step) or dt != 0.3e-3
    spikes = (times, step % 3, [0, 100])
    grid = saltus.to_nir_data(net, {"a/in": spikes}, 100 * dt, dt=dt)
    found = grid.nodes["a|in"].observables["spikes"]
    assert found.data.dtype == bool
    assert found.data.shape == (1, 100, 3)
    np.testing.assert_array_equal(np.nonzero(found.data[0]), (step, step % 3))
    same(saltus.from_nir_data(grid)["a|in"], spikes)


def test_a_spike_at_the_end_lies_in_the_last_step():
    net = network()
    spikes = ([0.0, 1e-3], [0, 1], [0, 2])
    grid = saltus.to_nir_data(net, {"a/in": spikes}, 1e-3, dt=0.4e-3)
    data = grid.nodes["a|in"].observables["spikes"].data
    assert data.shape == (1, 3, 3)
    assert data[0, 2, 1]


def test_whole_numbers_on_a_grid_are_so_many_spikes():
    counts = np.zeros((2, 4, 3))
    counts[1, 2, 0], counts[1, 3, 2] = 2, 1
    node = data_ir.NIRNodeData({"spikes": data_ir.TimeGriddedData(counts, 1e-3)})
    found = saltus.from_nir_data(data_ir.NIRGraphData({"x": node}))
    same(found["x"], ([2e-3, 2e-3, 3 * 1e-3], [0, 0, 2], [0, 0, 3]))


def test_events_in_any_order_and_padded_anywhere():
    idx, time = (
        np.array([[2, -1, 0], [-1, -1, 1]]),
        np.array([[3.0, np.inf, 1.0], [np.inf] * 2 + [2]]),
    )
    node = data_ir.NIRNodeData({"observed": data_ir.EventData(idx, time, 3, 4.0)})
    inner = data_ir.NIRGraphData({"lif": node})
    found = saltus.from_nir_data(data_ir.NIRGraphData({"rnn": inner, "lif": node}))
    assert list(found) == ["lif", "rnn"]
    for spikes in found.values():
        same(spikes, ([1.0, 3.0, 2.0], [0, 2, 1], [0, 2, 3]))


def of(observable, key="spikes", **others):
    return data_ir.NIRGraphData({"x": data_ir.NIRNodeData({key: observable, **others})})


def event(neuron=0, time=1.0):
    return data_ir.EventData(np.array([[neuron]]), np.array([[time]]), 1, 2.0)


def grid(value):
    return data_ir.TimeGriddedData(np.full((1, 2, 1), value), 1.0)


VALUED = data_ir.ValuedEventData(np.array([[0]]), np.array([[1.0]]), 1, 2.0, np.array([[3]]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (of(event(), "a", b=event()), r"node 'x' has observables \['a', 'b'\]; expected 'spikes'"),
        (of(grid(0.5)), "node 'x': a step holds 0.5; expected how many"),
        (of(grid(-1)), "node 'x': a step holds -1; expected how many"),
        (of(VALUED), "node 'x': an event has value 3; expected 1, a spike"),
        (of(event(neuron=4)), "node 'x': neuron 4 spikes; expected 0 to 0"),
        (of(event(time=np.nan)), "node 'x': an event is at nan; expected seconds"),
    ],
)
def test_what_is_no_spikes_is_named(data, message):
    with pytest.raises(ValueError, match=message):
        saltus.from_nir_data(data)


def test_other_objects_are_named():
    with pytest.raises(TypeError, match=r"data: expected a nir\.NIRGraphData; got EventData"):
        saltus.from_nir_data(event())
    with pytest.raises(TypeError, match=r"node 'x': expected a nir\.NIRNodeData; got int"):
        saltus.from_nir_data(data_ir.NIRGraphData({"x": 3}))


@pytest.mark.parametrize(
    ("spikes", "options", "message"),
    [
        ({"b": samples()}, {}, "spikes: there is no population 'b'"),
        ({"a/in": ([2.0], [0], [0, 1])}, {}, "'a/in' spikes at 2 s, after t_max = 1"),
        ({"a/in": ([0.1, 0.1], [0, 0], [0, 2])}, {"dt": 0.1}, "1 spikes lie in a step of 0.1 s"),
        ({}, {"dt": 0.0}, "dt is 0.0; expected a finite number above 0"),
    ],
)
def test_spikes_that_would_be_lost_are_named(spikes, options, message):
    with pytest.raises(ValueError, match=message):
        saltus.to_nir_data(network(), spikes, 1.0, **options)
    with pytest.raises(ValueError, match="t_max is inf"):
        saltus.to_nir_data(network(), {}, np.inf)
