// SPDX-License-Identifier: Apache-2.0
// The next spike, without a time grid and without missing one (docs/theory.md, section 2).
//
// In x = exp(-t / tau_mem) the distance to the threshold f(x) = V - theta has
// f'' = -p I0 x^(p-2): one sign over the whole interval. So Newton's method needs no bracket.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "neuron/decay.hpp"

namespace saltus::neuron {

/// V stays below what the larger of V0 and b, and the largest response to a positive I0 within the
/// interval, can reach together: exact for any bias.
/// @param reach  Decay::reach
template <class Real>
inline Real highest_reach(Real v0, Real i0, Real b, Real reach) {
  return std::max(v0, b) + std::max(i0, Real(0)) * reach;
}

/// dV/dt > 0 at the start of an interval.
template <class Real>
inline bool rises_at_start(Real v0, Real i0, Real b) {
  return i0 + b > v0;
}

/// The same at its end. (The sign is that of dV/dx: dV/dt itself drowns in the rounding of b once
/// everything has decayed.)
/// @param end_slope  Decay::end_slope
template <class Real>
inline bool rises_at_end(Real v0, Real i0, Real b, Real end_slope) {
  return v0 - b < i0 * end_slope;
}

/// No crossing in (0, dt] if this is true.
/// @param v_end  V at the end of the interval
template <class Real>
inline bool cannot_spike(Real v0, Real i0, Real b, Real theta, Real v_end, Real reach) {
  // For I0 <= 0, f is convex: a crossing needs f(x_end) >= 0.
  return v_end < theta && (i0 <= 0 || highest_reach(v0, i0, b, reach) < theta);
}

/// For I0 > 0, where f is concave in x: if V still rises at the end of the interval it rose all the
/// time, and if it ends below theta it never was there. With this only neurons whose V has its peak
/// inside the interval, near theta, are left to search.
template <class Real>
inline bool rises_throughout(Real v0, Real i0, Real b, Real theta, Real v_end, Real end_slope) {
  return v_end < theta && i0 > 0 && rises_at_end(v0, i0, b, end_slope);
}

inline constexpr int newton_limit = 64;
inline constexpr double no_crossing = -1;

/// Where V first reaches theta, as x in [x_end, 1]; no_crossing if it does not.
/// Needs v0 < theta. Pass x_end = exp(-dt / tau_mem) and v_end = V there; x_end may be 0.
/// @param current_at  (x) -> I there
template <class Real, class CurrentAt>
inline Real crossing_in(const TimeConstants& tc, Real v0, Real i0, Real b, Real theta, Real x_end,
                        Real v_end, CurrentAt&& current_at) {
  const Real a = v0 - b, c = b - theta, p = static_cast<Real>(tc.p);
  x_end = std::max(x_end, std::numeric_limits<Real>::min());
  const auto slope_at = [&](Real h) { return a - i0 * (1 + p * h); };  // dV/dx < 0: V rises in time
  // Rounding may put a crossing onto the border of two intervals: it fires there, if V rises.
  const auto border = [&] {
    return v_end >= theta && slope_at(tc.h(x_end)) < 0 ? x_end : static_cast<Real>(no_crossing);
  };

  if (i0 >= 0) {  // concave: from x = 1 Newton walks monotonically down to the first crossing
    Real x = 1, f = v0 - theta, slope = a - i0;
    for (int i = 0; i < newton_limit; ++i) {
      if (!(slope < 0)) return border();  // past the peak
      const Real next = x - f / slope;
      if (!(next < x)) return x;
      if (next < x_end) return border();
      x = next;
      const Real h = tc.h(x);
      f = (a - i0 * h) * x + c;
      slope = slope_at(h);
    }
    // Not converged (seen only for b = theta): f < 0 at x, V still rises. Bisect down to the peak.
    const Real q = static_cast<Real>(tc.p - 1), h_peak = (a / i0 - 1) / p;
    const Real x_peak = tc.p == 1 ? std::exp(h_peak) : std::exp(std::log1p(q * h_peak) / q);
    Real low = std::max(x_end, std::min(x_peak, x));
    if (!((a - i0 * tc.h(low)) * low + c >= 0)) return border();
    for (Real high = x;;) {
      const Real middle = low + (high - low) / 2;
      if (!(low < middle && middle < high)) return low;
      ((a - i0 * tc.h(middle)) * middle + c >= 0 ? low : high) = middle;
    }
  }

  // Convex: a crossing exists if and only if V ends at or above theta, and then exactly one; from
  // x_end Newton climbs monotonically to it. (A slope test at x = 1 would lose it: V may fall
  // first.) If V falls from, or starts flat, just below theta, rounding can throw a step across the
  // valley: the last x at which V still rises through theta, the test of first_crossing, is the
  // crossing.
  const auto rises = [&](Real at) { return current_at(at) + b > theta; };
  if (!(v_end >= theta && rises(x_end))) return no_crossing;
  Real x = x_end;
  for (int i = 0; i < newton_limit; ++i) {
    const Real h = tc.h(x);
    const Real f = (a - i0 * h) * x + c, slope = slope_at(h);
    if (!(slope < 0)) return x;
    const Real next = std::min(x - f / slope, Real(1));
    if (!(next > x && rises(next))) return x;
    x = next;
  }
  for (Real high = 1;;) {
    const Real middle = x + (high - x) / 2;
    if (!(x < middle && middle < high)) return x;
    ((a - i0 * tc.h(middle)) * middle + c >= 0 && rises(middle) ? x : high) = middle;
  }
}

/// In z, the slower exponential. Where the synapse is slower, V - theta in y is what it is in x where the
/// membrane is: with the time constants in each other's place, and P I0 - (P - 1)(V0 - b) for I0,
/// P = tau_syn / tau_mem.
/// @param by_z   the time constants, the slower one as tau_mem: of the synapse if `slow`
/// @param z_end  decay of the slower one
template <class Real>
inline Real crossing(const TimeConstants& by_z, bool slow, Real v0, Real i0, Real b, Real theta,
                     Real z_end, Real v_end) {
  if (!slow) {
    return crossing_in(by_z, v0, i0, b, theta, z_end, v_end,
                       [&](Real x) { return i0 * by_z.synaptic(x); });
  }
  const Real p = static_cast<Real>(by_z.p), q = static_cast<Real>(by_z.p - 1), a = v0 - b;
  const Real drive = p * i0 - q * a;
  return crossing_in(by_z, v0, drive, b, theta, z_end, v_end, [&](Real y) { return i0 * y; });
}

}  // namespace saltus::neuron
