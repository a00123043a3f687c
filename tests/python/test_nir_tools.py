# SPDX-License-Identifier: Apache-2.0
"""NIR graphs of tools that step, read with their steps; and ours, written for their readers."""

import contextlib
import io
import itertools
import tempfile

import numpy as np
import pytest
import saltus

nir = pytest.importorskip("nir", reason="the package nir is not installed")

DT = 1e-4  # that of snnTorch's exporter and importer
WARNINGS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:nirtorch")


def snntorch():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    export = pytest.importorskip("snntorch.export_nir", reason="snnTorch or nirtorch is missing")
    reader = pytest.importorskip("snntorch.import_nir", reason="snnTorch or nirtorch is missing")
    return pytest.importorskip("snntorch"), export.export_to_nir, quiet(reader.import_from_nir)


def quiet(function):
    """snnTorch's reader prints what it does."""

    def call(*values, **options):
        with contextlib.redirect_stdout(io.StringIO()):
            return function(*values, **options)

    return call


def stepped(module, spikes, stateful=False):
    """The spikes that a module makes of those that come, [step, neuron]."""
    import torch  # noqa: PLC0415 (optional)

    for part in module.modules():
        if hasattr(part, "reset_mem"):
            part.reset_mem()
    state, found = None, []
    with torch.no_grad():
        for coming in torch.from_numpy(spikes[:, None]):
            out = module(coming, state) if stateful else module(coming)
            if isinstance(out, tuple):
                out, *more = out
                state = more[-1]
            found.append(out[0].numpy().reshape(-1).copy())
    return np.array(found)


def given(spikes, dt=DT):
    """Spikes [step, channel] of one sample as they are given here."""
    step, channel = np.nonzero(spikes.reshape(len(spikes), -1))
    return step * dt, channel.astype(np.int32), [0, len(step)]


# --- their graphs --------------------------------------------------------------------------------


def cuba(tau_mem, tau_syn, dt=DT, threshold=1.0):
    """As snnTorch writes Synaptic."""
    one = np.ones(np.broadcast(tau_mem, tau_syn).shape)
    return nir.CubaLIF(
        tau_mem=tau_mem * one, tau_syn=tau_syn * one, r=tau_mem / dt * one, w_in=tau_syn / dt * one,
        v_leak=0 * one, v_threshold=threshold * one, v_reset=0 * one,
    )  # fmt: skip


def test_voltages_are_those_of_a_tool_at_each_of_its_steps():
    """Time constants from 1.5 steps on, some equal or nearly."""
    tau_mem = DT * np.array([1.5, 3.0, 20.0, 20.0, 8.0, 8.0, 500.0])
    tau_syn = DT * np.array([4.0, 1.5, 20.0, 20.0 + 1e-8, 8.0 + 1e-3, 60.0, 2.0])
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 1, (7, 3))
    neurons = cuba(tau_mem, tau_syn, threshold=1e6)
    net = saltus.from_nir(
        nir.NIRGraph.from_list(nir.Input(np.array([3])), nir.Linear(weight), neurons), step=DT
    )
    x = (rng.random((200, 3)) < 0.1).astype(float)
    inputs, lif = net.populations
    record = saltus.simulate(net, {inputs: given(x)}, 0.03)
    found = record.voltages(lif, DT * np.arange(1, 201))[0]
    alpha, beta = 1 - DT / tau_syn, 1 - DT / tau_mem
    syn, mem, expected = np.zeros(7), np.zeros(7), []
    for coming in x:
        syn = alpha * syn + weight @ coming
        mem = beta * mem + syn
        expected.append(mem)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * largest)


