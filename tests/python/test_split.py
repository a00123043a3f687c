# SPDX-License-Identifier: Apache-2.0
"""Data sets taken apart, put together, with what is known of each sample; several inputs, ends of
their own, predictions."""

import dataclasses
import gzip

import h5py
import numpy as np
import pytest
import saltus
from hypothesis import given
from hypothesis import strategies as st

from .networks import data_folder


def sample_data(samples=40, channels=6, seed=0, **more):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 9, samples)
    times = np.concatenate([np.sort(rng.uniform(0, 0.05, c)) for c in counts])
    spikes = (times, rng.integers(0, channels, len(times)), np.concatenate([[0], counts.cumsum()]))
    extra = {
        "speaker": rng.integers(0, 4, samples),
        "name": np.array([f"s{k}" for k in range(samples)]),
    }
    return saltus.data.labelled_spikes(
        spikes, rng.integers(0, 3, samples), channels, 3, extra=extra, **more
    )


def same(a, b):
    return (
        all(np.array_equal(x, y) for x, y in zip(a.spikes, b.spikes, strict=True))
        and np.array_equal(a.labels, b.labels)
        and a.extra.keys() == b.extra.keys()
        and all(np.array_equal(a.extra[k], b.extra[k]) for k in a.extra)
        and (a.channels, a.classes, a.grid) == (b.channels, b.classes, b.grid)
    )


def names(data):
    return list(data.extra["name"])


# --- apart and together --------------------------------------------------------------------------


@given(st.integers(0, 50), st.sampled_from([(0.5, 0.5), (0.8, 0.1, 0.1), (1.0,)]), st.booleans())
def test_split_puts_each_sample_into_one_part(seed, shares, stratify):
    data = sample_data()
    parts = saltus.data.split(data, *shares, seed=seed, stratify=stratify)
    assert len(parts) == len(shares)
    assert sorted(name for part in parts for name in names(part)) == sorted(names(data))
    for part in parts:
        at = [int(name[1:]) for name in names(part)]
        assert at == sorted(at)
        assert same(part, data[at])
    again = saltus.data.split(data, *shares, seed=seed, stratify=stratify)
    assert all(same(a, b) for a, b in zip(parts, again, strict=True))


def test_split_keeps_the_share_of_each_class():
    data = sample_data(300)
    _, test = saltus.data.split(data, 0.8, 0.2, seed=1)
    for label in range(3):
        share = np.sum(data.labels == label) * 0.2
        assert abs(np.sum(test.labels == label) - share) <= 1
    assert not same(test, saltus.data.split(data, 0.8, 0.2, seed=2)[1])


def test_folds_hold_out_each_sample_once_and_each_class_evenly():
    data = sample_data(100)
    folds = list(saltus.data.stratified_folds(data, 4, seed=3))
    assert sorted(name for _, held in folds for name in names(held)) == sorted(names(data))
    for train, held in folds:
        assert sorted(names(train) + names(held)) == sorted(names(data))
        for label in range(3):
            assert abs(np.sum(held.labels == label) - np.sum(data.labels == label) / 4) < 1
        assert abs(len(held) - 25) <= 1


def test_one_group_after_the_other_is_left_out():
    data = sample_data()
    found = list(saltus.data.leave_one_group_out(data, "speaker"))
    assert [group for group, _, _ in found] == [0, 1, 2, 3]
    for group, train, held in found:
        assert set(held.extra["speaker"]) == {group}
        assert group not in train.extra["speaker"]
        assert len(train) + len(held) == len(data)
    by_array = list(saltus.data.leave_one_group_out(data, data.extra["speaker"]))
    assert all(same(a[2], b[2]) for a, b in zip(found, by_array, strict=True))


