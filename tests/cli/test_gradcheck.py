# SPDX-License-Identifier: Apache-2.0
import signal
import subprocess
import time

import pytest

KEYS = {
    "networks", "parameters", "max_relative_error_fd", "max_relative_error_oracle", "kink_maxima",
    "multi_spike_neurons", "negative_weights", "refractory_arrivals", "zero_delay_cycles", "void",
    "passed", "relations", "max_relative_error_relations", "max_spike_time_error_relations",
    "oracle_void", "relations_void", "listed_synapses", "shared_weights",
}  # fmt: skip


def test_gradcheck_passes(saltus):
    found = saltus.good("gradcheck", "--networks", 10, "--seed", 3, "--json").json
    assert set(found) >= KEYS
    assert found["passed"] is True
    assert found["networks"] == 10
    assert found["max_relative_error_fd"] <= 1e-6
    assert found["max_relative_error_oracle"] <= 1e-9
    assert found["max_relative_error_relations"] <= 1e-9
    assert found["max_spike_time_error_relations"] <= 1e-10
    for key in (
        "relations",
        "parameters",
        "multi_spike_neurons",
        "negative_weights",
        "refractory_arrivals",
    ):
        assert found[key] > 0


def test_gradcheck_says_which_losses_it_met_and_meets_counts_too(saltus):
    found = saltus.good("gradcheck", "--networks", 10, "--seed", 50, "--json").json
    assert found["passed"] is True
    assert found["losses"]["spike_count"] > 0
    text = saltus.good("gradcheck", "--networks", 10, "--seed", 50).out
    assert f"spike_count in {found['losses']['spike_count']}" in text


def test_threads_change_no_figure(saltus):
    found = [
        saltus.good("gradcheck", "--networks", 4, "--threads", threads, "--json").json
        for threads in (1, 2)
    ]
    assert found[0] == found[1]


def test_the_seed_counts(saltus):
    found = [
        saltus.good("gradcheck", "--networks", 2, "--seed", seed, "--json").json["spikes"]
        for seed in (1, 2)
    ]
    assert found[0] != found[1]


@pytest.mark.parametrize("networks", [1, 4])  # 13 % of the differences of the first 4 are void
def test_few_networks_pass(saltus, networks):
    assert saltus.good("gradcheck", "--networks", networks).out.endswith("passed\n")


def test_wrong_arguments(saltus):
    for option, value, says in (
        ("--networks", 0, "1 or more"),
        ("--networks", -3, "whole number"),
        ("--seed", "x", "whole number"),
        ("--threads", -1, "whole number"),
    ):
        saltus.bad("gradcheck", option, value, code=2, says=[option, f"{value}", says])


def test_an_interrupt_reports_what_was_done(saltus):
    command = saltus.line("gradcheck", "--networks", 100000, "--json")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert '"interrupted":true' in out
