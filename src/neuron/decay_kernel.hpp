// SPDX-License-Identifier: Apache-2.0
// Decays of many intervals at once: the exponential is dear, and much less so in vectors.
#pragma once

#include <span>

#include "neuron/decay.hpp"

namespace saltus::neuron {

/// neuron::decay of every interval, to the last bit.
/// @param dt   lengths in seconds; may be infinite
/// @param out  as many
void decays(const TimeConstants& tc, std::span<const double> dt, Decay<float>* out);
void decays(const TimeConstants& tc, std::span<const double> dt, Decay<double>* out);

}  // namespace saltus::neuron
