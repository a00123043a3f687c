# SPDX-License-Identifier: Apache-2.0
"""Trainings that stop and go on: with the same bits, or with an error that says why not."""

import contextlib
import dataclasses
import json
import os
import pickle
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import saltus

DATA = saltus.data.yin_yang(n=300)
TEST = saltus.data.yin_yang(n=100, seed=7)


def yin_yang_net(seed=0, hidden=40):
    return saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(hidden, saltus.Normal(1.5, 0.78)),
        saltus.LIF(3, saltus.Normal(3, 0.5)),
        seed=seed,
    )


def fit(net, loss=None, **options):
    defaults = {"epochs": 6, "progress": False, "validation": TEST}
    loss = saltus.FirstSpike() if loss is None else loss
    return saltus.fit(net, DATA, loss, np.inf, **(defaults | options))


def epochs_of(history):
    return [
        {k: v for k, v in dataclasses.asdict(epoch).items() if not k.endswith("seconds")}
        for epoch in history
    ]


def expect_same(a, b):
    (net_a, history_a), (net_b, history_b) = a, b
    assert net_a == net_b
    for x, y in zip(epochs_of(history_a), epochs_of(history_b), strict=True):
        np.testing.assert_equal(x, y)


class Heavy(saltus.SGD):
    """Momentum, by hand; with a memory of its own."""

    def __post_init__(self):
        super().__post_init__()
        self.velocity = {}

    def step(self, network, gradients, *, lr=None, scale=1.0):
        for name, gradient in gradients.items():
            self.velocity[name] = 0.9 * self.velocity.get(name, 0.0) + scale * gradient
            network[name] -= lr * self.velocity[name]

    def state_dict(self):
        return dict(self.velocity)

    def load_state_dict(self, state):
        self.velocity = dict(state)


class HalvesAndClips:
    """A callback that changes the learning rate and the network, and remembers how often."""

    def __init__(self, optimizer):
        self.optimizer, self.calls = optimizer, 0

    def __call__(self, epoch, network):
        self.calls += 1
        if self.calls % 2 == 0:
            self.optimizer.lr /= 2
        np.clip(network["in->hidden.weight"], -1, 2, out=network["in->hidden.weight"])

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        self.calls = int(state["calls"])


def own_loss(record, labels):
    return saltus.FirstSpike()(record, labels)


SETUPS = {
    "cosine, dropout, ghosts": lambda: {
        "schedule": saltus.Cosine(warmup=2), "input_dropout": 0.1, "smooth_threshold": 0.2,
        "smooth_reading": "sampled", "revive": 0.1, "clip_norm": 1.0,
    },
    "plateau, float64, adamw, taus": lambda: {
        "schedule": saltus.Plateau(0.5, patience=1), "dtype": np.float64,
        "optimizer": saltus.AdamW(1e-2), "trainable": ["weights", "tau_mem"],
    },
    "own loss, optimizer and schedule": lambda: {
        "loss": own_loss, "optimizer": Heavy(1e-3), "schedule": lambda epoch: 1 / (1 + epoch),
    },
    "callbacks": lambda: {
        "optimizer": (adam := saltus.Adam(0.05)),
        "callbacks": [HalvesAndClips(adam), saltus.EarlyStopping(patience=4)],
    },
}  # fmt: skip


def stops_after(epochs):
    """Stand in for a run that ends: its checkpoints say nothing of it."""

    def stop(epoch, network):
        return epoch.epoch == epochs

    return stop


@pytest.mark.parametrize("name", SETUPS)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_three_epochs_and_three_are_six(tmp_path, name, threads):
    through = yin_yang_net()
    whole = fit(through, **SETUPS[name]())
    options = SETUPS[name]()
    options["callbacks"] = [*options.get("callbacks", []), stops_after(3)]
    stopped = fit(yin_yang_net(), checkpoint=tmp_path, **options)
    assert len(stopped) == 3
    net = yin_yang_net(seed=5)  # its values do not matter
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = fit(net, resume=tmp_path, threads=threads, **SETUPS[name]())
    expect_same((net, history), (through, whole))


