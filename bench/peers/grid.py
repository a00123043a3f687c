# SPDX-License-Identifier: Apache-2.0
"""Training on a time grid in PyTorch: all that snnTorch and Norse do not differ in.

A peer brings a `Net` whose `chunk` computes some time steps. Compiling one step, several or all
of them is then one choice: how long a chunk is.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import tasks
import torch
from torch.nn import functional

State = tuple[torch.Tensor, ...]


class Net(torch.nn.Module):
    """Weights of a task's network."""

    def __init__(self, task: tasks.Task, dt: float) -> None:
        super().__init__()
        self.task, self.dt = task, dt
        self.w_in = weights(task.inputs, task.hidden, *task.hidden_weights)
        self.w_out = weights(task.hidden, task.outputs, *task.output_weights)
        if task.recurrent_std > 0:
            self.w_rec = weights(task.hidden, task.hidden, 0.0, task.recurrent_std)

    def start(self, batch: int) -> State:
        """All states at time 0."""
        raise NotImplementedError

    def chunk(self, currents: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """Some steps: inputs of the hidden layer [steps, batch, hidden] to what the outputs show
        [steps, batch, outputs] (spikes or voltages), and the states after them."""
        raise NotImplementedError


def weights(inputs: int, outputs: int, mean: float, std: float) -> torch.nn.Parameter:
    """First weights [inputs, outputs], normal."""
    return torch.nn.Parameter(mean + std * torch.randn(inputs, outputs))


def zeros(batch: int, *sizes: int) -> State:
    """States at time 0. They require gradients only because later states do: what is compiled
    for these then fits those too."""
    return tuple(torch.zeros(batch, size, requires_grad=True) for size in sizes)


class FirstSpike(torch.autograd.Function):
    """Spikes [steps, batch, n] to the first one's step, `steps` where there is none.

    Backwards: a spike more makes it one step earlier (the estimator of snnTorch's SpikeTime),
    at the last step where there is none, so that silent outputs learn to spike.
    """

    @staticmethod
    def forward(ctx: Any, spikes: torch.Tensor) -> torch.Tensor:
        """The steps as real numbers."""
        steps = len(spikes)
        number = torch.arange(steps, dtype=spikes.dtype)[:, None, None]
        first = torch.where(spikes > 0, number, float(steps)).amin(0)
        ctx.save_for_backward(first)
        ctx.steps = steps
        return first

    @staticmethod
    def backward(ctx: Any, error: torch.Tensor) -> torch.Tensor:
        """Minus the error, at the first spike only."""
        (first,) = ctx.saved_tensors
        at = first.clamp(max=ctx.steps - 1).long()[None]
        return torch.zeros(ctx.steps, *first.shape).scatter_(0, at, -error[None])


class GridTrainer:
    """One batch size, one network; see measure.Trainer."""

    def __init__(self, net: Net, batch: int, options: argparse.Namespace) -> None:
        self.net, self.task, self.batch = net, net.task, batch
        self.steps = round(self.task.t_end / net.dt)
        self.sparse = options.sparse
        self.train = self.binned(self.task.train)
        self.labels = torch.from_numpy(self.task.train.labels.astype(np.int64))
        if self.task.hidden_spikes > 0:
            self.calibrate()
        self.size = options.chunk or self.steps
        torch._dynamo.reset()  # a network compiled for another batch size before
        # Once without the compiler: snnTorch's neurons keep their states, and what changes its
        # shape is compiled again.
        net.chunk(torch.zeros(1, batch, self.task.hidden) + net.w_in[0], net.start(batch))
        self.chunk = torch.compile(net.chunk, dynamic=False) if options.compile else net.chunk
        self.optimizer = torch.optim.Adam(net.parameters(), lr=tasks.LEARNING_RATE)

    def binned(self, spikes: tasks.Spikes) -> list[torch.Tensor]:
        """Each sample's spikes as step * inputs + channel, in this order."""
        step = np.minimum(np.rint(spikes.times / self.net.dt), self.steps - 1).astype(np.int64)
        flat = step * self.task.inputs + spikes.channels
        pieces = np.split(flat, spikes.offsets[1:-1])
        return [torch.from_numpy(np.sort(piece)) for piece in pieces]

    def currents(self, samples: list[torch.Tensor]) -> torch.Tensor:
        """Input of the hidden layer at every step, [steps, batch, hidden]."""
        count, inputs = len(samples), self.task.inputs
        lengths = torch.tensor([len(s) for s in samples])
        flat = torch.cat(samples)
        sample = torch.repeat_interleave(torch.arange(count), lengths)
        step, channel = flat // inputs, flat % inputs
        row = step * count + sample
        if self.sparse:  # adds the rows of the spikes
            order = torch.argsort(row)
            bags = torch.searchsorted(row[order], torch.arange(self.steps * count))
            summed = functional.embedding_bag(channel[order], self.net.w_in, bags, mode="sum")
            return summed.view(self.steps, count, -1)
        dense = torch.zeros(self.steps * count * inputs)
        dense.scatter_add_(0, row * inputs + channel, torch.ones(len(row)))
        return dense.view(self.steps, count, inputs) @ self.net.w_in

    def outputs(self, samples: list[torch.Tensor], chunk: Any) -> torch.Tensor:
        """What the outputs show, [steps, batch, outputs]."""
        state = self.net.start(len(samples))
        shown = []
        for part in self.currents(samples).split(self.size):
            out, state = chunk(part, state)
            shown.append(out)
        return torch.cat(shown)

    def loss(self, shown: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As in Saltus: cross-entropy of first spikes or of highest voltages."""
        if not self.task.first_spike:
            return functional.cross_entropy(shown.amax(0), labels)
        times = FirstSpike.apply(shown) * self.net.dt
        pull = torch.exp(times.gather(1, labels[:, None]) / tasks.TAU_1) - 1
        return functional.cross_entropy(-times / tasks.TAU_0, labels) + tasks.ALPHA * pull.mean()

    def step(self, samples: np.ndarray, epoch: int) -> None:
        """One minibatch."""
        for group in self.optimizer.param_groups:
            group["lr"] = tasks.LEARNING_RATE * tasks.DECAY**epoch
        shown = self.outputs([self.train[s] for s in samples], self.chunk)
        loss = self.loss(shown, self.labels[torch.from_numpy(samples)])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    @torch.no_grad()
    def accuracy(self) -> float:
        """Not compiled: the last batch may be smaller."""
        assert self.task.test is not None
        test, labels = self.binned(self.task.test), self.task.test.labels
        right = 0
        for at in range(0, len(test), 250):
            shown = self.outputs(test[at : at + 250], self.net.chunk)
            if self.task.first_spike:
                winner = FirstSpike.apply(shown).argmin(1)
            else:
                winner = shown.amax(0).argmax(1)
            right += int((winner.numpy() == labels[at : at + 250]).sum())
        return right / len(test)

    @torch.no_grad()
    def hidden_spikes(self) -> float:
        """A sample, over the first samples."""
        samples = self.train[:8]
        seen: list[torch.Tensor] = []
        state = self.net.start(len(samples))
        for part in self.currents(samples).unbind(0):
            _, state = self.net.chunk(part[None], state)
            seen.append(state[0].sum())
        return float(sum(seen)) / len(samples)

    @torch.no_grad()
    def calibrate(self) -> None:
        """Scales the first weights until the hidden neurons spike as often as the task says."""
        drawn = self.net.w_in.clone()
        low, high = -5.0, 5.0  # of the factor's logarithm
        for _ in range(12):
            middle = (low + high) / 2
            self.net.w_in.copy_(drawn * np.exp(middle))
            if self.hidden_spikes() < self.task.hidden_spikes:
                low = middle
            else:
                high = middle

    def notes(self) -> dict[str, Any]:
        """For the JSON line."""
        return {
            "dt_ms": 1e3 * self.net.dt,
            "steps": self.steps,
            "loss": "first spike" if self.task.first_spike else "highest voltage",
            "hidden_spikes_per_sample": self.hidden_spikes(),
        }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of peers on a time grid."""
    parser.add_argument("--dt", type=float, default=1e-3, help="time step, s")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--chunk", type=int, default=0, help="steps at once (0: all)")
    parser.add_argument("--voltage", action="store_true", help="highest output voltage wins")
    parser.add_argument("--sparse", action="store_true", help="add input rows, spike by spike")


def prepare(options: argparse.Namespace) -> tasks.Task:
    """One thread, the same first weights every time, and the task."""
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    task = tasks.load(options.task, options.data, options.samples)
    task.first_spike = task.first_spike and not options.voltage
    return task