def test_parts_come_together_again():
    data = sample_data(t_end=np.linspace(0.1, 0.2, 40))
    again = saltus.data.concatenate(data[:13], data[13:14], data[14:])
    assert same(again, data)
    assert np.array_equal(again.t_end, data.t_end)
    more = saltus.data.labelled_spikes(data[:2].spikes, [0, 1], 6, t_end=[0.1, 0.1])
    assert dict(saltus.data.concatenate(data, more).extra) == {}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda d: saltus.data.split(d, 0.5, 0.6, seed=0), "add up to 1"),
        (lambda d: saltus.data.split(d, seed=0), "add up to 1"),
        (lambda d: saltus.data.stratified_folds(d, 1, seed=0), "folds is 1; expected 2 to 40"),
        (lambda d: saltus.data.leave_one_group_out(d, "take"), "groups is 'take'; extra"),
        (lambda d: saltus.data.leave_one_group_out(d, np.zeros(40)), "groups holds 1"),
        (lambda d: saltus.data.concatenate(), "no parts"),
        (
            lambda d: saltus.data.concatenate(d, sample_data(channels=7)),
            "part 1 has channels 7; expected 6",
        ),
        (lambda d: saltus.data.concatenate(d, sample_data(t_end=np.ones(40))), "only one says"),
        (lambda d: saltus.data.stack_channels(d, d[::-1]), "part 1 has other labels"),
        (lambda d: sample_data(t_end=np.ones(3)), "t_end has shape"),
        (
            lambda d: saltus.data.labelled_spikes(d.spikes, d.labels, 6, extra={"a": [1]}),
            r"extra\['a'\] has shape \(1,\); expected 40 rows",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call(sample_data())


def test_what_is_known_of_samples_is_kept_by_augmentations():
    data = sample_data()
    for changed in (
        saltus.data.jitter_times(data, 1e-3, seed=0),
        saltus.data.shift_units(data, 1, seed=0),
        saltus.data.drop_spikes(data, 0.5, seed=0),
        saltus.data.merge_samples(data, 5, seed=0)[:40],
    ):
        assert names(changed) == names(data)
        assert changed.extra["speaker"] is not data.extra["speaker"]


# --- files ---------------------------------------------------------------------------------------


def write(path, data, **attributes):
    with h5py.File(path, "w") as file:
        for key, column, kind in (
            ("spikes/times", data.times, np.float64),
            ("spikes/units", data.neurons, np.int32),
        ):
            rows = file.create_dataset(key, (len(data),), dtype=h5py.vlen_dtype(kind))
            for s in range(len(data)):
                rows[s] = column[data.offsets[s] : data.offsets[s + 1]]
        file["labels"] = data.labels
        file["extra/speaker"] = data.extra["speaker"].astype(np.uint16)
        file["extra/name"] = data.extra["name"].astype(object)
        file["extra/keys"] = np.array([b"zero", b"one", b"two"])
        file.attrs.update(attributes)


def test_a_spike_file_says_its_grid_and_what_is_known_of_samples(tmp_path):
    data = sample_data()
    write(tmp_path / "a.h5", data, grid=[1, 2, 3])
    read = saltus.data.read_spike_file(tmp_path / "a.h5")
    assert read.grid == (1, 2, 3)
    assert saltus.Input(read.grid).size == read.channels
    assert names(read[5:9]) == names(data[5:9])
    assert np.array_equal(read.extra["speaker"], data.extra["speaker"])
    assert list(read[5:9].tables["keys"]) == ["zero", "one", "two"]
    with open(tmp_path / "a.h5", "rb") as plain, gzip.open(tmp_path / "a.h5.gz", "wb") as packed:
        packed.write(plain.read())
    assert same(saltus.data.read_spike_file(tmp_path / "a.h5.gz"), read)


def test_speakers_of_spoken_digits_are_left_out_one_by_one():
    folder = data_folder("fsdd")
    data = saltus.data.concatenate(
        *(saltus.data.read_spike_file(folder / f"fsdd70_{part}.h5") for part in ("train", "test"))
    )
    assert list(data.tables["speaker_names"][:2]) == ["george", "jackson"]
    folds = list(saltus.data.leave_one_group_out(data, "speaker"))
    assert [(len(train), len(held)) for _, train, held in folds] == [(2500, 500)] * 6


def test_times_have_a_unit_and_an_origin(tmp_path):
    data = sample_data()
    t, n, offsets = data.spikes
    milli = saltus.data.labelled_spikes((t * 1e3, n, offsets), data.labels, 6, unit=1e-3)
    assert np.allclose(milli.times, t, rtol=1e-15)
    later = saltus.data.labelled_spikes((t + 40, n, offsets), data.labels, 6, origin=40)
    assert np.allclose(later.times, t, atol=1e-14)
    first = saltus.data.labelled_spikes((t + 40, n, offsets), data.labels, 6, origin="first")
    assert np.all(first.times[first.offsets[:-1]] == 0)
    gaps = np.diff(t)[np.diff(np.repeat(np.arange(40), np.diff(offsets))) == 0]
    own = np.diff(first.times)[np.diff(np.repeat(np.arange(40), np.diff(offsets))) == 0]
    assert np.allclose(own, gaps, atol=1e-13)
    write(
        tmp_path / "ms.h5",
        saltus.data.LabelledSpikes(t * 1e3, n, offsets, data.labels, 6, 3, extra=data.extra),
    )
    read = saltus.data.read_spike_file(tmp_path / "ms.h5", unit=1e-3)
    assert np.allclose(read.times, t, rtol=1e-15)
    with pytest.raises(ValueError, match="before origin = 41 s"):
        saltus.data.labelled_spikes((t + 40, n, offsets), data.labels, 6, origin=41)
    with pytest.raises(ValueError, match="unit is 0"):
        saltus.data.labelled_spikes(data.spikes, data.labels, 6, unit=0)
    with pytest.raises(ValueError, match="origin is 'start'"):
        saltus.data.labelled_spikes(data.spikes, data.labels, 6, origin="start")


def test_events_have_a_unit_and_an_origin():
    kind = [("t", float), ("x", int)]
    events = np.array([(40.5, 1), (40.0, 0), (41.0, 2)], kind)
    times, neurons, _ = saltus.data.from_events(events, (3, 1, 1), unit=1, origin="first")
    assert times.tolist() == [0, 0.5, 1]
    assert neurons.tolist() == [0, 1, 2]
    times, _, _ = saltus.data.from_events(events, (3, 1, 1), unit=1, origin=39.5)
    assert times.tolist() == [0.5, 1, 1.5]
    with pytest.raises(ValueError, match=r"events\[0\]: the first spike is at 40 s, before origin"):
        saltus.data.from_events(events, (3, 1, 1), unit=1, origin=40.25)
    before = np.array([(-5, 1), (7, 0)], [("t", int), ("x", int)])
    with pytest.raises(ValueError, match="'t' is -5; expected microseconds from 0 on"):
        saltus.data.from_events(before, (3, 1, 1))
    assert saltus.data.from_events(before, (3, 1, 1), origin="first")[0].tolist() == [0, 12e-6]


# --- several inputs, ends of their own -----------------------------------------------------------


def two_inputs(weight):
    net = saltus.Network()
    net.add_input("a", 2)
    net.add_input("b", 4)
    net.add_population("out", "LI", 3)
    net.connect("a", "out", weight[:2])
    net.connect("b", "out", weight[2:])
    return net


def test_a_network_with_two_inputs_trains_as_one_with_all_their_channels():
    data = sample_data(60)
    weight = np.random.default_rng(1).normal(0, 1, (6, 3))
    one, two = saltus.Sequential(saltus.Input(6), saltus.LI(3, weight)), two_inputs(weight)
    losses = []
    for net in one, two:
        record = saltus.simulate(net, data, 0.1)
        losses.append([saltus.MaximumVoltage()(record, data.labels).value])
        history = saltus.fit(
            net, data, saltus.MaximumVoltage(), 0.1, epochs=3, dtype=np.float64, progress=False
        )
        losses[-1] += history["loss"]
        losses[-1].append(saltus.evaluate(net, data, saltus.MaximumVoltage(), 0.1).loss)
    assert np.allclose(*losses, rtol=1e-6)
    weights = np.vstack([two["a->out.weight"], two["b->out.weight"]])
    assert np.allclose(weights, one["in->out.weight"], rtol=1e-8)


def test_a_function_as_loss_sees_both_inputs():
    data = sample_data(20)
    net = two_inputs(np.ones((6, 3)))
    seen = []

    def loss(record, labels):
        assert labels.dtype == np.int64
        seen.append(record.maxima("out").values.sum())
        return saltus.MaximumVoltage()(record, labels)

    saltus.evaluate(net, data, loss, 0.1)
    record = saltus.simulate(net, data, 0.1, dtype=np.float32)
    assert np.allclose(seen, record.maxima("out").values.sum())


def test_channels_of_the_same_samples_are_put_side_by_side():
    a = sample_data(channels=2)
    b = saltus.data.labelled_spikes(sample_data(channels=4, seed=5).spikes, a.labels, 4)
    both = saltus.data.stack_channels(a, b)
    assert both.channels == 6
    net = two_inputs(np.random.default_rng(2).normal(0, 1, (6, 3)))
    together = saltus.simulate(net, both, 0.1).integrals("out")
    apart = saltus.simulate(net, {"a": a, "b": b}, 0.1).integrals("out")
    assert np.allclose(together, apart, rtol=1e-12)
    assert names(both) == names(a)


def test_each_sample_has_an_end_of_its_own():
    data = sample_data(30, t_end=np.random.default_rng(3).uniform(0.01, 0.06, 30))
    net = saltus.Sequential(saltus.Input(6), saltus.LI(3, saltus.Normal(0, 1)))
    loss = saltus.IntegratedVoltage()
    record = saltus.simulate(net, data)
    expected = saltus.simulate(net, {"in": data.spikes}, data.t_end)
    assert np.array_equal(record.integrals("out"), expected.integrals("out"))
    found = saltus.evaluate(net, data, loss, dtype=np.float64)
    assert np.isclose(found.loss, loss(expected, data.labels).value, rtol=1e-12)

    def same_loss(record, labels):
        return loss(record, labels)

    # A function as a loss sees the same, in minibatches that are shuffled.
    nets = [net.copy() for _ in range(2)]
    histories = [
        saltus.fit(n, data, loss_or_function, epochs=2, batch=7, progress=False)
        for n, loss_or_function in zip(nets, (loss, same_loss), strict=True)
    ]
    assert histories[0]["loss"] == histories[1]["loss"]
    assert nets[0] == nets[1]
    # An end that is given counts for all.
    one = saltus.evaluate(net, data, loss, 0.1, dtype=np.float64).loss
    assert np.isclose(one, loss(saltus.simulate(net, data, 0.1), data.labels).value, rtol=1e-12)
    with pytest.raises(ValueError, match="data does not say when its samples end"):
        saltus.fit(net, sample_data(), loss, epochs=1)
    with pytest.raises(TypeError, match="t_end: missing"):
        saltus.simulate(net, sample_data())


def test_data_are_taken_wherever_spikes_are():
    data = sample_data()
    net = saltus.Sequential(
        saltus.Input(6),
        saltus.LIF(4, saltus.Normal(3, 1), name="a"),
        saltus.LI(3, saltus.Normal(0, 1)),
    )
    plain = saltus.simulate(net, {"in": data.spikes}, 0.1)
    for inputs in data, {"in": data}:
        found = saltus.simulate(net, inputs, 0.1)
        assert np.array_equal(found.spikes("a").times, plain.spikes("a").times)
    assert saltus.record(net, data, {"a": plain.spikes("a")}, 0.1).samples == 40
    factors = saltus.scale_weights(net.copy(), data, 0.1, 1.0)
    assert factors == saltus.scale_weights(net.copy(), {"in": data.spikes}, 0.1, 1.0)
    with pytest.raises(ValueError, match=r"inputs has 6 channels; expected 2 \+ 4|expected 5"):
        saltus.simulate(saltus.Sequential(saltus.Input(5), saltus.LI(1, np.ones((5, 1)))), data, 1)


# --- predictions ---------------------------------------------------------------------------------


def test_predictions_are_those_of_the_loss():
    data = sample_data()
    net = saltus.Sequential(saltus.Input(6), saltus.LI(3, saltus.Normal(0, 1)))
    loss = saltus.MaximumVoltage()
    predictions = saltus.predict(net, data, loss, 0.1)
    record = saltus.simulate(net, data, 0.1, dtype=np.float32)
    highest = record.maxima("out").values
    assert np.array_equal(predictions, np.where(highest.any(1), highest.argmax(1), -1))
    found = saltus.evaluate(net, data, loss, 0.1)
    assert np.array_equal(found.predictions, predictions)
    assert found == saltus.evaluate(net, data, loss, 0.1)
    confusion = saltus.confusion_matrix(data.labels, predictions, 3)
    assert np.isclose(np.trace(confusion) / len(data), found.accuracy)
    said = data.labels[predictions >= 0]
    assert np.array_equal(confusion.sum(1), np.bincount(said, minlength=3))
    with pytest.raises(ValueError, match="makes no predictions"):
        saltus.predict(net, data, lambda r, y: saltus.LossResult(0.0, {}), 0.1)


def test_a_confusion_matrix_counts_labels_by_predictions():
    assert saltus.confusion_matrix([2, 0, 2], [1, 0, -1]).tolist() == [
        [1, 0, 0],
        [0] * 3,
        [0, 1, 0],
    ]
    assert saltus.confusion_matrix([], [], 1).tolist() == [[0]]
    with pytest.raises(ValueError, match="labels: 3 is no class; expected 0 to 2"):
        saltus.confusion_matrix([3], [0], 3)
    with pytest.raises(ValueError, match="predictions has shape"):
        saltus.confusion_matrix([1, 2], [0])


def test_labels_beyond_the_classes_are_named():
    data = dataclasses.replace(saltus.data.yin_yang(n=60), classes=2)
    net = saltus.Sequential(saltus.Input(5), saltus.LIF(4), saltus.LIF(3))
    for call in saltus.fit, saltus.evaluate:
        more = {"epochs": 1} if call is saltus.fit else {}
        with pytest.raises(ValueError, match="data has a label 2; expected 0 to 1, its 2 classes"):
            call(net, data, saltus.FirstSpike(), 0.06, **more)