def layers(kind, reset="zero", delay=True, sizes=(40, 60, 20), seed=0):
    """Two layers of snnTorch, trained to nothing: many spikes, time constants of a few steps."""
    snn, export, _ = snntorch()
    import torch  # noqa: PLC0415 (optional)

    rng, modules = np.random.default_rng(seed), []
    for pre, post in itertools.pairwise(sizes):
        one = torch.ones(post, dtype=torch.float64)
        options = {
            "alpha": (1 - 1 / 8) * one, "beta": (1 - 1 / 20) * one, "threshold": one,
            "reset_mechanism": reset, "reset_delay": delay, "init_hidden": True,
            "output": post == sizes[-1], "spike_grad": lambda v: (v > 0).to(v.dtype),
        }  # fmt: skip
        linear = torch.nn.Linear(pre, post, bias=False)
        gain = 1.0 if pre == sizes[0] else 1.5
        linear.weight.data = torch.tensor(gain * rng.normal(0.35, 0.6, (post, pre)) / 20)
        neurons = snn.Synaptic(**options)
        if kind == "recurrent":
            neurons = snn.RSynaptic(linear_features=post, **options)
            neurons.recurrent.bias = None
            neurons.recurrent.weight.data = torch.tensor(rng.normal(0, 0.3, (post, post)) / 20)
        modules += [linear, neurons]
    module = torch.nn.Sequential(*modules).double()
    sample = torch.zeros(1, sizes[0], dtype=torch.float64)
    return module, export(module, sample, ignore_dims=[0])


def counts(net, x):
    record = saltus.simulate(net, {net.populations[0]: given(x)}, len(x) * DT)
    return [record.spikes(p).counts(net._size(p))[0] for p in net.populations[1:]]


@WARNINGS
@pytest.mark.parametrize("kind", ["feedforward", "recurrent"])
def test_steps_and_a_refractory_time_bring_spike_counts_nearer(kind):
    """Of a net in which neurons spike in every other step: up to 4.4 times as many without."""
    module, graph = layers(kind)
    x = (np.random.default_rng(3).random((100, 40)) < 0.03).astype(float)
    hidden = []
    hook = module[1].register_forward_hook(lambda _, __, out: hidden.append(out.sum().item()))
    theirs = np.array([stepped(module, x).sum(), np.sum(hidden)])[::-1]
    hook.remove()
    off = []
    for options in ({"spike_area": DT}, {"step": DT}, {"step": DT, "tau_ref": 1.5 * DT}):
        ours = counts(saltus.from_nir(graph, **options), x)
        off.append(np.abs(np.array([c.sum() for c in ours]) / theirs - 1))
    assert theirs.min() > 500
    assert np.all(off[1] < 0.75 * off[0]), off
    assert np.all(off[2] < [0.01, 0.08]), off
    assert np.all(off[2] < 0.05 * off[0]), off


