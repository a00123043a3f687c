# SPDX-License-Identifier: Apache-2.0
"""The graph around the weights: nodes inside of others, names, shapes, and what would be lost."""

import itertools

import numpy as np
import pytest
import saltus

nir = pytest.importorskip("nir", reason="the package nir is not installed")

TAU_SYN = 5e-3


def lif(shape, **parameters):
    each = np.ones(shape)
    values = {"tau_syn": TAU_SYN, "tau_mem": 20e-3, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0}
    values |= {"v_reset": 0.0, "w_in": TAU_SYN} | parameters
    return nir.CubaLIF(**{key: value * each for key, value in values.items()})


def chain(*nodes):
    names = [f"n{k}" for k in range(len(nodes))]
    edges = list(itertools.pairwise(names))
    return nir.NIRGraph(dict(zip(names, nodes, strict=True)), edges, type_check=False)


def recurrent(weight, **more):
    """As other tools export a recurrent layer: neurons and weights in a graph of their own."""
    n = len(weight)
    nodes = {"input": nir.Input(np.array([n])), "lif": lif(n), "w_rec": nir.Linear(weight)}
    nodes |= {"output": nir.Output(np.array([n]))} | more
    edges = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    return nir.NIRGraph(nodes, edges, type_check=False)


def test_a_node_outside_does_not_become_one_inside_of_a_subgraph():
    inner, outer, last = (np.full((2, 2), value) for value in (1.0, 2.0, 3.0))
    nodes = {
        "input": nir.Input(np.array([2])),
        "rnn_w_rec": nir.Linear(outer),
        "rnn": recurrent(inner),
        "rnn_lif": lif(2),
        "w_rec": nir.Linear(last),
    }
    edges = itertools.pairwise(["input", "rnn_w_rec", "rnn", "w_rec", "rnn_lif"])
    net = saltus.from_nir(nir.NIRGraph(nodes, list(edges), type_check=False))
    assert net.populations == ("input", "rnn", "rnn_lif")
    assert net["input->rnn.weight"][0, 0] == 2
    assert net["rnn->rnn.weight"][0, 0] == 1
    assert net["rnn->rnn_lif.weight"][0, 0] == 3


def test_nodes_of_one_name_in_several_subgraphs_are_several():
    nodes = {"input": nir.Input(np.array([2])), "b_lif": lif(2), "b": None, "a": None}
    for k, name in enumerate("ab"):
        nodes[name] = recurrent(np.full((2, 2), k + 1.0), more=lif(2))
        nodes[name].edges.append(("input", "more"))
    edges = [("input", "a"), ("a", "b"), ("b", "b_lif")]
    net = saltus.from_nir(nir.NIRGraph(nodes, edges, type_check=False))
    assert set(net.populations) == {"input", "b_lif", "a_lif", "a_more", "b_lif 2", "b_more"}
    assert net["a_lif->a_lif.weight"][0, 0] == 1
    assert net["b_lif 2->b_lif 2.weight"][0, 0] == 2
    assert net["b_lif 2->b_lif.weight"].shape == (2,)


