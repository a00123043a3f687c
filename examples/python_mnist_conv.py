# SPDX-License-Identifier: Apache-2.0
"""Train a convolutional network on MNIST, with images moved by up to a pixel in each epoch.

Run: python examples/python_mnist_conv.py --data MNIST_FOLDER [--epochs 12]
     [--out model.safetensors]
"""

import argparse
import json
import math
import time
from typing import Any

import numpy as np
import saltus

SIDE = 28  # pixels
HELD_OUT = 5000  # training samples for validation
SETTINGS: dict[str, Any] = {
    "channels": 16,
    "kernel": 5,
    "stride": 2,
    "hidden": 400,
    "first_spikes": 0.5,
    "batch": 16,
    "lr": 1.5e-3,
    "lr_last": 2e-5,
    "input_dropout": 0.0,
    "shift": 1,
}


def build(samples: saltus.data.LabelledSpikes, seed: int) -> saltus.Sequential:
    """Return a network whose layers spike.

    Parameters
    ----------
    samples : saltus.data.LabelledSpikes
        A few dozen, by which first weights are scaled.
    seed : int

    Returns
    -------
    saltus.Sequential
    """
    s = SETTINGS
    # Adam's steps are as long for every weight. A lower threshold makes the weights of the first
    # layer, which few spikes reach, about as large as the others.
    conv = saltus.Conv2d(
        saltus.Normal(0, 0.1), channels=s["channels"], size=s["kernel"], stride=s["stride"]
    )
    net = saltus.Sequential(
        saltus.Input((1, SIDE, SIDE)),
        saltus.LIF(weight=conv, v_threshold=0.15),
        saltus.LIF(s["hidden"], saltus.Normal(0, 0.1)),
        saltus.LI(10, saltus.Normal(0, 0.3)),
        seed=seed,
    )
    saltus.scale_weights(net, {"in": samples.spikes}, np.inf, s["first_spikes"])
    return net


def moved(
    data: saltus.data.LabelledSpikes, most: int, rng: np.random.Generator
) -> saltus.data.LabelledSpikes:
    """Return the images of a data set, each moved by up to `most` pixels along y and x.

    Parameters
    ----------
    data : saltus.data.LabelledSpikes
    most : int
    rng : numpy.random.Generator

    Returns
    -------
    saltus.data.LabelledSpikes
        Without the pixels that leave the image.
    """
    sample = np.repeat(np.arange(len(data)), np.diff(data.offsets))
    dy, dx = rng.integers(-most, most + 1, (2, len(data)))
    y, x = data.neurons // SIDE + dy[sample], data.neurons % SIDE + dx[sample]
    stay = (y >= 0) & (y < SIDE) & (x >= 0) & (x < SIDE)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(sample[stay], minlength=len(data)))])
    spikes = (data.times[stay], (SIDE * y + x)[stay], offsets)
    return saltus.data.labelled_spikes(spikes, data.labels, data.channels, data.classes)


def main() -> None:
    """Train, and print a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="a folder with the IDX files of MNIST")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--samples", type=int, default=55000, help="so many to train with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", help="where to save the network, an HDF5 file")
    given = parser.parse_args()
    start = time.perf_counter()
    saltus.set_threads(given.threads)
    s, rng, loss = SETTINGS, np.random.default_rng(given.seed), saltus.MaximumVoltage()

    data = saltus.data.mnist(given.data)
    validation, train = data[:HELD_OUT], data[HELD_OUT : HELD_OUT + given.samples]
    net = build(train[:64], given.seed)
    print(net)
    epochs: list[saltus.Epoch] = []
    for k in range(given.epochs):
        share = (1 + math.cos(math.pi * k / given.epochs)) / 2
        epochs += saltus.fit(  # an epoch a call: each has its own data
            net,
            moved(train, s["shift"], rng),
            loss,
            np.inf,
            epochs=1,
            batch=s["batch"],
            optimizer=saltus.Adam(s["lr_last"] + share * (s["lr"] - s["lr_last"])),
            validation=validation,
            seed=1000 * given.seed + k,
            input_dropout=s["input_dropout"],
            progress=False,
        )
        e = epochs[-1]
        assert e.accuracy is not None  # the loss predicts
        assert e.validation_accuracy is not None
        each = 1e6 / e.samples
        print(
            f"epoch {k + 1}/{given.epochs}  loss {e.loss:.4f}  accuracy {100 * e.accuracy:.2f} %  "
            f"validation {100 * e.validation_accuracy:.2f} %  {each * e.seconds:.0f} us/sample "
            f"(forward {each * e.forward_seconds:.0f}, backward {each * e.backward_seconds:.0f}, "
            f"step {each * e.step_seconds:.0f})  {e.hidden_spikes_per_sample:.0f} spikes/sample  "
            f"{e.silent_neurons} silent  {time.perf_counter() - start:.0f} s, "
            f"processor {time.process_time():.0f} s",
            flush=True,
        )
        if given.out:
            net.save(given.out)
    test = saltus.evaluate(net, saltus.data.mnist(given.data, "test"), loss, np.inf)
    trained = sum(e.seconds for e in epochs) / max(1, sum(e.samples for e in epochs))
    result = {
        "test_accuracy": test.accuracy,
        "validation_accuracy": epochs[-1].validation_accuracy if epochs else None,
        "seconds": round(time.perf_counter() - start, 1),
        "processor_seconds": round(time.process_time(), 1),
        "us_per_sample": round(1e6 * trained, 1),
        "hidden_spikes_per_sample": round(test.hidden_spikes_per_sample, 1),
        "settings": {**s, "epochs": given.epochs, "seed": given.seed, "threads": given.threads},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
