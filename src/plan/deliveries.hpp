// SPDX-License-Identifier: Apache-2.0
// The spikes of one sample handed out to the neurons that they reach, where a projection does not
// reach all: as many steps as there are synaptic events.
#pragma once

#include <algorithm>
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

/// Some neurons of a population, one after the other.
struct Neurons {
  std::size_t begin = 0, end = static_cast<std::size_t>(-1);
};

class Deliveries {
 public:
  /// @param targets  those that are asked for later
  void start(const SynapseList& synapses, SampleSpikes spikes, Neurons targets) {
    begin_ = targets.begin;
    const std::size_t end = std::min(targets.end, synapses.targets());
    const auto low = static_cast<std::int32_t>(synapses.first_into(begin_));
    const auto high = static_cast<std::int32_t>(synapses.first_into(end));
    const auto reached = [&](std::int32_t pre) {
      const auto all = synapses.from(static_cast<std::size_t>(pre));
      const auto first = std::lower_bound(all.begin(), all.end(), low);
      return std::span(first, std::lower_bound(first, all.end(), high));
    };
    first_.assign(end - begin_ + 2, 0);
    for (const std::int32_t pre : spikes.neurons) {
      for (const std::int32_t place : reached(pre)) ++first_[target(synapses, place) + 2];
    }
    for (std::size_t j = 2; j < first_.size(); ++j) first_[j] += first_[j - 1];
    list_.resize(first_.back());
    for (std::size_t k = 0; k < spikes.neurons.size(); ++k) {
      for (const std::int32_t place : reached(spikes.neurons[k])) {
        // first_[j + 1] runs from where those of j begin to where they end.
        list_[first_[target(synapses, place) + 1]++] = {static_cast<std::int32_t>(k), place};
      }
    }
  }
  /// Those to a neuron, in the order of the spikes.
  std::span<const Delivery> to(std::size_t neuron) const {
    const std::size_t j = neuron - begin_;
    return {list_.data() + first_[j], first_[j + 1] - first_[j]};
  }

 private:
  std::size_t begin_ = 0;
  std::vector<std::size_t> first_;
  std::vector<Delivery> list_;

  std::size_t target(const SynapseList& synapses, std::int32_t place) const {
    return static_cast<std::size_t>(synapses[place].post) - begin_;
  }
};

}  // namespace saltus
