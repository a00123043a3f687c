// SPDX-License-Identifier: Apache-2.0
// An optimiser and a schedule of one's own, made of the public headers alone.
#pragma once

#include <vector>

#include "saltus/train.hpp"

namespace saltus::toy {

/// The sign of a running mean of the gradient of the weights, as Lion's (Chen et al. 2023) with one beta.
class SignOfMean final : public Optimizer<float> {
 public:
  void step(Network<float>& network, const Gradients<float>& gradients, double lr,
            double scale) override;
  Memory memory() const override;
  void recall(const Memory& memory) override;

 private:
  std::vector<std::vector<double>> means_;  // [projection]
};

/// lr / sqrt(epoch), half of that in an epoch after one that was worse than the one before.
class RootWithCaution final : public Schedule {
 public:
  double learning_rate(double first, int epoch,
                       std::span<const EpochReport> history) const override;
};

}  // namespace saltus::toy
