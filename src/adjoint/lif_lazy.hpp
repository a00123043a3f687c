// SPDX-License-Identifier: Apache-2.0
// LIF neurons of a cycle that each see arrivals of their own, or decay in their own ways: lambda of
// each stays where it was last known until it is asked. A spike asks all its targets at once, each at
// the time of its own arrival: all that happens later than the spike is known by then.
#pragma once

#include <hwy/cache_control.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "adjoint/lambda.hpp"
#include "adjoint/lif_back.hpp"
#include "neuron/decay_kernel.hpp"

namespace saltus {

template <class Real>
class LifLazy final : public LifBack<Real> {
 public:
  /// @param in_vectors  all targets of a spike side by side
  template <class... Arguments>
  explicit LifLazy(bool in_vectors, Arguments&&... arguments)
      : LifBack<Real>(std::forward<Arguments>(arguments)...), in_vectors_(in_vectors) {
    for (LastLambda<Real>& known : known_) known.start(p.size, p.end);
    moved_.reserve(last_.lambda.slots.layout().count());
    if (in_vectors_) own_.start(p.plan.neurons, 0, p.size);
    all_.resize(p.size);
    recent_.resize(p.size);
  }

  bool can_be_asked() const override { return !p.ghosts && p.errors.maxima.empty(); }
  double error_of_spike(const Source<Real>& source, std::int32_t pre, double time) const override {
    const Projection<Real>& projection = *source.projection;
    if (!source.rows.data) return error_of_synapses(projection, pre, time);
    const auto row = static_cast<std::size_t>(pre);
    if (projection.delay.kind == Delay::Kind::per_synapse) {
      return error_of_row(source.rows[row], time, projection.delay.values.data() + row * p.size);
    }
    return error_of_row(source.rows[row], arrival_time(projection, time, pre, any_column, p.size),
                        nullptr);
  }

  void move_to(double t) override { this->go_to(std::min(t, this->present())); }

 private:
  using LifBack<Real>::p;
  const bool in_vectors_;
  // On the left of the last thing that happened to each neuron, and of the last but one: few of those
  // that a spike asks have changed more often since its arrival.
  mutable LastLambda<Real> known_[2];
  LastLambda<Real>&last_ = known_[0], &before_ = known_[1];
  neuron::LaneConstants<Real> own_;              // in vectors
  std::vector<std::vector<Segment<Real>>> all_;  // per neuron, latest first
  // The same two of each neuron in one place, for those who ask few neurons here and there.
  struct alignas(64) Recent {
    Segment<Real> last, before;
  };
  std::vector<Recent> recent_;
  // What the targets of one spike know, side by side; scratch.
  struct Told {
    neuron::Adjoint<Real> at;
    Real source, weight;
    std::size_t neuron;
  };
  mutable std::vector<Told> asked_;
  mutable std::vector<double> gaps_;
  mutable std::vector<neuron::Decay<Real>> decays_;
  mutable Aligned<Real> moved_;  // [slot] scratch

  neuron::Adjoint<Real> now(std::size_t j) const override {
    const Segment<Real>& last = all_[j].back();
    return last.read(p.plan.neuron(j).tc, std::min(this->present(), last.from));
  }
  neuron::Adjoint<Real> at(std::size_t j, double t) const override {
    return known_at(j, t).read(p.plan.neuron(j).tc, t);
  }
  // On the right of what happens at t.
  const Segment<Real>& known_at(std::size_t j, double t) const {
    const Recent& recent = recent_[j];
    if (recent.last.from > t) return recent.last;
    if (recent.before.from > t) return recent.before;
    const auto& known = all_[j];
    std::size_t k = known.size();
    while (k > 1 && known[k - 1].from <= t) --k;
    return known[k - 1];
  }
  void set(std::size_t j, neuron::Adjoint<Real> lambda, Real source) override {
    const std::size_t slot = last_.lambda.slots.layout().slot_of(j);
    before_.lambda.set(j, last_.lambda.get(j), last_.lambda.source(j));
    before_.from[slot] = last_.from[slot];
    last_.lambda.set(j, lambda, source);
    last_.from[slot] = this->present();
    const Segment<Real> segment{this->present(), lambda, source};
    recent_[j] = {segment, all_[j].empty() ? segment : recent_[j].last};
    all_[j].push_back(segment);
  }
  double error_of(const Real* weight, std::size_t column, double t) const override {
    if (column != any_column) return this->error_at(*weight, at(column, t));
    return error_of_row(weight, t, nullptr);
  }

