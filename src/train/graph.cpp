// SPDX-License-Identifier: Apache-2.0
#include "saltus/graph.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "fields/nearest.hpp"
#include "network/grid.hpp"
#include "random/random.hpp"
#include "saltus/error.hpp"
#include "saltus/losses.hpp"
#include "saltus/task.hpp"

namespace saltus {
namespace {

constexpr std::string_view numbers[] = {"mean",  "std",          "low",        "high",
                                        "delay", "delay_spread", "probability"};
constexpr std::string_view kinds_of_weights[] = {"fan_in", "normal", "uniform"};
constexpr std::string_view kinds_of_delays[] = {"common", "per_source", "per_synapse"};
constexpr double fan_in_mean = 16, fan_in_std = 4;  // as Python's FanIn

template <class Value>
[[noreturn]] void refuse(const std::string& name, const Value& value, std::string_view expected) {
  throw InvalidInput(fmt::format("{} is {}; expected {}", name, value, expected));
}

std::string in_quotes(std::string_view text) { return fmt::format("'{}'", text); }

template <class Names>
void check_among(const std::string& name, const std::string& value, const Names& known) {
  if (std::ranges::find(known, value) != std::end(known)) return;
  const std::vector<std::string_view> names(std::begin(known), std::end(known));
  refuse(name, in_quotes(value),
         fmt::format("one of {}{}", fmt::join(names, ", "), nearest_name(value, names)));
}

bool is_output(const PopulationSettings& p) { return p.name == "out"; }
bool is_input(const PopulationSettings& p) { return p.model == "input"; }

Model model_of(const RunSettings& s, const PopulationSettings& p) {
  if (is_output(p) && p.model.empty() && p.synapse == "exponential") {
    return find_loss(s.loss.kind).readout_model;
  }
  return saltus::model_of(p);
}

// With those that every network has: the input first, the output last.
std::vector<PopulationSettings> all_populations(const GraphSettings& graph) {
  std::vector<PopulationSettings> all = graph.populations;
  if (std::ranges::none_of(all, is_input)) all.insert(all.begin(), {"in", "input"});
  const auto out = std::ranges::find_if(all, is_output);
  if (out == all.end()) {
    all.push_back({"out", ""});
  } else {
    std::rotate(out, out + 1, all.end());
  }
  return all;
}

void check_population(const RunSettings& s, const PopulationSettings& p, const std::string& here) {
  if (p.name.empty()) refuse(here + ".name", "missing", "a text");
  try {
    model_of(s, p);
  } catch (const InvalidInput& e) {
    throw InvalidInput(fmt::format("{}.{}", here, e.what()));
  }
  const Model model = model_of(s, p);
  if (p.size > INT32_MAX) refuse(here + ".size", p.size, fmt::format("1 to {}", INT32_MAX));
  if (p.size == 0 && !is_output(p) && !is_input(p)) {
    refuse(here + ".size", 0, fmt::format("1 to {} neurons", INT32_MAX));
  }
  if (is_output(p) && is_input(p)) refuse(here + ".model", "input", "neurons: 'out' is the output");
  std::vector<std::string_view> known;
  for (const ParameterRow& row : model->parameters) known.push_back(row.name);
  for (const auto& [name, value] : p.parameters) {
    if (model->has(name)) continue;
    throw InvalidInput(
        fmt::format("{}.{} is no parameter of {}{}; there are: {}", here, name, model->name,
                    nearest_name(name, known),
                    known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))));
  }
}

void check_weights(const ProjectionSettings& p, const std::string& here) {
  const bool uniform = p.weight == "uniform";
  for (const char* const name : {"mean", "std", "low", "high"}) {
    const bool wanted = (name == std::string_view("low") || name == std::string_view("high"));
    const bool given = p.numbers.contains(name);
    if (given && wanted != uniform) {
      throw InvalidInput(
          fmt::format("{}.{} is of weight = '{}', and weight is '{}'; expected one "
                      "of both",
                      here, name, wanted ? "uniform" : "normal", p.weight));
    }
    if (!given && wanted == uniform && p.weight != "fan_in") {
      refuse(fmt::format("{}.{}", here, name), "missing",
             fmt::format("a number, as weight is '{}'", p.weight));
    }
  }
  if (p.number("std", 0) < 0) refuse(here + ".std", p.number("std", 0), "at least 0");
  if (p.number("high", 0) < p.number("low", 0)) {
    refuse(here + ".high", p.number("high", 0),
           fmt::format("at least low = {}", p.number("low", 0)));
  }
}

