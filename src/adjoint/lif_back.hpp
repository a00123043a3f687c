// SPDX-License-Identifier: Apache-2.0
// lambda of LIF neurons in a cycle: what happens to it at each event. How it is carried from event to
// event: all together (adjoint/lif_in_step.hpp), or each when it is asked (adjoint/lif_lazy.hpp).
#pragma once

#include <vector>

#include "adjoint/group_back.hpp"
#include "adjoint/jump.hpp"

namespace saltus {

template <class Real>
class LifBack : public GroupBack<Real> {
 public:
  LifBack(const SampleAdjoint<Real>& sample, std::size_t population,
          const std::vector<double>& spike_errors, Segments<Real>& segments)
      : GroupBack<Real>(sample, population, spike_errors), segments_(segments), t_(p.end) {
    if (p.ghosts) behind_.resize(p.size);
    segments_.start(p.size);
    segments_.past.assign(p.past, 0);
    held_.assign(p.size, false);
    after_.assign(p.size, 0);
  }

  double release_after(std::size_t j, double time) const override {
    return time + p.plan.neuron(j).tau_ref;
  }
  void begin_held(std::size_t j) override {
    held_[j] = true;
    segments_.jumps[j].v_reset += p.held_at_end(j);
  }
  void begin() override {
    for (std::size_t j = 0; j < p.size; ++j) {
      held_[j] ? put(j, {0, p.last(j).i}, 0) : put(j, p.last(j), p.driving_source(j));
    }
  }

  double error(std::int32_t, const Real* weight, std::size_t column, double t) const override {
    return error_of(weight, column, t) +
           sum_of_free_pieces(column, t, [&](std::size_t j, const neuron::Adjoint<Real>& l) {
             return error_at(weight[column == any_column ? j : 0], l);
           });
  }

  double probe(const Real* weight, std::size_t column, double t) const override {
    const bool one = column != any_column;
    const auto found = [&](std::size_t j, const neuron::Adjoint<Real>& lambda) {
      return -p.plan.neuron(j).tc.tau_syn * static_cast<double>(weight[one ? 0 : j] * lambda.i);
    };
    double sum = sum_of_free_pieces(column, t, found);
    for (std::size_t j = one ? column : 0; j < (one ? column + 1 : p.size); ++j) {
      sum += found(j, at(j, t));
    }
    return sum;
  }

  void spike(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    auto lambda = now(j);
    lambda.v =
        jump_over_spike(p, k, held_[j] ? after_[j] : lambda.v, this->errors[k], segments_.jumps[j]);
    std::erase_if(free_, [&](const FreePiece<Real>& piece) {
      if (piece.spike != k) return false;
      const auto handed = piece.read(p.plan.neuron(j).tc, t_);
      lambda.v += handed.v;
      lambda.i += handed.i;
      return true;
    });
    after_[j] = 0;
    held_[j] = false;
    put(j, lambda, p.driving_source(j), true);
  }

  void release(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    const auto lambda = now(j);
    after_[j] = lambda.v;
    held_[j] = true;
    put(j, {0, lambda.i}, 0);
  }

  void past(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    double moved = 0;
    if (release_after(j, p.times[k]) > 0) {
      moved = release_of_past(p, k, static_cast<double>(after_[j]), segments_.jumps[j]);
    }
    segments_.past[k] = moved + (terms::past_arrivals ? this->errors[k] : 0);
  }

  void sample(std::size_t k) override {
    for (std::size_t j = 0; j < p.size; ++j) {
      const Real error = p.at_sample(k, j);
      if (error == 0) continue;
      if (held_[j]) {
        if (terms::clamp_sample) segments_.jumps[j].v_reset += error;
      } else {
        look(j, terms::sample_jump ? error : 0);
      }
    }
  }

  double ghost(std::size_t number) override {
    const Ghost<Real>& g = (*p.ghosts->list)[number];
    const auto j = static_cast<std::size_t>(g.neuron);
    const auto& n = p.plan.neuron(j);
    JumpSums& jumps = segments_.jumps[j];
    if (g.behind >= 0) {
      const double spike = p.times[static_cast<std::size_t>(g.behind)];
      free_.push_back(p.ghosts->settle_free(n, number, spike, behind_[j], jumps));
      p.ghosts->free.push_back(free_.back());
    } else {
      const double error = p.ghosts->settle(n, number, behind_[j], jumps);
      look(j, terms::ghost_jump ? error : 0);
    }
    return p.ghosts->errors[number] * slope_before(n, g);
  }

  double maximum(std::size_t j) override {
    const std::size_t at = p.sample * p.size + j;
    const double error = p.errors.maxima[at];
    look(j, terms::maximum_jump ? error : 0);
    return error * slope_before(p.plan.neuron(j), p.maxima, at);
  }

  void finish() override {
    if (p.ghosts) p.ghosts->finish();
  }

 protected:
  using GroupBack<Real>::p;

  /// lambda of neuron j at the present time, on the left of what has happened there.
  virtual neuron::Adjoint<Real> now(std::size_t j) const = 0;
  /// The same at an arrival at t, on its right; t is not later than the present time, or lambda is
  /// known there.
  virtual neuron::Adjoint<Real> at(std::size_t j, double t) const = 0;
  /// It goes on with this.
  virtual void set(std::size_t j, neuron::Adjoint<Real> lambda, Real source) = 0;
  /// error() but for free pieces.
  virtual double error_of(const Real* weight, std::size_t column, double t) const = 0;

  double present() const { return t_; }
  void go_to(double t) { t_ = t; }
  static double error_at(Real weight, const neuron::Adjoint<Real>& l) {
    const Real v = terms::lambda_v_in_e ? l.v : Real(0), i = terms::lambda_i_in_e ? l.i : Real(0);
    return static_cast<double>(weight * (v - i));
  }

 private:
  Segments<Real>& segments_;
  double t_;
  std::vector<char> held_;                          // in (spike, release]: dl_V/dV is 0
  std::vector<Real> after_;                         // lambda_V at the release of the spike to come
  std::vector<FreePiece<Real>> free_;               // that hold the present time
  std::vector<std::vector<Segment<Real>>> behind_;  // per neuron, latest first; if ghosts

  void put(std::size_t j, neuron::Adjoint<Real> lambda, Real source, bool at_spike = false) {
    set(j, lambda, source);
    segments_.add(j, {t_, lambda, source, at_spike});
    if (p.ghosts) behind_[j].push_back({t_, lambda, source});
  }
  // The loss looks at V of neuron j, which is free to move, with this error.
  void look(std::size_t j, double error) {
    auto l = now(j);
    l.v -= static_cast<Real>(error / p.plan.neuron(j).tc.tau_mem);
    put(j, l, held_[j] ? 0 : p.driving_source(j));
  }
  // Of found(neuron, lambda) over the free pieces that an arrival reaches.
  template <class Found>
  double sum_of_free_pieces(std::size_t column, double t, Found&& found) const {
    double sum = 0;
    for (const FreePiece<Real>& piece : free_) {
      if (column != any_column && column != piece.neuron) continue;
      sum += found(piece.neuron, piece.read(p.plan.neuron(piece.neuron).tc, t));
    }
    return sum;
  }
};

}  // namespace saltus
