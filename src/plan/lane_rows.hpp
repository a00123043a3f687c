// SPDX-License-Identifier: Apache-2.0
// From rows of weights and delays to the lists of widest_vector neurons side by side (plan/lane_lists.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "machine/lanes.hpp"

namespace saltus {

/// Spikes that each reach all of these neurons: their rows begin with the first of them.
template <class Real>
struct SpikesInRows {
  std::span<const double> sent;  // or, without delays, when they arrive
  const std::int32_t* neurons;   // whose rows of weights and of delays
  std::size_t width;             // of these, at most widest_vector
  const Real* weights;           // of neuron 0
  const double* delays;          // the same; null: all arrive at once
  std::size_t stride, delay_stride;
  std::uint32_t first_origin;  // the number of the first spike; then one more each
  std::size_t fresh;  // from this one on: what should have arrived before `from` arrives then
};

/// The lists so far, [place, lane], with room for all.
template <class Real>
struct ListsInLanes {
  double* times;
  Real* weights;
  std::uint32_t* origins;
  std::size_t* sizes;  // [lane]
  double from, to;     // what arrives before, or then or later, is left out
  bool even;           // are all lists equally long? Then they are before
};

/// plan/lane_rows_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct LaneRowKernels {
  /// Puts what arrives in time behind the lists.
  void (*put)(const SpikesInRows<Real>& spikes, ListsInLanes<Real>& lists);
  /// Does a time lie before the one above it, in any lane?
  bool (*falls)(const double* times, std::size_t count);

  static const LaneRowKernels& best();
};

}  // namespace saltus
