# SPDX-License-Identifier: Apache-2.0
"""Train Yin-Yang from Python: layers, a built-in loss, validation, early stopping, a file.

Run: python examples/python_train.py [--epochs 15]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import saltus

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--epochs", type=int, default=15)
epochs = parser.parse_args().epochs

net = saltus.Sequential(
    saltus.Input(5),
    saltus.LIF(200, saltus.Normal(1.5, 0.78)),
    saltus.LIF(3, saltus.Normal(0.93, 0.1)),
)
print(net)

history = saltus.fit(
    net,
    saltus.data.yin_yang("train"),
    saltus.FirstSpike(),
    t_end=np.inf,
    epochs=epochs,
    validation=saltus.data.yin_yang("validation"),
    callbacks=[saltus.EarlyStopping(patience=10, watch="validation_accuracy")],
)
test = saltus.evaluate(net, saltus.data.yin_yang("test"), saltus.FirstSpike(), np.inf)
assert test.accuracy is not None  # FirstSpike predicts
print(f"test accuracy {100 * test.accuracy:.1f} % after {len(history)} epochs")

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "yin_yang.safetensors"
    net.save(file)
    print(f"saved and loaded to the last bit: {saltus.load(file) == net}")
