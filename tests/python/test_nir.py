# SPDX-License-Identifier: Apache-2.0
"""NIR: round trips, the meaning of its numbers, graphs of another tool, what is refused."""

import itertools

import numpy as np
import pytest
import saltus
from hypothesis import given, settings
from hypothesis import strategies as st

nir = pytest.importorskip("nir", reason="the package nir is not installed")


@st.composite
def networks(draw):
    """Everything that NIR can hold: cycles, delays, per-neuron parameters, several inputs."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    net = saltus.Network()

    def value(low, high, size):
        return rng.uniform(low, high, None if draw(st.booleans()) else size)

    sizes = {}
    for k in range(draw(st.integers(1, 2))):
        sizes[f"in{k}"] = int(rng.integers(1, 4))
        net.add_input(f"in{k}", sizes[f"in{k}"])
    spiking = list(sizes)
    for k in range(draw(st.integers(1, 3))):
        name, size = f"p{9 - k}", int(rng.integers(2, 5))  # not in alphabetical order
        model = draw(st.sampled_from(["LIF", "LI", "LIF:delta", "IF:delta", "LI:delta"]))
        delta = model.endswith(":delta")
        lif = {"v_threshold": value(0.5, 2, size), "v_reset": value(-1, 0.4, size)}
        net.add_population(
            name,
            model,
            size,
            tau_mem=value(5e-3, 30e-3, size),
            bias=value(-0.3, 0.3, size),
            **({} if delta else {"tau_syn": value(1e-3, 10e-3, size)}),
            **({} if model.startswith("LI:") or model == "LI" else lif),
        )
        sizes[name] = size
        if f"{name}.v_threshold" in net:
            spiking.append(name)
        for source in spiking:
            shape = (sizes[source], size)
            kind = draw(st.integers(int(delta and source == name), 2))  # in a cycle it is delayed
            delay = [None, rng.uniform(0, 3e-3), rng.uniform(0, 3e-3, shape[0])][kind]
            net.connect(source, name, rng.normal(0, 3, shape), delay, f"{source} to {name}")
    return net


@settings(max_examples=60, deadline=None)
@given(networks())
def test_a_round_trip_keeps_every_bit(tmp_path_factory, net):
    graph = saltus.to_nir(net)
    assert saltus.from_nir(graph) == net
    file = tmp_path_factory.mktemp("nir") / "graph.nir"
    nir.write(file, graph)
    again = saltus.from_nir(nir.read(file))
    assert again == net
    assert again.populations == net.populations
    assert again.projections == net.projections


def by_hand(weight, bias=None, delay=None, area=1.0, **parameters):
    """A graph in NIR's own terms: one linear map into CubaLI neurons."""
    n = len(weight)
    values = {"tau_syn": 4e-3, "tau_mem": 11e-3, "r": 2.5, "v_leak": 0.2, "w_in": 0.03} | parameters
    neurons = nir.CubaLI(**{k: v * np.ones(n) for k, v in values.items()})
    linear = nir.Linear(weight) if bias is None else nir.Affine(weight, bias)
    nodes = {"in": nir.Input(np.array([weight.shape[1]])), "w": linear, "li": neurons}
    nodes["out"] = nir.Output(np.array([n]))
    edges = [("in", "w"), ("w", "li"), ("li", "out")]
    if delay is not None:
        nodes["d"] = nir.Delay(delay)
        edges = [("in", "d"), ("d", "w"), *edges[1:]]
    return nir.NIRGraph(nodes, edges), values


@pytest.mark.parametrize("area", [1.0, 1e-3])
def test_v_is_the_solution_of_nirs_own_equations(area):
    """Integrated by Runge-Kutta, with a spike as a pulse of that area and 1e-7 s."""
    weight, bias = np.array([[2.0, -1.0], [0.5, 1.0]]), np.array([0.7, -0.4])
    delay = np.array([1e-3, 2e-3])
    graph, p = by_hand(weight, bias, delay, w_in=0.03 / area)
    net = saltus.from_nir(graph, spike_area=area)
    spikes = [(2e-3, 0), (5e-3, 1)]
    at = np.array([1e-3, 4e-3, 8e-3, 20e-3])
    record = saltus.simulate(
        net, {"in": ([t for t, _ in spikes], [n for _, n in spikes], [0, 2])}, 0.03
    )

    def slope(state, s):
        v, i = state
        return np.array(
            [(p["v_leak"] - v + p["r"] * i) / p["tau_mem"], (-i + p["w_in"] * s) / p["tau_syn"]]
        )

    state, t, expected = np.array([np.full(2, 0.0), np.zeros(2)]), 0.0, []
    stops = sorted([(time + delay[n], n) for time, n in spikes] + [(time, None) for time in at])
    for stop, n in stops:
        h = (stop - t) / 400
        for _ in range(400):
            k1 = slope(state, bias)
            k2 = slope(state + h / 2 * k1, bias)
            k3 = slope(state + h / 2 * k2, bias)
            k4 = slope(state + h * k3, bias)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        t = stop
        if n is None:
            expected.append(state[0].copy())
        else:
            state[1] = state[1] + p["w_in"] * weight[:, n] * area / p["tau_syn"]
    assert np.allclose(record.voltages("li", at)[0], expected, rtol=1e-9, atol=1e-12)


