// SPDX-License-Identifier: Apache-2.0
// A graph as JSON: lists "population" and "projection" of objects; and as TOML: [[population]] and
// [[projection]].
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "saltus/graph.hpp"

namespace saltus::store {

/// The names of both lists.
inline constexpr std::string_view graph_lists[] = {"population", "projection"};

/// Nothing is written of an empty one.
void write_graph(const GraphSettings& graph, nlohmann::json& out);
/// @throws InvalidInput  "population[0].sise is no setting; did you mean 'size'?", or a value of a
///         wrong kind
GraphSettings read_graph(const nlohmann::json& in);
/// What follows the other sections.
std::string graph_to_toml(const GraphSettings& graph);

}  // namespace saltus::store
