// SPDX-License-Identifier: Apache-2.0
// Optimisers, one tensor at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "machine/parallel.hpp"
#include "saltus/train.hpp"
#include "train/optimizer_kernel.hpp"

namespace saltus {

/// A tensor is worked on by tasks of so many values, on any number of threads. Fixed: partial sums
/// depend on it.
inline constexpr std::size_t values_per_task = std::size_t{1} << 15;
inline std::size_t tasks_of(std::size_t size) {
  return (size + values_per_task - 1) / values_per_task;
}

template <class T>
double sum_of_squares(std::span<T> values, int threads) {
  std::vector<double> sums(tasks_of(values.size()));
  parallel_for(threads, sums.size(), [&](std::size_t k) {
    const std::size_t at = k * values_per_task;
    sums[k] = OptimizerKernels<std::remove_const_t<T>>::best().sum_of_squares(
        std::min(values_per_task, values.size() - at), values.data() + at);
  });
  double sum = 0;
  for (const double s : sums) sum += s;
  return sum;
}

/// One step of one tensor.
/// @param lr      in the tensor's own unit
/// @param count   of steps so far, this one included
/// @param scale   of the gradient
/// @param decays  is it one that weight_decay is about?
/// @param first, second  what the optimiser remembers of this tensor: SGD its velocity and nothing,
///                       Adam two moments. Empty before the first step
template <class T>
void optimizer_step(const TrainSettings& s, double lr, std::int64_t count, double scale,
                    std::span<T> values, std::span<const T> gradient, std::vector<T>& first,
                    std::vector<T>& second, bool decays = true) {
  const double weight_decay = decays ? s.weight_decay : 0;
  first.resize(values.size(), 0);
  if (s.optimizer == OptimizerKind::sgd) {
    const T rate = static_cast<T>(lr), momentum = static_cast<T>(s.momentum);
    const T l2 = static_cast<T>(weight_decay), factor = static_cast<T>(scale);
    for (std::size_t k = 0; k < values.size(); ++k) {
      first[k] = momentum * first[k] + factor * gradient[k] + l2 * values[k];
      if (std::fabs(first[k]) < least_slope<T>) first[k] = 0;
      values[k] -= rate * first[k];
    }
    return;
  }
  second.resize(values.size(), 0);
  const double c1 = 1 - std::pow(s.beta_1, static_cast<double>(count));
  const double c2 = std::sqrt(1 - std::pow(s.beta_2, static_cast<double>(count)));
  const double keep = s.optimizer == OptimizerKind::adamw ? 1 - lr * weight_decay : 1.0;
  const AdamStep<T> adam{static_cast<T>(scale),
                         static_cast<T>(s.beta_1),
                         static_cast<T>(s.beta_2),
                         static_cast<T>(lr * c2 / c1),
                         std::max(static_cast<T>(s.epsilon * c2), std::numeric_limits<T>::min()),
                         static_cast<T>(keep)};
  parallel_for(s.threads, tasks_of(values.size()), [&](std::size_t k) {
    const std::size_t at = k * values_per_task;
    const std::size_t size = std::min(values_per_task, values.size() - at);
    OptimizerKernels<T>::best().adam_step(adam, size, values.data() + at, gradient.data() + at,
                                          first.data() + at, second.data() + at);
  });
}

}  // namespace saltus
