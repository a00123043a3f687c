# SPDX-License-Identifier: Apache-2.0
"""A network to NIR and back, and a graph of a tool that steps by dt.

Run: python examples/python_nir.py
"""

import tempfile
from pathlib import Path

import nir
import numpy as np
import saltus

net = saltus.Sequential(
    saltus.Input(3),
    saltus.LIF(4, saltus.Normal(4.0, 1.0), delay=1e-3, bias=[0.0, 0.1, 0.2, 0.3]),
    saltus.LI(2, saltus.Normal(0.0, 1.0)),
)
with tempfile.TemporaryDirectory() as folder:
    nir.write(Path(folder) / "net.nir", saltus.to_nir(net))
    again = saltus.from_nir(nir.read(Path(folder) / "net.nir"))
print(f"the same network to the last bit: {again == net}")

# What a tool with steps of 0.1 ms writes: w_in = tau_syn / dt.
ones = np.ones(2)
neurons = nir.CubaLIF(
    tau_syn=5e-3 * ones, tau_mem=20e-3 * ones, r=ones, v_leak=0 * ones, v_threshold=ones,
    w_in=5e-3 / 1e-4 * ones,
)  # fmt: skip
graph = nir.NIRGraph.from_list(nir.Linear(np.array([[7.0, 0.0, 1.0], [0.0, 8.0, 1.0]])), neurons)
try:
    saltus.from_nir(graph)
except ValueError as error:
    print(f"refused: {error}")
imported = saltus.from_nir(graph, spike_area=1e-4)
record = saltus.simulate(imported, {"input": ([1e-3, 2e-3], [0, 1], [0, 2])}, t_end=0.1)
print(f"imported: {imported!r}, spikes at {1e3 * record.spikes('cubalif').times} ms")
