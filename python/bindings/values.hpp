// SPDX-License-Identifier: Apache-2.0
// The values of a network into another of the same structure, of another type or not. They are
// written into the vectors that are there, so that Python's views of them stay valid.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <type_traits>

#include "saltus/error.hpp"
#include "saltus/network.hpp"

namespace saltus::python {

/// @throws InvalidInput  two networks of which one has parts that the other has not
template <class From, class To>
void check_structure(const Network<From>& from, const Network<To>& to) {
  if (from.projections().size() != to.projections().size() ||
      from.populations().size() != to.populations().size()) {
    throw InvalidInput(
        "network: it got other populations or projections while it was trained; expected only "
        "other values");
  }
}

template <class From, class To>
void copy_values(const Network<From>& from, Network<To>& to) {
  const auto copy = [](const auto& a, auto& b) {
    std::transform(a.begin(), a.end(), b.begin(), [](auto value) {
      return static_cast<typename std::remove_reference_t<decltype(b)>::value_type>(value);
    });
  };
  for (std::size_t k = 0; k < from.projections().size(); ++k) {
    copy(from.projections()[k].weight, to.projections()[k].weight);
    copy(from.projections()[k].delay.values, to.projections()[k].delay.values);
  }
  for (std::size_t p = 0; p < from.populations().size(); ++p) {
    const auto& parameters = from.populations()[p].parameters;
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      copy(parameters[k].values(), to.populations()[p].parameters[k].values());
    }
  }
}

/// The first parameter of which two networks of the same structure have other values, as what this
/// makes of the one's is not what the other has: "in->hidden.weight". Empty: none.
template <class From, class To>
std::string changed_value(const Network<From>& from, const Network<To>& to) {
  const auto same = [](const auto& a, const auto& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](auto x, auto y) { return static_cast<decltype(y)>(x) == y; });
  };
  for (std::size_t k = 0; k < from.projections().size(); ++k) {
    const auto &p = from.projections()[k], &q = to.projections()[k];
    if (!same(p.weight, q.weight)) return p.name + ".weight";
    if (!same(p.delay.values, q.delay.values)) return p.name + ".delay";
  }
  for (std::size_t p = 0; p < from.populations().size(); ++p) {
    const auto &a = from.populations()[p], &b = to.populations()[p];
    for (std::size_t k = 0; k < a.parameters.size(); ++k) {
      if (same(a.parameters[k].values(), b.parameters[k].values())) continue;
      return fmt::format("{}.{}", a.name, a.model->parameters[k].name);
    }
  }
  return {};
}

}  // namespace saltus::python
