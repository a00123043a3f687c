// SPDX-License-Identifier: Apache-2.0
// Decays of many intervals at once: the exponential is dear, and much less so in vectors.
#pragma once

#include <span>

#include "neuron/decay.hpp"
#include "neuron/own_decay.hpp"

namespace saltus::neuron {

/// neuron/decay_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct DecayKernels {
  void (*decays)(const TimeConstants& tc, std::span<const double> dt, Decay<Real>* out);
  void (*own_decays)(const OwnTimeConstants<Real>& c, std::span<const double> dt, Decay<Real>* out);

  static const DecayKernels& best();
};

/// neuron::decay of every interval, to the last bit.
/// @param dt   lengths in seconds; may be infinite
/// @param out  as many
template <class Real>
void decays(const TimeConstants& tc, std::span<const double> dt, Decay<Real>* out) {
  DecayKernels<Real>::best().decays(tc, dt, out);
}

/// The same of neuron::own_decay.
template <class Real>
void own_decays(const OwnTimeConstants<Real>& c, std::span<const double> dt, Decay<Real>* out) {
  DecayKernels<Real>::best().own_decays(c, dt, out);
}

}  // namespace saltus::neuron
