# SPDX-License-Identifier: Apache-2.0
"""At which frequency does one channel speak? Resonate-and-fire neurons (RF) tell, LIF cannot.

A sample is one train of spikes of 0.4 s, drawn from a rate that swings between 0 and 400 Hz at 15,
25 or 40 Hz, from any phase. The mean rate, 200 Hz, is the same for all: to count does not help. 20
hidden neurons, and a readout whose integral of V wins:

rf      RF neurons, their frequencies drawn between 10 and 50 Hz; they and `tau_mem` are trained
fixed   the same, but weights alone are trained
lif     LIF neurons, time constants drawn from 5 to 50 and 2 to 20 ms, and trained

Run: python examples/python_frequencies.py [--seeds 1] [--nets rf fixed lif] [--epochs 12]
"""

import argparse
import time

import numpy as np
import saltus

FREQUENCIES = np.array([15.0, 25.0, 40.0])  # Hz, of each class
T_END, RATE, HIDDEN = 0.4, 200.0, 20  # s, Hz, neurons


def trains(count: int, rng: np.random.Generator) -> saltus.data.LabelledSpikes:
    """Draw spikes of a swinging rate: of twice the mean rate those that the swing lets through."""
    labels = rng.integers(0, len(FREQUENCIES), count)
    samples = []
    for frequency, phase in zip(FREQUENCIES[labels], rng.uniform(0, 2 * np.pi, count), strict=True):
        times = np.sort(rng.uniform(0, T_END, rng.poisson(2 * RATE * T_END)))
        swing = (1 + np.cos(2 * np.pi * frequency * times + phase)) / 2
        samples.append(times[rng.random(len(times)) < swing])
    spikes, offsets = np.concatenate(samples), np.cumsum([0, *map(len, samples)])
    channel = np.zeros(len(spikes), np.int32)
    return saltus.data.labelled_spikes((spikes, channel, offsets), labels, channels=1)


def build(kind: str, seed: int) -> saltus.Sequential:
    """Return a network of one hidden layer."""
    hidden: saltus.LIF | saltus.RF
    if kind == "lif":
        hidden = saltus.LIF(
            HIDDEN,
            saltus.Normal(2.0, 1.0),
            tau_mem=saltus.Uniform(5e-3, 50e-3),
            tau_syn=saltus.Uniform(2e-3, 20e-3),
        )
    else:
        hidden = saltus.RF(
            HIDDEN,
            saltus.Normal(1.0, 0.2),
            frequency=saltus.Uniform(10, 50),
            tau_mem=80e-3,  # so long it resonates
            v_reset=0.0,  # a spike ends the oscillation: it takes U to u_reset, 0, too
        )
    readout = saltus.LI(len(FREQUENCIES), saltus.Normal(0, 0.3), tau_mem=100e-3)
    return saltus.Sequential(saltus.Input(1), hidden, readout, seed=seed)


def main() -> None:
    """Train each kind of network on each seed, and print the test accuracies."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--nets", nargs="+", choices=("rf", "fixed", "lif"), default=("rf", "lif"))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--samples", type=int, default=400)
    options = parser.parse_args()
    own = {"rf": ("frequency", "tau_mem"), "fixed": (), "lif": ("tau_mem", "tau_syn")}
    for kind in options.nets:
        start, found = time.perf_counter(), []
        for seed in range(options.seeds):
            rng = np.random.default_rng(seed)
            data, test = trains(options.samples, rng), trains(600, rng)
            net = build(kind, seed)
            saltus.scale_weights(net, data, T_END, spikes=4)
            loss = saltus.IntegratedVoltage(tau_integral=20e-3)
            saltus.fit(
                net,
                data,
                loss,
                T_END,
                epochs=options.epochs,
                optimizer=saltus.Adam(lr=1e-2),
                trainable=("weights", *own[kind]),
                clip_norm=1.0,
                seed=seed,
                progress=False,
            )
            found.append(100 * (saltus.evaluate(net, test, loss, T_END).accuracy or 0.0))
        seconds = time.perf_counter() - start
        print(
            f"{kind:6} mean test accuracy {np.mean(found):.1f} % of {len(found)} seeds "
            f"({min(found):.1f} to {max(found):.1f}), {seconds / len(found):.0f} s each",
            flush=True,
        )


if __name__ == "__main__":
    main()
