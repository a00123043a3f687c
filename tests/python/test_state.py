# SPDX-License-Identifier: Apache-2.0
"""A run in chunks: its state handed on, and the gradient back through it."""

import copy
import pickle

import numpy as np
import pytest
import saltus


def spikes_of(rng, samples, channels, end, grid=None):
    made = []
    for _ in range(samples):
        times = np.sort(rng.uniform(0, end, 60))
        if grid is not None:
            times = np.round(times / grid) * grid
        made.append((times, rng.integers(0, channels, 60)))
    return made


def cut(samples, start, stop):
    parts = []
    for times, neurons in samples:
        inside = (times >= start) & (times < stop)
        parts.append((times[inside] - start, neurons[inside]))
    return parts


def recurrent(model="LIF", tau_ref=3e-3, delay=4e-3, seed=0, **parameters):
    rng = np.random.default_rng(seed)
    net = saltus.Network()
    net.add_input("in", 6)
    net.add_population("h", model, 12, tau_ref=tau_ref, **parameters)
    net.add_population("out", "LI", 3)
    net.connect("in", "h", rng.normal(1.0, 0.8, (6, 12)), delay=delay)
    net.connect("h", "h", rng.normal(0, 0.6, (12, 12)), delay=rng.uniform(1e-3, 12e-3, (12, 12)))
    net.connect("h", "out", rng.normal(0, 1, (12, 3)), delay=delay)
    return net


def run_in_chunks(net, samples, ends, **options):
    records, state, start = [], None, 0.0
    for stop in ends:
        part = {"in": cut(samples, start, stop)}
        records.append(saltus.simulate(net, part, stop - start, state=state, **options))
        state, start = records[-1].state(), stop
    return records


def joined(records, ends):
    starts = [0.0, *ends[:-1]]
    found = []
    for s in range(records[0].samples):
        times, neurons = [], []
        for record, start in zip(records, starts, strict=True):
            h = record.spikes("h")
            here = slice(h.offsets[s], h.offsets[s + 1])
            times.append(h.times[here] + start)
            neurons.append(h.neurons[here])
        found.append((np.concatenate(times), np.concatenate(neurons)))
    return found


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("model", "extra"),
    [
        ("LIF", {}),
        ("ALIF", {"beta": 0.3}),
        ("LIF", {"synapse": "alpha"}),
        ("LIF", {"synapse": "delta"}),
        ("IF", {}),
    ],
)
def test_chunks_are_the_whole(model, extra, dtype, threads):
    net = recurrent(model, **extra)
    samples = spikes_of(np.random.default_rng(1), 3, 6, 0.1)
    ends = [0.013, 0.0131, 0.05, 0.0777, 0.1]
    whole = saltus.simulate(net, {"in": samples}, 0.1, dtype=dtype)
    records = run_in_chunks(net, samples, ends, dtype=dtype, threads=threads)
    h = whole.spikes("h")
    assert len(h) > 50
    for s, (times, neurons) in enumerate(joined(records, ends)):
        here = slice(h.offsets[s], h.offsets[s + 1])
        bar = 1e-12 if dtype == np.float64 else 2e-4
        assert len(times) == here.stop - here.start
        if dtype == np.float64:
            assert (neurons == h.neurons[here]).all()
        assert np.abs(np.sort(times) - h.times[here]).max() < bar
    at = [0.0999]
    last = records[-1].voltages("out", [at[0] - ends[-2]])
    close = 1e-10 if dtype == np.float64 else 2e-2
    assert last == pytest.approx(whole.voltages("out", at), abs=close)


