// SPDX-License-Identifier: Apache-2.0
// Neurons that are linear between events and move alike: what takes one from arrival to arrival takes
// all of them, and they can go side by side. (Biases, thresholds, resets, refractory times may
// differ.)
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>

#include "neuron/linear.hpp"
#include "neuron/linear_steps.hpp"

namespace saltus::linear {

/// What happens to each of them over a time: x <- m x, V += of_bias b.
struct Step {
  std::array<std::array<double, most_components>, most_components> m{};  // [to][from], from >= to
  double of_bias = 0;
  std::array<double, most_components> of_integral{};  // what each does to the integral of V

  /// Does it hold an entry of System?
  static bool holds(const System<double>::Entry& e, std::size_t components) {
    return e.from != integral_of_v && (!e.of_constant || e.to == 0) &&
           (e.to < components || e.to == integral_of_v);
  }
  double& at(const System<double>::Entry& e, std::size_t components) {
    return e.of_constant ? of_bias : (e.to < components ? m[e.to] : of_integral)[e.from];
  }

  /// What System::flow does, without the integral.
  Vector<double> flow(const Vector<double>& x, double bias, std::size_t components) const {
    Vector<double> to{};
    for (std::size_t k = 0; k < components; ++k) {
      for (std::size_t l = k; l < components; ++l) to[k] += m[k][l] * x[l];
    }
    to[0] += of_bias * bias;
    return to;
  }
  /// p = dL/dx backwards.
  Vector<double> back(const Vector<double>& p, std::size_t components) const {
    Vector<double> to{};
    for (std::size_t k = 0; k < components; ++k) {
      for (std::size_t l = 0; l <= k; ++l) to[k] += m[l][k] * p[l];
      to[k] += of_integral[k] * p[integral_of_v];
    }
    to[integral_of_v] = p[integral_of_v];
    return to;
  }
};

/// y = c.x - theta rises above the higher of its values at the two ends of an interval by at most
/// bend . |x| + constant: by a parabola of the largest -d2y/dt2, and by rounding.
struct Bend {
  std::array<double, most_components> of{};
  double constant = 0;
};

/// What they share.
class Alike {
 public:
  std::size_t components = 0;
  std::array<Vector<double>, most_receptors> receptors{}, slopes_of_receptors{};  // e, A e
  ReceptorOf receptor_of;
  bool refractory = false;                   // is any?
  std::array<bool, most_components> in_c{};  // which components the threshold looks at
  bool plain_v = true;                       // c_V = 1

  /// None if they do not: different motion, or a shape that the vectors do not know (a component that
  /// depends on one before it, as where two oscillate; a constant that drives another one than V, or
  /// more than V that is held).
  static std::optional<Alike> of(std::span<const Neuron> neurons) {
    const Neuron& first = neurons[0];
    Alike all;
    all.components = first.last;
    all.receptors = first.receptors;
    all.receptor_of = first.receptor_of;
    const Matrix<double>& a = first.free.matrix();
    for (std::size_t r = 0; r < most_receptors; ++r) {
      all.slopes_of_receptors[r] = product(a, first.receptors[r]);
    }
    for (std::size_t k = 0; k < all.components; ++k) {
      for (std::size_t l = 0; l < k; ++l) {
        if (a[k][l] != 0) return {};
      }
    }
    if (first.holds != LinearNeuron<double>().held) return {};
    for (const Neuron& n : neurons) {
      if (n.free.matrix() != a || n.receptors != first.receptors || n.jumps != first.jumps)
        return {};
      for (std::size_t k = 0; k < dimension; ++k) {
        if (k > 0 && n.free.constant()[k] != 0) return {};
        if (k < all.components) {
          all.in_c[k] = all.in_c[k] || n.c[k] != 0;
          all.largest_c_[k] = std::max(all.largest_c_[k], std::fabs(n.c[k]));
        }
      }
      all.largest_bias_ = std::max(all.largest_bias_, std::fabs(n.free.constant()[0]));
      all.largest_theta_ = std::max(all.largest_theta_, std::fabs(n.theta));
      all.refractory = all.refractory || n.tau_ref > 0;
      all.plain_v = all.plain_v && n.c[0] == 1;
    }
    all.free_ = driven_by_ones(first.free, {1}, all.components);
    for (int k = shortest; k <= longest; ++k) {
      all.bends_[static_cast<std::size_t>(k - shortest)] = all.bend_of(std::exp2(0.5 * k));
    }
    return all;
  }

  /// @param integral  is its row asked for?
  Step step(double t, bool integral = false) const {
    Step s;
    using Entry = System<double>::Entry;
    free_.for_each_entry(
        t, integral ? dimension : most_components,
        [this](const Entry& e) { return Step::holds(e, components); },
        [&](const Entry& e, double value) { s.at(e, components) = value; });
    return s;
  }
  /// The same, to the last bit, of many times at once. @param out  as many
  void steps(std::span<const double> dt, Step* out, bool integral = false) const;

  /// Of an interval at least as long as t.
  const Bend& bend(double t) const {
    int exponent = shortest;
    const bool upper = t > 0 && std::frexp(t, &exponent) > 0.7;
    const int step = std::clamp(2 * exponent - !upper, shortest, longest);
    return bends_[static_cast<std::size_t>(step - shortest)];
  }
  /// What moves any of them, driven by a bias of 1.
  const System<double>& motion() const { return free_; }

 private:
  System<double> free_;
  std::array<double, most_components> largest_c_{};
  double largest_bias_ = 0, largest_theta_ = 0;
  static constexpr int shortest = -80, longest = 80;  // of t: half a power of two each
  std::array<Bend, longest - shortest + 1> bends_;

  Bend bend_of(double t) const {
    constexpr double rounding = 1e-12;
    const Matrix<double>& a = free_.matrix();
    // Largest over the interval: |x_k| <= sum of reach[k][l] |x_l(0)| (and of the bias, for V).
    std::array<std::array<double, most_components>, most_components> reach{};
    double reach_of_bias = 0;
    for (std::size_t k = components; k-- > 0;) {
      const double rate = -a[k][k], time = rate * t > 1 ? 1 / rate : t;
      reach[k][k] = 1;
      for (std::size_t m = k + 1; m < components; ++m) {
        for (std::size_t l = m; l < components; ++l) {
          reach[k][l] += time * std::fabs(a[k][m]) * reach[m][l];
        }
      }
      if (k == 0) reach_of_bias = time;
    }
    // -d2y/dt2 = -c A (A x + b)
    Bend result;
    const double scale = t * t / 8;
    double constant = 0;
    for (std::size_t k = 0; k < components; ++k) {
      double curvature = 0;  // |c A A| of component k
      for (std::size_t i = 0; i < components; ++i) {
        for (std::size_t m = 0; m < components; ++m) {
          curvature += largest_c_[i] * std::fabs(a[i][m] * a[m][k]);
        }
      }
      for (std::size_t l = k; l < components; ++l) {
        result.of[l] += scale * curvature * reach[k][l];
      }
      if (k == 0) constant += curvature * reach_of_bias;
      constant += k == 0 ? largest_c_[0] * std::fabs(a[0][0]) : 0;
    }
    for (std::size_t k = 0; k < components; ++k) result.of[k] += rounding * largest_c_[k];
    result.constant = scale * constant * largest_bias_ + rounding * largest_theta_;
    return result;
  }
};

}  // namespace saltus::linear
