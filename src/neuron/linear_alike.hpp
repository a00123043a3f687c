// SPDX-License-Identifier: Apache-2.0
// Neurons that are linear between events and can go side by side. Most move alike: what takes one from
// arrival to arrival takes all of them. (Biases, thresholds, resets, refractory times may differ.) Those
// that each have time constants of their own move in the same way: each lane has its own numbers.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "machine/aligned.hpp"
#include "machine/slots.hpp"
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

/// What a Step holds, of each of many neurons: numbers side by side, one per slot. Of some intervals.
class OwnSteps {
 public:
  static constexpr std::size_t of_bias = most_components * most_components;
  static constexpr std::size_t of_integral = of_bias + 1;
  static constexpr std::size_t numbers = of_integral + most_components;
  static constexpr std::size_t number(std::size_t to, std::size_t from) {
    return to * most_components + from;
  }
  static std::size_t number(const System<double>::Entry& e, std::size_t components) {
    if (e.of_constant) return of_bias;
    return e.to < components ? number(e.to, e.from) : of_integral + e.from;
  }
  /// How many are found at once: of a few hundred neurons they stay in the cache.
  static constexpr std::size_t intervals = 16;

  void resize(const SlotLayout& layout) {
    stride_ = layout.count() + widest_vector;  // powers of 2 would meet in a few lines of the cache
    values_.reserve(intervals * numbers * stride_);
  }
  /// (number) -> of all slots
  struct Interval {
    double* begin;
    std::size_t stride;

    double* operator()(std::size_t number) const { return begin + number * stride; }
  };
  Interval operator[](std::size_t interval) const {
    return {values_.data() + interval * numbers * stride_, stride_};
  }

 private:
  std::size_t stride_ = 0;
  Aligned<double> values_;
};

/// What the flow of each of many neurons is found from, side by side, where all are found in the same way: the
/// same differences, along the same paths.
class OwnFlows {
 public:
  /// @returns null if they are not
  static std::shared_ptr<const OwnFlows> of(std::span<const Neuron> neurons,
                                            std::size_t components) {
    auto all = std::make_shared<OwnFlows>();
    // Where the bias of one drives it, that of all does.
    const bool biased =
        std::ranges::any_of(neurons, [](const Neuron& n) { return n.free.constant()[0] != 0; });
    System<double> driven;
    for (std::size_t j = 0; j < neurons.size(); ++j) {
      const bool as_it_is = !biased || neurons[j].free.constant()[0] != 0;
      if (!as_it_is) driven = driven_by_ones(neurons[j].free, {1}, components);
      const System<double>& system = as_it_is ? neurons[j].free : driven;
      if (j == 0) all->take_shape(system, neurons.size());
      if (!all->take(j, system)) return nullptr;
    }
    return all;
  }
  /// The differences and paths of all.
  const System<double>& shape() const { return shape_; }
  // Of all neurons.
  const double* rates(std::size_t difference) const { return row(3 * difference); }
  const double* spreads(std::size_t difference) const { return row(3 * difference + 1); }
  const double* per_spreads(std::size_t difference) const { return row(3 * difference + 2); }
  const double* series(std::size_t difference, std::size_t p) const {
    return row(series_[difference] + p);
  }
  const double* factors(std::size_t path) const { return row(factors_ + path); }

 private:
  std::size_t stride_ = 0, factors_ = 0;
  std::vector<std::size_t> series_;  // [difference] the first row
  std::vector<double> numbers_;      // [row, neuron]

  System<double> shape_;

