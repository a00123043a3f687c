// SPDX-License-Identifier: Apache-2.0
// Local maxima of V along a trajectory, piece by piece, and when V comes up to a level.
#pragma once

#include <algorithm>
#include <cmath>

#include "neuron/maximum.hpp"
#include "observe/replay.hpp"
#include "saltus/observe.hpp"

namespace saltus {

template <class Real>
inline bool rises_at_start(const neuron::Lif<Real>& n, const Piece<Real>& p) {
  return neuron::rises_at_start(p.v, p.i, n.bias);
}
template <class Real>
inline bool rises_at_end(const neuron::Lif<Real>& n, const Piece<Real>& p) {
  return neuron::rises_at_end(p.v, p.i, n.bias, p.decay.end_slope);
}

template <class Real>
struct LocalMaximum {
  double time = infinity;
  Place place = Place::interior;
  Real height = 0, current = 0;

  bool found() const { return time < infinity; }
};

// Looks at a trajectory piece by piece for its local maxima; each piece has one at most, at its
// start or inside.
template <class Real>
class LocalMaxima {
 public:
  bool rising = false;  // at the end of the last piece
  Real current = 0;     // I there

  LocalMaximum<Real> in(const neuron::Lif<Real>& n, const Piece<Real>& p) {
    LocalMaximum<Real> result;
    const bool starts_up = rises_at_start(n, p), ends_up = rises_at_end(n, p);
    if (rising && !starts_up) {
      result = {p.t0, Place::arrival, p.v, current};
    } else if (starts_up && !ends_up) {
      const auto peak = neuron::interior_peak(n.tc, p.v, p.i, n.bias, p.decay.mem, p.t1 - p.t0);
      if (peak.found()) {
        result = {p.t0 + peak.after, Place::interior, peak.value, peak.value - n.bias};
      }
    }
    rising = ends_up;
    current = p.i * p.decay.syn;
    return result;
  }
};

// When V first reaches `level`, from below, in a piece that starts below it or falls from it.
template <class Real>
inline double first_rise_to(const neuron::Lif<Real>& n, const Piece<Real>& p, Real level) {
  if (neuron::highest_reach(p.v, p.i, n.bias, p.decay.reach) < level) return infinity;
  if (n.tc.slow_synapse()) {
    const double u = neuron::SlowCourse(n.tc, p.v, p.i, n.bias)
                         .crossing(level, (p.t1 - p.t0) / n.tc.tau_mem, p.v_end >= level);
    return std::min(p.t1, p.t0 + u * n.tc.tau_mem);
  }
  const Real x = neuron::crossing(n.tc, false, p.v, p.i, n.bias, level, p.decay.mem, p.v_end);
  if (x < 0) return infinity;
  return std::min(p.t1, p.t0 - n.tc.tau_mem * std::log(static_cast<double>(x)));
}

}  // namespace saltus
