// SPDX-License-Identifier: Apache-2.0
// Flat arrays across the border between C++ and NumPy, without copies. Shapes are Python's
// business: the package checks and gives them (python/saltus/_arrays.py).
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace saltus::python {

namespace nb = nanobind;

/// An array from Python: flat, contiguous, of exactly this type. Holding it keeps its memory alive.
template <class T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
std::span<const T> span_of(const In<T>& array) {
  return {array.data(), array.size()};
}

template <class T>
std::vector<T> vector_of(const In<T>& array) {
  return {array.data(), array.data() + array.size()};
}

/// An array for Python that lies in memory which `owner` keeps alive. `T` const: read-only.
template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> view(T* data, std::size_t size, nb::handle owner) {
  return nb::ndarray<nb::numpy, T, nb::ndim<1>>(data, {size}, owner);
}

/// An array for Python that takes over `values`.
template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> give(std::vector<T> values) {
  auto owned = std::make_unique<std::vector<T>>(std::move(values));
  T* data = owned->data();
  const std::size_t size = owned->size();
  nb::capsule owner(owned.get(), [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  owned.release();
  return view(data, size, owner);
}

}  // namespace saltus::python
