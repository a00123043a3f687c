# SPDX-License-Identifier: Apache-2.0
"""The words by which parameters are named: in `trainable`, `lr`, `wanted` and groups alike."""

from __future__ import annotations

from collections.abc import Iterable

from ._network import Network


def kind_of(parameter: str) -> str:
    """Return what a parameter is: "weights", "delays" or "neurons"."""
    last = parameter.rsplit(".", 1)[1]
    return {"weight": "weights", "delay": "delays"}.get(last, "neurons")


def named_by(
    network: Network, given: str | Iterable[str], argument: str, *, besides: str = ""
) -> set[str]:
    """Return the parameters that words name.

    ``"weights"``, ``"delays"`` and ``"neurons"`` are kinds, ``"tau_mem"`` that parameter of all
    populations, ``"hidden.tau_mem"`` and ``"in->hidden.weight"`` single ones.
    """
    found: set[str] = set()
    for word in (given,) if isinstance(given, str) else given:
        names = [n for n in network if word in (n, kind_of(n), neuron_parameter(n))]
        if not names:
            known = ", ".join(filter(None, [besides, words_of(network)]))
            raise ValueError(f"{argument} names {word!r}; expected one of {known}")
        found |= set(names)
    return found


def words_for_core(network: Network, given: Iterable[str], argument: str) -> list[str]:
    """Return words that the core knows: all but ``"neurons"``, in whose place stand its parameters.

    Those come first, so that what else is said of one of them counts.
    """
    words = list(given)
    named_by(network, words, argument)
    neurons = []
    if "neurons" in words:
        neurons = [k for k in dict.fromkeys(map(neuron_parameter, network)) if k is not None]
    return list(dict.fromkeys([*neurons, *(word for word in words if word != "neurons")]))


def neuron_parameter(name: str) -> str | None:
    """Return how a parameter of neurons is called in every population; None of projections."""
    return name.rsplit(".", 1)[1] if kind_of(name) == "neurons" else None


def words_of(network: Network) -> str:
    """Return all words that name something, for an error."""
    kinds = [k for k in ("weights", "delays", "neurons") if any(kind_of(n) == k for n in network)]
    shared = dict.fromkeys(filter(None, map(neuron_parameter, network)))
    return ", ".join([*kinds, *shared, *network])
