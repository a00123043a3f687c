// SPDX-License-Identifier: Apache-2.0
// The graph of a network: which populations must be run together, and in what order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "saltus/network.hpp"

namespace saltus {

/// Populations that reach each other (or one alone), without inputs.
struct Component {
  std::vector<std::size_t> populations;
  bool cyclic = false;        ///< holds a cycle (also a self-connection)
  double shortest_delay = 0;  ///< of the projections inside it; infinity if there are none

  /// The place in `populations`; none of one that is outside.
  std::optional<std::size_t> place_of(std::size_t population) const {
    const auto found = std::ranges::find(populations, population);
    if (found == populations.end()) return std::nullopt;
    return static_cast<std::size_t>(found - populations.begin());
  }
};

/// The strongly connected components, sources before targets.
template <class Real>
std::vector<Component> components(const Network<Real>& network);

}  // namespace saltus
