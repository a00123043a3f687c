// SPDX-License-Identifier: Apache-2.0
// A network as HDF5:
//
//     populations/<k>   attributes name, model ("input", "LIF", "LI"), size; data sets tau_mem, ...
//     projections/<k>   attributes name, source, target (numbers), delay_kind, receptor (of several);
//                       data sets weight [pre, post], delay
#include "store/network.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <vector>

namespace saltus::store {
namespace {

constexpr std::uint64_t format_version = 1;

}  // namespace

template <class Real>
void write_network(const Network<Real>& network, const File& file, hid_t root) {
  file.put(root, "saltus_format", format_version);
  file.put(root, "populations", network.populations().size());
  file.put(root, "projections", network.projections().size());
  const Handle populations = file.group(root, "populations", true);
  const Handle projections = file.group(root, "projections", true);
  for (std::size_t k = 0; k < network.populations().size(); ++k) {
    const Population& p = network.populations()[k];
    const Handle group = file.group(populations.id(), std::to_string(k), true);
    file.put(group.id(), "name", p.name);
    file.put(group.id(), "model", std::string(p.model->name));
    file.put(group.id(), "size", p.size);
    for (std::size_t q = 0; q < p.parameters.size(); ++q) {
      const auto& values = p.parameters[q].values();
      file.write(group.id(), std::string(p.model->parameters[q].name).c_str(), values,
                 values.size());
    }
  }
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    const Projection<Real>& p = network.projections()[k];
    const Handle group = file.group(projections.id(), std::to_string(k), true);
    file.put(group.id(), "name", p.name);
    file.put(group.id(), "source", p.source);
    file.put(group.id(), "target", p.target);
    file.put(group.id(), "delay_kind", static_cast<std::uint64_t>(p.delay.kind));
    const auto receptor = network.populations()[p.target].model->receptor_name(p.receptor);
    if (!receptor.empty()) file.put(group.id(), "receptor", std::string(receptor));
    const bool dense = p.connection.all_to_all();
    file.write(group.id(), "weight", p.weight,
               dense ? network.populations()[p.source].size : p.weight.size());
    file.write(group.id(), "delay", p.delay.values, p.delay.values.size());
    if (dense) continue;
    file.put(group.id(), "connection", std::string(p.connection.kind().name));
    for (const auto& [name, numbers] : p.connection.shape().rows()) {
      file.write(group.id(), ("shape_" + name).c_str(), numbers, numbers.size());
    }
  }
}

template <class Real>
void save_network(const Network<Real>& network, const std::filesystem::path& name,
                  const std::string& settings) {
  network.check();
  save_whole(name, [&](const File& file, hid_t root) {
    write_network(network, file, root);
    if (!settings.empty()) file.put(root, "settings", settings);
  });
}

namespace {

Connection read_connection(const File& file, hid_t group) {
  if (H5Aexists(group, "connection") <= 0) return {};  // all to all
  const std::string kind = file.text(group, "connection");
  std::vector<Shape::Row> rows;
  for (const std::string_view name : Connection::info(kind).shape) {
    const std::string row(name);
    rows.emplace_back(row, file.read<std::int64_t>(group, ("shape_" + row).c_str()));
  }
  return Connection(kind, Shape(std::move(rows)));
}

}  // namespace

template <class Real>
Network<Real> read_network(const File& file, hid_t root) {
  const std::string name = file.name().string();
  if (file.number(root, "saltus_format") != format_version) {
    throw FileError(
        fmt::format("{}: a model of another format; expected version {}", name, format_version));
  }
  const std::uint64_t population_count = file.number(root, "populations");
  const std::uint64_t projection_count = file.number(root, "projections");
  const Handle populations = file.group(root, "populations", false);
  const Handle projections = file.group(root, "projections", false);
  Network<Real> network;
  for (std::uint64_t k = 0; k < population_count; ++k) {
    const Handle group = file.group(populations.id(), std::to_string(k), false);
    Population p;
    p.name = file.text(group.id(), "name");
    p.size = file.number(group.id(), "size");
    const std::string model = file.text(group.id(), "model");
    try {
      p.model = Model::named(model);
    } catch (const InvalidInput& e) {
      throw FileError(fmt::format("{}: population '{}': {}", name, p.name, e.what()));
    }
    for (const ParameterRow& row : p.model->parameters) {
      p[row.name] = Parameter(file.read<double>(group.id(), std::string(row.name).c_str()));
    }
    network.add_population(std::move(p));
  }
  for (std::uint64_t k = 0; k < projection_count; ++k) {
    const Handle group = file.group(projections.id(), std::to_string(k), false);
    const std::uint64_t source = file.number(group.id(), "source");
    const std::uint64_t target = file.number(group.id(), "target");
    const std::uint64_t kind = file.number(group.id(), "delay_kind");
    if (source >= population_count || target >= population_count || kind > 3) {
      throw FileError(fmt::format("{}: projection {} leads nowhere", name, k));
    }
    network.connect(network.populations()[source].name, network.populations()[target].name,
                    file.read<Real>(group.id(), "weight"),
                    {static_cast<Delay::Kind>(kind), file.read<double>(group.id(), "delay")},
                    file.text(group.id(), "name"), read_connection(file, group.id()),
                    H5Aexists(group.id(), "receptor") > 0 ? file.text(group.id(), "receptor") : "");
  }
  return network;
}

std::string load_settings_of_model(const std::filesystem::path& name) {
  return load_whole(name, [](const File& file, hid_t root) {
    return H5Aexists(root, "settings") > 0 ? file.text(root, "settings") : std::string();
  });
}

template <class Real>
Network<Real> load_network(const std::filesystem::path& name) {
  return load_whole(name, &read_network<Real>);
}

template void write_network(const Network<float>&, const File&, hid_t);
template void write_network(const Network<double>&, const File&, hid_t);
template Network<float> read_network(const File&, hid_t);
template Network<double> read_network(const File&, hid_t);
template void save_network(const Network<float>&, const std::filesystem::path&, const std::string&);
template void save_network(const Network<double>&, const std::filesystem::path&,
                           const std::string&);
template Network<float> load_network(const std::filesystem::path&);
template Network<double> load_network(const std::filesystem::path&);

}  // namespace saltus::store
