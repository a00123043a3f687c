// SPDX-License-Identifier: Apache-2.0
// What the dynamics of the adjoint leave behind for one sample of a population. Between its own
// spikes (and samples, maxima) lambda of a neuron is two exponentials, whatever arrives: a segment.
// All else (weights, delays, the errors of sources) is read off the segments afterwards.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "neuron/adjoint.hpp"
#include "neuron/linear.hpp"
#include "saltus/observe.hpp"
#include "spikes/own_spikes.hpp"

namespace saltus {

/// lambda on [start of the next segment, from): it equals `at` just before `from`.
template <class Real>
struct Segment {
  double from;
  neuron::Adjoint<Real> at;
  Real source;            // dl_V/dV while V is free to move, 0 while it is held
  bool at_spike = false;  // `from` is a spike of the neuron, and this lambda just before it

  bool is_zero() const { return at.v == 0 && at.i == 0 && source == 0; }
  neuron::Adjoint<Real> read(const neuron::TimeConstants& tc, double t) const {
    if (t == from) return at;  // also where both are infinite
    return neuron::flow_back(tc, at, source, neuron::decay<Real>(tc, from - t));
  }
};

/// Gradients that arise at the spikes alone, of one neuron in one sample.
struct JumpSums {
  double v_threshold = 0, v_reset = 0, tau_ref = 0;
};

/// dV/dt just before a maximum that sits at an arrival, entry `at` of [sample, neuron].
template <class Real>
double slope_before(const neuron::Lif<Real>& n, const Maxima<Real>& maxima, std::size_t at) {
  return static_cast<double>(maxima.currents[at] + n.bias - maxima.values[at]) / n.tc.tau_mem;
}

/// Of all neurons of a population in one sample. @tparam S  Segment or LinearSegment
template <class S>
class SegmentList {
 public:
  std::vector<double> past;  // dL/dt of the spikes of before the sample, in front of its record

  void start(std::size_t size) {
    past.clear();
    list_.clear();
    neurons_.clear();
    first_.clear();
    used_.assign(size, 0);
  }

  /// Adds a segment; for each neuron they come in descending order of time. As long as lambda of a
  /// neuron is 0 there is nothing to keep.
  void add(std::size_t neuron, const S& s) {
    if (!used_[neuron] && s.is_zero()) return;
    used_[neuron] = 1;
    list_.push_back(s);
    neurons_.push_back(static_cast<std::uint32_t>(neuron));
  }

  /// As they were added. Not after finish().
  std::span<const S> added() const { return list_; }
  std::span<const std::uint32_t> neurons_added() const { return neurons_; }

  /// Sorts them by neuron, for of(), next() and before_spike().
  void finish() {
    first_.assign(used_.size() + 1, 0);
    for (const std::uint32_t neuron : neurons_) ++first_[neuron + 1];
    for (std::size_t j = 0; j < used_.size(); ++j) first_[j + 1] += first_[j];
    if (std::is_sorted(neurons_.begin(), neurons_.end())) return;  // so a second time too
    thread_local std::vector<S> unsorted;
    thread_local std::vector<std::size_t> next;
    unsorted.assign(list_.begin(), list_.end());
    next.assign(first_.begin(), first_.end() - 1);
    for (std::size_t k = 0; k < unsorted.size(); ++k) list_[next[neurons_[k]]++] = unsorted[k];
    for (std::size_t j = 0; j < used_.size(); ++j) {
      std::fill(neurons_.begin() + static_cast<std::ptrdiff_t>(first_[j]),
                neurons_.begin() + static_cast<std::ptrdiff_t>(first_[j + 1]),
                static_cast<std::uint32_t>(j));
    }
  }

  /// Of a neuron, that which holds just before its spike at `time`; null if no error lies later.
  /// @param hint  place among its segments, from which on it is looked for; moves there
  const S* before_spike(std::size_t neuron, double time, std::size_t& hint) const {
    const auto own = of(neuron);
    while (hint < own.size() && (own[hint].from > time || !own[hint].at_spike)) ++hint;
    return hint < own.size() && own[hint].from == time ? &own[hint] : nullptr;
  }

  std::size_t neurons() const { return used_.size(); }
  std::size_t count() const { return list_.size(); }

  /// The segments of a neuron, latest first; empty if no error ever reaches it.
  std::span<const S> of(std::size_t neuron) const {
    return {list_.data() + first_[neuron], first_[neuron + 1] - first_[neuron]};
  }
  /// The first neuron from j on that has segments; the number of neurons if there is none.
  std::size_t next(std::size_t j) const { return next_with_any(first_, j); }

 private:
  std::vector<S> list_;
  std::vector<std::uint32_t> neurons_;  // [segment], as added
  std::vector<std::uint8_t> used_;
  std::vector<std::size_t> first_;
};

template <class Real>
class Segments : public SegmentList<Segment<Real>> {
 public:
  std::vector<JumpSums> jumps;  // [neuron]

  void start(std::size_t size) {
    jumps.assign(size, {});
    SegmentList<Segment<Real>>::start(size);
  }
};

/// The same of a linear neuron (neuron/linear.hpp): p = dL/dx on [start of the next segment, from).
struct LinearSegment {
  double from;
  linear::Vector<double> p;  // just before `from`
  bool held;
  bool at_spike = false;    // as in Segment
  bool at_arrival = false;  // of a spike that an arrival made: it holds at `from` too, on its right

  bool is_zero() const { return p == linear::Vector<double>{}; }
  bool holds_at(double t) const { return t < from || (t == from && at_arrival); }
  /// Takes it back to t.
  void move_to(const linear::Neuron& n, double t) {
    if (!(t < from)) return;
    if (!is_zero()) p = (held ? n.held_back : n.free_back).flow(p, from - t);
    from = t;
  }
};

/// dL/dt of an arrival with p on its right.
inline double time_error(const linear::Neuron& n, const LinearSegment& s, std::int32_t projection,
                         double weight) {
  return terms::linear_e ? -weight * linear::dot(s.p, linear::product(n.system(s.held).matrix(),
                                                                      n.kick(projection, s.held)))
                         : 0;
}

/// What a parameter of threshold, c or tau_ref takes from the spikes of one linear neuron.
struct SpikeSums {
  double threshold = 0, release = 0;
  linear::Vector<double> c{};
};

/// A spike that an arrival made moves with it: which, and what that does to the loss.
struct MovedSpike {
  std::int32_t projection = -1, pre = 0, spike = 0, synapse = -1;  // as in Arrival; -1: none did
  std::uint32_t neuron = 0;
  double error = 0;  // dL/dt
};

struct LinearSegments : SegmentList<LinearSegment> {
  std::vector<SpikeSums> sums;    // [neuron]
  std::vector<MovedSpike> moved;  // latest first

  void start(std::size_t size) {
    sums.assign(size, {});
    moved.clear();
    SegmentList<LinearSegment>::start(size);
  }
};

}  // namespace saltus
