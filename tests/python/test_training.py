# SPDX-License-Identifier: Apache-2.0
"""Layers, losses, optimisers, fit, saving: what they do, and what they refuse."""

import contextlib
import dataclasses
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import saltus
from hypothesis import given, settings
from hypothesis import strategies as st

from .networks import random_batch, recurrent_net

DATA = saltus.data.yin_yang(n=300)


def yin_yang_net(seed=0, out=saltus.LIF):
    return saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(40, saltus.Normal(1.5, 0.78)),
        out(3, saltus.Normal(3, 0.5)),
        seed=seed,
    )


def fit(net, loss, **options):
    defaults = {"epochs": 2, "progress": False, "dtype": np.float64}
    return saltus.fit(net, DATA, loss, np.inf, **(defaults | options))


def written_out(loss):
    """The same loss as a function of a record and labels."""

    def function(record, labels):
        return loss(record, labels)

    return function


# --- layers --------------------------------------------------------------------------------------


def test_sequential_is_the_network_that_its_layers_say():
    weight = np.ones((3, 2))
    net = saltus.Sequential(
        saltus.Input(4, name="pixels"),
        saltus.LIF(3, saltus.Normal(0, 1), delay=1e-3, tau_mem=10e-3),
        saltus.LIF(2, weight, recurrent=saltus.Recurrent(np.eye(2), [1e-3, 2e-3])),
        saltus.LI(2, saltus.Normal(2, 0), tau_syn=[1e-3, 2e-3]),
        seed=3,
    )
    assert net.populations == ("pixels", "hidden1", "hidden2", "out")
    assert net.projections == (
        "pixels->hidden1", "hidden1->hidden2", "hidden2->hidden2", "hidden2->out",
    )  # fmt: skip
    assert net["hidden1.tau_mem"] == 10e-3
    assert net["pixels->hidden1.delay"] == 1e-3
    assert np.array_equal(net["hidden1->hidden2.weight"], weight)
    assert np.array_equal(net["hidden2->out.weight"], np.full((2, 2), 2.0))
    assert "hidden1" in str(net)
    assert "4 x 3" in str(net)


def test_a_seed_gives_the_same_first_weights():
    assert yin_yang_net(1) == yin_yang_net(1)
    assert yin_yang_net(1) != yin_yang_net(2)


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ((), ValueError, "0 layers"),
        ((saltus.Input(2),), ValueError, "1 layers"),
        ((saltus.LI(2, np.ones((2, 2))),), ValueError, "layer 0 is LI; expected Input first"),
        (
            (saltus.Input(2), 3),
            TypeError,
            "layer 1: expected a saltus.Input, LIF, ALIF, IF, RF or LI; got int",
        ),
        (
            (saltus.Input(2), saltus.LI(2, np.ones((2, 2))), saltus.LIF(1, np.ones((2, 1)))),
            ValueError,
            "layer 1 is LI, which never spikes",
        ),
        ((saltus.Input(2), saltus.LIF(2, np.ones((3, 2)))), ValueError, "weight has shape"),
        ((saltus.Input(2), saltus.LIF(2, np.ones((2, 2)), v_reset=1.0)), ValueError, "v_reset"),
        (
            (saltus.Input(2), saltus.LIF(2, np.ones((2, 2)), recurrent=1.0)),
            TypeError,
            "expected a saltus.Recurrent; got float",
        ),
    ],
)
def test_wrong_layers_are_refused(layers, error, message):
    with pytest.raises(error, match=message):
        saltus.Sequential(*layers)


# --- losses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "out"),
    [
        (saltus.FirstSpike(alpha=0.01), saltus.LIF),
        (saltus.MaximumVoltage(), saltus.LI),
        (saltus.IntegratedVoltage(), saltus.LI),
    ],
)
def test_errors_of_a_loss_are_its_derivatives(loss, out):
    net = yin_yang_net(out=out)
    part = DATA[:20]
    name, step = "hidden->out.weight", 1e-6
    record = saltus.simulate(net, {"in": part.spikes}, np.inf)
    result = loss(record, part.labels)
    gradient = saltus.backward(net, record, **result.errors)[name]
    assert np.abs(gradient).max() > 0
    for entry in [(0, 0), (7, 1), (33, 2)]:
        values = []
        for change in (step, -step):
            moved = net.copy()
            moved[name][entry] += change
            values.append(
                loss(saltus.simulate(moved, {"in": part.spikes}, np.inf), part.labels).value
            )
        difference = (values[0] - values[1]) / (2 * step)
        assert abs(gradient[entry] - difference) < 1e-6 * np.abs(gradient).max()


def test_first_spike_loss_is_its_formula():
    net = yin_yang_net()
    part = DATA[:5]
    record = saltus.simulate(net, {"in": part.spikes}, np.inf)
    loss = saltus.FirstSpike(tau_0=1e-3, tau_1=5e-3, alpha=0.1, t_missing=50e-3)
    t = record.spikes("out").first(3, missing=50e-3)
    own = t[np.arange(5), part.labels]
    scores = -t / 1e-3
    expected = np.log(np.exp(scores - scores.max(1, keepdims=True)).sum(1)) + scores.max(1)
    expected += own / 1e-3 + 0.1 * np.expm1(own / 5e-3)
    result = loss(record, part.labels)
    assert np.isclose(result.value, expected.mean(), rtol=1e-12)
    assert np.array_equal(result.predictions, t.argmin(1))


def test_every_loss_of_the_core_is_found_by_its_name():
    classes = {
        c().kind: c
        for c in (
            saltus.FirstSpike, saltus.MaximumVoltage, saltus.IntegratedVoltage, saltus.SpikeCount
        )
    }  # fmt: skip
    for kind, (models, usual) in saltus._core.losses().items():
        layer = saltus.LIF if "LIF" in models else saltus.LI
        record = saltus.simulate(yin_yang_net(out=layer), {"in": DATA[:9].spikes}, np.inf)
        given = {name: 2 * value for name, value in usual.items()}
        by_name = saltus.Loss(kind, **given)
        assert by_name._settings() == {"loss": kind, **given}
        found, expected = by_name(record, DATA.labels[:9]), classes[kind](**given)
        assert found.value == expected(record, DATA.labels[:9]).value
        assert found.errors.keys() == expected(record, DATA.labels[:9]).errors.keys()
        assert saltus.Loss(kind)(record, DATA.labels[:9]).value != found.value or not usual
        # The class says the defaults once more, for its readers.
        assert classes[kind]()._settings() == {"loss": kind, **usual}
        assert repr(by_name).startswith(f"saltus.Loss('{kind}', readout='out'")
    with pytest.raises(ValueError, match="maximum_voltage: readout 'out' is LIF; expected LI"):
        fit(yin_yang_net(), saltus.Loss("maximum_voltage"))


