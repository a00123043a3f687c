// SPDX-License-Identifier: Apache-2.0
#include "saltus/network.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "network/grid.hpp"
#include "saltus/error.hpp"

namespace saltus {
namespace {

// Of a time constant: its inverse must be a number still.
constexpr double shortest_time = 1e-300;

[[noreturn]] void refuse(std::string message) { throw InvalidInput(std::move(message)); }

void check_parameter(const Population& population, const ParameterRow& row,
                     const Parameter& parameter) {
  const auto& values = parameter.values();
  if (values.size() != 1 && values.size() != population.size) {
    refuse(fmt::format("{}.{} has {} values; expected one number or {} (one per neuron)",
                       population.name, row.name, values.size(), population.size));
  }
  for (std::size_t j = 0; j < values.size(); ++j) {
    const double v = values[j];
    const bool bad_sign = (row.range == Range::positive && !(v >= shortest_time)) ||
                          (row.range == Range::not_negative && !(v >= 0));
    if (std::isfinite(v) && !bad_sign) continue;
    const std::string_view what = row.unit == "s" ? "time" : "number";
    refuse(fmt::format("{}.{}[{}] is {}; expected a finite {}{}", population.name, row.name, j, v,
                       what,
                       row.range == Range::any        ? ""
                       : row.range == Range::positive ? " above 0"
                                                      : " of at least 0") +
           (row.unit == "s"    ? ", in seconds"
            : row.unit.empty() ? ""
                               : fmt::format(", in {}", row.unit)));
  }
}

void check_population(const Population& p) {
  if (p.size == 0 || p.size > INT32_MAX) {
    refuse(fmt::format("population '{}' has size {}; expected 1 to {}", p.name, p.size, INT32_MAX));
  }
  if (p.parameters.size() != p.model->parameters.size()) {
    refuse(fmt::format("population '{}' has {} parameters; expected the {} of {}", p.name,
                       p.parameters.size(), p.model->parameters.size(), p.model->name));
  }
  for (std::size_t k = 0; k < p.parameters.size(); ++k) {
    check_parameter(p, p.model->parameters[k], p.parameters[k]);
  }
  if (p.model->check) p.model->check(p);
}

template <class Real>
void check_projection(const Projection<Real>& projection, std::size_t pre, std::size_t post) {
  const Connection& connection = projection.connection;
  const bool dense = connection.all_to_all();
  if (!connection.fits(pre, post)) {
    refuse(fmt::format("{}: its connection was made for other populations; expected {} to {}",
                       projection.name, pre, post));
  }
  if (const std::size_t expected = connection.weights(pre, post);
      projection.weight.size() != expected) {
    refuse(fmt::format(
        "{}.weight has {} values; expected {}", projection.name, projection.weight.size(),
        dense ? fmt::format("{} x {} = {} ([pre, post])", pre, post, expected)
              : fmt::format("the {} of the {} connection", expected, connection.kind().name)));
  }
  for (std::size_t k = 0; k < projection.weight.size(); ++k) {
    if (!std::isfinite(projection.weight[k])) {
      refuse(fmt::format("{}.weight[{}] is {}; expected a finite number", projection.name,
                         dense ? fmt::format("{}, {}", k / post, k % post) : std::to_string(k),
                         projection.weight[k]));
    }
  }
  std::size_t expected = 0;
  switch (projection.delay.kind) {
    case Delay::Kind::none:
      break;
    case Delay::Kind::common:
      expected = 1;
      break;
    case Delay::Kind::per_source:
      expected = pre;
      break;
    case Delay::Kind::per_synapse:
      expected = connection.count(pre, post);
      break;
  }
  if (projection.delay.values.size() != expected) {
    refuse(fmt::format("{}.delay has {} values; expected {}", projection.name,
                       projection.delay.values.size(), expected));
  }
  for (std::size_t k = 0; k < expected; ++k) {
    const double d = projection.delay.values[k];
    if (!std::isfinite(d) || d < 0) {
      refuse(fmt::format("{}.delay[{}] is {}; expected a finite time of at least 0, in seconds",
                         projection.name, k, d));
    }
  }
}

// Those that were not set have their usual values. (A model may be chosen once, before them.)
std::vector<Parameter> usual(const ModelInfo& model) {
  std::vector<Parameter> result;
  for (const ParameterRow& row : model.parameters) result.emplace_back(row.usual);
  return result;
}

}  // namespace

Parameter& Population::operator[](std::string_view parameter) {
  const std::size_t at = model->index(parameter);
  if (parameters.empty()) parameters = usual(*model);
  return parameters.at(at);
}

const Parameter& Population::operator[](std::string_view parameter) const {
  return parameters.at(model->index(parameter));
}

void Population::become(Model other) {
  std::vector<Parameter> result = usual(*other);
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    const std::string_view shared = model->parameters[k].name;
    if (other->has(shared)) result[other->index(shared)] = std::move(parameters[k]);
  }
  model = other;
  parameters = std::move(result);
}

