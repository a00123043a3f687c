# SPDX-License-Identifier: Apache-2.0
"""Gradients that see spikes appear and vanish: thresholds with noise, ghosts, and what they add."""

import math

import numpy as np
import pytest
import saltus

from .networks import random_batch, recurrent_net

T_END = 0.05


def run(smoothing=None, seed=0, **options):
    net = recurrent_net(seed)
    inputs = {"in": random_batch(np.random.default_rng(seed + 1))}
    return net, saltus.simulate(net, inputs, T_END, smoothing=smoothing, **options)


def errors_of(record):
    count = len(record.spikes("hidden"))
    return {
        "spike_errors": {"hidden": np.linspace(-1, 1, count)},
        "maximum_errors": {"out": np.ones((record.samples, 2))},
    }


def assert_same_bits(a, b):
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("thresholds", ["fixed", "sampled"])
def test_without_noise_nothing_changes_to_the_last_bit(thresholds, dtype):
    smoothing = saltus.Smoothing(0.0, thresholds=thresholds)
    net, record = run(dtype=dtype)
    _, smoothed = run(smoothing, dtype=dtype)
    np.testing.assert_array_equal(smoothed.spikes("hidden").times, record.spikes("hidden").times)
    ghosts = saltus.find_ghosts(net, smoothed, smoothing)
    assert len(ghosts) == 0
    assert ghosts["hidden"].shape == (0,)
    assert_same_bits(
        saltus.backward(net, smoothed, **errors_of(record), ghosts=ghosts),
        saltus.backward(net, record, **errors_of(record)),
    )


@pytest.mark.parametrize("thresholds", ["fixed", "sampled"])
def test_ghosts_and_gradients_have_the_same_bits_for_any_number_of_threads(thresholds):
    smoothing = saltus.Smoothing(0.2, thresholds=thresholds, seed=3)
    found = []
    for threads in (1, 3):
        net, record = run(smoothing, threads=threads)
        ghosts = saltus.find_ghosts(net, record, smoothing, threads=threads)
        g = saltus.backward(net, record, **errors_of(record), ghosts=ghosts, threads=threads)
        found.append(({**g, "ghosts": ghosts["hidden"]}, ghosts))
    assert_same_bits(found[0][0], found[1][0])
    assert len(found[0][1]) > 3
    assert np.count_nonzero(found[0][0]["ghosts"]["difference"]) > 3


def test_a_ghost_is_a_peak_of_the_voltage_near_the_threshold():
    smoothing = saltus.Smoothing(0.15)
    net, record = run()
    ghosts = saltus.find_ghosts(net, record, smoothing)["hidden"]
    passed = ghosts[ghosts["behind"] < 0]
    assert len(passed) > 2
    for g in passed:
        v = record.voltages("hidden", [g["time"]])[g["sample"], 0, g["neuron"]]
        assert math.isclose(v, g["height"], rel_tol=1e-12)
        xi = (v - net["hidden.v_threshold"][g["neuron"]]) / 0.15
        assert abs(xi) <= 3
        normal = math.exp(-(xi**2) / 2) / math.sqrt(2 * math.pi) / 0.15
        assert math.isclose(g["density"], normal / math.erf(3 / math.sqrt(2)), rel_tol=1e-9)


# --- one neuron that spikes once at most, and a readout whose V the loss is linear in -------------

MEAN, SIGMA, READ_AT, WEIGHT = 1.0, 0.1, 0.06, 5.8


def one_neuron(weight=WEIGHT, synapse="exponential"):
    net = saltus.Network()
    net.add_input("in", 3)
    net.add_population("hidden", "LIF", 1, v_threshold=MEAN, tau_ref=1.0)
    net.add_population("out", "LI", 1, synapse=synapse)
    net.connect("in", "hidden", [[weight], [2.5], [4.0]])
    net.connect("hidden", "out", [[1.5]], receptor="in" if synapse == "ex_in" else None)
    return net


