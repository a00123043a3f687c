#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""snnTorch: a time grid and surrogate gradients through time, in PyTorch."""

from __future__ import annotations

import math

import grid
import measure
import snntorch
import tasks
import torch
from snntorch import surrogate


class Net(grid.Net):
    """LIF neurons with a synaptic current: snntorch.Synaptic, decays exact for the step."""

    def __init__(self, task: tasks.Task, dt: float) -> None:
        super().__init__(task, dt)
        self.alpha, self.beta = math.exp(-dt / tasks.TAU_SYN), math.exp(-dt / tasks.TAU_MEM)
        self.gain = 1 - self.beta  # so that a weight means what it means to Saltus
        lif = {
            "alpha": self.alpha,
            "beta": self.beta,
            "reset_mechanism": "zero",
            "spike_grad": surrogate.fast_sigmoid(slope=25),
        }
        self.hidden = snntorch.Synaptic(**lif)
        self.out = snntorch.Synaptic(**lif)

    def start(self, batch: int) -> grid.State:
        """Hidden spikes, synapses and membranes, then the outputs' synapses and membranes."""
        return grid.zeros(batch, *3 * [self.task.hidden], *2 * [self.task.outputs])

    def chunk(self, currents: torch.Tensor, state: grid.State) -> tuple[torch.Tensor, grid.State]:
        """See grid.Net.chunk."""
        spikes, synapse, membrane, out_synapse, out_membrane = state
        shown = []
        for current in (self.gain * currents).unbind(0):
            total = current
            if self.task.recurrent_std > 0:
                total = current + self.gain * (spikes @ self.w_rec)
            spikes, synapse, membrane = self.hidden(total, synapse, membrane)
            out_current = self.gain * (spikes @ self.w_out)
            if self.task.first_spike:
                out, out_synapse, out_membrane = self.out(out_current, out_synapse, out_membrane)
            else:  # a leaky integrator needs no neuron that looks for spikes
                out_synapse = self.alpha * out_synapse + out_current
                out_membrane = self.beta * out_membrane + out_synapse
                out = out_membrane
            shown.append(out)
        return torch.stack(shown), (spikes, synapse, membrane, out_synapse, out_membrane)


def main() -> None:
    """Command line."""
    parser = measure.arguments(__doc__)
    grid.add_options(parser)
    options = parser.parse_args()
    task = grid.prepare(options)

    def make(batch: int) -> grid.GridTrainer:
        return grid.GridTrainer(Net(task, options.dt), batch, options)

    versions = {"version": snntorch.__version__, "torch": torch.__version__}
    measure.run(options, task, make, peer="snnTorch", **versions)


if __name__ == "__main__":
    main()
