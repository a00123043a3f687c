// SPDX-License-Identifier: Apache-2.0
/// @file
/// A network of any graph as settings say it: populations and projections, and what their first
/// weights are drawn from.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saltus/data.hpp"
#include "saltus/network.hpp"

namespace saltus {

/// A population as settings say it.
struct PopulationSettings {
  std::string name;                     ///< of one called "out" the loss reads the output
  std::string model;                    ///< "input", "LIF", ...; empty: LIF, of "out" the loss's
  std::string synapse = "exponential";  ///< with which the neuron comes
  std::size_t size = 0;  ///< 0: of an input the data's channels, of "out" its classes
  /// Parameters of the model. Of those that are not there RunSettings has tau_mem, tau_syn,
  /// v_threshold, v_reset and tau_ref, and the model its usual values.
  std::map<std::string, double> parameters{};
};

/// A projection as settings say it.
struct ProjectionSettings {
  std::string from;                  ///< a population
  std::string to;                    ///< a population; the same one: recurrent
  std::string name{};                ///< "from->to" unless given
  std::string receptor{};            ///< that it drives, where the model has several
  std::string connection = "dense";  ///< a kind of Connection
  std::string weight = "fan_in";     ///< fan_in, normal or uniform
  std::string delays = "common";     ///< common, per_source or per_synapse
  /// By their names: `mean` and `std` of weights (fan_in: of the sum of those of a neuron, 16 and 4
  /// unless given), `low` and `high` of uniform ones; `delay`, s, with `delay_spread`: each is
  /// drawn between the one and the sum of both; `probability` of a synapse of a sparse connection.
  std::map<std::string, double> numbers{};
  /// Rows of the connection's shape that are given. Others have usual values, as far as there are
  /// any: `input` the grid of the source.
  std::map<std::string, std::vector<std::int64_t>> shape{};

  /// A number, or what it is unless given.
  double number(const std::string& which, double usual) const {
    const auto found = numbers.find(which);
    return found == numbers.end() ? usual : found->second;
  }
};

/// Populations and projections in the place of layers.
struct GraphSettings {
  std::vector<PopulationSettings> populations;  ///< "in" and "out" are there if they are not listed
  std::vector<ProjectionSettings> projections;  ///< in any order

  /// Is there nothing of it?
  bool empty() const { return populations.empty() && projections.empty(); }
};

/// The names of ProjectionSettings::numbers.
std::span<const std::string_view> projection_numbers();
/// The model of a population that is no output, by both of its names.
/// @throws InvalidInput  no such neuron, or none with such a synapse: lists those that there are
Model model_of(const PopulationSettings& population);

struct RunSettings;

/// @throws InvalidInput  the first thing without a meaning: "population[1].size is 0; expected ..."
void check_graph(const RunSettings& settings);
/// The network that the settings say, with its first weights.
/// @throws InvalidInput  what check_graph() cannot know without the data: grids, classes, channels
template <class Real>
Network<Real> build_graph(const RunSettings& settings, const data::LabelledSpikes& train);
/// Is a setting of layers alone, not read where there is a graph?
bool of_layers(std::string_view setting);
/// An example: two hidden populations, one of them recurrent with delays, and a skip.
GraphSettings example_graph();

}  // namespace saltus