  const double* row(std::size_t number) const { return numbers_.data() + number * stride_; }
  double& at(std::size_t number, std::size_t j) { return numbers_[number * stride_ + j]; }
  void take_shape(const System<double>& system, std::size_t neurons) {
    shape_ = system;
    stride_ = neurons + widest_vector;  // a load may run over the end
    factors_ = 3 * system.differences(dimension).size();
    for (const Difference& d : system.differences(dimension)) {
      series_.push_back(factors_);
      if (d.order > 1) factors_ += Difference::terms;
    }
    numbers_.resize((factors_ + system.paths(dimension).size()) * stride_);
  }
  // @returns  is it of that shape?
  bool take(std::size_t j, const System<double>& system) {
    const auto differences = system.differences(dimension), as = shape_.differences(dimension);
    const auto paths = system.paths(dimension), along = shape_.paths(dimension);
    if (differences.size() != as.size() || paths.size() != along.size()) return false;
    for (std::size_t m = 0; m < as.size(); ++m) {
      const Difference& d = differences[m];
      const bool same = d.order == as[m].order && d.last == as[m].last &&
                        d.without_first == as[m].without_first &&
                        d.without_last == as[m].without_last;
      if (!same) return false;
      at(3 * m, j) = d.rate;
      at(3 * m + 1, j) = d.spread;
      at(3 * m + 2, j) = d.per_spread;
      for (std::size_t p = 0; d.order > 1 && p < Difference::terms; ++p) {
        at(series_[m] + p, j) = d.series[p];
      }
    }
    for (std::size_t k = 0; k < along.size(); ++k) {
      const auto& path = paths[k];
      if (path.entry != along[k].entry || path.difference != along[k].difference) return false;
      at(factors_ + k, j) = path.factor;
    }
    return true;
  }
};

/// y = c.x - theta rises above the higher of its values at the two ends of an interval by at most
/// bend . |x| + constant: by a parabola of the largest -d2y/dt2, and by rounding.
struct Bend {
  std::array<double, most_components> of{};
  double constant = 0;
};

/// What they share. Of neurons with a motion of their own that is which numbers are 0; those of a and of the
/// receptors are the first one's then.
class Alike {
 public:
  std::size_t components = 0;
  std::array<Vector<double>, most_receptors> receptors{}, slopes_of_receptors{};  // e, A e
  ReceptorOf receptor_of;
  bool refractory = false;                   // is any?
  std::array<bool, most_components> in_c{};  // which components the threshold looks at
  bool plain_v = true;                       // c_V = 1

  /// None if the vectors do not know their shape: a component that depends on one before it, as where two
  /// oscillate; a constant that drives another one than V, or more than V that is held; weights
  /// that drive several components of each neuron in its own way.
  static std::optional<Alike> of(std::span<const Neuron> neurons) {
    const Neuron& first = neurons[0];
    Alike all;
    all.components = first.last;
    all.receptors = first.receptors;
    all.receptor_of = first.receptor_of;
    const Matrix<double>& a = first.free.matrix();
    all.slowest_.fill(std::numeric_limits<double>::infinity());
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
      if (n.jumps != first.jumps || n.free.pair()) return {};
      if (n.free.matrix() != a || n.receptors != first.receptors) all.own_ = true;
      if (!all.take_motion(n, a)) return {};
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
    for (const Vector<double>& e : first.receptors) {
      const auto zeros = std::count(e.begin(), e.end(), 0.0);
      if (all.own_ && zeros < static_cast<std::ptrdiff_t>(dimension) - 1) return {};
    }
    all.free_ = driven_by_ones(first.free, {1}, all.components);
    if (all.own_) all.own_flows_ = OwnFlows::of(neurons, all.components);
    for (int k = shortest; k <= longest; ++k) {
      all.bends_[static_cast<std::size_t>(k - shortest)] = all.bend_of(std::exp2(0.5 * k));
    }
    return all;
  }

  /// Does each have a motion of its own? Then there is no step, or motion, of all.
  bool own() const { return own_; }
  /// Is what moves them over one interval found side by side?
  bool flows_side_by_side() const { return !own_ || own_flows_ != nullptr; }

