// SPDX-License-Identifier: Apache-2.0
// How a neuron without a spike moves (docs/theory.md, section 1). With x = exp(-t / tau_mem), which
// goes from 1 down to 0, p = tau_mem / tau_syn and
//
//     h(x) = (x^(p-1) - 1) / (p - 1),     h(x) = ln x for p = 1,
//
// every ratio of time constants is one formula, accurate across p = 1:
//
//     I = I0 x^p,     V = b + (V0 - b) x + I0 K,     K = -x h(x),     dV/dx = V0 - b - I0 (1 + p
//     h(x)).
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "machine/exponential.hpp"
#include "machine/power.hpp"

namespace saltus::neuron {

struct TimeConstants {
  double tau_mem, tau_syn;
  double p;           // tau_mem / tau_syn
  double p_high;      // its first 8 binary digits: see power() in machine/exponential.hpp
  int integer_p = 0;  // p where it is a small integer >= 2: powers are products then; else 0
  double t_peak;      // when a single arrival raises V highest, K'(t_peak) = 0
  double x_peak;      // exp(-t_peak / tau_mem)
  double k_peak;      // K(t_peak)

  TimeConstants(double mem, double syn) : tau_mem(mem), tau_syn(syn), p(mem / syn) {
    if (p >= 2 && p <= 32 && p == std::floor(p)) integer_p = static_cast<int>(p);
    int exponent = 0;
    const double digits = std::frexp(p, &exponent);
    p_high = std::ldexp(std::trunc(std::ldexp(digits, 8)), exponent - 8);
    // h(x_peak) = -1/p, so x_peak = p^(-1/(p-1)).
    const double log_x = p == 1 ? -1.0 : -std::log1p(p - 1) / (p - 1);
    t_peak = -tau_mem * log_x;
    x_peak = std::exp(log_x);
    k_peak = x_peak / p;
  }
  bool operator==(const TimeConstants&) const = default;

  /// I outlives V: x runs out of digits before I does.
  bool slow_synapse() const { return p < 1; }
  /// Then y = exp(-t / tau_syn) has the place of x, z is y below. Where the synapse is so much slower that
  /// too few digits of y tell of V, neuron/slow_course.hpp takes over.
  bool y_tells() const { return slow_synapse() && p * most_slower >= 1; }
  static constexpr double most_slower = 16;

  /// h(x) as above.
  template <class Real>
  Real h(Real x) const {
    if (integer_p) return (integer_power(x, integer_p - 1) - 1) * static_cast<Real>(1 / (p - 1));
    if (p == 1) return logarithm(x);
    return exponential_less_one(static_cast<Real>(p - 1) * logarithm(x)) *
           static_cast<Real>(1 / (p - 1));
  }

  /// 1 + p h(x) as x goes to 0.
  double end_slope_at_infinity() const {
    return p > 1 ? -1 / (p - 1) : -std::numeric_limits<double>::infinity();
  }

  /// x^p, the decay of I while V decays by x.
  template <class Real>
  Real synaptic(Real x) const {
    if (integer_p) return integer_power(x, integer_p);
    return p == 1 ? x : power(x, static_cast<Real>(p_high), static_cast<Real>(p - p_high));
  }
};

/// What an interval of time does to every neuron with the same time constants.
template <class Real>
struct Decay {
  Real mem;        // exp(-dt / tau_mem)
  Real syn;        // exp(-dt / tau_syn)
  Real k;          // K(dt): V gained from I0 = 1
  Real reach;      // the largest K in [0, dt]
  Real end_slope;  // 1 + p h(x) at the end: dV/dx there is V0 - b - I0 times this
};

template <class Real>
inline Decay<Real> decay(const TimeConstants& tc, double dt) {
  constexpr double lowest = std::numeric_limits<Real>::lowest();  // times I = 0 it is 0
  if (std::isinf(dt)) {
    return {0, 0, 0, static_cast<Real>(tc.k_peak),
            static_cast<Real>(std::max(tc.end_slope_at_infinity(), lowest))};
  }
  const double mem = exponential(-dt / tc.tau_mem);
  const double syn =
      tc.integer_p ? integer_power(mem, tc.integer_p) : exponential(-dt / tc.tau_syn);
  const double q = tc.p - 1;
  double k;
  if (std::fabs(q) > 0.5) {
    k = (mem - syn) / q;
  } else if (q == 0) {
    k = dt / tc.tau_mem * mem;
  } else {  // the slower exponential times 1 - exp(-|q| dt / tau_mem), without cancellation
    k = (q > 0 ? mem : syn) * (-exponential_less_one(-std::fabs(q) * dt / tc.tau_mem)) /
        std::fabs(q);
  }
  const double reach = dt < tc.t_peak ? k : tc.k_peak;
  const double end_slope =
      mem >= std::numeric_limits<double>::min() ? 1 - tc.p * k / mem : tc.end_slope_at_infinity();
  return {static_cast<Real>(mem), static_cast<Real>(syn), static_cast<Real>(k),
          static_cast<Real>(reach), static_cast<Real>(std::max(end_slope, lowest))};
}

/// What is left of an interval after a spike inside it, in the precision of the loops: from z alone, so
/// that no time is needed. Here K = -x h(x), or in y, with P = 1/p, K = -P y H(y): h of the time
/// constants in each other's place. Only as long as z has all its digits: see rest_of_interval in
/// neuron/lif.hpp.
/// @param by_z  the time constants, the slower one as tau_mem
template <class Real>
inline Decay<Real> decay_at(const TimeConstants& tc, const TimeConstants& by_z, Real z) {
  const Real h = by_z.h(z), faster = by_z.synaptic(z), part = -z * h;
  const bool before_peak = z > static_cast<Real>(by_z.x_peak);
  if (!tc.y_tells()) {
    const Real reach = before_peak ? part : static_cast<Real>(tc.k_peak);
    return {z, faster, part, reach, 1 + static_cast<Real>(tc.p) * h};
  }
  const Real k = static_cast<Real>(by_z.p) * part;
  constexpr Real lowest = std::numeric_limits<Real>::lowest();
  const Real slope = faster >= std::numeric_limits<Real>::min() ? 1 - part / faster : lowest;
  return {faster, z, k, before_peak ? k : static_cast<Real>(tc.k_peak), std::max(slope, lowest)};
}

}  // namespace saltus::neuron
