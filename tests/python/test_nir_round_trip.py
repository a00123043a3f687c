# SPDX-License-Identifier: Apache-2.0
"""Random networks with every kind of connection: to NIR, into a file, and back."""

import numpy as np
import pytest
import saltus
from hypothesis import given, settings
from hypothesis import strategies as st

nir = pytest.importorskip("nir", reason="the package nir is not installed")

GRIDS = [(1, 4, 6), (2, 4, 6), (3, 2, 3)]  # channels, y, x
NAMES = ["h.1", "values", "a/b", "a|b", ".", "pop", "h output", "h"]


def window(rng, channels):
    """(connection, shape of what comes out) of a convolution or of pooling over a grid."""
    grid = (channels, 4, 6)
    size, stride = rng.integers(1, 4, 2), rng.integers(1, 3, 2)
    if rng.random() < 0.5:
        pool = rng.choice([saltus.SumPool2d, saltus.AvgPool2d])
        weight = rng.choice([1.0, rng.uniform(0.5, 3)])
        found = pool(tuple(size), tuple(stride), input_shape=grid, weight=weight)
    else:
        padding, dilation = rng.integers(0, 2, 2), rng.integers(1, 3, 2)
        if np.any(grid[1:] + 2 * padding < dilation * (size - 1) + 1):
            return window(rng, channels)
        kernel = rng.normal(0, 3, (rng.integers(1, 3), channels, *size))
        found = saltus.Conv2d(kernel, grid, tuple(stride), tuple(padding), tuple(dilation))
    return found, found.output_shape


def flat(rng, pre, post):
    """A connection between populations of any size."""
    kind = rng.integers(5)
    weight = rng.normal(0, 2 / np.sqrt(pre), (pre, post))  # no avalanche in cycles
    if kind == 0 and pre == post:
        return saltus.OneToOne(weight[0])
    if kind <= 1:
        mask = rng.random((pre, post)) < 0.5
        mask[0, 0] = True
        return saltus.Masked(weight, mask)
    if kind <= 3:
        pairs = rng.permutation(pre * post)[: rng.integers(1, pre * post + 1)]
        if kind == 2:
            return saltus.Sparse(weight.reshape(-1)[pairs], pairs // post, pairs % post)
        shared = rng.integers(0, 3, pairs.size)
        _, shared = np.unique(shared, return_inverse=True)
        values = rng.normal(0, 2 / np.sqrt(pre), shared.max() + 1)
        return saltus.Sparse(values, pairs // post, pairs % post, place=shared)
    return weight


def delay(rng, connection, pre, post, exact):
    """None, or a delay that NIR has a word for."""
    kind = rng.integers(6 if not exact else 5)
    before, after = rng.uniform(0, 3e-3, pre), rng.uniform(0, 3e-3, post)
    listed = isinstance(connection, saltus.Sparse | saltus.Conv2d | saltus.SumPool2d)
    if kind < 2:
        return [None, before[0]][kind]
    if kind == 2:
        return before[:, None] if listed else before
    each = {3: before[:, None] + 0 * after, 4: 0 * before[:, None] + after}
    each = each.get(kind, before[:, None] + after)
    if not listed:
        return each
    probe = saltus.Network()
    probe.add_input("in", pre)
    probe.add_population("h", "LI", post)
    probe.connect("in", "h", connection)
    sources, targets, _ = probe.synapses("in->h")
    return each[sources, targets][None]


def parameters(rng, model, size, exact):
    """Those of a population, of volts or millivolts, one for all or one for each; and whether
    some want a projection that carries a constant current.
    """

    def value(low, high):
        return rng.uniform(low, high, None if rng.random() < 0.5 else size)

    neuron, _, synapse = model.partition(":")
    spikes = neuron != "LI"
    rest = -65.0 if rng.random() < 0.3 else 0.0
    found = {"tau_mem": value(5e-3, 30e-3), "bias": rest + value(-0.3, 0.3)}
    carried = False
    if synapse != "delta":
        found["tau_syn"] = value(1e-3, 10e-3)
    if rng.random() < 0.3:
        found["tau_ref" if spikes else "v_initial"] = np.zeros(size)
    if synapse != "delta" and not exact and rng.random() < 0.5:
        found["i_initial"], carried = value(-0.3, 0.3), True
    if spikes:
        found["v_threshold"], found["v_reset"] = rest + value(0.5, 2), rest + value(-1, 0.3)
    if neuron == "IF":
        carried = rng.random() < 0.5
        found["bias"] = value(-0.3, 0.3) if carried else value(0, 0)
    if spikes and rest:
        found["v_initial"] = found["bias"] + found.get("i_initial", 0.0)
        if neuron == "IF":
            found["v_initial"] = found["v_reset"]
        elif synapse == "delta" and rng.random() < 0.5:
            found["v_initial"], carried = rest + value(-1, 0.3), True
    return found, carried


def random_network(seed, exact=True):
    """Grids and rows of neurons, cycles among them, and names that no other format likes."""
    rng = np.random.default_rng(seed)
    net = saltus.Network()
    names = iter(rng.permutation(NAMES).tolist())
    shapes, spiking = {}, []

    def connect(source, name, connection, carries=False):
        pre, post = (int(np.prod(shapes[p])) for p in (source, name))
        if carries:  # a current at 0, which only weights from all to all can bring
            connection = rng.normal(0, 2 / np.sqrt(pre), (pre, post))
        elif connection is None:
            connection = flat(rng, pre, post)
        d = None if carries else delay(rng, connection, pre, post, exact)
        label = f"{source} to {name}/{len(net)}"
        looped = source == name and f"{name}.tau_syn" not in net  # at once would be never
        net.connect(source, name, connection, 1e-3 if looped and d is None else d, label)
        if looped:
            net[f"{label}.weight"] = -np.abs(net[f"{label}.weight"])  # no avalanche

    for _ in range(rng.integers(1, 3)):
        name, grid = next(names), GRIDS[rng.integers(len(GRIDS))]
        net.add_input(name, int(np.prod(grid)))
        shapes[name] = grid
        spiking.append(name)
    for _ in range(rng.integers(1, 4)):
        name, source = next(names), spiking[rng.integers(len(spiking))]
        connection, shape = None, (int(rng.integers(1, 6)),)
        if shapes[source][1:] == (4, 6) and rng.random() < 0.8:
            connection, shape = window(rng, shapes[source][0])
        elif rng.random() < 0.3:
            shape = shapes[source]
        shapes[name], size = shape, int(np.prod(shape))
        spikes = rng.random() < 0.8
        model = rng.choice(["LIF", "LIF:delta", "IF:delta"] if spikes else ["LI", "LI:delta"])
        values, carried = parameters(rng, str(model), size, exact)
        net.add_population(name, str(model), size, **values)
        connect(source, name, connection, carried)
        if spikes:
            spiking.append(name)
            for other in spiking[rng.integers(len(spiking)) :]:
                connect(other, name, None)
    return net


def through_a_file(graph, tmp_path_factory):
    file = tmp_path_factory.mktemp("nir") / "graph.nir"
    nir.write(file, graph)
    return nir.read(file)


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 10**9))
def test_networks_with_every_kind_of_connection_come_back_to_the_bit(tmp_path_factory, seed):
    net = random_network(seed)
    graph = saltus.to_nir(net)
    assert saltus.from_nir(graph) == net
    again = saltus.from_nir(through_a_file(graph, tmp_path_factory))
    assert again == net
    assert again.populations == net.populations
    assert again.projections == net.projections


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9))
def test_sums_of_delays_come_back_to_rounding_and_all_else_to_the_bit(tmp_path_factory, seed):
    net = random_network(seed, exact=False)
    again = saltus.from_nir(through_a_file(saltus.to_nir(net), tmp_path_factory))
    assert again.populations == net.populations
    assert again.projections == net.projections
    assert sorted(again) == sorted(net)
    for name in net:
        assert again[name].shape == net[name].shape, name
        rtol, atol = (1e-12, 1e-15) if name.endswith(".delay") else (0, 0)
        assert np.allclose(again[name], net[name], rtol, atol), name


