# SPDX-License-Identifier: Apache-2.0
"""saltus.data: readers against the published files, events, augmentations, downloads; and the
shapes in which spikes enter."""

import copy
import dataclasses
import gzip
import hashlib
import pickle
import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler

import h5py
import numpy as np
import pytest
import saltus
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from .networks import data_folder, recurrent_net


def sample_data(seed=0, samples=6, channels=10):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 9, samples)
    times = np.concatenate([np.sort(rng.uniform(0, 0.1, c)) for c in counts])
    spikes = (
        times,
        rng.integers(0, channels, len(times)),
        np.concatenate([[0], np.cumsum(counts)]),
    )
    return saltus.data.labelled_spikes(spikes, np.arange(samples) % 3, channels)


def check(data):
    """What simulate and fit want of a data set."""
    again = saltus.data.labelled_spikes(data.spikes, data.labels, data.channels, data.classes)
    assert len(again) == len(data)


# --- sources -------------------------------------------------------------------------------------


def test_yin_yang_is_what_was_published():
    folder = data_folder("yin_yang")
    for split, seed, n in (("train", 42, 5000), ("validation", 41, 1000), ("test", 40, 1000)):
        samples, labels = saltus.data.yin_yang_points(n, seed)
        assert np.array_equal(samples, np.load(folder / f"{split}_samples.npy"))
        assert np.array_equal(labels, np.load(folder / f"{split}_labels.npy"))
        data = saltus.data.yin_yang(split)
        assert np.array_equal(data.labels, labels)


def test_yin_yang_spikes_are_its_coordinates():
    data = saltus.data.yin_yang(n=20, seed=7, t_max=10e-3, t_bias=2e-3)
    samples, labels = saltus.data.yin_yang_points(20, 7)
    assert (len(data), data.channels, data.classes) == (20, 5, 3)
    for s, (times, neurons, label) in enumerate(data):
        assert label == labels[s]
        assert np.all(np.diff(times) >= 0)
        expected = np.append(10e-3 * samples[s], 2e-3)
        assert np.array_equal(times, expected[neurons])
        assert sorted(neurons) == [0, 1, 2, 3, 4]


def test_fashion_mnist_and_mnist_are_read():
    data = saltus.data.fashion_mnist(data_folder("fashion_mnist"), "test")
    assert (len(data), data.channels, data.classes) == (10_000, 784, 10)
    assert np.bincount(data.labels).tolist() == [1000] * 10
    with gzip.open(data_folder("fashion_mnist") / "t10k-images-idx3-ubyte.gz") as f:
        pixels = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 784)
    times, neurons, _ = data[5]
    assert set(neurons) == set(np.flatnonzero(pixels[5] > 1))
    assert np.allclose(times, (1 - pixels[5][neurons] / 255) * 20e-3)
    mnist = saltus.data.mnist(data_folder("mnist"), "test")
    assert (len(mnist), mnist.labels[:5].tolist()) == (10_000, [7, 2, 1, 0, 4])


@pytest.mark.parametrize(
    ("name", "file", "samples", "channels", "classes"),
    [
        ("braille", "braille_test.h5", 270, 24, 27),
        ("nmnist_small", "nmnist_small_test.h5", 100, 2312, 10),
        ("fsdd", "fsdd70_test.h5", 300, 70, 10),
    ],
)
def test_spike_files_in_shds_layout_are_read(name, file, samples, channels, classes):
    data = saltus.data.read_spike_file(data_folder(name) / file, channels)
    assert (len(data), data.channels, data.classes) == (samples, channels, classes)
    h5py = pytest.importorskip("h5py")
    with h5py.File(data_folder(name) / file) as f:
        for s in (0, samples // 2, samples - 1):
            times, neurons, label = data[s]
            assert label == f["labels"][s]
            order = np.argsort(f["spikes/times"][s].astype(float), kind="stable")
            assert np.array_equal(times, f["spikes/times"][s].astype(float)[order])
            assert np.array_equal(neurons, f["spikes/units"][s][order])


def test_sources_refuse_what_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="split is 'dev'"):
        saltus.data.yin_yang("dev")
    with pytest.raises(ValueError, match="split is 'validation'"):
        saltus.data.mnist(tmp_path, "validation")
    with pytest.raises(OSError, match="train-images"):
        saltus.data.mnist(tmp_path)
    with pytest.raises(OSError, match=r"no\.h5"):
        saltus.data.read_spike_file(tmp_path / "no.h5")
    with pytest.raises(TypeError, match="n: expected an integer"):
        saltus.data.yin_yang(n=2.5)