def test_every_setting_of_a_training_can_be_given():
    given = {*inspect.signature(saltus.fit).parameters}
    for part in (
        saltus.SGD, saltus.Adam, saltus.AdamW, saltus.Constant, saltus.Exponential, saltus.Cosine,
        saltus.Step, saltus.Plateau,
    ):  # fmt: skip
        given |= {f.name for f in dataclasses.fields(part)}
    given.add("lr_of")  # of fit: lr
    assert set(saltus._core.train_settings()) <= given


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: saltus.FirstSpike(tau_0=0.0), ValueError, "tau_0 is 0; expected a finite time"),
        (lambda: saltus.FirstSpike(alpha=-1), ValueError, "alpha is -1"),
        (lambda: saltus.FirstSpike(tau_1="x"), TypeError, "tau_1: expected a number; got str"),
        (lambda: saltus.IntegratedVoltage(np.nan), ValueError, "tau_integral is nan"),
        (lambda: saltus.Loss("hinge"), ValueError, "no loss is called 'hinge'; there are: first_s"),
        (lambda: saltus.Loss("first_spike", tau=1), ValueError, "has no setting 'tau'; there are:"),
        (lambda: saltus.Loss("first_spike", alpha=-1), ValueError, "alpha is -1"),
        (lambda: saltus.Loss("first_spike", alpha="x"), TypeError, "alpha: expected a number"),
        (lambda: saltus.Adam(lr=-1.0), ValueError, "lr is -1"),
        (lambda: saltus.Adam(beta_1=1.0), ValueError, "beta_1 is 1"),
        (lambda: saltus.SGD(momentum="much"), TypeError, "momentum: expected a number"),
        (lambda: saltus.Normal(0, -1), ValueError, "std is -1"),
        (lambda: saltus.EarlyStopping(watch="los"), ValueError, "watch is 'los'"),
    ],
)
def test_settings_without_meaning_are_refused_when_made(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("loss", [saltus.Loss("first_spike", tau_0=1e-3), saltus.FirstSpike(1e-3)])
@pytest.mark.parametrize("name", ["tau_0", "alpha", "readout", "kind"])
def test_a_loss_that_is_made_stays_as_it_is(loss, name):
    with pytest.raises(AttributeError, match=name):
        setattr(loss, name, 2e-3)


def test_a_subclass_of_a_loss_has_attributes_of_its_own():
    class Counting(saltus.FirstSpike):
        def __init__(self):
            self.calls = 0
            super().__init__()

    loss = Counting()
    loss.calls += 1
    assert (loss.calls, loss.tau_0) == (1, saltus.FirstSpike().tau_0)


def test_a_loss_refuses_labels_that_do_not_fit():
    record = saltus.simulate(yin_yang_net(), {"in": DATA[:3].spikes}, np.inf)
    loss = saltus.FirstSpike()
    with pytest.raises(ValueError, match=r"labels has shape \(2,\); expected \(3,\)"):
        loss(record, [0, 1])
    with pytest.raises(ValueError, match="label 1 is 3"):
        loss(record, [0, 3, 1])
    with pytest.raises(TypeError, match="labels: expected an array of integers"):
        loss(record, [0.0, 1.0, 2.0])


# --- optimisers ----------------------------------------------------------------------------------


def test_adam_is_its_formula():
    net = recurrent_net()
    adam = saltus.Adam(lr=0.01)
    rng = np.random.default_rng(0)
    name = "hidden->hidden.weight"
    w, m, v = net[name].copy(), 0.0, 0.0
    for k in range(1, 4):
        g = rng.normal(size=w.shape)
        adam.step(net, {name: g})
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.01 * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
    assert np.allclose(net[name], w, rtol=1e-12, atol=0)


def test_an_optimizer_keeps_moments_of_one_network():
    adam, net = saltus.Adam(), yin_yang_net()
    gradient = {"in->hidden.weight": np.ones((5, 40))}
    adam.step(net, gradient)
    adam.step(net, gradient)
    with pytest.raises(ValueError, match=r"another one than in earlier steps.* a new Adam"):
        adam.step(net.copy(), gradient)


def test_delays_stay_at_least_0_and_input_times_are_left_out():
    net = recurrent_net()
    saltus.SGD(lr=1.0).step(net, {"in->hidden.delay": np.array(1e6), "in.times": np.ones(3)})
    assert net["in->hidden.delay"] == 0
    with pytest.raises(ValueError, match="has shape"):
        saltus.SGD().step(net, {"in->hidden.weight": np.ones(3)})
    with pytest.raises(KeyError, match="no parameter is called"):
        saltus.SGD().step(net, {"in->hidden.wait": np.ones(3)})


# --- fit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "smooth",
    [
        {},
        {"smooth_threshold": 0.2, "smooth_decay": 0.5},
        {"smooth_threshold": 0.2, "smooth_reading": "sampled"},
    ],
)
def test_fit_has_the_same_bits_as_the_command_line(tmp_path, smooth):
    program = os.environ.get("SALTUS")
    if not program:
        pytest.skip("SALTUS does not name the command; scripts/test.sh sets it")
    train = [program, "train", "yinyang", "--quiet", "--train-samples", "320"]
    for name, value in smooth.items():
        train += [f"--{name.replace('_', '-')}", str(value)]
    train += ["--out"]
    subprocess.run([*train, tmp_path / "a", "--epochs", "0"], check=True, capture_output=True)
    subprocess.run([*train, tmp_path / "b", "--epochs", "3"], check=True, capture_output=True)
    net = saltus.load(tmp_path / "a" / "model.safetensors")
    data = saltus.data.yin_yang()[:320]
    saltus.fit(net, data, saltus.FirstSpike(), np.inf, epochs=3, progress=False, **smooth)
    assert net == saltus.load(tmp_path / "b" / "model.safetensors")


LONG = saltus.data.yin_yang(n=1000)  # enough for every diagnostic of an epoch


def overridden(loss):
    """The same loss as a subclass that is called itself."""

    class Own(type(loss)):
        def __call__(self, record, labels):
            return super().__call__(record, labels)

    return Own(**{f.name: getattr(loss, f.name) for f in dataclasses.fields(loss)})


def histories_of(losses, out=saltus.LIF, **options):
    """One training for each loss, and all that an epoch says but its seconds."""
    found = []
    for loss in losses:
        net = yin_yang_net(out=out)
        defaults = {"epochs": 2, "progress": False, "batch": 50, "validation": DATA}
        history = saltus.fit(net, LONG, loss, np.inf, **(defaults | options))
        epochs = [
            {k: v for k, v in dataclasses.asdict(epoch).items() if not k.endswith("seconds")}
            for epoch in history
        ]
        found.append((net, epochs))
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("options", "loss", "out"),
    [
        ({"clip_norm": 0.1}, saltus.FirstSpike(), saltus.LIF),
        ({"input_dropout": 0.2, "revive": 0.1}, saltus.MaximumVoltage(), saltus.LI),
        ({"trainable": ["tau_mem", "weights"], "optimizer": saltus.Adam(lr=1e-4)},
         saltus.FirstSpike(), saltus.LIF),
        ({"trainable": ["hidden->out.weight"], "optimizer": saltus.SGD(1e-3)},
         saltus.MaximumVoltage(), saltus.LI),
        ({"step_limit": 0.5, "epochs": 1}, saltus.FirstSpike(), saltus.LIF),
        ({"smooth_threshold": 0.2}, saltus.MaximumVoltage(), saltus.LI),
        ({"smooth_threshold": 0.2, "smooth_reading": "sampled"}, saltus.MaximumVoltage(),
         saltus.LI),
    ],
)  # fmt: skip
def test_a_function_trains_to_the_bits_of_the_built_in_loss(dtype, options, loss, out):
    losses = (loss, written_out(loss), overridden(loss))
    (net, epochs), *others = histories_of(losses, out, dtype=dtype, **options)
    assert all(value is not None for epoch in epochs for value in epoch.values())
    assert not any(value is None for epoch in epochs for value in epoch.values())
    for other, other_epochs in others:
        assert other == net
        assert other_epochs == epochs
    assert net != yin_yang_net(out=out)


def test_what_a_subclass_of_a_built_in_loss_says_of_ghosts_counts_and_a_function_says_nothing():
    loss = saltus.FirstSpike()
    losses = (loss, overridden(loss), written_out(loss))
    found = histories_of(losses, smooth_threshold=0.2, epochs=1)
    assert found[0] == found[1]
    assert found[0][0] != found[2][0]


def test_a_loss_without_predictions_has_no_accuracy():
    def mute(record, labels):
        return dataclasses.replace(saltus.FirstSpike()(record, labels), predictions=None)

    (net, epochs), (other, without) = histories_of((saltus.FirstSpike(), mute))
    assert other == net
    for epoch in without:
        assert epoch["accuracy"] is None
        assert epoch["validation_accuracy"] is None
    assert [e["loss"] for e in epochs] == [e["loss"] for e in without]
    assert saltus.evaluate(net, DATA, mute, np.inf).accuracy is None


def test_a_loss_sees_the_present_network_and_may_keep_its_records():
    net, seen = yin_yang_net(), []

    def look(record, labels):
        seen.append((record, labels, net["in->hidden.weight"].copy()))
        return saltus.FirstSpike()(record, labels)

    fit(net, look, epochs=1, batch=100)
    assert len(seen) == 3
    for record, labels, weight in seen:
        assert np.array_equal(record._network["in->hidden.weight"], weight)
        again = saltus.FirstSpike()(record, labels)
        saltus.backward(record._network, record, **again.errors)
    assert not np.array_equal(seen[0][2], seen[1][2])
    assert sorted(np.concatenate([labels for _, labels, _ in seen])) == sorted(DATA.labels)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"predictions": np.zeros(3, int)}, ValueError, r"predictions has shape \(3,\)"),
        ({"predictions": np.zeros(50)}, TypeError, "predictions: expected an array of integers"),
        ({"errors": {"spikes": 1}}, ValueError, "its errors name 'spikes'; expected spike_errors"),
        ({"errors": {"spike_errors": {"out": [1.0]}}}, ValueError, "has shape"),
        ({"errors": {"spike_errors": {"x": [1.0]}}}, ValueError, "no population is called 'x'"),
        ({"value": np.nan}, ValueError, "epoch 1, sample 0: the loss is nan; try a smaller lr"),
    ],
)
def test_results_of_a_loss_that_do_not_fit_are_refused(change, error, message):
    def wrong(record, labels):
        return dataclasses.replace(saltus.FirstSpike()(record, labels), **change)

    with pytest.raises(error, match=message):
        fit(yin_yang_net(), wrong, batch=50)


