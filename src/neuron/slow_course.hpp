// SPDX-License-Identifier: Apache-2.0
// V between two events where the synapse is slower than the membrane, p = tau_mem/tau_syn < 1 (NMDA,
// GABA_B): its peak; and its crossings where y has too few digits for the search that others share, the
// synapse being more than TimeConstants::most_slower times slower or the bias next to the threshold
// (Lif::in_time). There x = exp(-t / tau_mem) is no place to work in: I = I0 x^p is still large when x
// has run out of digits. So times are times here, u = t / tau_mem, in double for every Real; and what
// has one curvature over the whole interval is V as a function of the slower exponential,
// y = exp(-t / tau_syn) (docs/theory.md, section 2):
//
//     V - theta = A y^(1/p) + B y + c,     A = V0 - b - B,  B = I0/(1 - p),  c = b - theta
//
// A < 0: concave in y, Newton from y = 1 walks monotonically to the first crossing. A >= 0: convex,
// a crossing exists if and only if V ends at or above theta, and then exactly one; V - theta is not
// below B y + c, whose zero therefore comes after it: from there Newton climbs monotonically to it.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "machine/exponential.hpp"
#include "neuron/decay.hpp"

namespace saltus::neuron {

class SlowCourse {
 public:
  static constexpr double never = std::numeric_limits<double>::infinity();

  /// @param tc  p < 1
  SlowCourse(const TimeConstants& tc, double v0, double i0, double b)
      : p_(tc.p), above_(v0 - b), i0_(i0), b_(b) {}

  /// I at time u.
  double current(double u) const { return i0_ * exponential(-p_ * u); }

  /// Where dV/du = 0 with V concave in x, so a maximum; `never` if there is none at u > 0.
  double peak() const {
    if (!(i0_ > above_ && i0_ > 0)) return never;
    // 1 + p h(x) = above/i0, h as in neuron/decay.hpp.
    return std::log1p((1 - p_) * (1 - above_ / i0_) / p_) / (1 - p_);
  }

  /// When V first comes up to theta in (0, end]; `never` if it does not. Needs V0 < theta, or
  /// V0 = theta and V falling.
  /// @param ends_above  V at the end, as the loops compute it, is at theta or above
  double crossing(double theta, double end, bool ends_above) const {
    const double c = b_ - theta;
    if (c == 0) return at_the_bias(end);
    return (1 - p_) * above_ < i0_ ? concave(c, end, ends_above) : convex(c, end, ends_above);
  }

 private:
  static constexpr int newton_limit = 64;
  double p_, above_, i0_, b_;

  struct Point {
    double above, slope;  // V - b, dV/du
  };
  Point at(double u) const {
    const double mem = exponential(-u), syn = exponential(-p_ * u);
    if (p_ < 0.5) {  // late, the slope is a small part of I and of V: not as their difference
      const double slow = i0_ / (1 - p_) * syn, fast = (above_ - i0_ / (1 - p_)) * mem;
      return {fast + slow, -fast - p_ * slow};
    }
    const double k = syn * -std::expm1(-(1 - p_) * u) / (1 - p_);
    const double above = above_ * mem + i0_ * k;
    return {above, i0_ * syn - above};
  }
  // A Newton step of y, as a step of u: y is never formed, so that it cannot underflow.
  double step(double f, double slope) const { return -std::log1p(p_ * f / slope) / p_; }

  // Rounding may put a crossing onto the border of two intervals: it fires there, if V rises.
  double border(double end, bool ends_above) const {
    return ends_above && at(end).slope > 0 ? end : never;
  }

  // b = theta: V stays below until the slower exponential is the larger one, however small both are
  // next to b. A y^(1/p) + B y = 0 without a search.
  double at_the_bias(double end) const {
    if (!(i0_ > 0)) return never;
    const double u = std::log1p(-above_ * (1 - p_) / i0_) / (1 - p_);
    return u > 0 && u <= end ? u : never;
  }

  double concave(double c, double end, bool ends_above) const {
    double u = 0, before = 0, f = above_ + c, slope = i0_ - above_;
    for (int k = 0; k < newton_limit; ++k) {
      if (!(slope > 0 && p_ * f > -slope)) return border(end, ends_above);  // past the peak
      const double next = u + step(f, slope);
      // A long step is too long by the rounding of the slope: the last one may go back.
      if (!(next > u)) return std::max(next, before);
      if (next > end) return border(end, ends_above);
      before = u;
      u = next;
      const Point x = at(u);
      f = x.above + c;
      slope = x.slope;
    }
    double high = std::min(end, peak());  // V rises up to here
    if (!(at(high).above + c >= 0)) return border(end, ends_above);
    for (double low = u;;) {
      const double middle = low + (high - low) / 2;
      if (!(low < middle && middle < high)) return high;
      (at(middle).above + c >= 0 ? high : low) = middle;
    }
  }

  double convex(double c, double end, bool ends_above) const {
    const auto rises = [&](double u) { return current(u) + c > 0; };  // at theta
    if (!(ends_above && c > 0 && i0_ < 0)) return never;
    double u = std::min(end, std::log(-i0_ / (1 - p_) / c) / p_);
    if (!(u > 0 && rises(u))) return never;
    double before = u;
    for (int k = 0; k < newton_limit; ++k) {
      const Point x = at(u);
      const double f = x.above + c;
      if (!(x.slope > 0)) return u;
      const double next = std::max(u + step(f, x.slope), 0.0);
      if (next > u) return std::min(next, before);  // as above
      if (!(next < u && rises(next))) return u;
      before = u;
      u = next;
    }
    for (double low = 0;;) {
      const double middle = low + (u - low) / 2;
      if (!(low < middle && middle < u)) return u;
      (at(middle).above + c >= 0 && rises(middle) ? u : low) = middle;
    }
  }
};

}  // namespace saltus::neuron