def test_a_best_and_a_last_network_are_kept(tmp_path):
    net, snapshots = yin_yang_net(), []
    adam = saltus.Adam(0.1)
    history = fit(net, checkpoint=tmp_path, optimizer=adam,
                  callbacks=[lambda _, n: snapshots.append(n.copy())])  # fmt: skip
    scores = [(epoch.validation_accuracy, -epoch.validation_loss) for epoch in history]
    best = scores.index(max(scores))
    assert saltus.load(tmp_path / "best.safetensors") == snapshots[best]
    assert saltus.load(tmp_path / "checkpoint.safetensors") == snapshots[5] == net
    told = ["metrics.jsonl", "training.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "best.safetensors",
        "checkpoint.safetensors",
        *told,
    ]
    lines = [json.loads(line) for line in (tmp_path / told[0]).read_text().splitlines()]
    for line, epoch in zip(lines, history, strict=True):
        figures = {k: np.inf if v == "infinite" else v for k, v in line.items()}
        assert figures == {**vars(epoch), "complete": True}
    # From the best on, the rest comes again.
    again = yin_yang_net(1)
    file = tmp_path / "best.safetensors"
    expect_same((again, fit(again, resume=file, optimizer=saltus.Adam(0.1))), (net, history))
    # A new training leaves nothing of an old one.
    fit(yin_yang_net(), checkpoint=tmp_path, epochs=1, validation=None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.safetensors", *told]
    assert len((tmp_path / told[0]).read_text().splitlines()) == 1


def test_a_checkpoint_of_the_command_goes_on_in_python_and_back(tmp_path):
    program = os.environ.get("SALTUS")
    if not program:
        pytest.skip("SALTUS does not name the command; scripts/test.sh sets it")
    train = [program, "train", "yinyang", "--quiet", "--train-samples", "320", "--epochs"]
    subprocess.run([*train, "4", "--out", tmp_path / "a"], check=True, capture_output=True)
    subprocess.run([*train, "2", "--out", tmp_path / "b"], check=True, capture_output=True)
    net = saltus.load(tmp_path / "a" / "model.safetensors")
    data, validation = saltus.data.yin_yang()[:320], saltus.data.yin_yang("validation")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = saltus.fit(net, data, saltus.FirstSpike(), np.inf, epochs=4, progress=False,
                             validation=validation, resume=tmp_path / "b")  # fmt: skip
    assert net == saltus.load(tmp_path / "a" / "model.safetensors")
    lines = (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()
    for epoch, line in zip(history, map(json.loads, lines), strict=True):
        assert epoch.loss == line["loss"]
        assert epoch.validation_accuracy == line["validation_accuracy"]


STOPPED = """
import os, signal, sys
import numpy as np
import saltus
sys.path.insert(0, {folder!r})
from test_resume import fit, yin_yang_net, SETUPS

signal.signal(signal.SIGINT, signal.default_int_handler)
calls = 0

class Loss(saltus.FirstSpike):
    def __call__(self, record, labels):
        global calls
        calls += 1
        if calls == 25:  # minibatch 3 of the third epoch, which has 10, and its validation
            os.kill(os.getpid(), getattr(signal, sys.argv[2]))
        return super().__call__(record, labels)

fit(yin_yang_net(), Loss(), checkpoint=sys.argv[1], **SETUPS["cosine, dropout, ghosts"]())
"""


@pytest.mark.parametrize(("number", "within"), [("SIGINT", 2), ("SIGKILL", 0)])
def test_a_training_that_was_stopped_within_an_epoch_goes_on(tmp_path, number, within):
    class Loss(saltus.FirstSpike):
        def __call__(self, record, labels):
            calls.append(1)
            return super().__call__(record, labels)

    calls, through, net = [], yin_yang_net(), yin_yang_net(1)
    options = SETUPS["cosine, dropout, ghosts"]
    whole = fit(through, **options())
    code = STOPPED.format(folder=os.path.dirname(__file__))
    run = subprocess.run([sys.executable, "-c", code, tmp_path, number], capture_output=True,
                         text=True, check=False)  # fmt: skip
    assert run.returncode != 0, run.stderr
    with pytest.warns(UserWarning, match="loss is"):  # told: another class
        history = fit(net, Loss(), resume=tmp_path, **options())
    expect_same((net, history), (through, whole))
    assert len(calls) == 4 * 11 - within


def test_a_training_is_kept_within_an_epoch_when_its_minutes_are_over(tmp_path):
    through, net, seen = yin_yang_net(), yin_yang_net(), []
    whole = fit(through, epochs=1, batch=1)

    class Broken(Exception):
        pass

    def loss(record, labels):
        seen.append(1)
        if len(seen) == 290:
            raise Broken
        return saltus.FirstSpike()(record, labels)

    with contextlib.suppress(Broken):
        fit(yin_yang_net(), slowly(loss), epochs=1, batch=1, checkpoint=tmp_path,
            checkpoint_minutes=1e-9)  # fmt: skip
    calls = []

    def counted(record, labels):
        calls.append(1)
        return saltus.FirstSpike()(record, labels)

    with pytest.warns(UserWarning, match="loss is"):
        history = fit(net, counted, epochs=1, batch=1, resume=tmp_path)
    assert 11 < len(calls) < 300
    expect_same((net, history), (through, whole))


def slowly(loss):
    def slow(record, labels):
        time.sleep(1e-3)
        return loss(record, labels)

    return slow


def test_what_steps_are_made_of_may_change_with_a_warning(tmp_path):
    fit(yin_yang_net(), epochs=1, checkpoint=tmp_path)
    net = yin_yang_net()
    with pytest.warns(UserWarning, match="from here on") as told:
        history = fit(net, epochs=2, resume=tmp_path, optimizer=saltus.Adam(1e-3), batch=10,
                      schedule="constant")  # fmt: skip
    assert sorted(str(line.message) for line in told) == [
        "resume: batch is 10 from here on; it was 32",
        "resume: lr is 0.001 from here on; it was 0.005",
        "resume: schedule is constant from here on; it was exponential",
    ]
    assert history["lr"] == [5e-3, 1e-3]
    assert all(line.filename == __file__ for line in told)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"seed": 1}, ValueError, "seed is 1, but the training was begun with 0"),
        ({"optimizer": saltus.SGD()}, ValueError, "optimizer is sgd, but .* begun with adam"),
        ({"trainable": ["hidden->out.weight"]}, ValueError, "trainable is"),
        ({"dtype": np.float64}, ValueError, "precision is float64, but .* in float32"),
        ({"resume": "nowhere"}, OSError, "cannot read nowhere: No such file"),
        ({"resume": __file__}, OSError, r"test_resume\.py: damaged, or no safetensors"),
        ({"checkpoint_minutes": -1.0}, ValueError, "checkpoint_minutes is -1"),
    ],
)
def test_what_it_cannot_go_on_with_is_refused(tmp_path, change, error, message):
    fit(yin_yang_net(), epochs=1, checkpoint=tmp_path)
    net = yin_yang_net(3)
    with pytest.raises(error, match=message):
        fit(net, **{"resume": tmp_path, **change})
    assert net == yin_yang_net(3)


