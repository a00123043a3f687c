# SPDX-License-Identifier: Apache-2.0
"""Settings in a file: what `saltus init` writes and `saltus train --config` reads."""

import json
import re
import tomllib

import pytest

SMALL = ["--epochs", 2, "--train-samples", 300, "--hidden", 60]
OF_TASKS = {
    "data": {"mnist"},
    "train_file": {"spikes"},
    "test_file": {"spikes"},
    "unit": {"spikes"},
    "origin": {"spikes"},
    "validation": {"mnist", "spikes"},
    "t_max": {"yinyang", "mnist"},
}


@pytest.fixture
def config(tmp_path):
    """config(text): a file that holds it."""

    def write(text, name="run.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def model_of(folder):
    return (folder / "model.safetensors").read_bytes()


def settings_of(folder):
    return json.loads((folder / "settings.json").read_text())


@pytest.mark.parametrize("task", ["yinyang", "mnist", "spikes"])
def test_init_writes_every_setting_that_the_task_reads(saltus, model, tmp_path, task):
    file = tmp_path / "init.toml"
    saltus.good("init", task, "--out", file)
    written = tomllib.loads(file.read_text())
    assert written.pop("task") == task
    assert list(written) == ["data", "network", "loss", "optimiser", "run"]
    names = [name for section in written.values() for name in section]
    every = set(settings_of(model)) - {"task"}
    assert sorted(names) == sorted(n for n in every if task in OF_TASKS.get(n, {task}))
    # Each has a comment above it, with the names of settings, not of options.
    lines = file.read_text().splitlines()
    for k, line in enumerate(lines):
        if "=" in line and not line.startswith(("#", "task")):
            assert lines[k - 1].startswith("# "), line
        assert len(line) <= 100
    assert "--epochs" not in file.read_text()


def test_what_init_writes_is_the_default_run(saltus, tmp_path):
    file = tmp_path / "yinyang.toml"
    said = saltus.good("init", "yinyang", cwd=tmp_path).out
    assert f"train --config {file.name}" in said
    folders = [tmp_path / "file", tmp_path / "options"]
    options = ["--epochs", 1, "--train-samples", 200]
    saltus.good("train", "--config", file, *options, "--out", folders[0])
    saltus.good("train", "yinyang", *options, "--out", folders[1])
    assert model_of(folders[0]) == model_of(folders[1])
    assert settings_of(folders[0]) == settings_of(folders[1])


def test_init_replaces_a_file_only_when_told(saltus, tmp_path, config):
    file = config("mine")
    saltus.bad("init", "mnist", "--out", file, code=2, says=[str(file), "--force"])
    assert file.read_text() == "mine"
    saltus.good("init", "mnist", "--out", file, "--force")
    assert saltus.good("init", "mnist", "--out", "-", cwd=tmp_path).out == file.read_text()
    assert [p.name for p in tmp_path.iterdir()] == [file.name]
    saltus.bad("init", "mnist", "--out", tmp_path / "no" / "file", code=1, says=["no/file"])


@pytest.mark.parametrize("place", ["settings.json", "."])
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--loss", "spike_count", "--tau-ref", 1e-3, "--precision", "float64", "--seed", 3],
        ["--recurrent", "--t-end", 0.05, "--trainable", "weights,delays", "--lr-of", "delays=1e-4",
         "--seed", 2**64 - 1],
    ],
    ids=["plain", "counts", "recurrent"],
)  # fmt: skip
def test_the_settings_of_a_run_give_its_bits_again(saltus, tmp_path, options, place):
    first, again = tmp_path / "first", tmp_path / "again"
    saltus.good("train", "yinyang", *SMALL, *options, "--quiet", "--out", first)
    saltus.good("train", "--config", first / place, "--quiet", "--out", again)
    assert model_of(first) == model_of(again)
    assert settings_of(first) == settings_of(again)


