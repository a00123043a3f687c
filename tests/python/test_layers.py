# SPDX-License-Identifier: Apache-2.0
"""Layers of connections: convolution, pooling and lists of synapses in `saltus.Sequential`."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import saltus

from .networks import data_folder, random_batch

NORMAL = saltus.Normal(2.0, 1.0)


def conv_net(seed=0, **conv):
    return saltus.Sequential(
        saltus.Input((2, 7, 6)),
        saltus.LIF(weight=saltus.Conv2d(NORMAL, channels=3, size=(3, 2), **conv), delay=1e-3),
        saltus.ALIF(weight=saltus.AvgPool2d(2, weight=30.0)),
        saltus.LI(3, saltus.Normal(0.2, 0.5)),
        seed=seed,
    )


def batch(net, samples=3):
    size = net._populations["in"][1]
    return {"in": random_batch(np.random.default_rng(4), samples, size, 150, 0.03)}


def dense(net, projection, size):
    """The weights of a projection as [pre, post]."""
    pre, post, weight = net.synapses(projection)
    matrix = np.zeros(size)
    np.add.at(matrix, (pre, post), net[f"{projection}.weight"].reshape(-1)[weight])
    return matrix


def test_a_layer_takes_its_size_from_its_connection_and_the_layer_below():
    net = conv_net()
    assert [net._populations[p][1] for p in net.populations] == [84, 3 * 5 * 5, 3 * 2 * 2, 3]
    assert net["in->hidden1.weight"].shape == (3, 2, 3, 2)
    assert net["hidden1->hidden2.weight"].shape == (1,)
    assert net["hidden1->hidden2.weight"] == 30 / 4
    sizes = {
        "an array": np.ones((4, 3)),
        "a list": [[1.0, 2.0, 3.0]] * 4,
        "masked": saltus.Masked(np.eye(4, 3)),
        "sparse": saltus.Sparse([1.0], [0], [0], (4, 3)),
    }
    for weight in sizes.values():
        net = saltus.Sequential(saltus.Input(4), saltus.LIF(weight=weight))
        assert net["out.tau_mem"].shape == ()
        assert net._populations["out"] == ("LIF", 3)
    sparse = pytest.importorskip("scipy.sparse")
    net = saltus.Sequential(saltus.Input(4), saltus.LIF(weight=sparse.csr_array(np.eye(4, 3))))
    assert net._populations["out"] == ("LIF", 3)


def test_an_input_has_a_shape():
    assert (saltus.Input(5).size, saltus.Input(5).shape) == (5, (5,))
    grid = saltus.Input([2, 3, 4], name="retina")
    assert (grid.size, grid.shape, grid.name) == (24, (2, 3, 4), "retina")
    assert grid == saltus.Input((2, 3, 4), "retina")


def test_it_is_the_net_made_by_hand():
    rng = np.random.default_rng(7)
    kernel = rng.normal(2.0, 1.0, (3, 2, 3, 2))
    net = saltus.Network()
    net.add_input("in", 84)
    net.add_population("hidden1", "LIF", 75)
    net.connect("in", "hidden1", saltus.Conv2d(kernel, (2, 7, 6)), 1e-3)
    net.add_population("hidden2", "ALIF", 12)
    pool = saltus.AvgPool2d(2, input_shape=(3, 5, 5), weight=30.0)
    net.connect("hidden1", "hidden2", pool)
    net.add_population("out", "LI", 3)
    net.connect("hidden2", "out", rng.normal(0.2, 0.5, (12, 3)))
    made = conv_net(seed=7)
    assert made == net
    a, b = (saltus.simulate(n, batch(n), 0.05) for n in (made, net))
    assert len(a.spikes("hidden2")) > 20
    np.testing.assert_array_equal(a.spikes("hidden2").times, b.spikes("hidden2").times)
    np.testing.assert_array_equal(a.maxima("out").values, b.maxima("out").values)


def test_what_is_given_need_not_be_found_out():
    net = saltus.Sequential(
        saltus.Input(84),
        saltus.LIF(75, saltus.Conv2d(NORMAL, (2, 7, 6), channels=3, size=(3, 2)), delay=1e-3),
        saltus.ALIF(12, saltus.AvgPool2d(2, input_shape=(3, 5, 5), weight=30.0)),
        saltus.LI(3, saltus.Normal(0.2, 0.5)),
    )
    assert net == conv_net()


@pytest.mark.parametrize(
    "slides",
    [
        {},
        {"stride": 2, "padding": 1},
        {"stride": (1, 3), "padding": (2, 0), "dilation": (2, 1)},
        {"padding": "valid"},
        {"padding": "same"},
        {"padding": "same", "dilation": (2, 3)},
    ],
)
def test_it_is_the_convolution_of_pytorch(slides):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(2)
    kernel, image = rng.normal(size=(3, 2, 3, 5)), rng.normal(size=(2, 9, 10))
    listed = saltus.Conv2d(kernel, image.shape, **slides)
    expected = torch.nn.functional.conv2d(torch.tensor(image), torch.tensor(kernel), **slides)
    assert listed.output_shape == tuple(expected.shape)
    net = saltus.Sequential(saltus.Input(image.shape), saltus.LIF(weight=listed, name="h"))
    found = image.reshape(-1) @ dense(net, "in->h", (image.size, expected.numel()))
    np.testing.assert_allclose(found, expected.numpy().reshape(-1), atol=1e-12)


@pytest.mark.parametrize(("size", "stride"), [(2, None), ((3, 2), None), (3, 2), (2, (3, 1))])
def test_it_is_the_pooling_of_pytorch_which_drops_the_remainder(size, stride):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    image = np.random.default_rng(2).normal(size=(2, 8, 9))
    expected = torch.nn.functional.avg_pool2d(torch.tensor(image), size, stride).numpy()
    average = saltus.AvgPool2d(size, stride, input_shape=image.shape)
    total = saltus.SumPool2d(size, stride, input_shape=image.shape)
    assert average.output_shape == total.output_shape == expected.shape
    for listed, factor in ((average, 1), (total, np.prod(np.broadcast_to(size, 2)))):
        net = saltus.Sequential(saltus.Input(image.shape), saltus.LIF(weight=listed))
        found = image.reshape(-1) @ dense(net, "in->out", (image.size, expected.size))
        np.testing.assert_allclose(found, factor * expected.reshape(-1), atol=1e-12)


def test_a_grid_goes_up_through_convolution_pooling_and_one_to_one():
    net = saltus.Sequential(
        saltus.Input((1, 8, 8)),
        saltus.LIF(weight=saltus.OneToOne(np.full(64, 9.0))),
        saltus.LIF(weight=saltus.SumPool2d(2)),
        saltus.LIF(weight=saltus.Conv2d(NORMAL, channels=2, size=3, padding="same")),
        saltus.LIF(weight=saltus.Conv2d(np.ones((3, 2, 2, 2)))),
    )
    assert [net._populations[p][1] for p in net.populations] == [64, 64, 16, 32, 27]


def test_a_layer_is_recurrent_by_any_connection():
    sparse = pytest.importorskip("scipy.sparse")
    weak = saltus.Normal(-0.1, 0.2)
    for weight, shape in (
        (saltus.Masked(-np.eye(18, k=1)), (17,)),
        (saltus.Sparse([-1.0, -2.0], [0, 1], [1, 0]), (2,)),
        (sparse.coo_array(-np.eye(18)), (18,)),
        (saltus.Conv2d(weak, channels=2, size=3, padding="same"), (2, 2, 3, 3)),
        (weak, (18, 18)),
    ):
        net = saltus.Sequential(
            saltus.Input((1, 3, 3)),
            saltus.LIF(
                weight=saltus.Conv2d(NORMAL, channels=2, size=3, padding="same"),
                recurrent=saltus.Recurrent(weight, delay=1e-3),
            ),
        )
        assert net["out->out.weight"].shape == shape
        assert len(saltus.simulate(net, batch(net), 0.04).spikes("out")) > 10


def test_its_gradients_are_central_differences():
    net = conv_net(stride=(2, 1), padding=(1, 0))
    report = saltus.gradcheck(net, batch(net, 2), 0.04, saltus.IntegratedVoltage(), [0, 1])
    assert report.passed, str(report)
    assert {"in->hidden1.weight", "hidden1->hidden2.weight"} <= {c.name for c in report.compared}


def test_it_is_saved_copied_and_pickled(tmp_path):
    net = conv_net()
    net.save(tmp_path / "net.safetensors")
    others = (
        saltus.load(tmp_path / "net.safetensors"),
        copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)),
    )
    assert all(other == net for other in others)
    layers = pickle.loads(
        pickle.dumps([saltus.Input((1, 4, 4)), saltus.LIF(weight=saltus.AvgPool2d(2))])
    )
    assert saltus.Sequential(*layers)._populations["out"] == ("LIF", 4)


def test_it_is_a_module_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    module = saltus.torch.EventProp(conv_net(), 0.05, "out.maxima", dtype=torch.float64)
    kernel = module.projections["in->hidden1"].weight
    assert kernel.shape == (3, 2, 3, 2)
    value = (module(batch(conv_net())) ** 2).sum()
    value.backward()
    record = saltus.simulate(conv_net(), batch(conv_net()), 0.05)
    errors = {"out": 2 * record.maxima("out").values}
    expected = saltus.backward(conv_net(), record, maximum_errors=errors)
    np.testing.assert_array_equal(kernel.grad.numpy(), expected["in->hidden1.weight"])
    assert np.abs(kernel.grad.numpy()).max() > 0
    assert module.network() == conv_net()


def test_it_learns_mnist():
    folder = data_folder("mnist")
    train = saltus.data.mnist(folder, "train")[:600]
    net = saltus.Sequential(
        saltus.Input((1, 28, 28)),
        saltus.LIF(weight=saltus.Conv2d(saltus.Normal(0.8, 1), channels=4, size=5, stride=2)),
        saltus.LIF(weight=saltus.AvgPool2d(2, weight=24.0)),
        saltus.LI(10, saltus.Normal(0.1, 0.1)),
    )
    loss = saltus.MaximumVoltage()
    saltus.fit(net, train, loss, np.inf, epochs=2, batch=10, optimizer=saltus.Adam(0.01))
    test = saltus.data.mnist(folder, "test")[:300]
    assert saltus.evaluate(net, test, loss, np.inf).accuracy > 0.65


def ones(*shape):
    return np.ones(shape)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: saltus.Conv2d(ones(1, 3, 2, 2), (1, 9, 9)), ValueError,
         r"kernel has 3 input channels .*; expected 1 as input_shape \(1, 9, 9\)"),
        (lambda: saltus.Conv2d(ones(1, 1, 9, 9), (1, 2, 2), padding=1), ValueError,
         r"kernel covers 9 x 9 \(y, x\), but input_shape \(1, 2, 2\) with padding \(1, 1\) has "
         "only 4 x 4; expected a smaller kernel or more padding"),
        (lambda: saltus.Conv2d(ones(1, 1, 3, 3), (1, 6, 6), dilation=3), ValueError,
         "kernel covers 7 x 7"),
        (lambda: saltus.Conv2d(ones(1, 1, 3, 3), (6, 6)), ValueError,
         r"input_shape is \(6, 6\); expected \(channels, y, x\), each at least 1"),
        (lambda: saltus.Conv2d(ones(1, 1, 3, 3), (1, 0, 6)), ValueError,
         r"input_shape is \(1, 0, 6\)"),
        (lambda: saltus.Conv2d(ones(1, 0, 3, 3), (1, 6, 6)), ValueError,
         r"kernel has shape \(1, 0, 3, 3\)"),
        (lambda: saltus.Conv2d(ones(1, 1, 3, 3), stride=(1, -1)), ValueError,
         r"stride is \(1, -1\); expected one number, or two \(y, x\), of at least 1"),
        (lambda: saltus.Conv2d(ones(1, 1, 3, 3), stride=1.5), TypeError, "stride: expected"),
        (lambda: saltus.Conv2d(ones(1, 1, 3, 3), dilation=0), ValueError, "dilation is 0"),
        (lambda: saltus.Conv2d(ones(1, 1, 3, 3), padding=-1), ValueError,
         "padding is -1; expected one number, or two .* of at least 0"),
        (lambda: saltus.Conv2d(ones(1, 1, 3, 3), padding="full"), ValueError,
         "padding is 'full'; expected numbers, 'same' or 'valid'"),
        (lambda: saltus.Conv2d(ones(1, 1, 3, 3), padding="same", stride=2), ValueError,
         r"padding is 'same', but stride is \(2, 2\); .* such as \(1, 1\)"),
        (lambda: saltus.Conv2d(ones(1, 1, 2, 3), padding="same"), ValueError,
         r"a kernel of 2 x 3 \(y, x\) would be padded unevenly; .* such as \(0, 1\)"),
        (lambda: saltus.Conv2d(NORMAL, size=3), TypeError, "channels: missing"),
        (lambda: saltus.Conv2d(NORMAL, channels=3), TypeError, "size: missing"),
        (lambda: saltus.Conv2d(NORMAL, channels=0, size=3), ValueError, "channels is 0"),
        (lambda: saltus.Conv2d(ones(1, 1, 3, 3), size=3), TypeError,
         "size is 3, but the kernel says it; leave size out"),
        (lambda: saltus.AvgPool2d((1, 4, 4), 2), ValueError,
         r"size is \(1, 4, 4\); expected one number, or two .* a grid is input_shape="),
        (lambda: saltus.AvgPool2d(2, weight=[1, 2]), ValueError,
         r"weight has shape \(2,\); expected one number"),
        (lambda: saltus.SumPool2d(5, input_shape=(1, 4, 9)), ValueError,
         r"size covers 5 x 5 \(y, x\), but input_shape \(1, 4, 9\) has only 4 x 9"),
        (lambda: saltus.Sparse([1.0], [0], [0], place=[1]), ValueError,
         r"place\[0\] is 1; expected 0 to 0 \(weight has 1 values\)"),
        (lambda: saltus.Sparse([1.0, 2.0], [0], [0], place=[0]), ValueError,
         "weight has 2 values, but place names none after the first 1"),
        (lambda: saltus.Sparse([1.0], [0], [0], place=[0, 0]), ValueError,
         r"place has shape \(2,\); expected \(1,\) \(as pre\)"),
        (lambda: saltus.Sparse([1.0], [0], [9], (5, 4)), ValueError,
         r"post\[0\] is 9; expected 0 to 3 \(shape is \(5, 4\)\)"),
        (lambda: saltus.Sparse([1.0], [0], [0], (5,)), ValueError,
         r"shape is \(5,\); expected two numbers"),
        (lambda: saltus.Sparse([1.0], [0], [0], 5), ValueError, r"shape is 5; expected two"),
        (lambda: saltus.Input((28, 28)), ValueError, r"size is \(28, 28\); expected \(channels"),
        (lambda: saltus.Input("a"), TypeError, "size: expected an integer; got str"),
        (lambda: saltus.LIF(3, tau=1e-2), TypeError,
         "LIF: there is no 'tau'; expected size, weight, delay, .*, tau_mem, .*, v_threshold"),
        (lambda: saltus.LIF(saltus.AvgPool2d(2)), TypeError,
         "size is <saltus.AvgPool2d.*>, a connection; expected it as weight="),
        (lambda: saltus.LIF(2.5, NORMAL), TypeError, "size: expected an integer; got float"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_when_it_is_made(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("below", "layer", "message"),
    [
        (9, saltus.LIF(weight=NORMAL), r"size is missing, and Normal\(.*\) does not say it"),
        (9, saltus.LIF(weight=saltus.Sparse([1.0], [0], [0])), "size is missing, and <saltus"),
        (9, saltus.LIF(weight=np.ones(9)), r"weight has shape \(9,\); expected \[pre, size\]"),
        (9, saltus.LIF(weight=np.ones((3, 2))), r"weight has shape \(3, 2\); expected \(9, 2\)"),
        (9, saltus.LIF(weight=saltus.AvgPool2d(2)),
         "input_shape of AvgPool2d is missing, and the layer below is no grid"),
        ((1, 4, 4), saltus.LIF(5, saltus.AvgPool2d(2)),
         "size is 5, but weight leads to 1 x 2 x 2 neurons; expected 4, or none"),
        ((1, 4, 4), saltus.LIF(weight=saltus.AvgPool2d(2, input_shape=(4, 2, 2))),
         r"input_shape of AvgPool2d is \(4, 2, 2\); expected \(1, 4, 4\)"),
        ((1, 4, 4), saltus.LIF(weight=saltus.Conv2d(np.ones((2, 3, 2, 2)))),
         "kernel has 3 input channels"),
        ((1, 4, 4), saltus.LIF(weight=saltus.AvgPool2d(5)), "size covers 5 x 5"),
        (9, saltus.LIF(weight=saltus.OneToOne(np.ones(3))), r"of \(3, 3\); expected \(9, 9\)"),
        ((1, 4, 4), saltus.LIF(weight=saltus.AvgPool2d(2), recurrent=saltus.Recurrent(
            saltus.Conv2d(NORMAL, channels=1, size=1, stride=2))),
         "recurrent: .*the target has 4 neurons; expected 1 x 1 x 1"),
    ],
)  # fmt: skip
def test_layers_that_do_not_fit_are_refused(below, layer, message):
    with pytest.raises(ValueError, match=f"layer 1: .*{message}"):
        saltus.Sequential(saltus.Input(below), layer)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (saltus.Conv2d(NORMAL, channels=1, size=1), "input_shape of Conv2d is missing"),
        (saltus.Conv2d(np.ones((1, 1, 1, 1))), "input_shape of Conv2d is missing"),
        (saltus.SumPool2d(1), "input_shape of SumPool2d is missing"),
    ],
)  # fmt: skip
def test_connect_needs_all_of_a_connection(weight, message):
    net = saltus.Network()
    net.add_input("in", 4)
    net.add_population("h", "LIF", 4)
    with pytest.raises(ValueError, match=message):
        net.connect("in", "h", weight)
    assert net.projections == ()


def drawn_by_hand(shape, rng):
    return rng.uniform(1, 2, shape)


def test_every_parameter_can_be_drawn():
    net = saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(
            40,
            drawn_by_hand,
            delay=saltus.Uniform(1e-3, 5e-3),
            tau_mem=saltus.Normal(20e-3, 1e-3),
            v_threshold=lambda shape, rng: np.arange(1.0, 1 + shape[0]),
            recurrent=saltus.Recurrent(saltus.Normal(0, 0.1), delay=saltus.Uniform(1e-3, 2e-3)),
        ),
        saltus.LI(3, bias=saltus.Uniform(-0.1, 0.1)),
        seed=3,
    )
    rng = np.random.default_rng(3)
    expected = {
        "in->hidden.weight": rng.uniform(1, 2, (5, 40)),
        "hidden.tau_mem": rng.normal(20e-3, 1e-3, 40),
        "hidden.v_threshold": np.arange(1.0, 41),
        "in->hidden.delay": rng.uniform(1e-3, 5e-3, (5, 40)),
        "hidden->hidden.weight": rng.normal(0, 0.1, (40, 40)),
        "hidden->hidden.delay": rng.uniform(1e-3, 2e-3, (40, 40)),
        "hidden->out.weight": rng.normal(16 / 40, 4 / np.sqrt(40), (40, 3)),
        "out.bias": rng.uniform(-0.1, 0.1, 3),
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(net[name], values, err_msg=name)


def test_delays_are_drawn_for_each_synapse_of_a_list():
    grid = saltus.Sequential(
        saltus.Input((1, 6, 6)),
        saltus.LIF(
            weight=saltus.Conv2d(drawn_by_hand, channels=2, size=3),
            delay=saltus.Uniform(1e-3, 2e-3),
        ),
    )
    delays = grid["in->out.delay"]
    assert grid["in->out.weight"].shape == (2, 1, 3, 3)
    assert delays.size == len(grid.synapses("in->out")[0]) == 2 * 16 * 9
    assert len(np.unique(delays)) == delays.size


def test_a_network_draws_what_connect_is_not_told():
    nets = []
    for seed in (0, 0, 1):
        net = saltus.Network(seed=seed)
        net.add_input("in", 700)
        net.add_population("h", "LIF", 200, tau_syn=saltus.Uniform(4e-3, 6e-3))
        net.add_population("out", "LI", 20)
        net.connect("in", "h")
        net.connect("h", "out", delay=saltus.Uniform(0, 1e-3))
        nets.append(net)
    assert nets[0] == nets[1] != nets[2]
    weight = nets[0]["in->h.weight"]
    assert weight.sum(0).mean() == pytest.approx(16, rel=0.05)
    assert weight.sum(0).std() == pytest.approx(4, rel=0.2)
    for other in (nets[0].copy(), pickle.loads(pickle.dumps(nets[0]))):  # they draw on alike
        fresh = copy.deepcopy(nets[0])
        for net in (fresh, other):
            net.connect("h", "h", name="more")
        np.testing.assert_array_equal(fresh["more.weight"], other["more.weight"])


def test_layers_start_with_spikes_whatever_their_size():
    rng = np.random.default_rng(0)
    for channels in (20, 700):
        net = saltus.Sequential(saltus.Input(channels), saltus.LIF(100), saltus.LIF(10))
        # Each channel once in 50 ms.
        batch = [(np.sort(rng.uniform(0, 0.05, channels)), rng.permutation(channels))] * 1
        record = saltus.simulate(net, {"in": batch}, 0.05)
        assert 50 < len(record.spikes("hidden")) < 500
        factors = saltus.scale_weights(net, {"in": batch}, 0.05, spikes=3.0)
        assert set(factors) == {"in->hidden"}
        found = len(saltus.simulate(net, {"in": batch}, 0.05).spikes("hidden")) / 100
        assert found == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: saltus.Uniform(2, 1), ValueError, r"high is 1; expected at least low, 2"),
        (lambda: saltus.Uniform(np.nan, 1), ValueError, "low is nan; expected a finite number"),
        (lambda: saltus.Normal(0, -1), ValueError, r"std is -1.0; expected .* at least 0"),
        (lambda: saltus.FanIn("a"), TypeError, "mean: expected a number; got str"),
        (lambda: saltus.LIF(3, 1.0, recurrant=1), TypeError,
         "LIF: there is no 'recurrant'; expected size, weight, delay, recurrent, name"),
        (lambda: saltus.Sequential(saltus.Input(2), saltus.LIF(3, tau_mem=lambda s, r: [1e-2])),
         ValueError, r"layer 1: tau_mem, drawn by .*, has shape \(1,\); expected \(3,\)"),
        (lambda: saltus.Sequential(saltus.Input(2), saltus.LI(3, tau_mem=saltus.Uniform(-1, -1))),
         ValueError, r"layer 1: out.tau_mem\[0\] is -1"),
        (lambda: saltus.Sequential(saltus.Input(2), saltus.LI(3, bias=saltus.FanIn())),
         ValueError, r"FanIn\(mean=16.0, std=4.0\): weights have shape \(3,\)"),
        (lambda: saltus.Sequential(saltus.Input(2), saltus.LI(3, tau_rise=1e-3)), ValueError,
         "layer 1: tau_rise: LI has no such parameter; there are: tau_mem, tau_syn"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_layer_shows_what_it_was_given():
    assert repr(saltus.LIF(3)) == "LIF(size=3)"
    shown = repr(saltus.ALIF(3, np.ones((2, 3)), beta=0.1, tau_mem=saltus.Uniform(1, 2)))
    assert shown == "ALIF(size=3, weight=(2, 3), tau_mem=Uniform(low=1, high=2), beta=0.1)"
    assert "v_threshold" in inspect.signature(saltus.LIF).parameters
    assert "v_threshold" not in inspect.signature(saltus.LI).parameters


def test_weights_of_listed_synapses_are_drawn():
    mask = np.eye(4, dtype=bool)
    net = saltus.Network(seed=5)
    net.add_input("in", 4)
    net.add_population("h", "LIF", 4)
    net.connect("in", "h", saltus.Sparse(NORMAL, [0, 1, 3], [1, 1, 2]), name="sparse")
    net.connect("in", "h", saltus.Sparse(NORMAL, [0, 1], [1, 2], place=[0, 0]), name="shared")
    net.connect("in", "h", saltus.Masked(saltus.Uniform(1, 2), mask), name="masked")
    conv = saltus.Conv2d(NORMAL, (1, 2, 2), channels=1, size=1)
    net.connect("in", "h", conv, name="conv")
    rng = np.random.default_rng(5)
    for name, values in {
        "sparse": rng.normal(2, 1, 3),
        "shared": rng.normal(2, 1, 1),
        "masked": rng.uniform(1, 2, 4),
        "conv": rng.normal(2, 1, (1, 1, 1, 1)),
    }.items():
        np.testing.assert_array_equal(net[f"{name}.weight"], values, err_msg=name)
    layered = saltus.Sequential(
        saltus.Input(4), saltus.LIF(weight=saltus.Masked(NORMAL, mask)), seed=5
    )
    np.testing.assert_array_equal(
        layered["in->out.weight"], np.random.default_rng(5).normal(2, 1, 4)
    )
    with pytest.raises(ValueError, match=r"FanIn.*: weights have shape \(3,\)"):
        net.connect("in", "h", saltus.Sparse(saltus.FanIn(), [0, 1, 3], [1, 1, 2]), name="no")