def test_another_network_is_refused_and_the_file_named(tmp_path):
    fit(yin_yang_net(), epochs=1, checkpoint=tmp_path)
    with pytest.raises(
        ValueError, match=r"checkpoint\.safetensors: .* size of 'hidden' of 40, .* has 41"
    ):
        fit(yin_yang_net(hidden=41), resume=tmp_path)
    whole = (tmp_path / "checkpoint.safetensors").read_bytes()
    (tmp_path / "checkpoint.safetensors").write_bytes(whole[:-1000])
    with pytest.raises(OSError, match=r"checkpoint\.safetensors: damaged"):
        fit(yin_yang_net(), resume=tmp_path)


def test_an_optimizer_whose_memory_would_be_lost_is_refused(tmp_path):
    class Forgets(Heavy):
        state_dict = saltus.Optimizer.state_dict

    with pytest.raises(TypeError, match="Forgets keeps velocity, which a checkpoint would lose"):
        fit(yin_yang_net(), optimizer=Forgets(1e-3), checkpoint=tmp_path)
    fit(yin_yang_net(), optimizer=Forgets(1e-3), epochs=1)


def test_callbacks_that_are_new_or_gone_are_told(tmp_path):
    stopping = saltus.EarlyStopping()
    fit(yin_yang_net(), epochs=1, checkpoint=tmp_path, callbacks=[stopping])
    with pytest.warns(UserWarning, match="what the checkpoint has of callback.0.*is left out"):
        fit(yin_yang_net(), epochs=1, resume=tmp_path / "checkpoint.safetensors")
    fit(yin_yang_net(), epochs=1, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="EarlyStopping begins anew"):
        fit(yin_yang_net(), epochs=1, resume=tmp_path, callbacks=[stopping])


# --- a loop of one's own -------------------------------------------------------------------------


def steps_of(net, optimizer, first, last):
    loss = saltus.FirstSpike()
    for k in range(first, last):
        part = DATA[20 * k : 20 * (k + 1)]
        record = saltus.simulate(net, {"in": part.spikes}, np.inf)
        gradients = saltus.backward(net, record, **loss(record, part.labels).errors)
        wanted = {n: g for n, g in gradients.items() if n.endswith(("weight", "hidden.tau_mem"))}
        optimizer.step(net, wanted)


def through_pickle(net, optimizer, folder):
    return pickle.loads(pickle.dumps((net, optimizer)))


def through_pickles(net, optimizer, folder):
    return pickle.loads(pickle.dumps(net)), pickle.loads(pickle.dumps(optimizer))


def through_files(net, optimizer, folder):
    net.save(folder / "net.safetensors")
    np.savez(folder / "optimizer.npz", **optimizer.state_dict())
    new = type(optimizer)(**dataclasses.asdict(optimizer))
    with np.load(folder / "optimizer.npz") as state:
        new.load_state_dict(state)
    return saltus.load(folder / "net.safetensors"), new