void check_projection(const ProjectionSettings& p, const std::vector<std::string_view>& populations,
                      const std::string& here) {
  check_among(here + ".from", p.from, populations);
  check_among(here + ".to", p.to, populations);
  check_among(here + ".weight", p.weight, kinds_of_weights);
  check_among(here + ".delays", p.delays, kinds_of_delays);
  std::vector<std::string_view> connections;
  for (const ConnectionInfo* info : Connection::kinds()) connections.push_back(info->name);
  check_among(here + ".connection", p.connection, connections);
  for (const auto& [name, value] : p.numbers) {
    if (!std::isfinite(value)) refuse(here + "." + name, value, "a finite number");
  }
  check_weights(p, here);
  for (const char* const name : {"delay", "delay_spread"}) {
    if (p.number(name, 0) < 0) {
      refuse(fmt::format("{}.{}", here, name), p.number(name, 0), "at least 0, in seconds");
    }
  }
  if (p.number("delay_spread", 0) > 0 && p.delays == "common") {
    refuse(here + ".delay_spread", p.number("delay_spread", 0),
           "0, or delays = 'per_source' or 'per_synapse': there is one delay alone");
  }
  if (p.delays != "common" && !p.numbers.contains("delay") && !p.numbers.contains("delay_spread")) {
    throw InvalidInput(fmt::format(
        "{0}.delays is '{1}', but {0}.delay is missing; expected the shortest delay, in seconds",
        here, p.delays));
  }
  const bool sparse = p.connection == "sparse";
  if (p.numbers.contains("probability")) {
    const double probability = p.number("probability", 0);
    if (!sparse) refuse(here + ".probability", probability, "connection = 'sparse'");
    if (!(probability > 0 && probability <= 1)) {
      refuse(here + ".probability", probability, "a number in (0, 1]");
    }
    if (!p.shape.empty()) refuse(here + ".probability", probability, "none: synapses are listed");
  } else if (sparse && p.shape.empty()) {
    refuse(here + ".probability", "missing", "a number in (0, 1], or lists pre and post");
  }
  const auto known = Connection::info(p.connection).shape;
  for (const auto& [name, values] : p.shape) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const std::vector<std::string_view> names(known.begin(), known.end());
    throw InvalidInput(
        fmt::format("{}.{} is nothing of a {} connection{}; it has: {}", here, name, p.connection,
                    nearest_name(name, names),
                    names.empty() ? "no shape" : fmt::format("{}", fmt::join(names, ", "))));
  }
}

bool leads_on(const GraphSettings& graph, std::string_view from, std::string_view to) {
  std::set<std::string_view> reached{from};
  for (std::size_t before = 0; before < reached.size();) {
    before = reached.size();
    for (const ProjectionSettings& p : graph.projections) {
      if (reached.contains(p.from)) reached.insert(p.to);
    }
  }
  return reached.contains(to);
}

}  // namespace

std::span<const std::string_view> projection_numbers() { return numbers; }

Model model_of(const PopulationSettings& p) {
  const std::string neuron = p.model.empty() ? "LIF" : p.model;
  const bool known =
      std::ranges::any_of(Model::all(), [&](const Model model) { return model->name == neuron; });
  if (!known) {
    std::vector<std::string_view> names;
    for (const Model model : Model::all()) {
      if (model->name.find(':') == std::string_view::npos) names.push_back(model->name);
    }
    throw InvalidInput(fmt::format("model is '{}'; expected one of {}{}", neuron,
                                   fmt::join(names, ", "), nearest_name(neuron, names)));
  }
  if (p.synapse == "exponential") return Model::named(neuron);
  std::vector<std::string_view> synapses{"exponential"};
  for (const Model model : Model::all()) {
    if (!model->name.starts_with(neuron + ":")) continue;
    synapses.push_back(model->name.substr(neuron.size() + 1));
    if (synapses.back() == p.synapse) return model;
  }
  throw InvalidInput(fmt::format("synapse is '{}'; expected one of {} for {}{}", p.synapse,
                                 fmt::join(synapses, ", "), neuron,
                                 nearest_name(p.synapse, synapses)));
}

