// SPDX-License-Identifier: Apache-2.0
// LIF neurons of a cycle that see the same arrivals and decay alike: lambda of all goes from event to
// event side by side (adjoint/lambda.hpp).
#pragma once

#include "adjoint/lambda.hpp"
#include "adjoint/lif_back.hpp"

namespace saltus {

template <class Real>
class LifInStep final : public LifBack<Real> {
 public:
  template <class... Arguments>
  explicit LifInStep(Arguments&&... arguments)
      : LifBack<Real>(std::forward<Arguments>(arguments)...) {
    lambda_.start(p.size);
  }

  void move_to(double t) override {
    if (!(t < this->present())) return;
    const auto& tc = p.plan.neuron(0).tc;
    LambdaKernels<Real>::best().flow_back(lambda_, tc,
                                          neuron::decay<Real>(tc, this->present() - t));
    this->go_to(t);
  }

 private:
  using LifBack<Real>::p;
  Lambda<Real> lambda_;

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