def test_errors_that_are_not_finite_are_refused():
    def wrong(record, labels):
        errors = np.full(len(record.spikes("out")), np.nan)
        return saltus.LossResult(1.0, {"spike_errors": {"out": errors}})

    with pytest.raises(ValueError, match="spike errors of 'out': value 0 is nan"):
        fit(yin_yang_net(), wrong)


@pytest.mark.parametrize("name", ["in->hidden.weight", "in->hidden.delay", "hidden.tau_mem"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loss_that_writes_to_the_network_is_an_error(name, dtype):
    def after_two_steps(third):
        calls = []
        net = saltus.Sequential(
            saltus.Input(5),
            saltus.LIF(40, saltus.Normal(1.5, 0.78), delay=1e-3),
            saltus.LIF(3, saltus.Normal(3, 0.5)),
        )

        def loss(record, labels):
            calls.append(labels)
            if len(calls) == 3:
                third(net)
            return saltus.FirstSpike()(record, labels)

        with pytest.raises(ValueError) as told:  # noqa: PT011
            fit(net, loss, dtype=dtype)
        return net, str(told.value)

    def writes(net):
        net[name].reshape(-1)[-1:] += 1e-9

    def fails(_):
        raise ValueError("on purpose")

    net, told = after_two_steps(writes)
    assert f"loss: it wrote to {name} of the network" in told
    assert net == after_two_steps(fails)[0], "as the last step left it"


def test_an_error_in_a_loss_is_raised_as_it_is_and_leaves_what_was_learnt():
    class Broken(Exception):
        pass

    net, calls = yin_yang_net(), []
    view = net["in->hidden.weight"]

    def fails(record, labels):
        calls.append(view.copy())
        if len(calls) == 3:
            raise Broken("on purpose")
        return saltus.FirstSpike()(record, labels)

    with pytest.raises(Broken, match="on purpose"):
        fit(net, fails)
    assert np.array_equal(view, calls[2])
    assert not np.array_equal(calls[2], calls[0])
    fit(net, saltus.FirstSpike(), epochs=1)


def test_an_optimizer_and_a_schedule_of_ones_own_are_asked():
    steps = []

    class Counting(saltus.SGD):
        def step(self, network, gradients, *, lr=None, scale=1.0):
            steps.append((sorted(gradients), lr, scale))
            super().step(network, gradients, lr=lr, scale=scale)

    @dataclasses.dataclass(frozen=True)
    class Warmup(saltus.Constant):
        def lr(self, first, epoch, epochs):
            return first * (epoch + 1) / epochs

    nets = []
    for optimizer, schedule in [
        (Counting(1e-3), saltus.Constant()),
        (saltus.SGD(1e-3), saltus.Constant()),
        (Counting(1e-3), Warmup()),
    ]:
        net = yin_yang_net()
        options = {"trainable": ["hidden->out.weight", "hidden.tau_mem"], "clip_norm": 0.1}
        options |= {"optimizer": optimizer, "schedule": schedule}
        history = fit(net, saltus.FirstSpike(), **options)
        nets.append(net)
    assert nets[0] == nets[1] != nets[2]
    assert history["lr"] == [0.5e-3, 1e-3]
    assert all(names == ["hidden->out.weight", "hidden.tau_mem"] for names, _, _ in steps)
    assert {lr for _, lr, _ in steps} == {0.5e-3, 1e-3}


def test_the_next_epoch_starts_from_what_a_callback_left():
    for loss in (saltus.FirstSpike(), written_out(saltus.FirstSpike())):
        net = yin_yang_net()

        def clamp(epoch, network):
            np.clip(network["in->hidden.weight"], 0.5, 1.0, out=network["in->hidden.weight"])

        fit(net, loss, callbacks=[clamp], optimizer=saltus.SGD(1e-9))
        assert np.all(net["in->hidden.weight"] >= 0.5)
        before = net.copy()
        history = fit(net, loss, epochs=1, optimizer=saltus.SGD(0.0))
        tested = saltus.evaluate(before, DATA, loss, np.inf, dtype=np.float64)
        assert np.isclose(history[0].loss, tested.loss, rtol=1e-12)


def test_evaluating_leaves_the_network_as_it_is():
    net, seen = yin_yang_net(), []
    before = net.copy()

    def look(record, labels):
        seen.append(record.dtype)
        return saltus.FirstSpike()(record, labels)

    found = saltus.evaluate(net, DATA, look, np.inf)  # in float32
    assert found == saltus.evaluate(net, DATA, saltus.FirstSpike(), np.inf)
    assert seen == [np.float32] * 2
    assert net == before


def test_only_the_named_parameter_is_trained():
    net, before = yin_yang_net(), yin_yang_net()
    fit(net, saltus.FirstSpike(), trainable=["hidden->out.weight"])
    changed = [name for name in net if not np.array_equal(net[name], before[name])]
    assert changed == ["hidden->out.weight"]


def test_training_learns_and_evaluate_agrees_with_it():
    net = yin_yang_net()
    adam = saltus.Adam(lr=2e-2)
    history = fit(net, saltus.FirstSpike(), epochs=30, validation=DATA, optimizer=adam)
    assert history[-1].accuracy > 0.75 > history[0].accuracy
    for loss in (saltus.FirstSpike(), written_out(saltus.FirstSpike())):
        tested = saltus.evaluate(net, DATA, loss, np.inf, dtype=np.float64)
        assert np.isclose(tested.loss, history[-1].validation_loss, rtol=1e-12)
        assert tested.accuracy == history[-1].validation_accuracy
    assert len(history["lr"]) == 30
    with pytest.raises(KeyError, match="an epoch has no 'los'"):
        history["los"]


def test_views_of_parameters_stay_valid_while_training():
    net = yin_yang_net()
    view = net["in->hidden.weight"]
    before = view.copy()
    fit(net, saltus.FirstSpike(), epochs=1)
    assert not np.array_equal(view, before)
    assert np.array_equal(view, net["in->hidden.weight"])


def test_callbacks_see_each_epoch_and_stop():
    seen = []

    def stop_at_3(epoch, network):
        seen.append((epoch.epoch, network["in->hidden.weight"].copy()))
        return epoch.epoch == 3

    net = yin_yang_net()
    assert len(fit(net, saltus.FirstSpike(), epochs=9, callbacks=[stop_at_3])) == 3
    assert [k for k, _ in seen] == [1, 2, 3]
    assert not np.array_equal(seen[0][1], seen[1][1])
    assert np.array_equal(seen[2][1], net["in->hidden.weight"])


def test_early_stopping_puts_the_best_network_back():
    stopping = saltus.EarlyStopping(patience=2)
    snapshots = []
    net = yin_yang_net()
    history = fit(
        net, saltus.FirstSpike(), epochs=40, validation=DATA[:60],
        optimizer=saltus.Adam(lr=0.1), schedule=saltus.Constant(),
        callbacks=[stopping, lambda _, n: snapshots.append(n.copy())],
    )  # fmt: skip
    losses = history["validation_loss"]
    assert stopping.best_epoch == int(np.argmin(losses)) + 1
    assert len(history) == stopping.best_epoch + 2
    assert net == snapshots[stopping.best_epoch - 1] != snapshots[-1]
    with pytest.raises(ValueError, match="EarlyStopping watches validation_loss"):
        fit(net, saltus.FirstSpike(), callbacks=[saltus.EarlyStopping()])


def test_early_stopping_keeps_nothing_of_the_training_before():
    stopping, used = (saltus.EarlyStopping(watch="loss") for _ in range(2))
    fit(yin_yang_net(1), saltus.FirstSpike(), epochs=5, callbacks=[used])
    nets = [yin_yang_net(2), yin_yang_net(2)]
    for net, callback in zip(nets, (stopping, used), strict=True):
        fit(net, saltus.FirstSpike(), epochs=2, optimizer=saltus.SGD(1e-9), callbacks=[callback])
    assert nets[0] == nets[1]
    assert stopping.best_epoch == used.best_epoch
    untouched = yin_yang_net(3)
    fit(untouched, saltus.FirstSpike(), epochs=0, callbacks=[used])
    assert untouched == yin_yang_net(3)


def test_a_callback_may_change_the_learning_rate_and_nothing_else_of_the_optimizer():
    optimizer = saltus.SGD(1e-3)

    def halve(epoch, network):
        optimizer.lr /= 2

    options = {"epochs": 3, "schedule": saltus.Exponential(0.5)}
    net, other = yin_yang_net(), yin_yang_net()
    history = fit(net, saltus.FirstSpike(), optimizer=optimizer, callbacks=[halve], **options)
    assert history["lr"] == [1e-3, 0.5e-3 * 0.5, 0.25e-3 * 0.25]
    assert optimizer.lr == 0.125e-3
    quarter = saltus.Exponential(0.25)
    fit(other, saltus.FirstSpike(), optimizer=saltus.SGD(1e-3), epochs=3, schedule=quarter)
    assert net == other

    def push(epoch, network):
        optimizer.momentum = 0.5

    with pytest.raises(ValueError, match=r"optimizer became SGD.*momentum=0\.5.*but of its lr"):
        fit(yin_yang_net(), saltus.FirstSpike(), optimizer=optimizer, callbacks=[push])

    def spoil(epoch, network):
        optimizer.lr = -1.0

    with pytest.raises(ValueError, match=r"optimizer\.lr is -1\.0 after a callback"):
        fit(yin_yang_net(), saltus.FirstSpike(), optimizer=(optimizer := saltus.SGD(1e-3)),
            callbacks=[spoil], schedule="constant")  # fmt: skip


def test_schedules_are_their_formulas():
    assert saltus.Constant().lr(2.0, 7, 10) == 2.0
    assert np.isclose(saltus.Exponential(0.5).lr(2.0, 3, 10), 0.25)
    assert np.isclose(saltus.Cosine(1.0).lr(2.0, 0, 10), 2.0)
    assert np.isclose(saltus.Step(0.1, decay_every=4).lr(2.0, 8, 10), 0.02)
    assert saltus.Plateau().lr(2.0, 8, 10) == 2.0
    assert np.isclose(saltus.Constant(warmup=3).lr(2.0, 0, 10), 0.5)
    with pytest.raises(ValueError, match="Step: decay_every is -1"):
        saltus.Step(decay_every=-1)
    with pytest.raises(TypeError, match="Cosine: warmup: expected an integer"):
        saltus.Cosine(warmup=1.5)


def test_a_schedule_may_be_a_function_of_the_epoch_or_a_name():
    def rates(schedule):
        optimizer = saltus.Adam(0.01)
        return fit(
            yin_yang_net(), saltus.FirstSpike(), epochs=3, schedule=schedule, optimizer=optimizer
        )["lr"]

    assert rates(lambda epoch: 1 / (1 + epoch)) == [0.01, 0.01 * (1 / 2), 0.01 * (1 / 3)]
    assert rates("constant") == [0.01] * 3
    assert rates("cosine") == rates(saltus.Cosine())
    assert rates(saltus.Exponential(0.5, warmup=1)) == [0.005, 0.01, 0.005]
    with pytest.raises(ValueError, match="schedule is 'linear'; expected one of constant"):
        rates("linear")
    with pytest.raises(TypeError, match=r"schedule: expected a saltus\.Schedule, its name"):
        rates(saltus.Cosine)


def test_plateau_goes_down_where_the_validation_loss_no_longer_falls():
    history = fit(
        yin_yang_net(), lambda r, y: dataclasses.replace(saltus.FirstSpike()(r, y), value=1.0),
        epochs=6, optimizer=saltus.SGD(1e-3), schedule=saltus.Plateau(0.5, patience=2),
    )  # fmt: skip
    assert history["lr"] == [1e-3, 1e-3, 1e-3, 0.5e-3, 0.5e-3, 0.25e-3]


def test_dropout_and_revive_with_a_loss_of_ones_own():
    net = yin_yang_net()
    net["in->hidden.weight"][:, 0] = -1.0
    loss = saltus.FirstSpike()
    report = fit(net, written_out(loss), epochs=1, revive=0.1, trainable=["weights"])[0]
    assert report.revived >= 1
    assert net["in->hidden.weight"][0, 0] > -1
    few = fit(yin_yang_net(), written_out(loss), epochs=1, input_dropout=0.9)[0]
    assert few.hidden_spikes_per_sample < 0.3 * report.hidden_spikes_per_sample


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"loss": saltus.MaximumVoltage()}, ValueError, "readout 'out' is LIF; expected LI"),
        ({"loss": saltus.FirstSpike(readout="x")}, ValueError, "no population is called 'x'"),
        ({"loss": saltus.FirstSpike}, TypeError, "loss: expected a saltus.Loss such as"),
        ({"loss": "first_spike"}, TypeError, "loss: expected a saltus.Loss such as"),
        ({"loss": lambda r, y: 1.0}, TypeError, "to return a saltus.LossResult; got float"),
        (
            {"trainable": ["delays"]},
            ValueError,
            "fit: trainable names 'delays'; expected one of weights, neurons, tau_mem",
        ),
        ({"trainable": ["weight"]}, ValueError, "trainable names 'weight'"),
        ({"trainable": []}, ValueError, "trainable is empty"),
        ({"epochs": -1}, ValueError, "epochs is -1"),
        ({"batch": 0}, ValueError, "batch is 0"),
        ({"batch": 2.5}, TypeError, "batch: expected an integer; got float"),
        ({"t_end": 0.0}, ValueError, "t_end is 0.0"),
        ({"t_end": "long"}, TypeError, "t_end: expected a number"),
        ({"optimizer": "adam"}, TypeError, "subclass of one; got str"),
        ({"clip_norm": -1.0}, ValueError, "clip_norm is -1"),
        ({"step_limit": -1.0}, ValueError, "step_limit is -1"),
        (
            {"trainable": ["hidden.tau"]},
            ValueError,
            "trainable names 'hidden.tau'; expected one of .*hidden.tau_mem",
        ),
        ({"dtype": np.int32}, ValueError, "dtype is int32"),
        ({"data": saltus.data.yin_yang(n=3)[:0]}, ValueError, "data holds no samples"),
        ({"data": (1, 2, 3)}, TypeError, "data: expected a saltus.data.LabelledSpikes; got tuple"),
        (
            {"data": saltus.data.labelled_spikes(([], [], [0, 0]), [0], 4)},
            ValueError,
            "data has 4 channels; expected 5",
        ),
        (
            {"data": saltus.data.labelled_spikes(([], [], [0, 0]), [7], 5)},
            ValueError,
            "data has a label 7; expected 0 to 2",
        ),
    ],
)
def test_fit_refuses_what_does_not_fit_together(change, error, message):
    arguments = {"data": DATA, "loss": saltus.FirstSpike(), "t_end": np.inf, "epochs": 1} | change
    with pytest.raises(error, match=message):
        saltus.fit(yin_yang_net(), progress=False, **arguments)


