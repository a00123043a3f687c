#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Norse: a time grid (forward Euler) and surrogate gradients through time, in PyTorch."""

from __future__ import annotations

import grid
import measure
import norse
import tasks
import torch
from norse.torch.functional import leaky_integrator as li
from norse.torch.functional import lif


class Net(grid.Net):
    """Norse's steps in a loop of our own: its modules index the input step by step, which makes
    the backward pass grow with the square of the number of steps."""

    def __init__(self, task: tasks.Task, dt: float) -> None:
        super().__init__(task, dt)
        inverse = {
            "tau_mem_inv": torch.tensor(1 / tasks.TAU_MEM),
            "tau_syn_inv": torch.tensor(1 / tasks.TAU_SYN),
        }
        self.lif = lif.LIFParameters(
            **inverse, v_th=torch.tensor(1.0), v_reset=torch.tensor(0.0), method="super"
        )
        self.li = li.LIParameters(**inverse)

    def start(self, batch: int) -> grid.State:
        """Hidden spikes, membranes and synapses, then the outputs' membranes and synapses."""
        return grid.zeros(batch, *3 * [self.task.hidden], *2 * [self.task.outputs])

    def chunk(self, currents: torch.Tensor, state: grid.State) -> tuple[torch.Tensor, grid.State]:
        """See grid.Net.chunk."""
        spikes = state[0]
        hidden = lif.LIFFeedForwardState(*state[1:3])
        spiking, integrating = lif.LIFFeedForwardState(*state[3:]), li.LIState(*state[3:])
        shown = []
        for current in currents.unbind(0):
            total = current
            if self.task.recurrent_std > 0:
                total = current + spikes @ self.w_rec
            spikes, hidden = lif.lif_feed_forward_step(total, hidden, self.lif, self.dt)
            out = spikes @ self.w_out
            if self.task.first_spike:
                out, spiking = lif.lif_feed_forward_step(out, spiking, self.lif, self.dt)
            else:
                out, integrating = li.li_feed_forward_step(out, integrating, self.li, self.dt)
            shown.append(out)
        last = spiking if self.task.first_spike else integrating
        return torch.stack(shown), (spikes, hidden.v, hidden.i, last.v, last.i)


def main() -> None:
    """Command line."""
    parser = measure.arguments(__doc__)
    grid.add_options(parser)
    options = parser.parse_args()
    task = grid.prepare(options)

    def make(batch: int) -> grid.GridTrainer:
        return grid.GridTrainer(Net(task, options.dt), batch, options)

    versions = {"version": norse.__version__, "torch": torch.__version__}
    measure.run(options, task, make, peer="Norse", **versions)


if __name__ == "__main__":
    main()