  /// @param integral  is its row asked for?
  Step step(double t, bool integral = false) const { return step(free_, t, integral); }
  /// The same of one with a motion of its own.
  Step step(const System<double>& free, double t, bool integral = false) const {
    Step s;
    using Entry = System<double>::Entry;
    free.for_each_entry(
        t, integral ? dimension : most_components,
        [this](const Entry& e) { return Step::holds(e, components); },
        [&](const Entry& e, double value) { s.at(e, components) = value; });
    return s;
  }
  /// The same, to the last bit, of many times at once. @param out  as many
  void steps(std::span<const double> dt, Step* out, bool integral = false) const;
  /// What System::flow does, to the last bit, of neurons with a motion of their own.
  /// @param neurons  all @param first  that of the first slot @param dt  at most OwnSteps::intervals
  void own_steps(std::span<const Neuron> neurons, std::size_t first, const SlotLayout& layout,
                 std::span<const double> dt, OwnSteps& out, bool integral = false) const;

  /// Of an interval at least as long as t.
  const Bend& bend(double t) const {
    int exponent = shortest;
    const bool upper = t > 0 && std::frexp(t, &exponent) > 0.7;
    const int step = std::clamp(2 * exponent - !upper, shortest, longest);
    return bends_[static_cast<std::size_t>(step - shortest)];
  }
  /// What moves any of those that move alike, driven by a bias of 1.
  const System<double>& motion() const { return free_; }

 private:
  System<double> free_;
  bool own_ = false;
  std::shared_ptr<const OwnFlows> own_flows_;  // if they are found in the same way
  // Of any: |a|, the rate of a component's decay, |c|.
  std::array<std::array<double, most_components>, most_components> largest_{};
  std::array<double, most_components> slowest_{}, largest_c_{};
  double largest_bias_ = 0, largest_theta_ = 0;
  static constexpr int shortest = -80, longest = 80;  // of t: half a power of two each
  std::array<Bend, longest - shortest + 1> bends_;

  // @returns  is it of the shape of a neuron with this matrix?
  bool take_motion(const Neuron& n, const Matrix<double>& shape) {
    const Matrix<double>& a = n.free.matrix();
    for (std::size_t k = 0; k < components; ++k) {
      slowest_[k] = std::min(slowest_[k], -a[k][k]);
      for (std::size_t l = 0; l < components; ++l) {
        if ((a[k][l] == 0) != (shape[k][l] == 0)) return false;
        largest_[k][l] = std::max(largest_[k][l], std::fabs(a[k][l]));
      }
      for (std::size_t r = 0; r < most_receptors; ++r) {
        if ((n.receptors[r][k] == 0) != (receptors[r][k] == 0)) return false;
      }
    }
    return true;
  }
  Bend bend_of(double t) const {
    constexpr double rounding = 1e-12;
    // Largest over the interval: |x_k| <= sum of reach[k][l] |x_l(0)| (and of the bias, for V).
    std::array<std::array<double, most_components>, most_components> reach{};
    double reach_of_bias = 0;
    for (std::size_t k = components; k-- > 0;) {
      const double rate = slowest_[k], time = rate * t > 1 ? 1 / rate : t;
      reach[k][k] = 1;
      for (std::size_t m = k + 1; m < components; ++m) {
        for (std::size_t l = m; l < components; ++l) {
          reach[k][l] += time * largest_[k][m] * reach[m][l];
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
          curvature += largest_c_[i] * (largest_[i][m] * largest_[m][k]);
        }
      }
      for (std::size_t l = k; l < components; ++l) {
        result.of[l] += scale * curvature * reach[k][l];
      }
      if (k == 0) constant += curvature * reach_of_bias;
      constant += k == 0 ? largest_c_[0] * largest_[0][0] : 0;
    }
    for (std::size_t k = 0; k < components; ++k) result.of[k] += rounding * largest_c_[k];
    result.constant = scale * constant * largest_bias_ + rounding * largest_theta_;
    return result;
  }
};

}  // namespace saltus::linear