def test_the_settings_of_spikes_and_images_too(saltus, tmp_path, images, spike_file):
    train, test = spike_file("train.h5"), spike_file("test.h5", n=30)
    runs = {
        "spikes": ["spikes", "--train", train, "--test", test, "--epochs", 1, "--hidden", 20],
        "images": ["mnist", "--data", images(), "--validation", 20, "--epochs", 1, "--layers",
                   "conv:2x3,10"],
    }  # fmt: skip
    for name, arguments in runs.items():
        first, again = tmp_path / name, tmp_path / f"{name}-again"
        saltus.good("train", *arguments, "--quiet", "--out", first)
        saltus.good("train", "--config", first, "--quiet", "--out", again, cwd="/")
        assert model_of(first) == model_of(again), name


def test_a_file_says_what_options_say_and_options_win(saltus, tmp_path, config):
    file = config("""
        task = "yinyang"
        [data]
        train_samples = 300
        t_end = 0.05
        [network]
        hidden = [60]
        recurrent = true
        tau_mem = 2e-2
        [optimiser]
        epochs = 2
        lr = 1       # replaced
        trainable = ["weights", "tau_mem"]
        schedule = "cosine"
        [loss]
        loss = "first_spike"
        tau_count = inf
    """)
    folders = [tmp_path / "file", tmp_path / "options"]
    saltus.good("train", "--config", file, "--lr", 1e-3, "--no-recurrent", "--out", folders[0])
    saltus.good("train", "yinyang", *SMALL, "--t-end", 0.05, "--trainable", "weights,tau_mem",
                "--schedule", "cosine", "--lr", 1e-3, "--out", folders[1])  # fmt: skip
    assert model_of(folders[0]) == model_of(folders[1])
    assert settings_of(folders[0])["recurrent"] is False


def test_another_list_of_layers_replaces_that_of_the_file(saltus, tmp_path, config, images):
    arguments = ["--validation", 20, "--epochs", 1, "--quiet"]
    file = config('task = "mnist"\n[data]\ndata = "images"\n[network]\nhidden = [30]\n')
    images()
    folders = [tmp_path / "file", tmp_path / "options"]
    saltus.good("train", "--config", file, "--layers", "conv:2x3,10", *arguments, "--out",
                folders[0])  # fmt: skip
    saltus.good("train", "mnist", "--data", tmp_path / "images", "--layers", "conv:2x3,10",
                *arguments, "--out", folders[1])  # fmt: skip
    assert model_of(folders[0]) == model_of(folders[1])


