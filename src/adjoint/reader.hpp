// SPDX-License-Identifier: Apache-2.0
// Reads lambda of one neuron at every arrival, and books what it says (adjoint/accumulate.cpp).
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "adjoint/lambda.hpp"
#include "adjoint/segments.hpp"
#include "plan/lane_lists.hpp"

namespace saltus {

template <class Real>
class Reader {
 public:
  std::vector<Target<Real>> targets;  // by number of the projection in the network
  std::size_t post = 0;               // neurons of the population
  std::size_t first = 0;              // of the tile
  SlotLayout layout;                  // of the tile

  void read(const neuron::Lif<Real>& n, std::span<const Segment<Real>> segments,
            const Arrivals<Real>& arrivals, std::size_t j) {
    std::size_t g = arrivals.count_before(segments[0].from);
    const Real minus_tau_syn = static_cast<Real>(-n.tc.tau_syn);
    std::size_t segment = 0;
    bool known = false;  // lambda at group g + 1, in the same segment
    neuron::Adjoint<Real> lambda;
    while (g-- > 0) {
      const double t = arrivals.times[g];
      for (; segment + 1 < segments.size() && t < segments[segment + 1].from; ++segment) {
        known = false;
      }
      const bool earliest = segment + 1 == segments.size();
      if (earliest && segments[segment].is_zero()) break;  // and so all the way back
      lambda =
          known ? neuron::flow_back(n.tc, lambda, segments[segment].source, arrivals.decays[g + 1])
                : segments[segment].read(n.tc, t);
      known = true;
      for (const auto& arrival : arrivals.group(g)) {
        const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
        add(target, arrival, j, minus_tau_syn * lambda.i);
        if (!target.errors && !target.delays) continue;
        const Real v = terms::lambda_v_in_e ? lambda.v : Real(0);
        const Real i = terms::lambda_i_in_e ? lambda.i : Real(0);
        move(target, arrival, j, static_cast<double>(arrival.weight(j) * (v - i)));
      }
    }
  }

  // The same of a linear neuron (docs/theory.md, section 14).
  void read(const linear::Neuron& n, std::span<const LinearSegment> segments,
            const Arrivals<Real>& arrivals, std::size_t j) {
    std::size_t g = arrivals.count_before(segments[0].from), next = 0;
    LinearSegment now = segments[next++];
    if (g < arrivals.group_count() && now.holds_at(arrivals.times[g])) ++g;
    const double driven = segments[0].p[linear::integral_of_v];  // of all of them
    while (g-- > 0) {
      const double t = arrivals.times[g];
      while (next < segments.size() && segments[next].holds_at(t)) now = segments[next++];
      if (next == segments.size() && now.is_zero()) break;  // and so all the way back
      const bool whole = arrivals.flows.known(g + 1) && now.from == arrivals.times[g + 1];
      if (whole && !now.held && driven == 0) {
        now.p = arrivals.flows.back(g + 1, now.p);
        now.from = t;
      } else {
        now.move_to(n, t);
      }
      for (const auto& arrival : arrivals.group(g)) {
        const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
        const auto kick = n.kick(arrival.projection, now.held);
        add(target, arrival, j, static_cast<Real>(linear::dot(kick, now.p)));
        if (!target.errors && !target.delays) continue;
        move(target, arrival, j,
             time_error(n, now, arrival.projection, static_cast<double>(arrival.weight(j))));
      }
    }
  }

  // Spikes that arrivals made move with them.
  void read(std::span<const MovedSpike> spikes, std::size_t last) {
    for (const MovedSpike& s : spikes) {
      if (s.neuron < first || s.neuron >= last) continue;
      move(targets[static_cast<std::size_t>(s.projection)],
           {0, nullptr, s.pre, s.projection, s.spike, s.synapse}, s.neuron, s.error);
    }
  }

