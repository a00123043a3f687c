# SPDX-License-Identifier: Apache-2.0
"""docs/guide.md names what there is: options, figures of an epoch, losses."""

import json
import re
from pathlib import Path

GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()


def first_column(heading):
    """The names in the first column of the table below a line that starts so."""
    table = GUIDE[GUIDE.index(heading) :].split("\n\n")[1]
    return [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in table.splitlines()[2:]]


def test_every_option_of_the_guide_exists(saltus):
    known = {"--out", "--version"}
    for command in ("train", "eval", "predict", "gradcheck", "bench"):
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
