// SPDX-License-Identifier: Apache-2.0
// Decays of many intervals at once: the exponential is dear, and much less so in vectors.
#pragma once

#include <span>

#include "neuron/decay.hpp"

namespace saltus::neuron {

/// neuron/decay_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct DecayKernels {
  /// For a whole-numbered ratio of time constants.
  void (*decays)(const TimeConstants& tc, std::span<const double> dt, Decay<Real>* out);

  static const DecayKernels& best();
};

/// neuron::decay of every interval, to the last bit.
/// @param dt   lengths in seconds; may be infinite
/// @param out  as many
template <class Real>
void decays(const TimeConstants& tc, std::span<const double> dt, Decay<Real>* out) {
  if (tc.integer_p) return DecayKernels<Real>::best().decays(tc, dt, out);
  for (std::size_t k = 0; k < dt.size(); ++k) out[k] = decay<Real>(tc, dt[k]);
}

}  // namespace saltus::neuron
