// SPDX-License-Identifier: Apache-2.0
// The mirror of simulate/event_loop.cpp (and of simulate/windows.cpp: back in time a cycle with
// delays needs no other order). Walks the events of one sample backwards:
//
//     an arrival inside the component:  E_k += sum_j w_jn (lambda_V,j - lambda_I,j), on its right
//     a spike:                          the jump, with the E_k gathered so far
//
// Or, where lambda of each neuron is kept as it was last known (adjoint/lif_lazy.hpp), the spike asks for
// all of that sum when its turn comes.
//
// A probe, the would-be spike of a ghost (docs/ghosts.md), arrives like a spike, and hands what it
// finds to its ghost. At one instant the spikes that arrivals made come first, then arrivals, then
// ghosts and maxima, which may move with them, then spikes, releases, samples. (A sample at the very
// time of a release sees V still held.)
#include <algorithm>

#include "adjoint/dynamics.hpp"
#include "adjoint/lif_in_step.hpp"
#include "adjoint/lif_lazy.hpp"
#include "adjoint/linear_back.hpp"
#include "machine/parallel.hpp"
#include "plan/arrivals.hpp"

namespace saltus {
namespace {

// The spikes of before the sample come last: they are met at its start.
enum class Kind : std::uint8_t {
  made,
  arrival,
  probe,
  ghost,
  maximum,
  spike,
  release,
  sample,
  past
};

struct Event {
  double time;
  Kind kind;
  std::uint32_t group;  // to which it happens
  std::size_t number;   // arrival, probe: of the sender's spike; ghost; maximum: of the neuron;
                        // made, spike, release, past: of the spike; sample: of the time
  std::size_t column = any_column;
  std::uint32_t projection = 0, sender = 0;  // arrival, probe
  std::int32_t synapse = -1;  // the same: place in the projection's list, if it has one
};

bool later(const Event& a, const Event& b) {
  if (a.time != b.time) return a.time > b.time;
  if (a.kind != b.kind) return a.kind < b.kind;
  if (a.projection != b.projection) return a.projection < b.projection;
  if (a.group != b.group) return a.group < b.group;
  if (a.number != b.number) return a.number > b.number;
  if (a.column != b.column) return a.column < b.column;
  return a.synapse < b.synapse;
}

// An arrival at one neuron, or a probe, moves nobody.
bool moves(const Event& event) {
  if (event.kind == Kind::probe) return false;
  return event.kind != Kind::arrival || event.column == any_column;
}

// All events of a component in one sample, latest first.
template <class Real>
class Events {
 public:
  std::vector<Event> list;
  // Per sender: the projections that its spikes can ask.
  struct Asked {
    std::uint32_t group;
    Source<Real> source;
  };
  std::vector<std::vector<Asked>> asked;

  using Groups = std::vector<std::unique_ptr<GroupBack<Real>>>;
  Events(const Plan<Real>& plan, const Component& component, const Groups& groups)
      : asked(groups.size()), plan_(plan), component_(component), groups_(groups) {
    for (std::uint32_t c = 0; c < groups.size(); ++c) {
      add_spikes(c);
      for (const std::size_t number : plan.populations[component.populations[c]].incoming) {
        add_arrivals(c, number);
      }
      add_peaks(c);
    }
  }

  // How far each of them that moves anybody takes all back, from the end of the sample on.
  std::vector<double> moves_from(double end) const {
    std::vector<double> lengths;
    lengths.reserve(list.size());
    for (const Event& event : list) {
      if (!moves(event) || !(event.time < end)) continue;
      lengths.push_back(end - event.time);
      end = event.time;
    }
    return lengths;
  }

 private:
  const Plan<Real>& plan_;
  const Component& component_;
  const Groups& groups_;

  // What was added since `middle` is nearly always a run in order.
  void merge(std::size_t middle) {
    const auto begin = list.begin(), from = begin + static_cast<std::ptrdiff_t>(middle);
    if (!std::is_sorted(from, list.end(), later)) std::sort(from, list.end(), later);
    std::inplace_merge(begin, from, list.end(), later);
  }

  // Spikes, releases, samples.
  void add_spikes(std::uint32_t c) {
    GroupBack<Real>& group = *groups_[c];
    const PopulationAdjoint<Real>& p = group.p;
    const std::size_t middle = list.size();
    for (std::size_t k = p.times.size(); k-- > 0;) {
      const auto j = static_cast<std::size_t>(p.neurons[k]);
      if (k < p.past) {
        list.push_back({0, Kind::past, c, k});
      } else {
        list.push_back({p.times[k], group.moved(k) ? Kind::made : Kind::spike, c, k});
      }
      const double release = group.release_after(j, p.times[k]);
      // Not held, or for less than time can tell; or no more, when the sample starts.
      if (release == p.times[k] || (k < p.past && !(release > 0))) continue;
      if (release <= p.end) {
        list.push_back({release, Kind::release, c, k});
      } else {
        group.begin_held(j);
      }
    }
    for (std::size_t k = 0; k < p.errors.sample_times.size(); ++k) {
      list.push_back({p.errors.sample_times[k], Kind::sample, c, k});
    }
    merge(middle);
  }

