// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "saltus/error.hpp"
#include "saltus/observe.hpp"
#include "spikes/own_spikes.hpp"

namespace saltus {
namespace {

// How far the nearest spike of neuron j in a sample is from a time; infinity: there is none.
double nearest(const SampleSpikes& sample, const OwnSpikes& own, std::size_t j, double time) {
  const auto numbers = own.of(j);
  const auto after =
      std::ranges::lower_bound(numbers, time, {}, [&](std::size_t k) { return sample.times[k]; });
  double distance = infinity;
  if (after != numbers.end()) distance = sample.times[*after] - time;
  if (after != numbers.begin()) {
    distance = std::min(distance, time - sample.times[*std::prev(after)]);
  }
  return distance;
}

}  // namespace

Agreement agreement(SpikeView spikes, SpikeView others, std::size_t neurons, double tolerance) {
  validate(spikes, neurons, "spikes");
  validate(others, neurons, "others");
  if (spikes.samples() != others.samples()) {
    throw InvalidInput(fmt::format("spikes have {} samples, and others have {}; expected the same",
                                   spikes.samples(), others.samples()));
  }
  if (!(tolerance >= 0)) {
    throw InvalidInput(
        fmt::format("tolerance is {}; expected a time of at least 0, in seconds", tolerance));
  }
  Agreement found;
  double squares = 0;
  OwnSpikes own, own_others;
  for (std::size_t s = 0; s < spikes.samples(); ++s) {
    const SampleSpikes sample = sample_of(spikes, s), other = sample_of(others, s);
    own.sort(sample, neurons);
    own_others.sort(other, neurons);
    for (std::size_t k = 0; k < sample.times.size(); ++k) {
      const auto j = static_cast<std::size_t>(sample.neurons[k]);
      const double distance = nearest(other, own_others, j, sample.times[k]);
      if (distance > tolerance) {
        ++found.extra;
        continue;
      }
      ++found.matched;
      squares += distance * distance;
    }
    for (std::size_t k = 0; k < other.times.size(); ++k) {
      const auto j = static_cast<std::size_t>(other.neurons[k]);
      found.missing += nearest(sample, own, j, other.times[k]) > tolerance ? 1 : 0;
    }
  }
  if (found.matched > 0) found.jitter = std::sqrt(squares / static_cast<double>(found.matched));
  return found;
}

}  // namespace saltus
