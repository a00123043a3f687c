#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""jaxsnn: event by event, EventProp, in JAX. Every layer has a buffer of a fixed size for its
events (those that arrive and its own spikes); what does not fit is lost without a word, so the
script counts full buffers. Its solver knows only tau_mem = tau_syn and tau_mem = 2 tau_syn."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

import first_spikes
import jax
import jax.numpy as jnp
import measure
import tasks
from jaxsnn.event.loss import first_spike
from jaxsnn.event.modules import LIF, LIFParameters, Linear, Source
from jaxsnn.event.topology import Topology
from jaxsnn.event.types import Spike

TAU_MEM, TAU_SYN = 20.0, 10.0  # ms


def peak(tau_mem: float, tau_syn: float) -> float:
    """Highest voltage after one input of weight 1."""
    t = math.log(tau_mem / tau_syn) * tau_mem * tau_syn / (tau_mem - tau_syn)
    return tau_syn / (tau_mem - tau_syn) * (math.exp(-t / tau_mem) - math.exp(-t / tau_syn))


def build(task: tasks.Task, buffers: list[int]) -> tuple[Any, Any]:
    """First weights, scaled to the same peaks as with tau_syn = 5 ms, and the forward pass."""
    scale = peak(1e3 * tasks.TAU_MEM, 1e3 * tasks.TAU_SYN) / peak(TAU_MEM, TAU_SYN)
    (mean_in, std_in), (mean_out, std_out) = task.hidden_weights, task.output_weights
    neuron = LIFParameters(tau_syn=TAU_SYN, tau_mem=TAU_MEM, v_th=1.0, v_reset=0.0)
    net = Topology(t_max=first_spikes.T_END, backprop_method="eventprop")
    net.add(
        {
            "in": Source(task.inputs),
            "hidden": LIF(task.hidden, buffers[0], neuron),
            "out": LIF(task.outputs, buffers[1], neuron),
            "w_in": Linear(mean=scale * mean_in, std=scale * std_in, min_delay=0.0),
            "w_out": Linear(mean=scale * mean_out, std=scale * std_out, min_delay=0.0),
        }
    )
    net.connect([("in", "w_in"), ("w_in", "hidden"), ("hidden", "w_out"), ("w_out", "out")])
    start, apply = net.done()

    def forward(weights: Any, times: jax.Array, channels: jax.Array) -> Any:
        real = channels >= 0
        zero = jnp.zeros_like(times)
        spikes = Spike(
            time=times, idx=channels, current=zero, layer_idx=zero.astype(int), internal=real
        )
        events = apply({"in": spikes}, weights)
        first = jax.vmap(lambda s: first_spike(s, task.outputs))(events["out"])
        full = [(events[layer].idx[:, -1] >= 0).sum() for layer in ("hidden", "out")]
        return first, jnp.array(full)

    return start, forward


def main() -> None:
    """Command line."""
    parser = measure.arguments(__doc__)
    parser.add_argument("--buffers", type=int, nargs=2, default=[300, 450], help="hidden, output")
    options = parser.parse_args()
    first_spikes.check(options)
    task = tasks.load(options.task, options.data, options.samples)
    start, forward = build(task, options.buffers)

    def make(batch: int) -> first_spikes.ExactTrainer:
        weights = start(jax.random.PRNGKey(options.seed))
        return first_spikes.ExactTrainer(
            task, weights, forward, batch, "samples_with_a_full_buffer"
        )

    about = {"version": version("jaxsnn"), "jax": jax.__version__, "buffers": options.buffers}
    measure.run(options, task, make, peer="jaxsnn", **about)


if __name__ == "__main__":
    main()
