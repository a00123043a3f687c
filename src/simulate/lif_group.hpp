// SPDX-License-Identifier: Apache-2.0
// LIF neurons (neuron/lif.hpp), side by side, in vectors: all from one arrival to the next
// (simulate/layer_kernel.cpp), or each through arrivals of its own (simulate/lanes_kernel.cpp). Event
// by event they go one after the other in the second case, or if they are refractory.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "neuron/decay_kernel.hpp"
#include "neuron/lif.hpp"
#include "simulate/group.hpp"
#include "simulate/lane_course.hpp"
#include "simulate/limits.hpp"

namespace saltus {

template <class Real>
class LifGroup final : public Group<Real> {
 public:
  LifGroup(SampleRun<Real>& run, std::size_t population, Steps steps)
      : plan_(run.plan.populations[population]),
        size_(run.plan.size(population)),
        together_(!run.plan.scalar && !run.thresholds && suits(steps)),
        layer_(run.workspace.layer_of(population)) {
    if (run.thresholds) at_thresholds_.emplace(*run.thresholds, run.plan, population, run.sample);
    if (!together_ || plan_.refractory) last_spike_.resize(size_);
    if (together_) layer_.start(plan_, size_);
    for (std::size_t j = 0; !together_ && j < size_; ++j) {
      states_.push_back({plan_.neuron(j).v_initial, plan_.neuron(j).i_initial});
    }
    const auto [times, neurons] = run.record[population].spikes();
    for (std::size_t k = 0; plan_.refractory && k < times.size(); ++k) {
      hold(static_cast<std::size_t>(neurons[k]), k, times[k]);
    }
  }

  void pass(Timeline<Real>& timeline, double from, double to,
            std::vector<RecordedSpike<Real>>& spikes, SampleRecord<Real>& record) override {
    if (!together_) {
      for (std::size_t j = 0; j < states_.size(); ++j) {
        heed_sample(j, from, spikes.size(), 64);
        pass(j, timeline.of(j), from, to, spikes, record);
      }
      return;
    }
    layer_.begin_pass();
    if (plan_.per_column) {
      pass_lanes(timeline, from, to, spikes);
    } else {
      LayerKernels<Real>::best().sweep(plan_, layer_, timeline.shared(), from, to, spikes);
    }
    for (const Release<Real>& r : layer_.releases) {
      if (r.spike == Release<Real>::earlier_pass) {
        record.release_currents[last_spike_[r.neuron]] = r.current;
      } else {
        spikes[r.spike].release_current = r.current;
      }
    }
  }

  bool steps_between_passes() const override { return plan_.in_step() && !plan_.refractory; }

  double quiet_until(double t, double t_end, std::vector<RecordedSpike<Real>>& scratch) override {
    // Until somebody is released: in vectors no more is known. (One by one it would be.)
    if (together_) t_end = std::min(t_end, layer_.next_release());
    for (const auto& state : states_) {
      if (state.release > t) t_end = std::min(t_end, state.release);
    }
    return Group<Real>::quiet_until(t, t_end, scratch);
  }

  void earliest(double t, double t_end, std::vector<RecordedSpike<Real>>& spikes) override {
    neuron::Decay<Real> d = shared_decay(t_end - t);
    if (together_) {
      LayerKernels<Real>::best().earliest_spikes(plan_, layer_, d, t, t_end, spikes);
      return;
    }
    spikes.clear();
    for (std::size_t j = 0; j < states_.size(); ++j) {
      const auto& n = neuron(j);
      if (!plan_.same_time_constants) d = neuron::own_decay(n.own, t_end - t);
      const auto spike = next_spike(n, states_[j], t, t_end, d);
      if (!spike.found() || (!spikes.empty() && spike.time > spikes[0].time)) continue;
      if (!spikes.empty() && spike.time < spikes[0].time) spikes.clear();
      spikes.push_back(
          {spike.time, static_cast<std::int32_t>(j), neuron::rising_current(n, spike.current)});
    }
  }

  void move_to(double t, double t_end, SampleRecord<Real>& record) override {
    neuron::Decay<Real> d = shared_decay(t_end - t);
    if (together_) {
      LayerKernels<Real>::best().flow(plan_, layer_, d, t_end - t);
      return;
    }
    for (std::size_t j = 0; j < states_.size(); ++j) {
      const auto& n = neuron(j);
      if (!plan_.same_time_constants) d = neuron::own_decay(n.own, t_end - t);
      Real release_current = 0;
      const bool released = states_[j].release > t && states_[j].release <= t_end;
      move(n, states_[j], t, t_end, d, release_current);
      if (released) record.release_currents[last_spike_[j]] = release_current;
    }
  }

  void reset(const RecordedSpike<Real>& spike) override {
    const auto j = static_cast<std::size_t>(spike.neuron);
    const auto& n = plan_.neuron(j);
    // Where the synapse is slow the recorded current may be larger than I (rising_current).
    const bool own = n.tc.slow_synapse();
    if (together_) {
      layer_.set(j, n.v_reset, own ? layer_.current(j) : spike.current);
    } else {
      states_[j] = {n.v_reset, own ? states_[j].i : spike.current, spike.time + n.tau_ref};
      if (at_thresholds_) at_thresholds_->next(j);
    }
  }

  void arrive(std::size_t j, std::int32_t, const Real* weight, double) override {
    if (together_) {
      LayerKernels<Real>::best().arrive(layer_, weight);
    } else if (j != any_column) {
      states_[j].i += *weight;
    } else {
      for (std::size_t k = 0; k < states_.size(); ++k) states_[k].i += weight[k];
    }
  }

