# SPDX-License-Identifier: Apache-2.0
"""What lies between two populations of a NIR graph, against PyTorch and impulse by impulse."""

import itertools
import tracemalloc

import numpy as np
import pytest
import saltus

nir = pytest.importorskip("nir", reason="the package nir is not installed")


TAU_MEM, TAU_SYN = 20e-3, 5e-3


def neurons(shape):
    """CubaLI neurons in which a weight of NIR is one of ours."""
    each = np.ones(shape)
    return nir.CubaLI(TAU_SYN * each, TAU_MEM * each, each, 0 * each, TAU_SYN * each)


def chain(*nodes, **options):
    """One behind the other, and an Output."""
    names = [f"n{k}" for k in range(len(nodes))]
    edges = list(itertools.pairwise(names))
    return nir.NIRGraph(dict(zip(names, nodes, strict=True)), edges, **options)


def between(shape, *linear, last=None):
    """The network of an Input, these nodes and neurons behind them."""
    last = neurons(out_shape(shape, *linear)) if last is None else last
    return saltus.from_nir(chain(nir.Input(np.array(shape)), *linear, last, type_check=False))


def through(node, x):
    """What PyTorch makes of an array, by a node of NIR."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    kind = type(node).__name__
    if kind == "Delay":
        return x
    if kind == "Linear":
        return node.weight @ x
    if kind == "Scale":
        return node.scale * x
    if kind == "Flatten":
        return x.reshape(-1)
    tensor, functional = torch.from_numpy(x)[None], torch.nn.functional
    if kind == "Conv2d":
        padding = node.padding if isinstance(node.padding, str) else tuple(node.padding)
        weight, stride, dilation = torch.from_numpy(node.weight), node.stride, node.dilation
        options = {"padding": padding, "dilation": tuple(dilation), "groups": node.groups}
        found = functional.conv2d(tensor, weight, stride=tuple(stride), **options)
    else:
        size = tuple(node.kernel_size)
        found = functional.avg_pool2d(tensor, size, tuple(node.stride), tuple(node.padding))
        if kind == "SumPool2d":
            found = found * (size[0] * size[1])
    return found[0].numpy()


def out_shape(shape, *linear):
    x = np.zeros(shape)
    for node in linear:
        x = through(node, x)
    return x.shape


def impulse(shape, source, linear):
    """Delay -> what arrives at each target, of a spike of one source."""
    x = np.zeros(int(np.prod(shape)))
    x[source] = 1
    at = {0.0: x.reshape(shape)}
    for node in linear:
        if type(node).__name__ != "Delay":
            at = {t: through(node, x) for t, x in at.items()}
            continue
        later = {}
        for t, x in at.items():
            delay = np.broadcast_to(node.delay, x.shape)
            for d in np.unique(delay):
                later[t + d] = later.get(t + d, 0) + np.where(delay == d, x, 0)
        at = later
    return at


def check(shape, *linear):
    """A spike of each source alone: does V of each target follow what PyTorch says arrives?"""
    net = between(shape, *linear)
    count = int(np.prod(shape))
    spikes = (np.full(count, 1e-3), np.arange(count, dtype=np.int32), np.arange(count + 1))
    times = np.array([2e-3, 4.3e-3, 9e-3, 15e-3, 30e-3])
    found = saltus.simulate(net, {"n0": spikes}, 40e-3).voltages(net.populations[1], times)
    expected = np.zeros_like(found)
    for source in range(count):
        for delay, x in impulse(shape, source, linear).items():
            t = np.maximum(times - 1e-3 - delay, 0)[:, None]
            course = np.exp(-t / TAU_MEM) - np.exp(-t / TAU_SYN)
            expected[source] += TAU_SYN / (TAU_MEM - TAU_SYN) * course * x.reshape(-1)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    return net


def conv(rng, channels, out=2, size=(3, 3), **options):
    values = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1} | options
    kernel = rng.normal(0, 1, (out, channels // values["groups"], *size))
    return nir.Conv2d(input_shape=None, weight=kernel, bias=np.zeros(out), **values)


def pool(kind, size, stride, padding=(0, 0)):
    return kind(np.array(size), np.array(stride), np.array(padding))


RNG = np.random.default_rng(7)
GRID = (2, 5, 6)
STRIDES = {"stride": (2, 1), "padding": (1, 2), "dilation": (2, 1)}
TWICE, CHANNELS = nir.Scale(np.array(2.0)), np.array([3.0, 4.0]).reshape(2, 1, 1)
DELAYS = RNG.integers(0, 4, GRID) * 1e-3
ALONE = {
    "conv": ([conv(RNG, 2)], (2, 2, 3, 3)),
    "strides": ([conv(RNG, 2, 3, (2, 3), **STRIDES)], (3, 2, 2, 3)),
    "same": ([conv(RNG, 2, padding="same")], (2, 2, 3, 3)),
    "valid": ([conv(RNG, 2, padding="valid")], (2, 2, 3, 3)),
    "same, even": ([conv(RNG, 2, size=(2, 4), padding="same")], None),
    "groups": ([conv(RNG, 2, 4, groups=2)], None),
    "sum": ([pool(nir.SumPool2d, (2, 3), (2, 2))], (1,)),
    "average": ([pool(nir.AvgPool2d, (2, 2), (1, 2))], (1,)),
    "padded": ([pool(nir.AvgPool2d, (2, 2), (2, 2), (1, 1))], (1,)),
    "scale": ([nir.Scale(RNG.normal(0, 1, GRID))], (60,)),
    "nothing": ([], (60,)),
    "scaled conv": ([nir.Scale(np.full(GRID, 3.0)), conv(RNG, 2), TWICE], (2, 2, 3, 3)),
    "scaled channels": ([conv(RNG, 2), nir.Scale(CHANNELS + np.zeros((2, 3, 4)))], (2, 2, 3, 3)),
    "scaled pixels": ([conv(RNG, 2), nir.Scale(RNG.normal(0, 1, (2, 3, 4)))], None),
    "scaled sum": ([pool(nir.SumPool2d, (5, 6), (1, 1)), nir.Scale(np.array(0.5))], (1,)),
    "linear": ([nir.Flatten(np.array(GRID), 0), nir.Linear(RNG.normal(0, 1, (3, 60)))], (60, 3)),
    "pool and conv": ([pool(nir.SumPool2d, (1, 2), (1, 2)), conv(RNG, 2, 1, (2, 2))], None),
    "conv and pool": ([conv(RNG, 2), pool(nir.AvgPool2d, (2, 2), (2, 2))], None),
    "pool and linear": (
        [
            pool(nir.AvgPool2d, (2, 2), (2, 2)),
            nir.Flatten(np.array((2, 2, 3)), 0),
            nir.Linear(RNG.normal(0, 1, (3, 12))),
        ],
        (60, 3),
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("where", ["none", "front", "behind", "both", "uniform behind"])
@pytest.mark.parametrize("name", ALONE)
def test_it_does_what_pytorch_does(name, where):
    linear, weight = ALONE[name]
    behind = RNG.integers(0, 4, out_shape(GRID, *linear)) * 1e-3
    if where in ("front", "both"):
        linear = [nir.Delay(DELAYS), *linear]
    if where in ("behind", "both"):
        linear = [*linear, nir.Delay(behind)]
    if where == "uniform behind":
        linear = [*linear, nir.Delay(np.full(behind.shape, 2e-3))]
    net = check(GRID, *linear)
    if weight is not None:
        assert net["n0->" + net.populations[1] + ".weight"].shape == weight


def test_delays_between_weights_keep_the_ways_apart():
    first, second = RNG.normal(0, 1, (4, 3)), RNG.normal(0, 1, (2, 4))
    delay = nir.Delay(np.array([0.0, 1e-3, 1e-3, 3e-3]))
    net = check((3,), nir.Linear(first), delay, nir.Linear(second))
    assert net["n0->n4.weight"].shape == (3 * 2 * 3,)  # of four ways two take equally long
    same = nir.Delay(np.full(4, 1e-3))
    net = check((3,), nir.Linear(first), same, nir.Linear(second))
    assert net["n0->n4.weight"].shape == (3, 2)
    assert net["n0->n4.delay"].shape == (3,)
    each = nir.Scale(np.array([1.0, 2.0, 3.0, 4.0]))
    check((4,), each, delay, nir.Linear(second))
    check((3,), nir.Linear(first), delay, each)


def random_chain(rng):
    """Any linear nodes that fit behind each other."""
    shape = (int(rng.integers(1, 3)), int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    start, linear = shape, []
    for _ in range(rng.integers(1, 5)):
        kind = rng.integers(7 if len(shape) == 3 else 4)
        if kind == 0:
            found = nir.Delay(rng.integers(0, 3, shape if rng.random() < 0.7 else ()) * 1e-3)
        elif kind == 1:
            found = nir.Scale(rng.normal(0, 1, shape if rng.random() < 0.5 else ()))
        elif len(shape) == 1:
            found = nir.Linear(rng.normal(0, 1, (int(rng.integers(1, 4)), *shape)))
        elif kind == 2:
            found = nir.Flatten(np.array(shape), 0)
        elif kind == 3:
            size = tuple(rng.integers(1, 3, 2))
            found = pool(rng.choice([nir.SumPool2d, nir.AvgPool2d]), size, rng.integers(1, 3, 2))
        else:
            size, dilation = (tuple(int(n) for n in rng.integers(1, 3, 2)) for _ in range(2))
            padding = tuple(int(n) for n in rng.integers(0, 2, 2))
            groups = int(rng.choice([1, shape[0]]))
            options = {"stride": (1, 2), "padding": padding, "dilation": dilation}
            found = conv(rng, shape[0], 2 * groups, size, groups=groups, **options)
        try:
            following = out_shape(shape, found)
        except RuntimeError:  # a window larger than the grid
            continue
        linear, shape = [*linear, found], following
    return start, linear


@pytest.mark.parametrize("seed", range(150))
def test_any_nodes_behind_each_other_do_what_pytorch_does(seed):
    shape, linear = random_chain(np.random.default_rng(seed))
    sources = range(int(np.prod(shape)))
    if not any(np.any(x) for k in sources for x in impulse(shape, k, linear).values()):
        with pytest.raises(ValueError, match="its windows lie beside the grid; take it out"):
            check(shape, *linear)
    else:
        check(shape, *linear)


def test_a_camera_stays_as_sparse_as_it_is():
    """346 x 260 x 2 pixels: a square matrix of them would fill 241 GiB."""
    shape = (2, 260, 346)
    size = int(np.prod(shape))
    dense = np.ones((4, size))
    each = nir.Scale(np.full(shape, 2.0))
    flat = nir.Flatten(np.array(shape), 0)
    wide = (2, 65, 86)
    tracemalloc.start()
    linear = {
        "weights": ([nir.Delay(np.zeros(shape)), each, flat, nir.Linear(dense)], (4,)),
        "one to one": ([each], shape),
        "pool": ([pool(nir.SumPool2d, (4, 4), (4, 4))], wide),
        "conv": ([conv(RNG, 2, stride=(4, 4), padding=(1, 1))], (2, 65, 87)),
        "pool, weights": (
            [
                pool(nir.SumPool2d, (4, 4), (4, 4)),
                nir.Flatten(np.array(wide), 0),
                nir.Linear(np.ones((4, 2 * 65 * 86))),
            ],
            (4,),
        ),
    }
    nodes, edges = {"in": nir.Input(np.array(shape))}, []
    for name, (chained, out) in linear.items():
        places = [f"{name} {k}" for k in range(len(chained) + 1)]
        nodes |= dict(zip(places, [*chained, neurons(out)], strict=True))
        edges += itertools.pairwise(["in", *places])
    net = saltus.from_nir(nir.NIRGraph(nodes, edges, type_check=False))
    assert tracemalloc.get_traced_memory()[1] < 2**30
    tracemalloc.stop()
    shapes = {p: net[f"{p}.weight"].shape for p in net.projections}
    assert sorted(shapes.values()) == [(1,), (2, 2, 3, 3), (size,), (size, 4), (size, 4)]
