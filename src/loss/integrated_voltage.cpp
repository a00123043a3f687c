// SPDX-License-Identifier: Apache-2.0
// The cross-entropy of the softmax over the integrals of V_n over the sample, each divided by
// tau_integral (Nowotny, Turner, Knight 2025).
#include "loss/cross_entropy.hpp"
#include "observe/observe.hpp"
#include "saltus/losses.hpp"

namespace saltus {
namespace {

template <class Real>
class IntegratedVoltage final : public ReadoutLoss<Real> {
 public:
  static constexpr std::string_view name = "integrated_voltage";
  static constexpr const Model& readout_model = Model::li;
  static constexpr bool of_integrals = true;
  static constexpr LossSetting settings[] = {
      {"tau_integral", 5e-3, bounds::time, "unit of the integrals, s"}};
  using ReadoutLoss<Real>::ReadoutLoss;

  LossResult<Real> evaluate(const Batch<Real>& b) override {
    LossResult<Real> result = this->empty_result(b);
    // An integral below 0 says something: only that of an output that nothing reaches does not.
    const auto nothing = [](double score) { return score == 0; };
    cross_entropy_of(b,
                     integrals(b.plan, b.inputs, b.record, this->readout(), b.threads, b.timelines),
                     1 / this->setting("tau_integral"), this->outputs(b), nothing,
                     result.errors.populations[this->readout()].integrals, result);
    return result;
  }

  double largest_term(const Batch<Real>& b) const override {
    double largest =
        largest_of(integrals(b.plan, b.inputs, b.record, this->readout(), b.threads, b.timelines));
    // A unit of bias adds the whole sample to an integral.
    for (const double t : b.inputs.t_end) largest = std::max(largest, std::isinf(t) ? 0 : t);
    return 1 + largest / this->setting("tau_integral");
  }
};

}  // namespace

NamedLoss integrated_voltage();
NamedLoss integrated_voltage() { return named_loss<IntegratedVoltage>(); }

}  // namespace saltus
