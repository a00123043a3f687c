# SPDX-License-Identifier: Apache-2.0
"""Projections that list their synapses say what a dense one with zeros elsewhere says."""

import pickle

import numpy as np
import pytest
import saltus

RNG = np.random.default_rng(5)


def conv_places(kernel, input_shape, stride, padding, dilation):
    """[pre, post] of the place in the kernel, -1 where there is no synapse: by the definition."""
    out, channels, ky, kx = kernel
    _, height, width = input_shape
    rows = (height + 2 * padding[0] - dilation[0] * (ky - 1) - 1) // stride[0] + 1
    columns = (width + 2 * padding[1] - dilation[1] * (kx - 1) - 1) // stride[1] + 1
    places = np.full((*input_shape, out, rows, columns), -1)
    index = np.arange(np.prod(kernel)).reshape(kernel)
    for o, c, a, b, y, x in np.ndindex(out, channels, ky, kx, rows, columns):
        iy = y * stride[0] - padding[0] + a * dilation[0]
        ix = x * stride[1] - padding[1] + b * dilation[1]
        if 0 <= iy < height and 0 <= ix < width:
            places[c, iy, ix, o, y, x] = index[o, c, a, b]
    return places.reshape(channels * height * width, -1)


CONV = {"input_shape": (2, 4, 5), "stride": (1, 2), "padding": (1, 0), "dilation": (2, 1)}
KERNEL = RNG.normal(1.0, 0.8, (3, 2, 2, 3))
SPARSE_PRE, SPARSE_POST = np.array([3, 0, 1, 4, 4, 2]), np.array([0, 2, 1, 0, 3, 3])
MASKED = RNG.normal(3, 1, (5, 4)) * (RNG.uniform(size=(5, 4)) < 0.6)
POOL = np.full((2, 4, 6, 2, 2, 3), -1)
for _c, _y, _x in np.ndindex(2, 4, 6):
    POOL[_c, _y, _x, _c, _y // 2, _x // 2] = 0


def sparse_places():
    places = np.full((5, 4), -1)
    places[SPARSE_PRE, SPARSE_POST] = np.arange(6)
    return places


def masked_places():
    places = np.full(MASKED.shape, -1)
    places[MASKED != 0] = np.arange(np.count_nonzero(MASKED))
    return places


CASES = {
    "sparse": (saltus.Sparse(RNG.normal(4, 1, 6), SPARSE_PRE, SPARSE_POST), sparse_places()),
    "shared": (
        saltus.Sparse([3.0, 5.0], [0, 1, 2, 3], [0, 1, 2, 0], place=[0, 1, 1, 0]),
        np.array([[0, -1, -1], [-1, 1, -1], [-1, -1, 1], [0, -1, -1]]),
    ),
    "masked": (saltus.Masked(MASKED), masked_places()),
    "one to one": (saltus.OneToOne([4.0, 5.0, 6.0]), np.diag([1, 2, 3]) - 1),
    "conv2d": (
        saltus.Conv2d(KERNEL, **CONV),
        conv_places(KERNEL.shape, CONV["input_shape"], (1, 2), (1, 0), (2, 1)),
    ),
    "sum": (saltus.SumPool2d(2, input_shape=(2, 4, 6), weight=2.0), POOL.reshape(48, 12)),
    "average": (
        saltus.AvgPool2d((2, 2), input_shape=(2, 4, 6), weight=9.0),
        POOL.reshape(48, 12),
    ),
}


def network(weight, pre, post, delay=None, model="LIF"):
    net = saltus.Network()
    net.add_input("in", pre)
    net.add_population("h", model, post)
    net.add_population("out", "LI", 2)
    net.connect("in", "h", weight, delay)
    net.connect("h", "out", np.linspace(-1, 2, 2 * post).reshape(post, 2), 1e-3)
    return net


def inputs(pre):
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 20e-3, (2, 3 * pre)), axis=1).reshape(-1)
    neurons = rng.permutation(np.tile(np.arange(pre), 6)).astype(np.int32)
    return {"in": (times, neurons, [0, 3 * pre, 6 * pre])}


