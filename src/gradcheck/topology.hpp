// SPDX-License-Identifier: Apache-2.0
// Which branch of the piecewise smooth loss a simulation lies on: the order of events at every
// neuron and the place of every maximum. A difference between two branches says nothing about a
// derivative.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "gradcheck/random_case.hpp"

namespace saltus::gradcheck {

/// What a check met: counts go beside its verdict.
struct Census {
  std::size_t spikes = 0, multi_spike_neurons = 0, kink_maxima = 0, interior_maxima = 0;
  std::size_t end_maxima = 0, silent_maxima = 0;  // silent: of LIF neurons that do not spike
  std::size_t linear_spikes = 0;                  // of models other than LIF
  std::size_t refractory_arrivals = 0, negative_weights = 0, zero_delay_cycles = 0;
  std::size_t listed_synapses = 0, shared_weights = 0;  // not all to all; of several synapses
  std::map<std::string, std::size_t> losses;            // networks of each
  double flattest_spike = 1e300;                        // smallest tau_mem dV/dt at a spike

  void add(const Census& other);
};

/// Equal numbers: the same branch.
std::uint64_t topology(const Case& c, const Network<double>& network,
                       const std::vector<Spikes>& inputs, const Evaluation& e,
                       Census* census = nullptr);

}  // namespace saltus::gradcheck
