// SPDX-License-Identifier: Apache-2.0
// The ranges of parameters, which no step of an optimiser leaves.
#pragma once

#include <cstddef>
#include <vector>

#include "saltus/network.hpp"

namespace saltus {

/// Delays and neuron parameters, as they were before a step: all that has a range.
struct Ranged {
  std::vector<std::vector<double>> delays;      // [projection]
  std::vector<std::vector<Parameter>> neurons;  // [population]

  template <class Real>
  explicit Ranged(const Network<Real>& network) {
    for (const auto& p : network.projections()) delays.push_back(p.delay.values);
    for (const Population& p : network.populations()) neurons.push_back(p.parameters);
  }
  template <class Real>
  void put_back(Network<Real>& network) const {
    for (std::size_t k = 0; k < delays.size(); ++k) {
      network.projections()[k].delay.values = delays[k];
    }
    for (std::size_t k = 0; k < neurons.size(); ++k) {
      network.populations()[k].parameters = neurons[k];
    }
  }
};

/// Brings what a step has taken out of its range back: a time constant has at most halved, delays and
/// refractory times end at 0, and what would bring V_reset or V(0) to the threshold is undone for that
/// neuron, if its model checks such things. @returns  how many values it changed
template <class Real>
std::size_t clamp(Network<Real>& network, const Ranged& before);

}  // namespace saltus