# --- labelled spikes -----------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(-6, 5), max_size=8))
def test_a_choice_of_samples_holds_those_samples(seed, chosen):
    data = sample_data(seed)
    part = data[np.array(chosen, int)]
    check(part)
    assert len(part) == len(chosen)
    for k, s in enumerate(chosen):
        for a, b in zip(part[k], data[s], strict=True):
            assert np.array_equal(a, b)
    assert np.array_equal(data[1:4].labels, data.labels[1:4])
    assert np.array_equal(data[data.labels == 1].labels, data.labels[data.labels == 1])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0.0, 1.0], [0, 1], [0, 2]), ValueError, r"labels has shape \(2,\); expected \(1,\)"),
        (([2.0, 1.0], [0, 1], [0, 1, 2], [0, -1]), ValueError, "labels: -1 is no class"),
        (([2.0, 1.0], [0, 1], [0, 2], [0]), ValueError, "spikes"),
        (([1.0, np.nan], [0, 1], [0, 2], [0]), ValueError, "nan"),
        (([1.0, 2.0], [0, 3], [0, 2], [0]), ValueError, "3"),
        (([1.0, 2.0], [0, 1], [0, 2], [0.5]), TypeError, "labels: expected an array of integers"),
    ],
)
def test_data_that_do_not_fit_are_refused(arguments, error, message):
    *spikes, labels = arguments if len(arguments) == 4 else (*arguments, [0, 1])
    with pytest.raises(error, match=message):
        saltus.data.labelled_spikes(tuple(spikes), labels, 2)


def latency_data():
    """As many samples as classes, sample c a spike of channel c alone."""
    spikes = [([1e-3], [c]) for c in range(3)]
    return saltus.data.labelled_spikes(spikes, [0, 1, 2], 3)


def accuracies(data):
    """What a network that says the channel of a spike has, by all that take labelled spikes."""
    net = saltus.Sequential(saltus.Input(3), saltus.LIF(3, 10 * np.eye(3)))
    loss, still = saltus.FirstSpike(), saltus.SGD(0.0)

    def own(record, labels):
        return loss(record, labels)

    options = {"epochs": 1, "optimizer": still, "progress": False, "validation": data}
    for one in (loss, own):
        yield saltus.evaluate(net, data, one, 0.05).accuracy
        epoch = saltus.fit(net, data, one, 0.05, **options)[0]
        yield epoch.accuracy
        yield epoch.validation_accuracy
    record = saltus.simulate(net, {"in": data.spikes}, 0.05)
    yield float(np.mean(loss(record, data.labels).predictions == data.labels))


