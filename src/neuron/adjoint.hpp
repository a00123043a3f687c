// SPDX-License-Identifier: Apache-2.0
// The adjoint of neuron/lif.hpp (docs/theory.md, sections 5, 6 and 8). Backwards in time, with g
// the derivative dl_V/dV of an integral loss:
//
//     tau_mem lambda_V' = -lambda_V - g        tau_syn lambda_I' = -lambda_I + lambda_V
#pragma once

#include <cmath>

#include "neuron/decay.hpp"
#include "neuron/lif.hpp"
#include "neuron/terms.hpp"

namespace saltus::neuron {

template <class Real>
struct Adjoint {
  Real v = 0, i = 0;  // lambda_V, lambda_I
};

/// Takes lambda back over an interval with decay `d`.
template <class Real>
inline Adjoint<Real> flow_back(const TimeConstants& tc, Adjoint<Real> l, Real g,
                               const Decay<Real>& d) {
  const Real a = l.v + g;
  const Real from_v = terms::lambda_v_drives_i ? a * (static_cast<Real>(tc.p) * d.k) : Real(0);
  return {a * d.mem - g, (l.i + g) * d.syn + from_v - g};
}

/// lambda_V just before a spike.
/// @param after    lambda_V just after it (after the release, if refractory; 0 if that lies past T)
/// @param error    E_k
/// @param current  I at the spike; `release_current`: I where V starts to move again
/// @param threshold  where the spike was fired: theta, unless thresholds have noise
template <class Real>
inline Real jump_back(const Lif<Real>& n, Real after, Real error, Real current,
                      Real release_current, Real threshold) {
  const Real bias = terms::bias_in_slope ? n.bias : Real(0);
  const Real before_slope = current + bias - threshold;  // tau_mem dV/dt^-
  const Real after_slope = (terms::release_current ? release_current : current) + bias - n.v_reset;
  return terms::slope_ratio ? (after_slope * after + error) / before_slope
                            : after + error / before_slope;
}

/// What an interval adds to the gradients of the parameters that act all the time.
struct ParameterIntegrals {
  double bias = 0;     // dL/db = -integral of lambda_V
  double tau_mem = 0;  // integral of lambda_V dV/dt
  double tau_syn = 0;  // integral of lambda_I dI/dt
};

/// Closed form over an interval of length dt that starts with (v, i) and ends with lambda = l.
/// In a clamp (V held) pass l.v = g = 0. Convolutions of the two exponentials:
///
///     em*es = tau_mem K,   em*em*es = tau_mem (dt em - tau_mem K)/(p - 1),
///     em*es*es = tau_mem (tau_mem K - dt es)/(p - 1)
inline ParameterIntegrals parameter_integrals(const TimeConstants& tc, double bias, double v,
                                              double i, Adjoint<double> l, double g, double dt) {
  const Decay<double> d = decay<double>(tc, dt);
  const bool endless = std::isinf(dt);
  const double dt_em = endless ? 0 : dt * d.mem, dt_es = endless ? 0 : dt * d.syn;
  const double em_es = tc.tau_mem * d.k;
  const double q = tc.p - 1, r = q * dt / tc.tau_mem;
  double mem_mem_syn = 0, mem_syn_syn = 0;  // divided by tau_mem; endless: all has decayed
  if (!endless && std::fabs(r) > 0.5) {
    mem_mem_syn = (dt_em - em_es) / q;
    mem_syn_syn = (em_es - dt_es) / q;
  } else if (!endless) {
    // (1 - phi)/r and (phi - exp(-r))/r with phi = (1 - exp(-r))/r, as power series.
    double a = 0, b = 0, power = 1, factorial = 1;
    for (int k = 0; k < 20; ++k) {
      factorial *= k + 1;  // (k+1)!
      a += power / (factorial * (k + 2));
      b += power / factorial * (1 - 1.0 / (k + 2));
      power *= -r;
    }
    mem_mem_syn = dt_em * dt / tc.tau_mem * a;
    mem_syn_syn = dt_em * dt / tc.tau_mem * b;
  }
  const double integral_em = tc.tau_mem * (1 - d.mem);
  const double integral_es = tc.tau_syn * (1 - d.syn);
  const double a = l.v + g, b = l.i + g, v0 = v - bias;
  ParameterIntegrals sum;
  sum.bias = -a * integral_em + (g == 0 ? 0 : g * dt);
  // tau_mem dV/dt = -(v0) em + i (es - K); K integrates to integral_es - tau_mem K.
  sum.tau_mem =
      (a * (-v0 * dt_em + i * (em_es - mem_mem_syn)) - g * (-v0 * integral_em + i * em_es)) /
      tc.tau_mem;
  sum.tau_syn = -i / tc.tau_syn * (b * dt_es + a * tc.p * mem_syn_syn - g * integral_es);
  return sum;
}

}  // namespace saltus::neuron