@WARNINGS
def test_spikes_of_norses_cells_are_as_many_with_its_steps():
    """Two layers of LIFCell that spike in up to every second step of 1 ms."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    norse = pytest.importorskip("norse.torch", reason="Norse is not installed")
    rng, dt, modules = np.random.default_rng(5), 1e-3, []
    for (pre, post), (mean, std) in (((8, 60), (1.5, 1.8)), ((60, 40), (0.3, 0.45))):
        linear = torch.nn.Linear(pre, post, bias=False)
        linear.weight.data = torch.tensor(rng.normal(mean, std, (post, pre)))
        parameters = norse.LIFParameters(
            tau_syn_inv=1 / torch.tensor(rng.uniform(3e-3, 8e-3, post)),
            tau_mem_inv=1 / torch.tensor(rng.uniform(15e-3, 25e-3, post)),
            v_leak=torch.zeros(post, dtype=torch.float64),
            v_th=torch.tensor(rng.uniform(0.8, 1.2, post)),
            v_reset=torch.zeros(post, dtype=torch.float64),
        )
        modules += [linear, norse.LIFCell(parameters, dt=dt)]
    module = norse.SequentialState(*modules)
    graph = norse.to_nir(module, torch.zeros(1, 8, dtype=torch.float64), dt=1.0)
    x = (rng.random((100, 8)) < 0.12).astype(float)
    states, expected = [None, None], np.zeros(2)
    with torch.no_grad():
        for coming in torch.from_numpy(x[:, None]):
            out = coming
            for k in range(2):
                out, states[k] = module[2 * k + 1](module[2 * k](out), states[k])
                expected[k] += out.sum().item()
    off = []
    for options in ({"tau_ref": 0}, {}):
        net = saltus.from_nir(graph, step=dt, **options)
        record = saltus.simulate(net, {net.populations[0]: given(x, dt)}, 0.1)
        ours = np.array([len(record.spikes(name)) for name in net.populations[1:]])
        off.append(np.abs(ours / expected - 1))
    assert expected.min() > 500
    assert np.all(off[0] > 0.2), off
    assert np.all(off[1] < [0.02, 0.1]), off


def leaky(size, kind="Leaky", **options):
    """Neurons of snnTorch as users make them, but for the shape that its exporter wants."""
    import torch  # noqa: PLC0415 (optional)

    options |= {
        "beta": torch.full(size, 0.9),
        "threshold": torch.full(size, 0.3),
        "init_hidden": True,
    }
    options |= {"reset_mechanism": "zero", "reset_delay": kind == "RSynaptic"}
    if kind.endswith("Synaptic"):
        options["alpha"] = torch.full(size, 0.8)
    return getattr(snntorch()[0], kind)(**options)


def perceptron(*kinds):
    """Layers of 20-30-5 neurons of these kinds."""
    import torch  # noqa: PLC0415 (optional)

    modules = []
    for kind, (pre, post) in zip(kinds, itertools.pairwise((20, 30, 5)), strict=False):
        more = {"linear_features": post} if kind.startswith("R") else {}
        if kind.endswith("V"):
            more = {"all_to_all": False, "V": torch.full((post,), 0.3)}
        modules += [torch.nn.Linear(pre, post), leaky((post,), kind.removesuffix("V"), **more)]
    return modules, (1, 20)


def convolution(*modules, size):
    import torch  # noqa: PLC0415 (optional)

    end = [torch.nn.Flatten(), torch.nn.Linear(size, 5), leaky((5,))]
    return [*modules, *end], (1, 1, 8, 8)


def convolutions(kind):
    from torch.nn import AvgPool2d, Conv2d  # noqa: PLC0415 (optional)

    return {
        "pool behind": lambda: convolution(
            Conv2d(1, 4, 3), leaky((4, 6, 6)), AvgPool2d(2), size=36
        ),
        "pool": lambda: convolution(Conv2d(1, 4, 3), AvgPool2d(2), leaky((4, 3, 3)), size=36),
        "no bias": lambda: convolution(
            Conv2d(1, 4, 3, padding=1, bias=False), leaky((4, 8, 8)),
            Conv2d(4, 6, 3, stride=2), leaky((6, 3, 3)), size=54,
        ),
        "same": lambda: convolution(Conv2d(1, 4, 3, padding="same"), leaky((4, 8, 8)), size=256),
        "flatten": lambda: convolution(size=64),
    }[kind]()  # fmt: skip


def nested():
    """Names with dots; a graph in a graph."""
    import torch  # noqa: PLC0415 (optional)

    modules, shape = perceptron("RSynaptic", "Leaky")
    return [torch.nn.Sequential(*modules[:2]), torch.nn.Sequential(*modules[2:])], shape


FIRST = ("Leaky", "Synaptic", "RLeaky", "RSynaptic", "RLeakyV", "RSynapticV")
GRIDS = ("pool behind", "pool", "no bias", "same", "flatten")
USERS = {
    **{f"{a}, {b}": (perceptron, (a, b)) for a in FIRST for b in ("Leaky", "Synaptic", "RLeaky")},
    **{kind: (convolutions, (kind,)) for kind in GRIDS},
    "nested": (nested, ()),
}


@WARNINGS
@pytest.mark.parametrize("name", USERS)
def test_graphs_as_users_of_snntorch_make_them_are_read_and_written_back(name):
    _, export, reader = snntorch()
    import torch  # noqa: PLC0415 (optional)

    torch.manual_seed(0)
    make, values = USERS[name]
    modules, shape = make(*values)
    module = torch.nn.Sequential(*modules)
    graph = export(module, torch.zeros(shape), ignore_dims=[0])
    net = saltus.from_nir(graph, step=DT)
    x = (np.random.default_rng(0).random((60, *shape[1:])) < 0.3).astype(np.float32)
    inputs, *neurons = net.populations
    record = saltus.simulate(net, {inputs: given(x)}, 60 * DT)
    assert len(record.spikes(neurons[0])) > 0
    saltus.to_nir(net, dialect="norse", step=DT)
    graph = saltus.to_nir(net, dialect="snntorch")
    shape = next(node for node in graph.nodes.values() if isinstance(node, nir.Input)).input_type
    again = stepped(reader(graph), x.reshape(60, *shape["input"]), stateful=True)
    if "RSynaptic" in str(module):
        return  # which cannot reset in the same step, as what snnTorch reads does
    expected = stepped(module, x)
    assert np.abs(again - expected).sum() <= 0.02 * max(expected.sum(), 50)


def looped(*names):
    """A graph of LIF neurons in a row whose last leads back to the first."""
    one = np.ones(2)
    nodes = {"in": nir.Input(np.array([2])), "out": nir.Output(np.array([2]))}
    edges = [("in", names[0]), (names[-1], "out")]
    for name in names:
        nodes[name] = nir.LIF(20e-3 * one, 20e-3 / DT * one, 0 * one, one)
    for a, b in itertools.pairwise((*names, names[0])):
        nodes[f"{a}{b}"] = nir.Linear(0.1 * np.ones((2, 2)))
        edges += [(a, f"{a}{b}"), (f"{a}{b}", b)]
    return nir.NIRGraph(nodes, edges, type_check=False)


def test_what_leads_back_takes_a_step():
    graph = looped("z", "b", "c")
    for name in ("z", "b", "c"):
        graph.nodes[name] = cuba(20e-3, 5e-3 * np.ones(2))
    net = saltus.from_nir(graph, step=DT)
    assert [name for name in net if name.endswith(".delay")] == ["c->z.delay"]
    assert np.all(net["c->z.delay"] == DT)
    net = saltus.from_nir(looped("z", "b"), step=DT)  # of delta synapses every way
    assert [name for name in net if name.endswith(".delay")] == ["z->b.delay", "b->z.delay"]
    saltus.simulate(net, {"in": ([1e-3], [0], [0, 1])}, 10e-3)
    graph = looped("a")
    graph.nodes["d"] = nir.Delay(np.full(2, 3 * DT))
    graph.edges = [("in", "a"), ("a", "d"), ("d", "aa"), ("aa", "a")]
    assert np.all(saltus.from_nir(graph, step=DT)["a->a.delay"] == 3 * DT)  # its own


@pytest.mark.parametrize("each", [5e-3 * np.ones(2), np.array([4e-3, 5e-3])])
def test_norses_cells_are_known_by_their_numbers(each):
    one = np.ones(2)
    linear = nir.Linear(np.array([[1.0], [2.0]]))
    cell = nir.CubaLIF(each, 20e-3 * one, one, 0 * one, one)
    found = saltus.read_nir(nir.NIRGraph.from_list(nir.Input(np.array([1])), linear, cell), step=DT)
    wanted = saltus.from_nir(
        nir.NIRGraph.from_list(
            nir.Input(np.array([1])), linear, nir.CubaLIF(each, 20e-3 * one, one, 0 * one, one,
            w_in=each / DT),
        ), spike_area=DT, step=DT,
    )  # fmt: skip
    for name in wanted:
        np.testing.assert_allclose(found.network[name], wanted[name], rtol=1e-14)
    assert "as the numbers there say" in str(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": 0.0}, "step is 0.0; expected a finite number above 0"),
        (
            {"step": 1.0},
            "node 'a': tau_mem is 0.02, and in a step of 1 nothing of it would be",
        ),
        ({"step": DT, "tau_ref": -1.0}, "tau_ref is -1.0; expected a finite number of at least 0"),
    ],
)
def test_steps_that_mean_nothing_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        saltus.from_nir(looped("a"), **options)


def test_an_import_says_what_it_read_and_assumed(tmp_path):
    graph = looped("a", "b")
    graph.nodes["b"].v_threshold = -50 * np.ones(2)
    graph.nodes["b"].v_leak = graph.nodes["b"].v_reset = -65 * np.ones(2)
    nir.write(tmp_path / "graph.nir", graph)
    found = saltus.read_nir(tmp_path / "graph.nir", step=DT)
    assert found.network == saltus.from_nir(graph, step=DT)
    assert found.nodes["a"] == "a"
    assert found.through["b->a"] == ("ba",)
    lines = str(found).split("\n")
    assert "  a: 2 LIF:delta" in lines
    assert "  a->b: 2x2 weights (of 'ab')" in lines
    assumed = found.assumed
    assert "a spike has area 0.0001 s in 'a', 'b', as the numbers there say" in assumed
    assert "from 'b' back to 'a' it takes a step, 0.0001 s" in assumed
    assert "from 'a' back to 'b' it takes a step, 0.0001 s" in assumed
    assert "V goes on from its reset at once in 'a', 'b'" in assumed
    assert "V starts at rest or reset in 'b', whose threshold is below 0" in assumed
    assert "V starts at 0 elsewhere" in assumed
    assert repr(found).startswith("<saltus.NIRImport of <saltus.Network: 3 populations, ")
    neurons = cuba(8e-3, 4e-3 * np.ones(2))
    held = saltus.read_nir(nir.NIRGraph.from_list(nir.Linear(np.eye(2)), neurons), step=DT)
    assert any("V is held at its reset for 5e-05 s" in line for line in held.assumed)


# --- our graphs, their readers -------------------------------------------------------------------


def theirs(net, x, tool, dt=DT):
    """The spikes that a tool makes with a network of ours, [step, neuron]; x [step, ...]."""
    graph = saltus.to_nir(net, dialect=tool, **({} if tool == "snntorch" else {"step": dt}))
    with tempfile.TemporaryDirectory() as folder:  # which keeps no order of nodes
        nir.write(f"{folder}/graph.nir", graph)
        graph = nir.read(f"{folder}/graph.nir")
    if tool == "snntorch":
        module = snntorch()[2](graph)
    else:
        pytest.importorskip("torch", reason="PyTorch is not installed")
        norse = pytest.importorskip("norse.torch", reason="Norse is not installed")
        module = norse.from_nir(graph, dt=dt)
    return stepped(module, x.astype(np.float32), stateful=True)


def slowed(net, factor):
    """A network whose times are all longer: the same spikes, later."""
    net = net.copy()
    for name in net:
        if name.rsplit(".", 1)[1] in ("tau_mem", "tau_syn", "tau_ref", "delay"):
            net[name] *= factor
    return net


def add(net, name, size, rng, synapse="exponential", **more):
    """A population whose neurons differ, and rest, start and reset at one voltage."""
    reset = rng.uniform(-0.3, 0.3, size)
    values = {
        "tau_mem": rng.uniform(10e-3, 25e-3, size),
        "v_reset": reset,
        "v_initial": reset,
        "v_threshold": reset + rng.uniform(0.8, 1.2, size),
        "bias": reset,
    }
    if synapse == "exponential":
        values["tau_syn"] = rng.uniform(3e-3, 8e-3, size)
    net.add_population(name, "LIF", size, synapse=synapse, **values | more)


def network(kind, rng):
    """Two layers, the first onto itself too if recurrent, of names that modules cannot have."""
    net = saltus.Network()
    net.add_input("in", 8)
    add(net, "h.1", 30, rng)
    add(net, "values", 12, rng)
    net.connect("in", "h.1", rng.normal(0.8, 0.8, (8, 30)))
    net.connect("h.1", "values", rng.normal(0.3, 0.5, (30, 12)))
    if kind == "recurrent":
        net.connect("h.1", "h.1", rng.normal(-0.1, 0.4, (30, 30)), name="again")
    if kind == "cycle":
        net.connect("values", "h.1", rng.normal(-0.1, 0.4, (12, 30)))
    return net


@WARNINGS
@pytest.mark.parametrize("tool", ["snntorch", "norse"])
@pytest.mark.parametrize("kind", ["feedforward", "recurrent", "cycle"])
def test_spikes_of_a_tool_that_reads_ours_come_closer_as_its_step_falls(tool, kind):
    rng = np.random.default_rng(7)
    net = network(kind, rng)
    times, channels = np.sort(rng.integers(1, 50, 60)) * 1e-3, rng.integers(0, 8, 60)
    ours = saltus.simulate(net, {"in": (times, channels, [0, 60])}, 60e-3).spikes("values")
    missing, late = [], []
    for dt in (1e-3, 5e-4, 2.5e-4, 1.25e-4):
        x = np.zeros((round(60e-3 / dt), 8))
        np.add.at(x, (np.rint(times / dt).astype(int), channels), 1)
        of_tool = slowed(net, DT / dt) if tool == "snntorch" else net
        found = theirs(of_tool, x, tool, dt)
        step, neuron = np.nonzero(found)
        first = np.full(12, np.inf)
        np.minimum.at(first, neuron, (step + 0.5) * dt)  # V is there within the step
        both = np.isfinite(first) & np.isfinite(ours.first(12)[0])
        assert both.sum() >= 6
        late.append(np.abs(first - ours.first(12)[0])[both] / dt)
        missing.append(1 - found.sum() / len(ours))
    assert missing[0] < 0.4, missing
    assert np.all(np.array(missing[1:]) < 0.7 * np.array(missing[:-1])), missing  # less by half
    assert missing[-1] < 0.07, missing
    assert np.all([np.median(steps) < 1.2 for steps in late]), late


STEP = 2.0**-13  # of grids on which sums of times are exact


def both(net, x, tool):
    """A tool's spikes and ours of the last population, [step, neuron], of delta synapses."""
    found = theirs(slowed(net, DT / STEP) if tool == "snntorch" else net, x, tool, STEP)
    last = net.populations[-1]
    spikes = saltus.simulate(net, {"in": given(x, STEP)}, len(x) * STEP).spikes(last)
    ours = np.zeros_like(found)
    np.add.at(ours, (np.ceil(spikes.times / STEP - 1e-6).astype(int), spikes.neurons), 1)
    return found, ours


