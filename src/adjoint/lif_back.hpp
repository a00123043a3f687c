// SPDX-License-Identifier: Apache-2.0
// lambda of LIF neurons in a cycle: side by side where they see the same arrivals
// (adjoint/lambda.hpp).
#pragma once

#include <vector>

#include "adjoint/group_back.hpp"
#include "adjoint/jump.hpp"
#include "adjoint/lambda.hpp"

namespace saltus {

template <class Real>
class LifBack final : public GroupBack<Real> {
 public:
  LifBack(const SampleAdjoint<Real>& sample, std::size_t population,
          const std::vector<double>& spike_errors, Segments<Real>& segments)
      : GroupBack<Real>(sample, population, spike_errors),
        segments_(segments),
        side_by_side_(sample.plan.in_vectors(population)),
        t_(p.end) {
    if (p.ghosts) behind_.resize(p.size);
    lambda_.start(p.size);
    if (side_by_side_ && !p.plan.same_time_constants) {
      own_.start(p.plan.neurons.data(), p.size);
    }
    segments_.start(p.size);
    held_.assign(p.size, false);
    after_.assign(p.size, 0);
    for (std::size_t j = 0; j < p.size; ++j) lambda_.set(j, p.last(j), p.driving_source(j));
  }

  double tau_ref(std::size_t j) const override { return p.plan.neuron(j).tau_ref; }
  void begin_held(std::size_t j) override { hold(j); }
  void begin() override {
    for (std::size_t j = 0; j < p.size; ++j) emit(j);
  }

  void move_to(double t) override {
    if (!(t < t_)) return;
    if (side_by_side_ && !p.plan.same_time_constants) {
      LambdaKernels<Real>::best().own_flow_back(lambda_, own_, t_ - t);
    } else if (side_by_side_) {
      const auto& tc = p.plan.neuron(0).tc;
      LambdaKernels<Real>::best().flow_back(lambda_, tc, neuron::decay<Real>(tc, t_ - t));
    } else {
      for (std::size_t j = 0; j < p.size; ++j) lambda_.set(j, at(j, t), lambda_.source(j));
    }
    t_ = t;
  }

  double error(const Real* weight, std::size_t column, double t) const override {
    const auto on_free_pieces = [&] {
      return sum_of_free_pieces(column, t, [&](std::size_t j, const neuron::Adjoint<Real>& l) {
        return error_at(weight[column == any_column ? j : 0], l);
      });
    };
    if (column != any_column) return error_at(*weight, at(column, t)) + on_free_pieces();
    if (side_by_side_) {
      return LambdaKernels<Real>::best().error_of_arrival(lambda_, weight) + on_free_pieces();
    }
    double sum = 0;
    for (std::size_t j = 0; j < p.size; ++j) sum += error_at(weight[j], lambda_.get(j));
    return sum + on_free_pieces();
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
    auto lambda = lambda_.get(j);
    lambda.v =
        jump_over_spike(p, k, held_[j] ? after_[j] : lambda.v, this->errors[k], segments_.jumps[j]);
    std::erase_if(free_, [&](const FreePiece<Real>& piece) {
      if (piece.spike != k) return false;
      const auto handed = piece.read(p.plan.neuron(j).tc, t_);
      lambda.v += handed.v;
      lambda.i += handed.i;
      return true;
    });
    lambda_.set(j, lambda, p.driving_source(j));
    after_[j] = 0;
    held_[j] = false;
    emit(j, true);
  }

  void release(std::size_t k) override {
    const auto j = static_cast<std::size_t>(p.neurons[k]);
    after_[j] = lambda_.get(j).v;
    hold(j);
    emit(j);
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
    segments_.finish();
    if (p.ghosts) p.ghosts->finish();
  }

 private:
  using GroupBack<Real>::p;
  Segments<Real>& segments_;
  bool side_by_side_;
  double t_;
  Lambda<Real> lambda_;                             // at t_; dl_V/dV is 0 while held
  neuron::LaneConstants<Real> own_;                 // side by side, if they do not decay alike
  std::vector<char> held_;                          // in (spike, release]
  std::vector<Real> after_;                         // lambda_V at the release of the spike to come
  std::vector<FreePiece<Real>> free_;               // that hold the present time
  std::vector<std::vector<Segment<Real>>> behind_;  // per neuron, latest first; if ghosts

  void emit(std::size_t j, bool at_spike = false) {
    segments_.add(j, {t_, lambda_.get(j), lambda_.source(j), at_spike});
    if (p.ghosts) behind_[j].push_back({t_, lambda_.get(j), lambda_.source(j)});
  }
  // The loss looks at V of neuron j, which is free to move, with this error.
  void look(std::size_t j, double error) {
    auto l = lambda_.get(j);
    l.v -= static_cast<Real>(error / p.plan.neuron(j).tc.tau_mem);
    lambda_.set(j, l, lambda_.source(j));
    emit(j);
  }
  void hold(std::size_t j) {
    lambda_.set(j, {0, lambda_.get(j).i}, 0);
    held_[j] = true;
  }
  neuron::Adjoint<Real> at(std::size_t j, double t) const {
    const auto& tc = p.plan.neuron(j).tc;
    return neuron::flow_back(tc, lambda_.get(j), lambda_.source(j),
                             neuron::decay<Real>(tc, t_ - t));
  }
  static double error_at(Real weight, const neuron::Adjoint<Real>& l) {
    const Real v = terms::lambda_v_in_e ? l.v : Real(0), i = terms::lambda_i_in_e ? l.i : Real(0);
    return static_cast<double>(weight * (v - i));
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
