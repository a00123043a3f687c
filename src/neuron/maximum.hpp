// SPDX-License-Identifier: Apache-2.0
// The maximum of V between two events (docs/theory.md, section 7).
#pragma once

#include <cmath>

#include "neuron/decay.hpp"

namespace saltus::neuron {

/// The interior maximum of V in an interval; x < 0 if there is none.
template <class Real>
struct Peak {
  Real x, value;
};

/// dV/dx = 0 at h(x) = ((V0 - b)/I0 - 1)/p, a maximum if and only if I0 > 0 (V is concave in x
/// then).
template <class Real>
inline Peak<Real> interior_peak(const TimeConstants& tc, Real v0, Real i0, Real b, Real x_end) {
  constexpr Peak<Real> none{-1, 0};
  if (!(i0 > 0)) return none;
  const Real q = static_cast<Real>(tc.p - 1);
  const Real h = ((v0 - b) / i0 - 1) / static_cast<Real>(tc.p);
  if (!(q * h > -1)) return none;
  const Real x = q == 0 ? std::exp(h) : std::exp(std::log1p(q * h) / q);
  if (!(x > x_end && x < 1)) return none;
  return {x, b + (v0 - b - i0 * h) * x};
}

}  // namespace saltus::neuron
