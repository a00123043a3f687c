# SPDX-License-Identifier: Apache-2.0
"""Yin-Yang with 30 hidden neurons: what delays add, one for each synapse into the hidden layer.

none     no delays
fixed    delays drawn from 0 to 20 ms, which stay
trained  the same delays, trained with the weights and with a learning rate of their own

All else (weights at the start, order of samples, settings) is the same for one seed.

Run: python examples/python_delays.py [--seeds 1] [--epochs 300] [--nets none fixed trained]
"""

import argparse
import time

import numpy as np
import saltus

HIDDEN = 30


def build(kind: str, seed: int) -> saltus.Sequential:
    """Make the network 5-30-3; all kinds have the same first weights."""
    drawn = np.random.default_rng([seed, 1]).uniform(0, 20e-3, (5, HIDDEN))
    delay = None if kind == "none" else drawn
    return saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(HIDDEN, saltus.Normal(1.5, 0.78), delay=delay),
        saltus.LIF(3, saltus.Normal(3.7, 0.5)),
        seed=seed,
    )


def main() -> None:
    """Train each kind with each seed, and print the test accuracies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=300)
    kinds = ("none", "fixed", "trained")
    parser.add_argument("--nets", nargs="+", choices=kinds, default=kinds)
    a = parser.parse_args()

    train, test = saltus.data.yin_yang("train"), saltus.data.yin_yang("test")
    found: dict[str, list[float]] = {kind: [] for kind in a.nets}
    for seed in range(a.first_seed, a.first_seed + a.seeds):
        for kind in a.nets:
            net = build(kind, seed)
            start = time.perf_counter()
            history = saltus.fit(
                net,
                train,
                saltus.FirstSpike(),
                np.inf,
                epochs=a.epochs,
                optimizer=saltus.Adam(1e-2),
                schedule=saltus.Cosine(),
                trainable=["weights", "delays"] if kind == "trained" else ["weights"],
                lr={"delays": 2e-4} if kind == "trained" else None,
                revive=0.3,
                seed=seed,
                progress=False,
            )
            result = saltus.evaluate(net, test, saltus.FirstSpike(), np.inf)
            trained = history[-1].accuracy
            assert result.accuracy is not None  # FirstSpike predicts
            assert trained is not None
            found[kind].append(100 * result.accuracy)
            line = f"seed {seed:2}  {kind:7}  test {100 * result.accuracy:.1f} %, {result.loss:.4f}"
            line += f"  training {100 * trained:.1f} %, {history[-1].loss:.4f}"
            line += f"  {history[-1].hidden_spikes_per_sample:.1f} spikes/sample"
            line += f"  {time.perf_counter() - start:.0f} s"
            if kind != "none":
                delays = 1e3 * net["in->hidden.delay"]
                line += f"  delays {delays.mean():.1f} ms, longest {delays.max():.1f} ms"
                line += f", {(delays == 0).sum()} of {delays.size} at 0"
            print(line, flush=True)
    for kind, values in found.items():
        spread = f" ± {np.std(values, ddof=1):.2f}" if a.seeds > 1 else ""
        print(f"{kind:7}  mean test accuracy {np.mean(values):.2f}{spread} %")


if __name__ == "__main__":
    main()
