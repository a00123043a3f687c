// SPDX-License-Identifier: Apache-2.0
// LIF neurons of a cycle that each see arrivals of their own, or decay in their own ways: lambda of
// each stays where it was last known until it is asked. A spike asks all its targets at once, each at
// the time of its own arrival: all that happens later than the spike is known by then.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "adjoint/lambda.hpp"
#include "adjoint/lif_back.hpp"

namespace saltus {

template <class Real>
class LifLazy final : public LifBack<Real> {
 public:
  /// @param in_vectors  all targets of a spike side by side
  template <class... Arguments>
  explicit LifLazy(bool in_vectors, Arguments&&... arguments)
      : LifBack<Real>(std::forward<Arguments>(arguments)...), in_vectors_(in_vectors) {
    for (Known& known : known_) {
      known.lambda.start(p.size);
      const std::size_t slots = known.lambda.slots.layout().count();
      known.from.assign(slots, p.end);
      known.lengths.reserve(slots);
      std::fill_n(known.lengths.data(), slots, Real(0));  // slots of no neuron stay so
    }
    moved_.reserve(last_.lambda.slots.layout().count());
    if (in_vectors_) own_.start(p.plan.neurons, 0, p.size);
    all_.resize(p.size);
  }

  bool can_be_asked() const override { return !p.ghosts && p.errors.maxima.empty(); }
  double error_of_spike(const Source<Real>& source, std::int32_t pre, double time) const override {
    const Projection<Real>& projection = *source.projection;
    if (!source.rows.data) {
      const SynapseList& synapses = projection.connection.synapses();
      double sum = 0;
      for (const auto& reached : synapses.from(static_cast<std::size_t>(pre))) {
        const auto& s = synapses[reached.place];
        const double t = arrival_time(projection, time, s);
        if (t >= p.end) continue;
        sum += this->error_at(weight_of(projection, s), at(static_cast<std::size_t>(s.post), t));
      }
      return sum;
    }
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
  struct Known {
    Lambda<Real> lambda;
    std::vector<double> from;       // [slot] when that was
    mutable Aligned<Real> lengths;  // [slot] from what is asked for to then; scratch
  };
  Known known_[2];
  Known &last_ = known_[0], &before_ = known_[1];
  neuron::LaneConstants<Real> own_;              // in vectors
  std::vector<std::vector<Segment<Real>>> all_;  // per neuron, latest first
  mutable Aligned<Real> moved_;                  // [slot] scratch

  neuron::Adjoint<Real> now(std::size_t j) const override {
    const Segment<Real>& last = all_[j].back();
    return last.read(p.plan.neuron(j).tc, std::min(this->present(), last.from));
  }
  neuron::Adjoint<Real> at(std::size_t j, double t) const override {
    const auto& known = all_[j];
    std::size_t k = known.size();
    while (k > 1 && known[k - 1].from <= t) --k;  // on the right of what happens at t
    return known[k - 1].read(p.plan.neuron(j).tc, t);
  }
  void set(std::size_t j, neuron::Adjoint<Real> lambda, Real source) override {
    const std::size_t slot = last_.lambda.slots.layout().slot_of(j);
    before_.lambda.set(j, last_.lambda.get(j), last_.lambda.source(j));
    before_.from[slot] = last_.from[slot];
    last_.lambda.set(j, lambda, source);
    last_.from[slot] = this->present();
    all_[j].push_back({this->present(), lambda, source});
  }
  double error_of(const Real* weight, std::size_t column, double t) const override {
    if (column != any_column) return this->error_at(*weight, at(column, t));
    return error_of_row(weight, t, nullptr);
  }

  // The sum over all neurons of a row: what is sent at `sent` arrives after `delay` (null: 0).
  double error_of_row(const Real* weight, double sent, const double* delay) const {
    if (!in_vectors_) {
      double sum = 0;
      for (std::size_t j = 0; j < p.size; ++j) {
        const double t = delay ? sent + delay[j] : sent;
        if (t < p.end) sum += this->error_at(weight[j], at(j, t));
      }
      return sum;
    }
    const SlotLayout layout = last_.lambda.slots.layout();
    const std::size_t width = std::min(widest_vector, p.size);
    double latest = sent, shortest = infinity;
    for (std::size_t slot = 0; slot < layout.count(); slot += widest_vector) {
      const double* const delays = delay ? delay + layout.place(slot) : nullptr;
      for (std::size_t l = 0; l < width; ++l) {
        const double t = delays ? sent + delays[l] : sent, length = last_.from[slot + l] - t;
        const double longer = before_.from[slot + l] - t;
        last_.lengths[slot + l] = static_cast<Real>(length);
        before_.lengths[slot + l] = static_cast<Real>(longer);
        latest = std::max(latest, t);
        shortest = std::min(shortest, std::max(length, longer));
      }
    }
    LambdaKernels<Real>::best().errors_of_lanes(last_.lambda, last_.lengths.data(), before_.lambda,
                                                before_.lengths.data(), own_, weight,
                                                moved_.data());
    for (std::size_t j = 0; (shortest <= 0 || latest >= p.end) && j < p.size; ++j) {
      const std::size_t slot = layout.slot_of(j);
      const double t = delay ? sent + delay[j] : sent;
      if (t >= p.end) {
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