def simulate_once(net, samples=1, smoothing=None):
    times = np.array([1e-3, 14e-3, 32e-3])  # peaks of V at 0.91, 1.08, 1.13
    return saltus.simulate(
        net,
        {"in": (np.tile(times, samples), np.tile(range(3), samples), 3 * np.arange(samples + 1))},
        READ_AT,
        smoothing=smoothing,
    )


def readout_loss(record, labels):
    return saltus.LossResult(float(record.voltages("out", [READ_AT]).sum()), {})


def averaged_loss(weight):
    """The loss averaged over the threshold, by quadrature between the peaks."""
    net, above = one_neuron(weight), MEAN + 3 * SIGMA
    net["hidden.v_threshold"] = above
    peaks = saltus.find_ghosts(net, simulate_once(net), saltus.Smoothing(2 * SIGMA))["hidden"]
    assert len(peaks) == 3
    x, w = np.polynomial.legendre.leggauss(16)
    total, low = 0.0, MEAN - 3 * SIGMA
    for high in [*sorted(peaks["height"]), above]:
        for node, share in zip((1 + x) / 2, w / 2, strict=True):
            u = high - (high - low) * node**2  # the spike moves as the root of the distance
            xi = (u - MEAN) / SIGMA
            density = math.exp(-(xi**2) / 2) / math.sqrt(2 * math.pi) / SIGMA
            net["hidden.v_threshold"] = u
            value = readout_loss(simulate_once(net), None).value
            total += share * 2 * node * (high - low) * density * value
        low = high
    return total / math.erf(3 / math.sqrt(2))


def test_the_mean_over_sampled_thresholds_is_the_gradient_of_the_averaged_loss():
    step = 1e-4
    expected = (averaged_loss(WEIGHT + step) - averaged_loss(WEIGHT - step)) / (2 * step)
    net, samples = one_neuron(), 400
    found, exact_alone = [], []
    for seed in range(40):
        smoothing = saltus.Smoothing(SIGMA, thresholds="sampled", seed=seed)
        record = simulate_once(net, samples, smoothing)
        errors = {"sample_errors": {"out": ([READ_AT], np.full((samples, 1, 1), 1 / samples))}}
        ghosts = saltus.find_ghosts(net, record, smoothing)
        for place, given in ((found, ghosts), (exact_alone, None)):
            gradient = saltus.backward(net, record, **errors, ghosts=given)
            place.append(gradient["in->hidden.weight"][0, 0])
    error = np.std(found) / math.sqrt(len(found))
    assert abs(np.mean(found) - expected) < 3 * error, (np.mean(found), expected, error)
    assert error < 0.03 * abs(expected)
    assert abs(np.mean(exact_alone) - expected) > 10 * error


@pytest.mark.parametrize(
    "synapse", ["exponential", "alpha", "double_exponential", "ex_in", "delta"]
)
def test_measured_differences_are_those_of_first_order_where_the_loss_is_linear(synapse):
    net = one_neuron(synapse=synapse)
    found = []
    for difference in ("first_order", "exact"):
        smoothing = saltus.Smoothing(SIGMA, thresholds="sampled", difference=difference, seed=1)
        record = simulate_once(net, 6, smoothing)
        ghosts = saltus.find_ghosts(net, record, smoothing, loss=readout_loss, labels=[0] * 6)
        errors = {"sample_errors": {"out": ([READ_AT], np.ones((6, 1, 1)))}}
        gradient = saltus.backward(net, record, **errors, ghosts=ghosts)
        found.append((ghosts["hidden"]["difference"], gradient["in->hidden.weight"]))
    assert len(found[0][0]) > 3
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-4)


