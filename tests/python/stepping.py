# SPDX-License-Identifier: Apache-2.0
"""Tools that step, and their NIR: what tests of both ways use."""

import contextlib
import io

import numpy as np
import pytest

DT = 1e-4  # that of snnTorch's exporter and importer
WARNINGS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:nirtorch")


def snntorch():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    export = pytest.importorskip("snntorch.export_nir", reason="snnTorch or nirtorch is missing")
    reader = pytest.importorskip("snntorch.import_nir", reason="snnTorch or nirtorch is missing")
    return pytest.importorskip("snntorch"), export.export_to_nir, quiet(reader.import_from_nir)


def quiet(function):
    """snnTorch's reader prints what it does."""

    def call(*values, **options):
        with contextlib.redirect_stdout(io.StringIO()):
            return function(*values, **options)

    return call


def stepped(module, spikes, stateful=False):
    """The spikes that a module makes of those that come, [step, neuron]."""
    import torch  # noqa: PLC0415 (optional)

    for part in module.modules():
        if hasattr(part, "reset_mem"):
            part.reset_mem()
    state, found = None, []
    with torch.no_grad():
        for coming in torch.from_numpy(spikes[:, None]):
            out = module(coming, state) if stateful else module(coming)
            if isinstance(out, tuple):
                out, *more = out
                state = more[-1]
            found.append(out[0].numpy().reshape(-1).copy())
    return np.array(found)


def given(spikes, dt=DT):
    """Spikes [step, channel] of one sample as they are given here."""
    step, channel = np.nonzero(spikes.reshape(len(spikes), -1))
    return step * dt, channel.astype(np.int32), [0, len(step)]
