// SPDX-License-Identifier: Apache-2.0
// p = dL/dx of neurons that are linear between events (docs/theory.md, section 14), one after the
// other. The record keeps no states of theirs: they are replayed.
#pragma once

#include <algorithm>
#include <vector>

#include "adjoint/group_back.hpp"
#include "adjoint/linear_jumps.hpp"
#include "adjoint/linear_lambda.hpp"
#include "machine/reused.hpp"
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
        in_step_(cyclic && sample.plan.linear_in_vectors(population) &&
                 p.plan.alike_linear->flows_side_by_side()),
        all_jumps_(p.plan.linear_neurons),
        t_(p.end) {
    segments_.start(p.size);
    segments_.past.assign(p.past, 0);
    m_->start(p.size, p.times.size());
    const bool known = find_known(sample, population);
    thread_local Timeline<Real> timeline;
    if (sample.plan.linear_in_vectors(population)) {
      start_together(sample, population, timeline, known);
    } else if (known && !std::isinf(p.end)) {
      for (std::size_t j = 0; j < p.size; ++j) start(j, p.end);
    } else {
      start_each(sample, population, timeline, known);
    }
    all_jumps_.find(
        p.neurons, before_,
        [this](std::size_t k) {
          return release_after(static_cast<std::size_t>(p.neurons[k]), p.times[k]) > p.times[k];
        },
        m_->jumps);
  }

  double release_after(std::size_t j, double time) const override {
    return p.plan.linear_neuron(j).release_after(time);
  }
  void begin_held(std::size_t j) override { m_->now[j].held = true; }
  void begin() override {
    if (in_step_) {
      lambda_.start(p.size);
      const linear::Alike& all = *p.plan.alike_linear;
      if (all.own()) m_->receptors.start(all, p.plan.linear_neurons);
    }
    for (std::size_t j = 0; j < p.size; ++j) keep(j);
  }

  // Each neuron follows when it is asked, or all are moved.
  void move_to(double t) override {
    if (in_step_ && t < t_) {
      const linear::Alike& all = *p.plan.alike_linear;
      const bool driven = !p.errors.integrals.empty();
      if (all.own()) {
        const double length = t_ - t;
        all.own_steps(p.plan.linear_neurons, 0, lambda_.slots.layout(), {&length, 1}, m_->own,
                      driven);
        LinearLambdaKernels<Real>::best().flow_own_back(lambda_, m_->own, all.components, driven);
      } else {
        LinearLambdaKernels<Real>::best().flow_back(lambda_, all.step(t_ - t, driven));
      }
    }
    t_ = t;
  }

  double error(std::int32_t projection, const Real* weight, std::size_t column,
               double t) const override {
    if (in_step_) {
      const linear::Alike& all = *p.plan.alike_linear;
      return LinearLambdaKernels<Real>::best().error_of_arrival(
          all, all.own() ? &m_->receptors : nullptr, lambda_, weight, all.receptor_of(projection));
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
    LinearSegment& now = m_->now[j];
    linear::Vector<double>& adjoint = now.p;
    const LinearJump& at = m_->jumps[k];
    double s = this->errors[k];
    if (terms::linear_jump) s += linear::dot(adjoint, at.moves);
    if (terms::linear_release) s += m_->release[j];
    // Without a refractory time, for as long as time can tell: what a first moment of it would do.
    if (terms::linear_tau_ref && !at.held) {
      segments_.sums[j].release += linear::dot(adjoint, at.release);
    }
    if (terms::linear_reset_back) adjoint = all_jumps_.reset().product_back(n.reset, adjoint);
    const bool made = moved(k) != nullptr;
    if (made) {  // x does not tell when, the arrival does
      m_->moved[k].error = terms::linear_moves ? s : 0;
      segments_.moved.push_back(m_->moved[k]);
    } else {
      const double share = s / at.rise;
      linear::add(adjoint, n.c, -share);
      SpikeSums& sums = segments_.sums[j];
      if (terms::linear_threshold) sums.threshold += share;
      if (terms::linear_c) linear::add(sums.c, before_[k], -share);
    }
    m_->release[j] = 0;
    now.held = false;
    now.at_spike = true;
    now.at_arrival = made;
    keep(j);
    now.at_spike = now.at_arrival = false;
  }
  const MovedSpike* moved(std::size_t k) const override {
    return m_->moved[k].projection < 0 ? nullptr : &m_->moved[k];
  }

  // The release lies tau_ref behind the spike, and from it on x moves otherwise.
  void release(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    const linear::Neuron& n = p.plan.linear_neuron(j);
    move(j, k);
    m_->release[j] =
        linear::dot(m_->now[j].p, change_at_release(n, all_jumps_.slope(n, m_->at_release[k])));
    if (terms::linear_tau_ref) segments_.sums[j].release += m_->release[j];
    m_->now[j].held = true;
    keep(j);
  }

  void past(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    double moved = 0;
    if (terms::past_release && release_after(j, p.times[k]) > 0) moved = m_->release[j];
    segments_.past[k] = moved + (terms::past_arrivals ? this->errors[k] : 0);
  }

  void sample(std::size_t k) override {
    for (std::size_t j = 0; j < p.size; ++j) look(j, static_cast<double>(p.at_sample(k, j)));
  }
  /// The loss looks at V of neuron j at the present time.
  void look(std::size_t j, double error) {
    if (error == 0) return;
    move(j);
    m_->now[j].p[0] += error;
    keep(j);
  }

  void finish() override {}

 private:
  using GroupBack<Real>::p;
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  LinearSegments& segments_;
  bool in_step_;  // of a cycle: all neurons are asked at each arrival, and go back side by side
  LinearLambda lambda_;
  LinearJumps all_jumps_;
  double t_;
  std::span<const linear::Vector<double>> before_;  // [spike] x just before

  struct Memory {
    std::vector<linear::Vector<double>> before, at_release;  // [spike] x, where it is replayed
    std::vector<LinearJump> jumps;                           // [spike]
    std::vector<MovedSpike> moved;                           // [spike]
    std::vector<LinearSegment> now;                          // [neuron] back to the last question
    std::vector<double> release;  // [neuron] what the release of the spike to come adds to its S
    // Side by side but for cycles: what takes p of its neuron from its next spike back to the release of each.
    std::vector<linear::Step> from_next;  // [spike]
    std::vector<double> gaps;             // [spike] how long that is; 0: it is the last
    std::vector<std::size_t> last_spike;  // [neuron]
    // Of cycles, where each has a motion of its own.
    linear::OwnSteps own;
    OwnReceptors receptors;

    void start(std::size_t size, std::size_t spikes) {
      before.resize(spikes);
      at_release.resize(spikes);
      moved.assign(spikes, {});
      now.clear();
      release.assign(size, 0);
      gaps.clear();
    }
  };
  Reused<Memory> m_;

  struct States : LinearVisitor<double> {
    LinearBack& back;
    const Arrivals<Real>& arrivals;  // at the neuron
    States(LinearBack& b, const Arrivals<Real>& a) : back(b), arrivals(a) {}
    void spike(std::size_t k, const linear::Vector<double>& x) { back.m_->before[k] = x; }
    void jump(std::size_t k, const linear::Vector<double>& x, std::size_t group) {
      back.m_->before[k] = x;
      back.m_->moved[k] = back.maker(k, x, arrivals.group(group));
    }
    void release(std::size_t k, const linear::Vector<double>& x) { back.m_->at_release[k] = x; }
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

  // The states at spikes, if the forward pass has left them, as it does where no more is needed; else they
  // are to be replayed.
  bool find_known(const SampleAdjoint<Real>& sample, std::size_t population) {
    before_ = m_->before;
    if (!sample.timelines) return false;
    const auto& states = sample.timelines->at(population, sample.sample).states;
    if (states.size() != p.times.size()) return false;
    before_ = states;
    return true;
  }
  void start_each(const SampleAdjoint<Real>& sample, std::size_t population,
                  Timeline<Real>& timeline, bool known) {
    thread_local OwnSpikes own_spikes;
    for_each_neuron(sample.plan, sample.inputs, sample.record, population, sample.sample, timeline,
                    own_spikes, [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                      const double end = end_of(j, arrivals, own);
                      start(j, end);
                      if (known) return;
                      replay<double>(p.plan.linear_neuron(j), arrivals, j, own, times, end,
                                     States(*this, arrivals), &arrivals.flows);
                    });
  }
  void start_together(const SampleAdjoint<Real>& sample, std::size_t population,
                      Timeline<Real>& timeline, bool known) {
    start_timeline(sample.plan, sample.inputs, sample.record, population, sample.sample, timeline,
                   sample.timelines);
    const Arrivals<Real>& arrivals = timeline.shared();
    if (!known) {
      thread_local ReplayTogether<Real> together;
      together.go(p.plan, p.size, arrivals, {p.times, p.neurons}, p.end, States(*this, arrivals));
    }
    std::vector<std::size_t>& last_spike = m_->last_spike;
    last_spike.assign(p.size, none);
    for (std::size_t k = 0; k < p.times.size(); ++k) {
      last_spike[static_cast<std::size_t>(p.neurons[k])] = k;
    }
    for (std::size_t j = 0; j < p.size; ++j) {
      start(j, end_of(j, arrivals, {&last_spike[j], last_spike[j] == none ? 0u : 1u}));
    }
    if (!in_step_) find_steps();
  }
  void find_steps() {
    std::vector<std::size_t>& next_spike = m_->last_spike;
    std::vector<double>& gaps = m_->gaps;
    next_spike.assign(p.size, none);
    gaps.resize(p.times.size());
    for (std::size_t k = p.times.size(); k-- > 0;) {
      const auto j = static_cast<std::size_t>(p.neurons[k]);
      const std::size_t next = next_spike[j];
      gaps[k] = next == none ? 0 : p.times[next] - release_after(j, p.times[k]);
      next_spike[j] = k;
    }
    std::vector<linear::Step>& steps = m_->from_next;
    steps.resize(gaps.size());
    const linear::Alike& all = *p.plan.alike_linear;
    const bool driven = !p.errors.integrals.empty();
    if (!all.own()) return all.steps(gaps, steps.data(), driven);
    for (std::size_t k = 0; k < gaps.size(); ++k) {
      if (gaps[k] == 0) continue;
      const auto j = static_cast<std::size_t>(p.neurons[k]);
      steps[k] = all.step(p.plan.linear_neuron(j).free, gaps[k], driven);
    }
  }
  // Then it has seen all that happens to it.
  double end_of(std::size_t j, const Arrivals<Real>& arrivals,
                std::span<const std::size_t> own) const {
    return rest_of(p.plan.linear_neuron(j), arrivals, own, p.times, p.errors.sample_times, p.end);
  }
  // Neuron j at its end.
  void start(std::size_t j, double end) {
    m_->now.push_back({end, {}, false});
    linear::Vector<double>& adjoint = m_->now[j].p;
    adjoint[linear::integral_of_v] = static_cast<double>(p.source(j));
    const auto last = p.errors.at_end.x.empty() ? std::span<const double>() : p.at_end(j);
    for (std::size_t k = 0; terms::state_end && k < last.size(); ++k) adjoint[k] = last[k];
  }

  // Neuron j to the present time.
  void move(std::size_t j) const {
    // (Of one that is held the lanes do not know p of V.)
    if (!in_step_ || m_->now[j].held) return m_->now[j].move_to(p.plan.linear_neuron(j), t_);
    lambda_.get(j, m_->now[j]);
    m_->now[j].from = t_;
  }
  // The same for what spike k brings: all of its interval may be known.
  void move(std::size_t j, std::size_t k) const {
    LinearSegment& now = m_->now[j];
    const bool known =
        k < m_->gaps.size() && !now.held && m_->gaps[k] > 0 && now.from - t_ == m_->gaps[k];
    if (!known) return move(j);
    now.p = m_->from_next[k].back(now.p, p.plan.alike_linear->components);
    now.from = t_;
  }
  // As it is now it begins a segment.
  void keep(std::size_t j) {
    segments_.add(j, m_->now[j]);
    if (in_step_) lambda_.set(j, m_->now[j]);
  }
  double error_at(std::size_t j, std::int32_t projection, Real weight, double t) const {
    const linear::Neuron& n = p.plan.linear_neuron(j);
    m_->now[j].move_to(n, t);
    return time_error(n, m_->now[j], projection, static_cast<double>(weight));
  }
};

}  // namespace saltus
