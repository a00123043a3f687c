// SPDX-License-Identifier: Apache-2.0
// The spikes of one population in one sample while it is being simulated.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "neuron/linear.hpp"
#include "plan/arrivals.hpp"

namespace saltus {

template <class Real>
struct RecordedSpike {
  double time;
  std::int32_t neuron;
  Real current;
  Real release_current = 0;
  std::uint32_t found = 0;  // number of its state among those found, where they are kept
};

/// States of linear neurons just before their spikes: those of a spike's number, in one order or another.
using SpikeStates = std::vector<linear::Vector<double>>;

/// The record of one population in one sample, in order of time.
template <class Real>
struct SampleRecord {
  std::vector<double> times;
  std::vector<std::int32_t> neurons;
  std::vector<Real> currents, release_currents;
  SpikeStates states;  // as times; empty: not kept

  SampleSpikes spikes() const { return {times, neurons}; }
  std::size_t size() const { return times.size(); }
  /// @param found  their states, by number; empty: not kept
  void append(std::span<const RecordedSpike<Real>> spikes, const SpikeStates& found) {
    if (!found.empty()) {
      std::size_t to = states.size();
      states.resize(to + spikes.size());
      for (const RecordedSpike<Real>& s : spikes) states[to++] = found[s.found];
    }
    std::size_t at = size();
    const std::size_t count = at + spikes.size();
    times.resize(count);
    neurons.resize(count);
    currents.resize(count);
    release_currents.resize(count);
    for (const RecordedSpike<Real>& s : spikes) {
      times[at] = s.time + 0.0;  // never -0, which tells the past (spikes/sample_spikes.hpp)
      neurons[at] = s.neuron;
      currents[at] = s.current;
      release_currents[at++] = s.release_current;
    }
  }
  void append(const RecordedSpike<Real>& s) {
    times.push_back(s.time + 0.0);
    neurons.push_back(s.neuron);
    currents.push_back(s.current);
    release_currents.push_back(s.release_current);
  }
  /// Spikes of before the sample.
  void start(SampleSpikes past) {
    times.assign(past.times.begin(), past.times.end());
    neurons.assign(past.neurons.begin(), past.neurons.end());
    currents.assign(times.size(), 0);
    release_currents.assign(times.size(), 0);
  }
  void clear() {
    times.clear();
    neurons.clear();
    currents.clear();
    release_currents.clear();
    states.clear();
  }
};

/// Two neurons may spike at one instant: then by number, so that the order never depends on chance.
template <class Real>
inline bool earlier(const RecordedSpike<Real>& a, const RecordedSpike<Real>& b) {
  return a.time != b.time ? a.time < b.time : a.neuron < b.neuron;
}

}  // namespace saltus