def test_places_of_data_are_seen_from_the_file(saltus, tmp_path, images):
    images("digits")
    (tmp_path / "runs").mkdir()
    file = tmp_path / "runs" / "run.toml"
    file.write_text('task = "mnist"\n[data]\ndata = "../digits"\nvalidation = 10\n')
    saltus.good("train", "--config", file, "--epochs", 1, "--hidden", 10, "--out", tmp_path / "out",
                cwd="/")  # fmt: skip
    assert settings_of(tmp_path / "out")["data"] == str(tmp_path / "digits")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('task = "yinyang"\n[optimiser]\nlearning = 1\n', 3, ['"learning"']),
        ('task = "yinyang"\n[optimiser]\nepoch = 1\n', 3, ['"epoch"', "mean 'epochs'"]),
        ('task = "yinyang"\n[optimizer]\nlr = 1\n', 2, ['"optimizer"', "mean 'optimiser'"]),
        ('task = "yinyang"\n[network]\nlr = 1\n', 3, ["lr", "[network]", "below [optimiser]"]),
        ('task = "yinyang"\nlr = 1\n', 2, ["lr", "before the first", "below [optimiser]"]),
        ('[data]\ntask = "yinyang"\n', 2, ["task", "[data]", "before the first section"]),
        ('taks = "yinyang"\n', 1, ['"taks"', "mean 'task'"]),
        ('task = "chess"\n', None, ["'chess'", "yinyang"]),
        ('task = 3\n', 1, ["task is 3", "text"]),
        ("[optimiser]\nlr = 1\n", None, ["no task"]),
        ('task = "yinyang"\n[optimiser]\nlr = "fast"\n', 3, ['lr is "fast"', "a number"]),
        ('task = "yinyang"\n[optimiser]\nlr = -1\n', 3, ["lr is -1", "at least 0"]),
        ('task = "yinyang"\n[optimiser]\nlr = nan\n', 3, ["lr is nan", "a number"]),
        ('task = "yinyang"\n[optimiser]\nlr = -inf\n', 3, ["lr is -inf", "a number"]),
        ('task = "yinyang"\n[optimiser]\nepochs = 1e3\n', 3, ["epochs is 1000", "whole"]),
        ('task = "yinyang"\n[optimiser]\nbatch = -3\n', 3, ["batch is -3", "at least 0"]),
        ('task = "yinyang"\n[optimiser]\nlr = 2026-11-30\n', 3, ["lr is a date"]),
        ('task = "yinyang"\n[network]\nhidden = 50\n', 3, ["hidden is 50", "list"]),
        ('task = "yinyang"\n[network]\nhidden = [5, "x"]\n', 3, ["hidden", "list"]),
        ('task = "yinyang"\n[network]\nhidden = [0]\n', 3, ["hidden is 0", "neurons"]),
        ('task = "yinyang"\n[network]\nv_reset = 2\n', 3, ["v_reset is 2", "v_threshold"]),
        ('task = "yinyang"\n[loss]\nloss = "hinge"\n', None, ["'hinge'", "first_spike"]),
        ('task = "yinyang"\n[data]\ndata = "x"\n', 3, ["data is of mnist", "yinyang"]),
        ('task = "mnist"\n', None, ["data is missing", "--data"]),
        ('task = "yinyang"\n[run]\nseed = 1\nseed = 2\n', 4, ["not TOML", "seed"]),
        ('task = "yinyang"\n[run]\n[data]\n[run]\n', 4, ["not TOML", "run"]),
        ('task = "yinyang"\n[run]\nseed = \n', 3, ["not TOML"]),
        ('task = "yinyang"\n[run]\nseed = 99999999999999999999\n', 3, ["not TOML"]),
        ('task = "yinyang"\n[optimiser]\nlr = 1e999\n', 3, ["1e999"]),
        ('task = "yinyang"\n[optimiser]\nlr = {a = 1}\n', 3, ["lr", "a number"]),
        ('task = "yinyang"\nrun = 3\n', 2, ["run"]),
        ("", None, ["no task"]),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(saltus, config, text, line, says):
    file = config(text)
    run = file.parent / "run"
    where = f"{file}:{line}: " if line else ""
    saltus.bad("train", "--config", file, "--out", run, code=2, says=[where, *says])
    assert not run.exists()


@pytest.mark.parametrize(
    "text",
    [
        b"a = " + b"[" * 100_000,
        b"a = " + b"{a=" * 100_000,
        b".".join([b"a"] * 200_000) + b" = 1",
        b"[" + b".".join([b"a"] * 200_000) + b"]",
        b'["' + b'"."'.join([b"a"] * 200_000) + b'"]',
        b"x = {" + b" . ".join([b"a"] * 200_000) + b" = 1}",
        b'"#"' + b".a" * 200_000 + b" = 1",
        b'"a..b"' + b'."..x"' * 200_000 + b" = 1",
        b'task = "\xff\xfe"',
        b"\xff\xfet\x00a\x00s\x00k\x00",
        b"\x00" * 1000,
        b'task = "yin\x00yang"',
        b"a\n" * 100_000,
        b'"' + b"k" * 1_000_000 + b'" = 1',
        b'"two\\nlines" = 1',
        b"#" + b"x" * (17 << 20),
        b"[=]",  # where toml++ takes for granted that a name begins
        b"[[\n]]",
        "[\u00e9]".encode(),
    ],
    ids=range(19),
)
def test_hostile_toml_is_one_clear_line(saltus, config, text):
    file = config(text)
    result = saltus.bad("train", "--config", file, code=2, says=[str(file)])
    assert len(result.err) < 700


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"task": "yinyang", "lr": 1, "lr": 2}', ['"lr" is given twice']),
        ('{"task": "yinyang", "lr": ' + "[" * 100_000, ["nested deeper than 64"]),
        ('{"task": "yinyang", "lr": 1e999}', ["beyond 1.8e+308"]),
        ('{"task": "yinyang", "lr": "fast"}', ["lr is \"fast\"", "a number"]),
        ('{"task": "yinyang", "lr": -1}', ["lr is -1", "at least 0"]),
        ('{"task": "yinyang", "epoch": 1}', ["'epoch'", "mean 'epochs'"]),
        ('{"lr": 1}', ["no task"]),
        ("{", ["not JSON"]),
    ],
)  # fmt: skip
def test_wrong_settings_json(saltus, config, text, says):
    file = config(text, "settings.json")
    saltus.bad("train", "--config", file, code=2, says=[str(file), *says])


