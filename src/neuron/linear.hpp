// SPDX-License-Identifier: Apache-2.0
// Any neuron that is linear between events (docs/theory.md, section 14), ready to run. All in double,
// whatever the network's type. The state has one more component than the model says, the integral of
// V: a loss of it is then one of the state like any other.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "neuron/linear_flow.hpp"
#include "neuron/linear_turns.hpp"

namespace saltus::linear {

/// Which receptor a projection drives.
struct ReceptorOf {
  std::shared_ptr<const std::vector<std::uint8_t>>
      by_projection;  // its number; null: all the first

  std::size_t operator()(std::int32_t projection) const {
    return by_projection ? (*by_projection)[static_cast<std::size_t>(projection)] : 0;
  }
};

/// Less than what rounding may do to a sum of times, as on a grid.
inline constexpr double less_rounding = 1 - 4 * std::numeric_limits<double>::epsilon();

/// A neuron as its model says it, ready to run.
template <class T>
struct Motion {
  // held: V, and what else is, stays where it is, whatever arrives. Of a neuron that has a refractory time
  System<T> free, held;
  std::array<Vector<T>, most_receptors> receptors{};
  ReceptorOf receptor_of;
  Vector<T> c{};
  T theta{};
  Matrix<T> reset{};
  Vector<T> reset_to{}, initial{};
  T tau_ref{};
  std::array<bool, most_components> holds{};  // which are held
  bool jumps =
      false;  // an arrival can lift y over 0 at once: it spikes at the very time of the arrival

  Motion() = default;
  Motion(const LinearNeuron<T>& n, std::size_t components)
      : theta(n.theta), tau_ref(n.tau_ref), holds(n.held) {
    Matrix<T> a{};
    Vector<T> b{};
    for (std::size_t k = 0; k < most_components; ++k) {
      b[k] = n.b[k];
      for (std::size_t r = 0; r < most_receptors; ++r) receptors[r][k] = n.receptors[r][k];
      c[k] = n.c[k];
      reset_to[k] = n.reset_to[k];
      initial[k] = n.initial[k];
      for (std::size_t l = 0; l < most_components; ++l) {
        a[k][l] = n.a[k][l];
        reset[k][l] = n.reset[k][l];
      }
    }
    a[integral_of_v][0] = T(1);
    reset[integral_of_v][integral_of_v] = T(1);
    free = System<T>(a, b, components);
    if (number(tau_ref) > 0) {
      for (std::size_t k = 0; k < most_components; ++k) {
        if (!holds[k]) continue;
        a[k] = {};
        b[k] = T(0);
      }
      held = System<T>(a, b, components);
    }
    for (const Vector<T>& e : receptors) jumps = jumps || number(dot(c, e)) != 0;
  }
  const System<T>& system(bool is_held) const { return is_held ? held : free; }
  /// When V moves again after a spike. Where an arrival moves V, one that is held loses it: an arrival
  /// meant for that very time, as on a grid, must not lie before it by rounding.
  double release_after(double time) const {
    const double release = time + number(tau_ref);
    return jumps ? std::max(time, release * less_rounding) : release;
  }
  /// An arrival.
  void receive(Vector<T>& x, std::int32_t projection, double weight, bool is_held) const {
    const Vector<T>& e = receptors[receptor_of(projection)];
    if (!is_held) return add(x, e, weight);
    const Vector<T> before = x;
    add(x, e, weight);
    for (std::size_t k = 0; k < most_components; ++k) {
      if (holds[k]) x[k] = before[k];
    }
  }
  bool is_below(const Vector<T>& x) const { return number(dot(c, x)) <= number(theta); }
  Vector<T> after_spike(const Vector<T>& before) const {
    Vector<T> x = product(reset, before);
    add(x, reset_to, 1.0);
    return x;
  }
};

struct Neuron : Motion<double> {
  System<double> free_back, held_back;  // of p = dL/dx, backwards: dp/dt = a^T p
  std::size_t last;                     // of `chain`
  bool spikes = false;
  // How y = c.x - theta moves (docs/theory.md, section 14): chain[0] is y, chain[k + 1] is
  // d chain[k]/dt + rates[k] chain[k], which has an exponential less; chain[last] has but one, or the
  // pair that oscillates.
  std::array<Functional, dimension + 1> chain;
  std::array<double, dimension + 1> rates{};
  std::optional<Turns> turns;  // if it oscillates

