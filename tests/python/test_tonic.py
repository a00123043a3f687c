# SPDX-License-Identifier: Apache-2.0
"""saltus.data.from_tonic: data sets as Tonic has them, bare and in every wrapper; and what is
refused. Without Tonic a plain class stands in for its data sets."""

import numpy as np
import pytest
import saltus

try:
    import tonic
except ImportError:
    tonic = None

needs_tonic = pytest.mark.skipif(tonic is None, reason="Tonic is not installed")

CAMERA = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])
SIZE = (8, 6, 2)
NAMES = ["left", "right", "up"]


class Recordings(tonic.Dataset if tonic else object):
    """A data set of Tonic in memory: `count` recordings of a camera, of 50 ms each."""

    sensor_size = SIZE
    classes = NAMES

    def __init__(self, count=6, seed=0, transform=None, target=lambda k: k % 3):
        if tonic:
            super().__init__("")
        self.transform, self.target = transform, target
        rng = np.random.default_rng(seed)
        self.recordings = []
        for _ in range(count):
            events = np.zeros(20, CAMERA)
            for axis, size in zip("xyp", SIZE, strict=True):
                events[axis] = rng.integers(0, size, 20)
            events["t"] = np.sort(rng.integers(0, 50_000, 20))
            self.recordings.append(events)

    def __len__(self):
        return len(self.recordings)

    def __getitem__(self, k):
        events = self.recordings[k].copy()
        return self.transform(events) if self.transform else events, self.target(k)


class Unnamed(Recordings):
    """As N-Caltech101: recordings of different sizes, and no list of classes."""

    sensor_size = None
    classes = None


def expect_same(data, dataset, chosen):
    """`data` are the recordings `chosen`, spike by spike."""
    width, height, _ = SIZE
    assert (data.channels, data.classes, len(data)) == (96, 3, len(chosen))
    for (times, neurons, label), k in zip(data, chosen, strict=True):
        events = dataset.recordings[k]
        assert np.array_equal(times, events["t"] * 1e-6)
        place = (events["p"] * height + events["y"].astype(int)) * width + events["x"]
        assert np.array_equal(neurons, place)
        assert label == k % 3


def test_a_bare_data_set():
    dataset = Recordings()
    expect_same(saltus.data.from_tonic(dataset), dataset, range(6))
    expect_same(saltus.data.from_tonic(dataset, samples=np.array([4, 0])), dataset, [4, 0])
    expect_same(saltus.data.from_tonic(dataset, samples=(k for k in (1, 1))), dataset, [1, 1])
    assert len(saltus.data.from_tonic(dataset, samples=[])) == 0
    quiet = saltus.data.from_tonic(Recordings(transform=lambda events: events[:0]))
    assert (len(quiet), len(quiet.times), quiet.classes) == (6, 0, 3)


@pytest.mark.filterwarnings("ignore:CachedDataset is deprecated")
@needs_tonic
@pytest.mark.parametrize("name", ["MemoryCachedDataset", "DiskCachedDataset", "CachedDataset"])
def test_cached_data_sets(name, tmp_path):
    dataset = Recordings()
    where = () if name.startswith("Memory") else (str(tmp_path),)
    for _ in range(2):  # fills the cache, then reads it
        cached = getattr(tonic, name)(dataset, *where)
        expect_same(saltus.data.from_tonic(cached), dataset, range(6))
        expect_same(saltus.data.from_tonic(cached), dataset, range(6))


@needs_tonic
def test_a_cache_without_its_data_set_needs_the_size_by_hand(tmp_path):
    dataset = Recordings(target=lambda k: NAMES[k % 3])
    expect_same(
        saltus.data.from_tonic(tonic.DiskCachedDataset(dataset, str(tmp_path))), dataset, range(6)
    )
    alone = tonic.DiskCachedDataset(None, str(tmp_path))
    with pytest.raises(ValueError, match="DiskCachedDataset, has no sensor_size; give sensor_size"):
        saltus.data.from_tonic(alone)
    data = saltus.data.from_tonic(alone, sensor_size=SIZE, classes=NAMES)
    expect_same(data, dataset, range(6))


