// SPDX-License-Identifier: Apache-2.0
// p = dL/dx of neurons that are linear between events (docs/theory.md, section 14), one after the
// other. The record keeps no states of theirs: they are replayed.
#pragma once

#include <algorithm>
#include <vector>

#include "adjoint/group_back.hpp"
#include "adjoint/linear_lambda.hpp"
#include "neuron/linear_pattern.hpp"
#include "observe/linear_replay.hpp"
#include "observe/linear_replay_together.hpp"
#include "observe/replay.hpp"

namespace saltus {

template <class Real>
class LinearBack final : public GroupBack<Real> {
 public:
  LinearBack(const SampleAdjoint<Real>& sample, std::size_t population,
             const std::vector<double>& spike_errors, LinearSegments& segments, bool cyclic)
      : GroupBack<Real>(sample, population, spike_errors),
        segments_(segments),
        in_step_(cyclic && sample.plan.linear_in_vectors(population)),
        motion_(
            p.plan.linear_neurons, [](const auto& n) -> auto& { return n.free.matrix(); }),
        reset_(
            p.plan.linear_neurons, [](const auto& n) -> auto& { return n.reset; }),
        t_(p.end),
        before_(p.times.size()),
        at_release_(p.times.size()),
        moved_(p.times.size()) {
    segments_.start(p.size);
    segments_.past.assign(p.past, 0);
    release_.assign(p.size, 0);
    thread_local Timeline<Real> timeline;
    if (sample.plan.linear_in_vectors(population)) {
      start_together(sample, population, timeline);
      return;
    }
    thread_local OwnSpikes own_spikes;
    for_each_neuron(sample.plan, sample.inputs, sample.record, population, sample.sample, timeline,
                    own_spikes, [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                      const double end = start(j, arrivals, own, times);
                      replay<double>(p.plan.linear_neuron(j), arrivals, j, own, times, end,
                                     States(*this, arrivals));
                    });
  }

  double release_after(std::size_t j, double time) const override {
    return p.plan.linear_neuron(j).release_after(time);
  }
  void begin_held(std::size_t j) override { now_[j].held = true; }
  void begin() override {
    if (in_step_) lambda_.start(p.size);
    for (std::size_t j = 0; j < p.size; ++j) keep(j);
  }

  // Each neuron follows when it is asked, or all are moved.
  void move_to(double t) override {
    if (in_step_ && t < t_) {
      const linear::Step step = p.plan.alike_linear->step(t_ - t, !p.errors.integrals.empty());
      LinearLambdaKernels<Real>::best().flow_back(lambda_, step);
    }
    t_ = t;
  }

  double error(std::int32_t projection, const Real* weight, std::size_t column,
               double t) const override {
    if (in_step_) {
      const linear::Alike& all = *p.plan.alike_linear;
      return LinearLambdaKernels<Real>::best().error_of_arrival(all, lambda_, weight,
                                                                all.receptor_of(projection));
    }
    if (column != any_column) return error_at(column, projection, *weight, t);
    double sum = 0;
    for (std::size_t j = 0; j < p.size; ++j) sum += error_at(j, projection, weight[j], t);
    return sum;
  }

  void spike(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    const linear::Neuron& n = p.plan.linear_neuron(j);
    move(j, k);
    const linear::Vector<double>& x = before_[k];
    const bool is_held = n.release_after(p.times[k]) > p.times[k];  // for as long as time can tell
    linear::Vector<double>& adjoint = now_[j].p;
    const linear::Vector<double> slope = slope_of(n.free, x);
    linear::Vector<double> after = reset_.product(n.reset, x);
    linear::add(after, n.reset_to, 1.0);
    linear::Vector<double> jump = reset_.product(n.reset, slope);  // R f- - f+
    linear::add(jump, slope_of(n.system(is_held), after), -1.0);
    double s = this->errors[k];
    if (terms::linear_jump) s += linear::dot(adjoint, jump);
    if (terms::linear_release) s += release_[j];
    // Without a refractory time: what a first moment of it would do.
    if (terms::linear_tau_ref && !is_held) {
      segments_.sums[j].release += linear::dot(adjoint, change_at_release(n, after));
    }
    if (terms::linear_reset_back) adjoint = reset_.product_back(n.reset, adjoint);
    const bool made = moved(k) != nullptr;
    if (made) {  // x does not tell when, the arrival does
      moved_[k].error = terms::linear_moves ? s : 0;
      segments_.moved.push_back(moved_[k]);
    } else {
      const double share = s / std::max(linear::dot(n.c, slope), least_slope(n));
      linear::add(adjoint, n.c, -share);
      SpikeSums& sums = segments_.sums[j];
      if (terms::linear_threshold) sums.threshold += share;
      if (terms::linear_c) linear::add(sums.c, x, -share);
    }
    release_[j] = 0;
    now_[j].held = false;
    now_[j].at_spike = true;
    now_[j].at_arrival = made;
    keep(j);
    now_[j].at_spike = now_[j].at_arrival = false;
  }
  const MovedSpike* moved(std::size_t k) const override {
    return moved_[k].projection < 0 ? nullptr : &moved_[k];
  }

