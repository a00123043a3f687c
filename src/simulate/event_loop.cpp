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
#include <optional>

#include "neuron/lif.hpp"
#include "simulate/pending.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

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

template <class Real>
class Layer {
 public:
  std::size_t population;
  const PopulationPlan<Real>& plan;
  std::vector<std::size_t> last_spike;  // per neuron, within the sample's record

  Layer(const SampleRun<Real>& run, std::size_t p)
      : population(p),
        plan(run.plan.populations[p]),
        last_spike(run.plan.size(p), 0),
        side_by_side_(run.plan.side_by_side(p) && !run.thresholds) {
    const Plan<Real>& network = run.plan;
    if (run.thresholds) at_thresholds_.emplace(*run.thresholds, network, p, run.sample);
    if (side_by_side_) {
      together_.start(plan, network.size(p));
      return;
    }
    for (std::size_t j = 0; j < network.size(p); ++j) {
      states_.push_back({plan.neuron(j).v_initial, plan.neuron(j).i_initial});
    }
  }

  /// The spikes of the earliest time in (t, t_end].
  void earliest(double t, double t_end, std::vector<RecordedSpike<Real>>& spikes) {
    auto d = neuron::decay<Real>(plan.neuron(0).tc, t_end - t);
    if (side_by_side_) {
      LayerKernels<Real>::best().earliest_spikes(plan, together_, d, t, t_end, spikes);
      return;
    }
    spikes.clear();
    for (std::size_t j = 0; j < states_.size(); ++j) {
      const auto& n = neuron(j);
      if (!plan.same_time_constants) d = neuron::decay<Real>(n.tc, t_end - t);
      const auto spike = next_spike(n, states_[j], t, t_end, d);
      if (!spike.found() || (!spikes.empty() && spike.time > spikes[0].time)) continue;
      if (!spikes.empty() && spike.time < spikes[0].time) spikes.clear();
      spikes.push_back(
          {spike.time, static_cast<std::int32_t>(j), neuron::rising_current(n, spike.current)});
    }
  }

  /// Takes all neurons to `t_end`, before which none spikes.
  void move_to(double t, double t_end, SampleRecord<Real>& record) {
    auto d = neuron::decay<Real>(plan.neuron(0).tc, t_end - t);
    if (side_by_side_) {
      LayerKernels<Real>::best().flow(together_, d);
      return;
    }
    for (std::size_t j = 0; j < states_.size(); ++j) {
      const auto& n = neuron(j);
      if (!plan.same_time_constants) d = neuron::decay<Real>(n.tc, t_end - t);
      Real release_current = 0;
      const bool released = states_[j].release > t && states_[j].release <= t_end;
      move(n, states_[j], t, t_end, d, release_current);
      if (released) record.release_currents[last_spike[j]] = release_current;
    }
  }

  void reset(const RecordedSpike<Real>& spike) {
    const auto j = static_cast<std::size_t>(spike.neuron);
    const auto& n = plan.neuron(j);
    // Where the synapse is slow the recorded current may be larger than I (rising_current).
    const bool own = n.tc.slow_synapse();
    if (side_by_side_) {
      together_.set(j, n.v_reset, own ? together_.current(j) : spike.current);
    } else {
      states_[j] = {n.v_reset, own ? states_[j].i : spike.current, spike.time + n.tau_ref};
      if (at_thresholds_) at_thresholds_->next(j);
    }
  }

  void arrive_at(std::size_t queue, const Real* row) {
    if (side_by_side_) {
      LayerKernels<Real>::best().arrive(together_, row);
    } else if (plan.per_column) {
      states_[queue].i += row[queue];
    } else {
      for (std::size_t j = 0; j < states_.size(); ++j) states_[j].i += row[j];
    }
  }

 private:
  bool side_by_side_;
  LayerState<Real> together_;                        // where neurons go together
  std::vector<neuron::State<Real>> states_;          // where they go one by one
  std::optional<AtThresholds<Real>> at_thresholds_;  // unless all are at their means

  const neuron::Lif<Real>& neuron(std::size_t j) const {
    return at_thresholds_ ? (*at_thresholds_)[j] : plan.neuron(j);
  }
};

}  // namespace

template <class Real>
void run_event_loop(SampleRun<Real>& run, const Component& component) {
  const double end = run.end();
  std::vector<Layer<Real>> layers;
  std::vector<Pending<Real>> pending;
  for (const std::size_t p : component.populations) {
    pending.emplace_back(run, component, p);
    layers.emplace_back(run, p);
  }

  std::vector<RecordedSpike<Real>>& found = run.workspace.spikes;
  std::vector<std::pair<std::size_t, RecordedSpike<Real>>> together;  // layer, spike: all earliest
  double t = 0;
  for (;;) {
    double next = end;
    for (const auto& p : pending) {
      for (std::size_t q = 0; q < p.count(); ++q) next = std::min(next, p.next(q));
    }

    together.clear();
    for (std::size_t l = 0; next > t && l < layers.size(); ++l) {
      layers[l].earliest(t, next, found);
      if (found.empty()) continue;
      if (!together.empty() && found[0].time > together[0].second.time) continue;
      if (!together.empty() && found[0].time < together[0].second.time) together.clear();
      for (const auto& spike : found) together.emplace_back(l, spike);
    }

    const double to = together.empty() ? next : together[0].second.time;
    if (to != t) {
      for (auto& layer : layers) layer.move_to(t, to, run.record[layer.population]);
    }
    t = to;

    if (!together.empty()) {
      for (const auto& [l, spike] : together) {
        Layer<Real>& layer = layers[l];
        SampleRecord<Real>& record = run.record[layer.population];
        const auto number = static_cast<std::int32_t>(record.size());
        layer.last_spike[static_cast<std::size_t>(spike.neuron)] = record.size();
        layer.reset(spike);
        record.append(spike);
        send_all(run.plan, component, pending, layer.population, number, spike.neuron, t);
      }
      continue;
    }
    if (t >= end) break;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      for (std::size_t q = 0; q < pending[l].count(); ++q) {
        while (pending[l].next(q) <= t) layers[l].arrive_at(q, pending[l].take(q).row);
      }
    }
  }
}

template void run_event_loop(SampleRun<float>&, const Component&);
template void run_event_loop(SampleRun<double>&, const Component&);

}  // namespace saltus
