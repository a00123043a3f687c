// SPDX-License-Identifier: Apache-2.0
// Optimisers, one tensor at a time.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "saltus/train.hpp"

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
    // Adam with its bias corrections taken into the rate and epsilon (Kingma & Ba 2015, section 2).
    second_.resize(values.size(), 0);
    const double c1 = 1 - std::pow(s.beta_1, static_cast<double>(count));
    const double c2 = std::sqrt(1 - std::pow(s.beta_2, static_cast<double>(count)));
    const T rate = static_cast<T>(lr * c2 / c1), epsilon = static_cast<T>(s.epsilon * c2);
    const T b1 = static_cast<T>(s.beta_1), b2 = static_cast<T>(s.beta_2);
    const T keep =
        static_cast<T>(s.optimizer == OptimizerKind::adamw ? 1 - lr * s.weight_decay : 1.0);
    const T factor = static_cast<T>(scale);
    T* const m = first_.data();
    T* const v = second_.data();
    T* const w = values.data();
    const T* const g = gradient.data();
    const std::size_t size = values.size();
    for (std::size_t k = 0; k < size; ++k) {
      const T slope = factor * g[k];
      m[k] = b1 * m[k] + (1 - b1) * slope;
      v[k] = b2 * v[k] + (1 - b2) * slope * slope;
      w[k] = keep * w[k] - rate * m[k] / (std::sqrt(v[k]) + epsilon);
    }
  }

 private:
  std::vector<T> first_, second_;
};

}  // namespace saltus
