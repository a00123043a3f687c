# SPDX-License-Identifier: Apache-2.0
"""What a sample may take: --max-spikes-per-sample and its kin."""

import json

import pytest

# Each spike makes the next one.
RUNAWAY = ["train", "yinyang", "--hidden", 50, "--v-reset", 0.9999999, "--t-end", 0.05,
           "--epochs", 1, "--quiet"]  # fmt: skip


@pytest.mark.parametrize("more", [[], ["--recurrent", "--recurrent-std", 5]])
def test_a_network_that_runs_away_is_named_the_same_for_all_threads(saltus, more):
    line = [*RUNAWAY, *more, "--max-spikes-per-sample", 50_000]
    told = saltus.bad(
        *line, code=2,
        says=["sample ", "population 'hidden' takes it over 50000 spikes by 0.0",
              "a higher max_spikes_per_sample"],
    ).err  # fmt: skip
    for others in (["--threads", 2], ["--kernel", "scalar"], ["--threads", 0]):
        assert saltus(*line, *others).err == told


def test_memory_and_seconds(saltus):
    saltus.bad(*RUNAWAY, "--max-memory-per-sample", "1e6", code=2,
               says=["over 1000000 bytes of spikes by", "max_memory_per_sample"])  # fmt: skip
    saltus.bad(*RUNAWAY, "--max-seconds-per-sample", 0.2, code=2,
               says=["population 'hidden' had come to", "0.2 s of processor time",
                     "max_seconds_per_sample"])  # fmt: skip
    saltus.bad(*RUNAWAY, "--max-seconds-per-sample", -1, code=2,
               says=["max_seconds_per_sample is -1; expected at least 0"])  # fmt: skip


def test_limits_stand_in_settings_and_change_no_bit(saltus, model, tmp_path):
    line = ["train", "yinyang", "--epochs", 2, "--train-samples", 300, "--hidden", 60]
    out = tmp_path / "limited"
    saltus.good(*line, "--max-spikes-per-sample", 1000, "--max-seconds-per-sample", 60,
                "--out", out)  # fmt: skip
    assert json.loads((out / "settings.json").read_text())["max_spikes_per_sample"] == 1000
    assert (out / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def test_eval_and_predict_have_them_too(saltus, model):
    for command in "eval", "predict":
        saltus.bad(command, model, "--max-spikes-per-sample", 1, code=2,
                   says=["sample 0: population 'hidden' takes it over 1 spikes"])  # fmt: skip
    settings = model / "settings.json"
    kept = json.loads(settings.read_text())
    settings.write_text(json.dumps({**kept, "max_spikes_per_sample": 1}))
    saltus.bad("eval", model, code=2, says=["over 1 spikes"])
    saltus.good("eval", model, "--max-spikes-per-sample", 0)


def test_config_reads_them(saltus, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("task = 'yinyang'\n[run]\nmax_spikes_per_sample = 3\n")
    saltus.bad("train", "--config", file, code=2, says=["over 3 spikes"])
