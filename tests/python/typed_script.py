# SPDX-License-Identifier: Apache-2.0
"""What a user writes: `test_typing.py` gives it to mypy --strict and pyright, and runs it."""

from __future__ import annotations

from typing import assert_type

import numpy as np
import saltus
import saltus.torch
import torch
from numpy.typing import NDArray


def spread(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.uniform(10e-3, 30e-3, shape)


def own_loss(record: saltus.Record, labels: NDArray[np.int64]) -> saltus.LossResult:
    return saltus.FirstSpike()(record, labels)


def tell(epoch: saltus.Epoch, network: saltus.Network) -> bool:
    return epoch.loss < 0.01 and len(network) > 0


data = saltus.data.yin_yang(n=60)
assert_type(data, saltus.data.LabelledSpikes)
assert_type(data[:10], saltus.data.LabelledSpikes)
assert_type(data[0], tuple[NDArray[np.float64], NDArray[np.int32], int])

net = saltus.Sequential(
    saltus.Input(5),
    saltus.LIF(
        20,
        saltus.Normal(1.5, 0.78),
        delay=saltus.Uniform(0, 2e-3),
        recurrent=saltus.Recurrent(saltus.FanIn(0, 0.1), delay=1e-3),
        tau_mem=spread,
        v_threshold=1.0,
    ),
    saltus.LIF(3),
    seed=1,
)
other = saltus.Network(seed=2)
other.add_input("in", 5)
other.add_population("out", "LI", 3, tau_mem=saltus.Uniform(10e-3, 20e-3))
other.connect("in", "out")
assert_type(net["hidden.tau_mem"], NDArray[np.float64])
assert_type(net.copy(), saltus.Network)
assert_type(saltus.models()["LIF"].parameters["bias"].usual, float)

history = saltus.fit(
    net,
    data,
    saltus.FirstSpike(),
    np.inf if not net.projections else 0.05,
    epochs=1,
    optimizer=saltus.Adam(1e-3),
    schedule=lambda epoch: 0.9**epoch,
    trainable=("weights", "delays", "tau_mem"),
    lr={"delays": 1e-4},
    validation=data[:20],
    callbacks=[tell, saltus.EarlyStopping(3)],
    augment=lambda data, epoch: saltus.data.jitter_times(data, 1e-3, seed=epoch),
    progress=False,
)
history += saltus.fit(net, data, own_loss, 0.05, epochs=1, progress=False)
assert_type(history, saltus.History)
assert_type(history[0], saltus.Epoch)
assert_type(history[1:], saltus.History)
assert_type(history["loss"], list[float])
assert_type(history["accuracy"], list[float | None])
assert_type(saltus.History.from_json(history.to_json()), saltus.History)
assert_type(saltus.evaluate(net, data, saltus.FirstSpike(), 0.05), saltus.Evaluation)
found = saltus.predict(net, data, saltus.FirstSpike(), 0.05)
assert_type(found, NDArray[np.int32])
assert_type(saltus.confusion_matrix(data.labels, np.abs(found)), NDArray[np.int64])

record = saltus.simulate(net, {"in": data.spikes}, 0.05)
assert_type(record, saltus.Record)
assert_type(record.spikes("hidden"), saltus.Spikes)
assert_type(record.spikes("hidden").first(20), NDArray[np.float64])
assert_type(record.state(), saltus.State)
loss = saltus.FirstSpike()(record, data.labels)
assert_type(loss, saltus.LossResult)
gradients = saltus.backward(net, record, **loss.errors, wanted=("weights", "hidden.tau_mem"))
assert set(gradients) >= {"in->hidden.weight", "hidden.tau_mem"}
saltus.Adam(1e-3).step(net, gradients)
report = saltus.gradcheck(
    other, {"in": data[:3].spikes}, 0.05, saltus.MaximumVoltage(), data.labels[:3]
)
assert_type(report, saltus.GradcheckReport)

layer = saltus.torch.EventProp(other, 0.05, "out.maxima", trainable="weights")
assert_type(layer(data.spikes), torch.Tensor)
assert_type(layer.record, saltus.Record)
assert_type(layer.network(), saltus.Network)
output, state = layer(data.spikes, keep_state=True)
assert_type(output, torch.Tensor)
assert_type(state, saltus.torch.State)
assert_type(state.take([0]).detach(), saltus.torch.State)
trains = saltus.torch.EventProp[saltus.torch.Spikes](net, 0.05, "hidden.spikes")
assert_type(trains(data.spikes).first(20), torch.Tensor)
several = saltus.torch.EventProp(net, 0.05, ["hidden.spikes", "out.first_spikes"])
assert_type(several(data.spikes), dict[str, torch.Tensor | saltus.torch.Spikes])
spikes, labels = saltus.torch.collate([data[0], data[1]])
assert_type(spikes, saltus.torch.Spikes)
assert_type(labels, torch.Tensor)
torch.autograd.backward(output.sum())
