// SPDX-License-Identifier: Apache-2.0
// How V and I depend on the neuron's own time constants and bias (docs/theory.md, section 6): their
// derivatives obey the neuron's own equation, and flow with it from event to event. They start from
// 0 at each of its spikes: what a parameter does to V and I up to a spike is known there.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <span>

#include "neuron/decay.hpp"

namespace saltus::neuron {

/// The derivatives of an interval's Decay by the time constants.
template <class Real>
struct DecaySlopes {
  Real mem_mem;  // of exp(-dt / tau_mem) by tau_mem
  Real syn_syn;  // of exp(-dt / tau_syn) by tau_syn
  Real k_mem, k_syn;
};

/// Coefficients of the sums below.
struct ConvolutionSeries {
  static constexpr std::size_t terms = 14;
  std::array<double, terms> a{}, b{};

  constexpr ConvolutionSeries() {
    double factorial = 1;  // k!
    for (std::size_t k = 0; k < terms; ++k) {
      const double next = static_cast<double>(k + 1);
      a[k] = 1 / (factorial * next * (next + 1));
      b[k] = 1 / (factorial * (next + 1));
      factorial *= next;
    }
  }
};

/// em*em*es and em*es*es, each divided by tau_mem: convolutions of em = exp(-dt / tau_mem) and
/// es = exp(-dt / tau_syn).
struct Convolutions {
  double mem_mem_syn = 0, mem_syn_syn = 0;
};

/// Closed forms of them,
///
///     em*es = tau_mem K,   em*em*es = tau_mem (dt em - tau_mem K)/(p - 1),
///     em*es*es = tau_mem (tau_mem K - dt es)/(p - 1),
///
/// which lose digits where r = (p - 1) dt / tau_mem is small. There they are dt^2 em / tau_mem times
/// sums over k of (-r)^k / ((k + 1)! (k + 2)) and (-r)^k / (k! (k + 2)).
inline Convolutions convolutions(const TimeConstants& tc, const Decay<double>& d, double dt) {
  if (std::isinf(dt)) return {};  // all has decayed
  const double q = tc.p - 1, r = q * dt / tc.tau_mem;
  const double dt_mem = dt * d.mem, dt_syn = dt * d.syn, mem_syn = tc.tau_mem * d.k;
  if (std::fabs(r) > 0.5) return {(dt_mem - mem_syn) / q, (mem_syn - dt_syn) / q};
  constexpr ConvolutionSeries series;
  double a = 0, b = 0;
  for (std::size_t k = ConvolutionSeries::terms; k-- > 0;) {
    a = a * -r + series.a[k];
    b = b * -r + series.b[k];
  }
  const double scale = dt_mem * dt / tc.tau_mem;
  return {scale * a, scale * b};
}

/// @param d  decay(tc, dt)
inline DecaySlopes<double> slopes(const TimeConstants& tc, const Decay<double>& d, double dt) {
  if (std::isinf(dt)) return {};
  const auto [mem_mem_syn, mem_syn_syn] = convolutions(tc, d, dt);
  const double mem2 = tc.tau_mem * tc.tau_mem, syn2 = tc.tau_syn * tc.tau_syn;
  return {dt / mem2 * d.mem, dt / syn2 * d.syn, mem_mem_syn / mem2 - d.k / tc.tau_mem,
          mem_syn_syn / syn2};
}

/// The same of many intervals at once, to the last bit: neuron/slopes_kernel.cpp.
/// @param d, out  as many as dt
void slopes(const TimeConstants& tc, std::span<const double> dt, const Decay<double>* d,
            DecaySlopes<double>* out);

/// V and I of a neuron with their derivatives by tau_mem and tau_syn. (I does not depend on
/// tau_mem; by the bias the derivative of V is 1 - exp(-t / tau_mem) since it began to move.)
template <class Real>
struct Tangent {
  Real v = 0, i = 0;
  Real v_mem = 0;
  Real v_syn = 0, i_syn = 0;
};

/// Lets it decay over an interval without an event.
template <class Real>
inline void flow(Tangent<Real>& x, Real bias, const Decay<Real>& d, const DecaySlopes<Real>& s) {
  const Real above = x.v - bias;
  x.v_mem = x.v_mem * d.mem + above * s.mem_mem + x.i * s.k_mem;
  x.v_syn = x.v_syn * d.mem + x.i_syn * d.k + x.i * s.k_syn;
  x.i_syn = x.i_syn * d.syn + x.i * s.syn_syn;
  x.v = bias + above * d.mem + x.i * d.k;
  x.i *= d.syn;
}

/// The same over dt seconds.
inline void flow(Tangent<double>& x, const TimeConstants& tc, double bias, double dt) {
  const auto d = decay<double>(tc, dt);
  flow(x, bias, d, slopes(tc, d, dt));
}

}  // namespace saltus::neuron
