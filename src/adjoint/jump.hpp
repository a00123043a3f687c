// SPDX-License-Identifier: Apache-2.0
// lambda at a spike of its own neuron (docs/theory.md, sections 5 and 8), in both ways of the
// dynamics.
#pragma once

#include <algorithm>

#include "adjoint/dynamics.hpp"

namespace saltus {

/// Takes lambda_V back over spike k and books what the jump adds to the gradients.
/// @param after  lambda_V where V starts to move again after the spike; 0 if that lies past the end
/// @param error  what arrives elsewhere: E_k without the loss's own jump
template <class Real>
Real jump_over_spike(const PopulationAdjoint<Real>& p, std::size_t k, Real after, double error,
                     JumpSums& sums) {
  const auto j = static_cast<std::size_t>(p.neurons[k]);
  const auto& n = p.plan.neuron(j);
  const Real g = p.source(j);
  if (terms::loss_jump) error += g * (p.threshold(k) - n.v_reset);
  if (!terms::release_lambda && n.tau_ref > 0) after = 0;
  const Real before = neuron::jump_back(n, after, static_cast<Real>(error), p.currents[k],
                                        p.release_current(k), p.threshold(k));
  const double held = std::min(p.times[k] + n.tau_ref, p.end) - p.times[k];
  if (terms::threshold_sum) sums.v_threshold += n.tc.tau_mem * static_cast<double>(before);
  if (terms::reset_sum) sums.v_reset -= n.tc.tau_mem * static_cast<double>(after);
  if (terms::clamp_reset && g != 0) sums.v_reset += static_cast<double>(g) * held;
  if (terms::tau_ref_sum) {
    sums.tau_ref += static_cast<double>((p.release_current(k) + n.bias - n.v_reset) * after);
  }
  return before;
}

/// What the release of spike k, of before the sample, adds to the gradients.
/// @param after  as for jump_over_spike()
/// @returns  dL/dt of the spike, with which the release moves
template <class Real>
double release_of_past(const PopulationAdjoint<Real>& p, std::size_t k, double after,
                       JumpSums& sums) {
  const auto j = static_cast<std::size_t>(p.neurons[k]);
  const auto& n = p.plan.neuron(j);
  const double moved = static_cast<double>(p.release_current(k) + n.bias - n.v_reset) * after;
  const double g = p.source(j), release = std::min(p.times[k] + n.tau_ref, p.end);
  if (terms::reset_sum) sums.v_reset -= n.tc.tau_mem * after;
  if (terms::clamp_reset && g != 0) sums.v_reset += g * release;
  if (terms::tau_ref_sum) sums.tau_ref += moved;
  return terms::past_release ? moved : 0;
}

}  // namespace saltus
