// SPDX-License-Identifier: Apache-2.0
/// @file
/// The backward pass: a record and the errors of a loss give gradients.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "saltus/ghosts.hpp"
#include "saltus/network.hpp"
#include "saltus/observe.hpp"
#include "saltus/simulate.hpp"
#include "saltus/state.hpp"

namespace saltus {

/// Of the parameters of a population, as Population::parameters; empty if not wanted.
struct NeuronGradients {
  Model model = Model::input;                   ///< of the population
  std::vector<std::vector<double>> parameters;  ///< each as Parameter::values

  /// By name. @throws InvalidInput  the model has no such parameter
  std::vector<double>& operator[](std::string_view parameter) {
    return parameters.at(model->index(parameter));
  }
  /// The same.
  const std::vector<double>& operator[](std::string_view parameter) const {
    return parameters.at(model->index(parameter));
  }
};

/// The same shapes as the network's parameters, summed over the batch.
template <class Real>
struct Gradients {
  std::vector<std::vector<Real>> weights;   ///< per projection, [pre, post]
  std::vector<std::vector<double>> delays;  ///< per projection, as Delay::values
  std::vector<NeuronGradients> neurons;     ///< per population
  std::vector<std::vector<double>> times;   ///< per population: dL/dt of each input spike
  StateErrors state;                        ///< of Inputs::state, if there is one
};

/// Which gradients to compute besides those of the weights.
struct Wanted {
  bool delays = true;       ///< of delays
  bool input_times = true;  ///< of the times of input spikes
  bool neurons = true;      ///< of their parameters
  /// [population][its parameter] which of those; empty: all. The gradients of others stay empty.
  std::vector<std::vector<bool>> only{};

  /// Is parameter k of a population wanted?
  bool parameter(std::size_t population, std::size_t k) const {
    return neurons && (only.empty() || only.at(population).at(k));
  }
  /// Nothing besides those of the weights.
  static Wanted weights_only() { return {false, false, false}; }
};

/// Exact gradients by the adjoint equations, run backwards with jumps at the spikes
/// (docs/theory.md, sections 5 to 8; Wunderlich & Pehle 2021, eq. 3 to 5).
/// @throws InvalidInput  arrays of a wrong length, values that are not finite, an error of the
///                       maximum of a neuron that spikes
template <class Real>
Gradients<Real> backward(const Network<Real>& network, const Inputs& inputs,
                         const Record<Real>& record, const Errors<Real>& errors,
                         const Wanted& wanted = {}, const Options& = {});

/// The gradient of the loss averaged over noisy thresholds: the exact gradient of the record plus,
/// for each ghost, density * grad V_peak * (L(with the spike) - L(without)) (docs/theory.md,
/// section 10). Without ghosts: to the last bit what backward() without them returns.
/// @param ghosts  those of this record; unless their differences are known they are filled in
/// @throws InvalidInput  as backward() without them; ghosts of another network or batch
template <class Real>
Gradients<Real> backward(const Network<Real>& network, const Inputs& inputs,
                         const Record<Real>& record, const Errors<Real>& errors,
                         Ghosts<Real>& ghosts, const Wanted& wanted = {}, const Options& = {});

/// lambda_V and lambda_I, each [sample, time, neuron].
template <class Real>
struct AdjointTraces {
  std::vector<Real> v;  ///< lambda_V
  std::vector<Real> i;  ///< lambda_I
};

/// The adjoint variables at chosen times (docs/theory.md, section 5): dL/dV(t) = -tau_mem lambda_V,
/// dL/dI(t) = -tau_syn lambda_I. At the very time of a jump they are those just after it.
/// @throws InvalidInput  as currents() and backward()
template <class Real>
AdjointTraces<Real> adjoint_traces(const Network<Real>& network, const Inputs& inputs,
                                   const Record<Real>& record, const Errors<Real>& errors,
                                   std::size_t population, std::span<const double> at,
                                   const Options& = {});

}  // namespace saltus