def test_subgraphs_inside_of_subgraphs():
    middle = nir.NIRGraph(
        {"in": nir.Input(np.array([2])), "rnn": recurrent(np.eye(2)), "w": nir.Linear(np.eye(2)),
         "out": nir.Output(np.array([2]))},
        [("in", "w"), ("w", "rnn"), ("rnn", "out")], type_check=False,
    )  # fmt: skip
    net = saltus.from_nir(chain(nir.Input(np.array([2])), middle, middle))
    assert net.populations == ("n0", "n1", "n2")
    assert set(net.projections) == {"n0->n1", "n1->n1", "n1->n2", "n2->n2"}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [lif(2), nir.Affine(np.eye(2), np.ones(2)), nir.Output(np.array([2]))],
            "node 'n2' is Affine and leads to Output 'n3', not to neurons, so it would be lost; put"
            " a CubaLI behind it",
        ),
        (
            [lif(2), nir.Delay(np.ones(2)), nir.Flatten(np.array([2]), 0), nir.Output([2])],
            "node 'n2' is Delay and leads to Output 'n4'",
        ),
        ([lif(2), nir.Linear(np.eye(2))], "node 'n2' is Linear and leads to no neurons"),
        (
            [lif(2), nir.Output(np.array([2])), nir.Linear(np.eye(2)), lif(2)],
            "'n2' is an Output, and nothing can follow it",
        ),
        ([lif(2), nir.Input(np.array([2]))], r"edge \('n1', 'n2'\): nothing can lead into an Inp"),
        ([nir.Linear(np.ones((2, 2, 2))), lif(2)], r"node 'n1': weight has shape \(2, 2, 2\); exp"),
        ([nir.Scale(np.ones(3)), lif(2)], r"node 'n1': scale has shape \(3,\) and does not fit"),
        ([lif(3)], "'n0' has 2 channels at 'n1'; expected 3"),
        (
            [nir.Delay(-np.ones(2)), nir.Linear(np.eye(2)), lif(2)],
            r"by way of 'n1' and 'n2': .*delay.* is -1",
        ),
    ],
)
def test_what_would_be_lost_or_does_not_fit_names_the_node(nodes, message):
    with pytest.raises(ValueError, match=message):
        saltus.from_nir(chain(nir.Input(np.array([2])), *nodes))


def test_nodes_beside_the_graph_and_wrong_subgraphs_are_named():
    graph = chain(nir.Input(np.array([2])), lif(2))
    graph.nodes["w"] = nir.Linear(np.eye(2))
    with pytest.raises(ValueError, match="node 'w' is Linear and has nothing that leads to it"):
        saltus.from_nir(graph)
    graph = chain(nir.Input(np.array([2])), recurrent(np.eye(2)), lif(2))
    graph.nodes["n1"].nodes["lost"] = nir.Affine(np.eye(2), np.ones(2))
    graph.nodes["n1"].edges.append(("lif", "lost"))
    with pytest.raises(ValueError, match="node 'n1/lost' is Affine and leads to no neurons"):
        saltus.from_nir(graph)
    graph.nodes["n1"].nodes["out2"] = nir.Output(np.array([2]))
    with pytest.raises(ValueError, match="subgraph 'n1' has 2 Output nodes; expected one"):
        saltus.from_nir(graph)
    graph.edges.append(("n2", "n9"))
    del graph.nodes["n1"].nodes["out2"]
    with pytest.raises(ValueError, match=r"edge \('n2', 'n9'\): there is no node 'n9'"):
        saltus.from_nir(graph)


GRID_ERRORS = {
    "stride": ({"stride": (0, 1)}, "stride is .*; expected one or two whole numbers of at least 1"),
    "padding": ({"padding": "sane"}, "padding is 'sane'; expected one or two whole numbers of at"),
    "same": ({"padding": "same", "stride": (2, 2)}, r"padding is 'same' with stride \(2, 2\)"),
    "groups": ({"groups": 2}, "groups is 2; expected a divisor of its 3 output channels"),
    "channels": ({"weight": np.ones((3, 2, 2, 2))}, "gets 1 channels; expected 2"),
    "weight": ({"weight": np.ones((3, 1, 2))}, r"weight has shape \(3, 1, 2\); expected four axes"),
}


@pytest.mark.parametrize("name", GRID_ERRORS)
def test_convolutions_that_do_not_fit_say_why(name):
    changed, message = GRID_ERRORS[name]
    values = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    conv = nir.Conv2d(input_shape=None, weight=np.ones((3, 1, 2, 2)), bias=np.zeros(3), **values)
    for key, value in changed.items():
        setattr(conv, key, value)
    with pytest.raises(ValueError, match=f"node 'n1'.* {message}"):
        saltus.from_nir(chain(nir.Input(np.array([1, 4, 5])), conv, lif((3, 3, 4))))


