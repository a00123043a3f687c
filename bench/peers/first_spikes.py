# SPDX-License-Identifier: Apache-2.0
"""Training in continuous time in JAX, by first output spikes: what jaxsnn and eventax share.

Times are in milliseconds here, as in both libraries' examples.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tasks

T_END = 1e3 * 40e-3  # when an output without a spike counts as spiking
TESTED = 1000
TAU_0, TAU_1 = 1e3 * tasks.TAU_0, 1e3 * tasks.TAU_1


def padded(spikes: tasks.Spikes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (inf where a sample has no more) and channels (-1) [samples, most], and labels."""
    counts = np.diff(spikes.offsets)
    real = np.arange(counts.max()) < counts[:, None]
    times = np.full(real.shape, np.inf, np.float32)
    channels = np.full(real.shape, -1, np.int32)
    times[real], channels[real] = 1e3 * spikes.times, spikes.channels
    order = np.argsort(times, axis=1, kind="stable")
    times, channels = (np.take_along_axis(a, order, 1) for a in (times, channels))
    return times, channels, spikes.labels.astype(np.int32)


def loss(first: jax.Array, labels: jax.Array) -> jax.Array:
    """As in Saltus, of first spikes [batch, outputs]."""
    entropy = optax.softmax_cross_entropy_with_integer_labels(-first / TAU_0, labels)
    pull = jnp.exp(jnp.take_along_axis(first, labels[:, None], 1)[:, 0] / TAU_1) - 1
    return jnp.mean(entropy + tasks.ALPHA * pull)


class ExactTrainer:
    """One batch size, one network; see measure.Trainer.

    `forward(weights, times, channels)` gives first output spikes [batch, outputs] (inf: none) and
    an array of numbers, which are summed over the training and shown with `name`.
    """

    def __init__(
        self,
        task: tasks.Task,
        weights: Any,
        forward: Callable[..., tuple[jax.Array, jax.Array]],
        batch: int,
        name: str = "",
    ) -> None:
        self.task, self.weights, self.name = task, weights, name
        self.train = padded(task.train)
        self.counted: Any = 0
        schedule = optax.exponential_decay(
            tasks.LEARNING_RATE, len(task.train) // batch, tasks.DECAY, staircase=True
        )
        optimizer = optax.adam(schedule)
        self.state = optimizer.init(weights)

        def value(weights: Any, times: Any, channels: Any, labels: Any) -> Any:
            first, counted = forward(weights, times, channels)
            return loss(jnp.minimum(first, T_END), labels), counted

        @jax.jit
        def update(weights: Any, state: Any, *data: Any) -> Any:
            gradients, counted = jax.grad(value, has_aux=True)(weights, *data)
            updates, state = optimizer.update(gradients, state, weights)
            return optax.apply_updates(weights, updates), state, counted

        self.update, self.forward = update, jax.jit(forward)

    def step(self, samples: np.ndarray, epoch: int) -> None:
        """One minibatch."""
        data = [part[samples] for part in self.train]
        self.weights, self.state, counted = self.update(self.weights, self.state, *data)
        self.counted = self.counted + np.asarray(counted)  # waits

    def accuracy(self) -> float:
        """The first output to spike wins, over the first test samples: these peers are slow."""
        assert self.task.test is not None
        times, channels, labels = padded(self.task.test.first(TESTED))
        right = 0
        for at in range(0, len(labels), 250):
            part = slice(at, at + 250)
            first, _ = self.forward(self.weights, times[part], channels[part])
            right += int((np.asarray(first).argmin(1) == labels[part]).sum())
        return right / len(labels)

    def notes(self) -> dict[str, Any]:
        """For the JSON line."""
        return {self.name: np.asarray(self.counted).tolist()} if self.name else {}


def check(options: argparse.Namespace) -> None:
    """What these peers cannot do at all."""
    if options.task == "recurrent":
        raise SystemExit("the recurrent task ends in voltages; these peers train on first spikes")