  // The release lies tau_ref behind the spike, and from it on x moves otherwise.
  void release(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    const linear::Neuron& n = p.plan.linear_neuron(j);
    move(j, k);
    release_[j] = linear::dot(now_[j].p, change_at_release(n, at_release_[k]));
    if (terms::linear_tau_ref) segments_.sums[j].release += release_[j];
    now_[j].held = true;
    keep(j);
  }

  void past(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    double moved = 0;
    if (terms::past_release && release_after(j, p.times[k]) > 0) moved = release_[j];
    segments_.past[k] = moved + (terms::past_arrivals ? this->errors[k] : 0);
  }

  void sample(std::size_t k) override {
    for (std::size_t j = 0; j < p.size; ++j) look(j, static_cast<double>(p.at_sample(k, j)));
  }
  /// The loss looks at V of neuron j at the present time.
  void look(std::size_t j, double error) {
    if (error == 0) return;
    move(j);
    now_[j].p[0] += error;
    keep(j);
  }

  void finish() override {}

 private:
  using GroupBack<Real>::p;
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  LinearSegments& segments_;
  bool in_step_;  // of a cycle: all neurons are asked at each arrival, and go back side by side
  LinearLambda lambda_;
  linear::Pattern motion_, reset_;
  double t_;
  std::vector<linear::Vector<double>> before_, at_release_;  // [spike] x
  std::vector<MovedSpike> moved_;                            // [spike]
  mutable std::vector<LinearSegment> now_;                   // [neuron] back to the last question
  std::vector<double> release_;  // [neuron] what the release of the spike to come adds to its S
  // Side by side but for cycles: what takes p of its neuron from its next spike back to the release of each.
  std::vector<linear::Step> from_next_;  // [spike]
  std::vector<double> gaps_;             // [spike] how long that is; 0: it is the last

  struct States : LinearVisitor<double> {
    LinearBack& back;
    const Arrivals<Real>& arrivals;  // at the neuron
    States(LinearBack& b, const Arrivals<Real>& a) : back(b), arrivals(a) {}
    void spike(std::size_t k, const linear::Vector<double>& x) { back.before_[k] = x; }
    void jump(std::size_t k, const linear::Vector<double>& x, std::size_t group) {
      back.before_[k] = x;
      back.moved_[k] = back.maker(k, x, arrivals.group(group));
    }
    void release(std::size_t k, const linear::Vector<double>& x) { back.at_release_[k] = x; }
  };
  // The arrival without which, and those behind it, x would not be above the threshold.
  MovedSpike maker(std::size_t k, const linear::Vector<double>& x,
                   std::span<const Arrival<Real>> group) const {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    const linear::Neuron& n = p.plan.linear_neuron(j);
    double above = n.above(x);
    std::size_t at = group.size() - 1;
    for (; at > 0; --at) {
      const double lift = linear::dot(n.c, n.kick(group[at].projection, false));
      above -= lift * static_cast<double>(group[at].weight(j));
      if (above <= 0) break;
    }
    const Arrival<Real>& arrival = group[at];
    return {arrival.projection,
            arrival.pre,
            arrival.spike,
            arrival.synapse,
            static_cast<std::uint32_t>(j),
            0};
  }

