// SPDX-License-Identifier: Apache-2.0
// A network as an archive: what is said of it under "network",
//
//     populations   [{name, model ("input", "LIF", "LI", ...), size}, ...]
//     projections   [{name, source, target (numbers), delay ("none", "common", ...), receptor (of
//                   several), connection (unless dense)}, ...]
//
// and arrays <population>.<parameter>, <projection>.weight, .delay and .shape.<row>.
#include "store/network.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "store/json.hpp"

namespace saltus::store {
namespace {

using nlohmann::json;

// In the order of Delay::Kind.
constexpr std::array<std::string_view, 4> delay_kinds{"none", "common", "per_source",
                                                      "per_synapse"};

Delay::Kind delay_kind(const std::string& name) {
  for (std::size_t k = 0; k < delay_kinds.size(); ++k) {
    if (delay_kinds[k] == name) return static_cast<Delay::Kind>(k);
  }
  throw InvalidInput(
      fmt::format("delays are '{:.40}'; expected one of {}", name, fmt::join(delay_kinds, ", ")));
}

// What one field of an object holds.
template <class T>
T field(const json& in, const char* name) {
  const auto found = in.find(name);
  if (found == in.end()) throw InvalidInput(fmt::format("holds no {}", name));
  T value{};
  read(name, *found, value);
  return value;
}
const json& objects(const json& in, const char* name) {
  const auto found = in.find(name);
  if (found == in.end() || !found->is_array()) {
    throw InvalidInput(fmt::format("holds no list of {}", name));
  }
  return *found;
}

Connection read_connection(const Archive& from, const json& projection, const std::string& name) {
  if (!projection.contains("connection")) return {};  // all to all
  const auto kind = field<std::string>(projection, "connection");
  std::vector<Shape::Row> rows;
  for (const std::string_view called : Connection::info(kind).shape) {
    const std::string row(called);
    rows.emplace_back(row, from.get<std::int64_t>(name + ".shape." + row));
  }
  return Connection(kind, Shape(std::move(rows)));
}

}  // namespace

template <class Real>
void write_network(const Network<Real>& network, Archive& to) {
  json populations = json::array(), projections = json::array();
  for (const Population& p : network.populations()) {
    populations.push_back({{"name", p.name}, {"model", p.model->name}, {"size", p.size}});
    for (std::size_t q = 0; q < p.parameters.size(); ++q) {
      to.put(fmt::format("{}.{}", p.name, p.model->parameters[q].name), p.parameters[q].values());
    }
  }
  for (const Projection<Real>& p : network.projections()) {
    const Population &source = network.populations()[p.source],
                     &target = network.populations()[p.target];
    json& row = projections.emplace_back(json::object());
    row = {{"name", p.name},
           {"source", p.source},
           {"target", p.target},
           {"delay", delay_kinds[static_cast<std::size_t>(p.delay.kind)]}};
    const auto receptor = target.model->receptor_name(p.receptor);
    if (!receptor.empty()) row["receptor"] = receptor;
    to.put(p.name + ".weight", p.weight, p.connection.weight_shape(source.size, target.size));
    if (p.delay.kind != Delay::Kind::none) to.put(p.name + ".delay", p.delay.values);
    if (p.connection.all_to_all()) continue;
    row["connection"] = p.connection.kind().name;
    for (const auto& [name, numbers] : p.connection.shape().rows()) {
      to.put(p.name + ".shape." + name, numbers);
    }
  }
  to.about["network"] = {{"populations", populations}, {"projections", projections}};
}

template <class Real>
Network<Real> read_network(const Archive& from) {
  const auto in = from.about.find("network");
  if (in == from.about.end()) throw InvalidInput("holds no network of Saltus");
  Network<Real> network;
  for (const json& row : objects(*in, "populations")) {
    Population p;
    p.name = field<std::string>(row, "name");
    p.size = field<std::size_t>(row, "size");
    try {
      p.model = Model::named(field<std::string>(row, "model"));
    } catch (const InvalidInput& e) {
      throw InvalidInput(fmt::format("population '{}': {}", p.name, e.what()));
    }
    for (const ParameterRow& parameter : p.model->parameters) {
      p[parameter.name] = Parameter(from.get<double>(fmt::format("{}.{}", p.name, parameter.name)));
    }
    network.add_population(std::move(p));
  }
  const std::size_t count = network.populations().size();
  for (const json& row : objects(*in, "projections")) {
    const auto name = field<std::string>(row, "name");
    const auto source = field<std::size_t>(row, "source");
    const auto target = field<std::size_t>(row, "target");
    if (source >= count || target >= count) {
      throw InvalidInput(fmt::format("projection '{}' leads nowhere", name));
    }
    Delay delay{delay_kind(field<std::string>(row, "delay")), {}};
    if (delay.kind != Delay::Kind::none) delay.values = from.get<double>(name + ".delay");
    network.connect(network.populations()[source].name, network.populations()[target].name,
                    from.get<Real>(name + ".weight"), std::move(delay), name,
                    read_connection(from, row, name),
                    row.contains("receptor") ? field<std::string>(row, "receptor") : "");
  }
  return network;
}

template void write_network(const Network<float>&, Archive&);
template void write_network(const Network<double>&, Archive&);
template Network<float> read_network(const Archive&);
template Network<double> read_network(const Archive&);

}  // namespace saltus::store
