// SPDX-License-Identifier: Apache-2.0
// The spikes of one sample handed out to the neurons that they reach, where a projection does not
// reach all: as many steps as there are synaptic events.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "saltus/connection.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

struct Delivery {
  std::int32_t spike;    // number within the source's sample
  std::int32_t synapse;  // its place in the list of synapses
};

class Deliveries {
 public:
  void start(const SynapseList& synapses, SampleSpikes spikes) {
    first_.assign(synapses.targets() + 2, 0);
    for (const std::int32_t pre : spikes.neurons) {
      for (const std::int32_t place : synapses.from(static_cast<std::size_t>(pre))) {
        ++first_[target(synapses, place) + 2];
      }
    }
    for (std::size_t j = 2; j < first_.size(); ++j) first_[j] += first_[j - 1];
    list_.resize(first_.back());
    for (std::size_t k = 0; k < spikes.neurons.size(); ++k) {
      for (const std::int32_t place : synapses.from(static_cast<std::size_t>(spikes.neurons[k]))) {
        // first_[j + 1] runs from where those of j begin to where they end.
        list_[first_[target(synapses, place) + 1]++] = {static_cast<std::int32_t>(k), place};
      }
    }
  }
  /// Those to a neuron, in the order of the spikes.
  std::span<const Delivery> to(std::size_t neuron) const {
    return {list_.data() + first_[neuron], first_[neuron + 1] - first_[neuron]};
  }

 private:
  std::vector<std::size_t> first_;
  std::vector<Delivery> list_;

  static std::size_t target(const SynapseList& synapses, std::int32_t place) {
    return static_cast<std::size_t>(synapses[static_cast<std::size_t>(place)].post);
  }
};

}  // namespace saltus
