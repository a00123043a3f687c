// SPDX-License-Identifier: Apache-2.0
#include "store/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "fields/nearest.hpp"
#include "saltus/error.hpp"
#include "store/json.hpp"
#include "store/toml.hpp"

namespace saltus::store {
namespace {

using nlohmann::json;

// One name of an object: how it is read, and what the file tells of it.
template <class Row>
struct Key {
  std::string_view name, says;
  std::function<void(std::string_view name, const json&, Row&)> read;
  std::function<json(const Row&)> write;
};

template <class Row, class T>
Key<Row> key(std::string_view name, std::string_view says, T Row::*member) {
  return {name, says,
          [member](std::string_view called, const json& in, Row& row) {
            read(called, in, row.*member);
          },
          [member](const Row& row) { return json(row.*member); }};
}

const std::vector<Key<PopulationSettings>>& population_keys() {
  using P = PopulationSettings;
  static const std::vector<Key<P>> keys{
      key("name", "by which projections call it; 'in' and 'out' are there by themselves", &P::name),
      key("model", "LIF, ALIF, ...; input: channels of the data; empty: LIF, of 'out' the loss's",
          &P::model),
      key("synapse", "exponential, alpha, delta, ...", &P::synapse),
      key("size", "neurons; 0: of an input the data's channels, of 'out' their classes", &P::size)};
  return keys;
}

const std::vector<Key<ProjectionSettings>>& projection_keys() {
  using P = ProjectionSettings;
  static const std::vector<Key<P>> keys{
      key("from", "a population", &P::from),
      key("to", "a population; the same: recurrent", &P::to),
      key("name", "empty: from->to", &P::name),
      key("receptor", "that it drives, where the model has several", &P::receptor),
      key("connection", "dense, sparse, conv2d or pool2d", &P::connection),
      key("weight",
          "what the first weights are drawn from: fan_in (mean / n and std / sqrt(n), n synapses "
          "of "
          "a neuron), normal (mean, std) or uniform (low, high)",
          &P::weight),
      key("delays", "common, per_source or per_synapse; of those that have a delay", &P::delays)};
  return keys;
}

template <class Row>
void write_row(const std::vector<Key<Row>>& keys, const Row& row, json& out) {
  for (const Key<Row>& k : keys) out[std::string(k.name)] = k.write(row);
}

// All that may stand in an object beside its keys is told by `other`: false, and it is none.
template <class Row, class Other>
Row read_row(const json& in, const std::string& here, const std::vector<Key<Row>>& keys,
             const std::vector<std::string_view>& more, Other&& other) {
  if (!in.is_object()) {
    throw InvalidInput(fmt::format("{} is {:.60}; expected a table", here, in.dump()));
  }
  Row row;
  for (const auto& [name, value] : in.items()) {
    const std::string called = fmt::format("{}.{:.60}", here, name);
    const auto found = std::ranges::find(keys, name, &Key<Row>::name);
    if (found != keys.end()) {
      found->read(called, value, row);
    } else if (!other(row, called, name, value)) {
      std::vector<std::string_view> known = more;
      for (const Key<Row>& k : keys) known.push_back(k.name);
      throw InvalidInput(fmt::format("{} is no setting{}", called, nearest_name(name, known)));
    }
  }
  return row;
}

// Of any model: which this one has is checked with the rest.
std::vector<std::string_view> parameter_names() {
  std::vector<std::string_view> names;
  for (const Model model : Model::all()) {
    for (const ParameterRow& row : model->parameters) {
      if (std::ranges::find(names, row.name) == names.end()) names.push_back(row.name);
    }
  }
  return names;
}
std::vector<std::string_view> shape_names() {
  std::vector<std::string_view> names;
  for (const ConnectionInfo* info : Connection::kinds()) {
    names.insert(names.end(), info->shape.begin(), info->shape.end());
  }
  return names;
}

bool among(const auto& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

template <class Row, class Read>
std::vector<Row> read_list(const json& in, std::string_view name, Read&& read_one) {
  std::vector<Row> rows;
  const auto found = in.find(name);
  if (found == in.end()) return rows;
  if (!found->is_array()) {
    throw InvalidInput(fmt::format("{} is {:.60}; expected a list of tables", name, found->dump()));
  }
  for (std::size_t k = 0; k < found->size(); ++k) {
    rows.push_back(read_one((*found)[k], fmt::format("{}[{}]", name, k)));
  }
  return rows;
}

}  // namespace

void write_graph(const GraphSettings& graph, json& out) {
  if (graph.empty()) return;
  json &populations = out["population"] = json::array(),
       &projections = out["projection"] = json::array();
  for (const PopulationSettings& p : graph.populations) {
    json& row = populations.emplace_back(json::object());
    write_row(population_keys(), p, row);
    for (const auto& [name, value] : p.parameters) write(row[name], value);
  }
  for (const ProjectionSettings& p : graph.projections) {
    json& row = projections.emplace_back(json::object());
    write_row(projection_keys(), p, row);
    for (const auto& [name, value] : p.numbers) write(row[name], value);
    for (const auto& [name, values] : p.shape) row[name] = values;
  }
}

GraphSettings read_graph(const json& in) {
  const std::vector<std::string_view> parameters = parameter_names();
  std::vector<std::string_view> numbers(projection_numbers().begin(), projection_numbers().end());
  const std::vector<std::string_view> shapes = shape_names();
  GraphSettings graph;
  graph.populations = read_list<PopulationSettings>(
      in, graph_lists[0], [&](const json& one, const std::string& here) {
        return read_row(one, here, population_keys(), parameters,
                        [&](PopulationSettings& p, const std::string& called,
                            const std::string& name, const json& value) {
                          if (!among(parameters, name)) return false;
                          read(called, value, p.parameters[name]);
                          return true;
                        });
      });
  std::vector<std::string_view> more = numbers;
  more.insert(more.end(), shapes.begin(), shapes.end());
  graph.projections = read_list<ProjectionSettings>(
      in, graph_lists[1], [&](const json& one, const std::string& here) {
        return read_row(one, here, projection_keys(), more,
                        [&](ProjectionSettings& p, const std::string& called,
                            const std::string& name, const json& value) {
                          if (among(numbers, name)) {
                            read(called, value, p.numbers[name]);
                          } else if (among(shapes, name)) {
                            read(called, value, p.shape[name]);
                          } else {
                            return false;
                          }
                          return true;
                        });
      });
  return graph;
}

namespace {

template <class Row>
std::string table(std::string_view name, const std::vector<Key<Row>>& keys, const json& row,
                  std::set<std::string_view>& told) {
  std::string text = fmt::format("\n[[{}]]\n", name);
  for (const Key<Row>& k : keys) {
    const json& value = row.at(std::string(k.name));
    const bool first = told.insert(k.name).second;
    if (first) text += comment(k.says);
    if (!first && value == "") continue;
    text += fmt::format("{} = {}\n", k.name, value.dump());
  }
  for (const auto& [other, value] : row.items()) {
    const bool is_key = std::ranges::find(keys, other, &Key<Row>::name) != keys.end();
    if (!is_key) text += fmt::format("{} = {}\n", other, value.dump());
  }
  return text;
}

}  // namespace

std::string graph_to_toml(const GraphSettings& graph) {
  if (graph.empty()) return "";
  json rows;
  write_graph(graph, rows);
  std::string text =
      "\n" + comment(
                 "Populations of any graph, in the place of layers. Parameters of a model "
                 "(tau_mem, ...) that "
                 "one does not say are those of [network], or else the model's usual ones.");
  std::set<std::string_view> told;
  for (const json& row : rows["population"]) {
    text += table(graph_lists[0], population_keys(), row, told);
  }
  text +=
      "\n" + comment(
                 "Projections between them. Beside what is said below: delay, s, and delay_spread "
                 "(each is drawn "
                 "between the delay and their sum); probability of a synapse of a sparse one, or "
                 "lists pre and "
                 "post; of conv2d kernel = [out, in, height, width], stride, padding, dilation, "
                 "and input = "
                 "[channels, height, width] where the source's grid is not known; of pool2d size.");
  told.clear();
  for (const json& row : rows["projection"]) {
    text += table(graph_lists[1], projection_keys(), row, told);
  }
  return text;
}

}  // namespace saltus::store
