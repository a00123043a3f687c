# SPDX-License-Identifier: Apache-2.0
# The C++ module (python/bindings). All arrays are flat; the package gives them their shapes.
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__version__: str

_Spikes = tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]
_Errors = tuple[
    NDArray[Any] | None,
    NDArray[Any] | None,
    NDArray[Any] | None,
    NDArray[np.float64] | None,
    NDArray[Any] | None,
    NDArray[np.float64] | None,
    NDArray[np.float64] | None,
]
_State = list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]]

class Network:
    def __init__(self, other: Network = ..., /) -> None: ...
    def add_input(self, name: str, size: int, /) -> int: ...
    def add_population(
        self, name: str, model: str, size: int, parameters: dict[str, NDArray[np.float64]], /
    ) -> None: ...
    def connect(
        self,
        source: str,
        target: str,
        weight: NDArray[np.float64],
        delay: NDArray[np.float64] | None,
        delays: str,
        name: str,
        kind: str,
        rows: list[tuple[str, list[int]]],
        receptor: str,
        /,
    ) -> None: ...
    def values(self, owner: str, parameter: str, /) -> NDArray[np.float64]: ...
    def synapses(
        self, projection: str, /
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None: ...
    def last_projection(self) -> str: ...
    def index(self, name: str, /) -> int: ...
    def check(self) -> None: ...
    def structure(
        self,
    ) -> tuple[
        list[tuple[str, str, int]],
        list[tuple[str, str, str, list[int], list[int] | None]],
    ]: ...
    def connection(self, name: str, /) -> tuple[str, dict[str, list[int]], int]: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(file: bytes, /) -> Network: ...
    def save(self, file: str, single: bool, /) -> None: ...
    @staticmethod
    def load(file: str, /) -> Network: ...
    def describe(self) -> str: ...

class _Record:
    @property
    def goes_on(self) -> bool: ...
    @property
    def samples(self) -> int: ...
    def state(self) -> _State: ...
    def advice(self) -> list[str]: ...
    def spikes(
        self, population: int, /
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[Any], NDArray[np.int64]]: ...
    def thresholds(self, population: int, /) -> NDArray[Any]: ...
    def maxima(
        self, population: int, /
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.uint8]]: ...
    def integrals(self, population: int, /) -> NDArray[Any]: ...
    def voltages(self, population: int, at: NDArray[np.float64], /) -> NDArray[Any]: ...
    def currents(self, population: int, at: NDArray[np.float64], /) -> NDArray[Any]: ...
    def adjoint(
        self, errors: dict[int, _Errors], population: int, at: NDArray[np.float64], /
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def loss(
        self, settings: dict[str, Any], readout: int, labels: NDArray[np.int32], /
    ) -> tuple[
        float,
        int,
        int,
        NDArray[np.int32],
        NDArray[Any],
        NDArray[Any],
        NDArray[Any],
        NDArray[np.float64],
        NDArray[Any],
    ]: ...
    def backward(
        self,
        errors: dict[int, _Errors],
        other: Network | None,
        wanted: tuple[bool, bool, bool],
        threads: int,
        ghosts: _Ghosts | None,
        /,
    ) -> dict[str, NDArray[Any]]: ...
    @staticmethod
    def simulate(
        network: Network,
        inputs: list[_Spikes],
        t_end: NDArray[np.float64],
        threads: int,
        smoothing: dict[str, Any] | None,
        state: _State | None,
        limits: dict[str, Any],
        /,
    ) -> _Record: ...
    @staticmethod
    def record(
        network: Network,
        inputs: list[_Spikes],
        spikes: dict[int, _Spikes],
        t_end: NDArray[np.float64],
        threads: int,
        /,
    ) -> _Record: ...

def below_thresholds(network: Network, state: _State, /) -> _State: ...

class Record32(_Record): ...
class Record64(_Record): ...

class _Ghosts:
    @property
    def count(self) -> int: ...
    def columns(self, population: int, /) -> dict[str, NDArray[Any]]: ...
    def measure(
        self,
        record: _Record,
        other: Network | None,
        loss: Callable[[_Record], float],
        threads: int,
        /,
    ) -> None: ...

class Ghosts32(_Ghosts): ...
class Ghosts64(_Ghosts): ...

def find_ghosts(
    record: _Record,
    other: Network | None,
    smoothing: dict[str, Any],
    losses: list[tuple[dict[str, Any], int, NDArray[np.int32]]],
    threads: int,
    /,
) -> _Ghosts: ...

class Data:
    @staticmethod
    def of(
        times: NDArray[np.float64],
        neurons: NDArray[np.int32],
        offsets: NDArray[np.int64],
        labels: NDArray[np.int32],
        channels: int,
        classes: int,
        t_end: NDArray[np.float64] | None,
        /,
    ) -> Data: ...
    @property
    def size(self) -> int: ...

_Labelled = tuple[
    NDArray[np.float64],
    NDArray[np.int32],
    NDArray[np.int64],
    NDArray[Any],
    int,
    int,
    tuple[int, int, int] | None,
    dict[str, NDArray[Any]],
    dict[str, NDArray[Any]],
]

def yin_yang(n: int, seed: int, /) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
def encode_yin_yang(
    samples: NDArray[np.float64], labels: NDArray[np.int64], t_max: float, t_bias: float, /
) -> _Labelled: ...
def read_idx(
    folder: str, prefix: str, /
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int, int]: ...
def encode_images(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    rows: int,
    columns: int,
    t_max: float,
    /,
) -> _Labelled: ...
def read_spike_file(
    file: str, channels: int, max_channels: int, max_classes: int, max_spikes: int, /
) -> _Labelled: ...

# Built-in losses and their readouts; a function that is called in their place.
_Loss = tuple[
    list[tuple[dict[str, Any], int]],
    Callable[
        [_Record, NDArray[np.int32], NDArray[np.float64], tuple[float, bool, int]],
        tuple[float, NDArray[np.int32] | None, int, dict[int, _Errors]],
    ]
    | None,
]

class _Trainer:
    def __init__(
        self,
        network: Network,
        loss: _Loss,
        t_end: float,
        settings: dict[str, Any],
        learning_rate: Callable[[float, int], float] | None,
        step: Callable[[dict[str, NDArray[Any]], float, float], None] | None,
        /,
    ) -> None: ...
    def train_epoch(
        self, data: Data, progress: Callable[[int, float, float | None], None] | None, /
    ) -> dict[str, Any]: ...
    def evaluate(self, data: Data, /) -> dict[str, Any]: ...
    def validated(self, loss: float, accuracy: float | None, /) -> None: ...
    @property
    def is_best(self) -> bool: ...
    @property
    def epochs(self) -> int: ...
    @property
    def within_epoch(self) -> bool: ...
    lr: float
    def save(
        self, file: str, about: str, memory: dict[str, tuple[list[int], NDArray[np.float64]]], /
    ) -> None: ...
    def resume(
        self, file: str, about: str, /
    ) -> tuple[
        list[str], list[dict[str, Any]], dict[str, tuple[list[int], NDArray[np.float64]]]
    ]: ...

class Trainer32(_Trainer): ...
class Trainer64(_Trainer): ...

class Optimizer:
    def __init__(self) -> None: ...
    def step(
        self,
        settings: dict[str, Any],
        lr: float,
        count: int,
        scale: float,
        values: NDArray[np.float64],
        gradient: NDArray[np.float64],
        decays: bool,
        /,
    ) -> None: ...
    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    def put_moments(self, first: NDArray[np.float64], second: NDArray[np.float64], /) -> None: ...

class Ranged:
    def __init__(self, network: Network, /) -> None: ...
    def clamp(self, network: Network, /) -> int: ...

def units_and_rates(
    network: Network, settings: dict[str, Any], /
) -> dict[str, tuple[float, float]]: ...
def advice(network: Network, data: Data, t_end: float, /) -> list[str]: ...
def evaluate32(
    network: Network,
    loss: _Loss,
    t_end: float,
    data: Data,
    threads: int,
    limits: dict[str, Any],
    /,
) -> dict[str, Any]: ...
def evaluate64(
    network: Network,
    loss: _Loss,
    t_end: float,
    data: Data,
    threads: int,
    limits: dict[str, Any],
    /,
) -> dict[str, Any]: ...
def check_settings(settings: dict[str, Any], /) -> None: ...
def train_settings() -> list[str]: ...
def check_settings_of_model(settings: str, model: str, /) -> None: ...
def models() -> dict[str, tuple[str, bool, dict[str, tuple[float, str, str]], list[str]]]: ...
def losses() -> dict[str, tuple[str, dict[str, float]]]: ...
def fingerprint(data: Data, /) -> str: ...
def write_file(file: str, content: bytes, /) -> None: ...

class _FolderLock:
    def __init__(self, folder: str, /) -> None: ...
    def release(self) -> None: ...

def check_loss(settings: dict[str, Any], /) -> None: ...
def learning_rate(settings: dict[str, Any], epoch: int, /) -> float: ...
