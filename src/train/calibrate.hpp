// SPDX-License-Identifier: Apache-2.0
// First weights that make neurons spike as often as was asked for.
#pragma once

#include "saltus/data.hpp"
#include "saltus/network.hpp"
#include "saltus/task.hpp"

namespace saltus {

/// Scales the weights into the hidden layers, first layer first, until each neuron spikes
/// s.initial_spikes times a sample on average over the first 64 samples: a factor of 2 up or down
/// to where it happens, then bisection in the logarithm.
/// @param network  layers one after the other, which may project onto themselves
/// @throws InvalidInput  too few spikes with a thousand times the weights
template <class Real>
void calibrate(const RunSettings& s, const data::LabelledSpikes& train, Network<Real>& network);

}  // namespace saltus
