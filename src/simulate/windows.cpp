// SPDX-License-Identifier: Apache-2.0
// A component whose every delay is at least d_min > 0 runs in windows: a spike of one window arrives
// in a later one, so within a window all arrivals are known and every neuron is independent (the
// scheme of NEST: Morrison et al. 2005). Each window is a sweep that starts where the last ended. It
// lasts d_min, or, where nothing arrives for so long, until d_min after the next thing that happens:
// silence costs nothing.
//
// Where not even two arrivals fall into the shortest window, lists are not worth their while: all go on to
// the next arrival or spike together (simulate/by_events.hpp).
//
// What arrives in a window is looked up among the spikes that are on their way. Where that is many
// windows long, it would be looked at again and again: arrivals then wait in queues. Of synapses that
// are listed each arrival waits in a calendar (plan/calendar.hpp).
#include "machine/sort_by_time.hpp"
#include "simulate/by_events.hpp"
#include "simulate/pending.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

template <class Real>
class Windows {
 public:
  Windows(SampleRun<Real>& run, const Component& component)
      : run_(run),
        component_(component),
        known_(run.record.size()),
        first_(run.plan.network->projections().size()),
        calendars_(first_.size()) {
    double spread = 0;
    for (const std::size_t p : component.populations) {
      groups_.push_back(make_group(run, p, Steps::passes));
    }
    for_each_incoming([&](std::size_t, std::size_t k) {
      spread = std::max(spread, run.plan.delays[k].longest - run.plan.delays[k].shortest);
    });
    queued_ = spread > most_windows * component.shortest_delay;
    if (queued_) {
      for (const std::size_t p : component.populations) pending_.emplace_back(run, component, p);
      send_past(run, component, pending_);
    } else {
      for_each_incoming([&](std::size_t, std::size_t k) {
        if (run.plan.in_rows(k)) return;
        calendars_[k].emplace(run.plan.network->projections()[k], component.shortest_delay,
                              run.plan.delays[k].longest);
      });
    }
    know_all();
    steps_ = !queued_ && std::ranges::all_of(groups_, [](const auto& group) {
      return group->steps_between_passes();
    });
    for_each_incoming([&](std::size_t, std::size_t k) {
      const Delay::Kind delay = run.plan.network->projections()[k].delay.kind;
      steps_ = steps_ && run.plan.in_rows(k) && delay <= Delay::Kind::common;
    });
  }

  void go() {
    const double end = run_.end(), shortest = component_.shortest_delay;
    double from = 0;
    std::size_t windows = 0, steps = 0;
    do {
      if (steps_ && alone_ < most_alone && few_arrive(from)) {
        heed_sample(steps++, from, 0);
        from = step(from);
        continue;
      }
      alone_ = 0;
      heed_sample(windows++, from, 0, 16);  // each may hold thousands of arrivals
      double to = from + shortest;
      const double arrival = to < end ? next_arrival(from) : from;
      if (arrival >= to) to = next_event(arrival, from) + shortest;
      to = std::min(to, end);
      for (std::size_t c = 0; c < groups_.size(); ++c) pass(c, from, to);
      for (const std::size_t p : component_.populations) {
        known_[p] = {known_[p].spikes, run_.record[p].size()};
      }
      from = to;
    } while (from < end);
  }

 private:
  // Of one population when a window begins: how many spikes, and how many one window before.
  struct Known {
    std::size_t before = 0, spikes = 0;
  };
  SampleRun<Real>& run_;
  const Component& component_;
  std::vector<std::unique_ptr<Group<Real>>> groups_;
  // A synaptic event in a queue costs as much as so many looks at it.
  static constexpr double most_windows = 40;
  bool queued_ = false;
  std::vector<Pending<Real>> pending_;  // as the component's populations, if queued
  std::vector<Known> known_;            // per population of the network; of those of the component
  // Per projection: all spikes before this one have arrived.
  std::vector<std::size_t> first_;
  std::vector<std::optional<Calendar<Real>>> calendars_;  // per projection; not if queued
  ByEvents<Real> events_{run_, component_, groups_};
  // Where more neurons spike and nothing arrives, a window takes less than a step for each.
  static constexpr std::size_t most_alone = 8;
  std::size_t alone_ = 0;  // steps in a row that ended with a spike
  bool steps_ = false;  // can it go event by event: what arrives does so in the order of the spikes
  double next_ = 0;     // arrival, if steps_

  bool inside(std::size_t population) const { return component_.place_of(population).has_value(); }
  // The first spike of a population that the window before did not know.
  std::size_t fresh(std::size_t population) const {
    return inside(population) ? known_[population].before : static_cast<std::size_t>(-1);
  }
  // What a window knows of a population.
  SampleSpikes spikes_of(std::size_t population) const {
    const SampleSpikes all = run_.spikes_of(population);
    if (!inside(population)) return all;
    const std::size_t known = known_[population].spikes;
    return {all.times.first(known), all.neurons.first(known)};
  }

