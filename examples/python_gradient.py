# SPDX-License-Identifier: Apache-2.0
"""The gradient of a loss of spike times, checked against a central difference.

Three input channels, four hidden neurons that also project onto themselves, two outputs. The loss
is the squared distance of each output's first spike from a time that is wanted.

Run: python examples/python_gradient.py
"""

import numpy as np
import saltus

T_END = 0.1  # s
WANTED = np.array([15e-3, 20e-3])  # s, first spike of each output


def build() -> saltus.Network:
    rng = np.random.default_rng(3)
    net = saltus.Network()
    net.add_input("in", 3)
    net.add_population("hidden", "LIF", 4, tau_mem=20e-3, tau_syn=5e-3)
    net.add_population("out", "LIF", 2, tau_mem=20e-3, tau_syn=5e-3, tau_ref=2e-3)
    net.connect("in", "hidden", rng.normal(4.5, 1.0, (3, 4)))
    net.connect("hidden", "hidden", rng.normal(0.0, 0.5, (4, 4)), delay=1e-3)
    net.connect("hidden", "out", rng.normal(1.5, 0.5, (4, 2)))
    return net


# Two samples. Sample s holds the entries offsets[s] .. offsets[s + 1] - 1 of times and neurons.
INPUTS = {
    "in": (
        np.array([1e-3, 4e-3, 9e-3, 2e-3, 3e-3, 7e-3]),  # s, ascending within a sample
        np.array([0, 1, 2, 2, 0, 1], dtype=np.int32),
        np.array([0, 3, 6]),
    )
}


def loss_and_errors(record: saltus.Record) -> tuple[float, np.ndarray]:
    """The loss, and dL/dt of each output spike in the order of the record."""
    spikes = record.spikes("out")
    errors = np.zeros(len(spikes))
    loss = 0.0
    for s in range(record.samples):
        sample = np.arange(spikes.offsets[s], spikes.offsets[s + 1])
        for n, wanted in enumerate(WANTED):
            own = sample[spikes.neurons[sample] == n]
            if len(own) == 0:
                raise SystemExit(f"sample {s}: output {n} is silent, which has no gradient")
            late = (spikes.times[own[0]] - wanted) / 1e-3  # ms
            loss += late**2
            errors[own[0]] = 2 * late / 1e-3
    return loss, errors


net = build()
record = saltus.simulate(net, INPUTS, T_END)
loss, errors = loss_and_errors(record)
gradients = saltus.backward(net, record, spike_errors={"out": errors})

hidden, out = len(record.spikes("hidden")), len(record.spikes("out"))
print(f"loss {loss:.3f} ms^2; {hidden} hidden spikes, {out} of outputs")
for name, gradient in gradients.items():
    print(f"  {name:24} {gradient.shape!s:8} largest {np.abs(gradient).max():.3e}")

# One entry, twice: by the adjoint, and by moving that weight a little.
name, entry, step = "in->hidden.weight", (0, 1), 1e-5
values = []
for change in (step, -step):
    moved = net.copy()
    moved[name][entry] += change
    values.append(loss_and_errors(saltus.simulate(moved, INPUTS, T_END))[0])
difference = (values[0] - values[1]) / (2 * step)
exact = gradients[name][entry]
error = abs(exact - difference) / np.abs(gradients[name]).max()

print(f"dL/d({name}{list(entry)}): adjoint {exact:.9f}, difference {difference:.9f}")
print(f"relative error {error:.1e}")
if not error < 1e-6:
    raise SystemExit("the gradient and the difference do not agree")