@pytest.mark.parametrize("delay", [None, 1e-3, "each"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_readout_with_two_receptors_of_which_one_is_used_is_one_with_one(delay, dtype):
    """The same mathematics, in the two forms of the code."""
    rng = np.random.default_rng(2)
    weights = rng.normal(0, 1, (6, 3))
    if delay == "each":
        delay = rng.uniform(0, 3e-3, (6, 3))
    inputs = {"in": random_batch(np.random.default_rng(1))}
    smoothing, found = saltus.Smoothing(0.2), []
    for synapse, more, receptor in (
        ("exponential", {}, None),
        ("ex_in", {"tau_syn_ex": 5e-3}, "ex"),
    ):
        net = saltus.Network(seed=1)
        net.add_input("in", 4)
        net.add_population("hidden", "LIF", 6)
        net.add_population("out", "LI", 3, synapse=synapse, **more)
        net.connect("in", "hidden", saltus.Normal(2.5, 1.0))
        net.connect("hidden", "out", weights, delay, receptor=receptor)
        record = saltus.simulate(net, inputs, T_END, dtype=dtype)
        ghosts = saltus.find_ghosts(net, record, smoothing)
        samples = record.samples
        errors = {
            "integral_errors": {"out": np.ones((samples, 3))},
            "sample_errors": {"out": ([0.02, 0.04], np.ones((samples, 2, 3)))},
        }
        gradient = saltus.backward(net, record, **errors, ghosts=ghosts)
        exact = saltus.backward(net, record, **errors)
        assert not np.allclose(gradient["in->hidden.weight"], exact["in->hidden.weight"], rtol=1e-2)
        found.append((gradient, ghosts["hidden"]["difference"]))
    (one, differences), (other, same) = found
    assert len(differences) > 10
    close = {"rtol": 1e-8} if dtype == np.float64 else {"rtol": 1e-3, "atol": 1e-5}
    np.testing.assert_allclose(same, differences, **close)
    for name in one:
        if name in other:
            np.testing.assert_allclose(other[name], one[name], err_msg=name, **close)


# --- training ------------------------------------------------------------------------------------

DATA = saltus.data.yin_yang(n=120)


def quiet_net():
    """Hidden neurons spike 0.1 times a sample; most come near the threshold and stay below it."""
    return saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(30, saltus.Normal(1.4, 0.3)),
        saltus.LIF(3, saltus.Normal(1.0, 0.5)),
        seed=2,
    )


def fit(net, loss, **options):
    given = {"epochs": 3, "progress": False, "dtype": np.float64} | options
    return saltus.fit(net, DATA, loss, np.inf, **given)


@pytest.mark.parametrize("native", [True, False], ids=["built-in", "function"])
def test_a_training_at_sampled_thresholds_is_another_and_repeats(native):
    loss = saltus.FirstSpike()
    given = loss if native else loss.__call__
    options = {"smooth_threshold": 0.2, "epochs": 2}
    losses = []
    for reading, seed in [("fixed", 1), ("sampled", 1), ("sampled", 1), ("sampled", 2)]:
        history = fit(quiet_net(), given, smooth_reading=reading, seed=seed, **options)
        assert history["ghosts_per_sample"][0] > 1
        losses.append(history["loss"])
    assert losses[1] == losses[2]
    assert losses[0] != losses[1] != losses[3]


@pytest.mark.parametrize("native", [True, False], ids=["built-in", "function"])
def test_a_smoothed_training_counts_ghosts_in_and_ends_in_the_exact_gradient(native):
    loss = saltus.FirstSpike()
    given = loss if native else loss.__call__
    options = {"smooth_threshold": 0.3, "smooth_decay": 0.1, "smooth_end": 0.02}
    net, exact = quiet_net(), quiet_net()
    history = fit(net, given, **options)
    np.testing.assert_allclose(history["smoothing_sigma"], [0.3, 0.03, 0])
    assert history["ghosts_per_sample"][0] > 1
    assert history["ghost_share"][0] > 0
    assert history[-1].ghosts_per_sample == history[-1].ghost_share == 0
    plain = fit(exact, given)
    assert plain["smoothing_sigma"] == [0, 0, 0]
    assert history["silent_labels"][-1] < plain["silent_labels"][-1]


def test_parameters_by_name_and_by_kind_have_the_same_ghosts():
    loss, options = saltus.FirstSpike(), {"smooth_threshold": 0.3, "epochs": 1}
    nets, histories = (quiet_net(), quiet_net()), []
    by_name = ["in->hidden.weight", "hidden->out.weight"]
    for net, trainable in zip(nets, (["weights"], by_name), strict=True):
        histories.append(fit(net, loss, trainable=trainable, **options)[0])
    for field in ("ghosts_per_sample", "ghost_share", "gradient_norm"):
        a, b = (getattr(history, field) for history in histories)
        assert a == b, field
    assert nets[0] == nets[1]


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"sigma": -0.1}, ValueError, r"sigma is -0\.1; expected a finite number at least 0"),
        ({"sigma": math.nan}, ValueError, "sigma is nan"),
        ({"sigma": "a"}, TypeError, "sigma: expected a number; got str"),
        ({"sigma": 1, "reach": 0}, ValueError, "reach is 0; expected a finite number above 0"),
        ({"sigma": 1, "thresholds": "drawn"}, ValueError, "thresholds is 'drawn'; expected"),
        ({"sigma": 1, "difference": 1}, ValueError, "difference is 1; expected 'first_order' or"),
        ({"sigma": 1, "seed": -1}, ValueError, "seed is -1"),
    ],
)
def test_a_smoothing_without_a_meaning_is_refused(values, error, message):
    with pytest.raises(error, match=message):
        saltus.Smoothing(**values)


