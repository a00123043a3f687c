// SPDX-License-Identifier: Apache-2.0
// Arrivals that a component with cycles still has before it: those from outside, known from the
// start, and those of its own spikes, added as they happen.
#pragma once

#include <algorithm>
#include <vector>

#include "simulate/ways.hpp"

namespace saltus {

/// Of one population: one queue for all neurons, or one per neuron where each has arrivals of its own.
template <class Real>
class Pending {
 public:
  Pending(SampleRun<Real>& run, const Component& component, std::size_t population)
      : post_(run.plan.size(population)),
        per_column_(run.plan.populations[population].per_column),
        queues_(per_column_ ? post_ : 1) {
    Timeline<Real>& timeline = run.workspace.timeline;
    timeline.start_some(
        run.plan, population, run.end(), [&](std::size_t p) { return run.spikes_of(p); },
        [&](std::size_t k) {
          const std::size_t source = run.plan.network->projections()[k].source;
          return !component.place_of(source);
        });
    for (std::size_t q = 0; q < queues_.size(); ++q) queues_[q].known = timeline.of(q).list;
  }

  std::size_t count() const { return queues_.size(); }
  std::size_t queue_of(std::size_t neuron) const { return per_column_ ? neuron : 0; }
  double next(std::size_t queue) const {
    const Queue& q = queues_[queue];
    const double known = q.at < q.known.size() ? q.known[q.at].time : infinity;
    return q.added.empty() ? known : std::min(known, q.added.front().time);
  }

  /// A spike inside the component sets out.
  void send(const Projection<Real>& projection, Rows<Real> rows, std::int32_t number,
            std::int32_t spike, std::int32_t neuron, double time) {
    if (!rows.data) {
      const SynapseList& synapses = projection.connection.synapses();
      for (const auto& s : synapses.from(static_cast<std::size_t>(neuron))) {
        const auto target = static_cast<std::size_t>(s.post);
        add(target, arrival_at(projection, number, time, spike, s.place));
      }
      return;
    }
    const Real* row = rows[static_cast<std::size_t>(neuron)];
    for (std::size_t q = 0; q < queues_.size(); ++q) {
      const double at = arrival_time(projection, time, neuron, per_column_ ? q : any_column, post_);
      add(q, {at, row, neuron, number, spike});
    }
  }

  /// Takes the earliest arrival.
  Arrival<Real> take(std::size_t queue) {
    Queue& q = queues_[queue];
    if (q.added.empty() || (q.at < q.known.size() && earlier(q.known[q.at], q.added.front()))) {
      return q.known[q.at++];
    }
    std::pop_heap(q.added.begin(), q.added.end(), later);
    const Arrival<Real> arrival = q.added.back();
    q.added.pop_back();
    return arrival;
  }

 private:
  struct Queue {
    std::vector<Arrival<Real>> known;  // from outside, in order
    std::size_t at = 0;                // the next of them
    std::vector<Arrival<Real>> added;  // from inside: a heap
  };
  static bool later(const Arrival<Real>& a, const Arrival<Real>& b) { return earlier(b, a); }
  void add(std::size_t queue, const Arrival<Real>& arrival) {
    if (arrival.time < 0) return;  // before the sample
    auto& added = queues_[queue].added;
    added.push_back(arrival);
    std::push_heap(added.begin(), added.end(), later);
  }

  std::size_t post_;
  bool per_column_;
  std::vector<Queue> queues_;
};

/// The earliest of all; infinity if none is left.
template <class Real>
double next_arrival(const std::vector<Pending<Real>>& pending) {
  double next = infinity;
  for (const auto& p : pending) {
    for (std::size_t q = 0; q < p.count(); ++q) next = std::min(next, p.next(q));
  }
  return next;
}

/// Hands a spike to every projection that leads from `population` into the component.
/// @param pending  as component.populations
template <class Real>
void send_all(const Plan<Real>& plan, const Component& component,
              std::vector<Pending<Real>>& pending, std::size_t population, std::int32_t spike,
              std::int32_t neuron, double time) {
  for (std::size_t c = 0; c < component.populations.size(); ++c) {
    for (const std::size_t k : plan.populations[component.populations[c]].incoming) {
      const Projection<Real>& projection = plan.network->projections()[k];
      if (projection.source != population) continue;
      pending[c].send(projection, plan.rows(k), static_cast<std::int32_t>(k), spike, neuron, time);
    }
  }
}

/// Of spikes of before the sample, what has not arrived yet: they stand in front of the record.
template <class Real>
void send_past(const SampleRun<Real>& run, const Component& component,
               std::vector<Pending<Real>>& pending) {
  for (const std::size_t population : component.populations) {
    const auto [times, neurons] = run.record[population].spikes();
    for (std::size_t k = 0; k < times.size(); ++k) {
      send_all(run.plan, component, pending, population, static_cast<std::int32_t>(k), neurons[k],
               times[k]);
    }
  }
}

}  // namespace saltus
