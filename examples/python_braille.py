# SPDX-License-Identifier: Apache-2.0
"""Tactile Braille letters, read by a recurrent network; ends with a picture.

The data (27 classes, 24 channels, times on no grid) are HDF5 files in the layout of the Heidelberg
data sets: braille_train.h5 and braille_test.h5.

Run: python examples/python_braille.py FOLDER [--epochs 10] [--picture braille.png]
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl
import saltus

mpl.use("Agg")
from matplotlib import pyplot as plt

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("folder", type=Path)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--picture", type=Path, default=Path("braille.png"))
a = parser.parse_args()

train = saltus.data.read_spike_file(a.folder / "braille_train.h5", channels=24)
test = saltus.data.read_spike_file(a.folder / "braille_test.h5", channels=24)
t_end = max(train.times.max(), test.times.max()) + 50e-3
print(train)

slow: dict[str, Any] = {"tau_mem": 200e-3, "tau_syn": 30e-3}
net = saltus.Sequential(
    saltus.Input(24),
    saltus.LIF(
        128,
        saltus.Normal(0.0, 0.5),
        recurrent=saltus.Recurrent(saltus.Normal(0.0, 0.1), delay=1e-3),
        **slow,
    ),
    saltus.LI(27, saltus.Normal(0.0, 0.1), **slow),
)
saltus.scale_weights(net, {"in": train[:64].spikes}, t_end, spikes=2.0)

loss = saltus.IntegratedVoltage(tau_integral=50e-3)
kept, held_out = saltus.data.split(train, 0.9, 0.1, seed=0)
history = saltus.fit(
    net, kept, loss, t_end, epochs=a.epochs, schedule=saltus.Cosine(), validation=held_out
)
accuracy = saltus.evaluate(net, test, loss, t_end).accuracy
assert accuracy is not None  # the loss predicts
print(f"test accuracy {100 * accuracy:.1f} %")

record = saltus.simulate(net, {"in": test[:1].spikes}, t_end)
errors = loss(record, test.labels[:1]).errors
figure, axes = plt.subplots(4, 2, figsize=(11, 11), layout="constrained")
saltus.plot.raster(test, ax=axes[0, 0]).set_title("a letter")
saltus.plot.raster(record.spikes("hidden"), ax=axes[0, 1]).set_title("hidden neurons")
saltus.plot.voltages(record, "out", [test.labels[0], 5], ax=axes[1, 0]).set_title("two outputs")
busy = record.spikes("hidden").counts(128)[0].argsort()[-2:]
saltus.plot.adjoints(record, "hidden", errors, busy, axes=axes[2])
saltus.plot.histograms(net, ax=axes[1, 1])
saltus.plot.learning_curves(history, axes=axes[3])
figure.savefig(a.picture, dpi=80)
print(f"picture in {a.picture}")
