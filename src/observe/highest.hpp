// SPDX-License-Identifier: Apache-2.0
// The largest V of a readout: at the start, inside an interval, at an arrival or at the end
// (docs/theory.md, section 7).
#pragma once

#include <span>

#include "neuron/maximum.hpp"
#include "observe/replay.hpp"
#include "saltus/observe.hpp"
#include "simulate/lane_course.hpp"

namespace saltus {

/// Keeps the largest V seen so far, of one neuron.
template <class Real>
struct Highest : ReplayVisitor {
  const neuron::Lif<Real>& n;
  double end;
  Real value;
  double time = 0;
  Place place = Place::start;
  Real current;

  Highest(const neuron::Lif<Real>& neuron, double t_end)
      : n(neuron), end(t_end), value(neuron.v_initial), current(neuron.i_initial) {}

  void piece(const Piece<Real>& p) {
    // A bound that costs two operations: most pieces cannot hold a new maximum.
    if (neuron::highest_reach(p.v, p.i, n.bias, p.decay.reach) <= value) return;
    const bool rises_first = neuron::rises_at_start(p.v, p.i, n.bias);
    const bool falls_last = !neuron::rises_at_end(p.v, p.i, n.bias, p.decay.end_slope);
    if (rises_first && falls_last) peak(p.t0, p.t1, p.v, p.i, p.decay.mem);
    if (p.v_end > value) {
      value = p.v_end;
      time = p.t1;
      place = p.t1 >= end ? Place::end : Place::arrival;
      current = p.i * p.decay.syn;
    }
  }

  /// A maximum inside an interval that starts with (v, i) at t and in which V decays by `mem`.
  void peak(double t, double t_end, Real v, Real i, Real mem) {
    const auto found = neuron::interior_peak(n.tc, v, i, n.bias, mem, t_end - t);
    if (!(found.found() && found.value > value)) return;
    value = found.value;
    time = t + found.after;
    place = Place::interior;
    current = value - n.bias;  // dV/dt = 0
  }
};

/// observe/highest_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct HighestKernels {
  /// The same for all neurons of a population, side by side. They must see the same arrivals, decay
  /// alike and have no threshold.
  /// @param highest  one per neuron, as they were made
  void (*find)(const Arrivals<Real>& arrivals, double end, std::span<Highest<Real>> highest);

  /// Of up to widest_vector neurons that each go through intervals of their own.
  /// @param course  one block, from 0 to the end @param own  time constants of these neurons
  void (*find_in_lanes)(const LaneCourse<Real>& course, const neuron::LaneConstants<Real>& own,
                        double end, std::span<Highest<Real>> highest);

  static const HighestKernels& best();
};

}  // namespace saltus
