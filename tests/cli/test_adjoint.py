# SPDX-License-Identifier: Apache-2.0
"""`saltus adjoint`: gradients from spikes that were recorded elsewhere. (To the bit what Python
makes of them: tests/python/test_adjoint_command.py.)"""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

SAMPLES = 1000  # of Yin-Yang's test data


def spikes(rows):
    """rows: of each sample (time, neuron) pairs."""
    return {
        "times": np.array([t for row in rows for t, _ in row]),
        "neurons": np.array([n for row in rows for _, n in row], np.int32),
        "offsets": np.cumsum([0, *map(len, rows)]),
    }


def recording(path, **populations):
    arrays = {}
    for name, rows in populations.items():
        if isinstance(rows, np.ndarray):
            arrays[name] = rows
        else:
            arrays |= {f"{name}.{key}": value for key, value in spikes(rows).items()}
    save_file(arrays, path)
    return path


@pytest.fixture
def measured(tmp_path):
    """Each sample of the run's test data: some spikes of the hidden neurons, and of the outputs."""

    def make(name="chip.safetensors", change=None, samples=SAMPLES, **more):
        r = np.random.default_rng(0)
        hidden = [
            sorted((t, n) for n, t in enumerate(r.uniform(0.01, 0.04, 20))) for _ in range(samples)
        ]
        out = [[(0.045 + 0.001 * n, n) for n in range(3)] for _ in range(samples)]
        if change:
            change(hidden, out)
        return recording(tmp_path / name, hidden=hidden, out=out, **more)

    return make


def test_a_run_has_the_inputs_and_labels(saltus, model, measured, tmp_path):
    out = tmp_path / "gradients.safetensors"
    said = saltus.good("adjoint", model, measured(), "--out", out, "--json").json
    assert said["samples"] == SAMPLES
    assert 0 <= said["accuracy"] <= 1
    assert said["populations"]["hidden"]["recorded"] == 20 * SAMPLES
    gradients, network = load_file(out), load_file(model / "model.safetensors")
    assert gradients.keys() - {"in.times"} == network.keys()
    for name, values in network.items():
        assert gradients[name].shape == values.shape
        assert np.isfinite(gradients[name]).all()
    assert np.abs(gradients["in->hidden.weight"]).max() > 0
    with safe_open(out, "numpy") as opened:
        about = json.loads(opened.metadata()["saltus"])["adjoint"]
    assert about == {name: value for name, value in said.items() if name != "out"}
    text = saltus.good("adjoint", model, measured(), "--out", out).out
    assert "hidden: 20000 spikes recorded" in text


def test_traces_are_written(saltus, model, measured, tmp_path):
    out = tmp_path / "traces.safetensors"
    saltus.good("adjoint", model, measured(), "--out", out, "--traces", "hidden,out",
                "--at", "0,0.01,0.02", "--threads", 2)  # fmt: skip
    found = load_file(out)
    assert found["hidden.lambda_v"].shape == found["hidden.lambda_i"].shape == (SAMPLES, 3, 60)
    assert found["out.lambda_v"].shape == (SAMPLES, 3, 3)
    np.testing.assert_array_equal(found["trace_times"], [0, 0.01, 0.02])
    assert np.abs(found["hidden.lambda_i"]).max() > 0
    saltus.bad("adjoint", model, measured(), "--out", out, "--traces", "hidden", code=2,
               says=["--traces", "--at", "expected both"])  # fmt: skip


