// SPDX-License-Identifier: Apache-2.0
/// @file
/// The spikes of a batch: flat arrays, sample after sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace saltus {

/// The spikes that one source (an input or a population) sends in every sample of a batch; owns
/// nothing, so that NumPy arrays enter without a copy.
///
/// Sample s holds the entries offsets[s] .. offsets[s + 1] - 1, ascending in time. Times are
/// seconds, always float64; neurons are numbers within the source.
struct SpikeView {
  std::span<const std::int64_t> offsets;  ///< [samples + 1]
  std::span<const double> times;          ///< [spikes], seconds
  std::span<const std::int32_t> neurons;  ///< [spikes]

  /// Of the batch.
  std::size_t samples() const { return offsets.empty() ? 0 : offsets.size() - 1; }
};

/// The same, owning its arrays.
struct Spikes {
  std::vector<std::int64_t> offsets{0};  ///< [samples + 1]
  std::vector<double> times;             ///< [spikes], seconds
  std::vector<std::int32_t> neurons;     ///< [spikes]

  std::size_t samples() const { return offsets.size() - 1; }  ///< of the batch
  /// Of these arrays, as long as they live.
  SpikeView view() const { return {offsets, times, neurons}; }
  /// The same.
  operator SpikeView() const { return view(); }    // NOLINT(google-explicit-constructor)
  bool operator==(const Spikes&) const = default;  ///< by value
};

/// Checks that `spikes` is what SpikeView promises, for a source of `size` neurons: offsets start
/// at 0, ascend and end at the number of spikes; times are finite, not negative and ascending
/// within a sample; neurons lie in [0, size).
/// @param name  what to call the source in the message
/// @throws InvalidInput  naming the source, the entry, its value and what was expected
void validate(SpikeView spikes, std::size_t size, std::string_view name);

}  // namespace saltus
