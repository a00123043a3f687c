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
#include "simulate/by_events.hpp"
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

  ByEvents<Real> events(run, component, groups);
  const auto send = [&](std::size_t c, std::int32_t number, std::int32_t neuron, double time) {
    send_all(run.plan, component, pending, component.populations[c], number, neuron, time);
  };
  double t = 0;
  for (std::size_t step = 0;; ++step) {
    heed_sample(step, t, 0);
    t = events.advance(t, std::min(end, next_arrival(pending)), send);
    if (events.spiked()) continue;
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
      events.arrived(c, t, send);
    }
  }
}

template void run_event_loop(SampleRun<float>&, const Component&);
template void run_event_loop(SampleRun<double>&, const Component&);

}  // namespace saltus
