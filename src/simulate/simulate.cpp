// SPDX-License-Identifier: Apache-2.0
#include "saltus/simulate.hpp"

#include "simulate/pack.hpp"
#include "simulate/parallel.hpp"
#include "simulate/run.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

// Beyond this many windows (a very short delay somewhere) the event loop costs less.
constexpr double most_windows = 1e5;

template <class Real>
void run_component(SampleRun<Real>& run, const ComponentPlan& plan) {
  if (run.plan.network->populations()[plan.component.populations[0]].model == Model::li) return;
  if (plan.way == Way::sweep) {
    run_sweep(run, plan.component.populations[0]);
  } else if (plan.way == Way::windows &&
             (run.end() / plan.component.shortest_delay < most_windows || !plan.component.cyclic)) {
    run_windows(run, plan.component);
  } else {
    run_event_loop(run, plan.component);
  }
}

}  // namespace

template <class Real>
Record<Real> simulate(const Plan<Real>& plan, const Inputs& inputs, int threads,
                      ForwardMemory<Real>* memory) {
  ForwardMemory<Real> own;
  SampleRecords<Real>& samples = memory ? memory->samples : own.samples;
  Timelines<Real>* const timelines = memory ? &memory->timelines : nullptr;
  if (timelines) timelines->start(plan.populations.size(), inputs.samples());
  samples.resize(inputs.samples());
  parallel_for(threads, samples.size(), [&](std::size_t s) {
    thread_local Workspace<Real> workspace;
    samples[s].resize(plan.populations.size());
    for (SampleRecord<Real>& record : samples[s]) record.clear();
    SampleRun<Real> run{plan, inputs, s, samples[s], workspace, timelines};
    for (const ComponentPlan& component : plan.components) run_component(run, component);
  });
  return pack(plan, samples);
}

template <class Real>
Record<Real> simulate(const Network<Real>& network, const Inputs& inputs, const Options& options) {
  network.check();
  const Plan<Real> plan(network, options.way, options.kernel == Kernel::scalar);
  check(plan, inputs);
  return simulate<Real>(plan, inputs, options.threads, nullptr);
}

template Record<float> simulate(const Plan<float>&, const Inputs&, int, ForwardMemory<float>*);
template Record<double> simulate(const Plan<double>&, const Inputs&, int, ForwardMemory<double>*);
template Record<float> simulate(const Network<float>&, const Inputs&, const Options&);
template Record<double> simulate(const Network<double>&, const Inputs&, const Options&);

}  // namespace saltus
