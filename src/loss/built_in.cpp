// SPDX-License-Identifier: Apache-2.0
// The losses of the library as what a training calls.
#include "loss/evaluate.hpp"

namespace saltus {
namespace {

template <class Real>
class BuiltIn final : public Loss<Real> {
 public:
  BuiltIn(const LossSettings& settings, std::size_t readout)
      : settings_(settings), readout_(readout) {}

  void check(const Network<Real>& network, std::span<const std::int32_t> labels) const override {
    check_readout(network.populations().at(readout_), settings_.kind, labels);
  }
  LossResult<Real> evaluate(const Batch<Real>& b) override {
    return saltus::evaluate(settings_, b.plan, b.inputs, b.record, readout_, b.labels, b.threads,
                            &b.timelines);
  }
  void add_direct_differences(const Batch<Real>& b, Ghosts<Real>& ghosts) const override {
    saltus::add_direct_differences(settings_, b.plan, b.record, readout_, b.labels, ghosts);
  }
  bool is_output(const Network<Real>&, std::size_t population) const override {
    return population == readout_;
  }

 private:
  LossSettings settings_;
  std::size_t readout_;
};

}  // namespace

template <class Real>
std::unique_ptr<Loss<Real>> built_in_loss(const LossSettings& settings, std::size_t readout) {
  return std::make_unique<BuiltIn<Real>>(settings, readout);
}

template std::unique_ptr<Loss<float>> built_in_loss(const LossSettings&, std::size_t);
template std::unique_ptr<Loss<double>> built_in_loss(const LossSettings&, std::size_t);

}  // namespace saltus
