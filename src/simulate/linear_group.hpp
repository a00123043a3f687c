// SPDX-License-Identifier: Apache-2.0
// Neurons that are linear between events (neuron/linear.hpp): side by side where they move in the same way
// (simulate/linear_layer.hpp), but for those to which something happens that the vectors do not know;
// else one after the other.
#pragma once

#include <algorithm>
#include <vector>

#include "neuron/lif.hpp"
#include "neuron/linear_crossing.hpp"
#include "simulate/group.hpp"
#include "simulate/limits.hpp"
#include "simulate/linear_layer.hpp"

namespace saltus {

template <class Real>
class LinearGroup final : public Group<Real> {
 public:
  LinearGroup(SampleRun<Real>& run, std::size_t population, Steps steps)
      : plan_(run.plan.populations[population]),
        together_(run.plan.linear_in_vectors(population) &&
                  (steps == Steps::passes || !plan_.alike_linear->refractory)),
        own_(together_ && plan_.alike_linear->own()),
        layer_(run.workspace.linear_layer_of(population)),
        found_(run.timelines ? &run.workspace.states : nullptr) {
    if (together_) layer_.begin(plan_, run.plan.size(population));
    const auto at_start = [](const linear::Neuron& n) {
      return State{n.initial, 0, n.starts_above(n.initial)};
    };
    states_.assign(run.plan.size(population), at_start(plan_.linear_neuron(0)));
    for (std::size_t j = 0; j < plan_.linear_neurons.size(); ++j) {
      const linear::Neuron& n = plan_.linear_neurons[j];
      states_[j] = at_start(n);
      settling_time_ = std::max(settling_time_, n.settling_time());
      jumps_ = jumps_ || n.jumps;
      if (n.jumps || n.tau_ref > 0) found_ = nullptr;  // the way back needs to know more
    }
    const auto [times, neurons] = run.record[population].spikes();
    for (std::size_t k = 0; k < times.size(); ++k) {  // of before the sample
      const auto j = static_cast<std::size_t>(neurons[k]);
      states_[j].release = plan_.linear_neuron(j).release_after(times[k]);
      if (together_ && states_[j].release > 0) layer_.hold(j, states_[j].release);
    }
  }

  void pass(Timeline<Real>& timeline, double from, double to,
            std::vector<RecordedSpike<Real>>& spikes, SampleRecord<Real>&) override {
    if (together_) return pass_together(timeline.shared(), from, to, spikes);
    for (std::size_t j = 0; j < states_.size(); ++j) {
      const Arrivals<Real>& arrivals = timeline.of(j);
      double t = from;
      heed_sample(j, from, spikes.size(), 64);
      for (std::size_t g = 0; g < arrivals.group_count(); ++g) {
        heed_sample(g, t, spikes.size());
        const State& s = states_[j];
        linear::Vector<double> end;
        const bool known = arrivals.flows.known(g) && !(s.release > t);
        if (known) end = arrivals.flows.flow(g, plan_.linear_neuron(j), s.x);
        advance(j, t, arrivals.times[g], spikes, known ? &end : nullptr);
        t = arrivals.times[g];
        for (const auto& arrival : arrivals.group(g))
          receive(j, arrival.projection, arrival.weight(j), t);
        jump(j, t, spikes);
      }
      advance(j, t, to, spikes);
    }
  }

  double quiet_until(double t, double t_end, std::vector<RecordedSpike<Real>>& scratch) override {
    // Until somebody is released: side by side no more is known. (One by one it would be.)
    for (const State& s : states_) {
      if (s.release > t) t_end = std::min(t_end, s.release);
    }
    return Group<Real>::quiet_until(t, t_end, scratch);
  }

