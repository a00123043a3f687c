# SPDX-License-Identifier: Apache-2.0
"""Our networks as graphs for the readers of snnTorch and Norse."""

import tempfile

import numpy as np
import pytest
import saltus

from .stepping import DT, WARNINGS, given, snntorch, stepped

nir = pytest.importorskip("nir", reason="the package nir is not installed")


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