SHIFTED = np.array([1, 2, 0], np.int32)
CHANGES = {
    "labels in place": lambda d: d.labels.__setitem__(slice(None), SHIFTED),
    "neurons in place": lambda d: d.neurons.__setitem__(slice(None), SHIFTED),
    "a view of a sample": lambda d: [d[s][1].fill(SHIFTED[s]) for s in range(3)],
    "labels replaced": lambda d: dataclasses.replace(d, labels=SHIFTED),
    "labels of another type": lambda d: dataclasses.replace(d, labels=SHIFTED.astype(np.int64)),
    "a list of labels": lambda d: dataclasses.replace(d, labels=SHIFTED.tolist()),
    "neurons replaced": lambda d: dataclasses.replace(d, neurons=SHIFTED),
    "by force": lambda d: object.__setattr__(d, "labels", SHIFTED),
}
COPIES = {
    "itself": lambda d: d,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda d: pickle.loads(pickle.dumps(d)),
    "replace": dataclasses.replace,
    "slice": lambda d: d[:],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_data_are_what_their_arrays_hold(change, duplicate):
    data = latency_data()
    assert set(accuracies(data)) == {1.0}
    data = duplicate(data)
    assert set(accuracies(data)) == {1.0}
    changed = change(data)
    changed = changed if isinstance(changed, saltus.data.LabelledSpikes) else data
    assert set(accuracies(changed)) == {0.0}


def test_times_and_offsets_are_what_they_hold_when_asked():
    net = saltus.Sequential(saltus.Input(3), saltus.LIF(3, 10 * np.eye(3)))
    data = latency_data()
    saltus.evaluate(net, data, saltus.FirstSpike(), 0.05)
    data.times[:] = 0.06  # after the end
    assert saltus.evaluate(net, data, saltus.FirstSpike(), 0.05).silent_labels == 3
    data.times[:] = 1e-3
    data.offsets[:] = [0, 0, 1, 3]  # sample 0 has none, sample 1 the spike of channel 0
    assert saltus.evaluate(net, data, saltus.FirstSpike(), 0.05).silent_labels == 2
    for broken, message in ((np.nan, "nan"), (-1.0, "-1")):
        data.times[0] = broken
        with pytest.raises(ValueError, match=message):
            saltus.evaluate(net, data, saltus.FirstSpike(), 0.05)


def test_an_epoch_takes_what_a_callback_wrote():
    net = saltus.Sequential(saltus.Input(3), saltus.LIF(3, 10 * np.eye(3)))
    data, tested = latency_data(), latency_data()

    def shift(epoch, network):
        data.labels[:] = SHIFTED
        tested.neurons[:] = SHIFTED

    options = {"optimizer": saltus.SGD(0.0), "progress": False, "validation": tested}
    history = saltus.fit(
        net, data, saltus.FirstSpike(), 0.05, epochs=2, callbacks=[shift], **options
    )
    assert history["accuracy"] == history["validation_accuracy"] == [1.0, 0.0]


def test_a_data_set_is_not_assigned_to():
    data = latency_data()
    for name in ("times", "neurons", "offsets", "labels", "channels", "classes"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(data, name, getattr(data, name))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": [0.5, 1.0, 2.0]}, TypeError, "labels: expected an array of integers"),
        ({"labels": [0, 1]}, ValueError, r"labels has shape \(2,\); expected \(3,\)"),
        ({"labels": [0, 1, 2**32]}, ValueError, "labels: 4294967296 does not fit into int32"),
        ({"neurons": [0, 1]}, ValueError, r"spikes neurons has shape \(2,\)"),
        ({"times": "soon"}, TypeError, "spikes times: expected"),
    ],
)
def test_replaced_arrays_are_checked(change, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(latency_data(), **change)


def test_an_index_beyond_the_end_is_an_index_error():
    with pytest.raises(IndexError, match="sample 6 of 6"):
        sample_data()[6]


# --- how spikes enter ----------------------------------------------------------------------------

EVENTS = np.dtype([("t", np.int64), ("x", np.int16), ("p", bool)])


def test_all_shapes_of_input_give_the_same_record():
    times, neurons = [1e-3, 4e-3, 2e-3, 9e-3], [0, 3, 1, 2]
    forms = {
        "flat": (np.array(times), np.array(neurons, np.int32), np.array([0, 2, 4])),
        "lists": (times, neurons, [0, 2, 4]),
        "samples": [(times[:2], neurons[:2]), (np.array(times[2:]), np.array(neurons[2:]))],
        "strided": (np.repeat(times, 2)[::2], np.array(neurons, np.uint8), [0, 2, 4]),
        "tonic": [
            np.array([(4000, 3, 1), (1000, 0, 1)], EVENTS),
            np.array([(2000, 1, 1), (9000, 2, 1)], EVENTS),
        ],
    }
    found = {}
    for name, form in forms.items():
        record = saltus.simulate(recurrent_net(), {"in": form}, 0.05)
        found[name] = record.spikes("hidden").times
    for name, value in found.items():
        assert np.allclose(value, found["flat"], rtol=1e-12), name
    one = saltus.simulate(recurrent_net(), {"in": forms["tonic"][0]}, 0.05)
    assert one.samples == 1
    assert saltus.simulate(recurrent_net(), {"in": [([], [])] * 3}, 0.05).samples == 3


@pytest.mark.parametrize(
    ("form", "error", "message"),
    [
        ([([1e-3], [0, 1])], ValueError, r"inputs\['in'\]\[0\] neurons has shape"),
        ([(["x"], [0])], TypeError, r"inputs\['in'\]\[0\] times: expected"),
        ([([2e-3, 1e-3], [0, 1])], ValueError, "times ascend"),
        ([([1e-3], [4])], ValueError, "neuron"),
        ([([1e-3], [0.5])], TypeError, "expected an array of integers"),
        ([3], TypeError, "expected a tuple"),
        (np.zeros(2, [("t", int), ("y", int)]), ValueError, "expected at least 't' and 'x'"),
        (np.array([(1, 0, 0), (2, 1, 1)], EVENTS), ValueError, "events differ in 'p'"),
    ],
)
def test_wrong_forms_are_named(form, error, message):
    with pytest.raises(error, match=message):
        saltus.simulate(recurrent_net(), {"in": form}, 0.05)


def test_first_spikes_and_counts_of_a_record():
    spikes = saltus.Spikes(
        np.array([1e-3, 2e-3, 3e-3, 5e-3]), np.array([1, 0, 1, 2], np.int32), np.zeros(4),
        np.array([0, 3, 3, 4]),
    )  # fmt: skip
    first = spikes.first(3, missing=1.0)
    assert first.tolist() == [[2e-3, 1e-3, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 5e-3]]
    assert spikes.counts(3).tolist() == [[1, 2, 0], [0, 0, 0], [0, 0, 1]]


# --- events --------------------------------------------------------------------------------------

CAMERA = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.int8)])


