# SPDX-License-Identifier: Apache-2.0
"""Wrong input: one clear line that names the field, the value and what was expected; no crash."""

import gzip
import os
import shutil

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], ["subcommand"]),
        (["trian"], ["'trian'", "train, init, eval, info, predict, adjoint, report, gradcheck"]),
        (["train"], ["task"]),
        (["train", "chess"], ["chess", "yinyang"]),
        (["train", "yinyang", "extra"], ["extra"]),
        (["train", "yinyang", "--frobnicate"], ["train has no option --frobnicate"]),
        (["train", "yinyang", "--epoch", "3"], ["--epoch; did you mean '--epochs'?"]),
        (["gradcheck", "--network=3"], ["--network; did you mean '--networks'?"]),
        (["train", "mnist"], ["--data"]),
        (["train", "spikes"], ["--train", "--test"]),
        (["train", "yinyang", "--data", "x"], ["yinyang has no --data", "mnist"]),
        (["train", "yinyang", "--validation", "5"], ["--validation", "mnist and spikes"]),
        (["train", "mnist", "--data", "x", "--train", "y"], ["--train", "spikes"]),
        (["eval"], ["folder"]),
        (["eval", "x", "--threads", "-1"], ["--threads", "-1"]),
    ],
)
def test_wrong_commands(saltus, arguments, says):
    saltus.bad(*arguments, code=2, says=says)


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("epochs", ["-1", "1.5", "many", "99999999999"]),
        ("batch", ["0", "-3", "1e3"]),
        ("seed", ["-1", "x", "1.5"]),
        ("threads", ["-1", "two"]),
        ("hidden", ["0", "-5", "", "100,", "100,x", "100 50", "3000000000"]),
        ("precision", ["float16", "double"]),
        ("lr", ["nan", "inf", "-1", "fast", "1e999", "0x"]),
        ("loss", ["hinge"]),
        ("optimizer", ["lion"]),
        ("schedule", ["linear"]),
        ("decay-every", ["0", "x"]),
        ("patience", ["0", "1.5"]),
        ("warmup", ["-1", "x"]),
        ("lr-final", ["-1", "nan"]),
        ("checkpoint-minutes", ["-1", "nan"]),
        ("decay", ["0", "nan", "1.5"]),
        ("momentum", ["1", "-0.1", "nan"]),
        ("weight-decay", ["-1", "nan", "inf"]),
        ("clip-norm", ["-1", "nan"]),
        ("input-dropout", ["1", "-0.1", "nan"]),
        ("revive", ["-1", "nan", "inf"]),
        ("trainable", ["wieghts", "", "weights,"]),
        ("t-max", ["0", "-1", "nan", "inf"]),
        ("t-end", ["0", "-1", "nan"]),
        ("tau-mem", ["0", "-1", "nan", "inf"]),
        ("tau-syn", ["0", "-1", "nan", "inf"]),
        ("v-threshold", ["0", "-1", "nan", "inf"]),
        ("v-reset", ["1", "2", "nan", "-inf"]),
        ("tau-ref", ["-1", "nan", "inf"]),
        ("hidden-mean", ["nan", "inf"]),
        ("hidden-std", ["nan", "-1"]),
        ("output-mean", ["nan"]),
        ("output-std", ["nan", "-1"]),
        ("recurrent-std", ["nan", "-1"]),
        ("recurrent-delay", ["nan", "-1", "inf"]),
        ("initial-spikes", ["nan", "-1", "1e9"]),
        ("tau-0", ["0", "nan"]),
        ("tau-1", ["0", "nan"]),
        ("alpha", ["-1", "nan"]),
        ("tau-integral", ["0", "nan"]),
    ],
)
def test_wrong_settings(saltus, tmp_path, option, values):
    out = tmp_path / "run"
    for value in values:
        result = saltus.bad(
            "train", "yinyang", f"--{option}={value}", "--out", out, code=2, says=[]
        )
        field = option.replace("-", "_")
        assert option in result.err or field in result.err or "there are" in result.err
        assert result.out == ""
        assert not out.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--recurrent"], ["t_end is inf", "finite"]),
        (["--recurrent", "--t-end", "inf"], ["t_end is inf", "finite"]),
        (["--trainable", "delays"], ["delays", "recurrent"]),
        (["--trainable", "weights,weights"], ["weights", "twice"]),
        (["--lr", "1", "--lr", "2"], ["--lr"]),
        (["--hidden", "2000000,2000000"], ["2000000,2000000", "GB"]),
        (["--initial-spikes", "900", "--hidden-mean", "-1", "--hidden-std", "0"],
         ["initial_spikes is 900", "raise"]),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together(saltus, options, says):
    saltus.bad("train", "yinyang", "--epochs", 1, "--quiet", *options, code=2, says=says)


