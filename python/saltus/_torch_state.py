# SPDX-License-Identifier: Apache-2.0
"""Where a run stands, as tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ._state import State as CoreState


class State(NamedTuple):
    """Where a run stands at the end of every sample: another goes on from there.

    Attributes
    ----------
    values : dict of str to Tensor of float64
        Differentiable: ``"hidden.V"``, ``"hidden.I"`` and so on of shape (samples, neurons), and
        ``"hidden.times"``, the spikes that are on their way or behind which V is held, in seconds
        from the end, shape (spikes,). A run starts where these say: others may take their place,
        as a start that is learned.
    core : saltus.State
        The same as `saltus.Record.state` has it; of it a run takes whose the spikes are.
    """

    values: dict[str, torch.Tensor]
    core: CoreState

    def _start(self) -> CoreState:
        """Return what `values` says, as `saltus.simulate` takes it."""
        known = values_of(self.core)
        if odd := sorted(known.keys() ^ self.values.keys()):
            what = "lacks" if odd[0] in known else "has"
            raise ValueError(
                f"state.values {what} '{odd[0]}'; expected {', '.join(repr(k) for k in known)}"
            )
        arrays = {key: value.detach().cpu().numpy() for key, value in self.values.items()}
        return CoreState(
            {
                name: replace(
                    p,
                    values={key: arrays[f"{name}.{key}"] for key in p.values},
                    times=arrays[f"{name}.times"],
                )
                for name, p in self.core.items()
            },
            self.core.samples,
        )

    def detach(self) -> State:
        """Return the same state, through which no gradient flows back."""
        return State({name: value.detach() for name, value in self.values.items()}, self.core)

    def take(self, samples: ArrayLike) -> State:
        """Return the state of some samples, in that order; gradients flow back through it.

        Parameters
        ----------
        samples : array_like of int, shape (chosen,)
            Their numbers, from 0; a sample may come more than once.

        Returns
        -------
        State

        Raises
        ------
        ValueError
            A number that is no sample.
        """
        core = self.core.take(samples)
        chosen = torch.as_tensor(np.asarray(samples, np.int64).reshape(-1))
        values = {}
        for name, value in self.values.items():
            rows = chosen
            population, _, component = name.rpartition(".")
            if component == "times":  # of each sample so many, one after the other
                of = np.split(np.arange(len(value)), self.core[population].offsets[1:-1])
                rows = torch.from_numpy(np.concatenate([of[s] for s in chosen] or [of[0][:0]]))
            values[name] = value[rows.to(value.device)]
        return State(values, core)


def values_of(state: CoreState) -> dict[str, NDArray[np.float64]]:
    """Return what of a state is differentiable, by the names of `State.values`."""
    found: dict[str, NDArray[np.float64]] = {}
    for name, population in state.items():
        found |= {f"{name}.{key}": value for key, value in population.values.items()}
        found[f"{name}.times"] = population.times
    return found