def test_events_of_a_camera_are_numbered_by_place_and_polarity():
    events = np.array([(3, 2, 2_000, 1), (0, 0, 1_000, 0), (1, 2, 1_000, 0)], CAMERA)
    times, neurons, offsets = saltus.data.from_events(events, (4, 3, 2))
    assert times.tolist() == [1e-3, 1e-3, 2e-3]
    assert neurons.tolist() == [0, 9, 12 + 11]
    assert offsets.tolist() == [0, 3]


def test_an_axis_of_one_needs_no_field():
    cochlea = np.array([(2_000, 3, 1), (1_000, 0, 1)], [("t", int), ("x", int), ("p", int)])
    for events in (cochlea, cochlea[["t", "x"]], cochlea.reshape(2, 1)):
        times, neurons, offsets = saltus.data.from_events(events, (4, 1, 1))
        assert (times.tolist(), neurons.tolist()) == ([1e-3, 2e-3], [0, 3])
        assert offsets.tolist() == [0, 2]


def event(kind=CAMERA, **fields):
    found = np.zeros(1, kind)
    for name, value in fields.items():
        found[name] = value
    return found


FLOATS = np.dtype([(name, float) for name in "xytp"])
DATES = np.dtype([("x", int), ("t", "m8[ns]")])
LETTERS = np.dtype([("x", "U1"), ("t", int)])


