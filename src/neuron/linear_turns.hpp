// SPDX-License-Identifier: Apache-2.0
// How y = c.x - theta of a neuron that oscillates can be cut into pieces without a turn of its own, and
// when it has become too small to reach 0 (docs/theory.md, section 14).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>

#include "neuron/linear_flow.hpp"

namespace saltus::linear {

/// A linear functional of the state, v.x + constant.
struct Functional {
  Vector<double> v{};
  double constant = 0;

  double operator()(const Vector<double>& x) const { return dot(v, x) + constant; }
  /// Its derivative by time.
  Functional slope(const System<double>& s) const {
    return {product(transposed(s.matrix()), v), dot(v, s.constant())};
  }
};

/// What is left of y once all exponentials that do not oscillate are taken away: R e^(-decay t)
/// cos(turn t - phase), whose zeros lie half a turn apart.
class Turns {
 public:
  Turns() = default;
  /// @param left  that, of the state; y: the whole
  /// @param settling_time  of all that decays, or infinity
  Turns(const System<double>& free, std::size_t components, const Functional& left,
        const Functional& y, double settling_time)
      : turn_(free.pair()->turn), cosine_(left), sine_(left.slope(free)) {
    const double decay = free.pair()->decay;
    add(sine_.v, cosine_.v, decay);
    sine_.constant += decay * cosine_.constant;
    for (double& v : sine_.v) v /= turn_;
    sine_.constant /= turn_;
    if (std::isinf(settling_time)) return;
    rests_ = true;
    rest_ = free.flow({}, settling_time, most_components);
    above_at_rest_ = y(rest_);
    reach_ = reach(free, components, y.v);
    const Matrix<double> back = transposed(free.matrix());
    bend_ = reach(free, components, product(back, product(back, y.v)));
  }

  double half() const { return std::numbers::pi / turn_; }
  /// When it is 0 for the first time, in (0, half]; infinite if it is 0 for ever. And its sign before.
  struct Zero {
    double after, sign;
  };
  Zero first_zero(const Vector<double>& x) const {
    const double cosine = cosine_(x), sine = sine_(x);
    if (cosine == 0 && sine == 0) return {std::numeric_limits<double>::infinity(), 0};
    constexpr double half = std::numbers::pi;
    const double falls = std::atan2(sine, cosine) + half / 2;  // through 0, at this phase
    if (falls > half) return {(falls - half) / turn_, -1};
    return falls > 0 ? Zero{falls / turn_, 1} : Zero{(falls + half) / turn_, -1};
  }
  /// Does y stay below 0 for so long, between a first and a last value? By a parabola of the largest
  /// |d2y/dt2|, which is c A A (x - rest). If it says no, nothing is known.
  bool stays_below(const Vector<double>& x, double first, double last, double length) const {
    if (!rests_) return false;
    double bend = 0, size = 0;
    for (std::size_t k = 0; k < most_components; ++k) {
      const double apart = std::fabs(x[k] - rest_[k]);
      bend += bend_[k] * apart;
      size += reach_[k] * apart;
    }
    constexpr double rounding = 1e-12;
    return std::max(first, last) + length * length / 8 * bend +
               rounding * (std::fabs(above_at_rest_) + size) <
           0;
  }
  /// Can y come above 0, ever after, if nothing arrives?
  bool may_rise(const Vector<double>& x) const {
    constexpr double rounding = 1e-12;
    if (!rests_) return true;
    double most = 0;
    for (std::size_t k = 0; k < most_components; ++k)
      most += reach_[k] * std::fabs(x[k] - rest_[k]);
    return above_at_rest_ + most + rounding * (std::fabs(above_at_rest_) + most) > 0;
  }

 private:
  double turn_ = 0;
  Functional cosine_, sine_;  // R cos(phase), R sin(phase)
  bool rests_ = false;
  Vector<double> rest_{};
  double above_at_rest_ = 0;
  std::array<double, most_components> reach_{};  // of x_k - rest_k: so much of it in y, at most
  std::array<double, most_components> bend_{};   // the same in d2y/dt2

  // |x - rest| of component k is at most the sum of largest[k][l] |x_l(0) - rest_l|: that of a
  // component alone, |e^(-decay t)| and, of the pair, 1 + |of_imaginary|; and what others drive it with,
  // for 1/decay. No circle is left: as often as there are components is enough.
  static std::array<double, most_components> reach(const System<double>& free,
                                                   std::size_t components,
                                                   const Vector<double>& c) {
    using Square = std::array<std::array<double, most_components>, most_components>;
    const Pair<double>& pair = *free.pair();
    const Matrix<double>& a = free.matrix();
    Square alone{}, driven{};
    for (std::size_t k = 0; k < components; ++k) {
      if (!pair.has(k)) alone[k][k] = 1;
    }
    for (std::size_t m = 0; m < 2; ++m) {
      for (std::size_t n = 0; n < 2; ++n) {
        alone[pair.components[m]][pair.components[n]] =
            (m == n ? 1 : 0) + std::fabs(pair.of_imaginary[m][n]);
      }
    }
    for (std::size_t k = 0; k < components; ++k) {
      for (std::size_t via = 0; via < components; ++via) {
        const double time = pair.has(via) ? 1 / pair.decay : -1 / a[via][via];
        for (std::size_t from = 0; from < components; ++from) {
          if (from == via || (pair.has(from) && pair.has(via))) continue;
          driven[k][from] += alone[k][via] * time * std::fabs(a[via][from]);
        }
      }
    }
    Square largest = alone;
    for (std::size_t times = 1; times < components; ++times) {
      Square next = alone;
      for (std::size_t k = 0; k < components; ++k) {
        for (std::size_t via = 0; via < components; ++via) {
          for (std::size_t l = 0; l < components; ++l) {
            next[k][l] += driven[k][via] * largest[via][l];
          }
        }
      }
      largest = next;
    }
    std::array<double, most_components> in_y{};
    for (std::size_t k = 0; k < components; ++k) {
      for (std::size_t l = 0; l < components; ++l) in_y[l] += std::fabs(c[k]) * largest[k][l];
    }
    return in_y;
  }
};

}  // namespace saltus::linear
