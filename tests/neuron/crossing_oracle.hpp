// SPDX-License-Identifier: Apache-2.0
// A plain answer to "when does V first reach theta", in extended precision and without code or
// method of src/neuron: time is time, the one extremum of V cuts the interval into two monotone
// pieces, and a bracket on one of them is narrowed down (docs/theory.md, sections 1 and 2).
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace saltus::crossing_oracle {

using Wide = long double;

/// A neuron between two events. Times are in units of tau_mem, p = tau_mem / tau_syn.
struct Neuron {
  Wide p, v0, i0, b;
};

struct Point {
  Wide rise, i;  // V - V0, accurate also where it is a minute part of V0; I
};

/// 1 - exp(-s), exp(-p s) and K(s) = (exp(-s) - exp(-p s)) / (p - 1).
struct Kernel {
  Wide gain, syn, k;
};

inline Kernel kernel(Wide p, Wide s) {
  if (std::isinf(s)) return {1, 0, 0};
  const Wide q = p - 1, gain = -std::expm1(-s), mem = 1 - gain;
  if (q == 0) return {gain, mem, s * mem};
  // The slower exponential, and the share of it that the faster one has lost.
  const Wide slow = q > 0 ? mem : std::exp(-p * s), lost = -std::expm1(-std::fabs(q) * s);
  return {gain, q > 0 ? slow * (1 - lost) : slow, slow * lost / std::fabs(q)};
}

inline Point at(const Neuron& n, Wide s) {
  const Kernel x = kernel(n.p, s);
  return {(n.b - n.v0) * x.gain + n.i0 * x.k, n.i0 * x.syn};
}

inline Wide voltage(const Neuron& n, Wide s) { return n.v0 + at(n, s).rise; }

/// I to full relative accuracy also where it has decayed far.
inline Wide current(const Neuron& n, Wide s) { return n.i0 * std::exp(-n.p * s); }

/// tau_mem dV/dt
inline Wide slope(const Neuron& n, const Point& x) { return n.b - n.v0 + x.i - x.rise; }

/// The time s > 0 at which dV/dt = 0; infinity if there is none. It is unique: exp(s) dV/dt is a
/// constant plus a multiple of exp((1 - p) s).
inline Wide extremum(const Neuron& n) {
  constexpr Wide none = std::numeric_limits<Wide>::infinity();
  if (n.i0 == 0) return none;
  const Wide a = (n.v0 - n.b) / n.i0, q = n.p - 1;
  if (q == 0) return a < 1 ? 1 - a : none;
  const Wide change = q * (a - 1) / n.p;  // exp((1 - p) s) - 1
  if (!(change > -1)) return none;
  const Wide s = -std::log1p(change) / q;
  return s > 0 ? s : none;
}

struct Answer {
  bool crosses;
  Wide time, slope;  // of the first crossing, if there is one: s and tau_mem dV/dt
  Wide largest;      // of V over [0, end]
};

/// The largest V over [0, end], ends included.
inline Wide largest(const Neuron& n, Wide end) {
  return std::max({n.v0, voltage(n, std::min(end, extremum(n))), voltage(n, end)});
}

/// V rises from below theta at `low` to theta or more at `high`, monotonically. Bisection; a Newton
/// step replaces a halving only where it stays in the bracket and is shorter than half the step
/// before the last: so it ends.
inline Wide narrow_down(const Neuron& n, Wide theta, Wide low, Wide high) {
  const Wide gap = theta - n.v0;
  Wide s = low + (high - low) / 2, last = high - low, step = last;
  for (int i = 0; i < 1000; ++i) {
    const Point x = at(n, s);
    const Wide f = x.rise - gap, df = slope(n, x);
    if (f == 0) return s;
    (f < 0 ? low : high) = s;
    const Wide before_last = last, newton = s - f / df;
    last = step;
    if (df > 0 && newton > low && newton < high && std::fabs(newton - s) < before_last / 2) {
      step = std::fabs(newton - s);
      s = newton;
    } else {
      step = (high - low) / 2;
      s = low + step;
    }
    if (step <= 1e-18L * s) return s;
  }
  return s;
}

/// The first crossing in (0, end]. Needs v0 < theta. A level that is reached only at infinity is
/// not.
inline Answer first_crossing(const Neuron& n, Wide theta, Wide end) {
  const Wide turn = std::min(end, extremum(n)), gap = theta - n.v0;
  const Wide rise_turn = at(n, turn).rise, rise_end = at(n, end).rise;
  Answer answer{false, 0, 0, n.v0 + std::max({Wide{0}, rise_turn, rise_end})};
  const bool early = rise_turn >= gap;
  if (!early && !(rise_end >= gap)) return answer;
  const Wide low = early ? 0 : turn, high = early ? turn : end;
  if (std::isinf(high)) return answer;
  answer.crosses = true;
  answer.time = narrow_down(n, theta, low, high);
  answer.slope = slope(n, at(n, answer.time));
  return answer;
}

}  // namespace saltus::crossing_oracle
