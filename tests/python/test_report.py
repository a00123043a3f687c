# SPDX-License-Identifier: Apache-2.0
"""saltus.report: what the page says is what the run was."""

import json
import re
import subprocess
import sys
import time
from xml.etree import ElementTree

import numpy as np
import pytest
import saltus

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from saltus.report.__main__ import main

from .report_pages import Page, page_of, recurrent_run, spike_data, yin_yang_run

ALWAYS = ["results", "network", "training", "activity", "parameters", "timing", "environment"]
WITH_SAMPLES = [*ALWAYS[:3], "classes", "sample", *ALWAYS[3:]]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "yin & yang"
    return folder, yin_yang_run(folder)


@pytest.fixture
def copied(run, tmp_path):
    """The run in a folder of its own, to be spoilt."""
    for file in run[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def change_epochs(folder, change):
    file = folder / "metrics.jsonl"
    epochs = [json.loads(line) for line in file.read_text().splitlines()]
    change(epochs)
    file.write_text("".join(json.dumps(epoch) + "\n" for epoch in epochs))


def test_a_run_of_fit_is_told_with_its_samples(run, tmp_path):
    folder, net = run
    assert saltus.report.write(folder) == folder / "report.html"
    page = page_of(folder, tmp_path / "page.html")
    assert page.sections == WITH_SAMPLES
    test = saltus.data.yin_yang("test")
    found = saltus.evaluate(net, test, saltus.FirstSpike(), np.inf)
    assert f"right in {100 * found.accuracy:.2f}\N{NO-BREAK SPACE}% of all 1,000" in page.words
    counts = saltus.confusion_matrix(test.labels, found.predictions, 3)
    rows = re.findall(r'<tr><th scope="row">([012])</th>((?:<td>\d+</td>){3})', page.text)
    read = [[int(n) for n in re.findall(r"\d+", cells)] for _, cells in rows]
    assert read == counts.tolist()
    assert f"{np.trace(counts)} of 1,000 are right" in page.words


def test_every_picture_says_its_figures(run):
    page = page_of(run[0])
    assert len(page.pictures) == 14
    for told in page.pictures:
        assert re.search(r"\d", told)
        assert told.endswith(".")
    history = [json.loads(line) for line in (run[0] / "metrics.jsonl").read_text().splitlines()]
    first, last = (f"{epoch['loss']:.4g}" for epoch in history)
    assert f"In training from {first} in epoch 1 to {last} in epoch 2." in page.pictures[0]


def test_a_page_needs_nothing_else_and_is_sound(run):
    page = page_of(run[0])
    assert len(page.ids) == len(set(page.ids))
    here = ("#", "data:")
    assert [link for link in page.links if not link.startswith(here)] == []
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page.text)) <= set(page.ids)
    assert not re.search(r"<script|@import|url\((?!#)", page.text)
    assert "<h1>yin &amp; yang</h1>" in page.text
    for picture in re.findall(r"<svg.*?</svg>", page.text, re.S):
        ElementTree.fromstring(picture)
    # Ink and series follow the page's colours.
    drawn = re.sub("<style>.*?</style>", "", page.text, flags=re.S)
    assert "var(--ink)" in drawn
    assert "var(--c0)" in drawn
    assert not re.search("#1b1e21|#1f6fb5|#000000|#1f77b4", drawn)


def test_the_same_run_gives_the_same_page(run, tmp_path):
    pages = [saltus.report.write(run[0], tmp_path / name).read_text() for name in "ab"]
    a, b = (re.sub(r"page drawn</th><td>[^<]*", "", page) for page in pages)
    assert a == b


def test_a_page_is_small_and_quickly_drawn(run, tmp_path):
    many = [json.loads(line) for line in (run[0] / "metrics.jsonl").read_text().splitlines()]
    for name in ("checkpoint.safetensors", "training.json"):
        (tmp_path / name).write_bytes((run[0] / name).read_bytes())
    lines = [json.dumps({**many[k % 2], "epoch": k + 1}) + "\n" for k in range(1000)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines))
    begun = time.process_time()
    page = saltus.report.write(tmp_path, threads=1)
    assert time.process_time() - begun < 5
    assert page.stat().st_size < 2e6


def test_delays_and_time_constants_are_shown(tmp_path):
    net = recurrent_run(tmp_path)
    page = page_of(tmp_path, data=spike_data())
    assert page.sections == WITH_SAMPLES
    told = {text.split(",")[0]: text for text in page.pictures}
    delays = 1e3 * net["in->hidden.delay"]
    assert f"in→hidden {delays.mean():.3g} ± {delays.std():.3g} ms" in told["Delays"]
    constants = 1e3 * net["hidden.tau_mem"]
    expected = f"hidden.tau_mem {constants.mean():.3g} ± {constants.std():.3g} ms"
    assert expected in told["Time constants"]
    assert "hidden→hidden" in told["Weights"]
    assert any(text.startswith("Adjoints") for text in page.pictures)


def test_adjoints_are_left_out_where_there_are_none(tmp_path):
    net = saltus.Sequential(
        saltus.Input(6), saltus.ALIF(10, saltus.Normal(2, 0.5)), saltus.LI(3, saltus.Normal(0, 1))
    )
    data = spike_data()
    saltus.fit(net, data, saltus.MaximumVoltage(), epochs=1, checkpoint=tmp_path, progress=False)
    page = page_of(tmp_path, data=data)
    assert page.sections == WITH_SAMPLES
    assert not any(text.startswith("Adjoints") for text in page.pictures)
    assert "dots the threshold" not in page.words  # it moves