def dense(rng, net):
    add(net, "h", 30, rng, "delta", bias=rng.uniform(-0.2, 0.3, 30))
    net.connect("in", "h", rng.normal(0.4, 0.4, (8, 30)))


def recurrent(rng, net):
    add(net, "h", 30, rng, "delta", bias=rng.uniform(-0.2, 0.3, 30))
    net.connect("in", "h", rng.normal(0.4, 0.4, (8, 30)))
    net.connect("h", "h", rng.normal(0, 0.2, (30, 30)), STEP)


def two_layers(rng, net):
    add(net, "a", 20, rng, "delta")
    add(net, "b", 30, rng, "delta")
    net.connect("in", "a", rng.normal(0.4, 0.4, (8, 20)))
    net.connect("a", "b", rng.normal(0.3, 0.4, (20, 30)))


def one_to_one(rng, net):
    add(net, "a", 8, rng, "delta")
    add(net, "b", 30, rng, "delta")
    net.connect("in", "a", saltus.OneToOne(rng.uniform(1, 3, 8)))
    pre, post = rng.integers(0, 8, 60), np.repeat(np.arange(30), 2)
    net.connect("a", "b", saltus.Sparse(rng.uniform(0.5, 2, 60), pre, post))


def integrate_and_fire(rng, net):
    reset = rng.uniform(-0.2, 0.2, 30)
    values = {"v_reset": reset, "v_initial": reset, "v_threshold": 1 + reset}
    net.add_population("h", "IF", 30, synapse="delta", bias=0.3, tau_mem=20e-3, **values)
    net.connect("in", "h", rng.normal(0.4, 0.4, (8, 30)))