void check_graph(const RunSettings& s) {
  if (!s.hidden.empty() || !s.layers.empty()) {
    const bool hidden = !s.hidden.empty();
    throw InvalidInput(
        fmt::format("{} lists layers, and there are [[population]] and "
                    "[[projection]]; expected one of both",
                    hidden ? "hidden" : "layers"));
  }
  if (s.recurrent) {
    throw InvalidInput(
        "recurrent is true, but of layers alone; expected a [[projection]] from a population to "
        "itself");
  }
  if (s.initial_spikes != 0) {
    throw InvalidInput(
        fmt::format("initial_spikes is {}, but of layers alone; expected 0: first "
                    "weights are as each [[projection]] says",
                    s.initial_spikes));
  }
  std::size_t inputs = 0;
  for (std::size_t k = 0; k < s.graph.populations.size(); ++k) {
    const PopulationSettings& p = s.graph.populations[k];
    const std::string here = fmt::format("population[{}]", k);
    check_population(s, p, here);
    inputs += is_input(p) ? 1 : 0;
    for (std::size_t other = 0; other < k; ++other) {
      if (s.graph.populations[other].name == p.name) {
        refuse(here + ".name", in_quotes(p.name), "another name than those before");
      }
    }
  }
  const auto all = all_populations(s.graph);
  std::vector<std::string_view> names;
  for (const PopulationSettings& p : all) {
    if (std::ranges::find(names, p.name) != names.end()) {  // neurons that are called "in"
      throw InvalidInput("population 'in' is no input; expected model = 'input', or another name");
    }
    names.push_back(p.name);
  }
  for (std::size_t k = 0; inputs > 1 && k < s.graph.populations.size(); ++k) {
    const PopulationSettings& p = s.graph.populations[k];
    if (is_input(p) && p.size == 0) {
      refuse(fmt::format("population[{}].size", k), 0,
             "how many of the data's channels it takes: there are several inputs");
    }
  }
  for (std::size_t k = 0; k < s.graph.projections.size(); ++k) {
    check_projection(s.graph.projections[k], names, fmt::format("projection[{}]", k));
  }
  const bool reached = std::ranges::any_of(all, [&](const PopulationSettings& p) {
    return is_input(p) && leads_on(s.graph, p.name, "out");
  });
  if (!reached) {
    throw InvalidInput(
        "projection: none leads from an input on to 'out', so nothing would be learnt; expected "
        "[[projection]] with from and to");
  }
}