bool Population::all_shared() const {
  return std::all_of(parameters.begin(), parameters.end(),
                     [](const Parameter& q) { return q.shared(); });
}

void check_below_threshold(const Population& p) {
  const Parameter& v_threshold = p["v_threshold"];
  for (const std::string_view name : {"v_reset", "v_initial"}) {
    const Parameter& value = p[name];
    for (std::size_t j = 0; j < (value.shared() && v_threshold.shared() ? 1 : p.size); ++j) {
      if (value[j] < v_threshold[j]) continue;
      refuse(fmt::format("{}.{}[{}] is {}; expected less than v_threshold = {}", p.name, name, j,
                         value[j], v_threshold[j]));
    }
  }
}

template <class Real>
std::size_t Network<Real>::add_input(std::string name, std::size_t size) {
  Population population;
  population.name = std::move(name);
  population.model = Model::input;
  population.size = size;
  return add_population(std::move(population));
}

template <class Real>
std::size_t Network<Real>::add_population(Population population) {
  if (population.name.empty()) refuse("a population needs a name");
  for (const auto& other : populations_) {
    if (other.name == population.name) {
      refuse(fmt::format("population '{}' exists already; give another name", population.name));
    }
  }
  if (population.parameters.empty()) population.parameters = usual(*population.model);
  check_population(population);
  populations_.push_back(std::move(population));
  return populations_.size() - 1;
}

template <class Real>
std::size_t Network<Real>::connect(std::string_view source, std::string_view target,
                                   std::vector<Real> weight, Delay delay, std::string name,
                                   Connection connection, std::string_view receptor) {
  Projection<Real> projection{std::move(name),   index(source),    index(target),
                              std::move(weight), std::move(delay), std::move(connection)};
  if (projection.name.empty()) projection.name = fmt::format("{}->{}", source, target);
  for (const auto& other : projections_) {
    if (other.name == projection.name) {
      refuse(fmt::format("projection '{}' exists already; give another name", projection.name));
    }
  }
  const Population& from = populations_[projection.source];
  const Population& to = populations_[projection.target];
  if (!from.model->spikes) {
    refuse(
        fmt::format("projection '{}': '{}' is an {} population, which never spikes; expected an "
                    "input, or what spikes, as source",
                    projection.name, from.name, from.model->name));
  }
  if (to.model == Model::input) {
    refuse(fmt::format("projection '{}': '{}' is an input; expected neurons as target",
                       projection.name, to.name));
  }
  try {
    projection.receptor = to.model->receptor(receptor);
    projection.connection.list(from.size, to.size);
  } catch (const InvalidInput& e) {
    refuse(fmt::format("projection '{}': {}", projection.name, e.what()));
  }
  check_projection(projection, from.size, to.size);
  projections_.push_back(std::move(projection));
  return projections_.size() - 1;
}

template <class Real>
void Network<Real>::check() const {
  for (const auto& population : populations_) check_population(population);
  for (const auto& projection : projections_) {
    check_projection(projection, populations_[projection.source].size,
                     populations_[projection.target].size);
  }
}

