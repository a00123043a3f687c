// SPDX-License-Identifier: Apache-2.0
// The maximum of V between two events (docs/theory.md, section 7).
#pragma once

#include <cmath>
#include <limits>

#include "neuron/decay.hpp"
#include "neuron/slow_course.hpp"

namespace saltus::neuron {

/// The interior maximum of V in an interval.
template <class Real>
struct Peak {
  double after = std::numeric_limits<double>::infinity();  // s since the start; infinity: none
  Real value = 0;

  bool found() const { return after < std::numeric_limits<double>::infinity(); }
};

/// dV/dx = 0 at h(x) = ((V0 - b)/I0 - 1)/p, a maximum if and only if I0 > 0 (V is concave in x
/// then).
/// @param mem  the decay of V over the interval, of length dt
template <class Real>
inline Peak<Real> interior_peak(const TimeConstants& tc, Real v0, Real i0, Real b, Real mem,
                                double dt) {
  if (!(i0 > 0)) return {};
  if (tc.slow_synapse()) {
    const SlowCourse course(tc, v0, i0, b);
    const double peak = course.peak(), after = peak * tc.tau_mem;
    if (!(after < dt)) return {};
    return {after, static_cast<Real>(b + course.current(peak))};  // dV/dt = 0
  }
  const Real q = static_cast<Real>(tc.p - 1);
  const Real h = ((v0 - b) / i0 - 1) / static_cast<Real>(tc.p);
  if (!(q * h > -1)) return {};
  const Real x = q == 0 ? std::exp(h) : std::exp(std::log1p(q * h) / q);
  if (!(x > mem && x < 1)) return {};
  return {-tc.tau_mem * std::log(static_cast<double>(x)), b + (v0 - b - i0 * h) * x};
}

}  // namespace saltus::neuron