def test_neurons_of_any_shape_and_their_constants_become_flat():
    shape = (16, 12, 12)
    leak = np.random.default_rng(0).normal(0, 0.1, shape)
    bias = np.arange(16.0)
    kernel = np.random.default_rng(1).normal(0, 1, (16, 2, 3, 3))
    conv = nir.Conv2d((14, 14), kernel, 1, 0, 1, 1, bias)
    graph = nir.NIRGraph(
        {"in": nir.Input(np.array([2, 14, 14])), "conv": conv, "lif": lif(shape, v_leak=leak)},
        [("in", "conv"), ("conv", "lif")],
    )
    net = saltus.from_nir(graph)
    assert net._size("lif") == 16 * 144
    assert np.array_equal(net["in->lif.weight"], kernel)
    constant = np.repeat(bias, 144) * TAU_SYN
    assert np.array_equal(net["lif.bias"], leak.reshape(-1) + constant)
    assert np.array_equal(net["lif.i_initial"], -constant)
    again = saltus.from_nir(saltus.to_nir(net))
    assert again["in->lif.weight"].shape == kernel.shape  # a bias for each channel carries it
    for name in net:
        assert np.allclose(again[name], net[name], rtol=1e-14), name


@pytest.mark.parametrize("parameter", [np.array(1.0), np.ones(1)])
def test_one_number_stands_for_all_neurons_wherever_the_shape_is_said(parameter):
    def one():
        return lif(parameter.shape, tau_mem=30e-3)

    kernel = np.ones((2, 1, 2, 2))
    conv = nir.Conv2d(None, kernel, (1, 1), (0, 0), (1, 1), 1, np.zeros(2))
    scale, delay = nir.Scale(2 * parameter), nir.Delay(1e-3 * parameter)
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    flat = nir.Flatten(None, 0, -1)
    dense = nir.Linear(np.ones((3, 4)))
    nodes = [nir.Input(np.array([1, 5, 5])), conv, one(), scale, one(), delay, pool, one(), flat]
    # Not a shape in front of the last ones: what is behind says it.
    net = saltus.from_nir(chain(*nodes, nir.Linear(np.ones((4, 8))), one(), dense, one()))
    sizes = [net._size(name) for name in net.populations]
    assert sizes == [25, 32, 32, 8, 4, 3]
    for name in net.populations[1:]:
        assert net[f"{name}.tau_mem"].shape == ()
        assert net[f"{name}.tau_mem"] == 30e-3
    looped = chain(nir.Input(np.array([3])), nir.Linear(np.ones((2, 3))), one())
    looped.nodes |= {"alone": one(), "w": nir.Linear(np.ones((2, 7)))}
    looped.edges += [("alone", "w"), ("w", "n2")]
    assert saltus.from_nir(looped)._size("alone") == 7


def test_neurons_in_millivolts_start_at_rest():
    leak, threshold = np.array([-65.0, -65.0, -40.0, 0.5]), np.array([-50.0, -50.0, -50.0, 1.0])
    reset = np.array([-70.0, -65.0, -60.0, 0.0])
    neurons = lif(4, v_leak=leak, v_threshold=threshold, v_reset=reset)
    net = saltus.from_nir(chain(nir.Input(np.array([4])), nir.Linear(40 * np.eye(4)), neurons))
    # The third never rests: its leak is above the threshold. The fourth can start where all do.
    assert np.array_equal(net["n2.v_initial"], [-65, -65, -60, 0])
    spikes = ([1e-3, 2e-3], [0, 1], [0, 2])
    record = saltus.simulate(net, {"n0": spikes}, 10e-3)
    assert record.voltages("n2", [0.0])[0, 0].tolist() == [-65, -65, -60, 0]
    assert saltus.from_nir(saltus.to_nir(net)) == net
    usual = saltus.from_nir(chain(nir.Input(np.array([2])), nir.Linear(np.eye(2)), lif(2)))
    assert usual["n2.v_initial"].shape == ()


