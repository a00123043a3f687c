# SPDX-License-Identifier: Apache-2.0
"""Networks: populations of neurons and the projections between them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from copy import deepcopy
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _core
from ._arrays import expect_shape, generator, numbers, path, text, whole
from ._connections import Synapses, as_synapses
from ._html import html_table
from ._initial import FanIn, Value, draw, is_drawn
from ._models import MODELS, model_of


class Network:
    """Populations of spiking neurons and the projections between them.

    Leaky integrate-and-fire neurons with exponential synapses, as in [1]_, equations 1 and 2::

        tau_mem dV/dt = -V + I + bias        tau_syn dI/dt = -I
        V reaches v_threshold from below: a spike; V <- v_reset, held there for tau_ref
        a spike of neuron n arrives at j:   I_j <- I_j + weight[n, j]

    Times are in seconds; voltages, currents and weights have no dimension.

    Parameters can be read and set by name, in place and with their shape kept:
    ``net["hidden.tau_mem"]``, ``net["in->hidden.weight"][0, 1] += 1e-6``. One number sets all of an
    array, and an array of equal numbers one that all share. What one gets is a view
    of the network's own memory. Values are checked when the network is next simulated.
    Iterating over a network gives the names of its parameters.

    Parameters
    ----------
    seed : int
        Of values that are drawn (`Normal`, `Uniform`, `FanIn`, functions of one's own), in the
        order in which they are asked for.

    References
    ----------
    .. [1] T. C. Wunderlich and C. Pehle, "Event-based backpropagation can compute exact gradients
       for spiking neural networks", Scientific Reports 11, 12829 (2021).

    Examples
    --------
    >>> import saltus
    >>> net = saltus.Network()
    >>> net.add_input("in", 2)
    >>> net.add_population("hidden", "LIF", 3)
    >>> net.connect("in", "hidden", [[1.0, 0.5, 2.0], [0.0, 1.5, 1.0]])
    >>> net.projections
    ('in->hidden',)
    """

    _advised = False  # has `simulate` said of it what looks like another unit?

    def __init__(self, *, seed: int = 0) -> None:
        self._core = _core.Network()
        self._rng = generator(seed)
        self._populations: dict[str, tuple[str, int]] = {}  # model and size
        self._projections: dict[str, tuple[str, str]] = {}  # source and target
        self._parameters: dict[str, NDArray[np.float64]] = {}  # views into the core

    def add_input(self, name: str, size: int) -> None:
        """Add spikes that come from outside.

        Parameters
        ----------
        name : str
            A new name.
        size : int
            The number of channels.

        Raises
        ------
        ValueError
            An empty or used name, a size of 0.
        TypeError
            `name` is no string or `size` no integer.
        """
        size = whole(size, "size")
        self._core.add_input(text(name, "name"), size)
        self._populations[name] = ("input", size)

    def add_population(
        self,
        name: str,
        model: str,
        size: int,
        *,
        synapse: str = "exponential",
        **parameters: Value | None,
    ) -> None:
        """Add neurons.

        Parameters
        ----------
        name : str
            A new name.
        model : str
            ``"LIF"``: leaky integrate-and-fire; ``"ALIF"``: the same with a threshold that each
            spike raises; ``"IF"``: without a leak, tau_mem dV/dt = I + bias; ``"RF"``:
            resonate-and-fire, whose V oscillates; ``"LI"``: without a spike, a readout. `models`
            lists them and their parameters.
        size : int
            The number of neurons.
        synapse : str
            What an arrival of weight w adds to the current, t seconds later: ``"exponential"``:
            w exp(-t/tau_syn); ``"alpha"``: w (t/tau_syn) exp(1 - t/tau_syn);
            ``"double_exponential"``: w N (exp(-t/tau_syn) - exp(-t/tau_rise)), where N makes w its
            peak; ``"ex_in"``: two receptors, each exponential, with time constants `tau_syn_ex` and
            `tau_syn_in` (`connect` names the one). Or ``"delta"``: it adds w to V at once (unless
            V is held), and may so make a spike at the very time of the arrival; in a cycle such a
            population needs delays above 0. (That of RF adds w to U, and does neither.)
        **parameters : float or array_like, shape (size,), or what draws it
            Those of the model: one number that all neurons share, or one for each, as an array or
            as what draws it (`Uniform`); the usual value unless given. Of LIF:

            tau_mem, tau_syn : 20e-3, 5e-3
                Time constants of membrane and synapse, in seconds, above 0.
            v_threshold, v_reset : 1.0, 0.0
                A spike is a crossing of the threshold from below; V just after it, below that.
            bias : 0.0
                A constant current.
            tau_ref : 0.0
                Absolute refractory time, in seconds.
            v_initial, i_initial : 0.0
                V(0), below `v_threshold`, and I(0).

            LI has no `v_threshold`, `v_reset` and `tau_ref`. ALIF has besides ([1]_):

            tau_adapt : 100e-3
                Time constant of the adaptation a, in seconds: tau_adapt da/dt = -a, and a <- a + 1
                at a spike.
            beta : 0.1
                The threshold is v_threshold + beta a.
            a_initial : 0.0
                a(0).

            RF ([2]_) holds z = U + i V, where tau_mem dz/dt = (-1 + 2 pi i frequency tau_mem) z +
            I + bias. A spike, where V crosses `v_threshold`, takes z to u_reset + i v_reset, and
            both are held for `tau_ref`. Besides the parameters of LIF:

            frequency : 25.0
                Of the oscillation, in Hz, above 0. (It decays with `tau_mem`.)
            v_reset, u_reset : 1.0, 0.0
                V and U just after a spike: on the threshold, or above it too. It does not follow
                `v_threshold`: with another one than 1 give both.
            u_initial : 0.0
                U(0).

            A double exponential synapse has besides:

            tau_rise : 1e-3
                Time constant of the rise, in seconds, above 0; equal to `tau_syn` it is an alpha
                synapse.

            `i_initial` goes with the exponential synapse alone.

        Raises
        ------
        ValueError
            An empty or used name, an unknown model or synapse, a parameter that the model does not
            have, a wrong shape, a value without meaning.
        TypeError
            An argument of a wrong type, named in the message.

        References
        ----------
        .. [1] G. Bellec, D. Salaj, A. Subramoney, R. Legenstein and W. Maass, "Long short-term
           memory and learning-to-learn in networks of spiking neurons", NeurIPS 31 (2018).
        .. [2] E. M. Izhikevich, "Resonate-and-fire neurons", Neural Networks 14 (2001),
           883-894.
        """
        model = model_of(text(model, "model"), text(synapse, "synapse"))
        size = whole(size, "size")
        rows = MODELS[model].parameters
        for key in parameters:
            if key not in rows:
                raise ValueError(
                    f"{key}: {model} has no such parameter; there are: {', '.join(rows)}"
                )
        values = {}
        for key, row in rows.items():
            given = parameters.get(key)
            if is_drawn(given):
                given = draw(given, (size,), self._rng, key)
            values[key] = numbers(row.usual if given is None else given, key)
            expect_shape(values[key], key, (), (size,), axes="one number, or one per neuron")
        flat = {key: value.reshape(-1) for key, value in values.items()}
        self._core.add_population(text(name, "name"), model, size, flat)
        self._populations[name] = (model, size)
        for key, value in values.items():
            self._expose(name, key, value.shape)

    def connect(
        self,
        source: str,
        target: str,
        weight: Value | Synapses | None = None,
        delay: Value | None = None,
        name: str | None = None,
        *,
        receptor: str | None = None,
    ) -> None:
        """Add synapses from one population to another: all to all, or those that `weight` lists.

        Parameters
        ----------
        source, target : str
            Names of populations. An input, or what spikes, is a source; LIF, ALIF, IF, RF or LI a
            target; both may be the same.
        weight : array_like, shape (pre, post), what draws it, Synapses, or sparse array of SciPy
            What a spike of a source neuron adds to the current of a target neuron: of every neuron
            to every other, or a `Sparse`, `Masked`, `OneToOne`, `Conv2d`, `SumPool2d`, `AvgPool2d`
            or sparse array of SciPy. The parameter has the shape of the array or kernel, or
            ``(nnz,)`` of synapses one by one. Unless given, all to all, drawn by ``FanIn()``.
        delay : float or array_like, shape (pre,), (pre, post) or (nnz,), or what draws it, optional
            The time that a spike takes to arrive, in seconds: one for all synapses, one for each
            source neuron, or one for each synapse, in the order of `synapses`. Where a list has as
            many synapses as sources, ``(pre, 1)`` or ``(1, nnz)`` say which is meant. What draws it
            draws one for each synapse. None: 0, and no gradient of it.
        name : str, optional
            A new name; ``"source->target"`` unless given.
        receptor : str, optional
            The one that it drives, where the target has several: ``"ex"`` or ``"in"`` of a
            population with ``synapse="ex_in"``.

        Raises
        ------
        ValueError
            An unknown population or receptor, a used name, a wrong shape, a value that is not
            finite, a negative delay, a `Conv2d` or pooling without `input_shape` or whose kernel is
            not drawn.
        TypeError
            An argument of a wrong type, named in the message.
        """
        pre, post = self._size(text(source, "source")), self._size(text(target, "target"))
        listed = as_synapses(weight)
        if listed is not None:
            listed = listed._drawn(self._rng)
            listed._check(pre, post)
        elif weight is None or is_drawn(weight):
            weight = draw(weight or FanIn(), (pre, post), self._rng, "weight")
        if is_drawn(delay):
            shape = (pre, post) if listed is None else (1, _synapse_count(listed, pre, post))
            delay = draw(delay, shape, self._rng, "delay")
        w = numbers(weight if listed is None else listed.weight, "weight")
        if listed is None:
            expect_shape(w, "weight", (pre, post), axes="[pre, post]")
        d = None if delay is None else numbers(delay, "delay")
        delays = "" if d is None else ("common", "source", "synapse", "")[min(d.ndim, 3)]
        if d is not None and listed is None:
            axes = "one number, [pre] or [pre, post]"
            expect_shape(d, "delay", (), (pre,), (pre, post), axes=axes)
        elif d is not None and d.ndim == 1:
            delays = "either"
        elif d is not None and d.ndim > 0:
            if d.shape != (pre, 1) and (d.ndim != 2 or len(d) != 1):
                raise ValueError(
                    f"delay has shape {d.shape}; expected one number, [pre], [nnz], [pre, 1] or "
                    "[1, nnz]"
                )
            delays = "source" if d.shape == (pre, 1) else "synapse"
            d = d.reshape(-1)
        self._core.connect(
            source,
            target,
            w.reshape(-1),
            None if d is None else d.reshape(-1),
            delays,
            "" if name is None else text(name, "name"),
            "dense" if listed is None else listed.kind,
            [] if listed is None else listed.rows,
            "" if receptor is None else text(receptor, "receptor"),
        )
        name = self._core.last_projection()
        self._projections[name] = (source, target)
        self._expose(name, "weight", w.shape)
        if d is not None:
            self._expose(name, "delay", d.shape)

    @property
    def populations(self) -> tuple[str, ...]:
        """The names of the populations, inputs among them, in the order of their addition."""
        return tuple(self._populations)

    @property
    def projections(self) -> tuple[str, ...]:
        """The names of the projections, in the order of their addition."""
        return tuple(self._projections)

    def synapses(
        self, projection: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return which neurons each synapse of a projection connects, and by which weight.

        Parameters
        ----------
        projection : str
            Its name, as in `projections`.

        Returns
        -------
        pre, post, weight : arrays of int, shape (nnz,)
            Source and target neuron, and the place of its weight in the flattened parameter
            ``"projection.weight"``: in the order of a delay per synapse.

        Raises
        ------
        ValueError
            An unknown projection.

        Examples
        --------
        >>> import saltus
        >>> net = saltus.Network()
        >>> net.add_input("in", 4)
        >>> net.add_population("h", "LIF", 2)
        >>> net.connect("in", "h", saltus.AvgPool2d((1, 2), input_shape=(1, 2, 2)))
        >>> net.synapses("in->h")
        (array([0, 1, 2, 3]), array([0, 0, 1, 1]), array([0, 0, 0, 0]))
        """
        if projection not in self._projections:
            known = ", ".join(repr(p) for p in self._projections) or "none"
            raise ValueError(f"projection is {projection!r}; expected one of {known}")
        listed = self._core.synapses(projection)
        if listed is not None:
            return listed
        source, target = self._projections[projection]
        pre, post = self._size(source), self._size(target)
        every = np.arange(pre * post)
        return every // post, every % post, every

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return self._parameter(name)[...]

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        parameter = self._parameter(name)
        array = numbers(value, name)
        if array.ndim == 0 or (parameter.ndim == 0 and array.size and np.ptp(array) == 0):
            parameter[...] = array.reshape(-1)[0]  # one number for all
            return
        if parameter.ndim == 0:
            raise ValueError(
                f"{name} has shape {array.shape}; expected one number, which all share: values of "
                "their own are given when a population or projection is added"
            )
        expect_shape(array, name, parameter.shape)
        parameter[...] = array

    def __contains__(self, name: object) -> bool:
        return name in self._parameters

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._parameters))

    def __len__(self) -> int:
        return len(self._parameters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return NotImplemented
        # (The core does not tell () from (1,), nor does a file.)
        return not self._graph_difference(other) and self._core == other._core

    __hash__ = None  # type: ignore[assignment]

    def copy(self) -> Network:
        """Return a network that shares nothing with this one."""
        result = Network()
        result._core = _core.Network(self._core)
        result._rng = deepcopy(self._rng)
        result._populations = dict(self._populations)
        result._projections = dict(self._projections)
        for name, values in self._parameters.items():
            owner, parameter = name.rsplit(".", 1)
            result._expose(owner, parameter, values.shape)
        return result

    def save(self, file: str | PathLike[str], dtype: DTypeLike = np.float64) -> None:
        """Write the network as safetensors, as ``saltus train --out`` does (guide, "Files").

        Its library reads the arrays by the names that the network has for them. A checksum is of
        all of the file. It is written aside and then renamed: a stopped write leaves the old one
        whole.

        Parameters
        ----------
        file : path-like
            Such as ``net.safetensors``.
        dtype : {numpy.float64, numpy.float32}
            The type of the weights in the file. With float64 `load` gives back the same bits.

        Raises
        ------
        ValueError
            A name that ends in ``.h5``, a parameter without meaning, a weight that no float32 can
            hold, or another dtype.
        OSError
            The file cannot be written.
        """
        real = np.dtype(dtype)
        if real not in (np.float64, np.float32):
            raise ValueError(f"dtype is {real}; expected float64 or float32")
        self._core.save(path(file, "file"), real == np.float32)

    def __copy__(self) -> Network:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        shapes = {name: values.shape for name, values in self._parameters.items()}
        return _unpickled, (self._core.to_bytes(), shapes, self._rng)

    def __str__(self) -> str:
        return self._core.describe()

    def __repr__(self) -> str:
        return (
            f"<saltus.Network: {len(self._populations)} populations, "
            f"{len(self._projections)} projections>"
        )

    def _repr_html_(self) -> str:
        rows: list[Sequence[str | int]] = [
            (name, model, size, self._html_values(f"{name}."))
            for name, (model, size) in self._populations.items()
        ]
        for name, (source, target) in self._projections.items():
            synapses = len(self.synapses(name)[0])
            rows.append(
                (name, f"{source} to {target}", synapses, self._html_values(f"{name}.", "delay"))
            )
        neurons = sum(size for model, size in self._populations.values() if model != "input")
        head = ("name", "what", "neurons or synapses", "not as usual")
        return html_table(f"{type(self).__name__}: {neurons} neurons", head, rows)

    def _html_values(self, owner: str, *always: str) -> str:
        """Say which parameters have another value than the usual one of their model."""
        name = owner[:-1]
        model = self._populations.get(name, ("input", 0))[0]
        rows = MODELS[model].parameters if model in MODELS and not always else {}
        said = []
        for key in [*rows, *(k for k in always if f"{owner}{k}" in self)]:
            values = self._parameters[f"{owner}{key}"]
            low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
            if key in rows and low == high == rows[key].usual:
                continue
            said.append(f"{key} {low:.4g}" if low == high else f"{key} {low:.4g} to {high:.4g}")
        return ", ".join(said)

    @classmethod
    def _from_core(cls, core: _core.Network) -> Network:
        """Wrap a network that the core made; a parameter with one value is shared."""
        result = Network()
        result._core = core
        populations, projections = core.structure()
        for name, model, size in populations:
            result._populations[name] = (model, size)
            if model == "input":
                continue
            for key in MODELS[model].parameters:
                count = core.values(name, key).size
                result._expose(name, key, () if count == 1 else (count,))
        for name, source, target, weight, delay in projections:
            result._projections[name] = (source, target)
            result._expose(name, "weight", tuple(weight))
            if delay is not None:
                result._expose(name, "delay", tuple(delay))
        return result

    def _expose(self, owner: str, parameter: str, shape: tuple[int, ...]) -> None:
        values = self._core.values(owner, parameter)
        self._parameters[f"{owner}.{parameter}"] = values.reshape(shape)

    def _parameter(self, name: str) -> NDArray[np.float64]:
        if name not in self._parameters:
            known = ", ".join(self._parameters) or "none yet"
            raise KeyError(f"no parameter is called {name!r}; there are: {known}")
        return self._parameters[name]

    def _size(self, population: str) -> int:
        self._core.index(population)  # raises for a name that it does not know
        return self._populations[population][1]

    def _graph_difference(self, other: Network) -> str:
        """Say which populations or projections differ; nothing for the same."""
        for what, mine, theirs in (
            ("populations", self._populations, other._populations),
            ("projections", self._projections, other._projections),
        ):
            if list(mine.items()) != list(theirs.items()):
                return f"{what} {_words(mine)}, not {_words(theirs)}"
        return ""

    def _structure_difference(self, other: Network) -> str:
        """Say what differs besides values; nothing for the same structure."""
        if difference := self._graph_difference(other):
            return difference
        for name in self._parameters.keys() | other._parameters.keys():
            a, b = (str(n[name].shape) if name in n else "none" for n in (self, other))
            if a != b:
                return f"{name} of shape {a}, not {b}"
        return ""


def load(file: str | PathLike[str]) -> Network:
    """Read a network from a file of `Network.save` or a folder of a training.

    Parameters
    ----------
    file : path-like
        A file, or a folder that holds ``model.safetensors``, as of ``saltus train --out DIR``, or
        the last state of a training, ``checkpoint.safetensors``, as of ``fit(checkpoint=)``. Models
        of earlier versions, which were HDF5 (``model.h5``), are read too.

    Returns
    -------
    Network
        A neuron parameter of a population of one neuron has shape ().

    Raises
    ------
    OSError
        A file that is missing, damaged or not a model.
    ValueError
        A network without a meaning.
    """
    place = path(file, "file")
    checkpoint = os.path.join(place, "checkpoint.safetensors")
    models = (os.path.join(place, f"model.{kind}") for kind in ("safetensors", "h5"))
    if os.path.exists(checkpoint) and not any(map(os.path.exists, models)):
        place = checkpoint
    return Network._from_core(_core.Network.load(place))


def _unpickled(
    model: bytes, shapes: dict[str, tuple[int, ...]], rng: np.random.Generator
) -> Network:
    network = Network._from_core(_core.Network.from_bytes(model))
    for name, shape in shapes.items():  # a file cannot tell () from (1,)
        network._parameters[name] = network._parameters[name].reshape(shape)
    network._rng = rng
    return network


def _synapse_count(listed: Synapses, pre: int, post: int) -> int:
    """Return how many synapses a list has between populations of these sizes."""
    network = Network()
    network.add_input("pre", pre)
    network.add_population("post", "LI", post)
    network.connect("pre", "post", listed)
    return len(network.synapses("pre->post")[0])


def _words(parts: dict[str, tuple[Any, Any]]) -> str:
    return ", ".join(f"'{name}' ({a}, {b})" for name, (a, b) in parts.items()) or "none"
