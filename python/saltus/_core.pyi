# SPDX-License-Identifier: Apache-2.0
# The C++ module (python/bindings). All arrays are flat; the package gives them their shapes.
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Spikes = tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]
_Errors = tuple[
    NDArray[Any] | None,
    NDArray[Any] | None,
    NDArray[Any] | None,
    NDArray[np.float64] | None,
    NDArray[Any] | None,
]

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
        dimensions: int,
        name: str,
        /,
    ) -> None: ...
    def values(self, owner: str, parameter: str, /) -> NDArray[np.float64]: ...
    def last_projection(self) -> str: ...
    def index(self, name: str, /) -> int: ...
    def describe(self) -> str: ...

class _Record:
    @property
    def samples(self) -> int: ...
    def spikes(
        self, population: int, /
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[Any], NDArray[np.int64]]: ...
    def maxima(
        self, population: int, /
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.uint8]]: ...
    def integrals(self, population: int, /) -> NDArray[Any]: ...
    def voltages(self, population: int, at: NDArray[np.float64], /) -> NDArray[Any]: ...
    def backward(
        self, errors: dict[int, _Errors], other: Network | None, threads: int, /
    ) -> dict[str, NDArray[Any]]: ...
    @staticmethod
    def simulate(
        network: Network, inputs: list[_Spikes], t_end: NDArray[np.float64], threads: int, /
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

class Record32(_Record): ...
class Record64(_Record): ...
