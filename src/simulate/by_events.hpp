// SPDX-License-Identifier: Apache-2.0
// The neurons of a component from one event to the next, all at once: the step that the event loop
// (simulate/event_loop.cpp) consists of, and that windows take where hardly anything arrives.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "simulate/group.hpp"
#include "simulate/limits.hpp"

namespace saltus {

template <class Real>
class ByEvents {
 public:
  using Groups = std::vector<std::unique_ptr<Group<Real>>>;

  /// @param groups  as component.populations
  ByEvents(SampleRun<Real>& run, const Component& component, Groups& groups)
      : run_(run), component_(component), groups_(groups) {}

  /// Takes all neurons to the earliest spike in (t, next], which is recorded, or else to `next`.
  /// @param send  called for each spike recorded: (place of its population in the component, its
  ///              number in the record, neuron, time)
  /// @returns  where they are
  template <class Send>
  double advance(double t, double next, Send&& send) {
    together_.clear();
    for (std::size_t c = 0; next > t && c < groups_.size(); ++c) {
      groups_[c]->earliest(t, next, found());
      if (found().empty()) continue;
      if (!together_.empty() && found()[0].time > together_[0].second.time) continue;
      if (!together_.empty() && found()[0].time < together_[0].second.time) together_.clear();
      for (const auto& spike : found()) together_.emplace_back(c, spike);
    }
    const double to = together_.empty() ? next : together_[0].second.time;
    if (to != t) {
      for (std::size_t c = 0; c < groups_.size(); ++c) {
        groups_[c]->move_to(t, to, run_.record[component_.populations[c]]);
      }
    }
    for (const auto& [c, spike] : together_) {
      groups_[c]->reset(spike);
      record(c, spike, to, send);
    }
    return to;
  }
  /// Did anybody spike where they are now?
  bool spiked() const { return !together_.empty(); }

  /// All that arrives at t at a group has: records the spikes that this made at once.
  template <class Send>
  void arrived(std::size_t c, double t, Send&& send) {
    groups_[c]->arrived(t, found());
    for (const auto& spike : found()) record(c, spike, t, send);
  }

 private:
  SampleRun<Real>& run_;
  const Component& component_;
  Groups& groups_;
  std::vector<std::pair<std::size_t, RecordedSpike<Real>>> together_;  // group, spike: all earliest

  std::vector<RecordedSpike<Real>>& found() { return run_.workspace.spikes; }

  template <class Send>
  void record(std::size_t c, const RecordedSpike<Real>& spike, double t, Send& send) {
    const std::size_t population = component_.populations[c];
    SampleRecord<Real>& all = run_.record[population];
    const auto number = static_cast<std::int32_t>(all.size());
    if (sample_watch) {
      sample_watch->enter(population, t);
      sample_watch->take(1);
    }
    groups_[c]->recorded(spike.neuron, number);
    all.append(spike);
    send(c, number, spike.neuron, t);
  }
};

}  // namespace saltus
