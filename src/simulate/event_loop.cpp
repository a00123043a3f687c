// SPDX-License-Identifier: Apache-2.0
// The dense event loop, for any graph: also cycles without delay.
//
//     until the end:
//       find the earliest spike of all neurons before the next arrival
//       take all neurons to it (or to the arrival)
//       reset those that spike and send their spikes out; or add the weights that arrive (and send out
//       the spikes that these make at once)
//
// Spikes at one instant come before the arrivals of that instant, those that they cause included
// (docs/theory.md, section 3).
#include "simulate/group.hpp"
#include "simulate/limits.hpp"
#include "simulate/pending.hpp"
#include "simulate/ways.hpp"

namespace saltus {

template <class Real>
void run_event_loop(SampleRun<Real>& run, const Component& component) {
  const double end = run.end();
  std::vector<std::unique_ptr<Group<Real>>> groups;
  std::vector<Pending<Real>> pending;
  for (const std::size_t p : component.populations) {
    pending.emplace_back(run, component, p);
    groups.push_back(make_group(run, p, Steps::events));
  }

  send_past(run, component, pending);

  std::vector<RecordedSpike<Real>>& found = run.workspace.spikes;
  std::vector<std::pair<std::size_t, RecordedSpike<Real>>> together;  // group, spike: all earliest
  double t = 0;
  for (std::size_t step = 0;; ++step) {
    heed_sample(step, t, 0);
    const double next = std::min(end, next_arrival(pending));

    together.clear();
    for (std::size_t c = 0; next > t && c < groups.size(); ++c) {
      groups[c]->earliest(t, next, found);
      if (found.empty()) continue;
      if (!together.empty() && found[0].time > together[0].second.time) continue;
      if (!together.empty() && found[0].time < together[0].second.time) together.clear();
      for (const auto& spike : found) together.emplace_back(c, spike);
    }

    const double to = together.empty() ? next : together[0].second.time;
    if (to != t) {
      for (std::size_t c = 0; c < groups.size(); ++c) {
        groups[c]->move_to(t, to, run.record[component.populations[c]]);
      }
    }
    t = to;

    const auto send = [&](std::size_t c, const RecordedSpike<Real>& spike) {
      const std::size_t population = component.populations[c];
      SampleRecord<Real>& record = run.record[population];
      const auto number = static_cast<std::int32_t>(record.size());
      if (sample_watch) {
        sample_watch->enter(population, t);
        sample_watch->take(1);
      }
      groups[c]->recorded(spike.neuron, number);
      record.append(spike);
      send_all(run.plan, component, pending, population, number, spike.neuron, t);
    };
    if (!together.empty()) {
      for (const auto& [c, spike] : together) {
        groups[c]->reset(spike);
        send(c, spike);
      }
      continue;
    }
    if (t >= end) break;
    for (std::size_t c = 0; c < groups.size(); ++c) {
      for (std::size_t q = 0; q < pending[c].count(); ++q) {
        const std::size_t neuron =
            run.plan.populations[component.populations[c]].per_column ? q : any_column;
        while (pending[c].next(q) <= t) {
          const Arrival<Real> arrival = pending[c].take(q);
          groups[c]->arrive(neuron, arrival.projection,
                            neuron == any_column ? arrival.row : &arrival.weight(neuron), t);
        }
      }
      groups[c]->arrived(t, found);
      for (const auto& spike : found) send(c, spike);
    }
  }
}

template void run_event_loop(SampleRun<float>&, const Component&);
template void run_event_loop(SampleRun<double>&, const Component&);

}  // namespace saltus
