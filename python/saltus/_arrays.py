# SPDX-License-Identifier: Apache-2.0
"""What comes from a user becomes the array that the core wants, or an error that names it."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from os import fsdecode, fspath
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LARGEST = 2**31 - 1


def _array(value: object, argument: str) -> NDArray[Any]:
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{argument}: a masked array, whose mask would be lost; give .compressed() or "
            ".filled(value) of it"
        )
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{argument}: not a rectangular array ({error})") from None
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"{argument}: not an array of numbers ({error})") from None


def _wrong_type(value: object, argument: str, array: NDArray[Any], expected: str) -> TypeError:
    got = type(value).__name__
    if array.ndim or isinstance(value, np.ndarray):
        got = f"{got} of dtype {array.dtype}"
    return TypeError(f"{argument}: expected {expected}; got {got}")


def numbers(value: object, argument: str, dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Return a C-contiguous array of a float type; the very same if it is one already."""
    array = _array(value, argument)
    if array.dtype.kind not in "iuf":
        raise _wrong_type(value, argument, array, "a number or an array of numbers")
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def integers(value: object, argument: str, dtype: DTypeLike) -> NDArray[Any]:
    """Do the same for whole numbers. One that `dtype` cannot hold is an error."""
    array = _array(value, argument)
    if array.dtype.kind not in "iu" and array.size:
        raise _wrong_type(value, argument, array, "an array of integers")
    if array.size and not np.can_cast(array.dtype, dtype, "safe"):
        limits = np.iinfo(np.dtype(dtype))
        for entry in (int(array.min()), int(array.max())):
            if not limits.min <= entry <= limits.max:
                raise ValueError(f"{argument}: {entry} does not fit into {np.dtype(dtype)}")
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def expect_shape(
    array: NDArray[Any], argument: str, *expected: tuple[int, ...], axes: str = ""
) -> None:
    """Refuse an array that has none of the expected shapes; `axes` says what they mean."""
    if array.shape in expected:
        return
    shapes = " or ".join(str(shape) for shape in expected)
    meaning = f" ({axes})" if axes else ""
    raise ValueError(f"{argument} has shape {array.shape}; expected {shapes}{meaning}")


def expect_dimensions(array: NDArray[Any], argument: str, axes: str) -> None:
    """Refuse an array that is not one-dimensional, whatever its length."""
    if array.ndim != 1:
        raise ValueError(f"{argument} has shape {array.shape}; expected one dimension, {axes}")


def number(value: object, argument: str) -> float:
    """Return one number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{argument}: expected a number; got {type(value).__name__}")
    return float(value)


def generator(seed: object) -> np.random.Generator:
    """Return random numbers of a seed."""
    return np.random.default_rng(whole(seed, "seed", 2**63 - 1))


def path(value: object, argument: str) -> str:
    """Return the path of a file or folder."""
    try:
        found = fspath(value)  # type: ignore[call-overload]
    except TypeError:
        got = type(value).__name__
        raise TypeError(f"{argument}: expected a path, such as a string; got {got}") from None
    return str(fsdecode(found))


def whole(value: object, argument: str, largest: int = _LARGEST) -> int:
    """Return a whole number from 0 on."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{argument}: expected an integer; got {type(value).__name__}")
    if not 0 <= number <= largest:
        raise ValueError(f"{argument} is {number}; expected 0 to {largest}")
    return number


def text(value: object, argument: str) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise TypeError(f"{argument}: expected a string; got {type(value).__name__}")
    return value


def mapping(value: object, argument: str) -> Mapping[str, object]:
    """Return a dictionary that goes from the names of populations to arrays."""
    if not isinstance(value, Mapping):
        got = type(value).__name__
        raise TypeError(f"{argument}: expected a dict from population names to arrays; got {got}")
    for key in value:
        text(key, f"a key of {argument}")
    return value
