# SPDX-License-Identifier: Apache-2.0
"""A user's script is clean under strict type checkers, and does what they think it does."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "typed_script.py"


def run(*command):
    result = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return result.returncode, result.stdout + result.stderr


def needs(*modules):
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


def pyright(script, folder):
    settings = {"include": [str(script)], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    return run("-m", "basedpyright", "-p", folder, "--pythonpath", sys.executable)


def test_the_script_runs():
    needs("torch")
    code, said = run(SCRIPT)
    assert code == 0, said


def test_mypy_finds_nothing_in_strict_mode():
    needs("torch", "mypy")
    code, said = run("-m", "mypy", "--strict", SCRIPT)
    assert code == 0, said


def test_mypy_finds_nothing_in_the_examples():
    needs("torch", "mypy")
    # Tensor.backward of PyTorch has no types.
    command = ("-m", "mypy", "--strict", "--allow-untyped-calls")
    code, said = run(*command, *sorted((ROOT / "examples").glob("*.py")))
    assert code == 0, said


def test_pyright_finds_nothing_in_strict_mode(tmp_path):
    needs("torch", "basedpyright")
    code, said = pyright(SCRIPT, tmp_path)
    assert code == 0, said


WRONG = """\
import saltus
print(saltus.LIF(3, tau=1e-3))
print(saltus.LIF(3, name=1.0))
print(saltus.History()["loss"].upper)
saltus.fit(saltus.Network(), saltus.data.yin_yang(), saltus.FirstSpike(), epoch=1)
saltus.FirstSpike(readout=3)
"""


def test_what_is_wrong_is_found_before_it_runs(tmp_path):
    needs("mypy", "basedpyright")
    script = tmp_path / "wrong.py"
    script.write_text(WRONG)
    for said in (run("-m", "mypy", script)[1], pyright(script, tmp_path)[1]):
        found = set(map(int, re.findall(r"wrong\.py:(\d+):.*error", said)))
        assert found == {2, 3, 4, 5, 6}, said
