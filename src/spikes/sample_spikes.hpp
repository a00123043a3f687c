// SPDX-License-Identifier: Apache-2.0
// One sample of a batch of spikes.
#pragma once

#include <cstdint>
#include <span>

#include "saltus/spikes.hpp"

namespace saltus {

/// The spikes of one sample of one source.
struct SampleSpikes {
  std::span<const double> times;
  std::span<const std::int32_t> neurons;
};

inline SampleSpikes sample_of(const SpikeView& spikes, std::size_t sample) {
  const auto first = static_cast<std::size_t>(spikes.offsets[sample]);
  const auto count = static_cast<std::size_t>(spikes.offsets[sample + 1]) - first;
  return {spikes.times.subspan(first, count), spikes.neurons.subspan(first, count)};
}

}  // namespace saltus
