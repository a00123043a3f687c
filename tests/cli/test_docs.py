# SPDX-License-Identifier: Apache-2.0
"""docs/guide.md names what there is: options, figures of an epoch, losses. What the pages tell a
reader to type runs, one line after the other, on small data."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.test_adjoint import recording

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GUIDE = (ROOT / "docs" / "guide.md").read_text()


def first_column(heading):
    """The names in the first column of the table below a line that starts so."""
    table = GUIDE[GUIDE.index(heading) :].split("\n\n")[1]
    return [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in table.splitlines()[2:]]


def test_every_option_of_the_guide_exists(saltus):
    known = {"--out", "--version"} | {"--map-by", "--bind-to", "--oversubscribe"}  # of mpirun
    commands = ("train", "init", "eval", "info", "predict", "adjoint", "report", "gradcheck",
                "bench")  # fmt: skip
    for command in commands:
        known |= set(re.findall(r"--[\w-]+", saltus.good(command, "--help").out))
    commands = re.findall(r"saltus [^`\n]*", GUIDE)
    options = set(re.findall(r"`(--[\w-]+)", GUIDE)) | set(re.findall(r"--[\w-]+", str(commands)))
    assert options <= known


def test_the_guide_names_every_figure_of_an_epoch(saltus, tmp_path):
    saltus.good("train", "yinyang", "--epochs", 1, "--train-samples", 50, "--out", tmp_path)
    line = json.loads((tmp_path / "metrics.jsonl").read_text())
    named = [name for row in first_column("**`metrics.jsonl`**") for name in row]
    assert sorted(named) == sorted(line)


def test_the_guide_names_every_loss(saltus):
    named = [name for row in first_column("`--loss`, or `LossSettings`") for name in row]
    listed = re.search(r"--loss TEXT +(.*)", saltus.good("train", "--help").out)[1]
    assert named == re.split(", | or ", listed)


def typed(page):
    """What a reader types of a page's blocks, without comments: lines behind a $, or indented."""
    text = page.read_text()
    lines = re.findall(r"^\$ (.*)", text, re.M)
    programs = r"(?:saltus|build/saltus|make|pip|python|cmake)"
    indented = re.sub(r"```.*?```", "", text, flags=re.S)
    lines += re.findall(rf"^ {{4}}({programs} .*)", indented, re.M)
    return [re.sub(r"\s+#.*", "", line) for line in lines]


def small(line, resumed):
    """The same command of the same options, but of seconds."""
    words = line.split(">")[0].split()[1:]
    values = {"--networks": 3} if words[0] == "gradcheck" else {}
    if words[0] == "train" and "--help" not in words:
        values = {"--epochs": 1, "--train-samples": 60}
        if "yinyang" not in words and "--config" not in words:
            values["--validation"] = 20
        if "--resume" in words:  # the settings of before, but for the end
            values = {"--epochs": 1 + resumed}
    if words[:2] == ["bench", "cliffs"]:
        values = {"--rounds": 1, "--only": "fast-path,refractory"}
    for name, value in values.items():
        if name in words:
            words[words.index(name) + 1] = str(value)
        else:
            words += [name, str(value)]
    return words


def pages(pattern):
    """Those on which a line begins so."""
    return [page for page in PAGES if any(re.match(pattern, line) for line in typed(page))]


@pytest.mark.parametrize("page", pages(r"(build/)?saltus "), ids=lambda page: page.stem)
def test_what_a_page_tells_to_type_runs(page, saltus, images, spike_file, tmp_path):
    images("mnist", train=5300, size=12)  # the first 5000 are for validation, usually
    for name in ("a.h5", "b.h5", "my_train.h5", "my_test.h5"):
        spike_file(name)
    recording(tmp_path / "chip.safetensors", hidden=[[(0.02, 0)]] * 1000, out=[[]] * 1000)
    resumed = 0
    for line in typed(page):
        if line.startswith(("saltus ", "build/saltus ")):
            resumed += "--resume" in line
            saltus.good(*small(line, resumed), cwd=tmp_path)


@pytest.mark.parametrize("page", pages(r"make |python |\S+\.py "), ids=lambda page: page.stem)
def test_what_else_a_page_tells_to_type_is_there(page):
    targets = (ROOT / "Makefile").read_text()
    for line in typed(page):
        program, *words = shlex.split(line)
        if program == "make":
            assert f"\n{words[0]}:" in targets, line
        script = next((word for word in [program, *words] if word.endswith(".py")), None)
        if script:  # tests/python/test_examples.py runs those of examples/
            text = (ROOT / script).read_text()
            for option in re.findall(r"--[\w-]+", line):
                assert f'"{option}"' in text, line
