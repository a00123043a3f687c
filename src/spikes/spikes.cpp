// SPDX-License-Identifier: Apache-2.0
#include "saltus/spikes.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "saltus/error.hpp"

namespace saltus {
namespace {

void check_offsets(const SpikeView& spikes, std::string_view name) {
  const auto& offsets = spikes.offsets;
  if (offsets.empty()) {
    throw InvalidInput(fmt::format(
        "{}.offsets is empty; expected one more entry than samples, the first 0", name));
  }
  if (offsets.front() != 0) {
    throw InvalidInput(fmt::format("{}.offsets[0] is {}; expected 0", name, offsets.front()));
  }
  for (std::size_t s = 1; s < offsets.size(); ++s) {
    if (offsets[s] < offsets[s - 1]) {
      throw InvalidInput(fmt::format("{}.offsets[{}] is {}; expected at least {}, the entry before",
                                     name, s, offsets[s], offsets[s - 1]));
    }
  }
  if (spikes.neurons.size() != spikes.times.size()) {
    throw InvalidInput(fmt::format("{}.neurons has {} entries; expected {}, one for each time",
                                   name, spikes.neurons.size(), spikes.times.size()));
  }
  // The offsets ascend from 0, so the last is not negative.
  if (static_cast<std::size_t>(offsets.back()) != spikes.times.size()) {
    throw InvalidInput(fmt::format("{}.offsets[{}] is {}; expected {}, the number of spikes", name,
                                   offsets.size() - 1, offsets.back(), spikes.times.size()));
  }
}

[[noreturn]] void refuse_time(const SpikeView& spikes, std::size_t sample, std::size_t k,
                              double previous, std::string_view name) {
  const double t = spikes.times[k];
  if (!std::isfinite(t) || t < 0) {
    throw InvalidInput(fmt::format(
        "{}.times[{}] is {} (sample {}, neuron {}); expected a finite time of at least 0, in "
        "seconds",
        name, k, t, sample, spikes.neurons[k]));
  }
  throw InvalidInput(
      fmt::format("{}.times[{}] is {} (sample {}, neuron {}); expected at least {}, the time "
                  "before: times ascend within a sample",
                  name, k, t, sample, spikes.neurons[k], previous));
}

}  // namespace

void validate(SpikeView spikes, std::size_t size, std::string_view name) {
  check_offsets(spikes, name);
  for (std::size_t s = 0; s < spikes.samples(); ++s) {
    const auto end = static_cast<std::size_t>(spikes.offsets[s + 1]);
    double previous = 0;
    for (auto k = static_cast<std::size_t>(spikes.offsets[s]); k < end; ++k) {
      const double t = spikes.times[k];
      // One comparison each way also catches NaN, infinity and negative times.
      if (!(t >= previous && t <= std::numeric_limits<double>::max())) {
        refuse_time(spikes, s, k, previous, name);
      }
      previous = t;
      const std::int32_t j = spikes.neurons[k];
      if (j < 0 || static_cast<std::size_t>(j) >= size) {
        throw InvalidInput(fmt::format(
            "{}.neurons[{}] is {} (sample {}); expected a number in [0, {})", name, k, j, s, size));
      }
    }
  }
}

}  // namespace saltus
