// SPDX-License-Identifier: Apache-2.0
// The spikes of one population in one sample while it is being simulated.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
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

/// Sorts by insertion; gives up after `limit` moves. @return in order?
template <class Real>
bool insert_in_order(std::span<RecordedSpike<Real>> spikes, std::size_t limit) {
  for (std::size_t k = 1; k < spikes.size(); ++k) {
    if (!earlier(spikes[k], spikes[k - 1])) continue;
    const RecordedSpike<Real> spike = spikes[k];
    std::size_t at = k;
    do {
      spikes[at] = spikes[at - 1];
    } while (--at > 0 && earlier(spike, spikes[at - 1]));
    spikes[at] = spike;
    if (k - at > limit) return false;
    limit -= k - at;
  }
  return true;
}

/// Puts spikes into order of time. Those that came out interval by interval are nearly in order:
/// insertion. Those that came out neuron by neuron: into buckets of equal width, then insertion
/// within the neighbourhood. About ten times faster than std::sort here.
template <class Real>
void sort_by_time(std::vector<RecordedSpike<Real>>& spikes, std::size_t first,
                  std::vector<RecordedSpike<Real>>& scratch, std::vector<std::int32_t>& buckets) {
  const std::span<RecordedSpike<Real>> all = std::span(spikes).subspan(first);
  const std::size_t count = all.size();
  if (insert_in_order(all, 6 * count)) return;
  const auto [low, high] = std::minmax_element(
      all.begin(), all.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  const double start = low->time, scale = static_cast<double>(count) / (high->time - start);
  std::int32_t largest = 0;
  if (std::isfinite(scale)) {
    const auto bucket_of = [&](double time) {
      return std::min(static_cast<std::size_t>((time - start) * scale), count - 1);
    };
    buckets.assign(count + 1, 0);
    for (const auto& s : all) ++buckets[bucket_of(s.time) + 1];
    for (std::size_t b = 0; b < count; ++b) {
      largest = std::max(largest, buckets[b + 1]);
      buckets[b + 1] += buckets[b];
    }
    scratch.assign(all.begin(), all.end());
    for (const auto& s : scratch) all[static_cast<std::size_t>(buckets[bucket_of(s.time)]++)] = s;
  }
  // Almost in order now, unless a bucket holds very many.
  if (std::isfinite(scale) && largest <= 64) {
    insert_in_order(all, 64 * count);
  } else {
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return earlier(a, b); });
  }
}

}  // namespace saltus
