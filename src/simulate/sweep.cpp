// SPDX-License-Identifier: Apache-2.0
// The layer sweep (docs/architecture.md): without a cycle every neuron is independent of the others
// and runs through the whole sample.
//
//     for every neuron j
//       for every group of simultaneous arrivals:
//         let its state decay up to it, through all spikes on the way
//         add the weights that arrive                                   (simulate/group.hpp)
#include <bit>
#include <cstdint>

#include "machine/sort_by_time.hpp"
#include "simulate/lif_group.hpp"
#include "simulate/limits.hpp"
#include "simulate/linear_group.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

template <class Real, class Neurons>
void pass(SampleRun<Real>& run, std::size_t population, Neurons&& group) {
  Workspace<Real>& ws = run.workspace;
  const double end = run.end();
  ws.timeline.start(
      run.plan, population, end, [&](std::size_t p) { return run.spikes_of(p); },
      run.timelines ? &run.timelines->at(population, run.sample) : nullptr);
  ws.spikes.clear();
  ws.states.clear();
  if (sample_watch) sample_watch->enter(population, end);
  group.pass(ws.timeline, 0, end, ws.spikes, run.record[population]);
  if (sample_watch) sample_watch->take(ws.spikes.size());
  sort_by_time(std::span(ws.spikes));
}

// Leaves the spikes in the workspace.
template <class Real>
void sweep(SampleRun<Real>& run, std::size_t population) {
  if (run.plan.populations[population].is_linear()) {
    pass(run, population, LinearGroup<Real>(run, population, Steps::passes));
  } else {
    pass(run, population, LifGroup<Real>(run, population, Steps::passes));
  }
}

// By when there are too many spikes, to 1 %. Neurons go through a sample side by side or one after
// the other: how far they had come tells nothing, but of a shorter sample both say the same.
template <class Real>
double time_of_too_many(const SampleRun<Real>& run, std::size_t population) {
  const auto too_many = [&](double end) {
    Inputs inputs = run.inputs;
    inputs.t_end = std::span(&end, 1);
    SampleRun<Real> shorter{run.plan,      inputs,  run.sample,    run.record,
                            run.workspace, nullptr, run.thresholds};
    const SampleWatch::Again again;
    try {
      sweep(shorter, population);
    } catch (const TooMuch&) {
      return true;
    }
    return false;
  };
  // Numbers of at least 0 stand in the order of their bits.
  auto low = std::bit_cast<std::uint64_t>(0.0), high = std::bit_cast<std::uint64_t>(run.end());
  while (high - low > std::uint64_t{1} << 45) {
    const std::uint64_t middle = low + (high - low) / 2;
    (too_many(std::bit_cast<double>(middle)) ? high : low) = middle;
  }
  return std::bit_cast<double>(high);
}

}  // namespace

template <class Real>
void run_sweep(SampleRun<Real>& run, std::size_t population) {
  try {
    sweep(run, population);
  } catch (TooMuch& what) {
    if (what.of != SampleWatch::seconds) what.time = time_of_too_many(run, population);
    throw;
  }
  run.record[population].append(run.workspace.spikes, run.workspace.states);
}

template void run_sweep(SampleRun<float>&, std::size_t);
template void run_sweep(SampleRun<double>&, std::size_t);

}  // namespace saltus