@pytest.mark.parametrize(
    ("events", "size", "error", "message"),
    [
        (event(x=4), (4, 3, 2), ValueError, r"\[0\]: 'x' is 4; expected 0 to 3"),
        (event(p=-1), (4, 3, 2), ValueError, "'p' is -1; expected 0 to 1"),
        (event(p=1), (4, 3, 1), ValueError, "'p' is 1; expected 0 to 0"),
        (event(y=1), (4, 1, 2), ValueError, "'y' is 1; expected 0 to 0"),
        (event(FLOATS, y=0.5), (4, 3, 2), ValueError, "'y' is 0.5; expected 0 to 2, in whole"),
        (event(FLOATS, x=np.nan), (4, 3, 2), ValueError, "'x' is nan"),
        (event(t=-3), (4, 3, 2), ValueError, "'t' is -3; expected microseconds from 0 on"),
        (event(FLOATS, t=np.inf), (4, 3, 2), ValueError, "'t' is inf"),
        (event(DATES), (4, 1, 1), TypeError, r"'t' is of dtype timedelta64\[ns\]"),
        (event(LETTERS), (4, 1, 1), TypeError, "'x' is of dtype <U1; expected whole numbers"),
        (event(EVENTS), (4, 3, 2), ValueError, "expected 'y' too, of which sensor_size has 3"),
        (np.zeros((2, 3), CAMERA), (4, 3, 2), ValueError, "expected one dimension"),
        (event(), (4, 0, 2), ValueError, "sensor_size is .*each at least 1"),
        (event(), (34, 34), ValueError, "sensor_size is .*width, height, polarities"),
        (event(), 34, TypeError, "sensor_size is 34; expected .width, height, polarities"),
        (event(), (2**16, 2**16, 2), ValueError, "which is 8589934592 channels"),
        ([np.zeros(3)], (4, 3, 2), TypeError, r"events\[0\]: expected a structured array"),
    ],
)
def test_events_that_have_no_place_or_time_are_refused(events, size, error, message):
    with pytest.raises(error, match=message):
        saltus.data.from_events(events, size)


# --- augmentations -------------------------------------------------------------------------------

AUGMENTATIONS = {
    "jitter": partial(saltus.data.jitter_times, std=5e-3),
    "shift": partial(saltus.data.shift_units, largest=2),
    "drop": partial(saltus.data.drop_spikes, probability=0.4),
    "merge": partial(saltus.data.merge_samples, count=5),
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_augmented_data_are_data_and_their_seed_decides(name, seed):
    data = sample_data(seed)
    spiking = data.labels[np.diff(data.offsets) > 0]
    assume(name != "merge" or len(np.unique(spiking)) < len(spiking))  # two to blend
    before = data.times.copy()
    a, b = (AUGMENTATIONS[name](data, seed=3) for _ in range(2))
    check(a)
    assert np.array_equal(a.times, b.times)
    assert np.array_equal(a.neurons, b.neurons)
    assert np.array_equal(data.times, before)
    for field in ("times", "neurons", "offsets", "labels"):
        assert not np.shares_memory(getattr(a, field), getattr(data, field))


def test_what_each_augmentation_does():
    times = np.linspace(0.05, 0.06, 4000)
    neurons = np.tile([3, 4, 5, 6], 1000)
    data = saltus.data.labelled_spikes((times, neurons, np.arange(0, 4001, 40)), [0, 1] * 50, 10)
    jittered = saltus.data.jitter_times(data, 1e-3, seed=1)
    moved = np.sort(jittered.times) - times
    assert abs(moved.mean()) < 1e-4
    assert len(jittered.times) == 4000
    dropped = saltus.data.drop_spikes(data, 0.25, seed=1)
    assert abs(len(dropped.times) - 3000) < 150
    assert len(saltus.data.drop_spikes(data, 1.0, seed=1).times) == 0
    shifted = saltus.data.shift_units(data, 2, seed=1)
    offsets = {int(n.min()) - 3 for _, n, _ in shifted}
    assert offsets == {-2, -1, 0, 1, 2}
    merged = saltus.data.merge_samples(data, 30, seed=1)
    assert len(merged) == 130
    assert np.array_equal(merged[:100].times, data.times)
    counts = np.diff(merged.offsets)[100:]
    assert 30 < counts.mean() < 50
    for times, _, label in merged[100:]:
        source = data.times.reshape(100, 40)[label::2].mean(1)
        assert source.min() - 1e-3 < times.mean() < source.max() + 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(saltus.data.jitter_times, std=-1.0), "std is -1"),
        (partial(saltus.data.shift_units, largest=-1), "largest is -1"),
        (partial(saltus.data.drop_spikes, probability=1.5), "probability is 1.5"),
        (partial(saltus.data.merge_samples, count=-1), "count is -1"),
    ],
)
def test_augmentations_refuse_numbers_without_meaning(call, message):
    with pytest.raises(ValueError, match=message):
        call(sample_data(), seed=0)


