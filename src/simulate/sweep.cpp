// SPDX-License-Identifier: Apache-2.0
// The layer sweep (docs/architecture.md): without a cycle every neuron is independent of the others
// and runs through the whole sample.
//
//     for every neuron j
//       for every group of simultaneous arrivals:
//         let V_j, I_j decay up to it, through all spikes on the way     (neuron/lif.hpp)
//         I_j += the weights that arrive
//
// Where all neurons see the same arrivals and decay alike, a tile of them goes through the sample
// together: most cannot spike in an interval, and for those it is a few multiplications side by side.
#include <algorithm>
#include <type_traits>

#include "neuron/lif.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

constexpr std::size_t tile_size = 16;

template <class Real>
struct Sink {
  std::vector<RecordedSpike<Real>>& spikes;
  std::int32_t neuron;

  void spike(double time, Real current) { spikes.push_back({time, neuron, current}); }
  void release(Real current) { spikes.back().release_current = current; }
};

template <class Real>
void sweep_neuron(const neuron::Lif<Real>& n, const Arrivals<Real>& arrivals, std::size_t j,
                  double end, std::vector<RecordedSpike<Real>>& spikes) {
  Sink<Real> sink{spikes, static_cast<std::int32_t>(j)};
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

// The two tests of neuron::first_crossing without a branch. Neurons with a negative current and a bias
// near the threshold pass for nothing; first_crossing turns them away.
template <class Real>
int may_reach(Real v, Real i, Real bias, Real theta, Real v_end, const neuron::Decay<Real>& d) {
  const Real top = std::max(v, bias) + std::max(i, Real(0)) * d.reach;
  const int ends_above = !(v_end < theta), peak_above = !(top < theta);
  const int peak_inside = !(v - bias < i * d.end_slope);
  return ends_above | (peak_above & peak_inside);
}

// The same for neurons first .. first + width - 1. Width is a constant for all tiles but the last.
template <class Real, class Width>
void sweep_tile(const PopulationPlan<Real>& plan, const Arrivals<Real>& arrivals,
                std::size_t first, Width width, double end,
                std::vector<RecordedSpike<Real>>& spikes) {
  Real v[tile_size], i[tile_size], bias[tile_size], theta[tile_size];
  Real next_v[tile_size], next_i[tile_size];
  for (std::size_t l = 0; l < width; ++l) {
    const auto& n = plan.neuron(first + l);
    v[l] = n.v_initial;
    i[l] = n.i_initial;
    bias[l] = n.bias;
    theta[l] = n.theta;
  }
  double t = 0;
  const std::size_t groups = arrivals.group_count();
  for (std::size_t g = 0; g <= groups; ++g) {
    const double next = g < groups ? arrivals.times[g] : end;
    const neuron::Decay<Real> d = arrivals.decays[g];
    int may_spike = 0;
    for (std::size_t l = 0; l < width; ++l) {
      next_v[l] = bias[l] + (v[l] - bias[l]) * d.mem + i[l] * d.k;
      next_i[l] = i[l] * d.syn;
      may_spike += may_reach(v[l], i[l], bias[l], theta[l], next_v[l], d);
    }
    if (may_spike > 0) {
      for (std::size_t l = 0; l < width; ++l) {
        if (!may_reach(v[l], i[l], bias[l], theta[l], next_v[l], d)) continue;
        neuron::State<Real> state{v[l], i[l]};
        Sink<Real> sink{spikes, static_cast<std::int32_t>(first + l)};
        neuron::advance(plan.neuron(first + l), state, t, next, d, sink);
        next_v[l] = state.v;
        next_i[l] = state.i;
      }
    }
    for (std::size_t l = 0; l < width; ++l) {
      v[l] = next_v[l];
      i[l] = next_i[l];
    }
    if (g == groups) break;
    for (const auto& arrival : arrivals.group(g)) {
      const Real* weights = arrival.row + first;
      for (std::size_t l = 0; l < width; ++l) i[l] += weights[l];
    }
    t = next;
  }
}

}  // namespace

template <class Real>
void run_sweep(SampleRun<Real>& run, std::size_t population) {
  const PopulationPlan<Real>& plan = run.plan.populations[population];
  const std::size_t size = run.plan.size(population);
  Workspace<Real>& ws = run.workspace;
  const double end = run.end();
  ws.timeline.start(run.plan, population, end, [&](std::size_t p) { return run.spikes_of(p); });
  ws.spikes.clear();
  if (plan.per_column || !plan.same_time_constants || plan.refractory) {
    for (std::size_t j = 0; j < size; ++j) {
      sweep_neuron(plan.neuron(j), ws.timeline.of(j), j, end, ws.spikes);
    }
  } else {
    const Arrivals<Real>& arrivals = ws.timeline.of(0);
    std::size_t j = 0;
    for (; j + tile_size <= size; j += tile_size) {
      sweep_tile(plan, arrivals, j, std::integral_constant<std::size_t, tile_size>(), end,
                 ws.spikes);
    }
    if (j < size) sweep_tile(plan, arrivals, j, size - j, end, ws.spikes);
  }
  sort_by_time(ws.spikes, 0, ws.scratch, ws.buckets);
  for (const auto& spike : ws.spikes) run.record[population].append(spike);
}

template void run_sweep(SampleRun<float>&, std::size_t);
template void run_sweep(SampleRun<double>&, std::size_t);

}  // namespace saltus
