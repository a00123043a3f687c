// SPDX-License-Identifier: Apache-2.0
// Whole-numbered powers: products alone, the same in vectors (machine/power-inl.hpp).
#pragma once

namespace saltus {

/// x^n by squaring, n >= 0.
template <class Real>
inline Real integer_power(Real x, int n) {
  if (n == 4) return (x * x) * (x * x);  // 20 ms and 5 ms: what most people use
  Real result = 1;
  for (; n > 0; n >>= 1, x *= x) {
    if (n & 1) result *= x;
  }
  return result;
}

}  // namespace saltus