def gradient(net, record):
    count = len(record.spikes("h"))
    return saltus.backward(
        net,
        record,
        spike_errors={"h": np.cos(np.arange(count))},
        integral_errors={"out": np.ones((2, 2))},
    )


@pytest.mark.parametrize("model", ["LIF", "ALIF"])
@pytest.mark.parametrize("name", CASES)
def test_it_is_a_dense_one_with_zeros(name, model):
    listed, places = CASES[name]
    pre, post = places.shape
    weights = np.where(places >= 0, listed.weight.reshape(-1)[places], 0.0)
    found, expected = [], []
    for weight, results in ((listed, found), (weights, expected)):
        net = network(weight, pre, post, model=model)
        record = saltus.simulate(net, inputs(pre), 40e-3)
        results += [record.spikes("h"), gradient(net, record)]
    assert len(found[0]) > post
    np.testing.assert_array_equal(found[0].neurons, expected[0].neurons)
    np.testing.assert_allclose(found[0].times, expected[0].times, rtol=0, atol=1e-14)
    dense = expected[1]["in->h.weight"]
    sums = np.zeros(listed.weight.size)
    np.add.at(sums, places[places >= 0], dense[places >= 0])
    weight = found[1]["in->h.weight"]
    assert weight.shape == listed.weight.shape
    scale = np.abs(sums).max()
    np.testing.assert_allclose(weight.reshape(-1), sums, rtol=0, atol=1e-11 * scale)
    for key in ("in.times", "h.tau_mem", "h->out.weight", "h->out.delay"):
        np.testing.assert_allclose(found[1][key], expected[1][key], rtol=1e-8, atol=1e-9)


def test_delays_go_with_synapses():
    listed, places = CASES["sparse"]
    pre, post = places.shape
    delays = np.linspace(1e-3, 3e-3, 6)
    all_delays = np.zeros(places.shape)
    all_delays[SPARSE_PRE, SPARSE_POST] = delays
    weights = np.where(places >= 0, listed.weight[places], 0.0)
    a, b = network(listed, pre, post, delays), network(weights, pre, post, all_delays)
    assert a["in->h.delay"].shape == (6,)
    of_a, of_b = (gradient(net, saltus.simulate(net, inputs(pre), 40e-3)) for net in (a, b))
    np.testing.assert_allclose(
        of_a["in->h.delay"], of_b["in->h.delay"][SPARSE_PRE, SPARSE_POST], rtol=1e-9, atol=1e-9
    )
    assert np.count_nonzero(of_a["in->h.delay"]) > 3
    per_source = network(listed, pre, post, np.linspace(1e-3, 2e-3, pre))
    assert per_source["in->h.delay"].shape == (pre,)


@pytest.mark.parametrize("name", CASES)
def test_it_tells_its_synapses(name):
    listed, places = CASES[name]
    net = network(listed, *places.shape)
    pre, post, weight = net.synapses("in->h")
    found = np.full(places.shape, -1)
    found[pre, post] = weight
    np.testing.assert_array_equal(found, places)
    assert pre.size == np.count_nonzero(places >= 0)
    dense = net.synapses("h->out")
    np.testing.assert_array_equal(np.array(dense)[:, :3], [[0, 0, 1], [0, 1, 0], [0, 1, 2]])
    with pytest.raises(ValueError, match="projection is 'h'; expected one of 'in->h', 'h->out'"):
        net.synapses("h")