// --- the network -------------------------------------------------------------------------------
namespace {

// Where the neurons of populations lie, as far as that is known.
using Grids = std::map<std::string, data::Grid>;

Grids grids_of(const std::vector<PopulationSettings>& all, const data::LabelledSpikes& train) {
  Grids grids;
  const bool one = std::ranges::count_if(all, is_input) == 1;
  for (const PopulationSettings& p : all) {
    if (one && is_input(p) && train.grid != data::Grid{}) grids[p.name] = train.grid;
  }
  return grids;
}

// The rows that are given and the usual ones; and the grid that it makes.
Connection connection_of(const ProjectionSettings& p, Random& random, std::size_t pre,
                         std::size_t post, Grids& grids) {
  if (p.connection == "dense") return {};
  std::map<std::string, std::vector<std::int64_t>> shape = p.shape;
  const auto usual = [&](const char* name, std::vector<std::int64_t> values) {
    shape.try_emplace(name, std::move(values));
  };
  if (p.numbers.contains("probability")) {
    const double probability = p.number("probability", 1);
    std::vector<std::int64_t>&from = shape["pre"], &to = shape["post"];
    for (std::size_t i = 0; i < pre; ++i) {
      for (std::size_t j = 0; j < post; ++j) {
        if (!random.chance(probability)) continue;
        from.push_back(static_cast<std::int64_t>(i));
        to.push_back(static_cast<std::int64_t>(j));
      }
    }
  }
  if (p.connection == "sparse") usual("place", {});
  const bool convolution = p.connection == "conv2d", pooling = p.connection == "pool2d";
  if (convolution || pooling) {
    if (const auto grid = grids.find(p.from); grid != grids.end()) {
      usual("input", {grid->second.begin(), grid->second.end()});
    }
    usual("stride",
          pooling && shape.contains("size") ? shape["size"] : std::vector<std::int64_t>{1, 1});
  }
  if (convolution) {
    usual("padding", {0, 0});
    usual("dilation", {1, 1});
  }
  std::vector<Shape::Row> rows;
  for (const std::string_view called : Connection::info(p.connection).shape) {
    const std::string name(called);
    if (!shape.contains(name)) {
      throw InvalidInput(fmt::format("{} is missing; expected a list of whole numbers{}", name,
                                     name == "input"
                                         ? ": channels, height and width of the source, "
                                           "which does not say on which grid it lies"
                                         : ""));
    }
    rows.emplace_back(name, shape[name]);
  }
  const Connection connection(p.connection, Shape(rows));
  if (convolution || pooling) {
    const auto window =
        row_of<4>(Shape(std::vector<Shape::Row>{
                      {"window", convolution ? shape["kernel"]
                                             : std::vector<std::int64_t>{1, 1, shape["size"].at(0),
                                                                         shape["size"].at(1)}}}),
                  "window", 1);
    const Windows windows{row_of<3>(connection.shape(), "input", 1),
                          {window[2], window[3]},
                          row_of<2>(connection.shape(), "stride", 1),
                          convolution ? row_of<2>(connection.shape(), "padding", 0)
                                      : std::array<std::int64_t, 2>{0, 0},
                          convolution ? row_of<2>(connection.shape(), "dilation", 1)
                                      : std::array<std::int64_t, 2>{1, 1}};
    grids[p.to] = {convolution ? window[0] : windows.input[0], windows.count(0), windows.count(1)};
  }
  return connection;
}

template <class Real>
std::vector<Real> first_weights(const ProjectionSettings& p, Random& random, std::size_t count,
                                double synapses_each) {
  std::vector<Real> weights(count);
  if (p.weight == "uniform") {
    for (Real& w : weights) {
      w = static_cast<Real>(random.uniform(p.number("low", 0), p.number("high", 0)));
    }
    return weights;
  }
  const double n = p.weight == "fan_in" ? std::max(1.0, synapses_each) : 1;
  const double mean = p.number("mean", fan_in_mean) / n;
  const double std = p.number("std", fan_in_std) / std::sqrt(n);
  for (Real& w : weights) w = static_cast<Real>(mean + std * random.normal());
  return weights;
}

Delay delay_of(const ProjectionSettings& p, Random& random, std::size_t pre, std::size_t synapses) {
  if (!p.numbers.contains("delay") && !p.numbers.contains("delay_spread")) return Delay::none();
  const double low = p.number("delay", 0), high = low + p.number("delay_spread", 0);
  if (p.delays == "common") return Delay::common(low);
  const bool per_source = p.delays == "per_source";
  std::vector<double> values(per_source ? pre : synapses);
  for (double& d : values) d = random.uniform(low, high);
  return {per_source ? Delay::Kind::per_source : Delay::Kind::per_synapse, std::move(values)};
}

Population population_of(const RunSettings& s, const PopulationSettings& p, std::size_t size) {
  Population population{p.name, model_of(s, p), size, {}};
  const std::pair<const char*, double> shared[] = {{"tau_mem", s.tau_mem},
                                                   {"tau_syn", s.tau_syn},
                                                   {"v_threshold", s.v_threshold},
                                                   {"v_reset", s.v_reset},
                                                   {"tau_ref", s.tau_ref}};
  for (const auto& [name, value] : shared) {
    if (population.model->has(name)) population[name] = value;
  }
  for (const auto& [name, value] : p.parameters) population[name] = value;
  return population;
}

// Before the memory is asked for: weights, their gradients and Adam's two moments.
void check_size(const RunSettings& s, double weights) {
  const double bytes = 4 * weights * (s.precision == "float64" ? 8 : 4);
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (bytes <= memory) return;
  throw InvalidInput(
      fmt::format("population: {:.0f} weights between all of them need {:.0f} GB, and this machine "
                  "has {:.0f}; expected smaller ones",
                  weights, bytes / 1e9, memory / 1e9));
}

}  // namespace

