# SPDX-License-Identifier: Apache-2.0
"""Spikes as tensors: ragged, padded, and those of a minibatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ._arrays import integers
from ._spikes import holds_neurons, spike_arrays


class Spikes(NamedTuple):
    """The spikes of one population in every sample of a batch, ragged.

    Sample ``s`` holds the entries ``offsets[s]`` to ``offsets[s + 1] - 1``, ascending in time.

    Attributes
    ----------
    times : Tensor of float64, shape (spikes,)
        Seconds; differentiable.
    neurons : Tensor of int64, shape (spikes,)
    offsets : Tensor of int64, shape (samples + 1,)
    """

    times: torch.Tensor
    neurons: torch.Tensor
    offsets: torch.Tensor

    @property
    def samples(self) -> torch.Tensor:
        """The sample of each spike: int64, shape (spikes,)."""
        counts = self.offsets.diff()
        return torch.repeat_interleave(counts)

    def padded(self, fill: float = torch.inf) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the spikes as dense tensors.

        Parameters
        ----------
        fill : float
            The time of an entry without a spike, in seconds. Its neuron is -1.

        Returns
        -------
        times : Tensor of float64, shape (samples, largest count)
            Differentiable.
        neurons : Tensor of int64, shape (samples, largest count)
        """
        counts = self.offsets.diff()
        shape = (len(counts), int(counts.max()) if len(counts) else 0)
        every = torch.arange(len(self.times), device=self.times.device)
        place = (self.samples, every - self.offsets[:-1][self.samples])
        times = self.times.new_full(shape, fill).index_put(place, self.times)
        neurons = self.neurons.new_full(shape, -1).index_put(place, self.neurons)
        return times, neurons

    def first(
        self, size: int, missing: float = torch.inf, dtype: torch.dtype | None = None
    ) -> torch.Tensor:
        """Return the first spike of each neuron, differentiable.

        `EventProp` with an output of ``"out.first_spikes"`` gives the same in its own dtype, with a
        finite number for a neuron without a spike.

        Parameters
        ----------
        size : int
            The number of neurons of the population.
        missing : float
            What stands for a neuron without a spike, in seconds.
        dtype : torch.dtype, optional
            float64, that of the times, unless given.

        Returns
        -------
        Tensor, shape (samples, size)

        Raises
        ------
        ValueError
            A `size` that leaves out a neuron that spikes.
        """
        size = holds_neurons(self.neurons, size)
        samples = len(self.offsets) - 1
        first = self.times.new_full((samples * size,), torch.inf)
        place = self.samples * size + self.neurons
        first = first.scatter_reduce(0, place, self.times, "amin")
        first = torch.where(torch.isinf(first), torch.full_like(first, missing), first)
        return first.reshape(samples, size).to(dtype)


def from_padded(times: torch.Tensor, neurons: torch.Tensor) -> Spikes:
    """Make ragged spikes of dense ones; an entry at an infinite time, or of neuron -1, is none.

    Parameters
    ----------
    times : Tensor, shape (samples, entries)
        Seconds, in any order within a sample. Gradients flow through.
    neurons : Tensor of int64, shape (samples, entries)

    Returns
    -------
    Spikes

    Raises
    ------
    ValueError
        Shapes that differ or are not two-dimensional; a time or neuron that is neither a spike's
        nor that of an entry without one.
    """
    if times.ndim != 2 or times.shape != neurons.shape:
        raise ValueError(
            f"times has shape {tuple(times.shape)} and neurons {tuple(neurons.shape)}; expected "
            "the same, (samples, entries)"
        )
    there = ~(torch.isposinf(times) | (neurons == -1))
    for wrong in times[there & ~torch.isfinite(times)][:1]:
        raise ValueError(f"times holds {wrong.item()}; expected seconds, or inf for no spike")
    for wrong in neurons[there & (neurons < 0)][:1]:
        raise ValueError(f"neurons holds {wrong.item()}; expected 0 or more, or -1 for no spike")
    order = torch.where(there, times, torch.inf).detach().argsort(dim=1, stable=True)
    times, neurons, there = (x.gather(1, order) for x in (times, neurons, there))
    counts = there.sum(1)
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return Spikes(times[there].double(), neurons[there], offsets)


def collate(samples: Sequence[tuple[Any, ...]]) -> tuple[Spikes, torch.Tensor]:
    """Make a minibatch of samples: the ``collate_fn`` of ``torch.utils.data.DataLoader``.

    Parameters
    ----------
    samples : sequence of (times, neurons, label), or of (events, label)
        What a `saltus.data.LabelledSpikes`, a part of it or a data set of Tonic returns one by one;
        events have fields t in microseconds and x.

    Returns
    -------
    spikes : Spikes
    labels : Tensor of int64, shape (samples,)

    Raises
    ------
    ValueError
        No samples.
    TypeError
        Something else than such tuples.

    Examples
    --------
    >>> import saltus
    >>> import saltus.torch
    >>> from torch.utils.data import DataLoader
    >>> data = saltus.data.yin_yang(n=100)
    >>> loader = DataLoader(data, batch_size=50, shuffle=True, collate_fn=saltus.torch.collate)
    >>> [labels.shape for spikes, labels in loader]
    [torch.Size([50]), torch.Size([50])]
    """
    if not samples:
        raise ValueError("samples is empty; expected at least one")
    for k, sample in enumerate(samples):
        if not isinstance(sample, tuple) or len(sample) not in (2, 3):
            got = type(sample).__name__
            if isinstance(sample, tuple):
                got = f"a tuple of {len(sample)}"
            raise TypeError(
                f"samples[{k}]: expected (times, neurons, label) or (events, label); got {got}"
            )
    given = [sample[:2] if len(sample) == 3 else sample[0] for sample in samples]
    times, neurons, offsets = spike_arrays(given, "samples")
    labels = integers([sample[-1] for sample in samples], "labels", np.int64)
    return (
        Spikes(
            torch.from_numpy(times),
            torch.from_numpy(neurons.astype(np.int64)),
            torch.from_numpy(offsets),
        ),
        torch.from_numpy(labels),
    )