def test_delays_of_as_many_sources_as_synapses_must_say_what_they_are():
    pre, post, delays = [2, 0, 1], [0, 1, 1], np.array([1e-3, 2e-3, 3e-3])
    listed = saltus.Sparse([4.0, 5.0, 6.0], pre, post)
    with pytest.raises(ValueError, match=r"expected shape \[pre, 1\] of one for each source, or"):
        network(listed, 3, 2, delays)
    by_source = network(listed, 3, 2, delays[:, None])
    by_synapse = network(listed, 3, 2, delays[None])
    same = network(saltus.Sparse([5.0, 6.0, 4.0], [0, 1, 2], [1, 1, 0]), 3, 2, delays)
    times = [
        saltus.simulate(net, inputs(3), 40e-3).spikes("h").times
        for net in (by_source, same, by_synapse, network(listed, 3, 2, delays[[1, 2, 0]][:, None]))
    ]
    assert len(times[0]) > 5
    np.testing.assert_allclose(times[0], times[1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(times[2], times[3], rtol=0, atol=1e-15)
    assert not np.array_equal(times[0], times[2])
    with pytest.raises(ValueError, match=r"delay has shape \(2, 3\); expected one number, \[pre\]"):
        network(listed, 3, 2, np.ones((2, 3)))


def test_it_says_what_it_is():
    assert repr(CASES["sparse"][0]) == "<saltus.Sparse: weight (6,), pre [6], post [6]>"
    expected = (
        "<saltus.Conv2d: weight (3, 2, 2, 3), input (2, 4, 5), kernel (3, 2, 2, 3), "
        "stride (1, 2), padding (1, 0), dilation (2, 1)>"
    )
    assert repr(CASES["conv2d"][0]) == expected


@pytest.mark.parametrize("delays", [1e-3, "per source", "per synapse"])
@pytest.mark.parametrize("name", ["sparse", "conv2d"])
def test_its_gradients_are_checked_whatever_its_delays(name, delays):
    listed, places = CASES[name]
    count = {"per source": places.shape[0], "per synapse": np.count_nonzero(places >= 0)}
    if isinstance(delays, str):
        delays = np.linspace(1e-3, 3e-3, count[delays])
    net = network(listed, *places.shape, delays)
    loss = saltus.IntegratedVoltage()
    report = saltus.gradcheck(net, inputs(places.shape[0]), 0.04, loss, [0, 1])
    assert report.passed
    assert "in->h.delay" in {c.name for c in report.compared}


def test_scipy_arrays_are_taken():
    sparse = pytest.importorskip("scipy.sparse")
    net = network(sparse.csr_array(MASKED), 5, 4)
    np.testing.assert_array_equal(net["in->h.weight"], MASKED[MASKED != 0])
    # Blocks are filled up with zeros that nobody asked for.
    blocks = sparse.bsr_array(MASKED[:4], blocksize=(2, 2))
    assert blocks.nnz > np.count_nonzero(MASKED[:4])
    net = network(blocks, 4, 4)
    assert net["in->h.weight"].size == np.count_nonzero(MASKED[:4])


def test_one_to_one_is_drawn_for_a_size_that_it_is_told():
    net = network(saltus.OneToOne(saltus.Uniform(0.5, 1.5), size=7), 7, 7)
    weight = net["in->h.weight"]
    assert weight.shape == (7,)
    assert len(set(weight)) == 7
    assert np.all((weight >= 0.5) & (weight <= 1.5))
    with pytest.raises(ValueError, match="add size="):
        saltus.OneToOne(saltus.Uniform(0.5, 1.5))
    with pytest.raises(ValueError, match=r"weight has shape \(3,\)"):
        saltus.OneToOne(np.ones(3), size=4)


@pytest.mark.parametrize("weight", [saltus.Masked(np.ones((3, 2))), saltus.OneToOne(np.ones(3))])
def test_sizes_that_it_says_must_be_those_of_the_populations(weight):
    with pytest.raises(ValueError, match=r"weight is for populations of .*; expected \(5, 4\)"):
        network(weight, 5, 4)


def test_a_weight_that_silent_neurons_share_is_raised_once():
    net = network(saltus.SumPool2d(2, input_shape=(1, 16, 16), weight=1e-3), 256, 64)
    data = saltus.data.LabelledSpikes(
        np.full(8, 1e-3), np.arange(8, dtype=np.int32), np.arange(9), np.arange(8) % 2, 256, 2
    )
    loss = saltus.MaximumVoltage()
    saltus.fit(net, data, loss, 30e-3, epochs=1, revive=0.1, dtype=np.float64)
    np.testing.assert_allclose(net["in->h.weight"], 1.1e-3, rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_it_is_saved_loaded_copied_and_checked(name, tmp_path):
    listed, places = CASES[name]
    net = network(listed, *places.shape)
    net.save(tmp_path / "model.safetensors")
    loaded = saltus.load(tmp_path / "model.safetensors")
    assert loaded["in->h.weight"].shape == listed.weight.shape
    spikes = [
        saltus.simulate(n, inputs(places.shape[0]), 40e-3).spikes("h").times
        for n in (net, loaded, net.copy(), pickle.loads(pickle.dumps(net)))
    ]
    np.testing.assert_array_equal(spikes[0], spikes[1])
    np.testing.assert_array_equal(spikes[0], spikes[2])
    np.testing.assert_array_equal(spikes[0], spikes[3])
    pytest.importorskip("nir", reason="the package nir is not installed")
    assert saltus.from_nir(saltus.to_nir(net)) == net
    assert saltus.from_nir(saltus.to_nir(loaded)) == net


def test_it_trains():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60).astype(np.int32)
    times, neurons = [], []
    for label in labels:
        at = np.sort(rng.uniform(0, 10e-3, 12))
        times.append(at)
        neurons.append(rng.integers(0, 8, 12) + 8 * label)
    net = saltus.Sequential(
        saltus.Input(16),
        saltus.LIF(18, saltus.Conv2d(rng.normal(2.0, 0.5, (2, 1, 2, 2)), (1, 4, 4))),
        saltus.LI(2, saltus.Normal(0.2, 0.3)),
    )
    all_neurons = np.concatenate(neurons).astype(np.int32)
    data = saltus.data.LabelledSpikes(
        np.concatenate(times), all_neurons, np.arange(61) * 12, labels, 16, 2
    )
    loss = saltus.MaximumVoltage()
    history = saltus.fit(net, data, loss, 30e-3, epochs=15, batch=10, optimizer=saltus.Adam(0.02))
    assert history[-1].loss < 0.7 * history[0].loss


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: saltus.Sparse([1.0], [0, 1], [0, 1]), r"weight has shape \(1,\); expected"),
        (lambda: saltus.Sparse([1.0], [0], [0, 1]), r"post has shape \(2,\); expected \(1,\)"),
        (
            lambda: saltus.Sparse([1.0], [9], [0]),
            r"pre\[0\] is 9; expected 0 to 3 \(the source has 4 neurons\)",
        ),
        (lambda: saltus.Sparse([1.0], [-1], [0]), r"pre\[0\] is -1; expected 0 to"),
        (lambda: saltus.Sparse([], [], []), "0 synapses; expected 1 to"),
        (lambda: saltus.Sparse([np.nan], [0], [0]), r"in->h.weight\[0\] is nan"),
        (lambda: saltus.Masked(np.ones(3)), r"weight has shape \(3,\); expected two dimensions"),
        (lambda: saltus.Conv2d(np.ones((1, 1, 2, 2)), (1, 9, 9)), "expected 1 x 9 x 9"),
        (lambda: saltus.Conv2d(np.ones((1, 1, 2, 2)), (1, 2, 2)), "expected 1 x 1 x 1"),
        (lambda: saltus.Conv2d(np.ones((2, 2)), (1, 2, 2)), r"kernel has shape \(2, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        network(make(), 4, 4)


def test_a_connection_keeps_the_weights_that_it_was_made_of():
    w, kernel = np.array([2.0, 3.0]), np.ones((2, 1, 2, 2))
    made = [
        saltus.Sparse(w, [0, 1], [0, 1]),
        saltus.OneToOne(w),
        saltus.Conv2d(kernel, input_shape=(1, 4, 4)),
    ]
    before = [one.weight.copy() for one in made]
    w[...] = kernel[...] = 7.0
    assert all(np.array_equal(one.weight, old) for one, old in zip(made, before, strict=True))