def test_a_convolution_is_shown(tmp_path):
    conv = saltus.Conv2d(saltus.Normal(1.5, 0.5), (1, 5, 5), channels=2, size=3)
    net = saltus.Sequential(
        saltus.Input(25), saltus.LIF(weight=conv), saltus.LI(3, saltus.Normal(0, 1))
    )
    data = spike_data(channels=25)
    saltus.fit(net, data, saltus.IntegratedVoltage(), epochs=1, checkpoint=tmp_path, progress=False)
    assert page_of(tmp_path, data=data).sections == WITH_SAMPLES


def test_without_data_the_page_says_so(tmp_path):
    recurrent_run(tmp_path)
    page = page_of(tmp_path)
    assert page.sections == ALWAYS
    assert "The folder does not say where the test data are" in page.words


def test_a_loss_of_ones_own_is_asked_for(tmp_path):
    class Mine(saltus.IntegratedVoltage):
        def __call__(self, record, labels):
            return super().__call__(record, labels)

    recurrent_run(tmp_path, Mine())
    page = page_of(tmp_path, data=spike_data())
    assert page.sections == ALWAYS
    assert "Mine is not one of the library" in page.words
    assert page_of(tmp_path, data=spike_data(), loss=Mine()).sections == WITH_SAMPLES


def test_samples_can_be_chosen(run, tmp_path):
    page = page_of(run[0], tmp_path / "page.html", samples=7)
    assert "of 7 of 1,000 test samples" in page.words
    with pytest.raises(ValueError, match="samples is -1"):
        saltus.report.write(run[0], samples=-1)


def test_one_epoch_is_enough(copied):
    change_epochs(copied, lambda epochs: epochs.pop())
    page = page_of(copied)
    assert page.sections == WITH_SAMPLES
    assert "trained on Yin-Yang for 1 epoch." in page.words


def test_an_infinite_step_is_no_fault(copied):
    change_epochs(copied, lambda epochs: epochs[1].update(believable_step="infinite"))
    assert page_of(copied).sections == WITH_SAMPLES


def test_no_epoch_is_said(copied):
    (copied / "metrics.jsonl").unlink()
    page = page_of(copied)
    assert page.sections == [s for s in WITH_SAMPLES if s not in ("training", "activity", "timing")]
    assert "nothing is known of the course of the training" in page.words


def test_a_run_that_was_stopped_says_so(copied):
    def stop(epochs):
        epochs[1] |= {"complete": False, "validation_loss": None, "validation_accuracy": None}

    change_epochs(copied, stop)
    page = page_of(copied)
    assert page.sections == WITH_SAMPLES
    assert "for 1 epoch, stopped within epoch 2." in page.words


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("every", [False, True])
def test_a_loss_that_is_no_number_is_said(copied, every):
    def lose(epochs):
        for epoch in epochs if every else epochs[1:]:
            epoch.update(dict.fromkeys(("loss", "gradient_norm", "validation_loss")))

    change_epochs(copied, lose)
    page = page_of(copied)
    assert page.sections == WITH_SAMPLES
    said = "2 of 2 epochs: 1, 2." if every else "1 of 2 epochs: 2."
    assert f"The loss was no finite number in {said}" in page.words


def test_what_was_asked_for_wrongly_is_refused(copied, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("empty")
    with pytest.raises(OSError, match=r"holds neither model\.safetensors nor"):
        saltus.report.write(elsewhere)
    with pytest.raises(OSError, match="nowhere does not exist; expected what `saltus train"):
        saltus.report.write(elsewhere / "nowhere")
    with pytest.raises(OSError, match="is no folder"):
        saltus.report.write(copied / "checkpoint.safetensors")
    with pytest.raises(OSError, match="is no regular file"):
        saltus.report.write(copied, elsewhere)
    with pytest.raises(TypeError, match="samples"):
        saltus.report.write(copied, samples=1.5)
    with pytest.raises(ValueError, match="6 channels; expected 5"):
        saltus.report.write(copied, data=spike_data())
    for spoilt in ("[1]", "{}", '{"epoch": 1, "loss": "low"}', "[" * 100_000):
        (copied / "metrics.jsonl").write_text(spoilt)
        with pytest.raises(ValueError, match=r"metrics\.jsonl: line 1 is not an epoch's line"):
            saltus.report.write(copied)
    for spoilt, said in (("{", "is not JSON"), ("[]", "holds list")):
        (copied / "training.json").write_text(spoilt)
        with pytest.raises(ValueError, match=said):
            saltus.report.write(copied)
    assert list(elsewhere.iterdir()) == []
    assert [p for p in copied.iterdir() if p.name.startswith(".report")] == []


def test_the_module_is_a_program(run, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main([str(run[0]), "--out", str(page), "--samples", "10"]) == 0
    assert capsys.readouterr().out == f"report: {page}\n"
    assert Page(page.read_text()).sections == WITH_SAMPLES
    assert main([str(tmp_path)]) == 1
    assert "holds neither model.safetensors" in capsys.readouterr().err
    assert main([str(run[0]), "--samples", "-3"]) == 2
    assert capsys.readouterr().err.startswith("saltus: samples is -3; expected 0 to ")


def test_without_matplotlib_it_says_what_to_install(run):
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from saltus.report.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    line = [sys.executable, "-c", program, str(run[0])]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("saltus: the page needs the Python package matplotlib")
    assert done.stderr.endswith("-m pip install matplotlib\n")
