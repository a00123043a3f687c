// SPDX-License-Identifier: Apache-2.0
// The backward pass: a record and the errors of a loss give gradients.
#pragma once

#include <span>
#include <vector>

#include "saltus/network.hpp"
#include "saltus/simulate.hpp"

namespace saltus {

/// What a loss says about one population; empty where it says nothing.
template <class Real>
struct PopulationErrors {
  std::vector<Real> spikes;     ///< [spikes] dL/dt_k, in the order of the record
  std::vector<Real> maxima;     ///< [sample, neuron] dL/d(maximum of V); 0 for neurons that spike
  std::vector<Real> integrals;  ///< [sample, neuron] dL/d(integral of V)
  std::vector<double> sample_times;  ///< [time] seconds, ascending
  std::vector<Real> samples;         ///< [sample, time, neuron] dL/dV(time)
};

/// What a loss returns and the adjoint eats.
template <class Real>
struct Errors {
  std::vector<PopulationErrors<Real>> populations;  ///< as Network::populations()
  /// Where the maxima sit, for each population that has errors of maxima (others stay empty).
  std::vector<Maxima<Real>> maxima;

  explicit Errors(std::size_t count) : populations(count), maxima(count) {}
};

/// The same shapes as the network's parameters, summed over the batch.
template <class Real>
struct Gradients {
  struct Neurons {
    std::vector<double> tau_mem, tau_syn, v_threshold, v_reset, bias, tau_ref, v_initial, i_initial;
  };
  std::vector<std::vector<Real>> weights;   ///< per projection, [pre, post]
  std::vector<std::vector<double>> delays;  ///< per projection, as Delay::values
  std::vector<Neurons> neurons;             ///< per population; each as Parameter::values
  std::vector<std::vector<double>> times;   ///< per population: dL/dt of each input spike
};

/// Which gradients to compute besides those of the weights.
struct Wanted {
  bool delays = true;
  bool input_times = true;
  bool neurons = true;

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

}  // namespace saltus
