// SPDX-License-Identifier: Apache-2.0
#include "saltus/simulate.hpp"

#include "simulate/continued.hpp"
#include "simulate/forward.hpp"
#include "simulate/limits.hpp"
#include "simulate/pack.hpp"
#include "simulate/prepared.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

// A delay below the last digit of time leads nowhere: an arrival at the time of its spike.
template <class Real>
bool time_can_tell(const SampleRun<Real>& run, const Component& component) {
  return !component.cyclic || run.end() + component.shortest_delay > run.end();
}

template <class Real>
void run_component(SampleRun<Real>& run, const ComponentPlan& plan) {
  if (!run.plan.network->populations()[plan.component.populations[0]].model->spikes) return;
  if (plan.way == Way::sweep) {
    run_sweep(run, plan.component.populations[0]);
  } else if (plan.way == Way::windows && !run.thresholds && time_can_tell(run, plan.component)) {
    run_windows(run, plan.component);
  } else {
    run_event_loop(run, plan.component);
  }
}

// @param before  in front of the record of it; null: nothing
template <class Real>
void run_sample(SampleRun<Real> run, const Record<Real>* before) {
  const Plan<Real>& plan = run.plan;
  run.record.resize(plan.populations.size());
  for (std::size_t p = 0; p < plan.populations.size(); ++p) {
    run.record[p].clear();
    if (before) run.record[p].start(sample_of(before->populations[p].spikes, run.sample));
  }
  const Watched watched(plan.limits, sizeof(double) + sizeof(std::int32_t) + 2 * sizeof(Real));
  for (const ComponentPlan& component : plan.components) run_component(run, component);
  if (sample_watch) sample_watch->look();
}

// @param first  the number of the first sample, where they are some of more
template <class Real>
void run_samples(const Plan<Real>& plan, const Inputs& inputs, const Thresholds* thresholds,
                 int threads, SampleRecords<Real>& samples, Timelines<Real>* timelines,
                 const Record<Real>* before = nullptr, std::size_t first = 0) {
  samples.resize(inputs.samples());
  for_each_sample(threads, samples.size(), [&](std::size_t s) {
    thread_local Workspace<Real> workspace;
    try {
      run_sample({plan, inputs, s, samples[s], workspace, timelines, thresholds}, before);
    } catch (const TooMuch& what) {
      throw limit_exceeded(what, plan.limits, first + s,
                           plan.network->populations()[what.population].name);
    }
    for (std::size_t p = 0; timelines && p < plan.populations.size(); ++p) {
      timelines->at(p, s).states.swap(samples[s][p].states);
    }
  });
}

// From a state: each sample by itself.
template <class Real>
Record<Real> go_on(const Plan<Real>& plan, const Inputs& inputs, int threads) {
  std::vector<Record<Real>> records(inputs.samples());
  std::vector<std::vector<std::vector<std::size_t>>> past(inputs.samples());
  for_each_sample(threads, inputs.samples(), [&](std::size_t s) {
    const Continued<Real> one(plan, inputs, nullptr, s, 1);
    SampleRecords<Real> found;
    run_samples<Real>(one.plans[0], one.inputs, nullptr, 1, found, nullptr, &one.record, s);
    pack(one.plans[0], found, 1, records[s]);
    past[s] = one.past;
  });
  Record<Real> all;
  all.populations.resize(plan.populations.size());
  for (std::size_t s = 0; s < records.size(); ++s) append(all, records[s], past[s]);
  return all;
}

}  // namespace

template <class Real>
void simulate(const Plan<Real>& plan, const Inputs& inputs, int threads,
              ForwardMemory<Real>& memory, Record<Real>& out, const Thresholds* thresholds) {
  refuse_state(inputs, thresholds ? "sampled thresholds" : "minibatches");
  memory.timelines.start(plan.populations.size(), inputs.samples());
  run_samples(plan, inputs, thresholds, threads, memory.samples, &memory.timelines);
  pack(plan, memory.samples, threads, out);
  if (thresholds) note_thresholds(plan, *thresholds, out);
}

template <class Real>
Record<Real> simulate(const Plan<Real>& plan, const Inputs& inputs, int threads) {
  if (inputs.state) return go_on(plan, inputs, threads);
  SampleRecords<Real> samples;
  run_samples<Real>(plan, inputs, nullptr, threads, samples, nullptr);
  Record<Real> record;
  pack(plan, samples, threads, record);
  return record;
}

template <class Real>
Record<Real> simulate(const Network<Real>& network, const Inputs& inputs, const Options& options) {
  const Prepared<Real> prepared(network, inputs, options);
  return simulate<Real>(prepared.plan, inputs, options.threads);
}

template void simulate(const Plan<float>&, const Inputs&, int, ForwardMemory<float>&,
                       Record<float>&, const Thresholds*);
template void simulate(const Plan<double>&, const Inputs&, int, ForwardMemory<double>&,
                       Record<double>&, const Thresholds*);
template Record<float> simulate(const Plan<float>&, const Inputs&, int);
template Record<double> simulate(const Plan<double>&, const Inputs&, int);
template Record<float> simulate(const Network<float>&, const Inputs&, const Options&);
template Record<double> simulate(const Network<double>&, const Inputs&, const Options&);

}  // namespace saltus
