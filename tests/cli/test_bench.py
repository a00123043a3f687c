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
    phases = dict(found["train_phases_us_per_sample"])
    assert sum(phases.values()) == pytest.approx(found["train_us_per_sample"])
    assert all(us > 0 for us in phases.values())


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
        (("cliffs", "--only", "alif,cliff"), ["'cliff'", "fast-path, ratio-not-whole"]),
        (("cliffs", "--rounds", "0"), ["rounds is 0"]),
        (("cliffs", "--hidden", "8,8"), ["hidden", "2 layers", "expected one"]),
        (("cliffs", "--data", "/nowhere"), ["/nowhere"]),
        (("cliffs", "--delay", "0"), ["--delay", "recurrent"]),
        (("spikes",), ["--train"]),
        (("spikes", "--train", "/nowhere"), ["/nowhere"]),
        (("yinyang", "--only", "alif"), ["--only", "cliffs"]),
        (("yinyang", "--neurons", "100"), ["--neurons", "large"]),
        (("large", "--neurons", "0"), ["neurons lists 0"]),
        (("large", "--rounds", "0"), ["rounds is 0"]),
        (("large", "--hidden", "8"), ["--hidden", "mnist and"]),
        (("large", "--precision", "float16"), ["precision", "float16"]),
        (("large", "--t-end", "-1"), ["t_end", "-1"]),
    ],
)
def test_wrong_arguments(saltus, arguments, says):
    code = 1 if "/nowhere" in arguments else 2
    saltus.bad("bench", *arguments, code=code, says=says)


def cliffs(saltus, *arguments):
    small = ("--hidden", 16, "--batch", 8)
    found = saltus.good("bench", "cliffs", *small, *arguments, "--json").json
    assert set(found) == {"rows", "kernel", "version", "commit"}
    return {row["name"]: row for row in found["rows"]}


def test_cliffs_are_measured_beside_the_fast_path(saltus):
    rows = cliffs(saltus, "--only", "tau-mem-per-neuron,train-delay")
    assert list(rows) == ["fast-path", "tau-mem-per-neuron", "train-delay"]
    keys = {f"{what}_{of}" for what in ("forward", "backward", "train") for of in ("us", "ratio")}
    for row in rows.values():
        assert set(row) == keys | {"name", "description", "spikes"}
        assert row["spikes"] == pytest.approx(16 * 1.6, rel=0.5)
        for key in keys:
            assert row[key] > 0, key
    assert all(rows["fast-path"][key] == 1 for key in keys if key.endswith("_ratio"))


def test_every_cliff_can_be_measured(saltus):
    names = set(cliffs(saltus, "--seed", 3, "--rounds", 1))
    assert {"fast-path", "alif", "recurrent", "train-all", "ghosts", "float64"} <= names
    assert len(names) >= 29


def test_cliffs_of_images(saltus, images):
    rows = cliffs(saltus, "--data", images(), "--only", "fast-path", "--threads", 2)
    assert list(rows) == ["fast-path"]


def test_a_table_of_cliffs_for_people(saltus):
    small = ("--hidden", 16, "--batch", 4, "--rounds", 1)
    out = saltus.good("bench", "cliffs", *small, "--only", "float64").out
    assert "fast-path" in out
    assert "--precision float64" in out


LARGE = {
    "neurons", "synapses", "spikes", "rate", "synaptic_events", "build_s", "forward_s",
    "backward_s", "forward_ns_per_synaptic_event", "backward_ns_per_synaptic_event",
    "largest_gradient", "peak_mib",
}  # fmt: skip


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_large_networks(saltus, precision):
    arguments = ("--neurons", "600,300", "--rounds", 1, "--t-end", 0.1, "--precision", precision)
    found = saltus.good("bench", "large", *arguments, "--json").json
    assert [row["neurons"] for row in found["rows"]] == [300, 600]
    for row in found["rows"]:
        assert set(row) == LARGE
        assert row["synapses"] == 100 * row["neurons"]
        assert row["rate"] == pytest.approx(row["spikes"] / row["neurons"] / 0.1)
        assert 0 < row["synaptic_events"] < 120 * row["spikes"]
        assert row["largest_gradient"] > 0


def test_a_table_of_large_networks_for_people(saltus):
    out = saltus.good("bench", "large", "--neurons", 300, "--rounds", 1, "--t-end", 0.1).out
    assert "100 synapses into each neuron" in out
    assert "MiB" in out


@pytest.mark.parametrize("arguments", [(), ("--recurrent", "--hidden", 8, "--t-end", 0.2)])
def test_spikes_from_a_file(saltus, spike_file, arguments):
    found = saltus.good("bench", "spikes", "--train", spike_file("a.h5"), *arguments, "--json").json
    assert found["task"] == "spikes"
    assert found["samples"] == 60
    assert found["input_spikes_per_sample"] == 6
    assert all(found[key] > 0 for key in KEYS - {"kernel", "precision"})