def test_an_affine_comes_back_to_rounding():
    graph, _ = by_hand(np.array([[2.0, -1.0], [0.5, 1.0]]), np.array([0.7, -0.4]))
    net = saltus.from_nir(graph)
    again = saltus.from_nir(saltus.to_nir(net))
    for name in net:
        assert np.allclose(again[name], net[name], rtol=1e-14, atol=1e-16), name


def test_linear_maps_are_joined_and_flatten_and_scale_pass():
    a, b = np.arange(12.0).reshape(3, 4), np.array([[1.0, 2.0, -1.0], [0.0, 1.0, 3.0]])
    ones = np.ones(2)
    nodes = {
        "in": nir.Input(np.array([2, 2])),
        "flat": nir.Flatten({"input": np.array([2, 2])}, start_dim=0),
        "a": nir.Linear(a),
        "scale": nir.Scale(np.array([1.0, 2.0, 3.0])),
        "b": nir.Affine(b, np.array([0.1, 0.2])),
        "li": nir.CubaLI(5e-3 * ones, 9e-3 * ones, ones, 0 * ones, 5e-3 * ones),
        "out": nir.Output(np.array([2])),
    }
    names = list(nodes)
    net = saltus.from_nir(nir.NIRGraph(nodes, list(itertools.pairwise(names))))
    assert np.allclose(net["in->li.weight"], (b @ np.diag([1.0, 2.0, 3.0]) @ a).T)
    assert np.allclose(net["li.bias"], 5e-3 * np.array([0.1, 0.2]))
    assert np.allclose(net["li.i_initial"], -5e-3 * np.array([0.1, 0.2]))


# --- refusals ------------------------------------------------------------------------------------


def chain(*nodes):
    names = [f"n{k}" for k in range(len(nodes))]
    return nir.NIRGraph(
        dict(zip(names, nodes, strict=True)), list(itertools.pairwise(names)),
        type_check=False,
    )  # fmt: skip


ONE = np.ones(2)
CUBA = nir.CubaLIF(ONE * 5e-3, ONE * 2e-2, ONE, 0 * ONE, ONE, w_in=ONE * 5e-3)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([nir.I(ONE)], "node 'n1' is I, a readout that integrates without a leak, which cannot"),
        ([nir.Threshold(ONE)], "node 'n1' is Threshold, which cannot be expressed"),
        (
            [nir.Conv2d((4, 4), np.ones((1, 1, 2, 2)), 1, 0, 1, 1, np.ones(1)), CUBA],
            "node 'n1' is Conv2d and gets shape .2,.; expected three axes: channels, y, x",
        ),
        (
            [nir.Affine(np.ones((2, 2)), ONE), nir.Delay(ONE), CUBA],
            "node 'n2' delays the bias of 'n1'; expected it in front",
        ),
        ([nir.Linear(np.ones((3, 2))), CUBA], "'n1' has 3 channels at 'n2'; expected 2"),
        ([nir.Linear(np.ones((2, 3))), CUBA], "node 'n1' gets 2 channels; expected 3, as its w"),
        ([nir.Linear(np.full((2, 2), np.nan)), CUBA], "node 'n1': weight holds a value that is"),
        (
            [nir.CubaLIF(ONE * 5e-3, ONE * 2e-2, ONE, 0 * ONE, ONE, ONE, ONE * 5e-3)],
            "node 'n1': .*v_reset",
        ),
    ],
)
def test_what_cannot_be_expressed_names_the_node(nodes, message):
    with pytest.raises(ValueError, match=message):
        saltus.from_nir(chain(nir.Input(np.array([2])), *nodes, nir.Output(np.array([2]))))


def test_a_loop_without_neurons_is_refused():
    graph = chain(nir.Input(np.array([2])), nir.Linear(np.eye(2)), nir.Linear(np.eye(2)))
    graph.edges.append(("n2", "n1"))
    with pytest.raises(ValueError, match="leads back to itself without a neuron"):
        saltus.from_nir(graph)