  Neuron(const LinearNeuron<double>& n, std::size_t components, bool may_spike)
      : Motion<double>(n, components),
        free_back(free.back(components)),
        held_back(tau_ref > 0 ? held.back(components) : System<double>()),
        spikes(may_spike) {
    const std::optional<Pair<double>>& pair = free.pair();
    last = 0;
    for (std::size_t k = 0; k < components; ++k) {
      if (!pair || !pair->has(k)) rates[last++] = -free.matrix()[k][k];
    }
    std::sort(rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(last), std::greater<>());
    rates[last] = 0;  // of the constant
    if (pair) ++last;
    chain[0] = {c, -theta};
    const Matrix<double> back = transposed(free.matrix());
    for (std::size_t k = 0; k < last; ++k) {
      chain[k + 1] = {product(back, chain[k].v),
                      dot(chain[k].v, free.constant()) + rates[k] * chain[k].constant};
      add(chain[k + 1].v, chain[k].v, rates[k]);
    }
    if (pair) {
      turns = Turns(free, components, chain[last], chain[0], settling_time());
      return;
    }
    // What is left is a constant. That of x only rounds to 0, and where the constant is 0 too (the bias is
    // the threshold, or nothing leaks) its sign would depend on x.
    chain[last].v = {};
  }

  /// How far y is above 0.
  double above(const Vector<double>& x) const { return chain[0](x); }
  /// Does y start above 0 at x, or leave it upwards? Then nothing crosses it from below.
  bool starts_above(const Vector<double>& x) const {
    constexpr int most = 20;  // of derivatives
    double y = above(x);
    if (y != 0) return y > 0;
    Vector<double> moves = free.slope(x);
    for (int k = 0; y == 0 && k < most; ++k) {
      y = dot(c, moves);
      moves = product(free.matrix(), moves);
    }
    return y > 0;
  }
  /// What an arrival of weight 1 does to x.
  Vector<double> kick(std::int32_t projection, bool is_held) const {
    Vector<double> e = receptors[receptor_of(projection)];
    for (std::size_t k = 0; is_held && k < most_components; ++k) {
      if (holds[k]) e[k] = 0;
    }
    return e;
  }
  double slope_above(const Vector<double>& x) const { return dot(c, free.slope(x)); }
  /// When all that decays has, to the last digit; infinite if something does not.
  double settling_time() const {
    const std::optional<Pair<double>>& pair = free.pair();
    const std::size_t real = pair ? last - 1 : last;
    double slowest = pair ? pair->decay : rates[0];
    for (std::size_t k = 0; k < real; ++k) slowest = std::min(slowest, rates[k]);
    return slowest > 0 ? 745 / slowest : std::numeric_limits<double>::infinity();
  }
};

/// Rates may lie so far apart: beyond, rounding hides how V moves next to what decays, and with it
/// spikes.
inline constexpr double widest = 1e12;

/// Do the rates of decay lie further apart than that?
inline bool is_too_wide(const LinearNeuron<double>& n) {
  double slowest = std::numeric_limits<double>::infinity(), fastest = 0;
  const auto pair = pair_of<double>(n.a);
  for (std::size_t k = 0; k < most_components; ++k) {
    const double rate = pair && pair->has(k) ? pair->rate().size() : std::fabs(n.a[k][k]);
    if (rate > 0) slowest = std::min(slowest, rate);
    fastest = std::max(fastest, rate);
  }
  return !(fastest == 0 || fastest <= widest * slowest);
}

/// Does a component grow by itself?
inline bool grows(const LinearNeuron<double>& n) {
  for (std::size_t k = 0; k < most_components; ++k) {
    if (!(n.a[k][k] <= 0)) return true;
  }
  return false;
}

/// Does a component act on itself through others, in another way than as one of two that oscillate?
inline bool has_circle(const LinearNeuron<double>& n) {
  auto reaches = n.a;
  for (std::size_t k = 0; k < most_components; ++k) reaches[k][k] = 0;
  for (std::size_t via = 0; via < most_components; ++via) {
    for (std::size_t k = 0; k < most_components; ++k) {
      for (std::size_t l = 0; l < most_components; ++l) {
        if (reaches[k][via] != 0 && reaches[via][l] != 0) reaches[k][l] = 1;
      }
    }
  }
  const auto pair = pair_of<double>(n.a);
  for (std::size_t k = 0; k < most_components; ++k) {
    for (std::size_t l = 0; l < most_components; ++l) {
      const bool paired = pair && pair->has(k) && pair->has(l);
      if (!paired && reaches[k][l] != 0 && reaches[l][k] != 0) return true;
    }
  }
  return false;
}

}  // namespace saltus::linear