@needs_tonic
def test_slices_keep_their_times_unless_aligned():
    dataset = Recordings()
    slicer = tonic.slicers.SliceByEventCount(event_count=5)
    data = saltus.data.from_tonic(tonic.SlicedDataset(dataset, slicer))
    assert (len(data), data.channels) == (24, 96)
    assert data.labels.tolist() == [k % 3 for k in range(6) for _ in range(4)]
    assert np.array_equal(data.times, saltus.data.from_tonic(dataset).times)
    aligned = tonic.SlicedDataset(dataset, slicer, transform=tonic.transforms.TimeAlignment())
    for (times, _, _), (own, _, _) in zip(saltus.data.from_tonic(aligned), data, strict=True):
        assert np.allclose(times, own - own[0], rtol=0, atol=1e-15)
    by_time = tonic.SlicedDataset(
        dataset,
        tonic.slicers.SliceByTime(1_000),
        transform=tonic.transforms.Compose([tonic.transforms.TimeAlignment()]),
    )
    counts = [len(times) for times, _, _ in saltus.data.from_tonic(by_time)]
    assert min(counts) == 0  # empty slices are samples too
    assert saltus.data.from_tonic(by_time).times.max() < 1e-3


def test_wrappers_of_torch():
    utils = pytest.importorskip("torch.utils.data", reason="PyTorch is not installed")
    dataset, other = Recordings(), Recordings(3, seed=1)
    subset = utils.Subset(dataset, [5, 2, 1])
    expect_same(saltus.data.from_tonic(subset), dataset, [5, 2, 1])
    expect_same(saltus.data.from_tonic(utils.Subset(subset, [1])), dataset, [2])
    for part in utils.random_split(dataset, [4, 2]):
        expect_same(saltus.data.from_tonic(part), dataset, part.indices)
    joined = saltus.data.from_tonic(utils.ConcatDataset([subset, other]))
    expect_same(joined[:3], dataset, [5, 2, 1])
    expect_same(joined[3:], other, range(3))
    with pytest.raises(TypeError, match=r"got DataLoader, which has no __getitem__"):
        saltus.data.from_tonic(utils.DataLoader(dataset))


@needs_tonic
def test_wrappers_in_wrappers(tmp_path):
    utils = pytest.importorskip("torch.utils.data", reason="PyTorch is not installed")
    dataset = Recordings()
    cached = tonic.DiskCachedDataset(utils.Subset(dataset, [3, 4, 5]), str(tmp_path))
    sliced = tonic.SlicedDataset(cached, tonic.slicers.SliceByEventCount(20))
    held = tonic.MemoryCachedDataset(utils.ConcatDataset([sliced, utils.Subset(dataset, [0])]))
    expect_same(saltus.data.from_tonic(utils.Subset(held, [3, 0])), dataset, [0, 3])


class Wrapper:
    """What a wrapper looks like, `Subset` and caches; or `ConcatDataset`."""

    def __init__(self, **inside):
        self.__dict__.update(inside)

    def __len__(self):
        return sum(map(len, getattr(self, "datasets", None) or [self.dataset]))

    def __getitem__(self, k):
        return [item for d in getattr(self, "datasets", None) or [self.dataset] for item in d][k]


def test_joined_data_sets_must_agree_or_be_settled_by_hand():
    dataset, small, other = Recordings(), Recordings(), Recordings()
    small.sensor_size = (4, 3, 2)
    both = Wrapper(datasets=[dataset, Wrapper(dataset=small)])
    with pytest.raises(ValueError, match=r"sizes \(4, 3, 2\), \(8, 6, 2\); expected one. Give"):
        saltus.data.from_tonic(both)
    assert saltus.data.from_tonic(both, sensor_size=[8, 6, 2]).channels == 96
    with pytest.raises(ValueError, match="has no sensor_size"):
        saltus.data.from_tonic(Wrapper(datasets=[dataset, Unnamed()]))
    other.classes = ["down", "left"]
    both = Wrapper(datasets=[dataset, other])
    with pytest.raises(ValueError, match="list different classes; expected one list"):
        saltus.data.from_tonic(both)
    assert saltus.data.from_tonic(both, classes=[*NAMES, "down"]).classes == 4


def test_what_a_wrapper_says_of_itself_comes_first():
    resized = Wrapper(dataset=Recordings(), sensor_size=(10, 6, 2), classes=[*NAMES, "down"])
    data = saltus.data.from_tonic(Wrapper(dataset=resized))
    assert (data.channels, data.classes) == (120, 4)


def test_sizes_and_classes_by_hand():
    with pytest.raises(ValueError, match="Unnamed, has no sensor_size; give sensor_size="):
        saltus.data.from_tonic(Unnamed())
    expect_same(saltus.data.from_tonic(Unnamed(), sensor_size=SIZE), Unnamed(), range(6))
    assert saltus.data.from_tonic(Unnamed(), sensor_size=SIZE, classes=7).classes == 7
    assert saltus.data.from_tonic(Recordings(), sensor_size=(10, 6, 2)).channels == 120
    with pytest.raises(ValueError, match=r"dataset\[5\]: 'x' is [67]; expected 0 to 5"):
        saltus.data.from_tonic(Recordings(), [5], sensor_size=(6, 6, 2))
    with pytest.raises(ValueError, match="'p' is True; expected 0 to 0"):
        saltus.data.from_tonic(Recordings(), sensor_size=(8, 6, 1))


