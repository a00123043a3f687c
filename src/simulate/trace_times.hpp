// SPDX-License-Identifier: Apache-2.0
// The times at which a trace is asked for.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <span>
#include <string_view>

#include "saltus/error.hpp"
#include "saltus/network.hpp"
#include "saltus/simulate.hpp"

namespace saltus {

/// @returns the population, which is no input
/// @throws InvalidInput  an input; times unsorted, negative or after the end of a sample
template <class Real>
const Population& check_trace(const Network<Real>& network, const Inputs& inputs,
                              std::size_t population, std::span<const double> at,
                              std::string_view what) {
  const Population& p = network.populations().at(population);
  if (p.model == Model::input) {
    throw InvalidInput(fmt::format("'{}' is an input: it has no {}", p.name, what));
  }
  for (std::size_t k = 0; k < at.size(); ++k) {
    if (!(at[k] >= 0) || std::isinf(at[k]) || (k > 0 && at[k] < at[k - 1])) {
      throw InvalidInput(fmt::format(
          "at[{}] is {}; expected finite times of at least 0, ascending, in seconds", k, at[k]));
    }
    for (std::size_t s = 0; s < inputs.t_end.size(); ++s) {
      if (at[k] > inputs.t_end[s]) {
        throw InvalidInput(fmt::format("at[{}] is {}, after the end of sample {} at {}", k, at[k],
                                       s, inputs.t_end[s]));
      }
    }
  }
  return p;
}

}  // namespace saltus
