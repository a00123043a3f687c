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

}  // namespace saltus
