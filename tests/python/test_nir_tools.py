# SPDX-License-Identifier: Apache-2.0
"""NIR graphs of tools that step, read with their steps."""

import itertools

import numpy as np
import pytest
import saltus

from .stepping import DT, WARNINGS, given, snntorch, stepped

nir = pytest.importorskip("nir", reason="the package nir is not installed")


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