def test_numbers_of_a_tool_that_steps_ask_for_the_area_and_name_it():
    graph, _ = by_hand(np.eye(2), tau_syn=4e-3, w_in=4e-3 / 1e-4)
    with pytest.raises(
        ValueError, match=r"node 'li': .* steps by dt = 0\.0001; pass spike_area=0\.0001"
    ):
        saltus.from_nir(graph)
    net = saltus.from_nir(graph, spike_area=1e-4)
    assert np.allclose(net["in->li.weight"], 2.5 * np.eye(2))
    with pytest.raises(ValueError, match="spike_area is 0"):
        saltus.from_nir(graph, spike_area=0.0)
    with pytest.raises(TypeError, match=r"graph: expected a nir\.NIRGraph; got int"):
        saltus.from_nir(3)


@pytest.mark.parametrize(
    ("parameters", "delay", "message"),
    [
        ({"tau_ref": 1e-3}, None, "a.tau_ref is not 0"),
        ({"v_initial": 0.1}, None, "a.v_initial is not 0"),
        ({"v_threshold": -50, "v_reset": -70, "bias": -65, "v_initial": -66}, None, "is not -65"),
        ({}, np.eye(2), r"in->a.delay has shape \(2, 2\): .*sums of these"),
    ],
)
def test_what_nir_cannot_express_is_named(parameters, delay, message):
    net = saltus.Network()
    net.add_input("in", 2)
    net.add_population("a", "LIF", 2, **parameters)
    net.connect("in", "a", np.ones((2, 2)), delay)
    with pytest.raises(ValueError, match=message):
        saltus.to_nir(net)


def test_outputs_that_do_not_exist():
    with pytest.raises(ValueError, match="outputs: 'b' is no population of neurons"):
        saltus.to_nir(saltus.from_nir(by_hand(np.eye(2))[0]), outputs=["b"])


# --- another tool --------------------------------------------------------------------------------

TAU_MEM, TAU_SYN, UNTIL = 20e-3, 5e-3, 60e-3


def snntorch_spikes(dt, recurrent):
    """A network of snnTorch at a step of dt: its NIR graph and its spikes, in seconds."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")
    export = pytest.importorskip("snntorch.export_nir", reason="snnTorch's exporter needs nirtorch")
    rng = np.random.default_rng(4)
    size = 60
    alpha, beta = 1 - dt / TAU_SYN, 1 - dt / TAU_MEM  # Euler, as the exporter reads them
    linear = torch.nn.Linear(8, size, bias=False)
    each = torch.ones(size, dtype=torch.float64)
    options = {"alpha": alpha * each, "beta": beta * each, "threshold": each}
    options |= {"reset_mechanism": "zero", "init_hidden": True, "output": True}
    options["spike_grad"] = lambda v: (v > 0).to(v.dtype)  # its own gives float32
    if recurrent:
        neurons = snn.RSynaptic(linear_features=size, **options)
        neurons.recurrent.bias = None
        neurons.recurrent.weight.data = torch.tensor(
            rng.normal(0, 0.1, (size, size)) * dt / TAU_MEM, dtype=torch.float64
        )
    else:
        neurons = snn.Synaptic(**options)
    # snnTorch adds I to V: in continuous time V moves by I dt / tau_mem.
    weights = rng.normal(0.45, 0.6, (size, 8)) * dt / TAU_MEM
    linear.weight.data = torch.tensor(weights, dtype=torch.float64)
    net = torch.nn.Sequential(linear, neurons).double()
    times, channels = rng.integers(1, 40, 40) * 1e-3, rng.integers(0, 8, 40)  # on every grid
    steps = round(UNTIL / dt)
    spikes_in = torch.zeros(steps, 1, 8, dtype=torch.float64)
    for t, c in zip(times, channels, strict=True):
        spikes_in[round(t / dt), 0, c] += 1
    graph = export.export_to_nir(net, spikes_in[0], ignore_dims=[0])
    neurons.reset_mem()
    found = []
    with torch.no_grad():
        for step in range(steps):
            out = net(spikes_in[step])
            out = out[0] if isinstance(out, tuple) else out
            found += [(step * dt, int(n)) for n in torch.nonzero(out[0])[:, 0]]
    order = np.argsort(times, kind="stable")
    return graph, found, (times[order], channels[order].astype(np.int32))


def spike_differences(theirs, ours, size, scale=1.0):
    """(neuron, number) -> seconds, of neurons that spike equally often in both."""
    differences = {}
    for n in range(size):
        a = ours.times[ours.neurons == n] / scale
        b = np.array([t for t, m in theirs if m == n])
        if len(a) == len(b):
            differences |= {(n, k): d for k, d in enumerate(np.abs(a - b))}
    return differences


def assert_first_order(steps, differences, spikes):
    # Spikes that exist at every step; a few graze the threshold and come or go with the step.
    common = set.intersection(*(set(d) for d in differences))
    assert len(common) > 0.8 * spikes > 60
    means = np.array([np.mean([d[key] for key in common]) for d in differences])
    orders = np.log2(means[:-1] / means[1:])
    assert np.all((orders > 0.85) & (orders < 1.2)), (orders, means, len(common), spikes)
    assert means[-1] < 4 * steps[-1]


@pytest.mark.filterwarnings("ignore:nirtorch.extract_nir_graph")
@pytest.mark.parametrize("recurrent", [False, True], ids=["feedforward", "recurrent"])
def test_spikes_of_an_snntorch_network_converge_to_ours_at_first_order(recurrent):
    steps = (1e-4, 5e-5, 2.5e-5, 1.25e-5)
    differences = []
    for dt in steps:
        graph, theirs, (times, channels) = snntorch_spikes(dt, recurrent)
        with pytest.raises(ValueError, match=r"steps by dt = 0\.0001"):
            saltus.from_nir(graph)
        net = saltus.from_nir(graph, spike_area=1e-4)
        # The exporter always calls a step 1e-4 s: its seconds are ours times this.
        scale = 1e-4 / dt
        inputs = {net.populations[0]: (times * scale, channels, [0, len(times)])}
        lif = next(p for p in net.populations if f"{p}.v_threshold" in net)
        ours = saltus.simulate(net, inputs, UNTIL * scale).spikes(lif)
        differences.append(spike_differences(theirs, ours, 60, scale))
    assert_first_order(steps, differences, len(ours))


NORSE_SIZES = (8, 60, 40)


def norse_network(dt):
    """Two layers of Norse's LIF neurons, and their NIR graph; what it holds differs by neuron."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    norse = pytest.importorskip("norse.torch", reason="Norse is not installed")
    rng = np.random.default_rng(5)
    modules = []
    for pre, post in itertools.pairwise(NORSE_SIZES):
        linear = torch.nn.Linear(pre, post, bias=False)
        mean, std = (0.5, 0.6) if pre == NORSE_SIZES[0] else (0.1, 0.1)
        linear.weight.data = torch.tensor(rng.normal(mean, std, (post, pre)))

        def each(low, high, size=post):
            return torch.tensor(rng.uniform(low, high, size))

        parameters = norse.LIFParameters(
            tau_syn_inv=torch.full((post,), 1 / TAU_SYN, dtype=torch.float64),
            tau_mem_inv=1 / each(15e-3, 25e-3),
            v_leak=each(-0.1, 0.2),
            v_th=each(0.8, 1.2),
            v_reset=torch.zeros(post, dtype=torch.float64),  # not exported
        )
        modules += [linear, norse.LIFCell(parameters, dt=dt)]
    module = norse.SequentialState(*modules)
    sample = torch.zeros(1, NORSE_SIZES[0], dtype=torch.float64)
    return module, norse.to_nir(module, sample, dt=1.0)  # its time constants in seconds


