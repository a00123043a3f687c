# SPDX-License-Identifier: Apache-2.0
"""Networks of any graph in settings: [[population]] and [[projection]]."""

import json
import re
import tomllib

import pytest

from tests.cli.conftest import REPOSITORY

SMALL = ["--train-samples", 300]


@pytest.fixture
def graph(saltus, tmp_path):
    """What `saltus init graph` writes."""
    file = tmp_path / "graph.toml"
    saltus.good("init", "graph", "--out", file)
    return file


def model_of(folder):
    return (folder / "model.safetensors").read_bytes()


def test_init_writes_a_commented_example_that_trains(saltus, graph, tmp_path):
    text = graph.read_text()
    assert max(map(len, text.splitlines())) <= 100
    written = tomllib.loads(text)
    assert [p["name"] for p in written["population"]] == ["first", "second", "out"]
    for table in "population", "projection":
        for name in {name for row in written[table] for name in row} & {"name", "from", "weight"}:
            assert any(
                line.startswith(name) and before.startswith("# ")
                for before, line in zip(text.splitlines(), text.splitlines()[1:], strict=False)
            ), name
    assert "hidden" not in written["network"]  # of layers alone
    run = tmp_path / "run"
    found = saltus.good("train", "--config", graph, "--train-samples", 1000, "--epochs", 4,
                        "--out", run, "--json").json  # fmt: skip
    assert found["test_accuracy"] > 0.6
    assert "first->first" in saltus.good("info", run).out


def test_a_saved_run_holds_all_settings_and_gives_its_bits_again(saltus, graph, tmp_path):
    one, again, by_toml = tmp_path / "one", tmp_path / "again", tmp_path / "by_toml"
    saltus.good("train", "--config", graph, *SMALL, "--epochs", 2, "--out", one, "--quiet")
    kept = json.loads((one / "settings.json").read_text())
    assert len(kept["projection"]) == 6
    saltus.good("train", "--config", one, "--out", again, "--threads", 2, "--quiet")
    assert model_of(again) == model_of(one)
    saltus.good("train", "--config", graph, *SMALL, "--epochs", 2, "--out", by_toml, "--quiet")
    assert model_of(by_toml) == model_of(one)


def test_a_run_is_resumed_evaluated_and_looked_at(saltus, graph, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    saltus.good("train", "--config", graph, *SMALL, "--epochs", 2, "--out", whole, "--quiet")
    saltus.good("train", "--config", graph, *SMALL, "--epochs", 1, "--out", parts, "--quiet")
    saltus.bad("train", "--resume", parts, "--hidden", 3, code=2, says=["--hidden is of layers"])
    saltus.good("train", "--resume", parts, "--epochs", 2, "--quiet")
    assert model_of(parts) == model_of(whole)
    trained = saltus.good("eval", whole, "--json").json
    assert 0 < trained["test_accuracy"] <= 1
    assert len(saltus.good("predict", whole).out.splitlines()) == 1001
    info = saltus.good("info", whole, "--json").json
    assert info["changed"]["population"]["default"] is None


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('name = "second"', 'naem = "second"', ["population[1].naem", "did you mean 'name'?"]),
        ('to = "second"', 'to = "secnod"', ["projection[2].to", "did you mean 'second'?"]),
        ("tau_ref = 0.001", "tau_reff = 0.001", ["population[0].tau_reff", "'tau_ref'?"]),
        ("probability = 0.2", "probability = 2", ["projection[1].probability is 2"]),
        ("size = 60", "size = 0", ["population[0].size is 0; expected 1 to"]),
        ("size = 60", "size = -1", ["population[0].size is -1; expected a whole number"]),
    ],
)
def test_errors_name_the_line_and_the_nearest(saltus, graph, before, after, says):
    lines = graph.read_text().splitlines()
    number = next(k for k, line in enumerate(lines) if line == before)
    lines[number] = after
    graph.write_text("\n".join(lines) + "\n")
    says = [f"{graph}:{number + 1}: ", *says]
    saltus.bad("train", "--config", graph, *SMALL, code=2, says=says)


def test_the_example_of_the_guide_trains(saltus, tmp_path):
    blocks = re.findall(r"```toml\n(.*?)```", (REPOSITORY / "docs/guide.md").read_text(), re.S)
    file = tmp_path / "guide.toml"
    file.write_text(next(block for block in blocks if "[[population]]" in block))
    saltus.good("train", "--config", file, *SMALL, "--epochs", 1, "--quiet")


def test_options_of_layers_are_refused(saltus, graph):
    for option in ["--hidden", 3], ["--layers", "3"], ["--recurrent"], ["--initial-spikes", 1]:
        saltus.bad("train", "--config", graph, *option, code=2, says=[option[0], "of layers"])


def test_it_learns_from_spike_files_too(saltus, spike_file, tmp_path):
    file = tmp_path / "two.toml"
    file.write_text(
        f"""task = "spikes"
[data]
train_file = "{spike_file("train.h5")}"
test_file = "{spike_file("test.h5", n=30)}"
[optimiser]
epochs = 40
[[population]]
name = "left"
model = "input"
size = 2
[[population]]
name = "right"
model = "input"
size = 4
[[population]]
name = "hidden"
model = "LIF"
synapse = "alpha"
size = 30
tau_mem = 0.02
tau_syn = 0.005
[[projection]]
from = "left"
to = "hidden"
[[projection]]
from = "right"
to = "hidden"
delay = 1e-3
[[projection]]
from = "hidden"
to = "out"
[[projection]]
from = "left"
to = "out"
"""
    )
    run = tmp_path / "run"
    saltus.good("train", "--config", file, "--out", run, "--quiet")
    assert saltus.good("eval", run, "--json").json["test_accuracy"] > 0.4