def test_fit_refuses_a_readout_that_nothing_reaches():
    net = saltus.Network()
    net.add_input("in", 5)
    net.add_population("out", "LIF", 3)
    with pytest.raises(ValueError, match="no projections lead from 'in' to readout 'out'"):
        fit(net, saltus.FirstSpike())


def test_progress_goes_to_standard_error(capsys):
    fit(yin_yang_net(), saltus.FirstSpike(), epochs=2, progress=True, validation=DATA)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 2
    assert "epoch   2/2" in lines[1]
    assert "validation" in lines[1]


# --- interruption and threads --------------------------------------------------------------------


@contextlib.contextmanager
def ctrl_c_after(seconds):
    # Whoever runs the tests in the background may have told them to ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("work", ["fit", "fit with a function", "simulate"])
def test_ctrl_c_ends_long_work_soon(work):
    net = yin_yang_net()
    before = net.copy()
    data = saltus.data.yin_yang(n=200_000, seed=1)

    def run():
        loss = saltus.FirstSpike()
        if work == "fit with a function":
            loss = written_out(loss)
        if work.startswith("fit"):
            saltus.fit(net, data, loss, np.inf, epochs=99, progress=False)
        while time.monotonic() < start + 60:
            saltus.simulate(net, {"in": data.spikes}, np.inf)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ctrl_c_after(0.3):
        run()
    assert time.monotonic() - start < 3
    if work.startswith("fit"):
        assert net != before  # what was learnt until then is kept
    saltus.simulate(net, {"in": DATA.spikes}, np.inf)


