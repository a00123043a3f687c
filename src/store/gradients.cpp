// SPDX-License-Identifier: Apache-2.0
#include "store/gradients.hpp"

#include <fmt/format.h>

namespace saltus::store {

template <class Real>
void write_gradients(const Network<Real>& network, const Gradients<Real>& gradients, Archive& to) {
  const auto& populations = network.populations();
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    const Projection<Real>& p = network.projections()[k];
    to.put(p.name + ".weight", gradients.weights[k],
           p.connection.weight_shape(populations[p.source].size, populations[p.target].size));
    if (p.delay.kind != Delay::Kind::none) to.put(p.name + ".delay", gradients.delays[k]);
  }
  for (std::size_t k = 0; k < populations.size(); ++k) {
    const Population& p = populations[k];
    for (std::size_t q = 0; q < gradients.neurons[k].parameters.size(); ++q) {
      to.put(fmt::format("{}.{}", p.name, p.model->parameters[q].name),
             gradients.neurons[k].parameters[q]);
    }
    if (p.model == Model::input) to.put(p.name + ".times", gradients.times[k]);
  }
}

template void write_gradients(const Network<float>&, const Gradients<float>&, Archive&);
template void write_gradients(const Network<double>&, const Gradients<double>&, Archive&);

}  // namespace saltus::store
