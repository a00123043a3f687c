# SPDX-License-Identifier: Apache-2.0
"""saltus.torch: gradients against differences and against the core, and how it lives in PyTorch."""

import copy
import functools
import gc
import pickle
import socket

import numpy as np
import pytest
import saltus

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import saltus.torch as st  # noqa: E402
from saltus._torch_state import values_of  # noqa: E402
from torch.nn.utils import prune  # noqa: E402

from .networks import random_batch, recurrent_net  # noqa: E402

T_END = 0.05
OUTPUTS = ("hidden.spikes", "out.maxima", "out.integrals", "out.voltages")
AT = [0.012, 0.031]


def as_spikes(batch, grad=False):
    times, neurons, offsets = batch
    return st.Spikes(
        torch.tensor(times, dtype=torch.float64, requires_grad=grad),
        torch.tensor(neurons, dtype=torch.int64),
        torch.tensor(offsets, dtype=torch.int64),
    )


def module(output=OUTPUTS, dtype=torch.float64, seed=0, **options):
    if "out.voltages" in output:
        options.setdefault("at", AT)
    options.setdefault("trainable", ("weights", "delays", "neurons"))
    return st.EventProp(recurrent_net(seed), T_END, output, dtype=dtype, **options)


def scaled(outputs):
    """All outputs as one vector of numbers near 1: times in ms, integrals in ms."""
    return torch.cat(
        [
            1e3 * outputs["hidden.spikes"].times,
            outputs["out.maxima"].reshape(-1),
            1e3 * outputs["out.integrals"].reshape(-1),
            outputs["out.voltages"].reshape(-1),
        ]
    )


@pytest.mark.parametrize("seed", [0, 3])
def test_gradcheck_passes_for_every_parameter_of_a_recurrent_delayed_network(seed):
    net = module(seed=seed)
    batch = as_spikes(random_batch(np.random.default_rng(seed + 1)), grad=True)
    names = [name for name, _ in net.named_parameters()]
    assert len(names) == 8 + 5 + 6
    assert len(net(batch)["hidden.spikes"].times) > 15

    # Times differ by 1e-7 s, other numbers by 1e-6: each well below its scale.
    def run(unit, *values):
        parameters = dict(zip(names, values[1:], strict=True))
        inputs = batch._replace(times=unit * values[0])
        parameters = {
            n: p * unit if ("tau" in n or "delay" in n) else p for n, p in parameters.items()
        }
        return scaled(torch.func.functional_call(net, parameters, (inputs,)))

    values = [batch.times.detach() * 10]
    for name, p in net.named_parameters():
        values.append(p.detach() * (10 if "tau" in name or "delay" in name else 1))
    values = [v.clone().requires_grad_() for v in values]
    assert torch.autograd.gradcheck(
        functools.partial(run, 0.1), values, eps=1e-6, atol=1e-6, rtol=1e-5
    )


def test_gradients_are_those_of_the_core():
    net = module("out.maxima")
    batch = random_batch(np.random.default_rng(2))
    spikes = as_spikes(batch, grad=True)
    net(spikes).sum().backward()
    record = saltus.simulate(recurrent_net(), {"in": batch}, T_END)
    expected = saltus.backward(recurrent_net(), record, maximum_errors={"out": np.ones((3, 2))})
    for name in recurrent_net():
        assert np.array_equal(net._parameter(name).grad.numpy(), expected[name]), name
    assert np.array_equal(spikes.times.grad.numpy(), expected["in.times"])


def test_only_what_requires_a_gradient_gets_one():
    net = module("out.maxima", trainable=["hidden->hidden.weight", "hidden.tau_mem"])
    net(random_batch(np.random.default_rng(0))).sum().backward()
    have = {name for name, p in net.named_parameters() if p.grad is not None}
    assert have == {"projections.hidden->hidden.weight", "populations.hidden.tau_mem"}


def test_state_dict_carries_a_network_to_another_module():
    a, b = module("out.maxima", seed=0), module("out.maxima", seed=5)
    batch = random_batch(np.random.default_rng(0))
    assert not torch.equal(a(batch), b(batch))
    b.load_state_dict(a.state_dict())
    assert torch.equal(a(batch), b(batch))
    assert b.network() == recurrent_net(0)


