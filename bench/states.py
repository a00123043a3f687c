# SPDX-License-Identifier: Apache-2.0
"""What it costs to run in chunks: a recording of two seconds as one run, and as runs that go on
from each other's states, there and back (weights), the gradient carried back through the states.

Run: python bench/states.py [--rounds 20]

Processor time of one thread, the smallest of the rounds; all ways take their turns in each.
"""

import argparse
import time

import numpy as np
import saltus

CHANNELS, NEURONS, SECONDS, RATE = 100, 100, 2.0, 20.0  # RATE: Hz, of each channel


def network(recurrent):
    rng = np.random.default_rng(1)
    net = saltus.Network()
    net.add_input("in", CHANNELS)
    net.add_population("hidden", "LIF", NEURONS)
    net.connect("in", "hidden", rng.normal(0.15, 0.3, (CHANNELS, NEURONS)))
    if recurrent:
        weight = rng.normal(0, 0.1, (NEURONS, NEURONS))
        net.connect("hidden", "hidden", weight, delay=1e-3)
    return net


def in_chunks(net, times, channels, chunks):
    """Seconds there and back, and how many spikes there were."""
    length = SECONDS / chunks
    ends = length * np.arange(1, chunks + 1)
    cuts = np.searchsorted(times, ends)
    begin = time.process_time()
    records, state, first = [], None, 0
    for end, last in zip(ends, cuts, strict=True):
        part = {"in": [(times[first:last] - (end - length), channels[first:last])]}
        records.append(saltus.simulate(net, part, length, state=state))
        first = last
        if chunks > 1:
            state = records[-1].state()
    there = time.process_time()
    carried = {}
    for record in reversed(records):
        errors = {"hidden": np.ones(len(record.spikes("hidden")))}
        later = saltus.backward(net, record, spike_errors=errors, wanted=("weights",), **carried)
        if chunks > 1:
            carried = {"state_errors": later}
    back = time.process_time()
    return there - begin, back - there, sum(len(r.spikes("hidden")) for r in records)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(0)
    count = int(CHANNELS * SECONDS * RATE)
    times = np.sort(rng.uniform(0, SECONDS, count))
    channels = rng.integers(0, CHANNELS, count)
    print("| network | chunks | spikes | there, ms | x | back, ms | x |")
    print("|---|---|---|---|---|---|---|")
    for recurrent in (False, True):
        net, sizes = network(recurrent), (1, 4, 20, 100)
        seen = [[in_chunks(net, times, channels, n) for n in sizes] for _ in range(rounds)]
        best = np.min(np.array(seen)[:, :, :2], axis=0) * 1e3
        for n, (there, back), (*_, spikes) in zip(sizes, best, seen[0], strict=True):
            name = "recurrent, delay 1 ms" if recurrent else "feedforward"
            print(
                f"| {name} | {n} | {spikes} | {there:.2f} | {there / best[0][0]:.1f} "
                f"| {back:.2f} | {back / best[0][1]:.1f} |"
            )


if __name__ == "__main__":
    main()