def test_files_that_are_none(saltus, tmp_path, model):
    saltus.bad("train", "--config", tmp_path / "none.toml", code=1, says=["none.toml"])
    saltus.bad("train", "--config", "/dev/null", code=1, says=["/dev/null", "device"])
    saltus.bad("train", "--config", tmp_path, code=1, says=["settings.json"])
    saltus.bad("train", "--config", model / "model.safetensors", code=2, says=["not TOML"])
    saltus.bad("train", "mnist", "--config", model, code=2, says=["task is mnist", "yinyang"])
    saltus.bad("train", "--config", model, "--resume", model, code=2, says=["one of them"])


def test_a_wrong_option_is_no_fault_of_the_file(saltus, config):
    file = config('task = "yinyang"\n[optimiser]\nlr = 1\n')
    result = saltus.bad("train", "--config", file, "--lr", -1, code=2, says=["lr is -1"])
    assert re.match("saltus: lr is -1", result.err)


@pytest.mark.parametrize(
    ("given", "of"),
    [
        (["--weight-decay", 0.1], "--optimizer adamw or sgd"),
        (["--momentum", 0.5], "--optimizer sgd"),
        (["--optimizer", "sgd", "--beta-1", 0.8], "--optimizer adam or adamw"),
        (["--schedule", "cosine", "--decay", 0.5], "--schedule exponential, step or plateau"),
        (["--lr-final", 1e-4], "--schedule cosine"),
        (["--decay-every", 3], "--schedule step"),
        (["--patience", 3], "--schedule plateau"),
        (["--recurrent-delay", 1e-3], "--recurrent"),
        (["--deep-mean", 1], "several hidden layers"),
        (["--conv-threshold", 0.5], "--layers with a convolution"),
        (["--tau-integral", 0.1], "--loss integrated_voltage"),
        (["--smooth-decay", 0.5], "--smooth-threshold"),
    ],
)
def test_options_without_an_effect_are_told_of(saltus, given, of):
    option = given[-2]
    said = saltus.good("train", "yinyang", "--epochs", 0, *given).err
    assert f"warning: {option} has no effect here: it is of {of}\n" in said


def test_options_with_an_effect_are_not_told_of(saltus):
    said = saltus.good("train", "yinyang", "--epochs", 0, "--optimizer", "sgd", "--momentum", 0.5,
                       "--weight-decay", 1e-3, "--schedule", "step", "--decay-every", 3,
                       "--hidden", "20,20", "--deep-mean", 1, "--deep-std", 1,
                       "--smooth-threshold", 0.2, "--smooth-decay", 0.5).err  # fmt: skip
    assert "no effect" not in said


def test_more_samples_than_there_are_is_told(saltus):
    said = saltus.good("train", "yinyang", "--epochs", 0, "--train-samples", 6000).err
    assert "train_samples is 6000, but there are 5000 to train on" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[optimiser]\ntrainable = []\n", "run.toml:3: trainable is empty"),
        (
            "[[population]]\nname = 'h'\nsize = 3\n[[projection]]\nfrom = 'in'\nto = 'h'\n"
            "delays = 'per_synapse'\n[[projection]]\nfrom = 'h'\nto = 'out'\n",
            "projection[0].delays is 'per_synapse', but projection[0].delay is missing",
        ),
        ("[optimiser]\nepochs = 99999999999\n", "a whole number of at most 2147483647"),
    ],
)
def test_what_would_do_nothing_is_an_error(saltus, config, text, says):
    saltus.bad("train", "--config", config(f"task = 'yinyang'\n{text}"), code=2, says=[says])


def test_errors_of_options_say_which_and_what(saltus):
    saltus.bad("train", "yinyang", "--hidden", "30,,20", code=2, says=["number 2) is ''"])
    saltus.bad("train", "yinyang", "--epochs", 1, "--epochs", 2, code=2,
               says=["--epochs is given more than once"])  # fmt: skip
