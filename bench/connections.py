#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a sample costs where not all connect to all: float32, one thread, processor time."""

import numpy as np
import saltus
from clock import clocked, random_spikes

SAMPLES = 10


def cost(name, weight, pre, post, spikes):
    """Print spikes, synaptic events and processor time of a sample, there and back."""
    rng = np.random.default_rng(0)
    net = saltus.Network()
    net.add_input("in", pre)
    net.add_population("hidden", "LIF", post)
    net.add_population("out", "LI", 10)
    net.connect("in", "hidden", weight)
    net.connect("hidden", "out", rng.normal(0.0, 0.3, (post, 10)))
    inputs = random_spikes(rng, SAMPLES, spikes, pre)

    def warm(run):
        run()
        return clocked(run, SAMPLES)

    record, there = warm(lambda: saltus.simulate(net, inputs, 0.06, dtype=np.float32, threads=1))
    errors = {"hidden": rng.normal(size=len(record.spikes("hidden")))}
    _, back = warm(lambda: saltus.backward(net, record, spike_errors=errors, wanted="weights"))
    count = len(record.spikes("hidden")) / SAMPLES
    each = weight.rows[0][1] if isinstance(weight, saltus.Synapses) else None
    if each is None:
        events = spikes * post
    elif weight.kind == "sparse":
        events = spikes * len(each) / pre
    else:
        out, _, y, x = weight.weight.shape
        events = spikes * out * y * x / np.prod(weight.rows[2][1])  # less at the edges
    print(
        f"| {name} | {count:.0f} | {events:.0f} | {there:.0f} | {there / events * 1e3:.1f} "
        f"| {back:.0f} | {back / events * 1e3:.1f} |"
    )


def main():
    """Print the table."""
    print(
        "| connection | spikes | synaptic events | forward, us | ns each | weights, us | ns each |"
    )
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for density in (1.0, 0.5, 0.1, 0.02):
        mask = rng.uniform(size=(1000, 1000)) < density
        weight = rng.normal(0.05, 0.4, mask.shape) / np.sqrt(density)
        if density == 1:
            cost("dense 1000 x 1000", weight, 1000, 1000, 500)
        cost(f"sparse, {density:g} of them", saltus.Masked(weight, mask), 1000, 1000, 500)
    kernel = rng.normal(0.5, 1.0, (8, 2, 5, 5))
    conv = saltus.Conv2d(kernel, (2, 34, 34), stride=2)
    cost("conv 5 x 5, 2 x 34 x 34 to 8 x 15 x 15", conv, 2312, 1800, 1500)


if __name__ == "__main__":
    main()