def test_out_that_cannot_be(saltus, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run", "/proc/saltus"):
        saltus.bad("train", "yinyang", "--out", out, code=1, says=["cannot create", str(out)])
    saltus.bad("train", "yinyang", "--out", "", code=2, says=["--out is empty"])
    (tmp_path / "run" / "model.safetensors").mkdir(parents=True)
    saltus.bad("train", "yinyang", "--epochs", 1, "--out", tmp_path / "run", code=1,
               says=["model.safetensors"])  # fmt: skip


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_out_without_permission(saltus, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    saltus.bad("train", "yinyang", "--out", folder / "run", code=1, says=["Permission denied"])
    saltus.bad("train", "yinyang", "--out", folder, code=1, says=["Permission denied"])


# --- images ---------------------------------------------------------------------------------------

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def rewrite(folder, name, change):
    """Changes the bytes inside a gzipped file."""
    content = bytearray(gzip.decompress((folder / name).read_bytes()))
    (folder / name).write_bytes(gzip.compress(bytes(change(content))))


def with_bytes(first, values):
    def change(content):
        content[first : first + len(values)] = values
        return content

    return change


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (IMAGES, with_bytes(0, b"\x00\x00\x08\x01"), ["magic number 0x00000801", "0x00000803"]),
        (LABELS, with_bytes(0, b"PK"), ["magic number"]),
        (LABELS, with_bytes(4, b"\x00\x00\x00\x07"), ["120 images", "7 labels"]),
        (IMAGES, lambda content: content[:1000], ["ends after"]),
        (IMAGES, lambda content: content[:6], ["ends in its header"]),
        (IMAGES, lambda content: content + b"more", ["goes on"]),
        (IMAGES, with_bytes(4, b"\xff\xff\xff\xff" * 3), ["pixels"]),
        (IMAGES, with_bytes(4, bytes(4)), ["0 images"]),
        (LABELS, lambda content: content[:0], ["ends in its header"]),
    ],
)
def test_wrong_images(saltus, images, name, change, says):
    folder = images()
    rewrite(folder, name, change)
    saltus.bad("train", "mnist", "--data", folder, "--validation", 0, code=1, says=[name, *says])


def test_truncated_gzip(saltus, images):
    folder = images()
    file = folder / IMAGES
    os.truncate(file, file.stat().st_size // 2)
    saltus.bad("train", "mnist", "--data", folder, code=1, says=[IMAGES, "truncated"])


def test_missing_images(saltus, images, tmp_path):
    saltus.bad("train", "mnist", "--data", tmp_path / "none", code=1, says=["none", "no such file"])
    folder = images()
    (folder / LABELS).unlink()
    saltus.bad("train", "mnist", "--data", folder, code=1,
               says=["train-labels-idx1-ubyte", "no such file"])  # fmt: skip


def test_images_of_two_sizes(saltus, images):
    large, small = images("large"), images("small", size=5)
    for file in small.glob("t10k-*"):
        shutil.copy(file, large)
    saltus.bad("train", "mnist", "--data", large, "--validation", 0, code=1,
               says=["36 pixels", "25"])  # fmt: skip


def test_validation_takes_all(saltus, images):
    saltus.bad("train", "mnist", "--data", images(), "--validation", 120, code=2,
               says=["validation is 120", "less than the 120"])  # fmt: skip


# --- spike files ----------------------------------------------------------------------------------


def put(where, sample, entry, value):
    """A change of one entry: `where` 0 times, 1 units, 2 labels."""

    def change(*rows):
        if where == 2:
            rows[2][sample] = value
        else:
            rows[where][sample] = rows[where][sample].astype(np.float64 if where == 0 else np.int64)
            rows[where][sample][entry] = value

    return change


def shorten(times, units, labels):
    units[4] = units[4][:-1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put(0, 3, 2, np.nan), ["sample 3", "spikes/times[2] is nan", "finite"]),
        (put(0, 3, 2, np.inf), ["spikes/times[2] is inf"]),
        (put(0, 3, 0, -0.5), ["spikes/times[0] is -0.5"]),
        (put(1, 2, 1, -1), ["sample 2", "spikes/units[1] is -1"]),
        (put(2, 5, 0, -2), ["labels[5] is -2"]),
        (shorten, ["sample 4", "6 entries", "5"]),
    ],
)
def test_wrong_spikes(saltus, spike_file, change, says):
    good, bad = spike_file("good.h5"), spike_file("bad.h5", change=change)
    for files in (["--train", bad, "--test", good], ["--train", good, "--test", bad]):
        result = saltus("train", "spikes", *files)
        assert result.code in (1, 2)
        assert result.err.count("\n") == 1
        for text in ["bad.h5", *says]:
            assert text in result.err


def test_files_that_are_no_spike_files(saltus, spike_file, tmp_path):
    good = spike_file("good.h5")
    text = tmp_path / "text.h5"
    text.write_text("not HDF5\n" * 100)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(good.read_bytes()[:3000])
    for file, says in (
        (tmp_path / "none.h5", "no such file"),
        (tmp_path, "folder"),
        (text, "HDF5"),
        (cut, "HDF5"),
    ):
        saltus.bad("train", "spikes", "--train", good, "--test", file, code=1,
                   says=[file.name, says])  # fmt: skip


def test_spikes_need_a_finite_end_with_recurrence(saltus, spike_file):
    file = spike_file("spikes.h5")
    saltus.bad("train", "spikes", "--train", file, "--test", file, "--recurrent", "--t-end", "inf",
               code=2, says=["t_end is inf"])  # fmt: skip
