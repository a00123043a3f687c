// SPDX-License-Identifier: Apache-2.0
// One sample of a batch of spikes.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "saltus/spikes.hpp"

namespace saltus {

/// The spikes of one sample of one source.
struct SampleSpikes {
  std::span<const double> times;
  std::span<const std::int32_t> neurons;
};

/// Spikes of before the sample, which goes on from a state (saltus/state.hpp), stand in front of all others, at
/// times below 0. One of the very end of what was before has the time -0.
inline bool is_past(double time) { return std::signbit(time); }
inline std::size_t count_past(std::span<const double> times) {
  std::size_t count = 0;
  while (count < times.size() && is_past(times[count])) ++count;
  return count;
}

inline SampleSpikes sample_of(const SpikeView& spikes, std::size_t sample) {
  const auto first = static_cast<std::size_t>(spikes.offsets[sample]);
  const auto count = static_cast<std::size_t>(spikes.offsets[sample + 1]) - first;
  return {spikes.times.subspan(first, count), spikes.neurons.subspan(first, count)};
}

/// Of numbers that a record holds for each of its spikes, if it holds these at all.
template <class Number>
std::span<const Number> of_spikes(const std::vector<Number>& numbers, std::size_t first,
                                  std::size_t count) {
  if (numbers.empty()) return {};
  return std::span(numbers).subspan(first, count);
}

}  // namespace saltus
