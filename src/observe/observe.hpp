// SPDX-License-Identifier: Apache-2.0
// What is read off a record, on a plan that the caller keeps, without checks (see
// simulate/forward.hpp).
#pragma once

#include <vector>

#include "plan/plan.hpp"
#include "plan/timeline.hpp"
#include "saltus/observe.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

template <class Real>
Maxima<Real> maxima(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                    std::size_t population, int threads, Timelines<Real>* timelines);

/// A neuron without a spike in a sample.
struct SilentNeuron {
  std::size_t sample, neuron;
};

template <class Real>
std::vector<SilentNeuron> silent_neurons(const Record<Real>& record, std::size_t population,
                                         std::size_t size) {
  std::vector<SilentNeuron> result;
  for (std::size_t s = 0; s < record.samples; ++s) {
    std::vector<bool> spikes(size, false);
    for (const auto j : sample_of(record.populations[population].spikes.view(), s).neurons) {
      spikes[static_cast<std::size_t>(j)] = true;
    }
    for (std::size_t j = 0; j < size; ++j) {
      if (!spikes[j]) result.push_back({s, j});
    }
  }
  return result;
}

/// The largest V of silent neurons alone; the rest of the [sample, neuron] stays 0.
template <class Real>
Maxima<Real> maxima_of(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                       std::size_t population, const std::vector<SilentNeuron>& silent);

/// @throws InvalidInput  a bias in a sample without an end, where the integral of V has no limit
void check_integral(const Population& population, const Inputs& inputs);

template <class Real>
std::vector<Real> integrals(const Plan<Real>& plan, const Inputs& inputs,
                            const Record<Real>& record, std::size_t population, int threads,
                            Timelines<Real>* timelines);

}  // namespace saltus
