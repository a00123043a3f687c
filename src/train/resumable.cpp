// SPDX-License-Identifier: Apache-2.0
#include "train/resumable.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "saltus/error.hpp"

namespace saltus {
namespace {

template <class Was, class Is>
void same(const std::string& what, const Was& was, const Is& is) {
  if (was == is) return;
  throw InvalidInput(
      fmt::format("the training was saved with {} {}, and the network has {}; expected the same "
                  "network",
                  what, was, is));
}

void check_population(const Population& was, const Population& is, std::size_t number) {
  same(fmt::format("population {}", number), was.name, is.name);
  same(fmt::format("a model of '{}' that is", is.name), was.model->name, is.model->name);
  same(fmt::format("a size of '{}' of", is.name), was.size, is.size);
  for (std::size_t k = 0; k < is.parameters.size(); ++k) {
    same(fmt::format("a number of values of {}.{} of", is.name, is.model->parameters[k].name),
         was.parameters[k].values().size(), is.parameters[k].values().size());
  }
}

template <class Real>
void check_projection(const Network<Real>& was_in, const Network<Real>& is_in, std::size_t number) {
  const Projection<Real>& was = was_in.projections()[number];
  const Projection<Real>& is = is_in.projections()[number];
  same(fmt::format("projection {}", number), was.name, is.name);
  same(fmt::format("a source of '{}' that is", is.name), was_in.populations()[was.source].name,
       is_in.populations()[is.source].name);
  same(fmt::format("a target of '{}' that is", is.name), was_in.populations()[was.target].name,
       is_in.populations()[is.target].name);
  same(fmt::format("a receptor of '{}' of number", is.name), was.receptor, is.receptor);
  same(fmt::format("a number of weights of '{}' of", is.name), was.weight.size(), is.weight.size());
  same(fmt::format("a kind of delay of '{}' of number", is.name), static_cast<int>(was.delay.kind),
       static_cast<int>(is.delay.kind));
  same(fmt::format("a number of delays of '{}' of", is.name), was.delay.values.size(),
       is.delay.values.size());
  if (was.connection == is.connection) return;
  throw InvalidInput(fmt::format(
      "the training was saved with other synapses of '{}' than the network has; expected the same "
      "network",
      is.name));
}

void fits(const std::string& what, std::size_t count, std::size_t expected) {
  if (count == 0 || count == expected) return;
  throw InvalidInput(fmt::format("the saved training has {} values of {}; expected none or {}",
                                 count, what, expected));
}

template <class Real>
void check_moments(const Gradients<Real>& moments, const Network<Real>& network) {
  fits("moments of projections", moments.weights.size(), network.projections().size());
  fits("moments of delays", moments.delays.size(), network.projections().size());
  fits("moments of populations", moments.neurons.size(), network.populations().size());
  for (std::size_t k = 0; k < moments.weights.size(); ++k) {
    const Projection<Real>& p = network.projections()[k];
    fits(fmt::format("the moments of {}.weight", p.name), moments.weights[k].size(),
         p.weight.size());
    fits(fmt::format("the moments of {}.delay", p.name), moments.delays.at(k).size(),
         p.delay.values.size());
  }
  for (std::size_t k = 0; k < moments.neurons.size(); ++k) {
    const Population& p = network.populations()[k];
    const auto& of = moments.neurons[k].parameters;
    fits(fmt::format("moments of {}", p.name), of.size(), p.parameters.size());
    for (std::size_t q = 0; q < of.size(); ++q) {
      fits(fmt::format("the moments of {}.{}", p.name, p.model->parameters[q].name), of[q].size(),
           p.parameters[q].values().size());
    }
  }
}

}  // namespace

template <class Real>
void check_resumable(const TrainState<Real>& state, const Network<Real>& network) {
  const auto& was = state.network.populations();
  const auto& is = network.populations();
  same("a number of populations of", was.size(), is.size());
  for (std::size_t p = 0; p < is.size(); ++p) check_population(was[p], is[p], p);
  same("a number of projections of", state.network.projections().size(),
       network.projections().size());
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    check_projection(state.network, network, k);
  }
  check_moments(state.first, network);
  check_moments(state.second, network);
  if (state.epoch.minibatches == 0) return;
  fits("counts of populations", state.epoch.spiked.size(), is.size());
  for (std::size_t p = 0; p < state.epoch.spiked.size(); ++p) {
    fits(fmt::format("counts of '{}'", is[p].name), state.epoch.spiked[p].size(),
         is[p].fires() ? is[p].size : 0);
  }
}

template void check_resumable(const TrainState<float>&, const Network<float>&);
template void check_resumable(const TrainState<double>&, const Network<double>&);

}  // namespace saltus
