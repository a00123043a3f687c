# SPDX-License-Identifier: Apache-2.0
"""saltus.plot: what is drawn is what the record says."""

import numpy as np
import pytest
import saltus

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402

from .networks import random_batch, recurrent_net  # noqa: E402


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def record():
    batch = random_batch(np.random.default_rng(0))
    return saltus.simulate(recurrent_net(), {"in": batch}, 0.05)


def lines(ax):
    return {line.get_label(): line.get_xydata() for line in ax.get_lines()}


def test_raster_draws_each_spike_of_the_sample(record):
    spikes = record.spikes("hidden")
    ax = saltus.plot.raster(spikes, sample=1, s=3)
    part = slice(spikes.offsets[1], spikes.offsets[2])
    expected = np.stack([1e3 * spikes.times[part], spikes.neurons[part]], axis=1)
    assert np.allclose(ax.collections[0].get_offsets(), expected)
    data = saltus.data.yin_yang(n=3)
    assert len(saltus.plot.raster(data, ax=plt.figure().gca()).collections[0].get_offsets()) == 5
    with pytest.raises(ValueError, match="sample is 3; expected 0 to 2"):
        saltus.plot.raster(spikes, sample=3)


def test_no_line_is_drawn_for_a_threshold_that_moves():
    net = recurrent_net()
    adaptive = saltus.Network()
    adaptive.add_input("in", 4)
    adaptive.add_population("h", "ALIF", 3, beta=0.4)
    adaptive.connect("in", "h", np.full((4, 3), 4.0))
    batch = {"in": random_batch(np.random.default_rng(0))}
    fixed = saltus.plot.voltages(saltus.simulate(net, batch, 0.05), "hidden", [0])
    dotted = [line for line in fixed.get_lines() if line.get_linestyle() == ":"]
    assert len(dotted) == 1
    record = saltus.simulate(adaptive, batch, 0.05)
    ax = saltus.plot.voltages(record, "h", [1], ax=plt.figure().gca())
    assert not [line for line in ax.get_lines() if line.get_linestyle() == ":"]
    marks = next(line for line in ax.get_lines() if line.get_marker() == "^")
    times, heights = marks.get_data()
    expected = record.voltages("h", np.asarray(times) / 1e3)[0][:, 1]
    assert len(times) > 1
    np.testing.assert_allclose(heights, expected, atol=1e-6)
    assert max(heights) > 1.1  # above v_threshold: beta a


def test_voltages_show_the_course_with_its_jumps(record):
    ax = saltus.plot.voltages(record, "hidden", [0, 2], sample=1)
    curve = lines(ax)["hidden 2"]
    inside = slice(10, -10)
    expected = record.voltages("hidden", curve[inside, 0] / 1e3)[1][:, 2]
    # Milliseconds and back may move a time over its jump: there both sides are right.
    assert np.mean(np.abs(curve[inside, 1] - expected) < 1e-6) > 0.98
    assert np.isclose(curve[:, 1].max(), record._network["hidden.v_threshold"][2])
    out = saltus.plot.voltages(record, "out", [1], ax=plt.figure().gca(), until=0.02)
    assert np.isclose(lines(out)["out 1"][-1, 0], 20)


def test_voltages_end_where_the_record_does():
    ends = np.full(3, 0.05)
    record = saltus.simulate(recurrent_net(), {"in": random_batch(np.random.default_rng(0))}, ends)
    ends[:] = 0.02
    assert np.isclose(lines(saltus.plot.voltages(record, "out", [1]))["out 1"][-1, 0], 50)


def test_adjoints_draw_both_variables(record):
    errors = saltus.MaximumVoltage()(record, [0, 1, 0]).errors
    first, second = saltus.plot.adjoints(record, "hidden", errors, [1], sample=2)
    for ax, k in ((first, 0), (second, 1)):
        curve = lines(ax)["hidden 1"]
        expected = saltus.adjoint(record, "hidden", curve[5::100, 0] / 1e3, **errors)[k][2][:, 1]
        assert np.mean(np.abs(curve[5::100, 1] - expected) < 1e-6) > 0.8
        assert np.abs(curve[:, 1]).max() > 0


def test_learning_curves_and_decision_map():
    net = saltus.Sequential(
        saltus.Input(5), saltus.LIF(40, saltus.Normal(1.5, 0.8)), saltus.LIF(3, saltus.Normal(3, 1))
    )
    data = saltus.data.yin_yang(n=64)
    history = saltus.fit(
        net, data, saltus.FirstSpike(), np.inf, epochs=3, validation=data, progress=False
    )
    loss, accuracy = saltus.plot.learning_curves(history)
    assert np.allclose(lines(loss)["training"][:, 1], history["loss"])
    assert np.allclose(lines(accuracy)["validation"][:, 1], history["validation_accuracy"])
    ax = saltus.plot.decision_map(net, resolution=8, ax=plt.figure().gca())
    picture = ax.images[0].get_array()
    # The middle of the pixel in column 6 of row 2, run by itself.
    x, y = 6.5 / 8, 2.5 / 8
    order = np.argsort([x, y, 1 - x, 1 - y, 0.0])
    times = 30e-3 * np.array([x, y, 1 - x, 1 - y, 0.0])[order]
    record = saltus.simulate(net, {"in": (times, order, [0, 5])}, np.inf)
    first = record.spikes("out").first(3)[0]
    assert picture[2, 6] == (0 if np.isinf(first).all() else first.argmin() + 1)
    assert {0, 1, 2, 3} >= set(np.unique(picture))
    with pytest.raises(ValueError, match=r"sizes \[4, 2\]; expected \[5, 3\]"):
        saltus.plot.decision_map(recurrent_net())
    with pytest.raises(ValueError, match="history holds no epochs"):
        saltus.plot.learning_curves(saltus.History())