@pytest.mark.parametrize("synapse", ["exponential", "alpha"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("delay", [None, 1e-3])
def test_ctrl_c_ends_a_sample_that_runs_away(delay, threads, synapse):
    """Neurons that drive each other spike without end: within one sample too."""
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", "LIF", 50, synapse=synapse)
    net.connect("in", "h", np.full((1, 50), 50.0))
    net.connect("h", "h", np.full((50, 50), 5.0), delay=delay)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ctrl_c_after(0.3):
        saltus.simulate(net, {"in": [([1e-3], [0])] * 2}, 1e4, threads=threads)
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("which", [0, 2999, 3999])
def test_ctrl_c_ends_a_sample_that_another_thread_runs(which):
    """The main thread, which Python tells of signals, may have nothing left but to wait."""
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", "LIF", 20)
    net.connect("in", "h", np.full((1, 20), 9.0))
    net.connect("h", "h", np.full((20, 20), 30.0), delay=1e-3)
    samples = [([], [])] * 4000
    samples[which] = ([1e-3], [0])
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ctrl_c_after(0.5):
        saltus.simulate(net, {"in": samples}, 1e7, threads=2)
    assert time.monotonic() - start < 3


def test_a_handler_of_ones_own_decides_what_ctrl_c_does():
    net, heard = yin_yang_net(), []
    data = saltus.data.yin_yang(n=300_000, seed=1)
    with ctrl_c_after(0.1):
        signal.signal(signal.SIGINT, lambda *_: heard.append(1))
        assert saltus.simulate(net, {"in": data.spikes}, np.inf).samples == 300_000
        assert len(heard) == 1
        signal.signal(signal.SIGINT, signal.default_int_handler)
        saltus.simulate(net, {"in": DATA.spikes}, np.inf)
        with pytest.raises(KeyboardInterrupt):  # it is Python's again
            signal.raise_signal(signal.SIGINT)


def test_other_threads_run_while_the_core_works():
    net, done = yin_yang_net(), []
    data = saltus.data.yin_yang(n=20_000, seed=1)
    worker = threading.Thread(
        target=lambda: done.append(saltus.simulate(net, {"in": data.spikes}, np.inf))
    )
    worker.start()
    ticks = 0
    while worker.is_alive():
        ticks += 1
        time.sleep(0.001)
    assert ticks > 20
    assert done[0].samples == 20_000


def test_the_number_of_threads_is_a_setting_and_changes_no_bit():
    net, data = yin_yang_net(), DATA[:50]
    record = saltus.simulate(net, {"in": data.spikes}, np.inf, threads=1)
    assert saltus.get_threads() == 1
    try:
        for threads in (0, 1, 3):
            saltus.set_threads(threads)
            assert saltus.get_threads() == threads
            again = saltus.simulate(net, {"in": data.spikes}, np.inf)
            assert np.array_equal(again.spikes("out").times, record.spikes("out").times)
        with pytest.raises(ValueError, match="threads is -1"):
            saltus.set_threads(-1)
        with pytest.raises(TypeError, match="threads: expected an integer"):
            saltus.set_threads(1.5)
    finally:
        saltus.set_threads(1)


def test_a_forked_process_can_simulate():
    net = yin_yang_net()
    saltus.simulate(net, {"in": DATA.spikes}, np.inf, threads=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads
        child = os.fork()
    if child == 0:
        saltus.simulate(net, {"in": DATA.spikes}, np.inf, threads=0)
        os._exit(0)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert status == 0


# --- traces --------------------------------------------------------------------------------------


def test_currents_obey_their_equation():
    net = recurrent_net()
    batch = random_batch(np.random.default_rng(1))
    record = saltus.simulate(net, {"in": batch}, 0.05)
    at = np.linspace(0, 0.05, 101)
    current = record.currents("out", at)
    spikes = record.spikes("hidden")
    tau = net["out.tau_syn"]
    expected = net["out.i_initial"] * np.exp(-at[None, :, None] / tau) + np.zeros((3, 1, 1))
    for s in range(3):
        for k in range(spikes.offsets[s], spikes.offsets[s + 1]):
            n = spikes.neurons[k]
            since = at - spikes.times[k] - net["hidden->out.delay"][n]
            after = (since > 0)[:, None] * np.exp(-np.maximum(since, 0)[:, None] / tau)
            expected[s] += net["hidden->out.weight"][n] * after
    assert np.allclose(current, expected, rtol=1e-12, atol=1e-14)


def test_adjoint_traces_are_derivatives_by_the_state():
    net = recurrent_net()
    batch = random_batch(np.random.default_rng(1), samples=1)
    errors = {"integral_errors": {"out": [[1.0, -2.0]]}}
    record = saltus.simulate(net, {"in": batch}, 0.05)
    lambda_v, lambda_i = saltus.adjoint(record, "hidden", [0.0, 0.01, 0.05], **errors)
    assert lambda_v.shape == lambda_i.shape == (1, 3, 5)
    gradients = saltus.backward(net, record, **errors)
    # dL/dI(0), dL/dV(0): the initial values of all neurons are one number for I, one each for V.
    assert np.isclose(-5e-3 * lambda_i[0, 0].sum(), gradients["hidden.i_initial"], rtol=1e-9)
    assert np.allclose(-net["hidden.tau_mem"] * lambda_v[0, 0], gradients["hidden.v_initial"])
    assert np.all(lambda_v[0, 2] == 0)
    # An arrival at 10 ms raises I: a weight of a channel that spikes then has that derivative.
    probe = recurrent_net()
    probe.add_input("probe", 1)
    probe.connect("probe", "hidden", np.zeros((1, 5)))
    inputs = {"in": batch, "probe": ([0.01], [0], [0, 1])}
    gradient = saltus.backward(probe, saltus.simulate(probe, inputs, 0.05), **errors)
    assert np.allclose(-5e-3 * lambda_i[0, 1], gradient["probe->hidden.weight"][0], rtol=1e-9)
    # An LI readout under dL/d(integral of V) = g: lambda_V = -g (1 - exp(-(T - t) / tau_mem)).
    at = np.linspace(0, 0.05, 11)
    out_v, _ = saltus.adjoint(record, "out", at, **errors)
    expected = -np.array([1.0, -2.0]) * -np.expm1(-(0.05 - at[:, None]) / 20e-3)
    assert np.allclose(out_v[0], expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("at", [[-1e-3], [2e-3, 1e-3], [0.06], [np.nan], [np.inf]])
def test_traces_refuse_times_outside(at):
    record = saltus.simulate(recurrent_net(), {"in": random_batch(np.random.default_rng(0))}, 0.05)
    for read in (record.currents, record.voltages, lambda p, t: saltus.adjoint(record, p, t)):
        with pytest.raises(ValueError, match=r"at\["):
            read("out", at)
    with pytest.raises(ValueError, match="'in' is an input"):
        record.currents("in", [0.0])


def test_gradients_that_are_not_wanted_are_left_out():
    net = recurrent_net()
    record = saltus.simulate(net, {"in": random_batch(np.random.default_rng(0))}, 0.05)
    errors = {"maximum_errors": {"out": np.ones((3, 2))}}
    everything = saltus.backward(net, record, **errors)
    weights = saltus.backward(net, record, **errors, wanted=())
    assert set(weights) == {f"{p}.weight" for p in net.projections}
    for name, value in weights.items():
        assert np.array_equal(value, everything[name])
    assert "in.times" in saltus.backward(net, record, **errors, wanted=["times"])
    with pytest.raises(
        ValueError, match="backward: wanted names 'delay'; expected one of times, weights, delays"
    ):
        saltus.backward(net, record, **errors, wanted=["delay"])


# --- files ---------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([None, (), (3,), (3, 2)]))
def test_a_saved_network_comes_back_to_the_bit(tmp_path_factory, seed, delay_shape):
    rng = np.random.default_rng(seed)
    net = saltus.Network()
    net.add_input("in", 3)
    net.add_population("a", "LIF", 2, tau_mem=rng.uniform(1e-3, 1e-2, 2), bias=rng.normal())
    net.add_population("b", "LI", 2, tau_syn=rng.uniform(1e-3, 1e-2))
    delay = None if delay_shape is None else rng.uniform(0, 1e-2, delay_shape)
    net.connect("in", "a", rng.normal(size=(3, 2)), delay)
    net.connect("a", "b", rng.normal(size=(2, 2)), name="read it")
    file = tmp_path_factory.mktemp("saved") / "net.safetensors"
    net.save(file)
    again = saltus.load(file)
    assert again == net
    assert list(again) == list(net)
    net.save(file, dtype=np.float32)
    assert np.array_equal(saltus.load(file)["in->a.weight"], net["in->a.weight"].astype(np.float32))


def test_files_that_are_no_networks_are_refused(tmp_path):
    with pytest.raises(OSError, match=r"nothing\.h5"):
        saltus.load(tmp_path / "nothing.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(OSError, match=r"text\.h5"):
        saltus.load(tmp_path / "text.h5")
    with pytest.raises(OSError, match="folder"):
        recurrent_net().save(tmp_path / "no folder" / "net.safetensors")
    with pytest.raises(ValueError, match="dtype is int64"):
        recurrent_net().save(tmp_path / "net.safetensors", dtype=np.int64)


def test_a_network_with_values_without_meaning_is_not_saved(tmp_path):
    net = recurrent_net()
    net["hidden.v_reset"] = 5.0
    with pytest.raises(ValueError, match="v_reset"):
        net.save(tmp_path / "net.safetensors")


# --- import --------------------------------------------------------------------------------------


def test_import_loads_no_optional_package():
    code = (
        "import sys, saltus; "
        "print([m for m in ('torch', 'jax', 'matplotlib', 'nir', 'h5py') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        saltus.nonsense  # noqa: B018


# --- activity ------------------------------------------------------------------------------------


def test_weights_are_scaled_until_neurons_spike():
    net = saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(30, saltus.Normal(0.1, 0.1)),
        saltus.LIF(20, saltus.Normal(9.0, 0.5), recurrent=saltus.Recurrent(np.eye(20), 1e-3)),
        saltus.LI(3, saltus.Normal(0, 1)),
    )
    before = net.copy()
    inputs = {"in": DATA[:50].spikes}
    factors = saltus.scale_weights(net, inputs, 0.1, 1.5)
    assert set(factors) == {"in->hidden1", "hidden1->hidden2"}
    assert factors["in->hidden1"] > 1 > factors["hidden1->hidden2"]
    record = saltus.simulate(net, inputs, 0.1)
    for name, size in (("hidden1", 30), ("hidden2", 20)):
        assert 1.5 <= len(record.spikes(name)) / (50 * size) < 1.7
    for name in ("hidden2->hidden2.weight", "hidden2->out.weight"):
        assert np.array_equal(net[name], before[name])
    silent = saltus.Sequential(saltus.Input(5), saltus.LIF(3, saltus.Normal(-1, 0), name="a"))
    with pytest.raises(ValueError, match="a neuron of 'a' spikes only 0 times"):
        saltus.scale_weights(silent, inputs, 0.1)
    assert np.all(silent["in->a.weight"] == -1)
    with pytest.raises(ValueError, match="spikes is 0"):
        saltus.scale_weights(net, inputs, 0.1, 0.0)


def test_projections_into_one_population_are_scaled_by_one_factor():
    rng = np.random.default_rng(1)
    net = saltus.Network()
    net.add_input("in", 5)
    net.add_population("a", "LIF", 20, tau_mem=20e-3, tau_syn=5e-3)
    net.add_population("b", "LIF", 20, tau_mem=20e-3, tau_syn=5e-3)
    for source, target, mean in (("in", "a", 1), ("in", "b", 1), ("a", "b", 0.2), ("b", "a", -0.1)):
        weight = rng.normal(mean, 0.1, (5 if source == "in" else 20, 20))
        net.connect(source, target, weight, delay=1e-3)
    before, inputs = net.copy(), {"in": DATA[:50].spikes}
    factors = saltus.scale_weights(net, inputs, 0.1, 2.0)
    assert factors["in->b"] == factors["a->b"] != factors["in->a"] == factors["b->a"]
    for name, factor in factors.items():
        assert np.array_equal(net[f"{name}.weight"], before[f"{name}.weight"] * factor)
    spikes = saltus.simulate(net, inputs, 0.1).spikes("b")
    assert 2.0 <= len(spikes) / (50 * 20) < 2.2
    net["b->a.weight"] = np.full((20, 20), 9.0)
    net["a->b.weight"] = np.full((20, 20), 9.0)
    before = net.copy()
    with pytest.raises(
        ValueError, match=r"the weights of 'in->a', 'b->a' a neuron of 'a' spikes .*without end"
    ):
        saltus.scale_weights(net, inputs, 0.1, 2.0)
    assert np.array_equal(net["b->a.weight"], before["b->a.weight"])
    net = saltus.Network()
    net.add_input("in", 5)
    net.add_population("a", "LIF", 2, tau_mem=20e-3, tau_syn=5e-3, bias=3.0)
    net.connect("in", "a", np.ones((5, 2)))
    with pytest.raises(ValueError, match="even with 1/1024 of the weights of 'in->a' a neuron of"):
        saltus.scale_weights(net, inputs, 0.1, 2.0)
    assert np.all(net["in->a.weight"] == 1)


def test_one_learning_rate_serves_weights_delays_and_time_constants():
    data = saltus.data.yin_yang(n=1200, seed=1)
    finals = []
    for trainable in (["weights"], ["weights", "delays", "tau_mem", "tau_syn"]):
        net = saltus.Sequential(
            saltus.Input(5),
            saltus.LIF(40, saltus.Normal(1.5, 0.78), delay=np.full((5, 40), 2e-3)),
            saltus.LIF(3, saltus.Normal(0.93, 0.1)),
        )
        loss = saltus.FirstSpike(tau_0=0.5e-3, tau_1=6.4e-3, alpha=3e-3)
        history = saltus.fit(
            net, data, loss, np.inf, epochs=8, trainable=trainable, progress=False, seed=3
        )
        finals.append(history[-1].accuracy)
        assert history["clamped"] == [0] * 8
        if "delays" in trainable:
            delays = net["in->hidden.delay"]
            assert delays.min() > 0
            assert not np.allclose(delays, 2e-3, atol=1e-5)
            assert 5e-3 < net["hidden.tau_mem"] < 60e-3
    assert finals[1] > finals[0] - 0.03


def test_rates_by_name_are_in_the_units_of_the_parameter():
    rng = np.random.default_rng(0)
    net = saltus.Network()
    net.add_input("in", 3)
    net.add_population("h", "LIF", 4, tau_mem=np.full(4, 20e-3))
    net.connect("in", "h", rng.uniform(3, 5, (3, 4)), delay=np.full((3, 4), 2e-3))
    gradients = {
        "in->h.weight": np.ones((3, 4)),
        "in->h.delay": np.full((3, 4), 7.0),
        "h.tau_mem": np.array([1.0, -1.0, 1.0, -1.0]),
    }
    before = {name: net[name].copy() for name in gradients}
    saltus.Adam(lr=1e-2).step(net, gradients, lr={"delays": 1e-4, "h.tau_mem": 3e-4})
    steps = {name: net[name] - before[name] for name in gradients}
    np.testing.assert_allclose(steps["in->h.weight"], -1e-2, rtol=1e-5)
    np.testing.assert_allclose(steps["in->h.delay"], -1e-4, rtol=1e-5)
    np.testing.assert_allclose(steps["h.tau_mem"], [-3e-4, 3e-4, -3e-4, 3e-4], rtol=1e-5)
    # Unless told: in units of 2 ms. SGD follows gradients by these.
    saltus.Adam(lr=1e-2).step(net, gradients)
    np.testing.assert_allclose(net["in->h.delay"], 2e-3 - 1e-4 - 2e-5, rtol=1e-5)
    net["in->h.delay"][...] = 2e-3
    saltus.SGD(lr=1e-2, momentum=0.0).step(net, gradients)
    np.testing.assert_allclose(net["in->h.delay"], 2e-3 - 1e-2 * 7.0 * 2e-3**2, rtol=1e-9)
    net["in->h.delay"][...] = 2e-3
    saltus.SGD(lr=1e-2, momentum=0.0).step(net, gradients, lr={"delays": 1e-5})
    np.testing.assert_allclose(net["in->h.delay"], 2e-3 - 7e-5, rtol=1e-9)


def test_no_step_leaves_the_range_of_a_parameter():
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", "LIF", 2, tau_mem=np.full(2, 20e-3), tau_ref=np.full(2, 1e-3))
    net.connect("in", "h", np.ones((1, 2)), delay=1e-3)
    gradients = {
        "h.tau_mem": np.array([1.0, 0.0]),
        "h.tau_ref": np.array([1.0, 0.0]),
        "in->h.delay": np.array(1.0),
        "h.v_threshold": np.array(1.0),
    }
    saltus.Adam(lr=50.0).step(net, gradients)
    np.testing.assert_allclose(net["h.tau_mem"], [10e-3, 20e-3])
    np.testing.assert_allclose(net["h.tau_ref"], [0.0, 1e-3])
    assert net["in->h.delay"] == 0
    assert net["h.v_threshold"] == 1
    saltus.simulate(net, {"in": ([1e-3], [0], [0, 1])}, 0.05)


@pytest.mark.parametrize(
    ("lr", "error", "message"),
    [
        ({"delays": 1e-4}, ValueError, "lr names 'delays'; expected one of weights, neurons, tau_"),
        ({"tau_mem": 1e-4}, ValueError, "lr names 'tau_mem', which is not trained; trained are in"),
        ({"taus": 1e-4}, ValueError, "lr names 'taus'; expected one of weights, .*tau_mem"),
        ({"weights": -1.0}, ValueError, "finite number of at least 0"),
        ({"weights": np.nan}, ValueError, "finite number of at least 0"),
        ({"weights": "fast"}, TypeError, "lr\\['weights'\\]: expected a number; got str"),
        (1e-3, TypeError, "lr: expected rates by name"),
    ],
)
def test_rates_that_mean_nothing_are_refused(lr, error, message):
    data = saltus.data.yin_yang(n=20, seed=1)
    net = saltus.Sequential(saltus.Input(5), saltus.LIF(3, saltus.Normal(2.0, 0.5)))
    with pytest.raises(error, match=message):
        saltus.fit(net, data, saltus.FirstSpike(), np.inf, epochs=1, lr=lr, progress=False)


def test_ends_of_their_own_in_a_data_set_of_any_size():
    """Of a thousand samples and more the first ones are looked at for spikes about to appear."""
    data = saltus.data.yin_yang(n=1000)
    ends = dataclasses.replace(data, t_end=np.full(1000, 0.06))
    nets = [
        saltus.Sequential(saltus.Input(5), saltus.LIF(20, saltus.Normal(3, 1)), saltus.LI(3))
        for _ in range(2)
    ]
    loss, keywords = saltus.IntegratedVoltage(), {"epochs": 1, "progress": False}
    own = saltus.fit(nets[0], ends, loss, **keywords)
    same = saltus.fit(nets[1], data, loss, 0.06, **keywords)
    assert nets[0] == nets[1]
    assert own[0].believable_step == same[0].believable_step is not None


# --- what a spike more or less is worth ----------------------------------------------------------


class Twice(saltus.FirstSpike):
    def __call__(self, record, labels):
        said = super().__call__(record, labels)
        errors = {
            kind: {name: 2 * e for name, e in given.items()} for kind, given in said.errors.items()
        }
        return saltus.LossResult(2 * said.value, errors, said.predictions, said.silent)


class Watched(saltus.FirstSpike):
    def __call__(self, record, labels):
        return super().__call__(record, labels)


def smooth_step(loss):
    net = saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(40, saltus.Normal(1.5, 0.8)),
        saltus.LIF(3, saltus.Normal(3, 0.5)),
    )
    before = net.copy()
    saltus.fit(
        net,
        saltus.data.yin_yang(n=32),
        loss,
        0.06,
        epochs=1,
        optimizer=saltus.SGD(1.0, momentum=0.0),
        schedule="constant",
        smooth_threshold=0.3,
        dtype=np.float64,
        progress=False,
    )
    return net["in->hidden.weight"] - before["in->hidden.weight"]


def test_ghosts_of_a_sum_are_those_of_its_parts():
    first, none = saltus.FirstSpike(), saltus.SpikeBounds("hidden", upper=1e9, strength=0.0)
    one = smooth_step(first)
    assert np.abs(one).sum() > 0
    for loss, times in (
        (Watched(), 1),
        (saltus.SumOfLosses(none, first), 1),
        (saltus.SumOfLosses(first, first), 2),
        (saltus.SumOfLosses(none, saltus.SumOfLosses(first, Watched())), 2),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error", saltus.SaltusWarning)
            np.testing.assert_allclose(smooth_step(loss), times * one, rtol=1e-9, atol=1e-12)
    count = saltus.SpikeCount()  # by spikes that nearly exist alone
    np.testing.assert_array_equal(smooth_step(saltus.SumOfLosses(none, count)), smooth_step(count))
    assert np.abs(smooth_step(count)).sum() > 0


def test_what_is_not_known_of_ghosts_is_said():
    first = saltus.FirstSpike()
    with pytest.warns(saltus.SaltusWarning, match="the errors of Twice are not those of its set"):
        smooth_step(Twice())
    with pytest.warns(saltus.SaltusWarning, match="of 'out' is worth to <lambda> by itself is not"):
        smooth_step(lambda *batch: first(*batch))  # noqa: PLW0108
    times = saltus.SpikeTimes(np.full((3, 3), 0.02))
    with pytest.warns(saltus.SaltusWarning, match="of 'out' is worth to SpikeTimes by itself is"):
        smooth_step(saltus.SumOfLosses(first, times))


# --- optimisers and callbacks of one's own -------------------------------------------------------


class Scaled(saltus.SGD):
    factor = 1.0

    def step(self, network, gradients, **keywords):
        super().step(network, {k: self.factor * g for k, g in gradients.items()}, **keywords)


class ScaledAtFirst(Scaled):
    def __init__(self, lr, factor):
        super().__init__(lr)
        self.factor = factor


def test_an_optimiser_keeps_what_was_put_into_it():
    later = Scaled(1e-2)
    later.factor = 0.0
    for optimizer in later, ScaledAtFirst(1e-2, 0.0):
        net = yin_yang_net()
        before = net.copy()
        saltus.fit(net, DATA[:64], saltus.FirstSpike(), 0.06, epochs=1, optimizer=optimizer,
                   dtype=np.float64, progress=False)  # fmt: skip
        assert net == before


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"callbacks": [3]}, r"callbacks\[0\]: expected a function; got int"),
        ({"callbacks": print}, "callbacks: expected a list of functions; got one"),
        ({"schedule": lambda epoch: "a"}, "schedule: what <lambda> returns of epoch 0: expected a"),
        ({"optimizer": saltus.Optimizer()}, "expected a saltus.SGD, Adam or AdamW, or a subclass"),
    ],
)
def test_what_is_no_callback_schedule_or_optimiser_is_named(keywords, says):
    net = yin_yang_net()
    before = net.copy()
    with pytest.raises(TypeError, match=says):
        fit(net, saltus.FirstSpike(), epochs=1, **keywords)
    assert net == before


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0, None, "a", True])
def test_a_rate_that_a_callback_spoils_is_named(wrong):
    optimizer = saltus.Adam()

    def spoil(epoch, network):
        optimizer.lr = wrong

    with pytest.raises((TypeError, ValueError), match=r"optimizer\.lr.* after a callback"):
        saltus.fit(yin_yang_net(), DATA[:64], saltus.FirstSpike(), 0.06, epochs=2,
                   optimizer=optimizer, callbacks=[spoil], progress=False)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (saltus.LossResult(1.0, {}, silent=-3), "loss: silent is -3; expected 0 to 32"),
        (saltus.LossResult(1.0, {}, silent=99), "loss: silent is 99"),
        (saltus.LossResult(None, {}), "loss: its value: expected a number; got NoneType"),
        (saltus.LossResult(1.0, {}, np.full(32, -2)), "loss: predictions holds -2"),
    ],
)
def test_what_a_loss_cannot_say_is_named(said, says):
    with pytest.raises((TypeError, ValueError), match=says):
        saltus.fit(yin_yang_net(), DATA[:32], lambda r, y: said, 0.06, epochs=1, progress=False)


