// SPDX-License-Identifier: Apache-2.0
// What reaches a population, in order of time. Three kinds: without delay or with one per
// projection all neurons see the same list (shared); with a delay per source neuron also, shifted
// and merged; with a delay per synapse, or where not all connect to all, each target neuron has a
// list of its own (per column).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "machine/sort_by_time.hpp"
#include "neuron/decay_kernel.hpp"
#include "plan/plan.hpp"
#include "saltus/network.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

/// One spike on its way into a population.
template <class Real>
struct Arrival {
  double time;
  const Real* row;            // weights of the source neuron, [post]; or the weight of the synapse
  std::int32_t pre;           // source neuron
  std::int32_t projection;    // number in the network
  std::int32_t spike;         // number within the source's sample
  std::int32_t synapse = -1;  // place in the projection's list; -1: all to all

  /// Of neuron j, which it reaches.
  const Real& weight(std::size_t j) const { return row[synapse < 0 ? j : 0]; }
};

template <class Real>
inline bool earlier(const Arrival<Real>& a, const Arrival<Real>& b) {
  if (a.time != b.time) return a.time < b.time;
  if (a.projection != b.projection) return a.projection < b.projection;
  if (a.spike != b.spike) return a.spike < b.spike;
  return a.synapse < b.synapse;
}

inline constexpr std::size_t any_column = static_cast<std::size_t>(-1);

/// What one projection brings into a population.
template <class Real>
struct Source {
  const Projection<Real>* projection;
  Rows<Real> rows;      // where all connect to all
  std::int32_t number;  // of the projection in the network
  SampleSpikes spikes;
  std::int32_t first = 0;  // number of the first of these spikes within the sample
  // Those from this one on are new: what should have arrived before the span of time that is asked
  // for arrives when it begins.
  std::size_t fresh = static_cast<std::size_t>(-1);
};

/// When spike `neuron` of a projection, sent at `time`, reaches `column` (any_column: all at once).
template <class Real>
inline double arrival_time(const Projection<Real>& p, double time, std::int32_t neuron,
                           std::size_t column, std::size_t post) {
  return p.delay.kind == Delay::Kind::none
             ? time
             : time + p.delay(static_cast<std::size_t>(neuron),
                              static_cast<std::size_t>(neuron) * post +
                                  (column == any_column ? 0 : column));
}
/// The same where not all connect to all.
template <class Real>
inline double arrival_time(const Projection<Real>& p, double time, const SynapseList::Entry& s) {
  return time + p.delay(static_cast<std::size_t>(s.pre), static_cast<std::size_t>(s.number));
}
template <class Real>
inline const Real& weight_of(const Projection<Real>& p, const Synapse& s) {
  return p.weight[static_cast<std::size_t>(s.weight)];
}
/// What arrives there.
template <class Real>
inline Arrival<Real> arrival_at(const Projection<Real>& p, std::int32_t number, double time,
                                std::int32_t spike, std::int32_t synapse) {
  const auto& s = p.connection.synapses()[synapse];
  return {arrival_time(p, time, s), &weight_of(p, s), s.pre, number, spike, synapse};
}

/// A list of arrivals in groups of equal time, and the decays of the intervals that they close.
template <class Real>
class Arrivals {
 public:
  std::vector<Arrival<Real>> list;
  std::vector<std::int32_t> groups;         // [group + 1] first entry in list
  std::vector<double> times;                // [group]
  std::vector<neuron::Decay<Real>> decays;  // [group + 1]; the last one reaches to the end
  std::vector<linear::Step> steps;    // the same of linear neurons that move alike, side by side
  linear::SharedSteps<double> flows;  // [group] of those that move alike, but one by one

  std::size_t group_count() const { return times.size(); }
  double time(std::size_t group) const { return times[group]; }

  /// How many groups arrive before `time`. Fast after index().
  std::size_t count_before(double time) const {
    if (times.empty() || time <= times.front()) return 0;
    if (time > times.back()) return times.size();
    auto low = times.begin(), high = times.end();
    if (!cells_.empty()) {
      const std::size_t cell = cell_of(time);
      low += cells_[cell];
      high = times.begin() + cells_[cell + 1];
    }
    return static_cast<std::size_t>(std::lower_bound(low, high, time) - times.begin());
  }

