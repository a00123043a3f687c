# SPDX-License-Identifier: Apache-2.0
"""What scripts/hostile.py and scripts/kills.py do at length (docs/reliability.md), in small."""

import subprocess
import sys

import pytest

from tests.cli.conftest import REPOSITORY


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, REPOSITORY / "scripts" / script, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.usefixtures("saltus")
def test_damaged_files_of_every_kind_are_errors_that_name_them():
    rows = run("hostile.py", "--each", 40).splitlines()[2:]
    assert len(rows) == 14
    for line in rows:
        _, name, damaged, refused, same, other, *_ = [cell.strip() for cell in line.split("|")]
        assert int(damaged) == 40 == int(refused) + int(same) + int(other), line
        assert int(refused) > 10, name
        assert int(other) == 0 or "zipped" not in name, name


@pytest.mark.usefixtures("saltus")
def test_trainings_that_are_killed_go_on_to_the_same_bits():
    assert run("kills.py", "--kills", 10, "--seed", 1).startswith("10 of 10 kills survived")
