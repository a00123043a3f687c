#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""eventax: small steps of an ODE solver between events, EventProp, in JAX."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import diffrax
import equinox
import first_spikes
import jax
import jax.numpy as jnp
import measure
import numpy as np
import optimistix
import tasks
from eventax.adjoint import EventPropAdjoint
from eventax.evnn import FFEvNN
from eventax.neuron_models import LIF


def build(task: tasks.Task, step: float, most_events: int, seed: int) -> Any:
    """The network with its first weights."""
    random = np.random.default_rng(seed)
    neurons = task.hidden + task.outputs
    # One matrix, from every neuron and then every input, to every neuron.
    weights = np.zeros((neurons + task.inputs, neurons))
    weights[neurons:, : task.hidden] = random.normal(
        *task.hidden_weights, (task.inputs, task.hidden)
    )
    weights[: task.hidden, task.hidden :] = random.normal(
        *task.output_weights, (task.hidden, task.outputs)
    )
    return FFEvNN(
        layers=[task.hidden, task.outputs],
        in_size=task.inputs,
        neuron_model=LIF,
        max_solver_time=first_spikes.T_END,
        key=jax.random.PRNGKey(seed),
        thresh=1.0,
        vreset=0.0,
        tsyn=1e3 * tasks.TAU_SYN,
        tmem=1e3 * tasks.TAU_MEM,
        init_weights=jnp.asarray(weights, jnp.float32),
        init_bias=0.0,
        solver_stepsize=step,
        max_event_steps=most_events,
        solver=diffrax.Euler(),
        root_finder=optimistix.Newton(1e-2, 1e-2, optimistix.rms_norm),
        adjoint=EventPropAdjoint(),
    )


def main() -> None:
    """Command line."""
    parser = measure.arguments(__doc__)
    parser.add_argument("--step", type=float, default=0.05, help="of the solver, ms")
    parser.add_argument("--events", type=int, default=400, help="most events of a sample")
    options = parser.parse_args()
    first_spikes.check(options)
    task = tasks.load(options.task, options.data, options.samples)
    model = build(task, options.step, options.events, options.seed)

    def forward(weights: Any, times: jax.Array, channels: jax.Array) -> Any:
        changed = equinox.tree_at(lambda m: m.neuron_model.weights, model, weights)
        rows = jnp.arange(len(times))[:, None]
        by_channel = jnp.full((len(times), task.inputs), jnp.inf).at[rows, channels].set(times)
        return jax.vmap(changed.ttfs)(by_channel[..., None]), jnp.zeros(())

    def make(batch: int) -> first_spikes.ExactTrainer:
        return first_spikes.ExactTrainer(task, model.neuron_model.weights, forward, batch)

    about = {"version": version("eventax"), "jax": jax.__version__, "dt_ms": options.step}
    measure.run(options, task, make, peer="eventax", **about)


if __name__ == "__main__":
    main()