def test_jitter_missing_and_extra_spikes_are_counted(saltus, tmp_path):
    """What a model says, changed by hand."""
    run, out = tmp_path / "run", tmp_path / "g.safetensors"
    saltus.good("train", "yinyang", "--epochs", 0, "--train-samples", 10, "--hidden", 5,
                "--hidden-mean", 15, "--t-end", 0.2, "--out", run, "--quiet")  # fmt: skip
    samples = [[(0.001, 0), (0.002, 3)], [(0.001, 1)]]
    labels = np.array([0, 1])
    nothing = recording(tmp_path / "none.safetensors", **{"in": samples}, hidden=[[], []],
                        out=[[], []], labels=labels)  # fmt: skip
    said = saltus.good("adjoint", run, nothing, "--out", out, "--json").json["populations"]
    predicted = said["hidden"]["predicted"]
    assert predicted > 0
    assert said["hidden"] == {"recorded": 0, "predicted": predicted, "extra": 0,
                              "missing": predicted, "jitter": None}  # fmt: skip
    extra = recording(tmp_path / "extra.safetensors", **{"in": samples}, out=[[], []],
                      hidden=[[(0.19, 0), (0.195, 1)], []], labels=labels)  # fmt: skip
    said = saltus.good("adjoint", run, extra, "--out", out, "--json").json["populations"]
    assert (said["hidden"]["extra"], said["hidden"]["missing"]) == (2, predicted)
    said = saltus.good("adjoint", run, extra, "--out", out, "--within", 1, "--json").json
    assert said["populations"]["hidden"]["extra"] < 2


def test_what_no_neuron_does_is_refused(saltus, model, measured, tmp_path):
    run, out = tmp_path / "refractory", tmp_path / "g.safetensors"
    saltus.good("train", "yinyang", "--epochs", 0, "--train-samples", 10, "--hidden", 60,
                "--tau-ref", 0.005, "--t-end", 0.1, "--out", run, "--quiet")  # fmt: skip

    def refused(says, change, place=run):
        file = measured("wrong.safetensors", change)
        saltus.bad("adjoint", place, file, "--out", out, code=2, says=says)
        assert not out.exists()

    def spike(time, neuron):
        def change(hidden, _):
            hidden[3].append((time, neuron))
            hidden[3].sort()

        return change

    def double(hidden, _):
        hidden[3] = [(0.01, 7), (0.012, 7)]

    refused(["sample 3 of 'hidden': neuron 7 spikes at 0.012 s", "tau_ref = 0.005 s"], double)
    refused(["hidden.times[60] is -0.001 (sample 3, neuron 2)", "at least 0"], spike(-1e-3, 2))
    refused(["hidden.times[", "is nan (sample 3, neuron 2)"],
            lambda h, _: h[3].insert(0, (float("nan"), 2)))  # fmt: skip
    refused(["sample 3 of 'hidden': neuron 2 spikes at 0.2 s", "until the end, 0.1 s"],
            spike(0.2, 2))  # fmt: skip
    refused(["hidden.neurons[", "is 60 (sample 3)"], spike(0.01, 60))
    refused(["hidden.times[", "times ascend"], lambda h, _: h[3].reverse())


def test_files_that_do_not_fit_are_named(saltus, model, measured, tmp_path):
    out = ["--out", tmp_path / "g.safetensors"]
    only = recording(tmp_path / "only.safetensors", hidden=[[]] * SAMPLES)
    saltus.bad("adjoint", model, only, *out, code=2, says=[str(only), "holds no 'out.times'"])
    wrong = measured("wrong.safetensors", hiden=np.zeros(3))
    saltus.bad("adjoint", model, wrong, *out, code=2, says=[str(wrong), "'hiden'"])
    few = measured("few.safetensors", samples=5)
    saltus.bad("adjoint", model, few, *out, code=2,
               says=["spikes of 'hidden' have 5 samples; the inputs have 1000"])  # fmt: skip
    text = tmp_path / "text.safetensors"
    text.write_text("times\n")
    saltus.bad("adjoint", model, text, *out, code=1, says=[str(text)])
    saltus.bad("adjoint", model, tmp_path / "none", *out, code=1, says=["none"])
    saltus.bad("adjoint", model / "model.safetensors", measured(), *out, code=2,
               says=["holds no 'in.times'"])  # fmt: skip
    saltus.bad("adjoint", model, measured(), *out, "--loss", "spike_cuont", code=2,
               says=["spike_cuont"])  # fmt: skip
    assert saltus.good("adjoint", "--help").out.count("saltus adjoint") >= 2


def test_a_recording_or_a_model_is_not_written_over(saltus, model, measured, tmp_path):
    chip = measured()
    for target, what in (chip, "the recording"), (model / "model.safetensors", "the model"):
        before = target.read_bytes()
        saltus.bad("adjoint", model, chip, "--out", target, code=2,
                   says=["--out is", f"{what} itself"])  # fmt: skip
        assert target.read_bytes() == before
