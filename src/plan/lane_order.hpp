// SPDX-License-Identifier: Apache-2.0
// Lists of times, one in each lane, into order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "machine/lanes.hpp"

namespace saltus {

/// plan/lane_order_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct LaneOrderKernels {
  /// Sorts widest_vector lists at once, by a network of compare and exchange: Batcher's merge
  /// exchange, which suits any length (Knuth, The Art of Computer Programming, vol. 3, algorithm
  /// 5.2.2M). Of n numbers in about n/4 (log2 n)^2 steps, each for all lists, without a branch.
  /// @param times  [place, lane], `count` of each list; infinite behind the end of a shorter one
  /// @param order  [place, lane] which of the list comes there, as [place, lane] of `times`
  /// @return is it certain? Times that are nearly equal (by one part in 2^31 / n of the span of all)
  ///         keep the order in which they came
  bool (*order)(const Real* times, std::size_t count, std::int32_t* order);

  /// Of more the keys have too few digits.
  static constexpr std::size_t longest = std::size_t{1} << 16;

  static const LaneOrderKernels& best();
};

}  // namespace saltus
