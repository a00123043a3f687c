# SPDX-License-Identifier: Apache-2.0
"""What looks like a mistake: a line on standard error, once, with what would remedy it."""

import gzip
import json

import numpy as np
import pytest


def warnings_of(result):
    return [line for line in result.err.splitlines() if line.startswith("saltus: warning: ")]


def scaled(factor=1.0, by=0.0):
    def change(times, numbers, labels):
        times[:] = [(t * factor + by).astype(np.float32) for t in times]

    return change


def spikes(saltus, spike_file, *options, change=None):
    files = [spike_file(name, change=change) for name in ("train.h5", "test.h5")]
    return saltus("train", "spikes", "--train", files[0], "--test", files[1], "--hidden", 20,
                  "--epochs", 2, *options)  # fmt: skip


def test_nothing_is_said_where_all_is_well(saltus, spike_file):
    assert warnings_of(spikes(saltus, spike_file)) == []


def test_what_is_trained_on_is_said_before(saltus):
    out = saltus.good("train", "yinyang", "--epochs", 0).out
    assert (
        "data: 5000 training, 1000 validation and 1000 test samples; 5.0 spikes a sample, the last "
        "at 0.02998 s; t_end inf s\n" in out
    )


def test_times_in_milliseconds_are_named_once(saltus, spike_file):
    result = spikes(saltus, spike_file, change=scaled(1e5))
    assert len(warnings_of(result)) == 1
    assert "look like milliseconds" in warnings_of(result)[0]


def test_input_after_the_end_is_an_error_of_its_own(saltus, spike_file):
    result = spikes(saltus, spike_file, "--t-end", 0.1, change=scaled(by=40))
    assert result.code == 2
    assert "none of the 360 input spikes comes before t_end = 0.1 s" in result.err
    result = spikes(saltus, spike_file, "--t-end", 0.1, "--initial-spikes", 0, change=scaled(by=40))
    assert result.code == 0
    assert "none of the 360 input spikes" in warnings_of(result)[0]


def test_a_silent_layer_is_named_once(saltus):
    result = saltus("train", "yinyang", "--epochs", 2, "--train-samples", 100, "--hidden", 9,
                    "--hidden-mean", -1)  # fmt: skip
    silent = ["no neuron of 'hidden' spiked in a whole epoch" in w for w in warnings_of(result)]
    assert silent == [True, False]  # after two epochs; then what that means for the test
    assert "9 silent neurons" in result.err or "12 silent neurons" in result.err


def test_a_time_constant_in_milliseconds_is_named(saltus):
    result = saltus("train", "yinyang", "--epochs", 0, "--tau-mem", 20)
    assert "hidden.tau_mem is 20 s" in warnings_of(result)[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s | {"t_max": 0.05}, ["t_max is 0.05", "trained with 0.03"]),
        (lambda s: s | {"tau_men": 0.05}, ["no setting is called 'tau_men'", "'tau_mem'"]),
    ],
)
def test_settings_that_are_not_those_of_the_model_are_refused(saltus, model, change, says):
    file = model / "settings.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    saltus.bad("eval", model, code=1, says=["settings.json", *says])


def test_a_setting_given_twice_is_refused(saltus, model):
    file = model / "settings.json"
    file.write_text(file.read_text().replace("{", '{"t_max": 0.05, ', 1))
    saltus.bad("eval", model, code=1, says=["settings.json", '"t_max" is given twice'])


def test_predict_says_a_class_for_each_test_sample(saltus, model):
    lines = saltus.good("predict", model).out.splitlines()
    assert lines[0] == "sample,label,prediction"
    rows = np.array([line.split(",") for line in lines[1:]], int)
    assert np.array_equal(rows[:, 0], np.arange(1000))
    found = saltus.good("predict", model, "--json").json
    assert found["labels"] == rows[:, 1].tolist()
    assert found["predictions"] == rows[:, 2].tolist()
    accuracy = saltus.good("eval", model, "--json").json["test_accuracy"]
    assert found["accuracy"] == accuracy == np.mean(rows[:, 1] == rows[:, 2])
    assert np.trace(found["confusion"]) == accuracy * 1000
    assert np.sum(found["confusion"]) == np.sum(rows[:, 2] >= 0)
    saltus.bad("predict", model / "none", code=1, says=["settings.json"])


def test_gzipped_spike_files_are_read(saltus, spike_file, tmp_path):
    plain, files = [], []
    for name in ("train.h5", "test.h5"):
        file = spike_file(name)
        packed = tmp_path / f"{name}.gz"
        with open(file, "rb") as source, gzip.open(packed, "wb") as target:
            target.write(source.read())
        plain.append(file)
        files.append(packed)
    results = [
        saltus.good("train", "spikes", "--train", a, "--test", b, "--epochs", 2, "--json").json
        for a, b in (plain, files)
    ]
    assert results[0]["test_loss"] == results[1]["test_loss"]
