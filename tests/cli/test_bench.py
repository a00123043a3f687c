# SPDX-License-Identifier: Apache-2.0
import pytest

KEYS = {
    "forward_ns_per_synaptic_event", "backward_ns_per_synaptic_event",
    "floor_ns_per_synaptic_event", "scalar_forward_ns_per_synaptic_event",
    "input_spikes_per_sample", "hidden_spikes_per_sample", "train_us_per_sample",
    "threads", "kernel", "precision",
}  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("yinyang",),
        ("yinyang", "--precision", "float64", "--hidden", 20),
        ("synthetic", "--batch", 8, "--hidden", 64),
        ("recurrent", "--batch", 2, "--hidden", 32, "--delay", 0),
        ("recurrent", "--batch", 2, "--hidden", 32, "--kernel", "scalar"),
    ],
)
def test_every_benchmark_gives_its_figures(saltus, arguments):
    found = saltus.good("bench", *arguments, "--json").json
    assert set(found) >= KEYS
    for key in KEYS - {"kernel", "precision"}:
        assert found[key] > 0, key
    assert found["forward_ns_per_synaptic_event"] > found["floor_ns_per_synaptic_event"]
    assert (found["kernel"] == "scalar") == ("scalar" in arguments)


def test_events_are_counted_as_arriving_spikes_times_targets(saltus):
    found = saltus.good("bench", "yinyang", "--json").json
    expected = 200 * found["input_spikes_per_sample"] + 3 * found["hidden_spikes_per_sample"]
    assert found["synaptic_events_per_sample"] == pytest.approx(expected)
    assert found["input_spikes_per_sample"] == 5


def test_a_table_for_people(saltus):
    out = saltus.good("bench", "synthetic", "--batch", 4, "--hidden", 16).out
    assert "per synaptic event" in out
    assert "x floor" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("mnist",), ["--data"]),
        (("mnist", "--data", "/nowhere"), ["/nowhere"]),
        (("yinyang", "--kernel", "fast"), ["--kernel", "fast", "vector or scalar"]),
        (("synthetic", "--stretch", "0.5"), ["--stretch", "0.5"]),
        (("yinyang", "--precision", "float16"), ["precision", "float16"]),
        (("recurrent", "--delay", "nan"), ["recurrent_delay", "nan"]),
        (("recurrent", "--batch", "0"), ["--batch is 0"]),
    ],
)
def test_wrong_arguments(saltus, arguments, says):
    code = 1 if "/nowhere" in arguments else 2
    saltus.bad("bench", *arguments, code=code, says=says)
