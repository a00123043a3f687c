// SPDX-License-Identifier: Apache-2.0
// A component whose every delay is at least d_min > 0 runs in windows: a spike of one window arrives
// in a later one, so within a window all arrivals are known and every neuron is independent (the
// scheme of NEST: Morrison et al. 2005). Each window is a sweep that starts where the last ended. It
// lasts d_min, or, where nothing arrives for so long, until d_min after the next thing that happens:
// silence costs nothing.
#include "machine/sort_by_time.hpp"
#include "simulate/group.hpp"
#include "simulate/pending.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

// Until when nothing arrives and nobody spikes.
template <class Real>
double next_event(std::vector<std::unique_ptr<Group<Real>>>& groups, double next_arrival,
                  double from, double end, std::vector<RecordedSpike<Real>>& scratch) {
  double next = std::min(next_arrival, end);
  for (auto& group : groups) next = group->quiet_until(from, next, scratch);
  return next;
}

}  // namespace

template <class Real>
void run_windows(SampleRun<Real>& run, const Component& component) {
  Workspace<Real>& ws = run.workspace;
  const double end = run.end();
  std::vector<std::unique_ptr<Group<Real>>> groups;
  std::vector<Pending<Real>> pending;
  for (const std::size_t p : component.populations) {
    pending.emplace_back(run, component, p);
    groups.push_back(make_group(run, p, Steps::passes));
  }

  double from = 0;
  do {
    double to = from + component.shortest_delay;
    const double arrival = to < end ? next_arrival(pending) : from;
    if (arrival >= to) {
      to = next_event(groups, arrival, from, end, ws.spikes) + component.shortest_delay;
    }
    to = std::min(to, end);
    for (std::size_t c = 0; c < groups.size(); ++c) {
      const std::size_t population = component.populations[c];
      Group<Real>& group = *groups[c];
      SampleRecord<Real>& record = run.record[population];
      const bool alike = run.plan.populations[population].same_time_constants;
      ws.spikes.clear();
      const std::size_t passes = group.together() ? 1 : run.plan.size(population);
      for (std::size_t j = 0; j < passes; ++j) {
        const std::size_t queue = pending[c].queue_of(j);
        const bool first = j == 0 || queue == j;  // of those that see this queue
        if (first) {
          ws.window.clear();
          while (pending[c].next(queue) < to) ws.window.list.push_back(pending[c].take(queue));
          ws.window.finish(to);
        }
        if (first || !alike) group.prepare(ws.window, j, from, to);
        group.pass(j, ws.window, from, to, ws.spikes, record);
      }
      sort_by_time(ws.spikes);
      for (const auto& spike : ws.spikes) {
        const auto number = static_cast<std::int32_t>(record.size());
        group.recorded(spike.neuron, number);
        record.append(spike);
        send_all(run.plan, component, pending, population, number, spike.neuron, spike.time);
      }
    }
    from = to;
  } while (from < end);
}

template void run_windows(SampleRun<float>&, const Component&);
template void run_windows(SampleRun<double>&, const Component&);

}  // namespace saltus