def test_names_may_clash_and_be_anything(tmp_path):
    net = saltus.Network()
    net.add_input("in", 2)
    net.add_population("a", "LI", 2)
    net.add_population("a/b", "LIF", 2)
    net.add_population("a output", "LI", 2)
    net.connect("in", "a", np.ones((2, 2)), 1e-3, name="in")
    net.connect("in", "a/b", np.ones((2, 2)), 1e-3, name="a")
    net.connect("a/b", "a", saltus.OneToOne([1.0, 2.0]), name="in delay")
    net.connect("a/b", "a output", np.ones((2, 2)), name=".")
    nir.write(tmp_path / "net.nir", saltus.to_nir(net))
    assert saltus.from_nir(nir.read(tmp_path / "net.nir")) == net


def test_neurons_onto_which_nothing_projects_come_back(tmp_path):
    net = saltus.Network()
    net.add_input("in", 2)
    net.add_population("alone", "LIF", 3, bias=1.5)
    net.add_population("out", "LI", 2)
    net.connect("in", "out", np.ones((2, 2)))
    net.connect("alone", "out", np.ones((3, 2)))
    nir.write(tmp_path / "net.nir", saltus.to_nir(net))
    assert saltus.from_nir(nir.read(tmp_path / "net.nir")) == net


def kinds(graph):
    return {name: type(node).__name__ for name, node in graph.nodes.items()}


def test_a_convolutional_network_is_written_in_nirs_own_words():
    rng = np.random.default_rng(0)
    net = saltus.Sequential(
        saltus.Input(2 * 8 * 8),
        saltus.LIF(4 * 8 * 8, saltus.Conv2d(rng.normal(0, 1, (4, 2, 3, 3)), (2, 8, 8), padding=1)),
        saltus.LIF(4 * 4 * 4, saltus.AvgPool2d(2), delay=np.full((256, 1), 1e-3)),
        saltus.LIF(4 * 2 * 2, saltus.SumPool2d(2, weight=0.5)),
        saltus.LI(3, saltus.Normal(0, 1)),
    )
    graph = saltus.to_nir(net)
    assert kinds(graph) == {
        "in": "Input",
        "hidden1": "CubaLIF",
        "hidden2": "CubaLIF",
        "hidden3": "CubaLIF",
        "out": "CubaLI",
        "in->hidden1": "Conv2d",
        "hidden1->hidden2 delay": "Delay",
        "hidden1->hidden2": "AvgPool2d",
        "hidden2->hidden3 sum": "SumPool2d",
        "hidden2->hidden3": "Scale",
        "hidden2->hidden3 flat behind": "Flatten",
        "hidden3->out": "Linear",
        "out output": "Output",
    }
    assert graph.nodes["in"].input_type["input"].tolist() == [2, 8, 8]
    assert graph.nodes["hidden2"].v_threshold.shape == (4, 4, 4)
    assert graph.nodes["hidden3"].v_threshold.shape == (16,)


def test_a_grid_that_weights_lead_into_is_written_as_a_matrix():
    """NIR can flatten a grid, but not make one; nor check kernels that are not square."""
    net = saltus.Network()
    net.add_input("in", 3)
    net.add_input("grid", 16)
    net.add_population("a", "LIF", 16)
    net.add_population("b", "LIF", 9)
    net.connect("in", "a", np.ones((3, 16)))
    net.connect("a", "b", saltus.Conv2d(np.ones((1, 1, 2, 2)), (1, 4, 4)))
    net.connect("grid", "a", saltus.Conv2d(np.ones((4, 1, 1, 4)), (1, 4, 4)))
    graph = saltus.to_nir(net)
    assert [kinds(graph)[name] for name in net.projections] == ["Linear"] * 3
    assert saltus.from_nir(graph) == net
    # Another tool trains on: what is no convolution any more comes back as what it is.
    graph.nodes["a->b"].weight[0, 5] += 1
    found = saltus.from_nir(graph)
    assert found["a->b.weight"].shape == (16, 9)
    assert found["a->b.weight"][5, 0] == 2


