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

}  // namespace saltus::neuron
