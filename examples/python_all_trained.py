# SPDX-License-Identifier: Apache-2.0
"""Yin-Yang with everything trained at the default rate: weights, delays and time constants.

weights  weights alone, no delays
all      a delay of 0 to 5 ms for each synapse into the hidden layer; these, tau_mem and tau_syn too

Run: python examples/python_all_trained.py [--seeds 5] [--epochs 100]
"""

import argparse

import numpy as np
import saltus

HIDDEN = 120


def train(kind: str, seed: int, epochs: int) -> tuple[float, int]:
    """Return the test accuracy in percent, and how many delays ended at 0."""
    drawn = np.random.default_rng([seed, 1]).uniform(0, 5e-3, (5, HIDDEN))
    net = saltus.Sequential(
        saltus.Input(5),
        saltus.LIF(HIDDEN, saltus.Normal(1.5, 0.78), delay=drawn if kind == "all" else None),
        saltus.LIF(3, saltus.Normal(1.2, 0.1)),
        seed=seed,
    )
    saltus.fit(
        net,
        saltus.data.yin_yang("train"),
        saltus.FirstSpike(),
        np.inf,
        epochs=epochs,
        trainable=["weights", "delays", "tau_mem", "tau_syn"] if kind == "all" else ["weights"],
        seed=seed,
        progress=False,
    )
    test = saltus.evaluate(net, saltus.data.yin_yang("test"), saltus.FirstSpike(), np.inf)
    at_zero = (net["in->hidden.delay"] == 0).sum() if kind == "all" else 0
    assert test.accuracy is not None  # as it is of a loss that names no class
    return 100 * test.accuracy, int(at_zero)


def main() -> None:
    """Train both kinds with each seed, and print the test accuracies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--epochs", type=int, default=100)
    a = parser.parse_args()
    for kind in ("weights", "all"):
        found = [train(kind, seed, a.epochs) for seed in range(1, a.seeds + 1)]
        accuracies = np.array([accuracy for accuracy, _ in found])
        spread = f" ± {accuracies.std(ddof=1):.2f}" if a.seeds > 1 else ""
        print(
            f"{kind:7}  {accuracies.mean():.2f}{spread} %  {accuracies.round(1).tolist()}  "
            f"delays at 0, of {5 * HIDDEN}: {[zeros for _, zeros in found]}"
        )


if __name__ == "__main__":
    main()
