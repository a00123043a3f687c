# SPDX-License-Identifier: Apache-2.0
"""Braille letters with a recurrent network: what it adds to train delays and time constants.

stay     delays and time constants stay as they were at first, weights are trained
trained  the same network; delays and time constants are trained as well

A spike of an input reaches the hidden layer four times, after delays drawn from 0 to 200, 200 to
400, 400 to 600 and 600 to 800 ms, each time with other weights. All else (first values, order of
samples, settings) is the same for one seed. Each epoch moves and stretches the letters a little.

Run: python examples/python_braille_delays.py FOLDER [--seeds 5] [--epochs 15] [--held-out]
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import saltus
from saltus.data import LabelledSpikes

HIDDEN, TAPS, SPACING = 64, 4, 200e-3
T_END = 2.2  # the last spikes come at 1.9 s
TIMES = {"delays": 1e-4, "tau_mem": 1e-4, "tau_syn": 5e-5}  # learning rates, s


def build(seed: int) -> saltus.Network:
    """Make the network 24-64-27: delays of each source, time constants of each layer."""
    rng = np.random.default_rng([seed, 1])
    net = saltus.Network()
    net.add_input("in", 24)
    net.add_population("hidden", "LIF", HIDDEN, tau_mem=100e-3, tau_syn=25e-3)
    net.add_population("out", "LI", 27, tau_mem=200e-3, tau_syn=25e-3)
    for k in range(TAPS):
        delay = SPACING * (k + rng.random(24))
        net.connect("in", "hidden", rng.normal(0.0, 0.3, (24, HIDDEN)), delay, name=f"tap{k}")
    own = rng.normal(0.0, 0.1, (HIDDEN, HIDDEN))
    net.connect("hidden", "hidden", own, rng.uniform(5e-3, 50e-3, HIDDEN))
    net.connect("hidden", "out", rng.normal(0.0, 0.1, (HIDDEN, 27)))
    return net


class Moved:
    """Training data that are other ones in each epoch: `augment` of `saltus.fit`."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 2])

    def __call__(self, data: LabelledSpikes, epoch: int) -> LabelledSpikes:
        """Stretch each sample by 1 %, shift it by 20 ms, move each spike by 10 ms (normal)."""
        n, rng = len(data), self.rng
        sample = np.repeat(np.arange(n), np.diff(data.offsets))
        stretch, shift = rng.normal(1.0, 0.01, n), rng.normal(0.0, 20e-3, n)
        moved = replace(data, times=np.maximum(data.times * stretch[sample] + shift[sample], 0.0))
        return saltus.data.jitter_times(moved, 10e-3, seed=int(rng.integers(2**31)))


def main() -> None:
    """Train both networks with each seed, and print accuracies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="with braille_train.h5 and braille_test.h5")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=15)
    kinds = ("stay", "trained")
    parser.add_argument("--nets", nargs="+", choices=kinds, default=kinds)
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="in place of the test file hold out a fifth of the training file, one for each seed",
    )
    a = parser.parse_args()

    everything = saltus.data.read_spike_file(a.folder / "braille_train.h5", channels=24)
    folds = list(saltus.data.stratified_folds(everything, 5, seed=0))
    # Without bounds activity ran away in one training (docs/results.md).
    loss = saltus.SumOfLosses(
        saltus.IntegratedVoltage(tau_integral=15e-3),
        saltus.SpikeBounds("hidden", upper=8.0, strength=1e-3),
    )
    found: dict[str, list[float]] = {kind: [] for kind in a.nets}
    for seed in range(a.first_seed, a.first_seed + a.seeds):
        if a.held_out:
            train, test = folds[seed % 5]
        else:
            train = everything
            test = saltus.data.read_spike_file(a.folder / "braille_test.h5", channels=24)
        for kind in a.nets:
            net, start = build(seed), time.process_time()
            history = saltus.fit(
                net,
                train,
                loss,
                T_END,
                epochs=a.epochs,
                batch=16,
                optimizer=saltus.Adam(5e-3),
                schedule=saltus.Cosine(warmup=1),
                trainable=["weights", *TIMES] if kind == "trained" else ["weights"],
                lr=TIMES if kind == "trained" else None,
                clip_norm=1.0,
                revive=0.3,
                augment=Moved(seed),
                seed=seed,
                progress=False,
            )
            result = saltus.evaluate(net, test, loss, T_END)
            assert result.accuracy is not None  # the loss predicts
            found[kind].append(100 * result.accuracy)
            line = f"seed {seed:2}  {kind:7}  {'held out' if a.held_out else 'test'} "
            line += f"{100 * result.accuracy:.2f} %, {result.loss:.4f}"
            line += f"  training {100 * (history[-1].accuracy or 0.0):.1f} %"
            line += f"  {history[-1].hidden_spikes_per_sample:.0f} spikes/sample"
            line += f"  {time.process_time() - start:.0f} s"
            if kind == "trained":
                tau = [
                    f"{1e3 * float(net[f'hidden.{name}']):.0f}" for name in ("tau_mem", "tau_syn")
                ]
                line += f"  tau_mem, tau_syn {', '.join(tau)} ms"
                line += f"  {history[-1].clamped} values held in range"
            print(line, flush=True)
    for kind, values in found.items():
        spread = f" ± {np.std(values, ddof=1):.2f}" if a.seeds > 1 else ""
        print(f"{kind:7}  mean accuracy {np.mean(values):.2f}{spread} %")


if __name__ == "__main__":
    main()
