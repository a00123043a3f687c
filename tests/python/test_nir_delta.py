# SPDX-License-Identifier: Apache-2.0
"""NIR's LIF, LI and IF, whose synapses are delta pulses: their equations, and other tools."""

import itertools

import numpy as np
import pytest
import saltus

nir = pytest.importorskip("nir", reason="the package nir is not installed")

STEP = 2.0**-13  # of grids on which sums of times are exact
ONE = np.ones(2)


def chain(*nodes):
    names = [f"n{k}" for k in range(len(nodes))]
    edges = list(itertools.pairwise(names))
    return nir.NIRGraph(dict(zip(names, nodes, strict=True)), edges, type_check=False)


def lif(shape, **parameters):
    values = {"tau": 20e-3, "r": 20e-3, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    return nir.LIF(**{key: value * np.ones(shape) for key, value in (values | parameters).items()})


def on_grid(spikes):
    """Spikes [step, channel] of one sample as they are given here."""
    step, channel = np.nonzero(spikes)
    return step * STEP, channel.astype(np.int32), [0, len(step)]


def steps_of(spikes, size, steps, dt=STEP):
    """The spikes of a record on a grid, [step, neuron]."""
    found = np.zeros((steps, size))
    np.add.at(found, (np.rint(spikes.times / dt).astype(int), spikes.neurons), 1)
    return found


# --- NIR's own equations -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("area", [1.0, 1e-3])
def test_spikes_and_voltages_are_those_of_nirs_equations_stepped_on_a_grid(area, seed):
    """LIF into IF into LI; between the steps the solution, at a step a spike as a pulse."""
    rng = np.random.default_rng(seed)
    sizes, steps = (5, 8, 6, 3), 400
    scalar = rng.random() < 0.5

    def value(low, high, size):
        return rng.uniform(low, high, () if scalar else size)

    def limits(size):
        return {"v_threshold": value(0.8, 1.5, size), "v_reset": value(-0.5, 0.3, size)}

    r = [value(0.5, 2, size) / area for size in sizes]
    tau = [value(5e-3, 30e-3, size) for size in sizes]
    leak = [value(-0.3, 0.5, size) for size in sizes]
    nodes = [
        nir.LIF(tau=tau[1], r=r[1] * tau[1], v_leak=leak[1], **limits(8)),
        nir.IF(r=r[2], **limits(6)),
        nir.LI(tau=tau[3], r=r[3] * tau[3], v_leak=leak[3]),
    ]
    weights = [rng.normal(0.25, 0.4, (b, a)) for a, b in itertools.pairwise(sizes)]
    linear = [nir.Linear(w) for w in weights]
    every = [nir.Input(np.array([5]))]
    for pair in zip(linear, nodes, strict=True):
        every += pair
    net = saltus.from_nir(chain(*every), spike_area=area)
    assert net["n2.tau_mem"].shape == (() if scalar else (8,))
    spikes = rng.random((steps, 5)) < 0.15
    record = saltus.simulate(net, {"n0": on_grid(spikes)}, steps * STEP)

    v = [np.zeros(size) for size in sizes[1:]]
    fired = [np.zeros((steps, size)) for size in sizes[1:]]
    course = np.zeros((steps, 3))
    for k in range(steps):
        coming = spikes[k].astype(float)
        for i, (node, w) in enumerate(zip(nodes, weights, strict=True)):
            lift = node.r * area
            if hasattr(node, "tau"):
                decay = np.exp(-STEP / node.tau) if k else 1.0
                v[i] = node.v_leak + (v[i] - node.v_leak) * decay
                lift = lift / node.tau
            v[i] = v[i] + lift * (w @ coming)
            if hasattr(node, "v_threshold"):
                coming = (v[i] > node.v_threshold).astype(float)
                fired[i][k] = coming
                v[i] = np.where(coming > 0, node.v_reset, v[i])
        course[k] = v[2]
    assert fired[0].sum() > 30
    assert fired[1].sum() > 10
    for i, name in enumerate(("n2", "n4")):
        found = steps_of(record.spikes(name), sizes[1 + i], steps)
        np.testing.assert_array_equal(found, fired[i])
        np.testing.assert_array_equal(record.spikes(name).times / STEP % 1, 0)
    at = STEP * np.arange(steps)  # V behind what arrives then is that of a moment later
    found = record.voltages("n6", at + STEP / 2)[0]
    decay = np.exp(-STEP / 2 / nodes[2].tau)
    expected = nodes[2].v_leak + (course - nodes[2].v_leak) * decay
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("r", [2.0, np.array([2.0, 5.0])])
def test_the_bias_of_an_affine_drives_if_and_lif(r):
    bias = np.array([40.0, 25.0])
    if_ = nir.IF(r=r + np.zeros(2), v_threshold=ONE, v_reset=0.25 * ONE)
    net = saltus.from_nir(chain(nir.Input(np.array([2])), nir.Affine(np.eye(2), bias), if_))
    assert net["n2.tau_mem"] == 1.0
    np.testing.assert_array_equal(net["n2.bias"], r * bias)
    record = saltus.simulate(net, {"n0": ([], [], [0, 0])}, 0.1)
    for n in range(2):
        rate = (r + np.zeros(2))[n] * bias[n]
        expected = np.arange(1 / rate, 0.1, 0.75 / rate)
        np.testing.assert_allclose(record.spikes("n2").times[record.spikes("n2").neurons == n],
                                   expected, rtol=1e-12)  # fmt: skip
    neurons = lif(2, r=r * 20e-3, v_leak=0.2)
    net = saltus.from_nir(chain(nir.Input(np.array([2])), nir.Affine(np.eye(2), bias), neurons))
    np.testing.assert_allclose(net["n2.bias"], 0.2 + r * 20e-3 * bias, rtol=1e-15)
    record = saltus.simulate(net, {"n0": ([], [], [0, 0])}, 0.1)
    for n, settles in enumerate(net["n2.bias"]):
        first = 20e-3 * np.log(settles / (settles - 1))
        times = record.spikes("n2").times[record.spikes("n2").neurons == n]
        assert np.isclose(times[0] if times.size else np.inf, first if settles > 1 else np.inf)


def test_what_a_neuron_of_nir_does_not_say_is_one_number():
    net = saltus.from_nir(
        chain(nir.Input(np.array([2])), nir.IF(r=ONE, v_threshold=ONE, v_reset=0 * ONE))
    )
    for key in ("tau_mem", "bias", "v_initial"):
        assert net[f"n1.{key}"].shape == ()
    old = lif(2)
    old.v_reset = None  # as of a version of NIR without it
    assert saltus.from_nir(chain(nir.Input(np.array([2])), old))["n1.v_reset"] == 0
    del old.v_reset
    assert np.all(saltus.from_nir(chain(nir.Input(np.array([2])), old))["n1.v_reset"] == 0)


@pytest.mark.parametrize("delay", [None, 1.25 * STEP])
def test_a_convolution_pooling_and_flatten_lead_to_them(delay):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(2)
    kernel, bias = rng.normal(0, 1, (3, 2, 3, 3)), np.array([1.0, -2.0, 3.0])
    conv = nir.Conv2d((8, 8), kernel, 1, 0, 1, 1, bias)
    pool = nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    r, tau = rng.uniform(0.01, 0.03, (3, 6, 6)), rng.uniform(5e-3, 20e-3, (3, 6, 6))
    nodes = [nir.Input(np.array([2, 8, 8])), conv, nir.LI(tau, r, np.zeros((3, 6, 6)))]
    if delay is not None:
        nodes.insert(1, nir.Delay(np.full((2, 8, 8), delay)))
    net = saltus.from_nir(chain(*nodes))
    name = net.populations[1]
    assert net[f"n0->{name}.weight"].size == (3 * 2 * 9 if r.std() == 0 else 2 * 3 * 36 * 9)
    x = (rng.random((2, 8, 8)) < 0.3).astype(float)
    channels = np.flatnonzero(x).astype(np.int32)
    spikes = {"n0": (np.full(len(channels), 2 * STEP), channels, [0, len(channels)])}
    at = np.array([5 * STEP, 40 * STEP])
    found = saltus.simulate(net, spikes, 0.1).voltages(name, at)[0]
    expected = torch.nn.functional.conv2d(torch.from_numpy(x)[None], torch.from_numpy(kernel))
    jump = (r / tau * expected[0].numpy()).reshape(-1)
    flat, rise = tau.reshape(-1), (r * bias[:, None, None]).reshape(-1)
    for k, t in enumerate(at):
        since = t - 2 * STEP - (delay or 0.0)
        v = jump * np.exp(-since / flat) + rise * (1 - np.exp(-t / flat))
        np.testing.assert_allclose(found[k], v, rtol=1e-9, atol=1e-12)
    # The whole chain; a uniform gain keeps the kernel.
    flatten = nir.Flatten(np.array([3, 3, 3]), 0, -1)
    nodes = [nir.Input(np.array([2, 8, 8])), conv, lif((3, 6, 6)), pool, lif((3, 3, 3))]
    nodes += [flatten, nir.Linear(np.ones((4, 27))), nir.IF(np.ones(4), np.ones(4), np.zeros(4))]
    net = saltus.from_nir(chain(*nodes))
    shapes = [net[f"{name}.weight"].shape for name in net.projections]
    assert shapes == [(3, 2, 3, 3), (1,), (27, 4)]
    graph = saltus.to_nir(net)
    kinds = [type(node).__name__ for node in graph.nodes.values()]
    assert [kinds.count(k) for k in ("Conv2d", "AvgPool2d", "LIF", "IF")] == [1, 1, 2, 1]
    assert saltus.from_nir(graph) == net


# --- there and back ------------------------------------------------------------------------------


def network(model, weight=None, delay=None, **parameters):
    net = saltus.Network()
    net.add_input("in", 3)
    net.add_population("a", model, 2, **parameters)
    net.connect("in", "a", np.full((3, 2), 0.7) if weight is None else weight, delay)
    return net


ODD = np.array([0.1, 0.7])  # numbers that are not what they are divided and multiplied
THERE = {
    "LIF": ("LIF:delta", {"tau_mem": 0.03 * ODD, "bias": ODD / 3, "v_reset": -ODD}),
    "LI": ("LI:delta", {"tau_mem": 0.03 * ODD, "bias": ODD / 3}),
    "IF": ("IF:delta", {"tau_mem": 0.03 * ODD, "v_threshold": 1 + ODD}),
    "IF, bias": ("IF:delta", {"tau_mem": 0.03 * ODD, "bias": ODD / 3}),
    "IF, one bias": ("IF:delta", {"tau_mem": 0.017, "bias": 0.3}),
    "mV": (
        "LIF:delta",
        {"bias": -65 - ODD, "v_initial": -65 - ODD, "v_threshold": -50, "v_reset": -70},
    ),
    "mV, elsewhere": (
        "LIF:delta",
        {"bias": -65.0, "v_initial": -66 - ODD, "v_threshold": -50, "v_reset": -70 * (1 + ODD)},
    ),
    "mV, never at rest": (
        "LIF:delta",
        {"bias": -40.0, "v_initial": -70, "v_threshold": -50, "v_reset": -70},
    ),
    "mV, from rest": (
        "LIF:delta",
        {"bias": -40.0, "v_initial": -65, "v_threshold": -50, "v_reset": -70},
    ),
    "mV, IF": ("IF:delta", {"v_initial": -70, "v_threshold": -50, "v_reset": -70, "bias": 3.0}),
}


@pytest.mark.parametrize("name", THERE)
def test_each_comes_back_to_the_bit(name, tmp_path):
    model, parameters = THERE[name]
    net = network(model, **parameters)
    graph = saltus.to_nir(net)
    assert type(graph.nodes["a"]).__name__ == model.partition(":")[0]
    nir.write(tmp_path / "net.nir", graph)
    assert saltus.from_nir(nir.read(tmp_path / "net.nir")) == net
    # To another tool, and back with its numbers.
    for node in graph.nodes.values():
        node.metadata = {}
    again = saltus.from_nir(graph)
    scale = again["a.tau_mem"] / net["a.tau_mem"]
    for key in ("bias", "v_initial", "v_threshold", "v_reset"):
        if f"a.{key}" in net:
            factor = scale if key == "bias" else 1.0
            assert np.allclose(again[f"a.{key}"], factor * net[f"a.{key}"], rtol=1e-14), key
    np.testing.assert_array_equal(again["in->a.weight"], net["in->a.weight"])


def test_what_another_tool_changed_is_read_as_it_is_now():
    net = network("IF:delta", tau_mem=0.03 * ODD, bias=ODD / 3)
    graph = saltus.to_nir(net)
    graph.nodes["in->a"].bias[1] += 1
    again = saltus.from_nir(graph)
    assert np.all(again["a.tau_mem"] == 1)
    expected = net["a.bias"] / net["a.tau_mem"] + [0, 1]
    np.testing.assert_allclose(again["a.bias"], expected, rtol=1e-14)
    graph.nodes["a"].v_threshold = 3 * ONE
    assert np.all(saltus.from_nir(graph)["a.v_threshold"] == 3)


@pytest.mark.parametrize("model", ["LIF", "LI", "LIF:delta", "LI:delta", "IF:delta"])
def test_another_area_of_a_spike_is_written_and_read(model):
    net = network(model, bias=0.3)
    graph = saltus.to_nir(net, spike_area=1e-4)
    with pytest.raises(ValueError, match=r"steps by dt = 0\.0001; pass spike_area=0\.0001"):
        saltus.from_nir(graph)
    again = saltus.from_nir(graph, spike_area=1e-4)
    for name in net:
        np.testing.assert_allclose(again[name], net[name], rtol=1e-14)
    with pytest.raises(ValueError, match="spike_area is -1"):
        saltus.to_nir(net, spike_area=-1)


@pytest.mark.parametrize(
    ("model", "parameters", "message"),
    [
        ("ALIF", {}, "'a' is ALIF: NIR has no such neuron; expected LIF, LI, LIF:delta, LI:delta "),
        ("ALIF:delta", {}, "'a' is ALIF:delta: NIR has no such neuron"),
        ("LIF:alpha", {}, "'a' is LIF:alpha: NIR has no such .* LIF:delta, LI:delta or IF:delta"),
        ("IF", {}, "'a' is IF: NIR has no such neuron"),
        ("RF", {}, "'a' is RF: NIR has no such neuron"),
        ("RF:delta", {}, "'a' is RF:delta: NIR has no such neuron"),
        ("LIF:delta", {"tau_ref": 1e-3}, "a.tau_ref is not 0"),
        ("LIF:delta", {"v_initial": 0.1}, "a.v_initial is not 0"),
        ("IF:delta", {"v_initial": -66, "v_threshold": -50, "v_reset": -70}, "is not -70"),
        ("LI:delta", {"v_initial": 0.1}, "a.v_initial is not 0"),
    ],
)
def test_what_nir_cannot_say_is_named(model, parameters, message):
    with pytest.raises(ValueError, match=message):
        saltus.to_nir(network(model, **parameters))


@pytest.mark.parametrize(
    ("model", "parameters", "message"),
    [
        ("IF:delta", {"bias": 1.0}, "a.bias: NIR's neurons have none, and no projection .* or 0"),
        (
            "LIF:delta",
            {"bias": -60.0, "v_initial": -65, "v_threshold": -50, "v_reset": -70},
            "a.v_initial: .* expected one from all to all, whose Affine has a bias, or the bias",
        ),
    ],
)
def test_a_current_that_nothing_can_carry_is_named(model, parameters, message):
    delay = 1e-3 * np.arange(6.0).reshape(3, 2) % 2e-3
    delay[:] = delay[:1]  # of targets: it would delay the bias
    with pytest.raises(ValueError, match=message):
        saltus.to_nir(network(model, delay=delay, **parameters))


# --- cycles --------------------------------------------------------------------------------------


def recurrent(neurons, n, delay=None):
    nodes = {"input": nir.Input(np.array([n])), "lif": neurons}
    nodes |= {"w_rec": nir.Linear(-0.1 * np.eye(n)), "output": nir.Output(np.array([n]))}
    edges = [("input", "lif"), ("w_rec", "lif"), ("lif", "output")]
    if delay is not None:
        nodes["step"] = nir.Delay(np.full(n, delay))
    edges += [("lif", "w_rec")] if delay is None else [("lif", "step"), ("step", "w_rec")]
    return nir.NIRGraph(nodes, edges, type_check=False)


@pytest.mark.parametrize(
    "neurons", [lif(2), nir.IF(r=ONE, v_threshold=ONE, v_reset=0 * ONE)], ids=["LIF", "IF"]
)
def test_a_cycle_without_a_delay_names_the_fix(neurons):
    def graph(delay):
        inner = recurrent(neurons, 2, delay)
        return chain(nir.Input(np.array([2])), nir.Linear(np.eye(2)), inner)

    for delay in (None, 0.0):
        first = "w_rec" if delay is None else "step"
        with pytest.raises(
            ValueError,
            match=rf"node 'n2/lif' is L?IF and in a cycle in which 'n2/{first}' has no delay in "
            rf"front: .* put a Delay of that, above 0, between 'n2/lif' and 'n2/{first}'",
        ):
            saltus.from_nir(graph(delay))
    net = saltus.from_nir(graph(1e-4))
    assert np.all(net["n2->n2.delay"] == 1e-4)
    saltus.simulate(net, {"n0": ([1e-3], [0], [0, 1])}, 10e-3)
    assert saltus.from_nir(saltus.to_nir(net)) == net


def test_neurons_without_synapses_have_no_part_in_a_cycle():
    net = network("LIF:delta")
    net.connect("a", "a", saltus.Sparse([-0.1], [0], [1]), np.full((1, 1), 2e-3))
    graph = saltus.to_nir(net)
    for node in graph.nodes.values():  # of another tool: a matrix of zeros but for one
        node.metadata = {}
    again = saltus.from_nir(graph)
    assert np.all(again["a->a.delay"] == 2e-3)
    saltus.simulate(again, {"in": ([1e-3], [0], [0, 1])}, 10e-3)


def test_cycles_of_several_populations_and_ways_beside_them():
    def graph(*delayed):
        nodes = {"in": nir.Input(np.array([2])), "a": lif(2), "b": lif(2), "out": lif(2)}
        cuba = nir.CubaLIF(ONE * 5e-3, ONE * 2e-2, ONE, 0 * ONE, ONE, w_in=ONE * 5e-3)
        nodes["c"] = cuba
        edges = [("in", "a"), ("b", "out"), ("a", "out"), ("c", "a")]
        for end in itertools.pairwise(("a", "b", "c")):
            name = "->".join(end)
            nodes[name] = nir.Delay(ONE * 1e-3) if end in delayed else nir.Scale(ONE)
            edges += [(end[0], name), (name, end[1])]
        return nir.NIRGraph(nodes, edges, type_check=False)

    with pytest.raises(ValueError, match="node 'a' is LIF and in a cycle in which 'a->b' has no"):
        saltus.from_nir(graph(("b", "c")))
    with pytest.raises(ValueError, match="node 'b' is LIF and in a cycle in which 'b->c' has no"):
        saltus.from_nir(graph(("a", "b")))
    net = saltus.from_nir(graph(("a", "b"), ("b", "c")))  # from c, of CubaLIF, none is needed
    saltus.simulate(net, {"in": ([1e-3], [0], [0, 1])}, 10e-3)


# --- other tools ---------------------------------------------------------------------------------

DT = 1e-4  # that of snnTorch's exporter and importer


def exact_decay(net, dt):
    """Let V decay in a step by what it does in a tool with Euler's steps."""
    for name in net.populations:
        if f"{name}.tau_mem" in net:
            net[f"{name}.tau_mem"] = -dt / np.log(1 - dt / net[f"{name}.tau_mem"])


def stepped(module, spikes):
    """The spikes that an snnTorch module makes of those that come, [step, neuron]."""
    import torch  # noqa: PLC0415 (optional)

    for part in module.modules():
        if hasattr(part, "reset_mem"):
            part.reset_mem()
    found = []
    with torch.no_grad():
        for coming in torch.from_numpy(spikes[:, None]):
            out = module(coming)
            found.append((out[0] if isinstance(out, tuple) else out)[0].numpy())
    return np.array(found)


def snntorch_layers(sizes, reset, recurrent=False):
    """Layers of snnTorch's Leaky neurons, of random decays, and the graph that it exports."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")
    export = pytest.importorskip("snntorch.export_nir", reason="snnTorch's exporter needs nirtorch")
    rng = np.random.default_rng(11)
    modules = []
    for pre, post in itertools.pairwise(sizes):
        linear = torch.nn.Linear(pre, post, bias=False)
        linear.weight.data = torch.tensor(rng.normal(0.3, 0.4, (post, pre)))
        options = {
            "beta": torch.tensor(rng.uniform(0.8, 0.99, post)),
            "threshold": torch.tensor(rng.uniform(0.8, 1.2, post)),
            "reset_mechanism": reset,
            "init_hidden": True,
            "output": post == sizes[-1],
            "spike_grad": lambda v: (v > 0).to(v.dtype),  # its own gives float32
        }
        neurons = snn.Leaky(**options)
        if recurrent:  # with its delay a reset would take the next step's arrivals too
            neurons = snn.RLeaky(linear_features=post, reset_delay=False, **options)
            neurons.recurrent.bias = None
            neurons.recurrent.weight.data = torch.tensor(rng.normal(0, 0.2, (post, post)))
        modules += [linear, neurons]
    module = torch.nn.Sequential(*modules).double()
    sample = torch.zeros(1, sizes[0], dtype=torch.float64)
    return module, export.export_to_nir(module, sample, ignore_dims=[0])


SIZES = (6, 30, 10)


@pytest.mark.filterwarnings("ignore:nirtorch.extract_nir_graph")
def test_leaky_neurons_of_snntorch_spike_at_the_same_steps():
    module, graph = snntorch_layers(SIZES, "zero")
    with pytest.raises(ValueError, match=r"r / tau is 10000, .* to V.*; pass spike_area=0\.0001"):
        saltus.from_nir(graph)
    net = saltus.from_nir(graph, spike_area=DT)
    exact_decay(net, DT)
    spikes = (np.random.default_rng(3).random((500, 6)) < 0.15).astype(float)
    times, channels, samples = on_grid(spikes)
    inputs = {"input": (times * (DT / STEP), channels, samples)}
    found = saltus.simulate(net, inputs, 500 * DT).spikes("3")
    theirs = stepped(module, spikes)
    assert theirs.sum() > 300
    np.testing.assert_array_equal(steps_of(found, 10, 500, DT), theirs)


@pytest.mark.filterwarnings("ignore:nirtorch.extract_nir_graph")
def test_recurrent_leaky_neurons_of_snntorch_want_the_delay_of_a_step():
    module, graph = snntorch_layers((6, 30), "zero", recurrent=True)
    with pytest.raises(ValueError, match=r"between '1\.lif' and '1\.w_rec'"):
        saltus.from_nir(graph, spike_area=DT)
    graph.nodes["step"] = nir.Delay(np.full(30, DT))
    graph.edges.remove(("1.lif", "1.w_rec"))
    graph.edges += [("1.lif", "step"), ("step", "1.w_rec")]
    net = saltus.from_nir(graph, spike_area=DT)
    exact_decay(net, DT)
    net["1.lif.tau_mem"] *= STEP / DT  # a step in which times are exact: arrivals meet
    net["1.lif->1.lif.delay"] = np.full_like(net["1.lif->1.lif.delay"], STEP)
    spikes = (np.random.default_rng(3).random((500, 6)) < 0.15).astype(float)
    found = saltus.simulate(net, {"input": on_grid(spikes)}, 500 * STEP).spikes("1.lif")
    theirs = stepped(module, spikes)
    assert theirs.sum() > 300
    np.testing.assert_array_equal(steps_of(found, 30, 500), theirs)


@pytest.mark.filterwarnings("ignore:nirtorch.extract_nir_graph")
def test_a_graph_of_snntorch_does_not_say_that_a_reset_subtracts():
    zero, subtract = (snntorch_layers(SIZES, reset)[1] for reset in ("zero", "subtract"))
    assert saltus.from_nir(zero, spike_area=DT) == saltus.from_nir(subtract, spike_area=DT)


def test_snntorch_reads_what_is_written_with_its_area():
    pytest.importorskip("snntorch", reason="snnTorch is not installed")
    reader = pytest.importorskip("snntorch.import_nir", reason="its importer needs nirtorch")
    rng = np.random.default_rng(5)
    each = rng.uniform(1e-3, 2e-3, 10)
    net = saltus.Sequential(
        saltus.Input(6),
        saltus.LIF(30, saltus.Normal(0.3, 0.3), synapse="delta", tau_mem=1e-3),
        saltus.LIF(10, saltus.Normal(0.1, 0.2), synapse="delta", tau_mem=each),
        seed=1,
    )
    for name in net.projections:  # it computes in single precision
        net[f"{name}.weight"] = net[f"{name}.weight"].astype(np.float32)
    module = reader.import_from_nir(saltus.to_nir(net, spike_area=DT))
    spikes = (rng.random((500, 6)) < 0.15).astype(np.float32)
    theirs = stepped(module, spikes)
    exact_decay(net, DT)
    times, channels, samples = on_grid(spikes)
    inputs = {net.populations[0]: (times * (DT / STEP), channels, samples)}
    last = net.populations[-1]
    found = saltus.simulate(net, inputs, 500 * DT).spikes(last)
    assert theirs.sum() > 300
    np.testing.assert_array_equal(steps_of(found, 10, 500, DT), theirs)


NORSE_DT = 1e-3


def norse_cells(kind):
    """A layer of Norse, its graph in seconds, and the state it starts with."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    norse = pytest.importorskip("norse.torch", reason="Norse is not installed")
    rng = np.random.default_rng(8)

    def each(low, high):
        return torch.tensor(rng.uniform(low, high, 20))

    start, scale = torch.zeros(1, 20, dtype=torch.float64), 1.0
    if kind == "LIF":
        parameters = norse.LIFBoxParameters(
            tau_mem_inv=1 / each(5e-3, 20e-3), v_leak=each(-0.2, 0.3), v_th=each(0.8, 1.2)
        )
        cell, state = norse.LIFBoxCell(parameters, dt=NORSE_DT), norse.LIFBoxFeedForwardState(start)
        scale = 15.0
    else:
        parameters = norse.IAFParameters(v_th=each(0.8, 1.2))
        cell, state = norse.IAFCell(parameters, dt=NORSE_DT), norse.IAFFeedForwardState(start)
    linear = torch.nn.Linear(6, 20, bias=False)
    linear.weight.data = scale * torch.tensor(rng.normal(0.2, 0.3, (20, 6)))
    module = norse.SequentialState(linear, cell)
    graph = norse.to_nir(module, torch.zeros(1, 6, dtype=torch.float64), dt=1.0)
    return module, graph, state


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:nirtorch")
@pytest.mark.parametrize("kind", ["LIF", "IF"])
def test_neurons_of_norse_without_current_spike_at_the_same_steps(kind):
    module, graph, state = norse_cells(kind)
    if kind == "LIF":
        with pytest.raises(
            ValueError, match=r"node '1': .* lasts one step \(Norse\); pass that st"
        ):
            saltus.from_nir(graph)
        net = saltus.from_nir(graph, spike_area=NORSE_DT)
        exact_decay(net, NORSE_DT)
    else:
        net = saltus.from_nir(graph)
    import torch  # noqa: PLC0415 (optional)

    spikes = (np.random.default_rng(3).random((500, 6)) < 0.15).astype(float)
    times, channels, samples = on_grid(spikes)
    inputs = {net.populations[0]: (times * (NORSE_DT / STEP), channels, samples)}
    found = saltus.simulate(net, inputs, 500 * NORSE_DT).spikes("1")
    theirs = []
    with torch.no_grad():
        for coming in torch.from_numpy(spikes[:, None]):
            out, state = module[1](module[0](coming), state)
            theirs.append(out[0].numpy())
    assert np.sum(theirs) > 300
    np.testing.assert_array_equal(steps_of(found, 20, 500, NORSE_DT), theirs)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:nirtorch")
@pytest.mark.parametrize("neuron", ["LIF", "IF"])
def test_norse_reads_them_but_takes_r_for_1(neuron):
    """So what a spike adds is its weight times dt / tau: to be made up for in the weights."""
    norse = pytest.importorskip("norse.torch", reason="Norse is not installed")
    import torch  # noqa: PLC0415 (optional)

    rng = np.random.default_rng(4)
    net = network(f"{neuron}:delta", rng.normal(0.3, 0.4, (3, 2)).astype(np.float32), tau_mem=10e-3)
    written = saltus.from_nir(saltus.to_nir(net))
    if neuron == "LIF":
        written["in->a.weight"] *= 10e-3 / NORSE_DT
    module = norse.from_nir(saltus.to_nir(written), ignore_warnings=True, dt=NORSE_DT)
    spikes = (rng.random((500, 3)) < 0.3).astype(np.float32)
    state, theirs = None, []
    with torch.no_grad():
        for coming in torch.from_numpy(spikes[:, None]):
            out, state = module(coming, state)
            theirs.append(out[0].numpy())
    exact_decay(net, NORSE_DT)
    times, channels, samples = on_grid(spikes)
    inputs = {"in": (times * (NORSE_DT / STEP), channels, samples)}
    found = saltus.simulate(net, inputs, 500 * NORSE_DT).spikes("a")
    assert np.sum(theirs) > 50
    np.testing.assert_array_equal(steps_of(found, 2, 500, NORSE_DT), theirs)
