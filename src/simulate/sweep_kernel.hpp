// SPDX-License-Identifier: Apache-2.0
// The sweep of a layer in vectors (Google Highway, the best instruction set that the machine has).
#pragma once

#include <vector>

#include "simulate/arrivals.hpp"
#include "simulate/plan.hpp"
#include "simulate/sample.hpp"

namespace saltus {

/// Runs all neurons of a population through one sample. All must see the same arrivals, decay alike
/// and not be refractory. To the last bit what simulate/sweep.cpp does neuron by neuron.
/// @param spikes  appended to, neuron by neuron
/// @return  false, and nothing is done, if there are fewer neurons than a tile has lanes
bool sweep_in_vectors(const PopulationPlan<float>& plan, const Arrivals<float>& arrivals,
                      std::size_t size, double end, std::vector<RecordedSpike<float>>& spikes);
bool sweep_in_vectors(const PopulationPlan<double>& plan, const Arrivals<double>& arrivals,
                      std::size_t size, double end, std::vector<RecordedSpike<double>>& spikes);

}  // namespace saltus
