// SPDX-License-Identifier: Apache-2.0
// The spikes of one population in one sample while it is being simulated.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "simulate/arrivals.hpp"

namespace saltus {

template <class Real>
struct RecordedSpike {
  double time;
  std::int32_t neuron;
  Real current;
  Real release_current = 0;
};

/// The record of one population in one sample, in order of time.
template <class Real>
struct SampleRecord {
  std::vector<double> times;
  std::vector<std::int32_t> neurons;
  std::vector<Real> currents, release_currents;

  SampleSpikes spikes() const { return {times, neurons}; }
  std::size_t size() const { return times.size(); }
  void append(const RecordedSpike<Real>& s) {
    times.push_back(s.time);
    neurons.push_back(s.neuron);
    currents.push_back(s.current);
    release_currents.push_back(s.release_current);
  }
  void clear() {
    times.clear();
    neurons.clear();
    currents.clear();
    release_currents.clear();
  }
};

/// Two neurons may spike at one instant: then by number, so that the order never depends on chance.
template <class Real>
inline bool earlier(const RecordedSpike<Real>& a, const RecordedSpike<Real>& b) {
  return a.time != b.time ? a.time < b.time : a.neuron < b.neuron;
}

/// Puts spikes that came out neuron by neuron into order of time: into buckets of equal width, then
/// insertion within the neighbourhood. About ten times faster than std::sort here.
template <class Real>
void sort_by_time(std::vector<RecordedSpike<Real>>& spikes, std::size_t first,
                  std::vector<RecordedSpike<Real>>& scratch, std::vector<std::int32_t>& buckets) {
  const std::size_t count = spikes.size() - first;
  const auto begin = spikes.begin() + static_cast<std::ptrdiff_t>(first);
  if (count > 32) {
    const auto [low, high] = std::minmax_element(
        begin, spikes.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
    const double start = low->time, scale = static_cast<double>(count) / (high->time - start);
    if (std::isfinite(scale)) {
      const auto bucket_of = [&](double time) {
        return std::min(static_cast<std::size_t>((time - start) * scale), count - 1);
      };
      buckets.assign(count + 1, 0);
      for (auto s = begin; s != spikes.end(); ++s) ++buckets[bucket_of(s->time) + 1];
      for (std::size_t b = 0; b < count; ++b) buckets[b + 1] += buckets[b];
      scratch.assign(begin, spikes.end());
      for (const auto& s : scratch) {
        begin[buckets[bucket_of(s.time)]++] = s;
      }
      // Almost in order now; a bucket that holds very many would make insertion quadratic.
      std::int32_t largest = 0, before = 0;
      for (std::size_t b = 0; b < count; ++b) {
        largest = std::max(largest, buckets[b] - before);
        before = buckets[b];
      }
      if (largest > 64) {
        std::sort(begin, spikes.end(), [](const auto& a, const auto& b) { return earlier(a, b); });
        return;
      }
    }
  }
  for (std::size_t k = 1; k < count; ++k) {
    const RecordedSpike<Real> spike = begin[static_cast<std::ptrdiff_t>(k)];
    std::size_t at = k;
    for (; at > 0 && earlier(spike, begin[static_cast<std::ptrdiff_t>(at - 1)]); --at) {
      begin[static_cast<std::ptrdiff_t>(at)] = begin[static_cast<std::ptrdiff_t>(at - 1)];
    }
    begin[static_cast<std::ptrdiff_t>(at)] = spike;
  }
}

}  // namespace saltus