def test_delays_of_targets_are_behind_and_of_synapses_refused():
    net = saltus.Network()
    net.add_input("in", 16)
    net.add_population("a", "LIF", 9)
    net.add_population("b", "LIF", 9)
    conv = saltus.Conv2d(np.ones((1, 1, 2, 2)), (1, 4, 4))
    net.connect("in", "a", conv, np.zeros((1, 36)))
    _, post, _ = net.synapses("in->a")
    net["in->a.delay"] = 1e-3 * post
    net.connect("a", "b", np.ones((9, 9)), np.arange(81.0).reshape(9, 9) * 1e-4)
    graph = saltus.to_nir(net)
    assert np.array_equal(graph.nodes["in->a delay behind"].delay.reshape(-1), 1e-3 * np.arange(9))
    assert graph.nodes["a->b delay"].delay.shape == (9,)  # in front 9 ms apart, behind 1 ms
    again = saltus.from_nir(graph)
    assert np.array_equal(again["in->a.delay"], net["in->a.delay"])
    assert np.allclose(again["a->b.delay"], net["a->b.delay"], rtol=1e-14)
    net["in->a.delay"][3] += 1e-3  # from a pixel that others lead away from
    with pytest.raises(ValueError, match=r"in->a.delay has shape \(36,\): NIR has no delay for"):
        saltus.to_nir(net)


def test_what_a_matrix_cannot_hold_names_the_projection():
    net = saltus.Network()
    net.add_input("in", 200_000)
    net.add_population("a", "LIF", 1000)
    net.connect("in", "a", saltus.Sparse([1.0, 2.0], [0, 199_999], [0, 999]))
    with pytest.raises(
        ValueError, match=r"in->a is sparse and .* 1000 x 200000 it would fill 1.49 GiB"
    ):
        saltus.to_nir(net)


@pytest.mark.filterwarnings("ignore:nirtorch.extract_nir_graph")
def test_networks_of_snntorch_with_convolutions_and_recurrent_layers_are_read():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")
    export = pytest.importorskip("snntorch.export_nir", reason="snnTorch's exporter needs nirtorch")

    def neurons(shape, **options):
        each = torch.ones(shape)
        options = {"init_hidden": True, "reset_mechanism": "zero", "threshold": each} | options
        if "linear_features" in options:
            return snn.RSynaptic(alpha=0.98 * each, beta=0.995 * each, **options)
        return snn.Synaptic(alpha=0.98 * each, beta=0.995 * each, **options)

    layers = {
        "conv": torch.nn.Conv2d(1, 2, 3, bias=False),
        "lif1": neurons((2, 6, 8)),
        "pool": torch.nn.AvgPool2d(2),
        "flat": torch.nn.Flatten(),
        "fc": torch.nn.Linear(24, 4),
        "lif2": neurons(4, linear_features=4, output=True),
    }
    module = torch.nn.Sequential()
    for name, layer in layers.items():
        module.add_module(name, layer)
    graph = export.export_to_nir(module, torch.zeros(1, 1, 8, 10), ignore_dims=[0])
    net = saltus.from_nir(graph, spike_area=1e-4)
    assert net.populations == ("input", "lif1", "lif2.lif")
    assert net["input->lif1.weight"].shape == (2, 1, 3, 3)
    assert net["lif1->lif2.lif.weight"].shape == (96, 4)
    assert net["lif2.lif->lif2.lif.weight"].shape == (4, 4)
    pytest.importorskip("saltus.torch").EventProp(net, 0.1, "lif2.lif.spikes")  # a name with a dot