  void recorded(std::int32_t neuron, std::int32_t number) override {
    if (last_spike_.empty()) return;
    last_spike_[static_cast<std::size_t>(neuron)] = static_cast<std::size_t>(number);
  }

 private:
  // Spike k, of before the sample, may hold its neuron at the start.
  void hold(std::size_t j, std::size_t k, double time) {
    const double release = time + plan_.neuron(j).tau_ref;
    last_spike_[j] = k;
    if (!(release > 0)) return;
    if (!together_) {
      states_[j].v = plan_.neuron(j).v_reset;
      states_[j].release = release;
      return;
    }
    const SlotLayout& layout = layer_.slots.layout();
    const std::size_t slot = layout.slot_of(j), second = layout.second_slot_of(j);
    layer_.hold(slot, release, k);
    if (second != slot) layer_.hold(second, release, k);
  }
  // Of all neurons, if they decay alike. From step to step the same length is asked for twice where
  // nobody spikes.
  const neuron::Decay<Real>& shared_decay(double length) {
    if (plan_.same_time_constants && !(length == length_)) {
      neuron::decays(plan_.neuron(0).tc, {&length, 1}, &decay_);
      length_ = length;
    }
    return decay_;
  }
  // Can they go in vectors?
  bool suits(Steps steps) const { return steps == Steps::passes || steps_between_passes(); }

  // Neuron j by itself.
  void pass(std::size_t j, const Arrivals<Real>& arrivals, double from, double to,
            std::vector<RecordedSpike<Real>>& spikes, SampleRecord<Real>& record) {
    const neuron::Lif<Real>& n = neuron(j);
    neuron::State<Real>& state = states_[j];
    Sink sink{*this, spikes, record, j, spikes.size()};
    double t = from;
    const std::size_t groups = arrivals.group_count();
    for (std::size_t g = 0; g < groups; ++g) {
      const double next = arrivals.times[g];
      heed_sample(g, t, spikes.size());
      neuron::advance(n, state, t, next, arrivals.decays[g], sink);
      for (const auto& arrival : arrivals.group(g)) state.i += arrival.weight(j);
      t = next;
    }
    neuron::advance(n, state, t, to, arrivals.decays[groups], sink);
  }

  // All, where each has arrivals of its own: as many at a time as a cache bears.
  void pass_lanes(Timeline<Real>& timeline, double from, double to,
                  std::vector<RecordedSpike<Real>>& spikes) {
    constexpr std::size_t lanes = LaneCourse<Real>::lanes;
    thread_local LaneCourse<Real> course;
    const SlotLayout layout = layer_.slots.layout();
    for (std::size_t slot = 0; slot < layout.count(); slot += lanes) {
      if (slot == 0 || course.full()) {
        heed_sample(slot / lanes, from, spikes.size(), 1);
        course.clear();
      }
      const std::size_t first = layout.neuron(slot);
      course.add(timeline.lists({first, std::min(first + lanes, size_)}), slot, from, to);
      if (slot + lanes < layout.count() && !course.full()) continue;
      LaneKernels<Real>::best().walk(plan_, layer_, course, from, spikes);
    }
  }

  const PopulationPlan<Real>& plan_;
  std::size_t size_;
  bool together_;
  LayerState<Real>& layer_;                          // together
  std::vector<neuron::State<Real>> states_;          // one by one
  std::vector<std::size_t> last_spike_;              // [neuron] within the sample's record
  std::optional<AtThresholds<Real>> at_thresholds_;  // unless all are at their means
  neuron::Decay<Real> decay_{};                      // over length_
  double length_ = -1;

  // Of one neuron in a pass. A release may belong to a spike of an earlier pass, which is in the
  // record already.
  struct Sink {
    LifGroup& group;
    std::vector<RecordedSpike<Real>>& spikes;
    SampleRecord<Real>& record;
    std::size_t neuron, first;  // in spikes, of this pass

    void spike(double time, Real current) {
      heed_sample(spikes.size(), time, spikes.size());
      spikes.push_back({time, static_cast<std::int32_t>(neuron), current});
      // `advance` goes on with the neuron that this changes.
      if (group.at_thresholds_) group.at_thresholds_->next(neuron);
    }
    void release(Real current) {
      if (spikes.size() > first) {
        spikes.back().release_current = current;
      } else {
        record.release_currents[group.last_spike_[neuron]] = current;
      }
    }
  };

  const neuron::Lif<Real>& neuron(std::size_t j) const {
    return at_thresholds_ ? (*at_thresholds_)[j] : plan_.neuron(j);
  }

  // The next spike of one neuron in (t, t_end].
  static neuron::Crossing<Real> next_spike(const neuron::Lif<Real>& n, const neuron::State<Real>& s,
                                           double t, double t_end, const neuron::Decay<Real>& d) {
    if (s.release <= t) {
      return neuron::first_crossing(n, s.v, s.i, t, t_end, d,
                                    neuron::membrane_after(n, s.v, s.i, d));
    }
    if (s.release >= t_end) return {infinity, 0};
    const Real i = s.i * static_cast<Real>(std::exp(-(s.release - t) / n.tc.tau_syn));
    const auto rest = neuron::decay<Real>(n.tc, t_end - s.release);
    return neuron::first_crossing(n, s.v, i, s.release, t_end, rest,
                                  neuron::membrane_after(n, s.v, i, rest));
  }

  // Takes one neuron to `t_end`, where it is known not to spike before.
  static void move(const neuron::Lif<Real>& n, neuron::State<Real>& s, double t, double t_end,
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
};

}  // namespace saltus
