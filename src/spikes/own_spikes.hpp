// SPDX-License-Identifier: Apache-2.0
// The spikes of one sample of a population, neuron by neuron.
#pragma once

#include <span>

#include "machine/buckets.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

class OwnSpikes {
 public:
  /// @param size  neurons of the population
  void sort(SampleSpikes spikes, std::size_t size) { by_neuron_.sort(spikes.neurons, size); }

  /// The numbers, within the sample, of the spikes of neuron j, ascending in time.
  std::span<const std::size_t> of(std::size_t j) const { return by_neuron_.of(j); }
  /// The first neuron from j on that has spikes; the number of neurons if there is none.
  std::size_t next(std::size_t j) const { return by_neuron_.next(j); }

 private:
  Buckets by_neuron_;
};

}  // namespace saltus