  void earliest(double t, double t_end, std::vector<RecordedSpike<Real>>& spikes) override {
    spikes.clear();
    const auto meet_at = [&](std::size_t j, double time) {
      if (time == infinity || (!spikes.empty() && time > spikes[0].time)) return;
      if (!spikes.empty() && time < spikes[0].time) spikes.clear();
      spikes.push_back({time, static_cast<std::int32_t>(j), 0});
    };
    const auto meet = [&](std::size_t j, State s) { meet_at(j, next_spike(j, s, t, t_end)); };
    if (!together_) {
      for (std::size_t j = 0; j < states_.size(); ++j) meet(j, states_[j]);
      return;
    }
    const double length = length_of(t, t_end);
    const linear::Alike& all = *plan_.alike_linear;
    LinearKernels<Real>::best().look(layer_, step_over(length), all.bend(length));
    LinearCandidates& may = layer_.may_spike;
    const bool again = measure_candidates(t, t_end, length);
    LinearKernels<Real>::best().search(all, plan_.linear_neurons, may, again);
    for (std::size_t i = 0; i < may.count; ++i) {
      const std::size_t j = may.neuron[i];
      if (may.after[i] < 0 || states_[j].above || jumps_) {
        meet(j, {may.state(may.x, i, all.components), 0, states_[j].above});
      } else if (may.after[i] < infinity) {
        const double end = end_of(plan_.linear_neuron(j), {}, t, t_end);
        meet_at(j, neuron::within_interval(t + may.after[i], t, end));
      }
    }
  }

  void move_to(double t, double t_end, SampleRecord<Real>&) override {
    if (!together_) {
      for (std::size_t j = 0; j < states_.size(); ++j) move(j, states_[j], t, t_end);
      return;
    }
    const double length = length_of(t, t_end);
    LinearKernels<Real>::best().flow(layer_, step_over(length), {});
    for (std::size_t j = 0; j < states_.size(); ++j) {
      bool& above = states_[j].above;
      above = above && plan_.linear_neuron(j).above(layer_.get(j)) > 0;
    }
  }

  void reset(const RecordedSpike<Real>& spike) override {
    const auto j = static_cast<std::size_t>(spike.neuron);
    if (together_) states_[j].x = layer_.get(j);
    spike_at(j, spike.time);
    if (together_) layer_.set(j, states_[j].x);
  }

  void arrive(std::size_t j, std::int32_t projection, const Real* weight, double t) override {
    if (together_) {
      return LinearKernels<Real>::best().arrive(layer_, weight,
                                                plan_.alike_linear->receptor_of(projection));
    }
    if (j != any_column) return receive(j, projection, *weight, t);
    for (std::size_t k = 0; k < states_.size(); ++k) receive(k, projection, weight[k], t);
  }
  void arrived(double t, std::vector<RecordedSpike<Real>>& spikes) override {
    spikes.clear();
    for (std::size_t j = 0; jumps_ && j < states_.size(); ++j) {
      if (together_) states_[j].x = layer_.get(j);
      if (jump(j, t, spikes) && together_) layer_.set(j, states_[j].x);
    }
  }

 private:
  struct State {
    linear::Vector<double> x;
    double release;  // V is held until then
    bool above;      // the threshold lies below V since the last spike: no crossing from below yet
  };
  const PopulationPlan<Real>& plan_;
  bool together_;
  bool own_;                   // together, but each with a motion of its own
  bool jumps_ = false;         // can arrivals make spikes?
  double settling_time_ = 0;   // the longest
  LinearLayer<Real>& layer_;   // together
  std::vector<State> states_;  // together: x counts of those that are held alone, and of it V
  SpikeStates* found_;         // where to leave x at spikes; null: nowhere
  std::vector<std::size_t> freed_;
  std::vector<double> begun_;  // [candidate] when its interval begins

  // What takes all over one interval; of their own: in the layer.
  linear::Step step_over(double length) {
    if (!own_) return plan_.alike_linear->step(length);
    layer_.find_own(length);
    return {};
  }