  // What the lanes of a block of neurons have read, at the first `places` of their lists.
  void book(const LaneLists<Real>& lists, LaneReadings<Real>& readings, std::size_t places) {
    if (lists.even()) {
      book_rows(lists, readings, places);
    } else {
      book_one_by_one(lists, readings, places);
    }
  }

  bool times_wanted() const {
    return std::any_of(targets.begin(), targets.end(),
                       [](const Target<Real>& t) { return t.errors || t.delays; });
  }

  // The maximum of V_j at an arrival moves with it. Several arrivals at one instant share it
  // equally: only one-sided derivatives exist there. (What weighs nothing bends nothing.)
  void read_kink(const Arrivals<Real>& arrivals, std::size_t j, double time, double slope_error) {
    const std::size_t g = arrivals.count_before(time);
    if (g == arrivals.group_count() || arrivals.times[g] != time) return;
    const auto group = arrivals.group(g);
    const auto bends = [j](const Arrival<Real>& a) { return a.weight(j) != 0; };
    const auto count = std::count_if(group.begin(), group.end(), bends);
    for (const auto& arrival : group) {
      if (!bends(arrival)) continue;
      const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
      move(target, arrival, j, slope_error / static_cast<double>(count));
    }
  }

 private:
  static constexpr std::size_t lanes = LaneLists<Real>::lanes;

  void book_one_by_one(const LaneLists<Real>& lists, const LaneReadings<Real>& readings,
                       std::size_t places) {
    for (std::size_t l = 0; l < lanes; ++l) {  // the synapses of a target lie together
      const std::size_t j = lists.first_neuron() + l;
      for (std::size_t place = std::min(places, lists.size(l)); place-- > 0;) {
        const auto arrival = lists.origin(lists.at(place, l));
        const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
        add(target, arrival, j, readings.change[place * lanes + l]);
        if (!target.errors && !target.delays) continue;
        move(target, arrival, j, static_cast<double>(readings.moved[place * lanes + l]));
      }
    }
  }
  // Every spike reaches each of them: row by row.
  void book_rows(const LaneLists<Real>& lists, LaneReadings<Real>& readings, std::size_t places) {
    readings.put_back(lists, places, times_wanted());
    const std::size_t width = lists.width();
    for (std::size_t row = 0; row < lists.longest() * lanes; row += lanes) {
      const auto arrival = lists.origin(row);
      const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
      const auto pre = static_cast<std::size_t>(arrival.pre);
      Real* const weights =
          target.weights + pre * layout.count() + layout.slot_of(lists.first_neuron() - first);
      for (std::size_t l = 0; l < width; ++l) weights[l] += readings.change_put[row + l];
      if (!target.errors && !target.delays) continue;
      for (std::size_t l = 0; l < width; ++l) {
        move(target, arrival, lists.first_neuron() + l,
             static_cast<double>(readings.moved_put[row + l]));
      }
    }
  }

  // dL/d(weight of this arrival)
  void add(const Target<Real>& target, const Arrival<Real>& arrival, std::size_t j, Real error) {
    if (arrival.synapse >= 0) {
      target.synapses[static_cast<std::size_t>(arrival.synapse) - target.first_synapse] += error;
    } else {
      target.weights[static_cast<std::size_t>(arrival.pre) * layout.count() +
                     layout.slot_of(j - first)] += error;
    }
  }
  // dL/d(time of this arrival)
  void move(const Target<Real>& target, const Arrival<Real>& arrival, std::size_t j, double error) {
    if (target.errors) target.errors[arrival.spike] += error;
    if (!target.delays) return;
    const Projection<Real>& p = *target.projection;
    if (arrival.synapse < 0) {
      const auto pre = static_cast<std::size_t>(arrival.pre);
      target.delays[p.delay.index(pre, pre * post + j)] += error;
    } else {
      const auto& s = p.connection.synapses()[arrival.synapse];
      target.delays[p.delay.index(static_cast<std::size_t>(s.pre),
                                  static_cast<std::size_t>(s.number))] += error;
    }
  }
};

}  // namespace saltus