template <class Real>
std::size_t Network<Real>::index(std::string_view name) const {
  for (std::size_t i = 0; i < populations_.size(); ++i) {
    if (populations_[i].name == name) return i;
  }
  std::string known;
  for (const auto& population : populations_) {
    known += (known.empty() ? "'" : ", '") + population.name + "'";
  }
  refuse(fmt::format("no population is called '{}'; there are: {}", name,
                     known.empty() ? "none yet" : known));
}

template <class Real>
std::vector<std::size_t> Network<Real>::inputs() const {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < populations_.size(); ++i) {
    if (populations_[i].model == Model::input) result.push_back(i);
  }
  return result;
}

template class Network<float>;
template class Network<double>;

template <class To, class From>
Network<To> convert(const Network<From>& network) {
  Network<To> result;
  result.populations() = network.populations();
  for (const auto& p : network.projections()) {
    for (std::size_t k = 0; sizeof(To) < sizeof(From) && k < p.weight.size(); ++k) {
      if (!std::isfinite(p.weight[k]) || std::isfinite(static_cast<To>(p.weight[k]))) continue;
      refuse(
          fmt::format("{}.weight[{}] is {}, more than float32 holds; expected smaller weights, or "
                      "float64",
                      p.name, k, p.weight[k]));
    }
    result.projections().push_back({p.name,
                                    p.source,
                                    p.target,
                                    {p.weight.begin(), p.weight.end()},
                                    p.delay,
                                    p.connection,
                                    p.receptor});
  }
  return result;
}
template Network<float> convert(const Network<float>&);
template Network<float> convert(const Network<double>&);
template Network<double> convert(const Network<float>&);
template Network<double> convert(const Network<double>&);

namespace {

// "  grid 1 x 28 x 28 to 16 x 12 x 12" of windows that slide over one; else nothing.
std::string grids_of(const Connection& connection) {
  const std::string_view kind = connection.kind().name;
  if (kind != "conv2d" && kind != "pool2d") return "";
  const Shape& shape = connection.shape();
  Windows windows{row_of<3>(shape, "input", 1), {}, row_of<2>(shape, "stride", 1)};
  std::int64_t channels = windows.input[0];
  if (kind == "conv2d") {
    const auto kernel = row_of<4>(shape, "kernel", 1);
    channels = kernel[0];
    windows.size = {kernel[2], kernel[3]};
    windows.padding = row_of<2>(shape, "padding", 0);
    windows.dilation = row_of<2>(shape, "dilation", 1);
  } else {
    windows.size = row_of<2>(shape, "size", 1);
  }
  return fmt::format("  grid {} to {} x {} x {}", fmt::join(windows.input, " x "), channels,
                     windows.count(0), windows.count(1));
}

}  // namespace

template <class Real>
std::string describe(const Network<Real>& network) {
  static constexpr const char* delays[] = {"none", "common", "per source", "per synapse"};
  const auto show = [](const Parameter& p) {
    const auto [low, high] = std::minmax_element(p.values().begin(), p.values().end());
    return *low == *high ? fmt::format("{:g}", *low) : fmt::format("{:g}..{:g}", *low, *high);
  };
  std::string text;
  for (const auto& p : network.populations()) {
    text += fmt::format("{:<12} {:<6} {:>6}", p.name, p.model->name, p.size);
    for (std::size_t k = 0; k < p.parameters.size(); ++k) {
      text += fmt::format("  {} {}", p.model->parameters[k].name, show(p.parameters[k]));
    }
    text += '\n';
  }
  for (const auto& p : network.projections()) {
    const Population& to = network.populations()[p.target];
    text += fmt::format("{:<20} {} {} x {}  delay {}", p.name, p.connection.kind().name,
                        network.populations()[p.source].size, to.size,
                        delays[static_cast<int>(p.delay.kind)]);
    const auto receptor = to.model->receptor_name(p.receptor);
    if (!receptor.empty()) text += fmt::format("  receptor {}", receptor);
    text += grids_of(p.connection);
    text += '\n';
  }
  return text;
}
template std::string describe(const Network<float>&);
template std::string describe(const Network<double>&);

}  // namespace saltus
