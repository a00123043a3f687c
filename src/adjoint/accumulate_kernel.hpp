// SPDX-License-Identifier: Apache-2.0
// Reading lambda at the arrivals of one sample, for a tile of neurons side by side.
#pragma once

#include <vector>

#include "adjoint/segments.hpp"
#include "simulate/arrivals.hpp"

namespace saltus {

/// Where one projection into a population wants its gradients.
template <class Real>
struct Target {
  const Projection<Real>* projection = nullptr;
  Real* weights = nullptr;   // rows like those of the weights that arrive: simulate/plan.hpp
  std::size_t stride = 0;    // of a row
  double* delays = nullptr;  // null if not wanted
  double* errors = nullptr;  // of the source's spikes in this sample; null if not wanted
};

/// Neurons first .. first + width - 1, which see the same arrivals and decay alike: lambda of each
/// is 0 until its first segment, and is read anew where it enters the next. The sums over neurons
/// have the same order on every machine.
/// @param width    at least 8, unless the rows are filled up
/// @param targets  by number of the projection
void accumulate_in_vectors(const neuron::TimeConstants& tc, const Segments<float>& segments,
                           const Arrivals<float>& arrivals, std::size_t first, std::size_t width,
                           const std::vector<Target<float>>& targets);
void accumulate_in_vectors(const neuron::TimeConstants& tc, const Segments<double>& segments,
                           const Arrivals<double>& arrivals, std::size_t first, std::size_t width,
                           const std::vector<Target<double>>& targets);

}  // namespace saltus