@pytest.mark.parametrize("share", [0.1, 3.0])
def test_revival_does_not_hang_on_a_neurons_number(share):
    weight = np.full((2, 50), 0.01)
    data = saltus.data.labelled_spikes([([0.01], [0]), ([0.01], [1])], [0, 1], 2)
    for synapses in weight, saltus.Masked(weight):
        net = saltus.Network()
        net.add_input("in", 2)
        net.add_population("h", "LIF", 50)
        net.add_population("out", "LI", 2)
        net.connect("in", "h", synapses)
        net.connect("h", "out", np.ones((50, 2)))
        saltus.fit(net, data, saltus.MaximumVoltage(), 0.05, epochs=1, batch=2, revive=share,
                   optimizer=saltus.SGD(1e-9), dtype=np.float64, progress=False)  # fmt: skip
        np.testing.assert_allclose(net["in->h.weight"], 0.01 * (1 + share), rtol=1e-12)


def test_who_spikes_wins_however_late():
    """A silent output counts as spiking at t_missing in the loss, and cannot win."""
    net = saltus.Network()
    net.add_input("in", 2)
    net.add_population("out", "LIF", 2)
    net.connect("in", "out", np.array([[0.0, 0.0], [0.0, 9.0]]))
    late = saltus.data.labelled_spikes([([0.05], [1])], [0], 2, 2)  # after t_missing
    found = saltus.evaluate(net, late, saltus.FirstSpike(), 0.2)
    assert found.predictions.tolist() == [1]
    assert found.accuracy == 0
    assert found.silent_labels == 1