  // The sum over the synapses of a source.
  double error_of_synapses(const Projection<Real>& projection, std::int32_t pre,
                           double time) const {
    const auto neuron = static_cast<std::size_t>(pre);
    const auto reached = projection.connection.synapses().from(neuron);
    asked_.clear();
    gaps_.clear();
    for (std::size_t k = 0; k < reached.size(); ++k) {
      constexpr std::size_t ahead = 16;  // they come in no order that the machine could guess
      if (k + ahead < reached.size()) {
        hwy::Prefetch(&recent_[static_cast<std::size_t>(reached[k + ahead].post)]);
      }
      const auto& s = reached[k];
      const auto j = static_cast<std::size_t>(s.post);
      const double t = time + projection.delay(neuron, static_cast<std::size_t>(s.number));
      if (!p.holds(t)) continue;
      const Segment<Real>& known = known_at(j, t);
      asked_.push_back(
          {known.at, known.source, projection.weight[static_cast<std::size_t>(s.weight)], j});
      gaps_.push_back(known.from - t);
    }
    decays_.resize(gaps_.size());
    if (p.plan.same_time_constants) {
      neuron::decays(p.plan.neuron(0).tc, gaps_, decays_.data());
    }
    double sum = 0;
    for (std::size_t k = 0; k < asked_.size(); ++k) {
      const Told& asked = asked_[k];
      const auto& tc = p.plan.neuron(asked.neuron).tc;
      if (!p.plan.same_time_constants) decays_[k] = neuron::decay<Real>(tc, gaps_[k]);
      sum += this->error_at(
          asked.weight,
          gaps_[k] == 0 ? asked.at : neuron::flow_back(tc, asked.at, asked.source, decays_[k]));
    }
    return sum;
  }

  // The sum over all neurons of a row: what is sent at `sent` arrives after `delay` (null: 0).
  double error_of_row(const Real* weight, double sent, const double* delay) const {
    if (!in_vectors_) {
      double sum = 0;
      for (std::size_t j = 0; j < p.size; ++j) {
        const double t = delay ? sent + delay[j] : sent;
        if (p.holds(t)) sum += this->error_at(weight[j], at(j, t));
      }
      return sum;
    }
    const SlotLayout layout = last_.lambda.slots.layout();
    const AskedTimes times = LambdaKernels<Real>::best().errors_of_lanes(
        last_, before_, {sent, delay, p.size}, own_, weight, moved_.data());
    const bool all = p.holds(times.latest) && p.holds(times.earliest) && times.shortest > 0;
    for (std::size_t j = 0; !all && j < p.size; ++j) {
      const std::size_t slot = layout.slot_of(j);
      const double t = delay ? sent + delay[j] : sent;
      if (!p.holds(t)) {
        moved_[slot] = 0;
      } else if (before_.from[slot] <= t) {
        moved_[slot] = static_cast<Real>(this->error_at(weight[j], at(j, t)));
      }
    }
    return sum_of_moved(layout.count());
  }
  // In an order that is the same on every machine.
  double sum_of_moved(std::size_t slots) const {
    Real sums[widest_vector] = {};
    for (std::size_t slot = 0; slot < slots; slot += widest_vector) {
      for (std::size_t l = 0; l < widest_vector; ++l) sums[l] += moved_[slot + l];
    }
    for (std::size_t n = widest_vector / 2; n > 0; n /= 2) {
      for (std::size_t l = 0; l < n; ++l) sums[l] += sums[l + n];
    }
    return static_cast<double>(sums[0]);
  }
};

}  // namespace saltus