  /// Cuts the time from the first to the last group into as many cells as there are groups.
  void index() {
    cells_.clear();
    if (times.size() < 8) return;
    const std::size_t count = times.size();
    cell_scale_ = static_cast<double>(count) / (times.back() - times.front());
    if (!std::isfinite(cell_scale_)) return;
    std::size_t group = 0;
    for (std::size_t cell = 0; cell < count; ++cell) {
      while (cell_of(times[group]) < cell) ++group;  // the last group is in the last cell
      cells_.push_back(static_cast<std::int32_t>(group));
    }
    cells_.push_back(static_cast<std::int32_t>(count));
  }
  std::span<const Arrival<Real>> group(std::size_t g) const {
    return {list.data() + groups[g], static_cast<std::size_t>(groups[g + 1] - groups[g])};
  }

  void clear() {
    list.clear();
    cells_.clear();
    flows.clear();
  }

  /// Adds what arrives at `from` or later, for all neurons at once, and keeps the list in order.
  void add(const Source<Real>& source, double from) {
    const std::size_t begin = list.size();
    std::size_t end = begin;
    list.resize(begin + source.spikes.times.size());
    for (std::size_t k = 0; k < source.spikes.times.size(); ++k) {
      const std::int32_t pre = source.spikes.neurons[k];
      const double time =
          arrival_time(*source.projection, source.spikes.times[k], pre, any_column, 0);
      list[end] = {k < source.fresh ? time : std::max(time, from),
                   source.rows[static_cast<std::size_t>(pre)], pre, source.number,
                   source.first + static_cast<std::int32_t>(k)};
      end += list[end].time >= from;
    }
    list.resize(end);
    const std::span<Arrival<Real>> added = std::span(list).subspan(begin);
    if (source.projection->delay.kind > Delay::Kind::common) sort_by_time(added);
    if (begin == 0) return;
    const auto middle = list.begin() + static_cast<std::ptrdiff_t>(begin);
    std::inplace_merge(list.begin(), middle, list.end(),
                       [](const auto& a, const auto& b) { return earlier(a, b); });
  }

  /// Drops what arrives at `end` or later, finds the groups.
  void finish(double end) {
    while (!list.empty() && list.back().time >= end) list.pop_back();
    groups.clear();
    times.clear();
    for (std::size_t k = 0; k < list.size(); ++k) {
      if (k > 0 && list[k].time == times.back()) continue;
      groups.push_back(static_cast<std::int32_t>(k));
      times.push_back(list[k].time);
    }
    groups.push_back(static_cast<std::int32_t>(list.size()));
  }

  /// Computes the decays of neuron j from `t` through every group to `end`.
  void decay_through(const PopulationPlan<Real>& plan, std::size_t j, double t, double end) {
    find_gaps(t, end);
    decays.resize(gaps_.size());
    if (plan.alike()) return neuron::decays(plan.neuron(j).tc, gaps_, decays.data());
    neuron::own_decays(plan.neuron(j).own, gaps_, decays.data());
  }
  /// The steps of linear neurons that move alike, side by side.
  void step_through(const PopulationPlan<Real>& plan, double t, double end) {
    find_gaps(t, end);
    if (std::isinf(end)) {  // until they have come to rest
      const double last = times.empty() ? t : times.back();
      gaps_.back() = last + plan.linear_neuron(0).settling_time() - last;
    }
    steps.resize(gaps_.size());
    plan.alike_linear->steps(gaps_, steps.data());
  }

 private:
  void find_gaps(double t, double end) {
    gaps_.resize(times.size() + 1);
    for (std::size_t g = 0; g < times.size(); ++g) {
      gaps_[g] = times[g] - t;
      t = times[g];
    }
    gaps_.back() = end - t;
  }
  std::size_t cell_of(double time) const {
    return std::min(static_cast<std::size_t>((time - times.front()) * cell_scale_),
                    times.size() - 1);
  }

  std::vector<double> gaps_;         // between groups; scratch
  std::vector<std::int32_t> cells_;  // [cell + 1] its first group; empty without an index
  double cell_scale_ = 0;            // cells per second
};

}  // namespace saltus
