# SPDX-License-Identifier: Apache-2.0
"""`saltus adjoint` finds to the bit what `record`, a loss, `backward` and `adjoint` find."""

import numpy as np
import pytest
import saltus
from safetensors.numpy import load_file, save_file

from tests.cli.conftest import COMMAND, Saltus

T_END, SAMPLES = 0.06, 8


def net_of(tau_ref):
    rng = np.random.default_rng(0)
    net = saltus.Network()
    net.add_input("in", 4)
    net.add_population("hidden", "LIF", 12, tau_ref=tau_ref)
    net.add_population("more", "ALIF", 6)
    net.add_population("out", "LI", 3)
    net.connect("in", "hidden", rng.normal(3, 1, (4, 12)), delay=rng.uniform(0, 2e-3, 4))
    net.connect("hidden", "hidden", rng.normal(0, 0.5, (12, 12)), delay=1e-3)
    net.connect("hidden", "more", rng.normal(2, 1, (12, 6)))
    net.connect("in", "out", rng.normal(0, 1, (4, 3)))
    net.connect("more", "out", rng.normal(0, 1, (6, 3)))
    return net


def drawn(rng, size, count):
    rows = [np.sort(rng.uniform(0, 0.05, count)) for _ in range(SAMPLES)]
    times, neurons = [], []
    for row in rows:
        times.append(row)
        neurons.append(np.arange(count) % size)
    offsets = np.arange(0, SAMPLES * count + 1, count)
    return np.concatenate(times), np.concatenate(neurons).astype(np.int32), offsets


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("tau_ref", [0.0, 1e-3])
def test_it_is_what_python_finds(tmp_path, dtype, tau_ref):
    rng = np.random.default_rng(1)
    net = net_of(tau_ref)
    inputs = {"in": drawn(rng, 4, 20)}
    foreign = {"hidden": drawn(rng, 12, 12), "more": drawn(rng, 6, 5)}
    labels = np.arange(SAMPLES) % 3
    record = saltus.record(net, inputs, foreign, T_END, dtype=dtype)
    loss = saltus.MaximumVoltage()(record, labels)
    gradients = saltus.backward(net, record, **loss.errors)
    at = [0.0, 0.01, 0.03]
    lambda_v, lambda_i = saltus.adjoint(record, "hidden", at, **loss.errors)

    net.save(tmp_path / "model.safetensors")
    arrays = {"labels": labels}
    for name, spikes in (inputs | foreign).items():
        for key, values in zip(("times", "neurons", "offsets"), spikes, strict=True):
            arrays[f"{name}.{key}"] = values
    save_file(arrays, tmp_path / "chip.safetensors")
    out = tmp_path / "gradients.safetensors"
    said = Saltus().good(
        "adjoint", tmp_path / "model.safetensors", tmp_path / "chip.safetensors", "--out", out,
        "--loss", "maximum_voltage", "--t-end", T_END, "--precision", np.dtype(dtype).name,
        "--traces", "hidden", "--at", ",".join(map(str, at)), "--json",
    ).json  # fmt: skip
    assert said["loss"] == loss.value
    found = load_file(out)
    for name, values in gradients.items():
        stored = found.pop(name)
        assert (
            stored.astype(np.float64).reshape(-1).tobytes()
            == np.asarray(values, np.float64).reshape(-1).tobytes()
        ), name
    assert found.pop("hidden.lambda_v").tobytes() == lambda_v.tobytes()
    assert found.pop("hidden.lambda_i").tobytes() == lambda_i.tobytes()
    assert found.keys() == {"trace_times"}