def test_it_trains_with_a_torch_optimizer_scheduler_and_a_model_behind_it():
    torch.manual_seed(0)
    data = saltus.data.yin_yang(n=256)
    net = saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(60, saltus.Normal(1.5, 0.78)),
        saltus.LI(20, saltus.Normal(0, 0.5)),
    )
    model = torch.nn.Sequential(st.EventProp(net, np.inf, "out.maxima"), torch.nn.Linear(20, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)
    labels = torch.tensor(data.labels, dtype=torch.int64)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(data.spikes), labels)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]


def test_spike_times_flow_from_one_module_into_another():
    net = saltus.Sequential(saltus.Input(4), saltus.LIF(4, saltus.Normal(4, 1)), seed=1)
    first = st.EventProp(net, T_END, "out.spikes", dtype=torch.float64)
    second = st.EventProp(net, T_END, "out.spikes", dtype=torch.float64)
    middle = first(random_batch(np.random.default_rng(0)))
    second(middle).times.sum().backward()
    assert first.projections["in->out"].weight.grad.abs().sum() > 0


def test_padded_and_back_and_first():
    batch = as_spikes(([1e-3, 2e-3, 4e-3], [1, 0, 1], [0, 2, 2, 3]), grad=True)
    times, neurons = batch.padded()
    assert times.tolist() == [[1e-3, 2e-3], [np.inf, np.inf], [4e-3, np.inf]]
    assert neurons.tolist() == [[1, 0], [-1, -1], [1, -1]]
    again = st.from_padded(times.flip(1), neurons.flip(1))
    for a, b in zip(again, batch, strict=True):
        assert torch.equal(a, b)
    again.times.sum().backward()
    assert batch.times.grad.tolist() == [1, 1, 1]
    first = batch.first(2, missing=9.0)
    assert first.tolist() == [[2e-3, 1e-3], [9, 9], [9, 4e-3]]
    with pytest.raises(ValueError, match="expected the same"):
        st.from_padded(times, neurons[:, :1])


def test_silent_and_empty_batches_give_zero_gradients():
    net = module(OUTPUTS)
    net.populations["hidden"].bias.data.zero_()
    net.populations["hidden"].i_initial.data.zero_()
    out = net(([], [], [0, 0]))
    assert len(out["hidden.spikes"].times) == 0
    scaled(out).sum().backward()
    assert torch.all(net.projections["hidden->hidden"].weight.grad == 0)
    assert net(([], [], [0]))["out.maxima"].shape == (0, 2)


def test_float32_weights_keep_float64_times():
    net = module(OUTPUTS, dtype=torch.float32)
    out = net(random_batch(np.random.default_rng(0)))
    assert out["out.maxima"].dtype == torch.float32
    assert out["hidden.spikes"].times.dtype == torch.float64
    scaled(dict(out.items())).sum().backward()
    assert net.projections["in->hidden"].weight.grad.dtype == torch.float32
    assert net.projections["in->hidden"].delay.grad.dtype == torch.float64


def test_the_type_of_the_weights_is_that_of_the_simulation():
    batch = random_batch(np.random.default_rng(0))
    exact = module("out.maxima")(batch)
    single = module("out.maxima", torch.float32)
    assert single(batch).dtype == torch.float32
    found = module("out.maxima", torch.float32).double()(batch)
    assert found.dtype == torch.float64
    assert torch.allclose(found, exact, rtol=1e-6)
    assert torch.equal(single.double()(batch), found)
    assert "dtype=torch.float64" in single.extra_repr()
    assert torch.equal(module("out.maxima").float()(batch), single.float()(batch))


def test_the_times_of_voltages_are_those_that_were_given():
    at, batch = np.array(AT), random_batch(np.random.default_rng(0))
    net = module("out.voltages", at=at)
    before = net(batch)
    at[:] += 1e-3
    assert torch.equal(net(batch), before)


def test_two_forward_passes_before_a_backward_pass_do_not_mix():
    net = module("out.maxima")
    batches = [random_batch(np.random.default_rng(k)) for k in (0, 1)]
    separate = []
    for batch in batches:
        net.zero_grad()
        net(batch).sum().backward()
        separate.append(net.projections["in->hidden"].weight.grad.clone())
    net.zero_grad()
    (net(batches[0]).sum() + net(batches[1]).sum()).backward()
    assert torch.allclose(net.projections["in->hidden"].weight.grad, sum(separate), rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output": "nowhere.maxima"}, "output is 'nowhere.maxima'"),
        ({"output": "out.spikes"}, "'out' is LI; expected LIF"),
        ({"output": "hidden.maxima"}, "'hidden' is LIF; expected LI"),
        ({"output": "out.voltages", "at": None}, "at: expected times"),
        ({"output": "out.maxima", "at": [0.0]}, "at: expected times with"),
        ({"output": "out.maxima", "trainable": ["weight"]}, "trainable names 'weight'"),
        ({"output": "out.maxima", "dtype": torch.float16}, "dtype is torch.float16"),
    ],
)
def test_wrong_arguments_are_refused_when_it_is_built(arguments, message):
    with pytest.raises(ValueError, match=message):
        module(**arguments)


