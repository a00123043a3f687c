// SPDX-License-Identifier: Apache-2.0
// The cross-entropy of the softmax over max_t V_n(t) (Wunderlich & Pehle 2021, eq. 12; MNIST).
#include "loss/cross_entropy.hpp"
#include "observe/observe.hpp"
#include "saltus/losses.hpp"

namespace saltus {
namespace {

template <class Real>
class MaximumVoltage final : public ReadoutLoss<Real> {
 public:
  static constexpr std::string_view name = "maximum_voltage";
  static constexpr const Model& readout_model = Model::li;
  using ReadoutLoss<Real>::ReadoutLoss;

  LossResult<Real> evaluate(const Batch<Real>& b) override {
    LossResult<Real> result = this->empty_result(b);
    const std::size_t readout = this->readout();
    Maxima<Real>& maxima = result.errors.maxima[readout];
    maxima = saltus::maxima(b.plan, b.inputs, b.record, readout, b.threads, b.timelines);
    const auto never_rises = [](double score) { return score <= 0; };
    cross_entropy_of(b, maxima.values, 1.0, this->outputs(b), never_rises,
                     result.errors.populations[readout].maxima, result);
    return result;
  }

  double largest_term(const Batch<Real>& b) const override {
    return 1 + largest_of(saltus::maxima(b.plan, b.inputs, b.record, this->readout(), b.threads,
                                         b.timelines)
                              .values);
  }
};

}  // namespace

NamedLoss maximum_voltage();
NamedLoss maximum_voltage() { return named_loss<MaximumVoltage>(); }

}  // namespace saltus
