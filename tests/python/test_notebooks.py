# SPDX-License-Identifier: Apache-2.0
"""What objects show in notebooks and at prompts, what keeps a history, and where epochs go."""

import json
import sys
from html.parser import HTMLParser
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import saltus

from .networks import random_batch, recurrent_net


class Table(HTMLParser):
    """Reads cells, and refuses tags that are not closed."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] in (["td"], ["th"]):
            self.rows[-1][-1] += data


def rows(shown):
    return Table(shown._repr_html_()).rows


def train(epochs=2, **options):
    net = saltus.Sequential(saltus.Input(5), saltus.LIF(10, seedless), saltus.LIF(3, seedless))
    data = saltus.data.yin_yang(n=40)
    options = {"progress": False, "validation": data[:10], **options}
    return saltus.fit(net, data, saltus.FirstSpike(), np.inf, epochs=epochs, **options)


def seedless(shape, rng):
    return np.full(shape, 30 / shape[0])


def test_a_network_is_a_table_of_its_parts():
    net = recurrent_net()
    net.add_population("<b>", "LIF", 2, tau_mem=[1e-2, 3e-2])
    shown = rows(net)
    assert ["<b>", "LIF", "2", "tau_mem 0.01 to 0.03"] in shown
    assert len(shown) == 1 + len(net.populations) + len(net.projections)
    of = next(row for row in shown if row[0] == "in->hidden")
    assert of[1:3] == ["in to hidden", "20"]
    assert of[3].startswith("delay 0.00")
    assert rows(saltus.Network()) == [["name", "what", "neurons or synapses", "not as usual"]]


def test_a_record_says_how_often_neurons_spike():
    batch = random_batch(np.random.default_rng(0))
    record = saltus.simulate(recurrent_net(), {"in": batch}, 0.05)
    each = len(record.spikes("hidden")) / 3
    assert ["hidden", "LIF", "5", f"{each:.4g}"] in rows(record)
    assert ["out", "LI", "2", ""] in rows(record)
    count = len(record.spikes("hidden").times)
    assert repr(record.spikes("hidden")) == f"<saltus.Spikes: {count} spikes in 3 samples>"


def test_a_data_set_says_what_it_holds():
    data = saltus.data.yin_yang(n=7)
    assert ["samples", "7"] in rows(data)
    assert ["spikes a sample", "5"] in rows(data)
    assert ["spikes a sample", "0"] in rows(data[:0])


def test_a_history_is_a_table_and_a_short_line():
    history = train()
    table = rows(history)
    assert table[0] == [
        "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "lr"
    ]  # fmt: skip
    assert [row[1] for row in table[1:]] == [f"{loss:.4g}" for loss in history["loss"]]
    assert repr(history).startswith(f"<saltus.History: 2 epochs, last loss {history[1].loss:.4g}, ")
    assert len(repr(history)) < 100
    assert repr(saltus.History()) == "<saltus.History: 0 epochs>"


def test_a_history_goes_through_a_dict_and_json():
    history = train(validation=None)
    assert saltus.History.from_dict(history.to_dict()) == history
    assert saltus.History.from_json(history.to_json()) == history
    assert list(history.to_dict()) == list(saltus.Epoch.__dataclass_fields__)
    odd = history.to_dict() | {"gradient_norm": [np.inf, 1.0]}
    text = saltus.History.from_dict(odd).to_json()
    assert json.loads(text, parse_constant=pytest.fail)["gradient_norm"] == [None, 1.0]
    for change, message in (
        ({"lss": [1, 2]}, "columns: has an unknown 'lss'; expected epoch, loss"),
        ({"loss": [1.0]}, "columns have the lengths .*expected the same"),
    ):
        with pytest.raises(ValueError, match=message):
            saltus.History.from_dict(history.to_dict() | change)
    with pytest.raises(ValueError, match="columns: has no 'accuracy'"):
        saltus.History.from_dict({k: v for k, v in history.to_dict().items() if k != "accuracy"})
    with pytest.raises(ValueError, match="expected a JSON object of columns; got list"):
        saltus.History.from_json("[]")


def test_histories_are_joined_and_count_on():
    first, second = train(2), train(3)
    both = first + second
    assert both["epoch"] == [1, 2, 3, 4, 5]
    assert both["loss"] == first["loss"] + second["loss"]
    assert first["epoch"] == [1, 2]
    assert (first + second[1:])["epoch"] == [1, 2, 3, 4]
    assert saltus.History() + first == first
    assert isinstance(both[1:3], saltus.History)
    with pytest.raises(TypeError):
        first + 1


class Bar:
    made: ClassVar = []

    def __init__(self, total, initial, unit):
        self.total, self.n, self.said, self.closed = total, initial, [], False
        Bar.made.append(self)

    def set_description(self, text, refresh):
        self.description = text

    def set_postfix_str(self, text, refresh):
        self.said.append(text)

    def update(self, n):
        assert n >= 0
        self.n += n

    def close(self):
        self.closed = True


def notebook(monkeypatch, shell):
    ipython = ModuleType("IPython")
    ipython.get_ipython = type(shell, (), {})
    monkeypatch.setitem(sys.modules, "IPython", ipython)


def test_a_notebook_has_a_bar_of_tqdm(monkeypatch, capsys):
    notebook(monkeypatch, "ZMQInteractiveShell")
    monkeypatch.setitem(sys.modules, "tqdm", ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", SimpleNamespace(tqdm=Bar))
    Bar.made.clear()
    history = train(2, progress=True)
    (bar,) = Bar.made
    assert bar.n == bar.total == 80
    assert bar.closed
    assert f"loss {history[1].loss:.4f}" in bar.said[-1]
    assert "validation" in bar.said[-1]
    assert bar.description == "epoch 2/2"
    assert "loss" not in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["tqdm", "notebook"])
def test_elsewhere_lines_are_written(monkeypatch, capsys, missing):
    notebook(monkeypatch, "ZMQInteractiveShell" if missing == "tqdm" else "TerminalShell")
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # cannot be imported
    train(2, progress=True)
    assert capsys.readouterr().err.count("loss") >= 2


class Writer:
    def __init__(self, folder):
        self.folder, self.found = folder, []
        Writer.last = self

    def add_scalar(self, name, value, step):
        self.found.append((name, value, step))

    def flush(self):
        self.flushed = len(self.found)


def test_tensorboard_gets_the_numbers_of_each_epoch(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "tensorboardX", SimpleNamespace(SummaryWriter=Writer))
    history = train(callbacks=[saltus.TensorBoard(tmp_path / "runs", prefix="yy")])
    assert Writer.last.folder == str(tmp_path / "runs")
    assert Writer.last.flushed == len(Writer.last.found)
    found = {(name, step): value for name, value, step in Writer.last.found}
    assert found["yy/loss", 2] == history[1].loss
    assert found["yy/validation_accuracy", 1] == history[0].validation_accuracy
    assert ("yy/silent_populations", 1) not in found  # no number
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        saltus.TensorBoard(tmp_path)


def test_mlflow_gets_the_numbers_of_each_epoch(monkeypatch):
    found = {}
    fake = SimpleNamespace(log_metrics=lambda metrics, step: found.update({step: metrics}))
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    history = train(callbacks=[saltus.MLflow()], validation=None)
    assert [found[step]["saltus.loss"] for step in (1, 2)] == history["loss"]
    assert "saltus.validation_loss" not in found[1]
    assert all(type(value) is float for value in found[1].values())
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match="pip install mlflow"):
        saltus.MLflow()
