# SPDX-License-Identifier: Apache-2.0
"""saltus report: finds a Python, and what that says is what the command says."""

import json
import os
import re
import sys

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

SAMPLES = {"classes", "sample"}


@pytest.fixture
def report(saltus, monkeypatch):
    """report(...) is a good `saltus report`, with the Python of the tests; returns the page."""
    monkeypatch.setenv("SALTUS_PYTHON", sys.executable)
    monkeypatch.delenv("SALTUS_DATA", raising=False)

    def run(folder, *arguments):
        page = folder / "report.html"
        out = saltus.good("report", folder, *arguments).out
        assert out == f"report: {page}\n"
        return page.read_text(encoding="utf-8")

    return run


def sections(page):
    return set(re.findall(r'<section id="(\w+)"', page))


def test_a_page_about_yin_yang(saltus, report, model):
    page = report(model)
    assert sections(page) > SAMPLES
    found = saltus.good("eval", model, "--json").json
    accuracy = f"{100 * found['test_accuracy']:.2f}\N{NO-BREAK SPACE}%"
    assert f"<dt>test accuracy</dt><dd>{accuracy}</dd>" in page
    assert f"<dt>test loss</dt><dd>{found['test_loss']:.4g}</dd>" in page
    assert 'id="map-' in page or "Decision map" in page
    version = saltus.good("--version").out.strip()
    assert f'<th scope="row">command</th><td>{version}</td>' in page


def test_wrong_images_are_shown_where_the_data_are_found(saltus, report, images, tmp_path):
    old, run = images("old"), tmp_path / "run"
    saltus.good("train", "mnist", "--data", old, "--validation", 20, "--epochs", 1, "--lr", "1e-9",
                "--hidden", 10, "--out", run)  # fmt: skip
    page = report(run)
    assert sections(page) > SAMPLES
    found = saltus.good("predict", run, "--json").json
    pairs = list(zip(found["labels"], found["predictions"], strict=True))
    wrong = [f"{label} for {taken}" for label, taken in pairs if label != taken and taken >= 0]
    shown = re.search(r"The first 15 of (\d+) that are wrong, label → prediction: ([^.]*)\.", page)
    assert int(shown[1]) == sum(label != taken for label, taken in pairs)
    assert [w for w in shown[2].split(", ") if "none" not in w] == wrong[:15]

    new = old.rename(tmp_path / "new")
    page = report(run)
    assert not sections(page) & SAMPLES
    assert f"The test data are not in {old} any more: --data says where they are." in page
    assert sections(report(run, "--data", new)) > SAMPLES
    saltus.bad("report", run, "--data", old, code=1, says=[str(old), "does not exist"])


def test_data_are_found_in_the_folder_of_all(saltus, report, images, tmp_path, monkeypatch):
    old, run = images("digits"), tmp_path / "run"
    saltus.good("train", "mnist", "--data", old, "--validation", 20, "--epochs", 1, "--hidden", 10,
                "--out", run)  # fmt: skip
    (tmp_path / "all").mkdir()
    old.rename(tmp_path / "all" / "digits")
    monkeypatch.setenv("SALTUS_DATA", str(tmp_path / "all"))
    assert sections(report(run)) > SAMPLES


def test_a_page_about_spikes(saltus, report, spike_file, tmp_path):
    train, test, run = spike_file("train.h5"), spike_file("test.h5"), tmp_path / "run"
    saltus.good("train", "spikes", "--train", train, "--test", test, "--hidden", 20, "--recurrent",
                "--epochs", 1, "--out", run)  # fmt: skip
    assert sections(report(run)) > SAMPLES
    (tmp_path / "new").mkdir()
    moved = test.rename(tmp_path / "new" / "test.h5")
    assert not sections(report(run)) & SAMPLES
    for place in (["--data", moved.parent], ["--test", moved]):
        assert sections(report(run, *place)) > SAMPLES


def test_layers_are_shown(saltus, report, images, tmp_path):
    saltus.good("train", "mnist", "--data", images(size=12), "--validation", 20, "--epochs", 1,
                "--layers", "conv:3x3,pool:2,10", "--out", tmp_path / "run")  # fmt: skip
    assert sections(report(tmp_path / "run")) > SAMPLES


def test_what_cannot_be_shown_is_an_error_in_a_line(saltus, report, model, tmp_path):
    saltus.bad("report", tmp_path / "nowhere", code=1, says=["nowhere does not exist"])
    saltus.bad("report", tmp_path, code=1, says=["holds neither model.safetensors nor"])
    saltus.bad("report", model, "--samples", "few", code=2, says=["--samples is 'few'"])
    saltus.bad("report", model, "--out", tmp_path / "no" / "page", code=1, says=["No such file"])
    (model / "metrics.jsonl").write_text(json.dumps({"epoch": None}) + "\n")
    saltus.bad("report", model, code=2, says=["metrics.jsonl: line 1"])


def test_a_python_without_the_package_says_what_to_install(saltus, report, tmp_path, monkeypatch):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv("SALTUS_PYTHON", str(bare))
    saltus.bad("report", tmp_path, code=1, says=["package saltus", "-m pip install '.[plot]'"])
    monkeypatch.setenv("SALTUS_PYTHON", os.fspath(tmp_path / "missing"))
    saltus.bad("report", tmp_path, code=1, says=["cannot run", "missing", "SALTUS_PYTHON"])


def test_what_lies_in_the_present_folder_is_not_imported(saltus, report, model, monkeypatch):
    (model.parent / "matplotlib.py").write_text("raise SystemExit('taken for matplotlib')\n")
    monkeypatch.chdir(model.parent)
    assert sections(report(model)) > SAMPLES


def test_a_graph_with_two_inputs_has_no_map(saltus, tmp_path):
    config, run = tmp_path / "two.toml", tmp_path / "run"
    config.write_text(
        'task = "yinyang"\n'
        '[[population]]\nname = "a"\nmodel = "input"\nsize = 2\n'
        '[[population]]\nname = "b"\nmodel = "input"\nsize = 3\n'
        '[[population]]\nname = "h"\nmodel = "LIF"\nsize = 12\n'
        '[[projection]]\nfrom = "a"\nto = "h"\n'
        '[[projection]]\nfrom = "b"\nto = "h"\n'
        '[[projection]]\nfrom = "h"\nto = "out"\n'
    )
    saltus.good("train", "--config", config, "--epochs", 1, "--train-samples", 100, "--out", run)
    saltus.good("report", run)
    assert "Confusion matrix" in (run / "report.html").read_text()
