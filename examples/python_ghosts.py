# SPDX-License-Identifier: Apache-2.0
"""A loss with its jumps, its average over noisy thresholds, and three gradients (docs/ghosts.md).

Two neurons in a chain, under seven input spikes, drive a readout; the loss is minus its voltage at
40 ms. One weight is scanned. The average and its gradient come from many draws of the thresholds.

    python examples/python_ghosts.py [--out FILE.png] [--draws N] [--points N] [--sigma X]
"""

import argparse
from dataclasses import replace

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import saltus

T_END, AT, BATCH = 50e-3, [40e-3], 10
TIMES = np.array([1.0, 4.0, 8.0, 12.0, 15.0, 19.0, 24.0]) * 1e-3


def network(weight: float) -> saltus.Network:
    """Build input -> first -> second -> out; `weight` scales the first projection."""
    net = saltus.Network()
    net.add_input("in", 1)
    net.add_population("first", "LIF", 1)
    net.add_population("second", "LIF", 1)
    net.add_population("out", "LI", 1)
    net.connect("in", "first", np.array([[weight]]))
    net.connect("first", "second", np.array([[7.5]]))
    net.connect("first", "out", np.array([[1.0]]))
    net.connect("second", "out", np.array([[-2.0]]))
    return net


def loss(record: saltus.Record, labels: np.ndarray) -> saltus.LossResult:
    """Minus the mean voltage of the readout at 40 ms."""
    v = record.voltages("out", AT)
    errors = {"sample_errors": {"out": (AT, np.full(v.shape, -1 / len(v)))}}
    return saltus.LossResult(-float(v.mean()), errors)


def run(weight: float, samples: int, smoothing: saltus.Smoothing | None) -> tuple[float, float]:
    """Return loss and gradient; with `smoothing` what ghosts add is in it."""
    net = network(weight)
    spikes = [(TIMES, np.zeros(len(TIMES), np.int32))] * samples
    offsets = np.arange(samples + 1) * len(TIMES)
    times = np.concatenate([t for t, _ in spikes])
    inputs = {"in": (times, np.zeros(len(times), np.int32), offsets)}
    sampled = smoothing is not None and smoothing.thresholds == "sampled"
    record = saltus.simulate(net, inputs, T_END, smoothing=smoothing if sampled else None)
    result = loss(record, np.zeros(samples, np.int32))
    ghosts = None
    if smoothing is not None:
        ghosts = saltus.find_ghosts(
            net, record, smoothing, loss=loss, labels=np.zeros(samples, np.int32)
        )
    gradients = saltus.backward(net, record, **result.errors, ghosts=ghosts)
    return result.value, float(gradients["in->first.weight"][0, 0])


def main() -> None:
    """Scan, draw, save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", default="ghosts.png")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--points", type=int, default=161)
    parser.add_argument("--sigma", type=float, default=0.1)
    options = parser.parse_args()
    weights = np.linspace(1.5, 5.5, options.points)
    fixed = saltus.Smoothing(options.sigma)
    drawn = saltus.Smoothing(options.sigma, thresholds="sampled", difference="exact")
    exact = np.array([run(w, 1, None) for w in weights])
    first_order = np.array([run(w, 1, fixed) for w in weights])
    # Every ghost simulates its whole batch again: many small ones.
    batches = [replace(drawn, seed=seed) for seed in range(options.draws // BATCH)]
    mean = np.array([np.mean([run(w, BATCH, b) for b in batches], axis=0) for w in weights])
    slope = np.gradient(mean[:, 0], weights)

    figure, (top, bottom) = plt.subplots(2, 1, figsize=(7.5, 7), sharex=True, layout="constrained")
    top.plot(weights, exact[:, 0], ".", ms=3, color="0.5", label="loss")
    top.plot(weights, mean[:, 0], color="C0", label=f"average, {options.draws} draws")
    top.set_ylabel("loss")
    top.legend(frameon=False)
    bottom.plot(weights, slope, color="C0", lw=3, alpha=0.4, label="difference of the average")
    bottom.plot(weights, mean[:, 1], color="C3", lw=1, label="sampled thresholds, exact ghosts")
    bottom.plot(weights, first_order[:, 1], color="C2", lw=1, label="fixed thresholds, first order")
    bottom.plot(weights, exact[:, 1], ".", ms=3, color="0.5", label="exact gradient of the loss")
    bottom.set_ylabel("gradient")
    bottom.set_xlabel("weight of the first synapse")
    bottom.set_ylim(-2 * slope.max(), 3 * slope.max())  # the sharpest spikes of it run out
    bottom.legend(frameon=False, fontsize="small", loc="lower left", ncols=2)
    figure.savefig(options.out, dpi=150)
    error = {
        "sampled, exact ghosts": mean[:, 1] - slope,
        "fixed, first order": first_order[:, 1] - slope,
        "exact gradient alone": exact[:, 1] - slope,
    }
    print(f"root mean square of the slope of the average: {np.sqrt(np.mean(slope**2)):.4f}")
    for name, values in error.items():
        print(f"{name}: off by {np.sqrt(np.mean(values**2)):.4f}")
    print(f"picture: {options.out}")


if __name__ == "__main__":
    main()
