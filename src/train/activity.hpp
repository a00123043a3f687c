// SPDX-License-Identifier: Apache-2.0
// What the neurons of a network did in the records of many minibatches.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

#include "saltus/loss.hpp"
#include "saltus/network.hpp"
#include "saltus/simulate.hpp"
#include "saltus/train.hpp"

namespace saltus {

/// Samples in which no output says anything.
template <class Real>
std::size_t silent_samples(const LossResult<Real>& result) {
  return static_cast<std::size_t>(std::ranges::count(result.predictions, -1));
}

/// Counts in the state of an epoch: spikes of the populations that are no outputs, spikes of LIF that
/// graze the threshold, and in how many samples each neuron spiked.
template <class Real>
class Activity {
 public:
  static constexpr double grazing = 0.1;  ///< tau_mem dV/dt at a spike

  Activity(const Network<Real>& network, const Loss<Real>& loss, EpochState& counts)
      : counts_(&counts) {
    for (std::size_t p = 0; p < network.populations().size(); ++p) {
      output_.push_back(loss.is_output(network, p));
      names_.push_back(network.populations()[p].name);
    }
    if (counts.minibatches > 0) return;
    counts.spiked.clear();
    for (const Population& population : network.populations()) {
      counts.spiked.emplace_back(population.fires() ? population.size : 0, 0);
    }
  }

  /// @param counts  those that the record is added to
  void add(const Network<Real>& network, const Record<Real>& record, EpochState& counts) {
    auto& spiked = counts.spiked;
    for (std::size_t p = 0; p < spiked.size(); ++p) {
      const Population& population = network.populations()[p];
      const SpikeRecord<Real>& r = record.populations[p];
      const SpikeView spikes = r.spikes.view();
      if (spiked[p].empty()) continue;
      if (!output_[p]) counts.hidden_spikes += spikes.neurons.size();
      last_.assign(spiked[p].size(), -1);
      for (std::size_t s = 0; s < record.samples; ++s) {
        const auto sample = static_cast<std::ptrdiff_t>(s);
        for (auto k = spikes.offsets[s]; k < spikes.offsets[s + 1]; ++k) {
          const auto n = static_cast<std::size_t>(spikes.neurons[static_cast<std::size_t>(k)]);
          spiked[p][n] += last_[n] != sample;
          last_[n] = sample;
        }
      }
      if (population.model == Model::lif) count_grazing(population, r, counts);
    }
  }

  /// Names of populations of which no neuron spiked, in the order of the network.
  std::vector<std::string> silent_populations() const {
    std::vector<std::string> silent;
    const auto& spiked = counts_->spiked;
    for (std::size_t p = 0; p < spiked.size(); ++p) {
      if (!spiked[p].empty() && std::ranges::count(spiked[p], 0u) == std::ssize(spiked[p])) {
        silent.push_back(names_[p]);
      }
    }
    return silent;
  }

  /// Neurons that spiked in so many samples.
  std::size_t neurons_of(std::size_t samples) const {
    std::size_t count = 0;
    for (const auto& population : counts_->spiked) {
      for (const std::size_t s : population) count += s == samples;
    }
    return count;
  }

 private:
  EpochState* counts_;
  std::vector<bool> output_;          // [population]
  std::vector<std::string> names_;    // [population]
  std::vector<std::ptrdiff_t> last_;  // [neuron] the last sample in which it spiked

  static void count_grazing(const Population& population, const SpikeRecord<Real>& r,
                            EpochState& counts) {
    const Parameter &bias = population["bias"], &v_threshold = population["v_threshold"];
    for (std::size_t k = 0; k < r.currents.size(); ++k) {
      const auto n = static_cast<std::size_t>(r.spikes.neurons[k]);
      const double threshold =
          r.thresholds.empty() ? v_threshold[n] : static_cast<double>(r.thresholds[k]);
      counts.grazing_spikes += static_cast<double>(r.currents[k]) + bias[n] - threshold < grazing;
    }
  }
};

}  // namespace saltus