@WARNINGS
@pytest.mark.parametrize("tool", ["snntorch", "norse"])
@pytest.mark.parametrize("build", [dense, recurrent, two_layers, one_to_one, integrate_and_fire])
def test_of_delta_synapses_spikes_are_at_the_same_steps(tool, build):
    """All of them, but that a bias moves V over the threshold between two steps."""
    rng = np.random.default_rng(12)
    net = saltus.Network()
    net.add_input("in", 8)
    build(rng, net)
    x = (rng.random((400, 8)) < 0.1).astype(float)
    found, ours = both(net, x, tool)
    assert found.sum() > 100
    biased = build in (dense, recurrent, integrate_and_fire)
    assert np.abs(found - ours).sum() <= (0.01 * found.sum() if biased else 0)


@WARNINGS
@pytest.mark.parametrize("tool", ["snntorch", "norse"])
def test_convolutions_and_pooling_are_read(tool):
    rng = np.random.default_rng(3)
    net = saltus.Network()
    net.add_input("in", 2 * 8 * 8)
    limits = {"v_threshold": 1.0, "v_reset": 0.0}
    net.add_population("conv", "LIF", 4 * 6 * 6, synapse="delta", tau_mem=10e-3, **limits)
    net.add_population("pool", "LIF", 4 * 3 * 3, synapse="delta", tau_mem=5e-3, **limits)
    net.add_population("out", "LIF", 10, synapse="delta", tau_mem=20e-3, **limits)
    net.connect("in", "conv", saltus.Conv2d(rng.normal(0.1, 0.5, (4, 2, 3, 3)), (2, 8, 8)))
    net.connect("conv", "pool", saltus.AvgPool2d(2, input_shape=(4, 6, 6), weight=1.7))
    net.connect("pool", "out", rng.normal(0.2, 0.3, (36, 10)))
    x = (rng.random((200, 2, 8, 8)) < 0.1).astype(float)
    found, ours = both(net, x, tool)
    assert found.sum() > 100
    np.testing.assert_array_equal(found, ours)