template <class Real>
Network<Real> build_graph(const RunSettings& s, const data::LabelledSpikes& train) {
  check_graph(s);
  const std::vector<PopulationSettings> all = all_populations(s.graph);
  Network<Real> network;
  for (const PopulationSettings& p : all) {
    const auto usual = static_cast<std::size_t>(is_input(p) ? train.channels : train.classes);
    network.add_population(population_of(s, p, p.size > 0 ? p.size : usual));
  }
  Grids grids = grids_of(all, train);
  double weights = 0;
  for (std::size_t k = 0; k < s.graph.projections.size(); ++k) {
    const ProjectionSettings& p = s.graph.projections[k];
    const auto random = [&](std::uint32_t what) {
      return Random(s.train.seed, Purpose::weights, 3 * static_cast<std::uint32_t>(k) + what);
    };
    Random of_weights = random(0), of_synapses = random(1), of_delays = random(2);
    const std::size_t pre = network.populations()[network.index(p.from)].size;
    const std::size_t post = network.populations()[network.index(p.to)].size;
    if (p.connection == "dense" || p.connection == "sparse") {
      weights += static_cast<double>(pre) * static_cast<double>(post) *
                 p.number("probability", p.connection == "dense" ? 1 : 0);
      check_size(s, weights);
    }
    Connection connection;
    try {
      connection = connection_of(p, of_synapses, pre, post, grids);
      connection.list(pre, post);
    } catch (const InvalidInput& e) {
      throw InvalidInput(
          fmt::format("projection[{}] from '{}' to '{}': {}", k, p.from, p.to, e.what()));
    }
    const std::size_t synapses = connection.count(pre, post);
    auto first = first_weights<Real>(p, of_weights, connection.weights(pre, post),
                                     static_cast<double>(synapses) / static_cast<double>(post));
    network.connect(p.from, p.to, std::move(first), delay_of(p, of_delays, pre, synapses), p.name,
                    std::move(connection), p.receptor);
  }
  return network;
}

bool of_layers(std::string_view setting) {
  constexpr std::string_view all[] = {
      "hidden",      "layers",        "recurrent",     "recurrent_delay", "conv_threshold",
      "hidden_mean", "hidden_std",    "deep_mean",     "deep_std",        "output_mean",
      "output_std",  "recurrent_std", "initial_spikes"};
  return std::ranges::find(all, setting) != std::end(all);
}

GraphSettings example_graph() {
  GraphSettings g;
  g.populations = {{"first", "LIF", "exponential", 60, {{"tau_ref", 1e-3}}},
                   {"second", "ALIF", "exponential", 40, {}},
                   {"out", "", "exponential", 0, {}}};
  g.projections.push_back({"in", "first"});
  ProjectionSettings onto_itself{"first", "first"};
  onto_itself.connection = "sparse";
  onto_itself.weight = "normal";
  onto_itself.delays = "per_synapse";
  onto_itself.numbers = {
      {"probability", 0.2}, {"mean", 0}, {"std", 0.1}, {"delay", 1e-3}, {"delay_spread", 2e-3}};
  g.projections.push_back(onto_itself);
  g.projections.push_back({"first", "second"});
  ProjectionSettings skip{"in", "second"};
  skip.weight = "uniform";
  skip.numbers = {{"low", 0}, {"high", 1}};
  g.projections.push_back(skip);
  g.projections.push_back({"second", "out"});
  g.projections.push_back({"first", "out"});
  return g;
}

template Network<float> build_graph(const RunSettings&, const data::LabelledSpikes&);
template Network<double> build_graph(const RunSettings&, const data::LabelledSpikes&);

}  // namespace saltus
