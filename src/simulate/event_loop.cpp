// SPDX-License-Identifier: Apache-2.0
// The dense event loop, for any graph: also cycles without delay.
//
//     until the end:
//       find the earliest spike of all neurons before the next arrival
//       take all neurons to it (or to the arrival)
//       reset those that spike and send their spikes out; or add the weights that arrive
//
// Spikes at one instant come before the arrivals of that instant, those that they cause included
// (docs/theory.md, section 3).
#include "neuron/lif.hpp"
#include "simulate/pending.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

template <class Real>
struct Layer {
  std::size_t population;
  const PopulationPlan<Real>* plan;
  std::vector<neuron::State<Real>> states;
  std::vector<std::size_t> last_spike;  // per neuron, within the sample's record
};

template <class Real>
struct NextSpike {
  double time = infinity;
  std::size_t layer = 0, neuron = 0;
  Real current = 0;
};

// The next spike of one neuron in (t, t_end].
template <class Real>
neuron::Crossing<Real> next_spike(const neuron::Lif<Real>& n, const neuron::State<Real>& s,
                                  double t, double t_end, const neuron::Decay<Real>& d) {
  if (s.release <= t) {
    return neuron::first_crossing(n, s.v, s.i, t, t_end, d, neuron::membrane_after(n, s.v, s.i, d));
  }
  if (s.release >= t_end) return {infinity, 0};
  const Real i = s.i * static_cast<Real>(std::exp(-(s.release - t) / n.tc.tau_syn));
  const auto rest = neuron::decay<Real>(n.tc, t_end - s.release);
  return neuron::first_crossing(n, s.v, i, s.release, t_end, rest,
                                neuron::membrane_after(n, s.v, i, rest));
}

// Takes one neuron to `t_end`, where it is known not to spike before.
template <class Real>
void move(const neuron::Lif<Real>& n, neuron::State<Real>& s, double t, double t_end,
          const neuron::Decay<Real>& d, Real& release_current) {
  if (s.release <= t) {
    neuron::flow(n, s, d);
  } else if (s.release > t_end) {
    s.i *= d.syn;
  } else {
    s.i *= static_cast<Real>(std::exp(-(s.release - t) / n.tc.tau_syn));
    release_current = s.i;
    neuron::flow(n, s, neuron::decay<Real>(n.tc, t_end - s.release));
  }
}

}  // namespace

template <class Real>
void run_event_loop(SampleRun<Real>& run, const Component& component) {
  const double end = run.end();
  std::vector<Layer<Real>> layers;
  std::vector<Pending<Real>> pending;
  for (const std::size_t p : component.populations) {
    pending.emplace_back(run, component, p);
    Layer<Real> layer{
        p, &run.plan.populations[p], {}, std::vector<std::size_t>(run.plan.size(p), 0)};
    for (std::size_t j = 0; j < run.plan.size(p); ++j) {
      const auto& n = layer.plan->neuron(j);
      layer.states.push_back({n.v_initial, n.i_initial});
    }
    layers.push_back(std::move(layer));
  }

  std::vector<NextSpike<Real>> together;  // all that spike at the earliest time
  double t = 0;
  for (;;) {
    double next = end;
    for (const auto& p : pending) {
      for (std::size_t h = 0; h < p.heap_count(); ++h) next = std::min(next, p.next(h));
    }

    together.clear();
    double first = infinity;
    for (std::size_t l = 0; next > t && l < layers.size(); ++l) {
      const Layer<Real>& layer = layers[l];
      auto d = neuron::decay<Real>(layer.plan->neuron(0).tc, next - t);
      for (std::size_t j = 0; j < layer.states.size(); ++j) {
        const auto& n = layer.plan->neuron(j);
        if (!layer.plan->same_time_constants) d = neuron::decay<Real>(n.tc, next - t);
        const auto spike = next_spike(n, layer.states[j], t, next, d);
        if (!spike.found() || spike.time > first) continue;
        if (spike.time < first) together.clear();
        first = spike.time;
        together.push_back({spike.time, l, j, spike.current});
      }
    }

    const double to = together.empty() ? next : first;
    for (auto& layer : layers) {
      if (to == t) break;
      auto d = neuron::decay<Real>(layer.plan->neuron(0).tc, to - t);
      for (std::size_t j = 0; j < layer.states.size(); ++j) {
        const auto& n = layer.plan->neuron(j);
        if (!layer.plan->same_time_constants) d = neuron::decay<Real>(n.tc, to - t);
        Real release_current = 0;
        const bool released = layer.states[j].release > t && layer.states[j].release <= to;
        move(n, layer.states[j], t, to, d, release_current);
        if (released) {
          run.record[layer.population].release_currents[layer.last_spike[j]] = release_current;
        }
      }
    }
    t = to;

    if (!together.empty()) {
      for (const auto& spike : together) {
        Layer<Real>& layer = layers[spike.layer];
        SampleRecord<Real>& record = run.record[layer.population];
        const auto& n = layer.plan->neuron(spike.neuron);
        layer.last_spike[spike.neuron] = record.size();
        layer.states[spike.neuron] = {n.v_reset, spike.current, t + n.tau_ref};
        const auto number = static_cast<std::int32_t>(record.size());
        record.append({t, static_cast<std::int32_t>(spike.neuron), spike.current});
        send_all(run.plan, component, pending, layer.population, number,
                 static_cast<std::int32_t>(spike.neuron), t);
      }
      continue;
    }
    if (t >= end) break;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const bool per_column = layers[l].plan->per_column;
      for (std::size_t h = 0; h < pending[l].heap_count(); ++h) {
        while (pending[l].next(h) <= t) {
          const Real* row = pending[l].take(h).row;
          if (per_column) {
            layers[l].states[h].i += row[h];
          } else {
            for (std::size_t j = 0; j < layers[l].states.size(); ++j)
              layers[l].states[j].i += row[j];
          }
        }
      }
    }
  }
}

template void run_event_loop(SampleRun<float>&, const Component&);
template void run_event_loop(SampleRun<double>&, const Component&);

}  // namespace saltus
