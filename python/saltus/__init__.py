# SPDX-License-Identifier: Apache-2.0
"""Exact gradients of spiking neural networks, event by event.

A `Network` and its input spikes give a `Record` (`simulate`); the record and the errors of a loss
give gradients (`backward`); `fit` trains. Method: T. C. Wunderlich and C. Pehle, "Event-based
backpropagation can compute exact gradients for spiking neural networks", Scientific Reports 11,
12829 (2021).

The modules `saltus.data`, `saltus.plot`, `saltus.report`, `saltus.torch` and `saltus.jax` are
loaded when they are first used; plot and report need matplotlib, the last two PyTorch and JAX.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from . import data
from ._activity import scale_weights
from ._advice import SaltusWarning
from ._backward import adjoint, backward
from ._connections import Masked, OneToOne, Sparse, Synapses
from ._core import __version__
from ._epochs import Epoch, History
from ._fit import Evaluation, evaluate, fit
from ._ghosts import Ghosts, find_ghosts
from ._gradcheck import GradcheckReport, gradcheck
from ._initial import FanIn, Normal, Uniform
from ._layers import ALIF, IF, LI, LIF, RF, Input, Recurrent, Sequential
from ._loss import FirstSpike, IntegratedVoltage, Loss, LossResult, MaximumVoltage, SpikeCount
from ._models import Model, Parameter, models
from ._network import Network, load
from ._nir import NIRImport, from_nir, from_nir_data, read_nir, to_nir, to_nir_data
from ._optim import (
    SGD,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Exponential,
    Optimizer,
    Plateau,
    Schedule,
    Step,
)
from ._predict import confusion_matrix, predict
from ._record import Maxima, Place, Record, record, simulate
from ._smoothing import Smoothing
from ._spike_losses import SpikeBounds, SpikeTimes, SumOfLosses, VanRossum, weight_penalty
from ._spikes import Spikes
from ._state import PopulationState, State
from ._stopping import EarlyStopping
from ._threads import get_threads, set_threads
from ._trackers import MLflow, TensorBoard
from ._windows import AvgPool2d, Conv2d, SumPool2d

_OPTIONAL = ("jax", "plot", "report", "torch")


def __getattr__(name: str) -> ModuleType:
    if name in _OPTIONAL:
        return importlib.import_module(f"saltus.{name}")
    raise AttributeError(f"module 'saltus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_OPTIONAL])


__all__ = [
    "ALIF",
    "IF",
    "LI",
    "LIF",
    "RF",
    "SGD",
    "Adam",
    "AdamW",
    "AvgPool2d",
    "Constant",
    "Conv2d",
    "Cosine",
    "EarlyStopping",
    "Epoch",
    "Evaluation",
    "Exponential",
    "FanIn",
    "FirstSpike",
    "Ghosts",
    "GradcheckReport",
    "History",
    "Input",
    "IntegratedVoltage",
    "Loss",
    "LossResult",
    "MLflow",
    "Masked",
    "Maxima",
    "MaximumVoltage",
    "Model",
    "NIRImport",
    "Network",
    "Normal",
    "OneToOne",
    "Optimizer",
    "Parameter",
    "Place",
    "Plateau",
    "PopulationState",
    "Record",
    "Recurrent",
    "SaltusWarning",
    "Schedule",
    "Sequential",
    "Smoothing",
    "Sparse",
    "SpikeBounds",
    "SpikeCount",
    "SpikeTimes",
    "Spikes",
    "State",
    "Step",
    "SumOfLosses",
    "SumPool2d",
    "Synapses",
    "TensorBoard",
    "Uniform",
    "VanRossum",
    "__version__",
    "adjoint",
    "backward",
    "confusion_matrix",
    "data",
    "evaluate",
    "find_ghosts",
    "fit",
    "from_nir",
    "from_nir_data",
    "get_threads",
    "gradcheck",
    "load",
    "models",
    "predict",
    "read_nir",
    "record",
    "scale_weights",
    "set_threads",
    "simulate",
    "to_nir",
    "to_nir_data",
    "weight_penalty",
]
