// SPDX-License-Identifier: Apache-2.0
// A component whose every delay is at least d_min > 0 runs in windows of d_min: a spike of one
// window arrives in a later one, so within a window all arrivals are known and every neuron is
// independent (the scheme of NEST: Morrison et al. 2005). Each window is a sweep that starts where
// the last ended.
#include "machine/sort_by_time.hpp"
#include "neuron/lif.hpp"
#include "simulate/pending.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

template <class Real>
struct Layer {
  std::size_t population;
  std::vector<neuron::State<Real>> states;  // where neurons go one by one
  LayerState<Real> side_by_side;            // where they go together
  std::vector<std::ptrdiff_t> last_spike;   // per neuron, within the sample's record; -1: none yet
};

// A release may belong to a spike of an earlier window, which is in the record already.
template <class Real>
struct Sink {
  std::vector<RecordedSpike<Real>>& spikes;
  SampleRecord<Real>& record;
  std::ptrdiff_t last_spike;
  std::size_t first;  // in spikes, of this neuron in this window
  std::int32_t neuron;

  void spike(double time, Real current) { spikes.push_back({time, neuron, current}); }
  void release(Real current) {
    if (spikes.size() > first) {
      spikes.back().release_current = current;
    } else {
      record.release_currents[static_cast<std::size_t>(last_spike)] = current;
    }
  }
};

}  // namespace

template <class Real>
void run_windows(SampleRun<Real>& run, const Component& component) {
  Workspace<Real>& ws = run.workspace;
  const double end = run.end();
  std::vector<Layer<Real>> layers;
  std::vector<Pending<Real>> pending;
  for (const std::size_t p : component.populations) {
    pending.emplace_back(run, component, p);
    const PopulationPlan<Real>& plan = run.plan.populations[p];
    Layer<Real> layer{p, {}, {}, std::vector<std::ptrdiff_t>(run.plan.size(p), -1)};
    if (run.plan.side_by_side(p)) {
      layer.side_by_side.start(plan, run.plan.size(p));
    } else {
      for (std::size_t j = 0; j < run.plan.size(p); ++j) {
        layer.states.push_back({plan.neuron(j).v_initial, plan.neuron(j).i_initial});
      }
    }
    layers.push_back(std::move(layer));
  }

  double from = 0;
  do {
    const double to = std::min(from + component.shortest_delay, end);
    for (std::size_t c = 0; c < layers.size(); ++c) {
      Layer<Real>& layer = layers[c];
      const PopulationPlan<Real>& plan = run.plan.populations[layer.population];
      SampleRecord<Real>& record = run.record[layer.population];
      Arrivals<Real>& arrivals = ws.window;
      ws.spikes.clear();
      const auto arrive = [&](std::size_t queue) {
        arrivals.clear();
        while (pending[c].next(queue) < to) arrivals.list.push_back(pending[c].take(queue));
        arrivals.finish(to);
      };
      if (layer.states.empty()) {
        arrive(0);
        arrivals.decay_through(plan.neuron(0).tc, from, to);
        LayerKernels<Real>::best().sweep(plan, layer.side_by_side, arrivals, from, to, ws.spikes);
      }
      for (std::size_t j = 0; j < layer.states.size(); ++j) {
        const std::size_t queue = pending[c].queue_of(j);
        if (j == 0 || queue == j) arrive(queue);
        const neuron::Lif<Real>& n = plan.neuron(j);
        if (j == 0 || queue == j || !plan.same_time_constants) {
          arrivals.decay_through(n.tc, from, to);
        }
        Sink<Real> sink{ws.spikes, record, layer.last_spike[j], ws.spikes.size(),
                        static_cast<std::int32_t>(j)};
        double t = from;
        for (std::size_t g = 0; g < arrivals.group_count(); ++g) {
          neuron::advance(n, layer.states[j], t, arrivals.times[g], arrivals.decays[g], sink);
          for (const auto& arrival : arrivals.group(g)) layer.states[j].i += arrival.row[j];
          t = arrivals.times[g];
        }
        neuron::advance(n, layer.states[j], t, to, arrivals.decays.back(), sink);
      }
      sort_by_time(ws.spikes);
      for (const auto& spike : ws.spikes) {
        const auto number = static_cast<std::int32_t>(record.size());
        layer.last_spike[static_cast<std::size_t>(spike.neuron)] = number;
        record.append(spike);
        send_all(run.plan, component, pending, layer.population, number, spike.neuron, spike.time);
      }
    }
    from = to;
  } while (from < end);
}

template void run_windows(SampleRun<float>&, const Component&);
template void run_windows(SampleRun<double>&, const Component&);

}  // namespace saltus
