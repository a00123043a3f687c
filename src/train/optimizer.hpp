// SPDX-License-Identifier: Apache-2.0
// Optimisers, one tensor at a time.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "saltus/train.hpp"
#include "train/optimizer_kernel.hpp"

namespace saltus {

/// The state that an optimiser keeps for one tensor.
template <class T>
class Optimizer {
 public:
  /// One step. @param count  of steps so far, this one included; @param scale  of the gradient
  void step(const TrainSettings& s, double lr, std::int64_t count, double scale,
            std::span<T> values, std::span<const T> gradient) {
    first_.resize(values.size(), 0);
    if (s.optimizer == OptimizerKind::sgd) {
      const T rate = static_cast<T>(lr), momentum = static_cast<T>(s.momentum);
      const T l2 = static_cast<T>(s.weight_decay), factor = static_cast<T>(scale);
      for (std::size_t k = 0; k < values.size(); ++k) {
        first_[k] = momentum * first_[k] + factor * gradient[k] + l2 * values[k];
        values[k] -= rate * first_[k];
      }
      return;
    }
    second_.resize(values.size(), 0);
    const double c1 = 1 - std::pow(s.beta_1, static_cast<double>(count));
    const double c2 = std::sqrt(1 - std::pow(s.beta_2, static_cast<double>(count)));
    const double keep = s.optimizer == OptimizerKind::adamw ? 1 - lr * s.weight_decay : 1.0;
    const AdamStep<T> adam{static_cast<T>(scale),          static_cast<T>(s.beta_1),
                           static_cast<T>(s.beta_2),       static_cast<T>(lr * c2 / c1),
                           static_cast<T>(s.epsilon * c2), static_cast<T>(keep)};
    adam_step(adam, values.size(), values.data(), gradient.data(), first_.data(), second_.data());
  }

 private:
  std::vector<T> first_, second_;
};

}  // namespace saltus
