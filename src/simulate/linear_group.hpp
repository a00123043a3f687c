// SPDX-License-Identifier: Apache-2.0
// Neurons that are linear between events (neuron/linear.hpp), one after the other.
#pragma once

#include <algorithm>
#include <vector>

#include "neuron/lif.hpp"
#include "neuron/linear_crossing.hpp"
#include "simulate/group.hpp"

namespace saltus {

template <class Real>
class LinearGroup final : public Group<Real> {
 public:
  LinearGroup(SampleRun<Real>& run, std::size_t population)
      : plan_(run.plan.populations[population]) {
    for (std::size_t j = 0; j < run.plan.size(population); ++j) {
      const linear::Neuron& n = plan_.linear_neuron(j);
      states_.push_back({n.initial, 0, n.above(n.initial) > 0});
    }
  }

  void pass(Timeline<Real>& timeline, double from, double to,
            std::vector<RecordedSpike<Real>>& spikes, SampleRecord<Real>&) override {
    for (std::size_t j = 0; j < states_.size(); ++j) {
      const Arrivals<Real>& arrivals = timeline.of(j);
      double t = from;
      for (std::size_t g = 0; g < arrivals.group_count(); ++g) {
        advance(j, t, arrivals.times[g], spikes);
        t = arrivals.times[g];
        for (const auto& arrival : arrivals.group(g)) receive(j, arrival.weight(j));
      }
      advance(j, t, to, spikes);
    }
  }

  void earliest(double t, double t_end, std::vector<RecordedSpike<Real>>& spikes) override {
    spikes.clear();
    for (std::size_t j = 0; j < states_.size(); ++j) {
      State s = states_[j];
      const double time = next_spike(j, s, t, t_end);
      if (time == infinity || (!spikes.empty() && time > spikes[0].time)) continue;
      if (!spikes.empty() && time < spikes[0].time) spikes.clear();
      spikes.push_back({time, static_cast<std::int32_t>(j), 0});
    }
  }

  void move_to(double t, double t_end, SampleRecord<Real>&) override {
    for (std::size_t j = 0; j < states_.size(); ++j) move(j, states_[j], t, t_end);
  }

  void reset(const RecordedSpike<Real>& spike) override {
    spike_at(static_cast<std::size_t>(spike.neuron), spike.time);
  }

  void arrive(std::size_t j, const Real* weight) override {
    if (j != any_column) return receive(j, *weight);
    for (std::size_t k = 0; k < states_.size(); ++k) receive(k, weight[k]);
  }

 private:
  struct State {
    linear::Vector<double> x;
    double release;  // V is held until then
    bool above;      // the threshold lies below V since the last spike: no crossing from below yet
  };
  const PopulationPlan<Real>& plan_;
  std::vector<State> states_;

  void receive(std::size_t j, Real weight) {
    linear::add(states_[j].x, plan_.linear_neuron(j).receptor, static_cast<double>(weight));
  }
  void spike_at(std::size_t j, double time) {
    const linear::Neuron& n = plan_.linear_neuron(j);
    State& s = states_[j];
    s.x = n.after_spike(s.x);
    s.release = time + n.tau_ref;
    s.above = n.above(s.x) > 0;
  }
  // An endless sample ends where the neuron has come to rest.
  static double end_of(const linear::Neuron& n, const State& s, double t, double t_end) {
    return std::isinf(t_end) ? std::max(t, s.release) + n.settling_time() : t_end;
  }
  // From t to t_end, without a spike.
  void move(std::size_t j, State& s, double t, double t_end) const {
    const linear::Neuron& n = plan_.linear_neuron(j);
    t_end = end_of(n, s, t, t_end);
    if (s.release > t) {
      const double until = std::min(s.release, t_end);
      s.x = n.held.flow(s.x, until - t);
      if (until == s.release) s.above = n.above(s.x) > 0;
      t = until;
    }
    if (t == t_end) return;
    s.x = n.free.flow(s.x, t_end - t);
    s.above = s.above && n.above(s.x) > 0;
  }
  // Takes neuron j to its next spike in (t, t_end], or to t_end. Returns the time of the spike;
  // infinity if there is none.
  double next_spike(std::size_t j, State& s, double t, double t_end) const {
    const linear::Neuron& n = plan_.linear_neuron(j);
    t_end = end_of(n, s, t, t_end);
    if (s.release > t) {
      const double until = std::min(s.release, t_end);
      move(j, s, t, until);
      t = until;
    }
    if (!(t < t_end)) return infinity;
    const linear::Vector<double> end = n.free.flow(s.x, t_end - t);
    if (n.spikes) {
      const linear::Crossing spike = linear::Search(n, s.x, !s.above).first(t_end - t, end);
      if (spike.found()) {
        s.x = spike.x;
        return neuron::within_interval(t + spike.after, t, t_end);
      }
    }
    s.x = end;
    s.above = s.above && n.above(s.x) > 0;
    return infinity;
  }
  void advance(std::size_t j, double t, double t_end, std::vector<RecordedSpike<Real>>& spikes) {
    for (double time; (time = next_spike(j, states_[j], t, t_end)) != infinity; t = time) {
      spikes.push_back({time, static_cast<std::int32_t>(j), 0});
      spike_at(j, time);
    }
  }
};

}  // namespace saltus