def _worker(rank, port, batches, results):
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    net = torch.nn.parallel.DistributedDataParallel(module("out.maxima", threads=1))
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-6)
    for batch in batches:
        half = saltus.data.labelled_spikes(batch, [0] * 4, 4)[rank * 2 : rank * 2 + 2]
        optimizer.zero_grad()
        net(half.spikes).mean().backward()
        optimizer.step()
    if rank == 0:
        results.update({n: p.detach().numpy().copy() for n, p in net.module.named_parameters()})
    # Neither leaves before the other: else threads of the group may be left, and abort the process.
    torch.distributed.barrier()
    del net, optimizer
    gc.collect()
    torch.distributed.destroy_process_group()


def test_two_processes_train_to_what_one_trains_to():
    batches = [random_batch(np.random.default_rng(k), samples=4) for k in range(3)]
    alone = module("out.maxima", threads=1)
    start = {n: p.detach().numpy().copy() for n, p in alone.named_parameters()}
    optimizer = torch.optim.SGD(alone.parameters(), lr=1e-6)
    for batch in batches:
        optimizer.zero_grad()
        alone(batch).mean().backward()
        optimizer.step()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with torch.multiprocessing.get_context("spawn").Manager() as manager:
        results = manager.dict()
        torch.multiprocessing.spawn(_worker, (port, batches, results), nprocs=2)
        results = dict(results)
    moved = 0
    for name, p in alone.named_parameters():
        step = np.abs(p.detach().numpy() - start[name]).max()
        moved += step > 0
        assert np.abs(results[name] - p.detach().numpy()).max() <= 1e-9 * step + 1e-16, name
    assert moved > 10


def test_names_that_pytorch_does_not_take_are_kept():
    names = ["lif1.lif", "values", "pop", "a%2Eb", "a.b", "training", "_modules", "lif1%2Elif"]
    net = saltus.Network()
    net.add_input("in.put", 2)
    for k, name in enumerate(names):
        net.add_population(name, "LI", 2, bias=0.1 * k)
        net.connect("in.put", name, np.full((2, 2), k + 1.0))
    net.connect("in.put", "pop", np.full((2, 2), 9.0), 1e-3, name="values")
    outputs = [f"{name}.maxima" for name in names]
    one = st.EventProp(net, T_END, outputs, dtype=torch.float64, trainable=("weights", "neurons"))
    assert one.network() == net
    assert list(one.populations) == list(one.populations.keys()) == names
    for k, (name, owner) in enumerate(one.populations.items()):
        assert name in one.populations
        assert owner is one.populations[name]
        assert owner.bias.item() == pytest.approx(0.1 * k)
    assert one.projections["in.put->a.b"].weight[0, 0] == 5
    assert one.projections["values"].delay.item() == 1e-3  # a projection, not the population
    assert not hasattr(one.populations["values"], "weight")
    batch = ([1e-3, 2e-3], [0, 1], [0, 2])
    found = one(batch)
    sum(x.sum() for x in found.values()).backward()
    assert all(one.populations[name].bias.grad is not None for name in names)
    other = st.EventProp(net, T_END, outputs, dtype=torch.float64)
    with torch.no_grad():
        for p in other.parameters():
            p.mul_(0.5)
    assert other.network() != net
    other.load_state_dict(one.state_dict())
    assert other.network() == net
    del other.populations["values"]
    assert "values" not in other.populations
    assert "%76alues" not in other.state_dict()


