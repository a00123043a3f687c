#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a sample costs by neuron model: 100-100-10, 200 input spikes, float32, one thread."""

import numpy as np
import saltus
from clock import clocked, random_spikes

SAMPLES = 20


def cost(model, **parameters):
    """Return a row: spikes and processor time of a sample, there and back."""
    rng = np.random.default_rng(0)
    net = saltus.Network()
    net.add_input("in", 100)
    net.add_population("hidden", model, 100, **parameters)
    net.add_population("out", "LI", 10)
    net.connect("in", "hidden", rng.normal(0.6, 0.6, (100, 100)))
    net.connect("hidden", "out", rng.normal(0.0, 0.3, (100, 10)))
    spikes = random_spikes(rng, SAMPLES, 200, 100)
    record, there = clocked(
        lambda: saltus.simulate(net, spikes, 0.06, dtype=np.float32, threads=1), SAMPLES
    )
    errors = {"hidden": rng.normal(size=len(record.spikes("hidden")))}
    _, back = clocked(
        lambda: saltus.backward(net, record, spike_errors=errors, wanted="weights"), SAMPLES
    )
    _, whole = clocked(lambda: saltus.backward(net, record, spike_errors=errors), SAMPLES)
    count = len(record.spikes("hidden")) / SAMPLES
    each = ", ".join(parameters) or "-"
    return f"| {model} | {each} | {count:.0f} | {there:.0f} | {back:.0f} | {whole:.0f} |"


def main():
    """Print the table."""
    print("| model | per neuron | spikes | forward, us | weights, us | all gradients, us |")
    print("|---|---|---|---|---|---|")
    spread = np.linspace(0.8, 1.2, 100)
    cost("LIF")  # the first is dearer: memory is new
    print(cost("LIF"))
    print(cost("LIF", tau_mem=20e-3 * spread))
    print(cost("ALIF"))
    print(cost("ALIF", tau_adapt=100e-3 * spread))
    print(cost("IF"))
    print(cost("RF"))


if __name__ == "__main__":
    main()
