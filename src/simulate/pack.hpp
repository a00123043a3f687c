// SPDX-License-Identifier: Apache-2.0
// From the samples of a batch to one record: counted, then filled.
#pragma once

#include <algorithm>
#include <vector>

#include "machine/parallel.hpp"
#include "plan/plan.hpp"
#include "saltus/simulate.hpp"
#include "simulate/sample.hpp"

namespace saltus {

template <class Real>
using SampleRecords = std::vector<std::vector<SampleRecord<Real>>>;  // [sample][population]

/// @param record  overwritten; its memory is kept
template <class Real>
void pack(const Plan<Real>& plan, const SampleRecords<Real>& samples, int threads,
          Record<Real>& record) {
  record.samples = samples.size();
  record.populations.resize(plan.populations.size());
  for (std::size_t p = 0; p < plan.populations.size(); ++p) {
    SpikeRecord<Real>& out = record.populations[p];
    out.spikes.offsets.assign(samples.size() + 1, 0);
    for (std::size_t s = 0; s < samples.size(); ++s) {
      out.spikes.offsets[s + 1] =
          out.spikes.offsets[s] + static_cast<std::int64_t>(samples[s][p].size());
    }
    const auto count = static_cast<std::size_t>(out.spikes.offsets.back());
    const bool refractory = plan.populations[p].refractory;
    out.spikes.times.resize(count);
    out.spikes.neurons.resize(count);
    const bool linear = plan.populations[p].is_linear();  // its states are found by a replay
    out.currents.resize(linear ? 0 : count);
    out.release_currents.resize(refractory ? count : 0);
    out.thresholds.clear();
    parallel_for(threads, samples.size(), [&](std::size_t s) {
      const SampleRecord<Real>& in = samples[s][p];
      const auto at = out.spikes.offsets[s];
      std::copy(in.times.begin(), in.times.end(), out.spikes.times.begin() + at);
      std::copy(in.neurons.begin(), in.neurons.end(), out.spikes.neurons.begin() + at);
      if (linear) return;
      std::copy(in.currents.begin(), in.currents.end(), out.currents.begin() + at);
      if (refractory) {
        std::copy(in.release_currents.begin(), in.release_currents.end(),
                  out.release_currents.begin() + at);
      }
    });
  }
}

}  // namespace saltus
