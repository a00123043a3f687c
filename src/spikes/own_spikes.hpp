// SPDX-License-Identifier: Apache-2.0
// The spikes of one sample of a population, neuron by neuron.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "spikes/sample_spikes.hpp"

namespace saltus {

/// The first neuron from j on that has anything, by offsets [neuron + 1]; their number if none has.
inline std::size_t next_with_any(const std::vector<std::size_t>& first, std::size_t j) {
  while (j + 1 < first.size() && first[j] == first[j + 1]) ++j;
  return j;
}

class OwnSpikes {
 public:
  /// @param size  neurons of the population
  void sort(SampleSpikes spikes, std::size_t size) {
    first_.assign(size + 1, 0);
    for (const std::int32_t n : spikes.neurons) ++first_[static_cast<std::size_t>(n) + 1];
    for (std::size_t j = 0; j < size; ++j) first_[j + 1] += first_[j];
    order_.resize(spikes.times.size());
    cursor_.assign(first_.begin(), first_.end() - 1);
    for (std::size_t k = 0; k < order_.size(); ++k) {
      order_[cursor_[static_cast<std::size_t>(spikes.neurons[k])]++] = k;
    }
  }

  /// The numbers, within the sample, of the spikes of neuron j, ascending in time.
  std::span<const std::size_t> of(std::size_t j) const {
    return {order_.data() + first_[j], first_[j + 1] - first_[j]};
  }
  /// The first neuron from j on that has spikes; the number of neurons if there is none.
  std::size_t next(std::size_t j) const { return next_with_any(first_, j); }

 private:
  std::vector<std::size_t> first_, order_, cursor_;
};

}  // namespace saltus
