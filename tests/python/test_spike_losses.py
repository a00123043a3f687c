# SPDX-License-Identifier: Apache-2.0
"""Losses of spike trains: their values by hand, their gradients against central differences, and
what is a heuristic does what it says."""

import numpy as np
import pytest
import saltus

DATA = saltus.data.yin_yang(n=24)
T_END = 0.06


def net(seed=1):
    return saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(12, saltus.Normal(1.8, 0.6)),
        saltus.LIF(3, saltus.Normal(1.2, 0.5), tau_mem=15e-3),
        seed=seed,
    )


RECORD = saltus.simulate(net(), DATA, T_END)
WANTED = np.array([[10e-3, 20e-3, np.nan], [25e-3, 12e-3, 30e-3], [20e-3, 20e-3, 8e-3]])
TRAINS = [([8e-3, 20e-3, 30e-3], [0, 0, 1]), ([11e-3], [1]), ([9e-3, 14e-3], [2, 2])]
LOSSES = [
    saltus.SpikeTimes(WANTED),
    saltus.VanRossum(TRAINS, tau=8e-3),
    saltus.SpikeCount(tau_count=20e-3, count_gain=2.0),
    saltus.SumOfLosses(
        saltus.FirstSpike(tau_0=5e-3), saltus.VanRossum(TRAINS, tau=8e-3), saltus.SpikeTimes(WANTED)
    ),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_gradients_are_those_of_central_differences(loss):
    batch = DATA[:5]
    report = saltus.gradcheck(net(), {"in": batch.spikes}, T_END, loss, batch.labels)
    assert report.passed, str(report)
    result = loss(RECORD, DATA.labels)
    assert any(np.any(errors != 0) for errors in result.errors["spike_errors"].values())


def test_spike_times_are_compared_with_those_of_the_label():
    result = saltus.SpikeTimes(WANTED, tau=2e-3, t_missing=0.08)(RECORD, DATA.labels)
    first = RECORD.spikes("out").first(3, missing=0.08)
    squares = np.nan_to_num(((first - WANTED[DATA.labels]) / 2e-3) ** 2)
    assert np.isclose(result.value, squares.sum(1).mean(), rtol=1e-12)
    apart = np.nansum((first[:, None] - WANTED) ** 2, axis=2)
    spiked = np.any(first < 0.08, axis=1)
    assert np.array_equal(result.predictions, np.where(spiked, apart.argmin(1), -1))


def test_van_rossum_distance_is_its_integral():
    tau = 8e-3
    value = saltus.VanRossum(TRAINS, tau=tau)(RECORD, DATA.labels).value
    t = np.arange(0, 0.25, 2e-6)

    def trace(times, neurons, n):
        own = np.asarray(times)[np.asarray(neurons) == n]
        return sum((np.where(t >= s, np.exp(-np.maximum(t - s, 0) / tau), 0) for s in own), 0 * t)

    spikes, total = RECORD.spikes("out"), 0.0
    for s, label in enumerate(DATA.labels):
        own = slice(spikes.offsets[s], spikes.offsets[s + 1])
        for n in range(3):
            f = trace(spikes.times[own], spikes.neurons[own], n)
            total += np.trapezoid((f - trace(*TRAINS[label], n)) ** 2, t) / tau
    assert np.isclose(value, total / len(DATA), rtol=1e-3)
    # A train is at no distance from itself, and wins.
    own = [(spikes.times[: spikes.offsets[1]], spikes.neurons[: spikes.offsets[1]])]
    one = saltus.simulate(net(), DATA[:1], T_END)
    result = saltus.VanRossum([*TRAINS, own[0]], tau=tau)(one, [3])
    assert abs(result.value) < 1e-12
    assert result.predictions.tolist() == [3]


def test_counts_are_the_softmax_cross_entropy_of_how_often_outputs_spike():
    counts = RECORD.spikes("out").counts(3).astype(float)
    spikes = RECORD.spikes("out")
    sample = np.repeat(np.arange(len(DATA)), np.diff(spikes.offsets))
    forgotten = np.zeros_like(counts)
    np.add.at(forgotten, (sample, spikes.neurons), np.exp(-(T_END - spikes.times) / 10e-3))
    for tau, scores in (np.inf, counts), (10e-3, forgotten):
        result = saltus.SpikeCount(tau_count=tau, count_gain=0.5)(RECORD, DATA.labels)
        p = np.exp(scores / 2) / np.exp(scores / 2).sum(1, keepdims=True)
        expected = -np.log(p[np.arange(len(DATA)), DATA.labels]).mean()
        assert np.isclose(result.value, expected, rtol=1e-12)
        assert np.array_equal(result.predictions, np.where(counts.any(1), scores.argmax(1), -1))
    plain = saltus.SpikeCount()(RECORD, DATA.labels)
    assert not plain.errors.get("spike_errors", {"out": np.zeros(1)})["out"].any()
    endless = saltus.simulate(net(), DATA, np.inf)
    with pytest.raises(ValueError, match="expected a finite t_end"):
        saltus.SpikeCount(tau_count=10e-3)(endless, DATA.labels)


def test_counts_are_learnt_by_spikes_that_nearly_exist():
    data = saltus.data.yin_yang(n=400)
    trained = net()
    history = saltus.fit(
        trained,
        data,
        saltus.SpikeCount(),
        T_END,
        epochs=8,
        smooth_threshold=0.2,
        smooth_decay=1.0,
        progress=False,
    )
    assert history["loss"][-1] < 0.9 * history["loss"][0]
    still = net()
    before = still.copy()
    saltus.fit(still, data, saltus.SpikeCount(), T_END, epochs=1, dtype=np.float64, progress=False)
    assert still == before


def test_bounds_of_spikes_are_kept():
    data = saltus.data.yin_yang(n=300)

    def mean_spikes(network):
        return saltus.simulate(network, data, T_END).spikes("hidden").counts(12).mean(0)

    free = mean_spikes(net())
    upper, lower = free.max() / 2, 2 * free.max()
    for bounds, outside in (
        ({"upper": upper}, lambda m: np.maximum(m - upper, 0)),
        ({"lower": lower}, lambda m: np.maximum(lower - m, 0)),
    ):
        trained = net()
        saltus.fit(
            trained,
            data,
            saltus.SumOfLosses(
                saltus.FirstSpike(), saltus.SpikeBounds("hidden", strength=100.0, **bounds)
            ),
            T_END,
            epochs=15,
            progress=False,
        )
        assert outside(mean_spikes(trained)).sum() < 0.7 * outside(free).sum()
    # Within the bounds it does nothing.
    result = saltus.SpikeBounds("hidden", upper=99, strength=1.0)(RECORD, DATA.labels)
    assert result.value == 0
    assert not result.errors["spike_errors"]["hidden"].any()


def test_bounds_of_spikes_push_v_as_they_say():
    strength, upper = 3.0, 0.5
    result = saltus.SpikeBounds("hidden", upper=upper, strength=strength)(RECORD, DATA.labels)
    spikes, mean = RECORD.spikes("hidden"), RECORD.spikes("hidden").counts(12).mean(0)
    excess = np.maximum(mean - upper, 0)
    assert np.isclose(result.value, strength / 2 * np.sum(excess**2))
    slope = (spikes.currents - 1) / 20e-3  # dV/dt before the spike
    expected = -strength * excess[spikes.neurons] / len(DATA) * slope
    assert np.allclose(result.errors["spike_errors"]["hidden"], expected, rtol=1e-12)


def test_a_sum_is_the_sum_and_its_first_says_what_is_predicted():
    first, second = saltus.FirstSpike(), saltus.SpikeTimes(WANTED)
    one, other = first(RECORD, DATA.labels), second(RECORD, DATA.labels)
    both = saltus.SumOfLosses(first, second)(RECORD, DATA.labels)
    assert np.isclose(both.value, one.value + other.value)
    assert np.array_equal(both.predictions, one.predictions)
    added = one.errors["spike_errors"]["out"] + other.errors["spike_errors"]["out"]
    assert np.array_equal(both.errors["spike_errors"]["out"], added)
    # Alone it trains to the bits of what it is a sum of, ghosts included.
    nets = [net(), net()]
    for n, loss in zip(nets, (first, saltus.SumOfLosses(first)), strict=True):
        saltus.fit(n, DATA, loss, T_END, epochs=2, smooth_threshold=0.2, progress=False)
    assert nets[0] == nets[1]


def test_penalties_of_weights_have_their_gradient():
    network = net()
    value, gradients = saltus.weight_penalty(network, l1=0.3, l2=0.7)
    w = network["in->hidden.weight"]
    step = 1e-6
    for at in (0, 0), (3, 7):
        difference = 0.0
        for sign in 1, -1:
            w[at] += sign * step
            difference += sign * saltus.weight_penalty(network, l1=0.3, l2=0.7)[0]
            w[at] -= sign * step
        assert np.isclose(gradients["in->hidden.weight"][at], difference / (2 * step), rtol=1e-6)
    only, chosen = saltus.weight_penalty(network, l2=0.7, projections=["hidden->out"])
    assert list(chosen) == ["hidden->out.weight"]
    assert 0 < only < value
    trained = [net(), net()]
    for n, l1 in zip(trained, (0.0, 0.01), strict=True):
        saltus.fit(n, DATA, saltus.FirstSpike(), T_END, epochs=20, l1=l1, progress=False)
    assert (
        np.abs(trained[1]["in->hidden.weight"]).sum()
        < np.abs(trained[0]["in->hidden.weight"]).sum()
    )


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: saltus.SpikeTimes([1.0]), ValueError, r"times has shape \(1,\)"),
        (lambda: saltus.SpikeTimes(WANTED, tau=0), ValueError, "tau is 0"),
        (lambda: saltus.SpikeTimes(WANTED[:2])(RECORD, DATA.labels), ValueError, "labels holds 2"),
        (lambda: saltus.SpikeTimes(WANTED[:, :2])(RECORD, DATA.labels), ValueError, "times has"),
        (lambda: saltus.VanRossum(TRAINS, tau="a"), TypeError, "tau: expected a number"),
        (lambda: saltus.VanRossum([([0.1], [9])])(RECORD, DATA.labels), ValueError, "neuron 9"),
        (
            lambda: saltus.SpikeBounds("hidden", lower=2, upper=1, strength=1),
            ValueError,
            "lower is 2",
        ),
        (lambda: saltus.SpikeBounds("hidden", strength=-1), ValueError, "strength is -1"),
        (lambda: saltus.SpikeBounds("in", strength=1)(RECORD, []), ValueError, "'in' is input"),
        (saltus.SumOfLosses, TypeError, "none given"),
        (lambda: saltus.SumOfLosses(saltus.FirstSpike), TypeError, r"losses\[0\]"),
        (lambda: saltus.weight_penalty(net(), projections=["a->b"]), ValueError, "'a->b' is none"),
        (lambda: saltus.SpikeCount(tau_count=0.0), ValueError, "tau_count is 0"),
    ],
)
def test_what_has_no_meaning_is_refused(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_times_that_never_come_are_named():
    with pytest.raises(ValueError, match="times holds inf; expected seconds, or NaN"):
        saltus.SpikeTimes([[0.01, np.inf, np.nan]])


def test_bounds_push_along_v_also_where_thresholds_are_drawn():
    net = saltus.Sequential(saltus.Input(5), saltus.LIF(10, saltus.Normal(1.6, 0.5)), saltus.LI(3))
    smoothing = saltus.Smoothing(0.2, thresholds="sampled", seed=3)
    record = saltus.simulate(net, saltus.data.yin_yang(n=20), 0.06, smoothing=smoothing)
    loss = saltus.SpikeBounds("hidden", upper=0.5, strength=1.0)
    errors = loss(record, np.zeros(20, int)).errors["spike_errors"]["hidden"]
    spikes = record.spikes("hidden")
    mean = spikes.counts(10).mean(axis=0)
    compared = 0
    for s in range(20):
        for k in range(spikes.offsets[s], spikes.offsets[s + 1]):
            j, t, h = spikes.neurons[k], spikes.times[k], 1e-7
            if t < 2 * h:
                continue
            v = record.voltages("hidden", [t - 2 * h, t - h])[s, :, j]
            push = max(0, mean[j] - 0.5) / 20
            assert errors[k] == pytest.approx(-push * (v[1] - v[0]) / h, rel=1e-2, abs=1e-3)
            compared += push > 0
    assert compared > 50


class Half(saltus.SumOfLosses):
    def __call__(self, record, labels):
        said = super().__call__(record, labels)
        errors = {
            kind: {name: np.asarray(error) / 2 for name, error in given.items()}
            for kind, given in said.errors.items()
        }
        return saltus.LossResult(said.value / 2, errors, said.predictions, said.silent)


def test_a_sum_within_a_sum_says_what_it_says_itself():
    first = saltus.FirstSpike()
    one = first(RECORD, DATA.labels).value
    for loss, times in ((saltus.SumOfLosses(Half(first)), 0.5), (Half(Half(first), first), 0.75)):
        assert np.isclose(loss(RECORD, DATA.labels).value, times * one, rtol=1e-12)
        found = saltus.evaluate(net(), DATA, loss, T_END, dtype=np.float64).loss
        assert np.isclose(found, times * one, rtol=1e-12)


def test_errors_given_as_lists_are_added_up():
    def listed(record, labels):
        at, errors = [0.01], [[[1.0, 2.0, 3.0]]] * record.samples
        return saltus.LossResult(
            0.0,
            {
                "spike_errors": {"hidden": [0.5] * len(record.spikes("hidden"))},
                "sample_errors": {"out": (at, errors)},
            },
        )

    errors = saltus.SumOfLosses(listed, listed)(RECORD, DATA.labels).errors
    assert np.array_equal(errors["spike_errors"]["hidden"], np.ones(len(RECORD.spikes("hidden"))))
    assert errors["sample_errors"]["out"][1][0].tolist() == [[2.0, 4.0, 6.0]]


def test_a_loss_keeps_what_it_was_made_of():
    times, train = WANTED.copy(), np.array([8e-3, 9e-3, 10e-3])
    losses = [
        saltus.SpikeTimes(times),
        saltus.VanRossum((train, np.zeros(3, np.int32), np.arange(4))),
    ]
    before = [loss(RECORD, DATA.labels).value for loss in losses]
    times[...] = train[...] = 50e-3
    assert [loss(RECORD, DATA.labels).value for loss in losses] == before


@pytest.mark.parametrize(
    ("trains", "says"),
    [
        (([0.01, 0.02], [0, 0], [0, 1, 2, 9]), r"trains\.offsets"),
        (([0.01, 0.02, 0.03], [0, 0, 0], [1, 1, 2, 3]), r"trains\.offsets\[0\] is 1"),
        (([0.01, 0.02], [0, 0], [0, 2, 1, 2]), r"trains\.offsets"),
        ([([0.02, 0.01], [0, 0])], r"trains\.times"),
        ([([0.01], [-1])], r"trains\.neurons\[0\] is -1"),
        ([([-0.01], [0])], r"trains\.times"),
        ([([np.nan], [0])], r"trains\.times"),
        ([([np.inf], [0])], r"trains\.times"),
    ],
)
def test_trains_without_a_meaning_are_refused(trains, says):
    with pytest.raises(ValueError, match=says):
        saltus.VanRossum(trains)


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_a_missing_time_is_finite(missing):
    with pytest.raises(ValueError, match=f"t_missing is {missing}; expected a finite time"):
        saltus.SpikeTimes(WANTED, t_missing=missing)