def test_a_neuron_out_of_range_holds_back_no_other():
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population(
        "h", "ALIF", 3, beta=[-0.01, 0.1, 0.1], v_reset=[0.98, 0, 0],
        v_threshold=[1.0, 1.0, 1.1],
        tau_mem=[0.02, 0.03, 0.04],
    )  # fmt: skip
    net.connect("in", "h", np.ones((1, 3)))
    before = net.copy()
    gradients = {"h.beta": np.array([0.5, 0, 0]), "h.tau_mem": np.full(3, 100.0),
                 "h.v_threshold": np.array([0, -1.0, -1.0])}  # fmt: skip
    saltus.SGD(0.1, momentum=0.0).step(net, gradients)
    for name in gradients:
        assert net[name][0] == before[name][0]
    assert np.all(net["h.tau_mem"][1:] < before["h.tau_mem"][1:])
    assert net["h.v_threshold"][1:] == pytest.approx([1.1, 1.2])


# --- what is trained, and what is not ------------------------------------------------------------


def test_each_parameter_counts_its_own_steps():
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("h", "LIF", 1)
    for name in "ab":
        net.connect("in", "h", [[1.0]], name=name)
    one, adam = np.ones((1, 1)), saltus.Adam(1e-2)
    for _ in range(100):
        adam.step(net, {"a.weight": one})
    for _ in range(10):
        adam.step(net, {"a.weight": one, "b.weight": one})
    assert net["b.weight"].item() == pytest.approx(0.9, abs=1e-6)
    again = saltus.Adam(1e-2)
    again.load_state_dict(adam.state_dict())
    assert again.state_dict()["b.weight:steps"] == 10
    old = {key: value for key, value in adam.state_dict().items() if ":steps" not in key}
    again.load_state_dict(old)  # as it was saved with one count for all
    assert again.state_dict()["a.weight:steps"] == again.state_dict()["b.weight:steps"] == 110


