// SPDX-License-Identifier: Apache-2.0
// The parameters that an optimiser may change, with their gradients.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "saltus/adjoint.hpp"

namespace saltus {

/// Which gradients training needs.
inline Wanted wanted_for(const std::vector<std::string>& trainable) {
  Wanted wanted{false, false, false};
  for (const auto& name : trainable) {
    if (name == "delays") wanted.delays = true;
    if (name != "delays" && name != "weights") wanted.neurons = true;
  }
  return wanted;
}

/// Calls visit(values, gradient) for each tensor that is trained, always in the same order.
/// @param gradients  Gradients<Real>, or const
template <class Real, class Gradients, class Visit>
void for_each_trainable(Network<Real>& network, Gradients& gradients,
                        const std::vector<std::string>& trainable, Visit&& visit) {
  const auto trained = [&](std::string_view name) {
    return std::find(trainable.begin(), trainable.end(), name) != trainable.end();
  };
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    auto& projection = network.projections()[k];
    if (trained("weights")) {
      visit(std::span(projection.weight), std::span(gradients.weights[k]));
    }
    if (trained("delays") && !projection.delay.values.empty()) {
      visit(std::span(projection.delay.values), std::span(gradients.delays[k]));
    }
  }
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    Population& population = network.populations()[p];
    for (std::size_t k = 0; k < population.parameters.size(); ++k) {
      if (!trained(population.model->parameters[k].name)) continue;
      visit(std::span(population.parameters[k].values()),
            std::span(gradients.neurons[p].parameters[k]));
    }
  }
}

}  // namespace saltus
