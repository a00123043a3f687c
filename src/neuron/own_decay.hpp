// SPDX-License-Identifier: Apache-2.0
// The decay of an interval where each neuron has time constants of its own: in the precision of the
// loops, so that a vector of neurons costs two exponentials (neuron/lif-inl.hpp), and one by one the
// same bits. With q = p - 1 and e = expm1(-|q| dt / tau_mem)
//
//     K = -(the slower of the two exponentials) e / |q|
//
// for every ratio of time constants, equal ones too: there |q| is as good as 0. The faster one is the
// slower one times 1 + e: rounded as the slower one is, which is all that V and I can tell. Only
// where the synapse is slower the end slope divides by it, and it is computed by itself.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "machine/slots.hpp"
#include "neuron/decay.hpp"

namespace saltus::neuron {

template <class Real>
struct OwnTimeConstants {
  Real rate_mem, rate_syn;  // 1/tau
  Real gap, per_q;          // |q| / tau_mem, 1/|q|
  Real p, t_peak, k_peak, end_slope, tau_syn;

  explicit OwnTimeConstants(const TimeConstants& tc) {
    constexpr double lowest = std::numeric_limits<Real>::lowest();
    const double q = std::max(std::fabs(tc.p - 1), 1e-18);
    rate_mem = static_cast<Real>(1 / tc.tau_mem);
    rate_syn = static_cast<Real>(1 / tc.tau_syn);
    gap = static_cast<Real>(q / tc.tau_mem);
    per_q = static_cast<Real>(1 / q);
    p = static_cast<Real>(tc.p);
    t_peak = static_cast<Real>(tc.t_peak);
    k_peak = static_cast<Real>(tc.k_peak);
    end_slope = static_cast<Real>(std::max(tc.end_slope_at_infinity(), lowest));
    tau_syn = static_cast<Real>(tc.tau_syn);
  }
};

// Most intervals are short, and five terms of the series are then all that float32 can tell: half of
// the work. (A double would need ten.)
template <class Real>
inline constexpr Real short_interval = sizeof(Real) == sizeof(float) ? Real(0.125) : Real(0);

/// (1 - exp(-x)) / x for x < short_interval.
template <class Real>
inline Real short_decline(Real x) {
  Real sum = 1;
  for (const int k : {5, 4, 3, 2}) sum = 1 - x * (sum * (Real(1) / static_cast<Real>(k)));
  return sum;
}
/// exp(-x), exp(-x) - 1.
template <class Real>
inline Real decay_by(Real x) {
  return x < short_interval<Real> ? 1 - x * short_decline(x) : exponential(-x);
}
template <class Real>
inline Real decay_by_less_one(Real x) {
  return x < short_interval<Real> ? -(x * short_decline(x)) : exponential_less_one(-x);
}

/// @param seconds  length of the interval; may be infinite
template <class Real>
inline Decay<Real> own_decay(const OwnTimeConstants<Real>& c, double seconds) {
  const Real dt = static_cast<Real>(seconds);
  const Real mem = decay_by(dt * c.rate_mem);
  const Real e = decay_by_less_one(dt * c.gap), h = e * c.per_q;
  Real syn = mem + mem * e, slow = mem, slope = 1 + c.p * h;
  if (c.p < 1) {
    slow = syn = decay_by(dt * c.rate_syn);
    slope = mem >= std::numeric_limits<Real>::min() ? 1 + c.p * (slow * h) / mem : c.end_slope;
    slope = std::max(slope, std::numeric_limits<Real>::lowest());
  }
  const Real k = -(slow * h);
  return {mem, syn, k, dt < c.t_peak ? k : c.k_peak, slope};
}

/// The time constants of some neurons, side by side. Memory is kept.
template <class Real>
class LaneConstants {
 public:
  Slots<Real, 9> slots;
  bool any_slow = false;  // a synapse slower than its membrane
  Real *rate_mem, *rate_syn, *gap, *per_q, *p, *t_peak, *k_peak, *end_slope, *tau_syn;

  /// @param neurons  Lif, one for all or one each: those from `first` on are taken
  template <class Neuron>
  void start(const std::vector<Neuron>& neurons, std::size_t first, std::size_t width) {
    slots.resize(width);
    std::size_t array = 0;
    for (Real** x :
         {&rate_mem, &rate_syn, &gap, &per_q, &p, &t_peak, &k_peak, &end_slope, &tau_syn})
      *x = slots[array++];
    const SlotLayout& layout = slots.layout();
    any_slow = false;
    for (std::size_t s = 0; s < layout.count(); ++s) {
      const std::size_t neuron = first + std::min(layout.neuron(s), width - 1);
      const OwnTimeConstants<Real>& c = neurons[neurons.size() == 1 ? 0 : neuron].own;
      rate_mem[s] = c.rate_mem;
      rate_syn[s] = c.rate_syn;
      gap[s] = c.gap;
      per_q[s] = c.per_q;
      p[s] = c.p;
      t_peak[s] = c.t_peak;
      k_peak[s] = c.k_peak;
      end_slope[s] = c.end_slope;
      tau_syn[s] = c.tau_syn;
      any_slow = any_slow || c.p < 1;
    }
  }
};

}  // namespace saltus::neuron
