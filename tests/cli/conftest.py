# SPDX-License-Identifier: Apache-2.0
"""The command from SALTUS (default build/saltus); real data from SALTUS_DATA (default
../shared/data next to the repository). Most tests make their own small files."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = Path(os.environ.get("SALTUS", REPOSITORY / "build" / "saltus")).resolve()
os.environ.setdefault("SALTUS_PYTHON", sys.executable)  # for `saltus report`
DATA = Path(os.environ.get("SALTUS_DATA", REPOSITORY.parent / "shared" / "data"))


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out.splitlines()[-1])


class Saltus:
    """Runs the command; `arguments` may be paths and numbers."""

    command = str(COMMAND)

    def line(self, *arguments):
        return [self.command, *map(str, arguments)]

    def __call__(self, *arguments, **options):
        done = subprocess.run(
            self.line(*arguments),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **options,
        )
        return Result(done)

    def good(self, *arguments, **options):
        result = self(*arguments, **options)
        assert result.code == 0, result.err
        return result

    def bad(self, *arguments, code, says):
        """Exit code `code` and one line on standard error that holds every text of `says`."""
        result = self(*arguments)
        assert result.code == code, (result.code, result.err)
        lines = result.err.splitlines()
        hint = "Run with --help for what there is."
        assert len(lines) == 1 or lines[1:] == [hint], result.err
        assert lines[0].startswith("saltus: ")
        for text in says:
            assert text in lines[0]
        return result


@pytest.fixture(scope="session")
def saltus():
    if not COMMAND.exists():
        pytest.fail(f"{COMMAND} is missing: build it, or set SALTUS")
    return Saltus()


@pytest.fixture(scope="session")
def real_data():
    """real_data("mnist") is a folder of real data; skips where there is none."""

    def find(name):
        folder = DATA / name
        if not folder.is_dir():
            pytest.skip(f"no {folder}; set SALTUS_DATA to the folder that holds {name}/")
        return folder

    return find


def idx(values):
    """A uint8 array as an IDX file."""
    header = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    return header + values.astype(np.uint8).tobytes()


@pytest.fixture
def images(tmp_path):
    """images(folder, ...): a small data set in MNIST's files, ten classes of 6 x 6 pixels."""

    def write(name="images", train=120, test=40, size=6):
        folder = tmp_path / name
        folder.mkdir()
        random = np.random.default_rng(1)
        prototypes = random.integers(150, 230, (10, size, size))
        prototypes *= random.random(prototypes.shape) < 0.3
        for prefix, n in (("train", train), ("t10k", test)):
            labels = np.arange(n) % 10
            noise = random.integers(-20, 20, (n, size, size))
            pixels = np.where(prototypes[labels] > 0, prototypes[labels] + noise, 0)
            for kind, values in (("images-idx3", pixels), ("labels-idx1", labels)):
                with gzip.open(folder / f"{prefix}-{kind}-ubyte.gz", "wb") as file:
                    file.write(idx(values))
        return folder

    return write


@pytest.fixture
def spike_file(tmp_path):
    """spike_file(name, ...): a small file in SHD's layout; class k spikes early on unit k."""

    def write(name, n=60, classes=3, units=6, change=None):
        random = np.random.default_rng(2)
        path = tmp_path / name
        labels = np.arange(n) % classes
        times, numbers = [], []
        for label in labels:
            t = np.sort(random.uniform(0.005, 0.06, units)).astype(np.float32)
            times.append(t)
            numbers.append(((label + np.arange(units)) % units).astype(np.uint16))
        if change:
            change(times, numbers, labels)
        with h5py.File(path, "w") as file:
            for key, rows, kind in (
                ("spikes/times", times, np.float32),
                ("spikes/units", numbers, np.int64),
            ):
                data = file.create_dataset(key, (len(rows),), dtype=h5py.vlen_dtype(kind))
                for k, row in enumerate(rows):
                    data[k] = row.astype(kind)
            file["labels"] = labels.astype(np.int64)
        return path

    return write


@pytest.fixture
def model(saltus, tmp_path):
    """The folder of a short run."""
    folder = tmp_path / "run"
    saltus.good("train", "yinyang", "--epochs", 2, "--train-samples", 300, "--hidden", 60,
                "--out", folder)  # fmt: skip
    return folder


def about(file):
    """Return what a model or a checkpoint says beside its arrays."""
    with safe_open(file, "numpy") as opened:
        return json.loads(opened.metadata()["saltus"])


@pytest.fixture
def old_model(model):
    """The same folder with its model in HDF5, as before format 2."""
    file = model / "model.safetensors"
    arrays, said = load_file(file), about(file)
    with h5py.File(model / "model.h5", "w") as old:
        old.attrs["saltus_format"] = np.uint64(1)
        old.attrs["settings"] = np.bytes_(said["settings"])
        for kind, rows in said["network"].items():
            old.attrs[kind] = np.uint64(len(rows))
            for k, row in enumerate(rows):
                group = old.create_group(f"{kind}/{k}")
                for name, value in row.items():
                    if name != "delay":
                        word = isinstance(value, str)
                        group.attrs[name] = np.bytes_(value) if word else np.uint64(value)
                for name, array in arrays.items():
                    owner, _, called = name.rpartition(".")
                    if owner == row["name"]:
                        group[called] = array.reshape(len(array), -1)
        for group in old["projections"].values():
            group.attrs["delay_kind"] = np.uint64(0)
            group["delay"] = np.zeros((0, 0))
    file.unlink()
    return model


@pytest.fixture(scope="session")
def tensors():
    """tensors(folder): every array of the model, by name."""

    def read(folder):
        found = load_file(folder / "model.safetensors")
        assert found
        return found

    return read
