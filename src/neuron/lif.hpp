// SPDX-License-Identifier: Apache-2.0
// Leaky integrate-and-fire with an exponential synapse: flow, next spike, jump
// (docs/theory.md, sections 1 to 3 and 8). LI, the readout, is the same with theta = infinity.
#pragma once

#include <cmath>
#include <limits>

#include "neuron/decay.hpp"
#include "neuron/own_decay.hpp"
#include "neuron/slow_course.hpp"
#include "neuron/spike_search.hpp"

namespace saltus::neuron {

/// The parameters of one neuron, ready for use.
template <class Real>
struct Lif {
  TimeConstants tc;
  Real bias, theta, v_reset;
  double tau_ref;
  Real v_initial, i_initial;
  OwnTimeConstants<Real> own{tc};
  // Is the slower exponential z, which tells all of V and I, that of the synapse? Not where the bias is near
  // the threshold: there V crosses so late or so flat that digits of y are not enough.
  bool by_y = tc.y_tells() &&
              std::fabs(bias - theta) > Real(1e-3) * std::max(std::fabs(bias), std::fabs(theta));
  TimeConstants by_z =
      by_y ? TimeConstants(tc.tau_syn, tc.tau_mem) : tc;  // the slower one as tau_mem
  Real just_below_theta = std::nextafter(theta, -std::numeric_limits<Real>::infinity());
  Decay<Real> held = decay<Real>(tc, tau_ref);  // from a spike to the release

  /// Neither x nor y has digits enough: spikes are searched in time (neuron/slow_course.hpp).
  bool in_time() const { return tc.slow_synapse() && !by_y; }
};

/// The state of one neuron at a known time.
template <class Real>
struct State {
  Real v, i;
  double release = 0;  // V is held at v_reset until then
};

template <class Real>
struct Crossing {
  double time;   // infinity if there is none
  Real current;  // I at that time
  Real z = 1;    // the slower exponential there, since the start of the interval; where it tells

  bool found() const { return time < std::numeric_limits<double>::infinity(); }
};

/// A spike is strictly later than the event that opens its interval and not later than the one that
/// closes it: so the times alone tell the order of events, and the adjoint can walk it backwards.
inline double within_interval(double time, double t, double t_end) {
  if (time > t && t_end > t) return std::min(time, t_end);
  return std::nextafter(t, std::numeric_limits<double>::infinity());
}

/// When V has decayed by x since t; or I by y, with the time constants in each other's place.
inline double spike_time(const TimeConstants& by_z, double z, double t, double t_end) {
  return within_interval(t - by_z.tau_mem * std::log(z), t, t_end);
}

/// V after an interval without a spike.
template <class Real>
inline Real membrane_after(const Lif<Real>& n, Real v, Real i, const Decay<Real>& d) {
  return n.bias + (v - n.bias) * d.mem + i * d.k;
}

/// I at a spike as the record keeps it: the adjoint divides by the slope of V there, and may divide
/// by the least that `Real` can tell where V rises more slowly than that. (The neuron goes on with
/// its own I.)
template <class Real>
inline Real rising_current(const Lif<Real>& n, Real i) {
  if (i + n.bias > n.theta) return i;
  constexpr Real up = std::numeric_limits<Real>::infinity();
  i = std::nextafter(n.theta, up) - n.bias;
  while (!(i + n.bias > n.theta)) i = std::nextafter(i, up);  // one step: i is as coarse as theta
  return i;
}

/// How far the slower exponential z has come.
template <class Real>
inline Real slower(const Lif<Real>& n, const Decay<Real>& d) {
  return n.by_y ? d.syn : d.mem;
}

/// May decays be derived from z alone where it decays by `z`? Not below the smallest normal number, nor
/// where too few of its digits tell of V.
template <class Real>
inline bool z_tells(const Lif<Real>& n, Real z) {
  return z >= std::numeric_limits<Real>::min() && !n.in_time();
}

/// What is left of an interval over which z decays by `z_end`, when it has decayed by z.
template <class Real>
inline Decay<Real> rest_of_interval(const Lif<Real>& n, Real z_end, Real z, double dt) {
  return z_tells(n, z_end) ? decay_at<Real>(n.tc, n.by_z, std::min(Real(1), z_end / z))
                           : decay<Real>(n.tc, dt);
}

/// The first spike in (t, t_end] where the synapse is slower and y does not tell.
template <class Real>
inline Crossing<Real> first_slow_crossing(const Lif<Real>& n, Real v, Real i, double t,
                                          double t_end, Real v_end) {
  const SlowCourse course(n.tc, v, i, n.bias);
  const double u = course.crossing(n.theta, (t_end - t) / n.tc.tau_mem, v_end >= n.theta);
  if (u == SlowCourse::never) return {u, 0};
  return {within_interval(t + u * n.tc.tau_mem, t, t_end), static_cast<Real>(course.current(u))};
}

/// The first spike in (t, t_end], of a neuron that is not held, by the state (v, i) at t.
template <class Real>
inline Crossing<Real> first_crossing(const Lif<Real>& n, Real v, Real i, double t, double t_end,
                                     const Decay<Real>& d, Real v_end) {
  constexpr Crossing<Real> none{std::numeric_limits<double>::infinity(), 0};
  if (cannot_spike(v, i, n.bias, n.theta, v_end, d.reach) ||
      rises_throughout(v, i, n.bias, n.theta, v_end, d.end_slope)) {
    return none;
  }
  if (n.in_time()) return first_slow_crossing(n, v, i, t, t_end, v_end);
  const Real z = crossing(n.by_z, n.by_y, v, i, n.bias, n.theta, slower(n, d), v_end);
  if (z < 0) return none;
  const Real current = i * (n.by_y ? z : n.tc.synaptic(z));
  // V only touches: dV/dt = 0 but for rounding.
  if (!n.by_y && !(current + n.bias > n.theta)) return none;
  return {spike_time(n.by_z, static_cast<double>(z), t, t_end), current, z};
}

/// Lets (v, i) decay over an interval without a spike.
template <class Real>
inline void flow(const Lif<Real>& n, State<Real>& s, const Decay<Real>& d) {
  s.v = std::min(membrane_after(n, s.v, s.i, d), n.just_below_theta);
  s.i *= d.syn;
}

/// Takes a neuron from t to t_end through all its spikes. `d` is the decay of the whole interval.
/// @param sink  told sink.spike(time, current) and sink.release(current) as they happen
/// @param spiked  has it spiked at t? (Then what follows is told by d, not by times.)
template <class Real, class Sink>
inline void advance(const Lif<Real>& n, State<Real>& s, double t, double t_end, Decay<Real> d,
                    Sink&& sink, bool spiked = false) {
  for (;;) {
    if (s.release > t) {
      if (s.release > t_end) {
        s.i *= d.syn;
        return;
      }
      s.i *= spiked ? n.held.syn : decay<Real>(n.tc, s.release - t).syn;
      t = s.release;
      sink.release(s.i);
      d = spiked ? rest_of_interval(n, slower(n, d), slower(n, n.held), t_end - t)
                 : decay<Real>(n.tc, t_end - t);
    }
    const Real v_end = membrane_after(n, s.v, s.i, d);
    const Crossing<Real> spike = first_crossing(n, s.v, s.i, t, t_end, d, v_end);
    if (!spike.found()) break;
    sink.spike(spike.time, rising_current(n, spike.current));
    s = {n.v_reset, spike.current, spike.time + n.tau_ref};
    t = spike.time;
    d = rest_of_interval(n, slower(n, d), spike.z, t_end - t);
    spiked = true;
  }
  flow(n, s, d);
}

}  // namespace saltus::neuron
