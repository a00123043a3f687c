// SPDX-License-Identifier: Apache-2.0
// The course that V would take from some moment on if the neuron did not spike again, under the
// arrivals that there were: piece by piece.
#pragma once

#include <algorithm>

#include "observe/replay.hpp"

namespace saltus {

template <class Real>
class FreeCourse {
 public:
  /// Starts from (v, i) at t, before what arrives at t.
  FreeCourse(const neuron::Lif<Real>& n, const Arrivals<Real>& arrivals, std::size_t j, double t,
             Real v, Real i, double end)
      : n_(n), arrivals_(arrivals), column_(j), end_(end), t_(t), v_(v), i_(i), last_current_(i) {
    group_ = static_cast<std::size_t>(
        std::lower_bound(arrivals.times.begin(), arrivals.times.end(), t) - arrivals.times.begin());
    enter();
  }

  bool done() const { return done_; }
  Real v() const { return v_; }
  Real i() const { return i_; }
  double time() const { return t_; }
  Real current_before() const { return last_current_; }  // I just before what arrived at time()

  /// Calls visit(Piece) for the stretch from time() to the next arrival, or to `until` if that is
  /// sooner.
  template <class Visit>
  void step(double until, Visit&& visit) {
    const bool last = group_ == arrivals_.group_count();
    const double next = last ? end_ : arrivals_.times[group_];
    const double to = std::min(next, until);
    const neuron::Decay<Real> d =
        whole_ && to == next ? arrivals_.decays[group_] : neuron::decay<Real>(n_.tc, to - t_);
    const Real v_end = neuron::membrane_after(n_, v_, i_, d);
    visit(Piece<Real>{t_, to, v_, i_, false, d, v_end});
    v_ = v_end;
    i_ *= d.syn;
    last_current_ = i_;
    whole_ = false;
    t_ = to;
    if (to < next) return;
    done_ = last;
    enter();
  }
  /// Goes on to a time.
  void go(double to) {
    while (!done_ && t_ < to) {
      step(to, [](const Piece<Real>&) {});
    }
  }

 private:
  const neuron::Lif<Real>& n_;
  const Arrivals<Real>& arrivals_;
  std::size_t column_, group_ = 0;
  double end_, t_;
  Real v_, i_, last_current_;
  bool whole_ = false, done_ = false;

  // Adds what arrives at the present time.
  void enter() {
    if (done_ || group_ == arrivals_.group_count() || arrivals_.times[group_] != t_) return;
    for (const auto& arrival : arrivals_.group(group_)) i_ += arrival.weight(column_);
    ++group_;
    whole_ = true;
  }
};

}  // namespace saltus
