// SPDX-License-Identifier: Apache-2.0
// The passes over all weights that every minibatch makes, in vectors: with small minibatches they
// are what training costs.
#pragma once

#include <cstddef>

namespace saltus {

/// Adam with its bias corrections taken into the rate and epsilon (Kingma & Ba 2015, section 2):
///
///     g = scale g      m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2
///     w = keep w - rate m / (sqrt(v) + epsilon)
template <class T>
struct AdamStep {
  T scale, b1, b2, rate, epsilon;
  T keep;  // 1 without weight decay
};

void adam_step(const AdamStep<float>& step, std::size_t size, float* weights, const float* gradient,
               float* m, float* v);
void adam_step(const AdamStep<double>& step, std::size_t size, double* weights,
               const double* gradient, double* m, double* v);

/// The sum of squares, in an order that is the same on every machine.
double sum_of_squares(std::size_t size, const float* values);
double sum_of_squares(std::size_t size, const double* values);

}  // namespace saltus
