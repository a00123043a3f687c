// SPDX-License-Identifier: Apache-2.0
// p = dL/dx of neurons that are linear between events (docs/theory.md, section 14), one after the
// other. The record keeps no states of theirs: they are replayed.
#pragma once

#include <algorithm>
#include <vector>

#include "adjoint/group_back.hpp"
#include "observe/linear_replay.hpp"
#include "observe/replay.hpp"

namespace saltus {

template <class Real>
class LinearBack final : public GroupBack<Real> {
 public:
  LinearBack(const SampleAdjoint<Real>& sample, std::size_t population,
             const std::vector<double>& spike_errors, LinearSegments& segments)
      : GroupBack<Real>(sample, population, spike_errors),
        segments_(segments),
        t_(p.end),
        before_(p.times.size()),
        at_release_(p.times.size()) {
    segments_.start(p.size);
    release_.assign(p.size, 0);
    thread_local Timeline<Real> timeline;
    thread_local OwnSpikes own_spikes;
    for_each_neuron(sample.plan, sample.inputs, sample.record, population, sample.sample, timeline,
                    own_spikes, [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                      const linear::Neuron& n = p.plan.linear_neuron(j);
                      const double end =
                          rest_of(n, arrivals, own, times, p.errors.sample_times, p.end);
                      replay<double>(n, arrivals, j, own, times, end, States(before_, at_release_));
                      now_.push_back({end, {}, false});
                      now_[j].p[linear::integral_of_v] = static_cast<double>(p.source(j));
                    });
  }

  double tau_ref(std::size_t j) const override { return p.plan.linear_neuron(j).tau_ref; }
  void begin_held(std::size_t j) override { now_[j].held = true; }
  void begin() override {
    for (std::size_t j = 0; j < p.size; ++j) segments_.add(j, now_[j]);
  }

  void move_to(double t) override { t_ = t; }  // each neuron follows when it is asked

  double error(const Real* weight, std::size_t column, double t) const override {
    if (column != any_column) return error_at(column, *weight, t);
    double sum = 0;
    for (std::size_t j = 0; j < p.size; ++j) sum += error_at(j, weight[j], t);
    return sum;
  }

  void spike(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    const linear::Neuron& n = p.plan.linear_neuron(j);
    move(j);
    const linear::Vector<double>& x = before_[k];
    linear::Vector<double>& adjoint = now_[j].p;
    const linear::Vector<double> slope = n.free.slope(x);
    linear::Vector<double> jump = linear::product(n.reset, slope);  // R f- - f+
    linear::add(jump, n.system(n.tau_ref > 0).slope(n.after_spike(x)), -1.0);
    double s = this->errors[k];
    if (terms::linear_jump) s += linear::dot(adjoint, jump);
    if (terms::linear_release) s += release_[j];
    // Without a refractory time: what a first moment of it would do.
    if (terms::linear_tau_ref && n.tau_ref == 0) {
      segments_.sums[j].release += linear::dot(adjoint, change_at_release(n, n.after_spike(x)));
    }
    const double share = s / std::max(linear::dot(n.c, slope), least_slope(n));
    if (terms::linear_reset_back) adjoint = linear::product(linear::transposed(n.reset), adjoint);
    linear::add(adjoint, n.c, -share);
    SpikeSums& sums = segments_.sums[j];
    if (terms::linear_threshold) sums.threshold += share;
    if (terms::linear_c) linear::add(sums.c, x, -share);
    release_[j] = 0;
    now_[j].held = false;
    now_[j].at_spike = true;
    segments_.add(j, now_[j]);
    now_[j].at_spike = false;
  }

  // The release lies tau_ref behind the spike, and from it on x moves otherwise.
  void release(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    const linear::Neuron& n = p.plan.linear_neuron(j);
    move(j);
    release_[j] = linear::dot(now_[j].p, change_at_release(n, at_release_[k]));
    if (terms::linear_tau_ref) segments_.sums[j].release += release_[j];
    now_[j].held = true;
    segments_.add(j, now_[j]);
  }

  void sample(std::size_t k) override {
    for (std::size_t j = 0; j < p.size; ++j) look(j, static_cast<double>(p.at_sample(k, j)));
  }
  /// The loss looks at V of neuron j at the present time.
  void look(std::size_t j, double error) {
    if (error == 0) return;
    move(j);
    now_[j].p[0] += error;
    segments_.add(j, now_[j]);
  }

  void finish() override { segments_.finish(); }

 private:
  using GroupBack<Real>::p;
  LinearSegments& segments_;
  double t_;
  std::vector<linear::Vector<double>> before_, at_release_;  // [spike] x
  mutable std::vector<LinearSegment> now_;                   // [neuron] back to the last question
  std::vector<double> release_;  // [neuron] what the release of the spike to come adds to its S

  struct States : LinearVisitor<double> {
    std::vector<linear::Vector<double>>&before, &at_release;
    States(std::vector<linear::Vector<double>>& b, std::vector<linear::Vector<double>>& r)
        : before(b), at_release(r) {}
    void spike(std::size_t k, const linear::Vector<double>& x) { before[k] = x; }
    void release(std::size_t k, const linear::Vector<double>& x) { at_release[k] = x; }
  };

  // What a later release changes of x.
  static linear::Vector<double> change_at_release(const linear::Neuron& n,
                                                  const linear::Vector<double>& x) {
    linear::Vector<double> change = n.held.slope(x);
    linear::add(change, n.free.slope(x), -1.0);
    return change;
  }
  void move(std::size_t j) const { now_[j].move_to(p.plan.linear_neuron(j), t_); }
  double error_at(std::size_t j, Real weight, double t) const {
    const linear::Neuron& n = p.plan.linear_neuron(j);
    now_[j].move_to(n, t);
    return time_error(n, now_[j], static_cast<double>(weight));
  }
  // A spike needs a slope to divide by, however slowly it came.
  static double least_slope(const linear::Neuron& n) {
    return std::numeric_limits<double>::epsilon() * n.free.fastest() *
           std::max(std::fabs(n.theta), 1e-300);
  }
};

}  // namespace saltus
