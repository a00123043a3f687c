// SPDX-License-Identifier: Apache-2.0
// The forward pass and what is read off it, on a plan that the caller keeps: no checks, for the
// loop of a training. The public functions check, make a plan and call these.
#pragma once

#include <span>
#include <vector>

#include "saltus/simulate.hpp"
#include "simulate/pack.hpp"
#include "simulate/plan.hpp"
#include "simulate/thresholds.hpp"
#include "simulate/timeline.hpp"

namespace saltus {

/// What a forward pass leaves for the passes after it, and the memory of both: kept from minibatch
/// to minibatch.
template <class Real>
struct ForwardMemory {
  Timelines<Real> timelines;
  SampleRecords<Real> samples;
};

/// @param out  overwritten; its memory is kept
/// @param thresholds  of each neuron, sample and spike, which the record then holds; null: the
/// means
template <class Real>
void simulate(const Plan<Real>& plan, const Inputs& inputs, int threads,
              ForwardMemory<Real>& memory, Record<Real>& out,
              const Thresholds* thresholds = nullptr);
template <class Real>
Record<Real> simulate(const Plan<Real>& plan, const Inputs& inputs, int threads);

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

template <class Real>
std::vector<Real> integrals(const Plan<Real>& plan, const Inputs& inputs,
                            const Record<Real>& record, std::size_t population, int threads);

}  // namespace saltus
