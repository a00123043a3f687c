// SPDX-License-Identifier: Apache-2.0
// Gradients, and what an optimiser remembers of them, in the shape of a network.
#pragma once

#include "saltus/adjoint.hpp"

namespace saltus {

/// Room for every parameter of `network`; what is new there is empty. Keeps the memory that `g` has.
/// @param wanted  without neurons there is none for the parameters of populations
template <class Real>
void shape_after(const Network<Real>& network, const Wanted& wanted, Gradients<Real>& g) {
  g.weights.resize(network.projections().size());
  g.delays.resize(network.projections().size());
  g.neurons.resize(network.populations().size());
  g.times.resize(network.populations().size());
  for (std::size_t p = 0; wanted.neurons && p < network.populations().size(); ++p) {
    g.neurons[p].model = network.populations()[p].model;
    g.neurons[p].parameters.resize(network.populations()[p].parameters.size());
  }
}

/// The same, all 0 (weights are written in whole, adjoint/accumulate.cpp). Keeps the memory that `g` has.
template <class Real>
void set_to_zero(const Network<Real>& network, const Wanted& wanted, Gradients<Real>& g) {
  shape_after(network, wanted, g);
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    const auto& projection = network.projections()[k];
    g.weights[k].resize(projection.weight.size());
    g.delays[k].assign(wanted.delays ? projection.delay.values.size() : 0, 0.0);
  }
  for (std::size_t p = 0; wanted.neurons && p < network.populations().size(); ++p) {
    const Population& population = network.populations()[p];
    for (std::size_t k = 0; k < population.parameters.size(); ++k) {
      const bool asked = wanted.parameter(p, k);
      g.neurons[p].parameters[k].assign(asked ? population.parameters[k].values().size() : 0, 0.0);
    }
  }
}

}  // namespace saltus
