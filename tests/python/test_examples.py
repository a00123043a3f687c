# SPDX-License-Identifier: Apache-2.0
"""The examples run, and end as they say; so do the Python blocks of README and docs/."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .networks import data_folder

ROOT = Path(__file__).parents[2]


def run(script, *arguments, cwd):
    command = [sys.executable, ROOT / "examples" / script, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_python_gradient(tmp_path):
    assert "relative error" in run("python_gradient.py", cwd=tmp_path)


def test_python_train(tmp_path):
    out = run("python_train.py", "--epochs", 3, cwd=tmp_path)
    assert float(re.search(r"test accuracy ([\d.]+) %", out)[1]) > 85
    assert "saved and loaded to the last bit: True" in out


def test_python_torch(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    out = run("python_torch.py", "--epochs", 1, cwd=tmp_path)
    assert float(re.search(r"test accuracy ([\d.]+) %", out)[1]) > 50


def test_python_all_trained(tmp_path):
    out = run("python_all_trained.py", "--seeds", 1, "--epochs", 2, cwd=tmp_path)
    assert [line.split()[0] for line in out.splitlines()] == ["weights", "all"]
    assert "delays at 0, of 600" in out


def test_python_delays(tmp_path):
    out = run("python_delays.py", "--epochs", 5, "--nets", "none", "trained", cwd=tmp_path)
    for kind in ("none", "trained"):
        assert float(re.search(rf"{kind} +mean test accuracy ([\d.]+) %", out)[1]) > 60
    assert re.search(r"longest [\d.]+ ms, \d+ of 150 at 0", out)


def test_python_frequencies_are_told_by_neurons_that_resonate(tmp_path):
    out = run("python_frequencies.py", "--epochs", 4, "--samples", 300, cwd=tmp_path)
    found = dict(re.findall(r"^(\w+) +mean test accuracy +([\d.]+) %", out, re.M))
    assert float(found["lif"]) < 60  # by chance: 33
    assert float(found["rf"]) > 70


def test_python_memory_is_that_of_adaptation_and_of_trained_delays(tmp_path):
    out = run("python_memory.py", "--samples", 1000, "--epochs", 6, cwd=tmp_path)
    found = dict(re.findall(r"^(\w+) +mean test accuracy +([\d.]+) %", out, re.M))
    assert float(found["lif"]) < 35  # by chance: 25
    assert float(found["fixed"]) < 35
    assert float(found["alif"]) > 60
    assert float(found["delays"]) > 60


def test_python_nir(tmp_path):
    pytest.importorskip("nir", reason="the package nir is not installed")
    out = run("python_nir.py", cwd=tmp_path)
    assert "the same network to the last bit: True" in out
    assert "pass spike_area=0.0001" in out


def test_python_braille_ends_with_a_picture(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    out = run("python_braille.py", data_folder("braille"), "--epochs", 1, cwd=tmp_path)
    assert float(re.search(r"test accuracy ([\d.]+) %", out)[1]) > 15  # by chance: 4
    assert (tmp_path / "braille.png").read_bytes().startswith(b"\x89PNG")


def test_python_braille_delays(tmp_path):
    folder = data_folder("braille")
    out = run("python_braille_delays.py", folder, "--epochs", 2, "--held-out", cwd=tmp_path)
    for kind in ("stay", "trained"):
        assert float(re.search(rf"{kind} +mean accuracy ([\d.]+) %", out)[1]) > 20  # by chance: 4


def test_python_mnist_conv(tmp_path):
    given = ["--data", data_folder("mnist"), "--epochs", 1, "--samples", 1500]
    out = run("python_mnist_conv.py", *given, cwd=tmp_path)
    assert json.loads(out.splitlines()[-1])["test_accuracy"] > 0.5


BLOCKS = [
    pytest.param(page, block, id=f"{page.stem}-{number}")
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.S))
    if "# not run" not in block
]


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_python_in_the_documentation_runs(page, block, tmp_path):
    for module in re.findall(r"^import (\w+)", block, re.M):
        pytest.importorskip(module, reason=f"{module} is not installed")
    code = ["-c", block]
    result = subprocess.run(
        [sys.executable, *code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_recipe_for_silent_outputs_wakes_them(tmp_path):
    page = (ROOT / "docs" / "python" / "index.md").read_text()
    section = page[page.index("### Outputs that are silent") :]
    block = re.search(r"```python\n(.*?)```", section, re.S)[1]
    result = subprocess.run(
        [sys.executable, "-c", block], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    before, after = map(int, result.stdout.split())
    assert before > 250
    assert after == 0