def test_a_run_in_chunks():
    """Gradients flow back through the state, unless it is detached."""
    rng = np.random.default_rng(1)
    net = saltus.Network()
    net.add_input("in", 5)
    net.add_population("h", "LIF", 8, tau_ref=2e-3)
    net.add_population("out", "LI", 2)
    net.connect("in", "h", rng.normal(1, 1, (5, 8)), delay=3e-3)
    net.connect("h", "out", rng.normal(0, 1, (8, 2)))
    times = np.sort(rng.uniform(0, 0.04, 60))
    neurons = rng.integers(0, 5, 60)
    early = times < 0.02

    def gradient(detach):
        module = saltus.torch.EventProp(net, 0.02, "out.integrals", dtype=torch.float64)
        first, state = module([(times[early], neurons[early])], keep_state=True)
        assert len(state.values["in.times"]) > 0
        if detach:
            state = state.detach()
        second = module([(times[~early] - 0.02, neurons[~early])], state)
        ((first + second) ** 2).sum().backward()
        return module.projections["in->h"].weight.grad.numpy()

    whole = saltus.torch.EventProp(net, 0.04, "out.integrals", dtype=torch.float64)
    (whole([(times, neurons)]) ** 2).sum().backward()
    expected = whole.projections["in->h"].weight.grad.numpy()
    assert gradient(False) == pytest.approx(expected, rel=1e-8, abs=1e-14)
    assert np.abs(gradient(True) - expected).max() > 1e-3 * np.abs(expected).max()
    with pytest.raises(TypeError, match=r"state: expected a saltus\.torch\.State; got int"):
        whole([(times, neurons)], 3)


def test_a_run_starts_where_the_values_of_the_state_say():
    """A start can be learned: what has a gradient acts."""
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("out", "LI", 1)
    net.connect("in", "out", [[1.0]], delay=5e-3)
    module = saltus.torch.EventProp(net, 0.02, "out.integrals", dtype=torch.float64)
    _, state = module([([18e-3], [0])], keep_state=True)
    start = {key: value.detach().requires_grad_() for key, value in state.values.items()}
    silent = [([], [])]

    def integral(values):
        return module(silent, saltus.torch.State(values, state.core))

    integral(start).sum().backward()
    for key in ("out.V", "out.I", "in.times"):
        moved = [integral({**start, key: start[key].detach() + step}) for step in (1e-6, -1e-6)]
        measured = float((moved[0] - moved[1]).detach().sum()) / 2e-6
        assert abs(measured) > 1e-4
        assert float(start[key].grad.sum()) == pytest.approx(measured, rel=1e-6), key
    with pytest.raises(ValueError, match=r"state\.values lacks 'out\.V'; expected 'in\.times'"):
        integral({key: value for key, value in start.items() if key != "out.V"})
    with pytest.raises(ValueError, match=r"state\.values has 'x\.V'"):
        integral({**start, "x.V": start["out.V"]})


def compiled_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(module("out.maxima"), torch.nn.Linear(2, 3).double())


def test_a_compiled_model_gives_the_bits_of_the_eager_one():
    batch = random_batch(np.random.default_rng(0))
    found = []
    for model in (compiled_model(), torch.compile(compiled_model(), backend="aot_eager")):
        value = model(batch)
        value.square().sum().backward()
        found.append([value.detach(), *(p.grad for p in model.parameters())])
    assert len(found[0]) > 10
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_gradients_by_torch_func_are_those_of_autograd():
    net, batch = module("out.maxima"), random_batch(np.random.default_rng(0))
    values = {name: p.detach() for name, p in net.named_parameters()}

    def run(values):
        return torch.func.functional_call(net, values, (batch,))

    found = torch.func.grad(lambda v: run(v).square().sum())(values)
    net(batch).square().sum().backward()
    for name, p in net.named_parameters():
        assert torch.equal(found[name], p.grad), name
    rows = torch.func.jacrev(run)(values)["projections.in->hidden.weight"]
    for sample, neuron in ((0, 0), (2, 1)):
        net.zero_grad()
        net(batch)[sample, neuron].backward()
        expected = net.projections["in->hidden"].weight.grad
        assert torch.equal(rows[sample, neuron], expected)
        assert expected.abs().sum() > 0


def test_gradients_by_torch_func_of_input_times():
    net, batch = module("out.maxima"), as_spikes(random_batch(np.random.default_rng(0)))
    found = torch.func.grad(lambda times: net(batch._replace(times=times)).sum())(batch.times)
    times = batch.times.clone().requires_grad_()
    net(batch._replace(times=times)).sum().backward()
    assert torch.equal(found, times.grad)
    assert found.abs().sum() > 0


