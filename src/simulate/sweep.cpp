// SPDX-License-Identifier: Apache-2.0
// The layer sweep (docs/architecture.md): without a cycle every neuron is independent of the others
// and runs through the whole sample.
//
//     for every neuron j
//       for every group of simultaneous arrivals:
//         let its state decay up to it, through all spikes on the way
//         add the weights that arrive                                   (simulate/group.hpp)
#include "machine/sort_by_time.hpp"
#include "simulate/lif_group.hpp"
#include "simulate/linear_group.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

template <class Real, class Neurons>
void sweep(SampleRun<Real>& run, std::size_t population, Neurons&& group) {
  Workspace<Real>& ws = run.workspace;
  const double end = run.end();
  ws.timeline.start(
      run.plan, population, end, [&](std::size_t p) { return run.spikes_of(p); },
      run.timelines ? &run.timelines->at(population, run.sample) : nullptr);
  ws.spikes.clear();
  ws.states.clear();
  group.pass(ws.timeline, 0, end, ws.spikes, run.record[population]);
  sort_by_time(std::span(ws.spikes));
  run.record[population].append(ws.spikes, ws.states);
}

}  // namespace

template <class Real>
void run_sweep(SampleRun<Real>& run, std::size_t population) {
  if (run.plan.populations[population].is_linear()) {
    sweep(run, population, LinearGroup<Real>(run, population, Steps::passes));
  } else {
    sweep(run, population, LifGroup<Real>(run, population, Steps::passes));
  }
}

template void run_sweep(SampleRun<float>&, std::size_t);
template void run_sweep(SampleRun<double>&, std::size_t);

}  // namespace saltus