  // From inside the component.
  void add_arrivals(std::uint32_t c, std::size_t projection) {
    const auto from = component_.place_of(plan_.network->projections()[projection].source);
    if (!from) return;
    const auto sender = static_cast<std::uint32_t>(*from);
    if (groups_[c]->can_be_asked() && !groups_[sender]->p.ghosts) {
      const auto number = static_cast<std::int32_t>(projection);
      asked[sender].push_back(
          {c, {&plan_.network->projections()[projection], plan_.rows(projection), number, {}}});
      return;
    }
    const PopulationAdjoint<Real>& p = groups_[sender]->p;
    const std::size_t middle = list.size();
    const auto at = [&](std::size_t k, Kind kind) {
      return Event{0, kind, c, k, any_column, static_cast<std::uint32_t>(projection), sender};
    };
    for (std::size_t k = p.times.size(); k-- > 0;) {
      add_arrival(at(k, Kind::arrival), p.times[k], p.neurons[k]);
    }
    const SampleSpikes probes = p.ghosts ? p.ghosts->probes() : SampleSpikes{};
    for (std::size_t k = 0; k < probes.times.size(); ++k) {
      add_arrival(at(k, Kind::probe), probes.times[k], probes.neurons[k]);
    }
    merge(middle);
  }
  // Once, or once for each neuron where each has arrivals of its own.
  void add_arrival(Event event, double sent, std::int32_t neuron) {
    const Projection<Real>& projection = plan_.network->projections()[event.projection];
    const PopulationAdjoint<Real>& p = groups_[event.group]->p;
    if (!plan_.in_rows(event.projection)) {
      const SynapseList& synapses = projection.connection.synapses();
      for (const auto& reached : synapses.from(static_cast<std::size_t>(neuron))) {
        event.synapse = reached.place;
        event.column = static_cast<std::size_t>(reached.post);
        event.time = arrival_time(projection, sent, synapses[reached.place]);
        if (p.holds(event.time)) list.push_back(event);
      }
      return;
    }
    const bool per_synapse = projection.delay.kind == Delay::Kind::per_synapse;
    for (std::size_t j = 0; j < (per_synapse ? p.size : 1); ++j) {
      event.column = per_synapse ? j : any_column;
      event.time = arrival_time(projection, sent, neuron, event.column, p.size);
      if (p.holds(event.time)) list.push_back(event);
    }
  }

  // Maxima and ghosts.
  void add_peaks(std::uint32_t c) {
    const PopulationAdjoint<Real>& p = groups_[c]->p;
    std::size_t middle = list.size();
    for (std::size_t j = 0; !p.errors.maxima.empty() && j < p.size; ++j) {
      const std::size_t at = p.sample * p.size + j;
      if (p.errors.maxima[at] == 0 || std::isinf(p.maxima.times[at])) continue;
      list.push_back({p.maxima.times[at], Kind::maximum, c, j});
    }
    merge(middle);
    middle = list.size();
    for (std::size_t k = 0; p.ghosts && k < p.ghosts->sums.size(); ++k) {
      list.push_back({(*p.ghosts->list)[k].time, Kind::ghost, c, k});
    }
    merge(middle);
  }
};

// The walk back through them.
template <class Real>
class Walk {
 public:
  Walk(const Plan<Real>& plan, const Component& component,
       std::vector<std::unique_ptr<GroupBack<Real>>>& groups, const Events<Real>& events)
      : plan_(plan),
        component_(component),
        groups_(groups),
        events_(events),
        first_(events.list.data()) {}

  void meet(const Event& event) {
    GroupBack<Real>& group = *groups_[event.group];
    const PopulationAdjoint<Real>& p = group.p;
    if (event.kind == Kind::probe) {
      SampleGhosts<Real>& ghosts = *groups_[event.sender]->p.ghosts;
      const Real* weight = weight_of(event, ghosts.neurons[event.number]);
      if (!terms::ghost_recurrent_probe) return;
      ghosts.book(ghosts.owners[event.number], group.probe(weight, event.column, event.time));
      return;
    }
    if (moves(event)) {
      for (auto& other : groups_) other->move_to(event.time);
    }
    switch (event.kind) {
      case Kind::arrival:
        if (terms::recurrent_e) {
          GroupBack<Real>& sender = *groups_[event.sender];
          const Real* weight = weight_of(event, sender.p.neurons[event.number]);
          sender.errors[event.number] += group.error(static_cast<std::int32_t>(event.projection),
                                                     weight, event.column, event.time);
        }
        break;
      case Kind::made:
      case Kind::spike:
        ask(event);
        group.spike(event.number);
        if (const MovedSpike* moved = group.moved(event.number)) move_source(*moved);
        break;
      case Kind::past:
        ask(event);
        group.past(event.number);
        break;
      case Kind::release:
        group.release(event.number);
        break;
      case Kind::sample:
        group.sample(event.number);
        break;
      case Kind::ghost: {
        const Ghost<Real>& g = (*p.ghosts->list)[event.number];
        const double error = group.ghost(event.number);
        if (g.place == Place::arrival && terms::ghost_recurrent_kink) {
          move_with_arrivals(event, static_cast<std::size_t>(g.neuron), error);
        }
        break;
      }
      case Kind::maximum: {
        const double error = group.maximum(event.number);
        if (p.maxima.places[p.sample * p.size + event.number] == Place::arrival &&
            terms::kink_time) {
          move_with_arrivals(event, event.number, error);
        }
        break;
      }
      case Kind::probe:
        break;
    }
  }