def test_what_does_not_fit_together_is_refused():
    fixed, sampled = saltus.Smoothing(0.1), saltus.Smoothing(0.1, thresholds="sampled")
    net, record = run()
    _, drawn = run(sampled)
    exact = saltus.Smoothing(0.1, difference="exact")
    loss = saltus.MaximumVoltage()
    for error, message, call in [
        (TypeError, "smoothing: expected a saltus.Smoothing; got float", lambda: run(0.1)),
        (ValueError, r"sampled thresholds of hidden\[0\] reach down to",
         lambda: run(saltus.Smoothing(0.5, thresholds="sampled"))),
        (TypeError, "smoothing: expected", lambda: saltus.find_ghosts(net, record, 0.1)),
        (TypeError, "record: expected", lambda: saltus.find_ghosts(net, 1, fixed)),
        (ValueError, "the record was simulated with None",
         lambda: saltus.find_ghosts(net, record, sampled)),
        (ValueError, "the record was simulated with Smoothing",
         lambda: saltus.find_ghosts(net, drawn, fixed)),
        (ValueError, "loss is missing; expected one with smoothing.difference 'exact'",
         lambda: saltus.find_ghosts(net, record, exact)),
        (ValueError, "labels: expected with loss; got none",
         lambda: saltus.find_ghosts(net, record, fixed, loss=loss)),
        (ValueError, r"labels holds 2; expected 0 to 1, the outputs of 'out'",
         lambda: saltus.find_ghosts(net, record, fixed, loss=loss, labels=[0, 2, 1])),
        (TypeError, "loss: expected a saltus.Loss or a function; got MaximumVoltage",
         lambda: saltus.find_ghosts(net, record, fixed, loss=type(loss), labels=[0, 0, 1])),
        (TypeError, "loss: expected it to return a saltus.LossResult; got float",
         lambda: saltus.find_ghosts(net, record, exact, loss=lambda r, y: 0.0, labels=[0, 0, 1])),
        (TypeError, "ghosts: expected a saltus.Ghosts; got list",
         lambda: saltus.backward(net, record, ghosts=[])),
        (ValueError, "ghosts belong to another record",
         lambda: saltus.backward(net, record, ghosts=saltus.find_ghosts(net, drawn, sampled))),
        (ValueError, "'out' is LI; expected a population that spikes",
         lambda: saltus.find_ghosts(net, record, fixed)["out"]),
        (ValueError, "smooth_threshold", lambda: fit(quiet_net(), loss, smooth_threshold=-1)),
        (ValueError, "no reading of thresholds is called 'drawn'; there are: fixed, sampled",
         lambda: fit(quiet_net(), loss, smooth_reading="drawn")),
    ]:  # fmt: skip
        with pytest.raises(error, match=message):
            call()