@WARNINGS
def test_grids_of_several_samples_stay_apart():
    """PyTorch's modules have an axis of samples, which a Flatten must not take."""
    rng = np.random.default_rng(3)
    net = saltus.Network()
    net.add_input("in", 16)
    net.add_population("conv", "LIF", 9, synapse="delta", v_threshold=0.5)
    net.add_population("out", "LIF", 4, synapse="delta", v_threshold=0.5)
    net.connect("in", "conv", saltus.Conv2d(np.ones((1, 1, 2, 2)), (1, 4, 4)))
    net.connect("conv", "out", rng.normal(0.5, 0.5, (9, 4)))
    x = (rng.random((2, 1, 4, 4)) < 0.3).astype(np.float32)
    graph = saltus.to_nir(net, dialect="snntorch")
    import torch  # noqa: PLC0415 (optional)

    whole, _ = snntorch()[2](graph)(torch.from_numpy(x))
    assert whole.shape == (2, 4)
    for k in range(2):
        one, _ = snntorch()[2](graph)(torch.from_numpy(x[k : k + 1]))
        np.testing.assert_array_equal(one[0].detach(), whole[k].detach())


@WARNINGS
@pytest.mark.parametrize("synapse", ["exponential", "delta"])
def test_a_readout_is_a_neuron_whose_threshold_is_out_of_reach(synapse):
    rng = np.random.default_rng(2)
    net = saltus.Network()
    net.add_input("in", 5)
    net.add_population("out", "LI", 3, synapse=synapse, tau_mem=rng.uniform(2e-3, 9e-3, 3))
    net.connect("in", "out", rng.normal(0, 1, (5, 3)))
    module = snntorch()[2](saltus.to_nir(net, dialect="snntorch"))
    x = (rng.random((60, 5)) < 0.1).astype(float)
    courses = []
    module.out.register_forward_hook(lambda neurons, _, __: courses.append(neurons.mem[0].numpy()))
    assert stepped(module, x.astype(np.float32), stateful=True).sum() == 0
    record = saltus.simulate(net, {"in": given(x)}, 0.01)
    # V(k) is what it is just behind step k, or with a current at its end.
    at = DT * (np.arange(60) + (1 if synapse == "exponential" else 1e-6))
    found = record.voltages("out", at)[0]
    np.testing.assert_allclose(found, courses, rtol=0, atol=1e-5 * np.abs(found).max())