 private:
  const Plan<Real>& plan_;
  const Component& component_;
  std::vector<std::unique_ptr<GroupBack<Real>>>& groups_;
  const Events<Real>& events_;
  const Event* first_;  // of all, latest first

  // What the arrivals of a spike do, of those who know it only now.
  void ask(const Event& event) {
    GroupBack<Real>& group = *groups_[event.group];
    for (const auto& asked : events_.asked[event.group]) {
      if (!terms::recurrent_e) break;
      group.errors[event.number] += groups_[asked.group]->error_of_spike(
          asked.source, group.p.neurons[event.number], group.p.times[event.number]);
    }
  }
  // Of the neuron that it reaches; of all.
  const Real* weight_of(const Event& event, std::int32_t pre) const {
    if (event.synapse >= 0) {
      const Projection<Real>& p = plan_.network->projections()[event.projection];
      return &saltus::weight_of(p, p.connection.synapses()[event.synapse]);
    }
    const Real* row = plan_.rows(event.projection)[static_cast<std::size_t>(pre)];
    return event.column == any_column ? row : row + event.column;
  }
  // A spike that an arrival made moves with it, and so with the spike that was sent.
  void move_source(const MovedSpike& moved) {
    const auto projection = static_cast<std::size_t>(moved.projection);
    const auto sender = component_.place_of(plan_.network->projections()[projection].source);
    if (sender) groups_[*sender]->errors[static_cast<std::size_t>(moved.spike)] += moved.error;
  }
  // What happens at `event` to neuron j moves with the arrivals inside the component that sit
  // there: just gone through.
  void move_with_arrivals(const Event& event, std::size_t j, double error) {
    std::vector<const Event*> here;
    for (const Event* e = &event; e-- > first_ && e->time == event.time;) {
      const bool sees = e->column == any_column || e->column == j;
      if (e->kind != Kind::arrival || e->group != event.group || !sees) continue;
      const Real* weight = weight_of(*e, groups_[e->sender]->p.neurons[e->number]);
      if (weight[e->column == any_column ? j : 0] != 0) here.push_back(e);
    }
    for (const Event* e : here) {
      groups_[e->sender]->errors[e->number] += error / static_cast<double>(here.size());
    }
  }
};

}  // namespace

template <class Real>
void event_loop_back(const SampleAdjoint<Real>& sample, const Component& component,
                     const std::vector<std::vector<double>>& spike_errors,
                     std::vector<Segments<Real>>& segments,
                     std::vector<LinearSegments>& linear_segments) {
  std::vector<std::unique_ptr<GroupBack<Real>>> groups;
  for (const std::size_t p : component.populations) {
    if (sample.plan.populations[p].is_linear()) {
      groups.push_back(std::make_unique<LinearBack<Real>>(sample, p, spike_errors[p],
                                                          linear_segments[p], component.cyclic));
    } else if (sample.plan.in_vectors(p) && sample.plan.populations[p].alike()) {
      groups.push_back(std::make_unique<LifInStep<Real>>(sample, p, spike_errors[p], segments[p]));
    } else {
      groups.push_back(std::make_unique<LifLazy<Real>>(!sample.plan.scalar, sample, p,
                                                       spike_errors[p], segments[p]));
    }
  }
  const Events<Real> events(sample.plan, component, groups);
  const std::vector<double> lengths = events.moves_from(sample.end());
  for (auto& group : groups) {
    group->begin();
    group->will_move_by(lengths);
  }
  Walk<Real> walk(sample.plan, component, groups, events);
  for (std::size_t k = 0; k < events.list.size(); ++k) {
    heed(k);
    walk.meet(events.list[k]);
  }
  for (auto& group : groups) group->finish();
}

template void event_loop_back(const SampleAdjoint<float>&, const Component&,
                              const std::vector<std::vector<double>>&,
                              std::vector<Segments<float>>&, std::vector<LinearSegments>&);
template void event_loop_back(const SampleAdjoint<double>&, const Component&,
                              const std::vector<std::vector<double>>&,
                              std::vector<Segments<double>>&, std::vector<LinearSegments>&);

}  // namespace saltus