# --- downloads -----------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    served = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{served.server_port}/"
    served.shutdown()
    served.server_close()


def test_fetch_takes_what_was_published_and_nothing_else(server, tmp_path):
    folder, url = server
    (folder / "a.gz").write_bytes(gzip.compress(b"the data"))
    digest = hashlib.sha256(b"the data").hexdigest()
    source = saltus.data.Source(("http://127.0.0.1:9/", url), {"a.gz": digest})
    target = saltus.data.fetch("own", tmp_path / "new" / "data", source=source)
    assert gzip.decompress((target / "a.gz").read_bytes()) == b"the data"
    (folder / "a.gz").write_bytes(gzip.compress(b"other data"))
    saltus.data.fetch("own", target, source=source)  # is there, is right, is left alone
    assert gzip.decompress((target / "a.gz").read_bytes()) == b"the data"
    (target / "a.gz").write_bytes(b"broken")
    with pytest.raises(OSError, match=f"expected {digest}"):
        saltus.data.fetch("own", target, source=source)
    assert (target / "a.gz").read_bytes() == b"broken"


def test_fetch_without_a_network_says_so(tmp_path):
    source = saltus.data.Source(("http://127.0.0.1:9/",), {"a.gz": "0" * 64})
    with pytest.raises(OSError, match=r"is there a network\?.*http://127\.0\.0\.1:9/a\.gz"):
        saltus.data.fetch("own", tmp_path, source=source)
    with pytest.raises(ValueError, match="name is 'shd'; expected one of mnist, fashion_mnist"):
        saltus.data.fetch("shd", tmp_path)


def test_the_checksums_are_those_of_the_published_files():
    for name in ("mnist", "fashion_mnist"):
        target = data_folder(name)
        assert saltus.data.fetch(name, target) == target  # nothing to download


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ({"max_channels": 9}, r"file\.h5: 10 channels, more than the limit of 9.*max_channels"),
        ({"max_classes": 1}, r"file\.h5: 2 classes, more than the limit of 1.*max_classes"),
        ({"max_spikes": 2}, r"file\.h5: 3 spikes, more than the limit of 2.*max_spikes"),
    ],
)
def test_more_than_the_limits_is_taken_for_damage(tmp_path, limit, says):
    file = tmp_path / "file.h5"
    with h5py.File(file, "w") as root:
        for name, rows, kind in (
            ("times", [[0.1, 0.2], [0.3]], "f8"),
            ("units", [[1, 9], [3]], "i8"),
        ):
            data = root.create_dataset(f"spikes/{name}", (2,), h5py.vlen_dtype(kind))
            for k, row in enumerate(rows):
                data[k] = row
        root["labels"] = [0, 1]
    assert saltus.data.read_spike_file(file).channels == 10
    with pytest.raises(ValueError, match=says):
        saltus.data.read_spike_file(file, **limit)
    if "max_channels" in limit:  # who knows how many there are has no need of a limit
        assert saltus.data.read_spike_file(file, 10, **limit).channels == 10