@pytest.mark.parametrize("tool", ["snntorch", "norse"])
@pytest.mark.parametrize("kind", ["feedforward", "recurrent"])
def test_what_a_tool_gets_is_read_as_the_same_network(tool, kind, tmp_path):
    rng = np.random.default_rng(5)
    net = network(kind, rng)
    x = (rng.random((400, 8)) < 0.03).astype(float)
    nir.write(tmp_path / "graph.nir", saltus.to_nir(net, dialect=tool))
    step = DT if tool == "snntorch" else 1e-3
    again = saltus.from_nir(tmp_path / "graph.nir", step=step, tau_ref=0)
    assert again.populations == net.populations
    for name in net:
        if name.rsplit(".", 1)[1] in ("tau_mem", "tau_syn"):
            np.testing.assert_allclose(again[name], net[name], rtol=1e-12)
    if "again.delay" in again:
        again["again.delay"] = np.zeros_like(again["again.delay"])
    a, b = (saltus.simulate(n, {"in": given(x)}, 0.05).spikes("values") for n in (net, again))
    assert len(a) > 20
    np.testing.assert_array_equal(a.neurons, b.neurons)
    np.testing.assert_allclose(a.times, b.times, rtol=0, atol=1e-9)


def plain(**parameters):
    net = saltus.Network()
    net.add_input("in", 2)
    net.add_population("h", "LIF", 4, **parameters)
    net.connect("in", "h", np.ones((2, 4)))
    return net


def with_delay():
    net = plain()
    net.add_population("out", "LIF", 4)
    net.connect("h", "out", np.eye(4), 1e-3)
    return net


def with_long_delay_back():
    net = plain()
    net.connect("h", "h", np.eye(4), 2e-3)
    return net


