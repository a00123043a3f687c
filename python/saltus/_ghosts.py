# SPDX-License-Identifier: Apache-2.0
"""Ghosts: spikes that nearly exist or nearly do not, which the exact gradient does not see."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._advice import SaltusWarning
from ._loss import Loss, LossFunction, LossResult, check_labels, evaluate
from ._network import Network
from ._record import Record, network_of
from ._smoothing import Smoothing, check_smoothing
from ._spike_losses import SpikeBounds, parts_of
from ._threads import thread_count

_GHOST = np.dtype(
    [
        ("sample", np.int32),
        ("neuron", np.int32),
        ("segment", np.int32),
        ("time", np.float64),
        ("place", np.uint8),
        ("height", np.float64),
        ("current", np.float64),
        ("density", np.float64),
        ("behind", np.int64),
        ("later", np.float64),
        ("direct", np.float64),
        ("difference", np.float64),
    ]
)


class Ghosts:
    """The ghosts of a record; `find_ghosts` makes it, ``ghosts["hidden"]`` reads a population.

    A ghost is a peak of V near the threshold, higher than all V since the neuron's last spike: a
    little lower a threshold, and there is a spike, a little higher, and there is none.
    """

    def __init__(
        self, record: Record, network: Network, core: _core._Ghosts, smoothing: Smoothing
    ) -> None:
        self._record, self._network, self._core = record, network, core
        self._smoothing = smoothing

    @property
    def smoothing(self) -> Smoothing:
        """What `find_ghosts` was given."""
        return self._smoothing

    def __len__(self) -> int:
        return self._core.count

    def __getitem__(self, population: str) -> NDArray[Any]:
        """Return the ghosts of a LIF population, by sample, then neuron, then time; a copy.

        Parameters
        ----------
        population : str
            LIF.

        Returns
        -------
        ndarray, shape (ghosts,)
            Structured, with the fields

            * ``sample``, ``neuron``, ``time`` of the peak (seconds);
            * ``segment``: the spikes that the neuron had before the threshold in question;
            * ``place``: a value of `Place`;
            * ``height``, ``current``: V there, I just before;
            * ``density``: of the noise there, per unit of V; at sampled thresholds the hazard;
            * ``behind``: the spike of the sample that hides a free peak, -1 for none;
            * ``later``: when V is as high again, in seconds; infinite: never;
            * ``direct``: what the loss itself says of a spike there;
            * ``difference``: L with the spike minus L without; 0 until it is known.

        Raises
        ------
        ValueError
            No such population, or one that is not LIF.
        """
        columns = self._core.columns(self._record._spiking_index(population))
        result = np.empty(len(columns["time"]), _GHOST)
        for name, values in columns.items():
            result[name] = values
        return result

    def __repr__(self) -> str:
        return f"<saltus.Ghosts: {len(self)} of {self._record!r}>"


def find_ghosts(
    network: Network,
    record: Record,
    smoothing: Smoothing,
    *,
    loss: LossFunction | None = None,
    labels: ArrayLike | None = None,
    threads: int | None = None,
) -> Ghosts:
    """Find the spikes that nearly exist or nearly do not (docs/ghosts.md; theory, section 10).

    ``backward(network, record, ..., ghosts=ghosts)`` then gives the gradient of the loss averaged
    over noisy thresholds: that of the record, plus for each ghost ``density * d(height)/dp *
    difference``.

    Parameters
    ----------
    network : Network
        As in `backward`.
    record : Record
        At fixed thresholds: of `simulate`. At sampled ones: of `simulate` with the same
        `smoothing`.
    smoothing : Smoothing
        With ``difference="first_order"`` the backward pass fills in the differences; with
        ``"exact"`` each is measured here, by two more simulations for each ghost.
    loss : Loss or callable, optional
        That of the errors that go to `backward`: a `Loss`, or a function of a `Record` and labels
        that returns a `LossResult`. Differences of the first order need it for `FirstSpike`, which
        says of an output's spike by itself what it is worth, in a `SumOfLosses` too; of a loss of
        your own that is not known. Exact ones always do.
    labels : array_like of int, shape (samples,), optional
        What the loss is given.
    threads : int, optional
        0: all cores; unless given what `set_threads` says. The result has the same bits for any
        number.

    Returns
    -------
    Ghosts

    Raises
    ------
    ValueError
        A network with another structure than the record's, exact differences without a loss, a loss
        without labels, labels that are no outputs, a record of other thresholds.
    TypeError
        An argument of a wrong type, named in the message.

    Warns
    -----
    SaltusWarning
        Differences of the first order of a loss that does not say what a spike more or less is
        worth by itself.
    """
    changed = network_of(network, record)
    check_smoothing(smoothing)
    _check_thresholds(record, smoothing)
    exact = smoothing.difference == "exact"
    if loss is None and exact:
        raise ValueError("loss is missing; expected one with smoothing.difference 'exact'")
    if (loss is None) != (labels is None):
        given, missing = ("loss", "labels") if labels is None else ("labels", "loss")
        raise ValueError(f"{missing}: expected with {given}; got none")
    found = None if labels is None else check_labels(labels, record.samples)
    if loss is not None and (not callable(loss) or isinstance(loss, type)):
        got = loss.__name__ if isinstance(loss, type) else type(loss).__name__
        raise TypeError(f"loss: expected a saltus.Loss or a function; got {got}")
    direct = []
    if loss is not None and found is not None:
        parts = parts_of(loss)
        direct = [part._on_labels(record, found) for part in parts if isinstance(part, Loss)]
        for part in [] if exact else parts:
            if isinstance(part, Loss) and as_built_in(part):
                continue
            for sentence in unknown_of_ghosts(part, evaluate(part, record, found), record, found):
                warnings.warn(sentence, SaltusWarning, stacklevel=2)
    snapshot = network.copy() if changed else record._network
    other = snapshot._core if changed else None
    count = thread_count(threads)
    core = _core.find_ghosts(
        record._core, other, smoothing._settings(), [] if exact else direct, count
    )
    if exact:
        assert loss is not None
        assert found is not None

        def value(run: _core._Record) -> float:
            simulated = Record(snapshot, run, record.dtype, record._t_end)
            return float(evaluate(loss, simulated, found).value)

        core.measure(record._core, other, value, count)
    return Ghosts(record, snapshot, core, smoothing)


def as_built_in(loss: Loss) -> bool:
    return type(loss).__call__ is Loss.__call__


def unknown_of_ghosts(
    part: LossFunction, said: LossResult, record: Record, labels: NDArray[Any]
) -> Iterator[str]:
    """Say whether it is not known what a spike more or less is worth to a loss."""
    name = getattr(part, "__name__", type(part).__name__)
    if isinstance(part, Loss):
        usual = as_built_in(part) or _same(said.errors, Loss.__call__(part, record, labels).errors)
        if not usual:
            yield (
                f"loss: the errors of {name} are not those of its settings, but ghosts of "
                f"'{part.readout}' count for what these say (docs/ghosts.md); expected a "
                "SumOfLosses"
            )
    elif not isinstance(part, SpikeBounds):  # of which there is no derivative anyway
        spikes = said.errors.get("spike_errors", {})
        for population in [p for p, errors in spikes.items() if np.any(errors)][:1]:
            yield (
                f"loss: what a spike more or less of '{population}' is worth to {name} by itself "
                "is not known: its ghosts count for what they cause elsewhere alone "
                "(docs/ghosts.md); FirstSpike and SpikeCount say it, in a SumOfLosses too"
            )


def _same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    def flat(errors: Mapping[str, Any]) -> dict[tuple[str, str], list[NDArray[Any]]]:
        return {
            (kind, name): [np.asarray(part) for part in (e if isinstance(e, tuple) else (e,))]
            for kind, given in errors.items()
            for name, e in given.items()
        }

    x, y = flat(a), flat(b)
    return x.keys() == y.keys() and all(
        np.array_equal(p, q) for key in x for p, q in zip(x[key], y[key], strict=True)
    )


def _check_thresholds(record: Record, smoothing: Smoothing) -> None:
    at = record._smoothing
    drawn = {one for one in (at, smoothing) if one is not None and one._draws}
    if not drawn:
        return
    mine, theirs = (None if one is None else one._noise for one in (smoothing, at))
    if mine != theirs:
        raise ValueError(
            f"smoothing is {smoothing}, but the record was simulated with {at}; at sampled "
            "thresholds expected the same sigma, reach and seed in both"
        )
