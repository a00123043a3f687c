// SPDX-License-Identifier: Apache-2.0
// The course of one linear neuron whose spikes are known (neuron/linear.hpp): its mirror for LIF is
// observe/replay.hpp. In dual numbers x carries its derivatives by parameters at fixed times of the
// neuron's own spikes: each of them starts anew (docs/theory.md, section 14).
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "neuron/linear.hpp"
#include "neuron/linear_steps.hpp"
#include "plan/arrivals.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

/// Does nothing; visitors of replay() derive from it and hide what they need.
template <class T>
struct LinearVisitor {
  /// A stretch without events: x at t0.
  void piece(double /*t0*/, double /*t1*/, const linear::Vector<T>& /*x*/, bool /*held*/) {}
  void spike(std::size_t /*number in the sample*/, const linear::Vector<T>& /*x before*/) {}
  /// A spike at the arrivals of a group, which have brought x over the threshold.
  void jump(std::size_t /*number in the sample*/, const linear::Vector<T>& /*x before*/,
            std::size_t /*group*/) {}
  void release(std::size_t /*of that spike*/, const linear::Vector<T>& /*x*/) {}
};

/// The end of a sample, or when a neuron that sees no end has come to rest: after all that happens
/// to it and all that is asked of it.
/// @param own, times  as for replay(); `asked`: when V is looked at, ascending
template <class Real>
double rest_of(const linear::Neuron& n, const Arrivals<Real>& arrivals,
               std::span<const std::size_t> own, std::span<const double> times,
               std::span<const double> asked, double end) {
  if (!std::isinf(end)) return end;
  double last = arrivals.times.empty() ? 0 : arrivals.times.back();
  if (!own.empty()) last = std::max(last, n.release_after(times[own.back()]));
  if (!asked.empty()) last = std::max(last, asked.back());
  return last + n.settling_time();
}

/// @param own  numbers of the neuron's spikes within the sample; `times`: of all spikes there
/// @param shared  if the neuron moves as others do
/// @returns  the state at `end`, which is finite
template <class T, class Real, class Visitor>
linear::Vector<T> replay(const linear::Motion<T>& n, const Arrivals<Real>& arrivals, std::size_t j,
                         std::span<const std::size_t> own, std::span<const double> times,
                         double end, Visitor&& visit,
                         const linear::SharedSteps<T>* shared = nullptr) {
  linear::Vector<T> x = n.initial;
  double t = 0, release = 0;
  std::size_t next_own = 0;
  for (; next_own < own.size() && is_past(times[own[next_own]]); ++next_own) {
    release = n.release_after(times[own[next_own]]);
  }

  std::size_t group = 0;
  const auto piece = [&](double to, bool held) {
    visit.piece(t, to, x, held);
    const bool whole = shared && !held && shared->known(group) &&
                       t == (group > 0 ? arrivals.times[group - 1] : 0) &&
                       to == arrivals.times[group];
    if (whole) {
      x = shared->flow(group, n, x);
    } else if (to > t) {
      x = n.system(held).flow(x, to - t);
    }
    t = to;
  };
  const auto walk = [&](double to) {  // without a spike
    if (release > t) {
      const bool all = release > to;
      piece(all ? to : release, true);
      if (all) return;
      visit.release(own[next_own - 1], x);
    }
    piece(to, false);
  };

  const auto starts_anew = [&](std::size_t k) {
    for (T& value : x) value = T(linear::number(value));
    x = n.after_spike(x);
    release = n.release_after(times[k]);
    ++next_own;
  };

  for (std::size_t g = 0; g <= arrivals.group_count(); ++g) {
    const bool last = g == arrivals.group_count();
    const double to = last ? end : arrivals.times[g];
    const auto due = [&](bool at_arrival) {
      if (next_own == own.size()) return false;
      const double time = times[own[next_own]];
      return time < to || (time == to && at_arrival);
    };
    group = g;
    while (due(last || !n.jumps)) {
      const std::size_t k = own[next_own];
      walk(times[k]);
      visit.spike(k, x);
      starts_anew(k);
    }
    walk(to);
    if (last) break;
    const bool below = n.jumps && n.is_below(x);
    for (const auto& arrival : arrivals.group(g)) {
      n.receive(x, arrival.projection, static_cast<double>(arrival.weight(j)), release > to);
    }
    if (!n.jumps || next_own == own.size()) continue;
    // A spike of this instant; or measured elsewhere, or rounded, a little later.
    const std::size_t k = own[next_own];
    const bool made = release <= to && below && !n.is_below(x);
    const double until = g + 1 < arrivals.group_count() ? arrivals.times[g + 1] : infinity;
    if (times[k] == to || (made && times[k] < until)) {
      walk(times[k]);
      visit.jump(k, x, g);
      starts_anew(k);
    }
  }
  return x;
}

}  // namespace saltus