def norse_spikes(module, dt, times, channels):
    """Step a network of Norse: the spikes of each layer, in seconds."""
    import norse.torch as norse  # noqa: PLC0415 (optional)
    import torch  # noqa: PLC0415 (optional)

    steps = round(UNTIL / dt)
    spikes_in = np.zeros((steps, 1, NORSE_SIZES[0]))
    np.add.at(spikes_in, (np.rint(times / dt).astype(int), 0, channels), 1)
    # Norse starts at V = v_leak, of which NIR knows nothing.
    states = [
        norse.LIFFeedForwardState(*2 * (torch.zeros(1, size, dtype=torch.float64),))
        for size in NORSE_SIZES[1:]
    ]
    found = [[] for _ in states]
    with torch.no_grad():
        for step, out in enumerate(torch.from_numpy(spikes_in)):
            for k, spikes in enumerate(found):
                out, states[k] = module[2 * k + 1](module[2 * k](out), states[k])  # noqa: PLW2901
                spikes += [(step * dt, n) for n in np.flatnonzero(out.numpy())]
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:nirtorch")
def test_spikes_of_a_norse_network_converge_to_ours_at_first_order():
    steps = (2e-4, 1e-4, 5e-5, 2.5e-5)
    layers = ("1", "3")
    differences = {name: [] for name in layers}
    rng = np.random.default_rng(6)
    times = np.sort(rng.integers(1, 40, 40)) * 1e-3  # on every grid
    channels = rng.integers(0, NORSE_SIZES[0], 40).astype(np.int32)
    for dt in steps:
        module, graph = norse_network(dt)
        with pytest.raises(ValueError, match=r"\(Norse\); pass spike_area=0\.005 if"):
            saltus.from_nir(graph)
        net = saltus.from_nir(graph, spike_area=TAU_SYN)
        inputs = {net.populations[0]: (times, channels, [0, len(times)])}
        record = saltus.simulate(net, inputs, UNTIL)
        theirs = norse_spikes(module, dt, times, channels)
        for name, found, size in zip(layers, theirs, NORSE_SIZES[1:], strict=True):
            differences[name].append(spike_differences(found, record.spikes(name), size))
    for name, found in differences.items():
        assert_first_order(steps, found, len(record.spikes(name)))
