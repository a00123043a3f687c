// SPDX-License-Identifier: Apache-2.0
// LIF neurons of a cycle that see the same arrivals and decay alike: lambda of all goes from event to
// event side by side (adjoint/lambda.hpp).
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "adjoint/lambda.hpp"
#include "adjoint/lif_back.hpp"
#include "neuron/decay_kernel.hpp"

namespace saltus {

template <class Real>
class LifInStep final : public LifBack<Real> {
 public:
  template <class... Arguments>
  explicit LifInStep(Arguments&&... arguments)
      : LifBack<Real>(std::forward<Arguments>(arguments)...) {
    lambda_.start(p.size);
  }

  void will_move_by(std::span<const double> lengths) override { lengths_ = lengths; }
  void move_to(double t) override {
    if (!(t < this->present())) return;
    const auto& tc = p.plan.neuron(0).tc;
    if (next_ == decays_.size()) find_decays();
    LambdaKernels<Real>::best().flow_back(lambda_, tc, decays_[next_++]);
    this->go_to(t);
  }

 private:
  using LifBack<Real>::p;
  static constexpr std::size_t at_once = 256;  // they stay in the first-level cache
  Lambda<Real> lambda_;
  std::span<const double> lengths_;  // of the moves whose decays are not known yet
  std::vector<neuron::Decay<Real>> decays_;
  std::size_t next_ = 0;  // of decays_

  void find_decays() {
    const auto lengths = lengths_.first(std::min(at_once, lengths_.size()));
    lengths_ = lengths_.subspan(lengths.size());
    decays_.resize(lengths.size());
    neuron::decays(p.plan.neuron(0).tc, lengths, decays_.data());
    next_ = 0;
  }

  neuron::Adjoint<Real> now(std::size_t j) const override { return lambda_.get(j); }
  neuron::Adjoint<Real> at(std::size_t j, double t) const override {
    const auto& tc = p.plan.neuron(j).tc;
    return neuron::flow_back(tc, lambda_.get(j), lambda_.source(j),
                             neuron::decay<Real>(tc, this->present() - t));
  }
  void set(std::size_t j, neuron::Adjoint<Real> lambda, Real source) override {
    lambda_.set(j, lambda, source);
  }
  double error_of(const Real* weight, std::size_t column, double t) const override {
    if (column != any_column) return this->error_at(*weight, at(column, t));
    return LambdaKernels<Real>::best().error_of_arrival(lambda_, weight);
  }
};

}  // namespace saltus