@pytest.mark.parametrize(
    ("gradient", "error", "says"),
    [
        (np.nan, ValueError, r"gradients\['in->hidden.weight'\] holds nan; expected finite"),
        (-np.inf, ValueError, r"gradients\['in->hidden.weight'\] holds -inf"),
        ("a", TypeError, r"gradients\['in->hidden.weight'\]: expected a number"),
    ],
)
def test_gradients_that_are_no_numbers_are_refused(gradient, error, says):
    net, adam = yin_yang_net(), saltus.Adam()
    before = net.copy()
    wrong = np.zeros((5, 40)).tolist()
    wrong[2][3] = gradient
    with pytest.raises(error, match=says):
        adam.step(net, {"hidden->out.weight": np.ones((40, 3)), "in->hidden.weight": wrong})
    assert net == before


def test_a_step_takes_lists_and_leaves_out_gradients_of_a_state():
    nets = [yin_yang_net(), yin_yang_net()]
    first = saltus.simulate(nets[0], DATA[:8], 0.02)
    record = saltus.simulate(nets[0], {"in": [([], [])] * 8}, 0.05, state=first.state())
    errors = {"out": np.ones(len(record.spikes("out")))}
    gradients = saltus.backward(nets[0], record, spike_errors=errors)
    assert "hidden.state.V" in gradients
    saltus.SGD(1e-3).step(nets[0], gradients)
    of_net = {name: gradients[name].tolist() for name in nets[1]}
    saltus.SGD(1e-3).step(nets[1], of_net)
    assert nets[0] == nets[1] != yin_yang_net()


@pytest.mark.parametrize("own", [False, True])
def test_what_is_not_trained_keeps_its_bits(own, tmp_path):
    loss = written_out(saltus.FirstSpike()) if own else saltus.FirstSpike()
    net = yin_yang_net()
    net["in->hidden.weight"][0, 0] = 1e-50  # 0 in float32
    before, resumed = net.copy(), net.copy()
    options = {"dtype": np.float32, "trainable": "hidden.tau_mem", "validation": DATA[:9]}
    seen = []
    fit(net, loss, checkpoint=tmp_path, callbacks=[lambda e, n: seen.append(n.copy())], **options)
    changed = [name for name in net if not np.array_equal(net[name], before[name])]
    assert changed == ["hidden.tau_mem"]
    assert np.array_equal(seen[-1]["in->hidden.weight"], np.float32(before["in->hidden.weight"]))
    fit(resumed, loss, resume=tmp_path, **options)
    assert resumed == net


def test_a_callback_that_changes_what_is_not_trained_is_resumed_to_the_bit(tmp_path):
    def grow(epoch, network):
        network["in->hidden.weight"] *= 1.01

    options = {"dtype": np.float32, "trainable": ["hidden->out.weight"], "callbacks": [grow]}
    through, parts = yin_yang_net(), yin_yang_net()
    fit(through, saltus.FirstSpike(), **options | {"epochs": 4})
    fit(parts, saltus.FirstSpike(), checkpoint=tmp_path, **options | {"epochs": 2})
    parts = yin_yang_net()
    fit(parts, saltus.FirstSpike(), resume=tmp_path, **options | {"epochs": 4})
    assert parts == through


def test_fewer_epochs_than_are_done_are_refused(tmp_path):
    fit(yin_yang_net(), saltus.FirstSpike(), checkpoint=tmp_path, epochs=3)
    with pytest.raises(ValueError, match="epochs is 2, but 3 are done; expected 3 or more"):
        fit(yin_yang_net(), saltus.FirstSpike(), resume=tmp_path, epochs=2)


def test_what_an_optimiser_of_ones_own_does_to_other_parameters_stays():
    class Shrinks(saltus.SGD):
        def step(self, network, gradients, **keywords):
            super().step(network, gradients, **keywords)
            network["in->hidden.weight"] *= 0.5

    net = yin_yang_net()
    before = net["in->hidden.weight"].copy()
    fit(net, saltus.FirstSpike(), epochs=1, batch=300, optimizer=Shrinks(1e-3),
        trainable="tau_mem", dtype=np.float32)  # fmt: skip
    assert np.allclose(net["in->hidden.weight"], before / 2, rtol=1e-6)


def test_the_norm_of_a_gradient_is_in_the_units_of_its_parameters():
    net = yin_yang_net()
    record = saltus.simulate(net, DATA, 0.06)
    errors = saltus.FirstSpike()(record, DATA.labels).errors
    found = saltus.backward(net, record, **errors, wanted="tau_mem")
    norm = np.sqrt(sum(np.sum(g**2) for n, g in found.items() if n.endswith("tau_mem")))
    history = saltus.fit(net, DATA, saltus.FirstSpike(), 0.06, epochs=1, batch=300,
                         dtype=np.float64, trainable="tau_mem", progress=False)  # fmt: skip
    assert history[0].gradient_norm == pytest.approx(2e-3 * norm, rel=1e-9)


def test_a_loss_that_is_no_number_is_nan():
    def unknown(record, labels):
        return saltus.LossResult(np.nan if len(labels) == 9 else 1.0, {})

    assert np.isnan(saltus.evaluate(yin_yang_net(), DATA[:9], unknown, 0.06).loss)
    history = fit(yin_yang_net(), unknown, epochs=1, batch=300, validation=DATA[:9])
    assert np.isnan(history[0].validation_loss)


def test_labels_do_not_matter_for_a_prediction():
    net = yin_yang_net()
    odd = dataclasses.replace(DATA, labels=np.full(len(DATA), 7), classes=8)
    expected = saltus.predict(net, DATA, saltus.FirstSpike(), 0.06)
    assert np.array_equal(saltus.predict(net, odd, saltus.FirstSpike(), 0.06), expected)
    with pytest.raises(ValueError, match="has a label 7; expected 0 to 2"):
        saltus.evaluate(net, odd, saltus.FirstSpike(), 0.06)