def with_two_inputs():
    net = plain()
    net.add_input("other", 2)
    net.connect("other", "h", np.ones((2, 4)))
    return net


def with_two_outputs():
    net = plain()
    net.add_population("b", "LI", 4)
    net.connect("in", "b", np.ones((2, 4)))
    return net


def with_ways_beside_each_other():
    net = with_two_outputs()
    net.add_population("c", "LIF", 4)
    net.connect("in", "c", np.ones((2, 4)))
    net.add_population("end", "LIF", 4)
    for name in "hc":
        net.connect(name, "end", np.eye(4))
    return net


def with_a_shared_weight():
    net = saltus.Network()
    net.add_input("in", 16)
    net.add_population("h", "LIF", 9, tau_mem=1e-3 * np.arange(1, 10))
    net.connect("in", "h", saltus.Conv2d(np.ones((1, 1, 2, 2)), (1, 4, 4)))
    return net


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (plain(v_initial=0.2), "h.v_initial is 0.2: norse cannot have that; expected 0 "),
        (plain(bias=0.2), "h.i_initial is 0: norse cannot have that; expected -0.2 "),
        (
            plain(tau_ref=2e-3),
            "h.tau_ref is 0.002: norse has none; expected at most its step, 0.00",
        ),
        (with_delay(), "h->out.delay is up to 0.001: norse has no delays; expected 0, or in a cyc"),
        (with_long_delay_back(), "h->h.delay is up to 0.002: norse has no delays"),
        (with_two_inputs(), r"norse reads graphs with one input; there are 2: \['in', 'other'\]"),
        (
            with_two_outputs(),
            r"outputs: norse reads .* one output; there are 2: .* Name one in out",
        ),
        (with_ways_beside_each_other(), "norse would return what leaves .* two ways lead there"),
        (with_a_shared_weight(), "in->h: synapses that share a weight lead to neurons of 'h' that"),
    ],
)
def test_what_a_tool_cannot_have_is_named(net, message):
    outputs = ["end"] if "end" in net.populations else None
    with pytest.raises(ValueError, match=message):
        saltus.to_nir(net, outputs, dialect="norse")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dialect": "brian"}, r"dialect is 'brian'; expected one of \['norse', 'snntorch'\]"),
        ({"step": 1e-3}, "step is 0.001 without a dialect"),
        ({"dialect": "snntorch", "step": 1e-3}, "snntorch always takes 0.0001 s for its step"),
        ({"dialect": "norse", "step": 0.0}, "step is 0.0; expected a finite number above 0"),
        ({"dialect": "norse", "spike_area": 1.0}, "spike_area is 1.0 with dialect 'norse'"),
    ],
)
def test_dialects_that_do_not_exist_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        saltus.to_nir(plain(), **options)


def test_no_node_is_called_as_what_a_container_of_modules_has():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from saltus._nir.dialects import label  # noqa: PLC0415

    for container in (torch.nn.ModuleDict(), torch.fx.GraphModule({}, torch.fx.Graph())):
        for name in dir(container):
            assert not hasattr(container, label(name)), name
    assert label("lif1.lif") == "lif1_lif"


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (None, "node 'x' is None: the exporter of the tool has no word for that module"),
        (
            nir.LIF(np.full(2, np.inf), *np.ones((3, 2))),
            r"not finite \(a neuron without a leak is IF",
        ),
    ],
)
def test_what_an_exporter_leaves_out_is_named(node, message):
    nodes = {"in": nir.Input(np.array([2])), "x": node}
    with pytest.raises(ValueError, match=message):
        saltus.from_nir(nir.NIRGraph(nodes, [("in", "x")], type_check=False), step=DT)


def test_one_sample_in_front_of_a_grid_is_none():
    """As Norse exports it."""
    one = np.ones(())
    neurons = nir.LIF(20e-3 * one, one, 0 * one, one, 0 * one)
    conv = nir.Conv2d(None, np.ones((4, 1, 3, 3)), 1, 0, 1, 1, np.zeros(4))
    nodes = {"in": nir.Input(np.array([1, 1, 8, 8])), "conv": conv, "lif": neurons}
    graph = nir.NIRGraph(nodes, [("in", "conv"), ("conv", "lif")], type_check=False)
    net = saltus.from_nir(graph, step=1e-3)
    assert net["in->lif.weight"].shape == (4, 1, 3, 3)
