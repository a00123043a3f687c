// SPDX-License-Identifier: Apache-2.0
// The layer sweep (docs/architecture.md): without a cycle every neuron is independent of the others
// and runs through the whole sample.
//
//     for every neuron j
//       for every group of simultaneous arrivals:
//         let V_j, I_j decay up to it, through all spikes on the way     (neuron/lif.hpp)
//         I_j += the weights that arrive
//
// Where all neurons see the same arrivals and decay alike they go side by side, in vectors:
// simulate/layer_kernel.cpp.
#include <optional>

#include "machine/sort_by_time.hpp"
#include "neuron/lif.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

template <class Real>
struct Sink {
  std::vector<RecordedSpike<Real>>& spikes;
  std::int32_t neuron;
  AtThresholds<Real>* at_thresholds;  // null: at its mean

  void spike(double time, Real current) {
    spikes.push_back({time, neuron, current});
    // `advance` goes on with the neuron that this changes.
    if (at_thresholds) at_thresholds->next(static_cast<std::size_t>(neuron));
  }
  void release(Real current) { spikes.back().release_current = current; }
};

template <class Real>
void sweep_neuron(const neuron::Lif<Real>& n, const Arrivals<Real>& arrivals, std::size_t j,
                  double end, AtThresholds<Real>* at_thresholds,
                  std::vector<RecordedSpike<Real>>& spikes) {
  Sink<Real> sink{spikes, static_cast<std::int32_t>(j), at_thresholds};
  neuron::State<Real> state{n.v_initial, n.i_initial};
  double t = 0;
  const std::size_t groups = arrivals.group_count();
  for (std::size_t g = 0; g < groups; ++g) {
    const double next = arrivals.times[g];
    neuron::advance(n, state, t, next, arrivals.decays[g], sink);
    for (const auto& arrival : arrivals.group(g)) state.i += arrival.row[j];
    t = next;
  }
  neuron::advance(n, state, t, end, arrivals.decays[groups], sink);
}

}  // namespace

template <class Real>
void run_sweep(SampleRun<Real>& run, std::size_t population) {
  const PopulationPlan<Real>& plan = run.plan.populations[population];
  const std::size_t size = run.plan.size(population);
  Workspace<Real>& ws = run.workspace;
  const double end = run.end();
  ws.timeline.start(
      run.plan, population, end, [&](std::size_t p) { return run.spikes_of(p); },
      run.timelines ? &run.timelines->at(population, run.sample) : nullptr);
  ws.spikes.clear();
  std::optional<AtThresholds<Real>> own;
  if (run.thresholds) {
    own.emplace(*run.thresholds, run.plan, population, run.sample);
  }
  if (run.plan.side_by_side(population) && !own) {
    ws.layer.start(plan, size);
    LayerKernels<Real>::best().sweep(plan, ws.layer, ws.timeline.of(0), 0, end, ws.spikes);
  } else {
    for (std::size_t j = 0; j < size; ++j) {
      const neuron::Lif<Real>& n = own ? (*own)[j] : plan.neuron(j);
      sweep_neuron(n, ws.timeline.of(j), j, end, own ? &*own : nullptr, ws.spikes);
    }
  }
  sort_by_time(ws.spikes);
  run.record[population].append(ws.spikes);
}

template void run_sweep(SampleRun<float>&, std::size_t);
template void run_sweep(SampleRun<double>&, std::size_t);

}  // namespace saltus