def test_on_a_grid_nothing_is_lost_or_comes_twice():
    """Sums of times and delays round; chunks that end on the grid must agree with the whole."""
    rng = np.random.default_rng(2)
    samples = spikes_of(rng, 4, 6, 0.2, grid=1e-3)
    net = recurrent(tau_ref=2e-3, delay=3e-3)
    net["h->h.delay"] = np.round(rng.uniform(1, 12, (12, 12))) * 1e-3
    whole = saltus.simulate(net, {"in": samples}, 0.2)
    ends = [k * 1e-3 for k in range(7, 200, 7)] + [0.2]
    records = run_in_chunks(net, samples, ends)
    h = whole.spikes("h")
    for s, (times, _) in enumerate(joined(records, ends)):
        here = slice(h.offsets[s], h.offsets[s + 1])
        assert len(times) == here.stop - here.start > 20
        assert np.abs(np.sort(times) - h.times[here]).max() < 1e-11


SPIKING = sorted(
    f"{model}:{synapse}"
    for model in ("LIF", "ALIF", "IF", "RF")
    for synapse in ("exponential", "alpha", "double_exponential", "delta")
)


@pytest.mark.parametrize("name", SPIKING)
def test_a_chunk_that_ends_at_a_spike_loses_none(name):
    """V lies on the threshold there, as far as rounding tells, in one chunk or the other."""
    model, synapse = name.split(":")
    net = saltus.Network()
    net.add_input("in", 1)
    more = {} if model == "RF" else {"bias": 1.3}
    net.add_population("h", model, 1, synapse=synapse, **more)
    net.connect("in", "h", [[{"IF": 3.0, "RF": 12.0}.get(model, 4.0)]])
    times = np.array([2e-3, 3e-3, 5e-3, 31e-3, 32e-3, 33e-3])
    whole = saltus.simulate(net, {"in": [(times, np.zeros(6, int))]}, 0.08).spikes("h").times
    assert len(whole) > 1
    cuts = 0
    for spike in whole:
        for ulp in range(-3, 4):
            stop = spike + ulp * np.spacing(spike)
            if np.abs(times - stop).min() < 1e-9:
                continue  # an arrival made it
            ends = [stop, 0.08]
            records = run_in_chunks(net, [(times, np.zeros(6, int))], ends)
            ((found, _),) = joined(records, ends)
            assert len(found) == len(whole), (spike, ulp)
            assert np.abs(np.sort(found) - whole).max() < 1e-12
            cuts += 1
    assert cuts > 0 or synapse == "delta"


def test_steps_as_long_as_it_takes_to_spike():
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", "IF", 1, bias=1.0)  # spikes every 20 ms
    net.connect("in", "h", [[0.0]])
    for step, count in (20e-3, 15), (10e-3, 30), (5e-3, 60):
        state, spikes = None, 0
        for _ in range(count):
            record = saltus.simulate(net, {"in": [([], [])]}, step, state=state)
            state = record.state()
            spikes += len(record.spikes("h"))
        assert spikes in (14, 15)  # the last one at the end


@pytest.mark.parametrize("model", ["LIF", "LIF:alpha", "LIF:delta", "ALIF:delta", "IF:delta"])
def test_gradients_where_a_chunk_ends_at_a_release(model):
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", model, 1, tau_ref=2e-3, bias=0.3)
    net.connect("in", "h", [[1.5 if "delta" in model else 12.0]], delay=[1e-3])
    times, end = np.array([1, 5, 9]) * 1e-3, 40e-3
    one = {"h": np.ones((1, 1))}
    whole = saltus.simulate(net, {"in": [(times, [0] * 3)]}, end)
    expected = saltus.backward(net, whole, integral_errors=one)
    assert expected["h.tau_ref"] != 0
    for spike in whole.spikes("h").times[:-1]:
        for ulp in range(-3, 4):
            stop = spike + 2e-3 + ulp * np.spacing(spike)
            first = saltus.simulate(net, {"in": cut([(times, np.zeros(3, int))], 0, stop)}, stop)
            rest = {"in": cut([(times, np.zeros(3, int))], stop, end)}
            second = saltus.simulate(net, rest, end - stop, state=first.state())
            later = saltus.backward(net, second, integral_errors=one)
            earlier = saltus.backward(net, first, integral_errors=one, state_errors=later)
            for name in net:
                found = earlier[name] + later[name]
                assert found == pytest.approx(expected[name], rel=1e-9, abs=1e-12), (name, ulp)


