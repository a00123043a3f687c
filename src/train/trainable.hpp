// SPDX-License-Identifier: Apache-2.0
// The parameters that an optimiser may change. This is the one place where a parameter meets its
// gradient, and whatever else has the shapes of a network's parameters.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saltus/adjoint.hpp"
#include "saltus/network.hpp"
#include "saltus/train.hpp"

namespace saltus {

/// One parameter of a network: weights or delays of a projection, or one of a population's.
struct Trained {
  enum class Kind { weight, delay, neuron } kind;
  std::size_t owner;          ///< number of the projection or population
  std::size_t parameter = 0;  ///< of a population: its place in `Population::parameters`
};

/// "in->hidden.weight", "hidden.tau_mem"
template <class Real>
std::string name_of(const Network<Real>& network, const Trained& what);

/// What `trainable` names (see TrainSettings): projection by projection, then population by
/// population.
/// @throws InvalidInput  a name that fits nothing in this network
template <class Real>
std::vector<Trained> trained_of(const Network<Real>& network,
                                const std::vector<std::string>& trainable);

/// "delays=1e-4" (TrainSettings::lr_of). Without a meaning: a NaN.
struct Rate {
  std::string name;
  double value;
};
Rate rate_of(const std::string& text);

/// In which unit an optimiser sees a parameter: 1, or where it has a unit a part of a sensible change of
/// it. One learning rate then serves weights and times (Yin-Yang with all of them trained: a fifth of the
/// typical change ends where weights alone do, or better; all of it a percent lower).
template <class Real>
double unit_of(const Network<Real>& network, const Trained& what);

/// The learning rates of parameters in their own units, each a factor of `lr`.
/// @throws InvalidInput  TrainSettings::lr_of names something that is not trained
template <class Real>
std::vector<double> rates_of(const Network<Real>& network, const std::vector<Trained>& trained,
                             const TrainSettings& settings);

/// Which gradients training needs.
template <class Real>
Wanted wanted_for(const Network<Real>& network, const std::vector<Trained>& trained);

/// @throws InvalidInput  `count` values of the gradient of a parameter that has others
void check_count(std::string_view what, std::size_t count, std::size_t expected);

/// Calls visit(values, those of `shaped`...): each is the std::vector of one parameter.
/// @param shaped  Gradients<Real>, or const
template <class Network, class Visit, class... Shaped>
void visit_trained(const Trained& what, Network& network, Visit&& visit, Shaped&... shaped) {
  const std::size_t k = what.owner;
  switch (what.kind) {
    case Trained::Kind::weight:
      visit(network.projections()[k].weight, shaped.weights.at(k)...);
      break;
    case Trained::Kind::delay:
      visit(network.projections()[k].delay.values, shaped.delays.at(k)...);
      break;
    case Trained::Kind::neuron:
      visit(network.populations()[k].parameters[what.parameter].values(),
            shaped.neurons.at(k).parameters.at(what.parameter)...);
      break;
  }
}

/// Calls visit(values, gradient) with the spans of each, in order.
/// @param gradients  Gradients<Real>, or const
/// @throws InvalidInput  gradients of another shape than the parameters
template <class Network, class Gradients, class Visit>
void for_each_trained(const std::vector<Trained>& trained, Network& network, Gradients& gradients,
                      Visit&& visit) {
  check_count("gradients.weights", gradients.weights.size(), network.projections().size());
  check_count("gradients.delays", gradients.delays.size(), network.projections().size());
  check_count("gradients.neurons", gradients.neurons.size(), network.populations().size());
  for (const Trained& what : trained) {
    if (what.kind == Trained::Kind::neuron) {
      const std::size_t k = what.owner;
      check_count("gradients.neurons of " + network.populations()[k].name,
                  gradients.neurons[k].parameters.size(),
                  network.populations()[k].parameters.size());
    }
    const auto checked = [&](auto& values, auto& gradient) {
      if (values.size() != gradient.size()) {
        check_count("the gradient of " + name_of(network, what), gradient.size(), values.size());
      }
      visit(std::span(values), std::span(gradient));
    };
    visit_trained(what, network, checked, gradients);
  }
}

}  // namespace saltus