  void start_together(const SampleAdjoint<Real>& sample, std::size_t population,
                      Timeline<Real>& timeline) {
    start_timeline(sample.plan, sample.inputs, sample.record, population, sample.sample, timeline,
                   sample.timelines);
    const Arrivals<Real>& arrivals = timeline.shared();
    thread_local ReplayTogether<Real> together;
    together.go(p.plan, p.size, arrivals, {p.times, p.neurons}, p.end, States(*this, arrivals));
    std::vector<std::size_t> last_spike(p.size, none);
    for (std::size_t k = 0; k < p.times.size(); ++k) {
      last_spike[static_cast<std::size_t>(p.neurons[k])] = k;
    }
    for (std::size_t j = 0; j < p.size; ++j) {
      const std::span<const std::size_t> own(&last_spike[j], last_spike[j] == none ? 0 : 1);
      start(j, arrivals, own, p.times);
    }
    if (!in_step_) find_steps(last_spike);
  }
  // @param next_spike  scratch, [neuron]
  void find_steps(std::vector<std::size_t>& next_spike) {
    std::fill(next_spike.begin(), next_spike.end(), none);
    gaps_.resize(p.times.size());
    for (std::size_t k = p.times.size(); k-- > 0;) {
      const auto j = static_cast<std::size_t>(p.neurons[k]);
      const std::size_t next = next_spike[j];
      gaps_[k] =
          next == none ? 0 : p.times[next] - p.plan.linear_neuron(j).release_after(p.times[k]);
      next_spike[j] = k;
    }
    from_next_.resize(gaps_.size());
    p.plan.alike_linear->steps(gaps_, from_next_.data(), !p.errors.integrals.empty());
  }
  // At its end it has seen all that happens to it.
  double start(std::size_t j, const Arrivals<Real>& arrivals, std::span<const std::size_t> own,
               std::span<const double> times) {
    const double end =
        rest_of(p.plan.linear_neuron(j), arrivals, own, times, p.errors.sample_times, p.end);
    now_.push_back({end, {}, false});
    now_[j].p[linear::integral_of_v] = static_cast<double>(p.source(j));
    const auto last = p.errors.at_end.x.empty() ? std::span<const double>() : p.at_end(j);
    for (std::size_t k = 0; terms::state_end && k < last.size(); ++k) now_[j].p[k] = last[k];
    return end;
  }

  linear::Vector<double> slope_of(const linear::System<double>& system,
                                  const linear::Vector<double>& x) const {
    linear::Vector<double> f = motion_.product(system.matrix(), x);
    linear::add(f, system.constant(), 1.0);
    return f;
  }
  // What a later release changes of x.
  linear::Vector<double> change_at_release(const linear::Neuron& n,
                                           const linear::Vector<double>& x) const {
    linear::Vector<double> change = slope_of(n.held, x);
    linear::add(change, slope_of(n.free, x), -1.0);
    return change;
  }
  // Neuron j to the present time.
  void move(std::size_t j) const {
    // (Of one that is held the lanes do not know p of V.)
    if (!in_step_ || now_[j].held) return now_[j].move_to(p.plan.linear_neuron(j), t_);
    lambda_.get(j, now_[j]);
    now_[j].from = t_;
  }
  // The same for what spike k brings: all of its interval may be known.
  void move(std::size_t j, std::size_t k) const {
    LinearSegment& now = now_[j];
    const bool known = k < gaps_.size() && !now.held && gaps_[k] > 0 && now.from - t_ == gaps_[k];
    if (!known) return move(j);
    now.p = from_next_[k].back(now.p, p.plan.alike_linear->components);
    now.from = t_;
  }
  // As it is now it begins a segment.
  void keep(std::size_t j) {
    segments_.add(j, now_[j]);
    if (in_step_) lambda_.set(j, now_[j]);
  }
  double error_at(std::size_t j, std::int32_t projection, Real weight, double t) const {
    const linear::Neuron& n = p.plan.linear_neuron(j);
    now_[j].move_to(n, t);
    return time_error(n, now_[j], projection, static_cast<double>(weight));
  }
  // A spike needs a slope to divide by, however slowly it came.
  static double least_slope(const linear::Neuron& n) {
    return std::numeric_limits<double>::epsilon() * n.free.fastest() *
           std::max(std::fabs(n.theta), 1e-300);
  }
};

}  // namespace saltus
