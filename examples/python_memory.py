# SPDX-License-Identifier: Apache-2.0
"""Delayed recall: which of four channels spoke 150 ms ago, when neurons forget within 20 ms?

A burst on one of four channels at 5 to 15 ms is the cue; one on a fifth channel at 150 ms, always
the same, asks for it; the readout is read 10 to 45 ms after that, and spikes without a meaning come
at any time. The hidden layers are feed-forward and of one size, and see the same samples:

lif     LIF neurons, tau_mem 20 ms and tau_syn 5 ms, which forget
alif    the same, but each spike raises the threshold for 250 ms: who heard the cue keeps quiet
fixed   LIF neurons behind delays of 0 to 20 ms, one for each synapse
delays  the same, delays trained
looped  LIF neurons with synapses among each other, trained (not run unless asked for)

Asked at 20 ms (--asked 20), LIF neurons know the answer too.

Run: python examples/python_memory.py [--seeds 1] [--nets lif alif fixed delays] [--asked 150]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import saltus
from numpy.typing import NDArray

CHANNELS, LINES = 4, 5  # a channel is a bundle of lines
READ = np.arange(10e-3, 46e-3, 5e-3)  # after the question, when the readout is read
REST = 50e-3  # from the question to the end
SHARPNESS = 10.0  # of the softmax
Loss = Callable[[saltus.Record, NDArray[np.int64]], saltus.LossResult]
NETS = ("lif", "alif", "fixed", "delays", "looped")


def samples(count: int, asked: float, rng: np.random.Generator) -> saltus.data.LabelledSpikes:
    """Draw cues, the bursts that ask for them, and noise."""
    lines = (CHANNELS + 1) * LINES
    labels = rng.integers(0, CHANNELS, count)
    cue = labels[:, None] * LINES + np.arange(3 * LINES) % LINES
    ask = np.tile(CHANNELS * LINES + np.arange(6 * LINES) % LINES, (count, 1))
    noise = rng.integers(0, lines, (count, 8))
    units = np.hstack([cue, ask, noise])
    times = np.hstack(
        [
            rng.uniform(5e-3, 15e-3, cue.shape),
            rng.uniform(asked, asked + 20e-3, ask.shape),
            rng.uniform(0, asked + REST, noise.shape),
        ]
    )
    order = times.argsort(axis=1)
    times, units = (np.take_along_axis(x, order, axis=1) for x in (times, units))
    offsets = units.shape[1] * np.arange(count + 1)
    spikes = (times.ravel(), units.ravel().astype(np.int32), offsets)
    return saltus.data.labelled_spikes(spikes, labels, channels=lines, classes=CHANNELS)


def recall(asked: float) -> Loss:
    """Return the loss: cross-entropy of the softmax of the readout's mean V after the question."""
    at = asked + READ

    def loss(record: saltus.Record, labels: NDArray[np.int64]) -> saltus.LossResult:
        scores = SHARPNESS * record.voltages("out", at).astype(float).mean(axis=1)
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        own = np.arange(len(labels)), labels
        value = -np.log(p[own] + 1e-300).mean()
        p[own] -= 1
        each = SHARPNESS * p[:, None, :] / (len(labels) * len(at))
        errors = {"out": (at, np.repeat(each, len(at), axis=1))}
        return saltus.LossResult(value, {"sample_errors": errors}, scores.argmax(axis=1))

    return loss


def build(kind: str, size: int, seed: int) -> saltus.Sequential:
    """Make one of the networks; all have the same first weights."""
    weight, lines = saltus.Normal(1.0, 1.0), (CHANNELS + 1) * LINES
    hidden: saltus.LIF | saltus.ALIF = saltus.LIF(size, weight)
    if kind == "alif":
        hidden = saltus.ALIF(size, weight, tau_adapt=250e-3, beta=1.0)
    elif kind in ("fixed", "delays"):
        short = np.random.default_rng([seed, 1]).uniform(0, 20e-3, (lines, size))
        hidden = saltus.LIF(size, weight, delay=short)
    elif kind == "looped":
        loop = np.random.default_rng([seed, 2]).normal(0.0, 0.1, (size, size))
        hidden = saltus.LIF(size, weight, recurrent=saltus.Recurrent(loop, delay=2e-3))
    return saltus.Sequential(
        saltus.Input(lines), hidden, saltus.LI(CHANNELS, saltus.Normal(0.0, 0.3)), seed=seed
    )


def main() -> None:
    """Train each network with each seed, and print the accuracies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=NETS[:4])
    parser.add_argument("--asked", type=float, default=150.0, help="when, in ms")
    parser.add_argument("--hidden", type=int, default=50)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=20)
    a = parser.parse_args()

    asked = 1e-3 * a.asked
    t_end, loss = asked + REST, recall(asked)
    found: dict[str, list[float]] = {kind: [] for kind in a.nets}
    for seed in range(a.first_seed, a.first_seed + a.seeds):
        rng = np.random.default_rng([seed, 0])
        train, test = samples(a.samples, asked, rng), samples(1000, asked, rng)
        for kind in a.nets:
            net = build(kind, a.hidden, seed)
            start = time.perf_counter()
            history = saltus.fit(
                net,
                train,
                loss,
                t_end,
                epochs=a.epochs,
                optimizer=saltus.Adam(3e-3),
                schedule=saltus.Exponential(0.9),
                clip_norm=1.0,
                trainable=["weights", "delays"] if kind == "delays" else ["weights"],
                lr={"delays": 3e-3} if kind == "delays" else None,
                seed=seed,
                progress=False,
            )
            tested, trained = saltus.evaluate(net, test, loss, t_end).accuracy, history[-1].accuracy
            assert tested is not None  # the loss predicts
            assert trained is not None
            found[kind].append(100 * tested)
            line = f"seed {seed}  {kind:6}  test {100 * tested:5.1f} %"
            line += f"  training {100 * trained:5.1f} %"
            line += f"  {history[-1].hidden_spikes_per_sample:5.1f} spikes/sample"
            line += f"  {time.perf_counter() - start:4.1f} s"
            if kind == "delays":
                delays = net["in->hidden.delay"]
                line += f"  longest delay {1e3 * delays.max():.0f} ms"
                line += f", {(delays == 0).sum()} of {delays.size} at 0"
            print(line, flush=True)
    print(f"by chance {100 / CHANNELS:.0f} %")
    for kind, values in found.items():
        spread = f" ± {np.std(values, ddof=1):.1f}" if a.seeds > 1 else ""
        print(f"{kind:6}  mean test accuracy {np.mean(values):5.1f}{spread} %")


if __name__ == "__main__":
    main()
