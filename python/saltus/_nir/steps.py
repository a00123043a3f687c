# SPDX-License-Identifier: Apache-2.0
"""What a tool that steps by dt computes, as neurons in continuous time.

In a step it multiplies V by 1 - dt / tau_mem, I by 1 - dt / tau_syn, and adds r I dt / tau_mem to
V. Neurons whose V and I decay by the same in dt, and whose weights make V as large, have its
voltages at every step, until a first spike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .graph import Population
from .maps import Array
from .models import Values
from .nest import said


def tau_in_steps(tau: Array, dt: float) -> Array:
    """Return the time constant with which exp(-dt / it) is 1 - dt / tau."""
    result: Array = -dt / np.log1p(-dt / tau)
    return result


def tau_of_steps(tau: Array, dt: float) -> Array:
    """Return the inverse: the time constant of a tool that steps."""
    result: Array = -dt / np.expm1(-dt / tau)
    return result


def rise(tau_mem: Array, tau_syn: Array, dt: float) -> Array:
    """Return how much larger weights must be for V to become as large as in the tool's steps."""
    mem, syn = np.broadcast_arrays(tau_mem, tau_syn)
    mem_here, syn_here = tau_in_steps(mem, dt), tau_in_steps(syn, dt)
    apart = np.abs(mem - syn) > 1e-6 * syn
    difference = np.where(apart, mem - syn, 1.0)
    limit = syn_here**2 / (syn * (syn - dt))  # the slope of the one by the other
    slope = np.where(apart, (mem_here - syn_here) / difference, limit)
    result: Array = slope * syn / syn_here
    return result


@dataclass(frozen=True)
class Steps:
    """The steps of a tool, in the unit of its time constants; `dt` None: it does not step."""

    dt: float | None = None

    def decaying(self, neurons: Population, parameters: Values) -> Values:
        """Return our parameters with the time constants of what happens in a step."""
        taus = self._taus(neurons, parameters)
        return {**parameters, **{key: self._tau(neurons, key, tau) for key, tau in taus.items()}}

    def gain(self, neurons: Population, parameters: Values) -> Array:
        """Return what weights are multiplied with for V to become as large as there."""
        taus = self._taus(neurons, parameters)
        if len(taus) < 2 or self.dt is None:
            return np.ones(neurons.size)
        return np.broadcast_to(rise(taus["tau_mem"], taus["tau_syn"], self.dt), (neurons.size,))

    def _taus(self, neurons: Population, parameters: Values) -> Values:
        if self.dt is None or neurons.row is None or not neurons.row.leaks:
            return {}
        return {key: parameters[key] for key in ("tau_mem", "tau_syn") if key in parameters}

    def _tau(self, neurons: Population, key: str, tau: Array) -> Array:
        assert self.dt is not None
        if np.any(tau <= self.dt):
            raise ValueError(
                f"node '{said(neurons.place)}': {key} is {np.min(tau):.6g}, and in a step of "
                f"{self.dt:.6g} nothing of it would be left; expected more than a step. Is step in "
                "the unit of the graph's time constants?"
            )
        return tau_in_steps(tau, self.dt)