def bare(graph):
    """What another tool sees of it."""
    for node in graph.nodes.values():
        node.metadata = {}
    return graph


def inputs_of(net):
    return [name for name in net.populations if f"{name}.tau_mem" not in net]


def assert_same_courses(net, other, called, seed):
    """Spikes and voltages of all that `net` has, which in `other` is called otherwise."""
    rng = np.random.default_rng(seed)
    spikes = {}
    for name in inputs_of(net):
        neurons = rng.integers(0, net._size(name), 60).astype(np.int32)
        spikes[name] = (np.sort(rng.uniform(0, 30e-3, 60)), neurons, [0, 60])
    records = [
        saltus.simulate(net, spikes, 40e-3),
        saltus.simulate(other, {called(name): value for name, value in spikes.items()}, 40e-3),
    ]
    for name in net.populations:
        if name in spikes:
            continue
        at = [11e-3, 23e-3, 39e-3]
        a, b = records[0].voltages(name, at), records[1].voltages(called(name), at)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * (1 + np.abs(a).max()))
        if f"{name}.v_threshold" in net:
            a, b = records[0].spikes(name), records[1].spikes(called(name))
            np.testing.assert_array_equal(a.neurons, b.neurons)
            np.testing.assert_allclose(a.times, b.times, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_another_tool_reads_the_same_neurons(tmp_path_factory, seed):
    net = random_network(seed)
    again = saltus.from_nir(bare(through_a_file(saltus.to_nir(net), tmp_path_factory)))
    labels = {name: name.replace("/", "|") for name in net.populations} | {".": ". "}
    if "a/b" in labels and "a|b" in labels:
        labels[max("a/b", "a|b", key=net.populations.index)] = "a|b 2"
    assert_same_courses(net, again, labels.get, seed)


@pytest.mark.parametrize("seed", range(40))
def test_networks_inside_of_a_graph_are_themselves(seed):
    """Two of them, of other names outside, behind one input."""
    nets = []
    while len(nets) < 2:
        net = random_network(seed)
        size = [net._size(name) for name in inputs_of(net)]
        if len(size) == 1 and (not nets or size[0] == nets[0]._size(inputs_of(nets[0])[0])):
            nets.append(net)
        seed += 1000
    x, y = (saltus.to_nir(net) for net in nets)
    shape = np.array([size[0]])
    nodes = {"in": nir.Input(shape), "x": x, "y": y, "x_h": nir.Output(shape)}
    edges = [("in", "x"), ("in", "y"), ("in", "x_h")]
    both = saltus.from_nir(nir.NIRGraph(nodes, edges, type_check=False))
    for outside, net in zip("xy", nets, strict=True):
        alone = len(net.populations) == 2
        called = {name: outside if alone else f"{outside}_{name}" for name in net.populations}
        called[inputs_of(net)[0]] = "in"
        assert_same_courses(net, both, called.get, seed)