  // All from arrival to arrival. Those that are released on the way, or that arrivals may make spike, go
  // through the interval by themselves, and join the others again at its end.
  void pass_together(const Arrivals<Real>& arrivals, double from, double to,
                     std::vector<RecordedSpike<Real>>& spikes) {
    const linear::Alike& all = *plan_.alike_linear;
    const std::size_t groups = arrivals.group_count();
    const double end = end_of(groups > 0 ? arrivals.times.back() : from, to);
    double t = from;
    for (std::size_t g = 0; g <= groups; ++g) {
      heed_sample(g, t, spikes.size());
      const double next = g < groups ? arrivals.times[g] : to;
      const auto arrived = g > 0 ? arrivals.group(g - 1) : std::span<const Arrival<Real>>();
      free_until(next, arrived);
      const double length = length_of(t, next);
      if (own_) layer_.find_own(arrivals, g, t, end);
      const linear::Step none, &step = own_ ? none : arrivals.steps[g];
      LinearKernels<Real>::best().pass(layer_, step, all.bend(length), arrived);
      if (layer_.may_spike.count > 0) {
        jumps_ ? advance_jumping(t, next, g > 0, spikes) : search(t, next, length, spikes);
      }
      for (const std::size_t j : freed_) {
        layer_.set_theta(j, plan_.linear_neuron(j).theta);
        advance(j, t, next, spikes);
        settle(j, next);
      }
      t = next;
    }
  }
  // How long the intervals of those that may spike are. @returns  do they end elsewhere than the pass?
  bool measure_candidates(double t, double t_end, double length) {
    LinearCandidates& may = layer_.may_spike;
    const bool each = own_ && std::isinf(t_end);  // comes to rest at a time of its own
    std::fill_n(may.length.begin(), may.count, length);
    for (std::size_t i = 0; each && i < may.count; ++i) {
      may.length[i] = end_of(plan_.linear_neuron(may.neuron[i]), {}, t, t_end) - t;
    }
    return each;
  }
  // Those that may spike, side by side: in each round the next spike of each.
  void search(double t, double next, double length, std::vector<RecordedSpike<Real>>& spikes) {
    const std::size_t components = plan_.alike_linear->components;
    LinearCandidates& may = layer_.may_spike;
    begun_.assign(may.count, t);
    bool again = measure_candidates(t, next, length);
    for (; may.count > 0; again = true) {
      LinearKernels<Real>::best().search(*plan_.alike_linear, plan_.linear_neurons, may, again);
      std::size_t left = 0;
      for (std::size_t i = 0; i < may.count; ++i) {
        const std::size_t j = may.neuron[i];
        State& s = states_[j];
        const double begin = begun_[i];
        if (may.after[i] < 0 || s.above) {  // too much happens at once
          s.x = may.state(may.x, i, components);
          advance(j, begin, next, spikes);
          settle(j, next);
        } else if (may.after[i] == infinity) {
          if (again) layer_.set(j, may.state(may.end, i, components));
        } else {
          s.x = may.state(may.at, i, components);
          const double end = end_of(plan_.linear_neuron(j), {}, begin, next);
          const double time = neuron::within_interval(begin + may.after[i], begin, end);
          add(spikes, j, time);
          spike_at(j, time);
          if (s.release > time || s.above || !(time < next)) {
            advance(j, time, next, spikes);
            settle(j, next);
          } else {
            may.neuron[left] = j;
            may.length[left] = end_of(plan_.linear_neuron(j), {}, time, next) - time;
            for (std::size_t k = 0; k < components; ++k) may.x[k][left] = s.x[k];
            begun_[left++] = time;
          }
        }
      }
      may.count = left;
    }
  }
  // Those that may spike where arrivals make spikes, one by one.
  void advance_jumping(double t, double next, bool arrived,
                       std::vector<RecordedSpike<Real>>& spikes) {
    const LinearCandidates& may = layer_.may_spike;
    const std::size_t components = plan_.alike_linear->components;
    for (std::size_t i = 0; i < may.count; ++i) {
      const std::size_t j = may.neuron[i];
      states_[j].x = may.state(may.x, i, components);
      const linear::Vector<double> end = may.state(may.end, i, components);
      const bool jumped = arrived && jump(j, t, spikes);
      const bool known =
          !jumped && !(own_ && std::isinf(next));  // which each takes to be another time
      if (advance(j, t, next, spikes, known ? &end : nullptr) || jumped) settle(j, next);
    }
  }
  // Takes those out that are released until `next`, with their state at the start of the interval.
  void free_until(double next, std::span<const Arrival<Real>> arrived) {
    freed_.clear();
    layer_.release_until(next, [&](std::size_t j) {
      linear::Vector<double>& x = states_[j].x;
      const double v = x[0];
      x = layer_.get(j, arrived);
      x[0] = v;
      freed_.push_back(j);
    });
  }
  // Neuron j joins the others, as it is at t; or those that are held.
  void settle(std::size_t j, double t) {
    const State& s = states_[j];
    layer_.set(j, s.x);
    if (s.release > t) layer_.hold(j, s.release);
  }