def test_histograms_have_the_area_1():
    net = recurrent_net()
    for kind, scale in (("weight", 1.0), ("delay", 1e3)):
        ax = saltus.plot.histograms(net, kind, bins=10, ax=plt.figure().gca())
        assert len(ax.patches) == 3
        name = net.projections[0]
        low, high = ax.patches[-1].get_xy()[:, 0].min(), ax.patches[-1].get_xy()[:, 0].max()
        values = scale * np.concatenate([net[f"{p}.{kind}"].reshape(-1) for p in net.projections])
        assert np.isclose(low, values.min())
        assert np.isclose(high, values.max())
        assert name in [text.get_text() for text in ax.get_legend().get_texts()]
    with pytest.raises(ValueError, match="kind is 'bias'"):
        saltus.plot.histograms(net, "bias")
    with pytest.raises(ValueError, match="network has no delays"):
        saltus.plot.histograms(saltus.Network(), "delay")


def test_what_cannot_be_drawn_is_refused(record):
    with pytest.raises(ValueError, match="neurons: 5; expected 0 to 4"):
        saltus.plot.voltages(record, "hidden", [5])
    with pytest.raises(ValueError, match="'nowhere'"):
        saltus.plot.voltages(record, "nowhere")
    endless = saltus.simulate(
        saltus.Sequential(saltus.Input(1), saltus.LI(1, [[1.0]])), {"in": ([], [], [0, 0])}, np.inf
    )
    with pytest.raises(ValueError, match="until: expected a time"):
        saltus.plot.voltages(endless, "out")


def test_spikes_and_voltages_share_their_time_axis(record):
    spikes = saltus.plot.raster(record, "hidden", sample=1, ax=plt.figure().gca())
    volts = saltus.plot.voltages(record, "out", sample=1, ax=plt.figure().gca())
    assert spikes.get_xlim() == volts.get_xlim() == (0.0, 50.0)
    by_hand = saltus.plot.raster(record.spikes("hidden"), sample=1, ax=plt.figure().gca())
    drawn = [ax.collections[0].get_offsets() for ax in (spikes, by_hand)]
    assert np.array_equal(*drawn)
    for given, population in ((record, None), (record.spikes("hidden"), "hidden")):
        with pytest.raises(ValueError, match=r"population is .*; expected one of a Record"):
            saltus.plot.raster(given, population)


def test_an_overview_has_one_axis_of_time(record):
    top, bottom = saltus.plot.overview(record, sample=2, until=0.04)
    assert [ax.get_title() for ax in (top, bottom)] == ["hidden", "out"]
    assert len(top.collections[0].get_offsets()) > 0
    assert [line.get_label() for line in bottom.get_lines()] == ["out 0", "out 1"]
    bottom.set_xlim(0, 20)
    assert top.get_xlim() == (0, 20)
    with pytest.raises(ValueError, match="sample is 3"):
        saltus.plot.overview(record, sample=3)
    with pytest.raises(ValueError, match="populations is empty"):
        saltus.plot.overview(record, [])


def test_learning_curves_of_what_a_history_became():
    net = saltus.Sequential(saltus.Input(5), saltus.LIF(10), saltus.LIF(3))
    history = saltus.fit(
        net, saltus.data.yin_yang(n=40), saltus.FirstSpike(), np.inf, epochs=2, progress=False
    )
    for given in (history, history.to_dict(), history.to_json()):
        loss, _ = saltus.plot.learning_curves(given)
        assert np.array_equal(lines(loss)["training"][:, 1], history["loss"])
    loss, _ = saltus.plot.learning_curves(history + history)
    assert lines(loss)["training"][:, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["simulated", "sampled", "continued", "measured"])
def test_a_sample_is_drawn_to_its_own_end(kind):
    net, batch = recurrent_net(), random_batch(np.random.default_rng(0))
    ends = np.array([0.05, 0.03, 0.08])
    options = {}
    if kind == "sampled":
        options["smoothing"] = saltus.Smoothing(0.1, thresholds="sampled", seed=3)
    if kind == "continued":
        options["state"] = saltus.simulate(net, {"in": batch}, 0.05).state()
    record = saltus.simulate(net, {"in": batch}, ends, **options)
    if kind == "measured":
        s = record.spikes("hidden")
        record = saltus.record(
            net, {"in": batch}, {"hidden": (s.times, s.neurons, s.offsets)}, ends
        )
    for sample, end in enumerate(ends):
        for ax in saltus.plot.overview(record, sample=sample):
            assert ax.get_xlim() == (0.0, pytest.approx(1e3 * end))
        ax = saltus.plot.voltages(record, "out", [1], sample=sample, ax=plt.figure().gca())
        at, v = lines(ax)["out 1"].T
        assert np.isclose(at[-1], 1e3 * end)
        early = at < 29
        expected = record.voltages("out", at[early] / 1e3)[sample, :, 1]
        assert np.mean(np.abs(v[early] - expected) < 1e-6) > 0.98
    until = saltus.plot.voltages(record, "out", sample=2, until=0.06, ax=plt.figure().gca())
    assert until.get_xlim() == (0.0, pytest.approx(60.0))
    with pytest.raises(ValueError, match=r"after the end of sample 0 at 0\.08"):
        saltus.plot.voltages(record, "out", sample=2, until=0.09)
    if kind != "continued":  # adjoint variables are of all samples at once
        errors = {"maximum_errors": {"out": np.ones((3, 2))}}
        axes = saltus.plot.adjoints(record, "out", errors, sample=2)
        assert axes[0].get_lines()[0].get_xdata()[-1] == pytest.approx(30.0)