@needs_tonic
def test_transforms_of_the_sensor():
    half = Recordings(transform=tonic.transforms.Downsample(spatial_factor=0.5))
    data = saltus.data.from_tonic(half, sensor_size=(4, 3, 2))
    assert (data.channels, len(data.times)) == (24, 120)
    events = half.recordings[0]
    place = (events["p"] * 3 + events["y"] // 2) * 4 + events["x"] // 2
    assert data[0][1].tolist() == place.tolist()
    crop = Recordings(transform=tonic.transforms.CenterCrop(sensor_size=SIZE, size=(4, 4)))
    assert saltus.data.from_tonic(crop, sensor_size=(4, 4, 2)).neurons.max() < 32
    merged = Recordings(transform=tonic.transforms.MergePolarities())
    assert saltus.data.from_tonic(merged, sensor_size=(8, 6, 1)).channels == 48


@needs_tonic
def test_frames_are_refused():
    for transform in (
        tonic.transforms.ToFrame(sensor_size=SIZE, n_time_bins=3),
        tonic.transforms.ToVoxelGrid(sensor_size=SIZE, n_time_bins=3),
        tonic.transforms.ToImage(sensor_size=SIZE),
    ):
        with pytest.raises(
            TypeError, match=r"dataset\[2\]: expected events, .* got ndarray of sha"
        ):
            saltus.data.from_tonic(Recordings(transform=transform), samples=[2])


@pytest.mark.parametrize(
    "target",
    [
        np.uint8,
        np.array,  # without axes
        lambda k: NAMES[k],
        lambda k: np.str_(NAMES[k]),
        lambda k: NAMES[k].encode(),
    ],
)
@pytest.mark.parametrize("classes", [NAMES, np.array(NAMES, "S"), {"up": 2, "right": 1, "left": 0}])
def test_targets_are_numbers_or_names(target, classes):
    dataset = Recordings(target=lambda k: target(k % 3))
    dataset.classes = classes
    expect_same(saltus.data.from_tonic(dataset), dataset, range(6))


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ((1, 2), TypeError, "got tuple of 2. Give the data set a target_transform"),
        (1.0, TypeError, "expected the number or the name of a class as target; got float"),
        (None, TypeError, "got NoneType"),
        (np.eye(3)[1], TypeError, r"got ndarray of shape \(3,\)"),
        ("bird", ValueError, r"'bird' is no class; the classes are 'left', 'right', 'up'. Give"),
        (3, ValueError, "target 3 is no class; expected 0 to 2"),
        (-1, ValueError, "target -1 is no class; expected 0 to 2"),
    ],
)
def test_other_targets_are_named(target, error, message):
    with pytest.raises(error, match=r"dataset\[0\]: .*" + message):
        saltus.data.from_tonic(Recordings(target=lambda _: target))


def test_names_without_a_list_of_classes_need_one():
    dataset = Unnamed(target=lambda k: NAMES[k % 3])
    with pytest.raises(ValueError, match="'left' is no class; the classes are no names"):
        saltus.data.from_tonic(dataset, sensor_size=SIZE)
    data = saltus.data.from_tonic(dataset, sensor_size=SIZE, classes=NAMES)
    expect_same(data, dataset, range(6))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (3, r"expected a pair \(events, target\); got int"),
        ((np.zeros(2, CAMERA), 0, 0), "got tuple of 3"),
        (({"events": np.zeros(2, CAMERA)}, 0), "expected events, .*; got dict. Give"),
        ((np.zeros((3, 2, 6, 8)), 0), r"got ndarray of shape \(3, 2, 6, 8\). .* unlike ToFrame"),
    ],
)
def test_other_items_are_named(item, message):
    with pytest.raises(TypeError, match=r"dataset\[0\]: .*" + message):
        saltus.data.from_tonic([item], sensor_size=SIZE)


def test_things_that_are_no_data_sets_are_refused():
    with pytest.raises(ValueError, match="list, has no sensor_size"):
        saltus.data.from_tonic([1])
    with pytest.raises(TypeError, match="got generator, which has no __len__"):
        saltus.data.from_tonic(k for k in [1])
    with pytest.raises(ValueError, match="samples: 6 is no sample of dataset; expected 0 to 5"):
        saltus.data.from_tonic(Recordings(), samples=[2, 6])
    with pytest.raises(TypeError, match="samples: expected an array of integers"):
        saltus.data.from_tonic(Recordings(), samples=np.array([True, False]))