@pytest.mark.parametrize("way", [through_pickle, through_pickles, through_files])
@pytest.mark.parametrize("optimizer", [saltus.Adam(0.01), saltus.SGD(1e-3), saltus.AdamW(0.01)])
def test_a_loop_of_ones_own_goes_on(tmp_path, way, optimizer):
    optimizer = dataclasses.replace(optimizer)
    net = yin_yang_net()
    steps_of(net, optimizer, 0, 5)
    again, other = way(net, optimizer, tmp_path)
    steps_of(net, optimizer, 5, 10)
    steps_of(again, other, 5, 10)
    assert again == net
    anew = yin_yang_net()
    steps_of(anew, dataclasses.replace(optimizer), 0, 5)
    steps_of(anew, dataclasses.replace(optimizer), 5, 10)
    assert anew != net  # the moments count


def test_moments_of_another_network_are_refused():
    net, adam = yin_yang_net(), saltus.Adam()
    steps_of(net, adam, 0, 1)
    other = saltus.Adam()
    other.load_state_dict(adam.state_dict())
    with pytest.raises(ValueError, match=r"moments of 'in->hidden.weight' are 200 .* it has 205"):
        steps_of(yin_yang_net(hidden=41), other, 0, 1)
    with pytest.raises(ValueError, match="has no 'steps'"):
        other.load_state_dict({})
    with pytest.raises(ValueError, match="state has 'x'; expected names"):
        other.load_state_dict({"steps": 1, "x": np.zeros(3)})


def test_two_trainings_in_one_folder_are_refused(tmp_path):
    def again(*_):
        with pytest.raises(OSError, match=r"is in use by another run \(process \d+ on"):
            fit(yin_yang_net(1), epochs=1, checkpoint=tmp_path)

    fit(yin_yang_net(), epochs=1, checkpoint=tmp_path, callbacks=[again])
    assert not (tmp_path / "lock").exists()
    fit(yin_yang_net(), epochs=1, checkpoint=tmp_path)


# --- augmentation ---------------------------------------------------------------------------------


def fewer_and_later(data, epoch):
    return saltus.data.jitter_times(
        saltus.data.drop_spikes(data, 0.2, seed=epoch), 1e-3, seed=epoch
    )


def test_each_epoch_trains_on_what_augment_returns(tmp_path):
    seen = []

    def augment(data, epoch):
        assert data is DATA
        seen.append(epoch)
        return fewer_and_later(data, epoch)

    net = yin_yang_net()
    history = fit(net, epochs=3, augment=augment)
    assert seen == [0, 1, 2]
    # As if each epoch had data of its own: the shuffling is that of the epoch.
    by_hand, optimizer, train = yin_yang_net(), saltus.Adam(5e-3), DATA[:]
    for epoch in range(3):
        path = tmp_path / "by_hand"
        resume = path if epoch else None
        of_epoch = fewer_and_later(train, epoch)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", saltus.SaltusWarning)  # other data than before
            own = saltus.fit(
                by_hand, of_epoch, saltus.FirstSpike(), np.inf, epochs=epoch + 1, progress=False,
                validation=TEST, optimizer=optimizer, checkpoint=path, resume=resume,
            )  # fmt: skip
    expect_same((net, history), (by_hand, own))
    plain = yin_yang_net()
    fit(plain, epochs=3)
    assert plain != net


def test_augmented_trainings_go_on_with_the_same_bits(tmp_path):
    whole, halves = yin_yang_net(), yin_yang_net()
    history = fit(whole, augment=fewer_and_later)
    fit(halves, epochs=3, augment=fewer_and_later, checkpoint=tmp_path / "run")
    rest = fit(halves, augment=fewer_and_later, resume=tmp_path / "run")
    expect_same((whole, history), (halves, rest))
    with pytest.warns(saltus.SaltusWarning, match=r"augment is none from here on; it was .*fewer"):
        fit(halves, epochs=7, resume=tmp_path / "run")


def test_augment_that_returns_something_else_is_named():
    with pytest.raises(TypeError, match=r"augment, epoch 0: expected a saltus\.data\..* NoneT"):
        fit(yin_yang_net(), augment=lambda data, epoch: None)
    other = saltus.data.labelled_spikes([([1e-3], [0])], [0], 7)
    with pytest.raises(ValueError, match="augment, epoch 1 has 7 channels; expected 5"):
        fit(yin_yang_net(), augment=lambda data, epoch: other if epoch == 1 else data)
    with pytest.raises(TypeError, match="augment: expected a function; got float"):
        fit(yin_yang_net(), augment=0.1)
