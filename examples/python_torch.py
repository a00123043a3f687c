# SPDX-License-Identifier: Apache-2.0
"""A spiking layer in front of an ordinary PyTorch layer, trained with a PyTorch optimiser.

Weights, delays and time constants of the spiking layer are learnt.

Run: python examples/python_torch.py [--epochs 6]
"""

import argparse

import numpy as np
import saltus
import saltus.torch
import torch

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--epochs", type=int, default=6)
epochs = parser.parse_args().epochs

torch.manual_seed(0)
spiking = saltus.Sequential(
    saltus.Input(5),
    saltus.LIF(100, saltus.Normal(1.5, 0.78), delay=np.full(5, 1e-3)),
    saltus.LI(30, saltus.Normal(0.0, 0.5)),
)
layer = saltus.torch.EventProp(
    spiking, np.inf, "out.maxima", trainable=["weights", "delays", "hidden.tau_mem"]
)
model = torch.nn.Sequential(layer, torch.nn.Linear(30, 3))
print(model)

# Delays and time constants are seconds: they take smaller steps than weights.
seconds = [p for name, p in model.named_parameters() if "delay" in name or "tau" in name]
others = [p for name, p in model.named_parameters() if "delay" not in name and "tau" not in name]
optimizer = torch.optim.Adam([{"params": others, "lr": 5e-3}, {"params": seconds, "lr": 1e-5}])

train, test = saltus.data.yin_yang("train"), saltus.data.yin_yang("test")
labels = torch.from_numpy(train.labels.astype(np.int64))
for epoch in range(epochs):
    total = 0.0
    for chosen in torch.randperm(len(train)).split(64):
        optimizer.zero_grad()
        scores = model(train[chosen.numpy()].spikes)
        loss = torch.nn.functional.cross_entropy(scores, labels[chosen])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(chosen)
    print(f"epoch {epoch + 1}: loss {total / len(train):.3f}")

with torch.no_grad():
    accuracy = (model(test.spikes).argmax(1).numpy() == test.labels).mean()
print(f"test accuracy {100 * accuracy:.1f} %")
tau_mem = layer.network()["hidden.tau_mem"]
print(f"tau_mem of the hidden layer {1e3 * tau_mem.item():.2f} ms")