def test_no_sample_is_blended_with_itself():
    rng = np.random.default_rng(0)
    samples = [(np.sort(rng.uniform(0, 0.05, 40)), np.arange(40)) for _ in range(7)]
    data = saltus.data.labelled_spikes(samples, [0, 0, 1, 1, 2, 2, 3], 40)
    merged = saltus.data.merge_samples(data, 200, seed=0)
    assert len(merged) == 207
    for k in range(7, 207):
        times, neurons, label = merged[k]
        assert label != 3  # alone in its class
        assert len(set(zip(times, neurons, strict=True))) == len(times)
    alone = saltus.data.labelled_spikes(samples[:2], [0, 1], 40)
    with pytest.raises(ValueError, match="no two samples of one class"):
        saltus.data.merge_samples(alone, 1, seed=0)
    assert len(saltus.data.merge_samples(alone, 0, seed=0)) == 2


def test_a_size_holds_all_neurons_that_spike():
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", "LIF", 4)
    net.connect("in", "h", [[9.0, 0, 0, 9.0]])
    spikes = saltus.simulate(net, {"in": [([1e-3], [0]), ([], [])]}, 0.1).spikes("h")
    assert spikes.counts(5).tolist() == [[1, 0, 0, 1, 0], [0] * 5]
    for call in spikes.counts, spikes.first:
        with pytest.raises(ValueError, match="size is 3, but neuron 3 spikes"):
            call(3)


def test_a_blend_is_of_samples_with_spikes():
    samples = [([20e-3, 22e-3], [0, 1]), ([], []), ([30e-3, 32e-3], [0, 1]), ([1e-3], [0])]
    data = saltus.data.labelled_spikes(samples, [0, 0, 0, 1], 2)
    merged = saltus.data.merge_samples(data, 20, seed=0)
    assert merged.times[len(data.times) :].min() >= 25e-3 - 1e-9
    assert np.all(merged.labels[4:] == 0)
    with pytest.raises(ValueError, match="no two samples of one class with spikes"):
        saltus.data.merge_samples(data[:2], 1, seed=0)


@pytest.mark.parametrize("number", [0.9, 1.5, 2.5, True, "a"])
def test_numbers_of_augmentations_are_whole(number):
    for call, name in ((saltus.data.shift_units, "largest"), (saltus.data.merge_samples, "count")):
        with pytest.raises(TypeError, match=f"{name}: expected an integer; got"):
            call(sample_data(), number, seed=0)


def test_groups_that_are_nan_are_refused():
    groups = np.array([1.0, np.nan, np.nan, 2.0, 2.0, 1.0])
    with pytest.raises(ValueError, match=r"groups\[1\] is nan"):
        saltus.data.leave_one_group_out(sample_data(), groups)
    named = saltus.data.leave_one_group_out(sample_data(), np.array(list("aabbcc")))
    assert [group for group, _, _ in named] == ["a", "b", "c"]


@pytest.mark.parametrize("offsets", [[1, 3], [0, 2], [0, 4], [0, 2, 1, 3], []])
def test_offsets_that_lose_spikes_are_refused(offsets):
    times, labels = np.array([1e-3, 2e-3, 3e-3]), np.zeros(max(0, len(offsets) - 1), int)
    with pytest.raises(ValueError, match=r"spikes\.offsets go from"):
        saltus.data.LabelledSpikes(times, np.arange(3), np.array(offsets, int), labels, 5, 1)


@pytest.mark.parametrize("samples", [None, ..., 1.5, "a", [[1]], np.array([0.5])])
def test_what_chooses_no_samples_is_named(samples):
    with pytest.raises(TypeError, match=r"samples is .*; expected a number, a slice, or one dim"):
        sample_data()[samples]


def test_a_sample_is_chosen_by_whatever_is_an_integer():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    data = sample_data()
    for number in torch.tensor(2), np.array(2), np.uint8(2):
        assert np.array_equal(data[number][0], data[2][0])
    assert len(data[torch.tensor([2])]) == 1