def losses(record, targets):
    """The squared integral of V of the readout, and its error."""
    value = record.integrals("out") - targets
    return float((value**2).sum()), 2 * value


@pytest.mark.parametrize(("model", "extra"), [("LIF", {}), ("ALIF", {"beta": 0.3})])
def test_gradient_across_chunks(model, extra):
    """The whole's, and that of differences over a run in chunks with a loss in each."""
    net = recurrent(model, **extra)
    samples = spikes_of(np.random.default_rng(3), 2, 6, 0.06)
    ends = [0.02, 0.045, 0.06]

    def forward(network):
        records = run_in_chunks(network, samples, ends)
        return records, sum(losses(r, 0.01 * k)[0] for k, r in enumerate(records))

    records, _ = forward(net)
    total, state_errors = {}, None
    for k in reversed(range(len(records))):
        _, errors = losses(records[k], 0.01 * k)
        g = saltus.backward(
            net, records[k], integral_errors={"out": errors}, state_errors=state_errors
        )
        state_errors = {key: v for key, v in g.items() if ".state." in key} or None
        for name in net:
            total[name] = total.get(name, 0) + g[name]
    rng = np.random.default_rng(4)
    for name in ("h.tau_mem", "h.tau_ref", "h.v_reset", "h.v_threshold", "out.tau_syn"):
        h = 1e-6 * np.abs(net[name]).mean() + 1e-9
        sides = []
        for sign in (1, -1):
            moved = net.copy()
            moved[name] = net[name] + sign * h
            sides.append(forward(moved)[1])
        measured = (sides[0] - sides[1]) / (2 * h)
        assert total[name].sum() == pytest.approx(measured, rel=2e-5, abs=1e-7), name
    for name in ("in->h.weight", "h->h.weight", "h->h.delay", "in->h.delay", "h->out.delay"):
        direction = rng.normal(size=net[name].shape)
        scale = 1e-7 if "delay" not in name else 1e-9
        sides = []
        for sign in (1, -1):
            moved = net.copy()
            moved[name] = net[name] + sign * scale * direction
            sides.append(forward(moved)[1])
        measured = (sides[0] - sides[1]) / (2 * scale)
        exact = (total[name] * direction).sum()
        assert exact == pytest.approx(measured, rel=2e-5, abs=1e-7), name


def test_gradient_by_the_state_itself():
    net = recurrent()
    samples = spikes_of(np.random.default_rng(5), 2, 6, 0.06)
    first = saltus.simulate(net, {"in": cut(samples, 0, 0.03)}, 0.03)
    state = first.state()
    assert len(state["h"].times) > 0
    assert len(state["in"].times) > 0
    rest = {"in": cut(samples, 0.03, 0.06)}

    def value(of):
        record = saltus.simulate(net, rest, 0.03, state=of)
        return losses(record, 0.02)

    record = saltus.simulate(net, rest, 0.03, state=state)
    g = saltus.backward(net, record, integral_errors={"out": losses(record, 0.02)[1]})
    met = 0
    for name, key in [("h", "V"), ("h", "I"), ("out", "V"), ("out", "I")]:
        for at in [(0, 1), (1, 2)]:
            sides = []
            for sign in (1, -1):
                moved = copy.deepcopy(state)
                moved[name][key][at] += sign * 1e-7
                sides.append(value(moved)[0])
            measured = (sides[0] - sides[1]) / 2e-7
            assert g[f"{name}.state.{key}"][at] == pytest.approx(measured, rel=1e-4, abs=1e-8)
            met += measured != 0
    for name in ("in", "h"):
        for k in range(len(state[name].times)):
            sides = []
            for sign in (1, -1):
                moved = copy.deepcopy(state)
                moved[name].times[k] += sign * 1e-9
                if (np.diff(moved[name].times[: state[name].offsets[1]]) < 0).any():
                    break
                sides.append(value(moved)[0])
            else:
                measured = (sides[0] - sides[1]) / 2e-9
                exact = g[f"{name}.state.times"][k]
                assert exact == pytest.approx(measured, rel=1e-3, abs=1e-6)
                met += measured != 0
    assert met > 10


