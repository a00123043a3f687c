// SPDX-License-Identifier: Apache-2.0
// Minibatches: samples gathered from a data set, with input dropout.
#pragma once

#include <numeric>
#include <span>
#include <vector>

#include "random/random.hpp"
#include "saltus/data.hpp"
#include "saltus/inputs.hpp"

namespace saltus {

/// The order in which an epoch, counted from 0, goes through `size` samples.
inline std::vector<std::uint32_t> shuffled(std::size_t size, std::uint64_t seed,
                                           std::uint32_t epoch) {
  std::vector<std::uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0u);
  Random random(seed, Purpose::shuffle, epoch);
  random.shuffle(std::span(order));
  return order;
}

struct Minibatch {
  Spikes spikes;  ///< of all channels
  std::vector<std::int32_t> labels;
  std::vector<double> ends;   ///< [samples]; empty: the data do not say
  std::vector<Spikes> parts;  ///< of each input, where a network has several

  /// As a network takes it.
  /// @param sizes  of its inputs, which take the channels one after the other
  /// @param t_end  [1], where the data do not say
  Inputs inputs(std::span<const std::size_t> sizes, std::span<const double> t_end) {
    Inputs result{{}, ends.empty() ? t_end : std::span<const double>(ends)};
    if (sizes.size() == 1) {
      result.spikes = {spikes.view()};
      return result;
    }
    parts.resize(sizes.size());
    for (Spikes& part : parts) {
      part.offsets.assign(1, 0);
      part.times.clear();
      part.neurons.clear();
    }
    for (std::size_t s = 0; s < spikes.samples(); ++s) {
      const auto end = static_cast<std::size_t>(spikes.offsets[s + 1]);
      for (auto k = static_cast<std::size_t>(spikes.offsets[s]); k < end; ++k) {
        auto channel = static_cast<std::size_t>(spikes.neurons[k]);
        std::size_t input = 0;
        while (channel >= sizes[input]) channel -= sizes[input++];
        parts[input].times.push_back(spikes.times[k]);
        parts[input].neurons.push_back(static_cast<std::int32_t>(channel));
      }
      for (Spikes& part : parts) {
        part.offsets.push_back(static_cast<std::int64_t>(part.times.size()));
      }
    }
    for (const Spikes& part : parts) result.spikes.push_back(part.view());
    return result;
  }

  /// @param dropout  probability of leaving a spike out; drawn for (seed, epoch, sample)
  void gather(const data::LabelledSpikes& data, std::span<const std::uint32_t> samples,
              double dropout = 0, std::uint64_t seed = 0, std::uint32_t epoch = 0) {
    spikes.offsets.assign(1, 0);
    spikes.times.clear();
    spikes.neurons.clear();
    labels.clear();
    ends.clear();
    for (const std::uint32_t s : samples) {
      const auto first = static_cast<std::size_t>(data.spikes.offsets[s]);
      const auto last = static_cast<std::size_t>(data.spikes.offsets[s + 1]);
      if (dropout == 0) {
        const auto at = static_cast<std::ptrdiff_t>(first), to = static_cast<std::ptrdiff_t>(last);
        spikes.times.insert(spikes.times.end(), data.spikes.times.begin() + at,
                            data.spikes.times.begin() + to);
        spikes.neurons.insert(spikes.neurons.end(), data.spikes.neurons.begin() + at,
                              data.spikes.neurons.begin() + to);
      } else {
        Random random(seed + 0x9E3779B97F4A7C15u * epoch, Purpose::dropout, s);
        for (std::size_t k = first; k < last; ++k) {
          if (random.chance(dropout)) continue;
          spikes.times.push_back(data.spikes.times[k]);
          spikes.neurons.push_back(data.spikes.neurons[k]);
        }
      }
      spikes.offsets.push_back(static_cast<std::int64_t>(spikes.times.size()));
      labels.push_back(data.labels[s]);
      if (!data.t_end.empty()) ends.push_back(data.t_end[s]);
    }
  }
};

}  // namespace saltus