  void receive(std::size_t j, std::int32_t projection, Real weight, double t) {
    State& s = states_[j];
    plan_.linear_neuron(j).receive(s.x, projection, static_cast<double>(weight), s.release > t);
  }
  // A spike at t if what has just arrived brought the neuron over its threshold.
  bool jump(std::size_t j, double t, std::vector<RecordedSpike<Real>>& spikes) {
    const linear::Neuron& n = plan_.linear_neuron(j);
    State& s = states_[j];
    if (!n.jumps || s.release > t) return false;
    const bool above = n.above(s.x) > 0, spiked = n.spikes && above && !s.above;
    s.above = above;
    if (!spiked) return false;
    add(spikes, j, t);
    spike_at(j, t);
    return true;
  }
  // Neuron j, in the state just before.
  void add(std::vector<RecordedSpike<Real>>& spikes, std::size_t j, double time) {
    heed_sample(spikes.size(), time, spikes.size());
    spikes.push_back({time, static_cast<std::int32_t>(j), 0});
    if (!found_) return;
    spikes.back().found = static_cast<std::uint32_t>(found_->size());
    found_->push_back(states_[j].x);
  }
  void spike_at(std::size_t j, double time) {
    const linear::Neuron& n = plan_.linear_neuron(j);
    State& s = states_[j];
    s.x = n.after_spike(s.x);
    s.release = n.release_after(time);
    s.above = n.starts_above(s.x);
  }
  // An endless sample ends where the neuron has come to rest.
  static double end_of(const linear::Neuron& n, const State& s, double t, double t_end) {
    return std::isinf(t_end) ? std::max(t, s.release) + n.settling_time() : t_end;
  }
  // Of an interval of all that are free.
  double end_of(double t, double t_end) const {
    return std::isinf(t_end) ? t + settling_time_ : t_end;
  }
  double length_of(double t, double t_end) const { return end_of(t, t_end) - t; }
  // From t to t_end, without a spike.
  void move(std::size_t j, State& s, double t, double t_end) const {
    const linear::Neuron& n = plan_.linear_neuron(j);
    t_end = end_of(n, s, t, t_end);
    if (s.release > t) {
      const double until = std::min(s.release, t_end);
      s.x = n.held.flow(s.x, until - t, most_components);
      if (until == s.release) s.above = n.starts_above(s.x);
      t = until;
    }
    if (t == t_end) return;
    s.x = n.free.flow(s.x, t_end - t, most_components);
    s.above = s.above && n.above(s.x) > 0;
  }
  // Takes neuron j to its next spike in (t, t_end], or to t_end. Returns the time of the spike;
  // infinity if there is none.
  // @param known  the state at t_end without a spike; null: to be found out
  double next_spike(std::size_t j, State& s, double t, double t_end,
                    const linear::Vector<double>* known = nullptr) const {
    const linear::Neuron& n = plan_.linear_neuron(j);
    t_end = end_of(n, s, t, t_end);
    if (s.release > t) {
      const double until = std::min(s.release, t_end);
      move(j, s, t, until);
      t = until;
    }
    if (!(t < t_end)) return infinity;
    const linear::Vector<double> end =
        known ? *known : n.free.flow(s.x, t_end - t, most_components);
    if (n.spikes) {
      const linear::Crossing spike = linear::Search(n, s.x, !s.above).first(t_end - t, end);
      if (spike.found()) {
        s.x = spike.x;
        const double time = neuron::within_interval(t + spike.after, t, t_end);
        // What arrives at the end of the interval makes spikes of its own there, and time is all that
        // tells the two apart: observe/linear_replay.hpp.
        const double before = std::nextafter(time, t);
        return n.jumps && time == t_end && before > t ? before : time;
      }
    }
    s.x = end;
    s.above = s.above && n.above(s.x) > 0;
    return infinity;
  }
  // @returns  does it spike?
  bool advance(std::size_t j, double t, double t_end, std::vector<RecordedSpike<Real>>& spikes,
               const linear::Vector<double>* known = nullptr) {
    bool spiked = false;
    for (double time; (time = next_spike(j, states_[j], t, t_end, known)) != infinity; t = time) {
      add(spikes, j, time);
      spike_at(j, time);
      known = nullptr;
      spiked = true;
    }
    return spiked;
  }
};

}  // namespace saltus
