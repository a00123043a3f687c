// SPDX-License-Identifier: Apache-2.0
// The passes over all weights that every minibatch makes, in vectors: with small minibatches they
// are what training costs.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

namespace saltus {

/// What is smaller has no square that the machine could hold as well as others. Slopes, and means of
/// slopes, below count as 0: many weights see no slope for long, and a mean that fades away would spend its
/// last hundreds of steps among numbers (subnormal ones) that some machines take fifty times as long for.
template <class T>
inline const T least_slope = std::sqrt(std::numeric_limits<T>::min());

/// Adam with its bias corrections taken into the rate and epsilon (Kingma & Ba 2015, section 2):
///
///     g = scale g      m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2
///     w = keep w - rate m / (sqrt(v) + epsilon)
///
/// but for slopes next to 0: least_slope.
template <class T>
struct AdamStep {
  T scale, b1, b2, rate, epsilon;
  T keep;  // 1 without weight decay
};

/// train/optimizer_kernel.cpp (machine/dispatch.hpp).
template <class T>
struct OptimizerKernels {
  void (*adam_step)(const AdamStep<T>& step, std::size_t size, T* weights, const T* gradient, T* m,
                    T* v);

  /// The sum of squares, in an order that is the same on every machine.
  double (*sum_of_squares)(std::size_t size, const T* values);

  static const OptimizerKernels& best();
};

}  // namespace saltus