def test_what_torch_func_cannot_do_is_one_clear_error():
    net, batch = module("out.maxima"), random_batch(np.random.default_rng(0))
    name = "projections.in->hidden.weight"
    weight = dict(net.named_parameters())[name].detach()

    def run(w):
        return torch.func.functional_call(net, {name: w}, (batch,)).sum()

    with pytest.raises(TypeError, match=r"EventProp: torch\.func\.vmap cannot go through it"):
        torch.func.vmap(run)(torch.stack([weight, weight]))
    with pytest.raises(RuntimeError, match="EventProp: a gradient of a gradient"):
        torch.func.grad(lambda w: torch.func.grad(run)(w).sum())(weight)
    (first,) = torch.autograd.grad(
        net(batch).sum(), [net.projections["in->hidden"].weight], create_graph=True
    )
    with pytest.raises(RuntimeError, match="EventProp: a gradient of a gradient"):
        first.sum().backward()


def test_a_pruned_weight_stays_0_and_the_others_train():
    net, batch = (
        module("out.maxima", torch.float32, trainable="weights"),
        random_batch(np.random.default_rng(0)),
    )
    owner = net.projections["in->hidden"]
    prune.random_unstructured(owner, "weight", 0.5)
    kept = owner.weight_mask.bool()
    before = owner.weight_orig.detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    for _ in range(2):
        optimizer.zero_grad()
        net(batch).sum().backward()
        assert torch.all(owner.weight_orig.grad[~kept] == 0)
        optimizer.step()
    now = torch.from_numpy(net.network()["in->hidden.weight"]).float()
    assert torch.all(now[~kept] == 0)
    assert torch.equal(now[kept], owner.weight_orig.detach()[kept])
    assert torch.any(now[kept] != before[kept])


def test_a_type_that_the_core_does_not_know_is_refused_and_changes_nothing():
    net = module("out.maxima")
    for change in (net.half, net.bfloat16, lambda: net.to(torch.float16)):
        with pytest.raises(ValueError, match="the core of Saltus runs with"):
            change()
    assert {p.dtype for p in net.parameters()} == {torch.float64}
    # To the CPU, and every device that there is, it may go; the rest of a model goes along.
    assert torch.nn.Sequential(net, torch.nn.Linear(2, 1)).to("cpu")[0] is net


def partly_silent(output, dtype=torch.float64, **options):
    net = module(output, dtype, **options)
    with torch.no_grad():
        for name in ("in->hidden", "hidden->hidden"):
            net.projections[name].weight[:, :2] = -9
    return net


def test_first_spikes_have_the_type_of_the_module_and_a_finite_end():
    batch = random_batch(np.random.default_rng(0))
    net = partly_silent("hidden.first_spikes", torch.float32)
    found = net(batch)
    spikes = net.record.spikes("hidden")
    size = found.shape[1]
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.from_numpy(spikes.first(size, T_END)).float())
    silent = spikes.counts(size) == 0
    assert 0 < silent.sum() < silent.size
    assert torch.all(partly_silent("hidden.first_spikes", missing=0.2)(batch)[silent] == 0.2)

    exact = partly_silent("hidden.first_spikes")
    exact(batch).square().sum().backward()
    by_hand = partly_silent("hidden.spikes")
    first = by_hand(batch).first(size, T_END, torch.float64)
    first.square().sum().backward()
    for (name, a), b in zip(exact.named_parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad), name
    with pytest.raises(ValueError, match="missing is None and t_end inf; expected a finite time"):
        st.EventProp(recurrent_net(), np.inf, "hidden.first_spikes")
    with pytest.raises(ValueError, match=r"missing is 0\.1, but no output is of first spikes"):
        module("hidden.spikes", missing=0.1)


def test_errors_of_spikes_and_of_first_spikes_add_up():
    batch = random_batch(np.random.default_rng(0))
    both = module(("hidden.spikes", "hidden.first_spikes"))
    out = both(batch)
    (out["hidden.spikes"].times.sum() + out["hidden.first_spikes"].sum()).backward()
    single = module("hidden.spikes")
    spikes = single(batch)
    (spikes.times.sum() + spikes.first(out["hidden.first_spikes"].shape[1], T_END).sum()).backward()
    assert torch.equal(
        both.projections["in->hidden"].weight.grad, single.projections["in->hidden"].weight.grad
    )


def test_the_record_of_the_last_call_is_at_hand_and_is_not_pickled():
    net, batch = module("out.maxima"), random_batch(np.random.default_rng(0))
    with pytest.raises(ValueError, match="no record before the first call"):
        _ = net.record
    value = net(batch)
    assert np.array_equal(net.record.maxima("out").values, value.detach().numpy())
    again = pickle.loads(pickle.dumps(net))
    with pytest.raises(ValueError, match="no record"):
        _ = again.record
    assert torch.equal(again(batch), value)
    assert torch.equal(copy.deepcopy(net)(batch), value)


