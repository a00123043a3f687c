// SPDX-License-Identifier: Apache-2.0
// When a neuron that was held after its spike moves again.
#pragma once

#include <algorithm>
#include <limits>

namespace saltus::neuron {

/// tau_ref after the spike, less what rounding may do to times. A spike measured tau_ref after
/// another, as on a grid of times, then lies behind its release, and an arrival there too: forwards
/// and backwards alike. `time` if it cannot tell.
inline double release_after(double time, double tau_ref) {
  constexpr double earlier = 1 - 4 * std::numeric_limits<double>::epsilon();
  return std::max(time, (time + tau_ref) * earlier);
}

}  // namespace saltus::neuron
