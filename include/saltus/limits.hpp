// SPDX-License-Identifier: Apache-2.0
/// @file
/// What one sample may take at most: a network that runs away is told by name, before it fills the
/// memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>

#include "saltus/error.hpp"
#include "saltus/fields.hpp"

namespace saltus {

/// What the forward pass of one sample may take; 0: no limit. No limit changes a result.
struct SampleLimits {
  std::size_t max_spikes_per_sample = 0;  ///< of all its neurons
  double max_memory_per_sample = 0;   ///< bytes of their record: 20 a spike in float, 28 in double
  double max_seconds_per_sample = 0;  ///< of processor time

  static constexpr auto fields();  ///< a row for each: see below
};

/// The rows of settings that have these three members.
template <class S>
constexpr auto limit_fields() {
  constexpr Bound limit{[](double v) { return v >= 0; }, "at least 0 (0: no limit)"};
  return std::tuple{
      Field{"max_spikes_per_sample", &S::max_spikes_per_sample, limit, heading::run,
            "refuse a sample in which all neurons together spike more often: a network that runs "
            "away; 0 (default): no limit"},
      Field{
          "max_memory_per_sample", &S::max_memory_per_sample, limit, heading::run,
          "the same of the bytes that the record of its spikes takes (20 a spike; in float64 28)"},
      Field{"max_seconds_per_sample", &S::max_seconds_per_sample, limit, heading::run,
            "the same of the processor time of its forward pass, s"}};
}

constexpr auto SampleLimits::fields() { return limit_fields<SampleLimits>(); }

/// A sample took more than it may. Of several the first, for any number of threads.
class LimitExceeded : public InvalidInput {
 public:
  /// @param sample  of the batch
  /// @param what    took it, when, and which limit that was
  LimitExceeded(std::size_t sample, std::string_view what);

  /// The same of a sample that has another number elsewhere.
  LimitExceeded of(std::size_t number) const { return {number, what_}; }

  std::size_t sample;  ///< its number

 private:
  std::string what_;
};

}  // namespace saltus
