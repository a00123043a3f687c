// SPDX-License-Identifier: Apache-2.0
// The three ways of running a component through one sample (docs/architecture.md). All append to
// the sample's record; on graphs that several of them can run they give the same spikes.
#pragma once

#include <deque>
#include <vector>

#include "plan/plan.hpp"
#include "plan/timeline.hpp"
#include "saltus/simulate.hpp"
#include "simulate/layer.hpp"
#include "simulate/linear_layer.hpp"
#include "simulate/sample.hpp"
#include "thresholds/thresholds.hpp"

namespace saltus {

/// Buffers that are reused from sample to sample.
template <class Real>
struct Workspace {
  Timeline<Real> timeline;
  std::vector<RecordedSpike<Real>> spikes;
  SpikeStates states;  // of those spikes, if they are kept

  LayerState<Real>& layer_of(std::size_t population) {
    while (layers.size() <= population) layers.emplace_back();
    return layers[population];
  }
  LinearLayer<Real>& linear_layer_of(std::size_t population) {
    while (linear_layers.size() <= population) linear_layers.emplace_back();
    return linear_layers[population];
  }

 private:
  std::deque<LayerState<Real>> layers;  // per population: stay where they are
  std::deque<LinearLayer<Real>> linear_layers;
};

/// One sample on its way through the network.
template <class Real>
struct SampleRun {
  const Plan<Real>& plan;
  const Inputs& inputs;
  std::size_t sample;
  std::vector<SampleRecord<Real>>& record;  // per population
  Workspace<Real>& workspace;
  Timelines<Real>* timelines = nullptr;    // where to leave what populations see; null: nowhere
  const Thresholds* thresholds = nullptr;  // unless all are at their means

  double end() const { return inputs.end(sample); }
  SampleSpikes spikes_of(std::size_t population) const {
    const int input = plan.input_number[population];
    if (input >= 0) return sample_of(inputs.spikes[static_cast<std::size_t>(input)], sample);
    return record[population].spikes();
  }
};

/// No cycle: given its input, every neuron is independent of the others. simulate/sweep.cpp
template <class Real>
void run_sweep(SampleRun<Real>& run, std::size_t population);

/// Every delay inside is positive: what a spike causes lies beyond the window. simulate/windows.cpp
template <class Real>
void run_windows(SampleRun<Real>& run, const Component& component);

/// Any graph: from one event to the next, all neurons at once. simulate/event_loop.cpp
template <class Real>
void run_event_loop(SampleRun<Real>& run, const Component& component);

}  // namespace saltus