def test_a_loader_gives_minibatches():
    data = saltus.data.yin_yang(n=10)
    loader = torch.utils.data.DataLoader(data, batch_size=4, collate_fn=st.collate)
    parts = list(loader)
    assert [len(labels) for _, labels in parts] == [4, 4, 2]
    assert torch.cat([labels for _, labels in parts]).tolist() == data.labels.tolist()
    spikes, labels = parts[1]
    assert np.array_equal(spikes.times.numpy(), data[4:8].times)
    assert np.array_equal(spikes.neurons.numpy(), data[4:8].neurons)
    assert spikes.neurons.dtype == spikes.offsets.dtype == labels.dtype == torch.int64
    events = np.array([(1500, 2), (2500, 0)], [("t", np.int64), ("x", np.int64)])
    spikes, labels = st.collate([(events, 1), (events[:1], 0)])
    assert spikes.times.tolist() == [1.5e-3, 2.5e-3, 1.5e-3]
    assert spikes.offsets.tolist() == [0, 2, 3]
    assert labels.tolist() == [1, 0]
    with pytest.raises(ValueError, match="samples is empty"):
        st.collate([])
    with pytest.raises(TypeError, match=r"samples\[1\]: expected .*; got a tuple of 1"):
        st.collate([(events, 1), (events,)])


def test_a_state_of_some_samples():
    net = module("out.integrals")
    batch = as_spikes(random_batch(np.random.default_rng(0)))
    _, state = net(batch, keep_state=True)
    assert len(state.values["in.times"]) + len(state.values["hidden.times"]) > 0
    chosen = state.take([2, 0, 2])
    assert chosen.core.samples == 3
    for name, values in values_of(chosen.core).items():
        assert np.array_equal(chosen.values[name].detach().numpy(), values), name
    silent = [([], [])] * 3
    assert torch.equal(net(silent, chosen), net(silent, state)[[2, 0, 2]])
    chosen.values["hidden.V"].sum().backward()
    assert net.projections["in->hidden"].weight.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="samples: 3 is none of the 3 samples"):
        state.take([3])


def net_of_two_inputs():
    net = saltus.Network(seed=1)
    for name, size in (("a", 2), ("b", 3)):
        net.add_input(name, size)
    net.add_population("out", "LI", 2)
    net.connect("a", "out")
    net.connect("b", "out")
    return net


def test_a_data_set_feeds_several_inputs():
    net = net_of_two_inputs()
    data = saltus.data.yin_yang(n=6)
    found = st.EventProp(net, T_END, "out.maxima", dtype=torch.float64)(data)
    expected = saltus.simulate(net, data, T_END).maxima("out").values
    assert np.array_equal(found.detach().numpy(), expected)
    with pytest.raises(TypeError, match="the network has 2 inputs; expected a dict"):
        st.EventProp(net, T_END, "out.maxima")(data.spikes)


@pytest.mark.parametrize("output", [[], ["out.maxima", "out.maxima"]])
def test_outputs_are_some_and_each_once(output):
    net = saltus.Sequential(saltus.Input(5), saltus.LIF(4), saltus.LI(3))
    with pytest.raises(ValueError, match=r"output is .*each once"):
        st.EventProp(net, 0.06, output)


def test_a_size_holds_all_neurons_that_spike():
    batch = as_spikes(([1e-3, 2e-3, 4e-3], [1, 0, 3], [0, 2, 3]))
    assert batch.first(4).shape == (2, 4)
    with pytest.raises(ValueError, match="size is 3, but neuron 3 spikes"):
        batch.first(3)


@pytest.mark.parametrize(
    ("times", "neurons", "says"),
    [
        ([np.nan, 1e-3], [0, 1], "times holds nan"),
        ([-np.inf, 1e-3], [0, 1], "times holds -inf"),
        ([2e-3, 1e-3], [0, -2], "neurons holds -2"),
    ],
)
def test_padding_is_infinite_or_minus_one(times, neurons, says):
    with pytest.raises(ValueError, match=says):
        st.from_padded(torch.tensor([times]), torch.tensor([neurons]))


@pytest.mark.parametrize("channel", [7, -3])
def test_a_channel_of_no_input_is_refused(channel):
    net = net_of_two_inputs()
    data = saltus.data.yin_yang(n=2)
    data.neurons[1] = channel
    with pytest.raises(ValueError, match=rf"inputs\.neurons\[1\] is {channel}"):
        st.EventProp(net, T_END, "out.maxima")(data)