def test_ghosts_of_a_sum_count_what_its_parts_say():
    net = saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(20, saltus.Normal(1.5, 0.7)),
        saltus.LIF(3, saltus.Normal(3, 0.5)),
    )
    data, smoothing = saltus.data.yin_yang(n=5), saltus.Smoothing(0.3)
    record = saltus.simulate(net, data, np.inf, smoothing=smoothing)
    one = saltus.FirstSpike()
    direct = []
    for loss in one, saltus.SumOfLosses(one), saltus.SumOfLosses(one, saltus.SumOfLosses(one)):
        ghosts = saltus.find_ghosts(net, record, smoothing, loss=loss, labels=data.labels)
        direct.append(ghosts["out"]["direct"])
    assert np.any(direct[0])
    np.testing.assert_array_equal(direct[1], direct[0])
    np.testing.assert_array_equal(direct[2], 2 * direct[0])


@pytest.mark.parametrize(
    "more", [{}, {"l2": 1.0, "l1": 0.1}, {"trainable": ["weights", "tau_mem", "delays"]}]
)
def test_the_share_of_ghosts_is_that_of_the_step(more):
    """In the units that steps are taken in, and of what is added by them alone."""
    data = saltus.data.yin_yang(n=20)
    moved = []
    for sigma in 0.0, 0.2:
        net = saltus.Sequential(
            saltus.Input(5),
            saltus.LIF(20, saltus.Normal(1.5, 0.7), delay=1e-3),
            saltus.LIF(3, saltus.Normal(3, 0.5)),
        )
        before = net.copy()
        history = saltus.fit(
            net,
            data,
            saltus.FirstSpike(),
            0.06,
            epochs=1,
            batch=20,
            smooth_threshold=sigma,
            dtype=np.float64,
            progress=False,
            optimizer=saltus.SGD(1e-5, momentum=0.0),
            **more,
        )
        seconds = [name for name in net if not name.endswith(".weight")]
        unit = {name: 2e-3 if name in seconds else 1.0 for name in net}
        moved.append(
            np.concatenate([np.ravel((net[n] - before[n]) / unit[n]) for n in sorted(net)])
        )
    share = np.linalg.norm(moved[1] - moved[0]) / np.linalg.norm(moved[1])
    assert history[0].ghost_share == pytest.approx(share, rel=1e-6)
    assert 0 < share < 1


class Half(saltus.SumOfLosses):
    def __call__(self, record, labels):
        said = super().__call__(record, labels)
        errors = {k: {p: e / 2 for p, e in of.items()} for k, of in said.errors.items()}
        return saltus.LossResult(said.value / 2, errors)


def test_what_a_loss_of_ones_own_does_not_say_of_ghosts_is_told():
    net = saltus.Sequential(
        saltus.Input(5), saltus.LIF(20, saltus.Normal(1.5, 0.7)), saltus.LIF(3, saltus.Normal(3, 1))
    )
    data, first = saltus.data.yin_yang(n=5), saltus.FirstSpike()
    smoothing = saltus.Smoothing(0.3)
    record = saltus.simulate(net, data, 0.06, smoothing=smoothing)
    for loss, name in ((Half(first), "Half"), (lambda *batch: first(*batch), "<lambda>")):  # noqa: PLW0108
        with pytest.warns(saltus.SaltusWarning, match=f"is worth to {name} by itself is not") as w:
            ghosts = saltus.find_ghosts(net, record, smoothing, loss=loss, labels=data.labels)
        assert len(w) == 1
        assert not np.any(ghosts["out"]["direct"])
    ghosts = saltus.find_ghosts(net, record, smoothing, loss=first, labels=data.labels)
    assert np.any(ghosts["out"]["direct"])
