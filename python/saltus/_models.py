# SPDX-License-Identifier: Apache-2.0
"""Neuron models, as the table of the core has them: nothing of a model is written here."""

from __future__ import annotations

from dataclasses import dataclass

from . import _core


@dataclass(frozen=True)
class Parameter:
    """A parameter of a neuron model.

    Attributes
    ----------
    usual : float
        Its value unless another is given.
    unit : str
        ``"s"``, or empty: without dimension.
    says : str
        What it is.
    """

    usual: float
    unit: str
    says: str


@dataclass(frozen=True)
class Model:
    """A neuron model.

    Attributes
    ----------
    says : str
        What it is.
    spikes : bool
        Does it spike? (A readout does not.)
    parameters : dict of str to Parameter
        What `Network.add_population` takes.
    components : tuple of str
        What the components of its state are called; the first is V.
    """

    says: str
    spikes: bool
    parameters: dict[str, Parameter]
    components: tuple[str, ...]


def models() -> dict[str, Model]:
    """Return all neuron models by name.

    A neuron with another synapse than the exponential one is a model too, as ``"LIF:alpha"``.

    Examples
    --------
    >>> import saltus
    >>> saltus.models()["ALIF"].parameters["tau_adapt"].usual
    0.1
    """
    return {
        name: Model(
            says, spikes, {key: Parameter(*row) for key, row in parameters.items()}, tuple(names)
        )
        for name, (says, spikes, parameters, names) in _core.models().items()
    }


MODELS = models()

SYNAPSES: dict[str, list[str]] = {}  # of each neuron: the kinds of synapse that it comes with
for _name in MODELS:
    _neuron, _, _synapse = _name.partition(":")
    SYNAPSES.setdefault(_neuron, []).append(_synapse or "exponential")


def model_of(neuron: str, synapse: str) -> str:
    """Return the name of the model of a neuron with a kind of synapse."""
    if neuron not in MODELS:
        known = ", ".join(f"'{m}'" for m in SYNAPSES)
        raise ValueError(f"model is '{neuron}'; expected one of {known}")
    base, _, own = neuron.partition(":")
    if own:  # all in one, as it stands in `models` and in files
        if synapse not in ("exponential", own):
            raise ValueError(f"synapse is '{synapse}', but model is '{neuron}'; give one of them")
        return neuron
    if synapse not in SYNAPSES[base]:
        known = ", ".join(f"'{s}'" for s in SYNAPSES[base])
        raise ValueError(f"synapse is '{synapse}'; expected one of {known} for {base}")
    return base if synapse == "exponential" else f"{base}:{synapse}"


NEURONS = tuple(MODELS)
SPIKING = tuple(name for name, model in MODELS.items() if model.spikes)