  void pass(std::size_t c, double from, double to) {
    const std::size_t population = component_.populations[c];
    Workspace<Real>& ws = run_.workspace;
    SampleRecord<Real>& record = run_.record[population];
    if (queued_) {
      ws.timeline.start_window(run_.plan, population, from, to, pending_[c]);
    } else {
      ws.timeline.start_window(
          run_.plan, population, from, to, [&](std::size_t p) { return spikes_of(p); },
          [&](std::size_t k) { return first_[k]; }, [&](std::size_t p) { return fresh(p); },
          calendars_);
    }
    ws.spikes.clear();
    ws.states.clear();
    if (sample_watch) sample_watch->enter(population, to);
    groups_[c]->pass(ws.timeline, from, to, ws.spikes, record);
    if (sample_watch) sample_watch->take(ws.spikes.size());
    sort_by_time(std::span(ws.spikes));
    for (const auto& spike : ws.spikes) {
      const auto number = static_cast<std::int32_t>(record.size());
      groups_[c]->recorded(spike.neuron, number);
      record.append({&spike, 1}, ws.states);
      if (!queued_) continue;
      send_all(run_.plan, component_, pending_, population, number, spike.neuron, spike.time);
    }
  }

  // visit(place in the component, projection)
  template <class Visit>
  void for_each_incoming(Visit&& visit) const {
    for (std::size_t c = 0; c < component_.populations.size(); ++c) {
      for (const std::size_t k : run_.plan.populations[component_.populations[c]].incoming) {
        visit(c, k);
      }
    }
  }
  void know_all() {
    for (const std::size_t p : component_.populations) {
      known_[p] = {run_.record[p].size(), run_.record[p].size()};
    }
  }

  // Where steps_: the spikes of projection k that have not arrived by `from`, and when the first of them
  // does (rounding may let it be late).
  SampleSpikes on_the_way(std::size_t k, double from) {
    const Projection<Real>& p = run_.plan.network->projections()[k];
    const SampleSpikes all = run_.spikes_of(p.source);
    const std::size_t old = std::min(fresh(p.source), all.times.size());
    const double delay = run_.plan.delays[k].shortest;
    std::size_t& first = first_[k];
    while (first < old && all.times[first] + delay < from) ++first;
    return {all.times.subspan(first), all.neurons.subspan(first)};
  }
  // Do less than two arrivals fall into the shortest window? Finds the next.
  bool few_arrive(double from) {
    double second = infinity;
    next_ = infinity;
    for_each_incoming([&](std::size_t, std::size_t k) {
      const auto times = on_the_way(k, from).times;
      const double delay = run_.plan.delays[k].shortest;
      for (std::size_t s = 0; s < std::min<std::size_t>(2, times.size()); ++s) {
        const double at = std::max(times[s] + delay, from);
        if (at == next_) continue;
        second = std::min(second, std::max(at, next_));
        next_ = std::min(next_, at);
      }
    });
    return !(second < from + component_.shortest_delay);
  }
  // To the next spike or arrival, which is then past.
  double step(double from) {
    const auto send = [](std::size_t, std::int32_t, std::int32_t, double) {};
    const double t = events_.advance(from, std::min(next_, run_.end()), send);
    alone_ = events_.spiked() ? alone_ + 1 : 0;
    if (!events_.spiked() && t < run_.end()) {
      for_each_incoming([&](std::size_t c, std::size_t k) {
        const Rows<Real> rows = run_.plan.rows(k);
        const auto [times, neurons] = on_the_way(k, from);
        const double delay = run_.plan.delays[k].shortest;
        for (std::size_t s = 0; s < times.size() && times[s] + delay <= t; ++s, ++first_[k]) {
          groups_[c]->arrive(any_column, static_cast<std::int32_t>(k),
                             rows[static_cast<std::size_t>(neurons[s])], t);
        }
      });
    }
    know_all();
    return t;
  }

  // Nothing arrives before: the first spike that may still be on its way, with the shortest delay.
  double next_arrival(double from) {
    if (queued_) return saltus::next_arrival(pending_);
    double next = infinity;
    for (const std::size_t population : component_.populations) {
      for (const std::size_t k : run_.plan.populations[population].incoming) {
        const DelayRange& delays = run_.plan.delays[k];
        const std::size_t source = run_.plan.network->projections()[k].source;
        const auto times = spikes_of(source).times;
        std::size_t& first = first_[k];
        while (first < times.size() && times[first] + delays.longest < from) ++first;
        if (first > fresh(source)) return from;  // late, by rounding: see Source
        if (first < times.size()) next = std::min(next, times[first] + delays.shortest);
      }
    }
    return next;
  }
  // Until when nothing arrives and nobody spikes.
  double next_event(double arrival, double from) {
    double next = std::min(arrival, run_.end());
    for (auto& group : groups_) next = group->quiet_until(from, next, run_.workspace.spikes);
    return next;
  }
};

}  // namespace

template <class Real>
void run_windows(SampleRun<Real>& run, const Component& component) {
  Windows<Real>(run, component).go();
}

template void run_windows(SampleRun<float>&, const Component&);
template void run_windows(SampleRun<double>&, const Component&);

}  // namespace saltus
