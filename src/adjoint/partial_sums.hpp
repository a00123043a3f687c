// SPDX-License-Identifier: Apache-2.0
// Sums over neurons that have the same bits whatever the vectors of the machine hold.
#pragma once

#include <cstddef>

namespace saltus {

/// So many partial sums make the sum.
inline constexpr std::size_t partial_sums = 8;

template <class Real>
inline double total(const Real (&sum)[partial_sums]) {
  return static_cast<double>(((sum[0] + sum[4]) + (sum[2] + sum[6])) +
                             ((sum[1] + sum[5]) + (sum[3] + sum[7])));
}

}  // namespace saltus