@pytest.mark.parametrize("model", ["LIF", "LIF:alpha", "IF", "ALIF", "RF"])
def test_v_that_is_held_where_a_chunk_starts(model):
    """Of linear neurons in a cycle too: an integral and samples of V while it is held."""
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", model, 3, tau_ref=8e-3, v_reset=0.1)
    net.connect("in", "h", np.linspace(8, 12, 3)[None])
    net.connect("h", "h", np.full((3, 3), 0.3), delay=1e-3)
    state = saltus.simulate(net, {"in": [([1e-3, 2e-3, 3e-3], [0, 0, 0])]}, 7e-3).state()
    assert len(state["h"].times) > 0
    at, weights = np.array([2e-3, 2.5e-3, 13e-3]), np.array([2.0, 3.0, 1.0])
    errors = np.ones((1, 3, 3)) * weights[None, :, None]

    def run(of):
        return saltus.simulate(net, {"in": [([], [])]}, 23e-3, state=of)

    def value(of):
        record = run(of)
        return 30 * record.integrals("h").sum() + (record.voltages("h", at) * errors).sum()

    found = saltus.backward(
        net,
        run(state),
        integral_errors={"h": np.full((1, 3), 30.0)},
        sample_errors={"h": (at, errors)},
    )["h.state.V"]
    for j in range(3):
        sides = []
        for sign in (1, -1):
            moved = copy.deepcopy(state)
            moved["h"]["V"][0, j] += sign * 1e-6
            sides.append(value(moved))
        measured = (sides[0] - sides[1]) / 2e-6
        if model == "LIF":  # from the release on V is v_reset, whatever the state says
            assert found[0, j] == 0
        else:
            assert found[0, j] == pytest.approx(measured, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("model", ["LIF", "LIF:alpha", "IF", "ALIF", "LIF:delta"])
def test_a_threshold_that_was_lowered(model):
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", model, 2)
    net.connect("in", "h", np.full((1, 2), 0.6 if model == "LIF:delta" else 2.0))
    state = saltus.simulate(net, {"in": [([1e-3], [0])]}, 8e-3).state()
    high = state["h"]["V"].max()
    assert 0 < high < 1
    net["h.v_threshold"] = high / 2
    late = {"in": [(np.arange(1, 50) * 1e-3, np.zeros(49, int))]}
    with pytest.raises(ValueError, match=r"not below its threshold.*lower it \(State\.below\)"):
        saltus.simulate(net, late, 0.06, state=state)
    lowered = state.below(net)
    assert (lowered["h"]["V"] < high / 2).all()
    assert len(saltus.simulate(net, late, 0.06, state=lowered).spikes("h")) > 10


def test_state_is_a_value():
    net = recurrent()
    samples = spikes_of(np.random.default_rng(5), 3, 6, 0.05)
    state = saltus.simulate(net, {"in": samples}, 0.03).state()
    assert repr(state).startswith("<saltus.State: 3 samples of in, h, out, ")
    for other in (pickle.loads(pickle.dumps(state)), copy.deepcopy(state), state.take([0, 1, 2])):
        a = saltus.simulate(net, {"in": cut(samples, 0.03, 0.05)}, 0.02, state=state)
        b = saltus.simulate(net, {"in": cut(samples, 0.03, 0.05)}, 0.02, state=other)
        assert (a.spikes("h").times == b.spikes("h").times).all()
    turned = state.take([2, 0])
    part = [cut(samples, 0.03, 0.05)[k] for k in (2, 0)]
    b = saltus.simulate(net, {"in": part}, 0.02, state=turned)
    a = saltus.simulate(net, {"in": cut(samples, 0.03, 0.05)}, 0.02, state=state).spikes("h")
    here = slice(a.offsets[2], a.offsets[3])
    assert (b.spikes("h").times[: b.spikes("h").offsets[1]] == a.times[here]).all()


def test_what_does_not_fit_is_named():
    net = recurrent()
    samples = spikes_of(np.random.default_rng(5), 3, 6, 0.05)
    record = saltus.simulate(net, {"in": samples}, 0.03)
    state = record.state()

    def go(of, **options):
        return saltus.simulate(net, {"in": samples}, 0.02, state=of, **options)

    with pytest.raises(TypeError, match=r"state: expected a saltus\.State; got dict"):
        go({})
    with pytest.raises(ValueError, match="2 samples; network and inputs have 3 and 3"):
        go(state.take([0, 1]))
    with pytest.raises(ValueError, match="samples: 7 is none of the 3 samples"):
        state.take([7])
    with pytest.raises(KeyError, match="no component 'a'"):
        state["h"]["a"]
    with pytest.raises(KeyError, match="no population 'x'"):
        state["x"]
    high = copy.deepcopy(state)
    here = slice(high["h"].offsets[1], high["h"].offsets[2])
    held = high["h"].neurons[here][high["h"].times[here] > -3e-3]  # tau_ref
    free = min(set(range(12)) - set(held.tolist()))
    high["h"]["V"][1, free] = 1.5
    with pytest.raises(ValueError, match=rf"neuron {free} of 'h' is 1\.5 in sample 1, not below"):
        go(high)
    odd = copy.deepcopy(state)
    odd["h"]["I"][0, 0] = np.nan
    with pytest.raises(ValueError, match="I of neuron 0 of 'h' is nan in sample 0"):
        go(odd)
    late = copy.deepcopy(state)
    late["h"].times[:] = 1e-3
    with pytest.raises(ValueError, match="at most 0"):
        go(late)
    other = saltus.Network()
    other.add_input("in", 6)
    other.add_population("h", "ALIF", 12)
    with pytest.raises(ValueError, match="expected the populations in, h"):
        saltus.simulate(other, {"in": samples}, 0.02, state=state)
    with pytest.raises(ValueError, match="sampled thresholds are not known of a run that goes on"):
        go(state, smoothing=saltus.Smoothing(sigma=0.01, thresholds="sampled", seed=1))
    with pytest.raises(ValueError, match="ghosts are not known of a run that goes on"):
        saltus.find_ghosts(net, go(state), saltus.Smoothing(sigma=0.1))
    with pytest.raises(ValueError, match=r"expected 'h\.state\.V'"):
        saltus.backward(net, record, state_errors={"h.state.W": np.zeros((3, 12))})
    with pytest.raises(ValueError, match="shape"):
        saltus.backward(net, record, state_errors={"h.state.V": np.zeros((3, 11))})
    with pytest.raises(ValueError, match="errors of the state of 'h': 1 spikes; expected"):
        saltus.backward(net, record, state_errors={"h.state.times": np.zeros(1)})


def test_nothing_goes_on_from_an_end_that_never_comes():
    acyclic = saltus.Network()
    acyclic.add_input("in", 1)
    acyclic.add_population("h", "LIF", 1)
    acyclic.connect("in", "h", [[1.0]])
    with pytest.raises(ValueError, match="infinite: nothing goes on from there"):
        saltus.simulate(acyclic, {"in": [([1e-3], [0])]}, np.inf).state()


def test_an_unknown_entry_beside_known_ones_is_named():
    net = recurrent()
    record = saltus.simulate(net, {"in": [([], [])]}, 0.01)
    beside = {"h.state.V": np.zeros((1, 12)), "h.state.W": np.zeros((1, 12))}
    with pytest.raises(ValueError, match=r"no 'h\.state\.W'; expected 'h\.state\.V'"):
        saltus.backward(net, record, state_errors=beside)
