// SPDX-License-Identifier: Apache-2.0
#include "saltus/network.hpp"

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/operators.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "arrays.hpp"
#include "bind.hpp"
#include "saltus/error.hpp"
#include "saltus/state.hpp"
#include "saltus/store.hpp"
#include "settings.hpp"

namespace saltus::python {
namespace {

using Net = Network<double>;

// Python holds views into the parameters. A network that grows moves them, never copies them, so
// the views stay where the values are.
static_assert(std::is_nothrow_move_constructible_v<Population>);
static_assert(std::is_nothrow_move_constructible_v<Projection<double>>);

void add_population(Net& network, std::string name, const std::string& model, std::size_t size,
                    const nb::dict& parameters) {
  Population population;
  population.name = std::move(name);
  population.model = Model::named(model);
  population.size = size;
  for (const auto& [key, value] : parameters) {
    population[nb::cast<std::string>(key)] = Parameter(vector_of(nb::cast<In<double>>(value)));
  }
  network.add_population(std::move(population));
}

// Of each model: what it is; does it spike by itself; its parameters {name: (usual value, unit, what
// it is)}.
nb::dict models() {
  nb::dict result;
  for (const Model model : Model::all()) {
    if (model == Model::input) continue;
    nb::dict parameters;
    for (const ParameterRow& row : model->parameters) {
      parameters[key(row.name)] = nb::make_tuple(row.usual, key(row.unit), key(row.says));
    }
    nb::list names;
    for (const std::string_view name : components(model)) names.append(key(name));
    result[key(model->name)] = nb::make_tuple(key(model->says), model->spikes, parameters, names);
  }
  return result;
}

// Of as many values as there are sources and synapses: do both ways of reading them agree?
bool in_order_of_sources(const SynapseList& list) {
  for (std::size_t place = 0; place < list.size(); ++place) {
    if (list[place].number != list[place].pre) return false;
  }
  return true;
}

// `delays`: of what Python got, "" none, else one of "common", "source", "synapse"; "either" of the
// last two, whichever the number of values says.
void connect(Net& network, const std::string& source, const std::string& target,
             const In<double>& weight, const std::optional<In<double>>& delay,
             const std::string& delays, std::string name, const std::string& kind,
             std::vector<Shape::Row> rows, const std::string& receptor) {
  Connection connection(kind, Shape(std::move(rows)));
  Delay d;
  if (delay) {
    d.kind = delays == "common"    ? Delay::Kind::common
             : delays == "synapse" ? Delay::Kind::per_synapse
                                   : Delay::Kind::per_source;
    d.values = vector_of(*delay);
    if (delays == "either") {
      const std::size_t pre = network.populations()[network.index(source)].size;
      const std::size_t post = network.populations()[network.index(target)].size;
      connection.list(pre, post);
      if (d.values.size() == connection.count(pre, post)) {
        d.kind = Delay::Kind::per_synapse;
        if (d.values.size() == pre && !in_order_of_sources(connection.synapses())) {
          throw InvalidInput(
              "delay has as many values as there are sources and as there are synapses; expected "
              "shape [pre, 1] of one for each source, or [1, nnz] of one for each synapse");
        }
      }
    }
  }
  network.connect(source, target, vector_of(weight), std::move(d), std::move(name),
                  std::move(connection), receptor);
}

// Of a projection that lists its synapses: source, target and place of the weight of each, in the
// order of a delay per synapse. None: all to all.
using Column = nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>>;
std::optional<std::tuple<Column, Column, Column>> synapses(const Net& network,
                                                           const std::string& name) {
  const auto& all = network.projections();
  const auto p = std::ranges::find(all, name, &Projection<double>::name);
  if (p == all.end() || p->connection.all_to_all()) return std::nullopt;
  const SynapseList& list = p->connection.synapses();
  std::vector<std::int64_t> pre(list.size()), post(list.size()), weight(list.size());
  for (std::size_t place = 0; place < list.size(); ++place) {
    const SynapseList::Entry& s = list[place];
    const auto at = static_cast<std::size_t>(s.number);
    pre[at] = s.pre;
    post[at] = s.post;
    weight[at] = s.weight;
  }
  return std::tuple{give(std::move(pre)), give(std::move(post)), give(std::move(weight))};
}

// The values behind "population.parameter", "projection.weight" or "projection.delay", to be read
// and written in place.
nb::ndarray<nb::numpy, double, nb::ndim<1>> values(nb::handle self, const std::string& owner,
                                                   const std::string& parameter) {
  Net& network = nb::cast<Net&>(self);
  const auto whole = [&](std::vector<double>& v) { return view(v.data(), v.size(), self); };
  if (parameter == "weight" || parameter == "delay") {
    for (auto& projection : network.projections()) {
      if (projection.name != owner) continue;
      return whole(parameter == "weight" ? projection.weight : projection.delay.values);
    }
  }
  return whole(network.populations()[network.index(owner)][parameter].values());
}

// What Python keeps beside the network: name, model and size of each population; name, source,
// target and the shapes of weight and delay (if there is one) of each projection.
using Populations = std::vector<std::tuple<std::string, std::string, std::size_t>>;
using Sizes = std::vector<std::size_t>;
using Projections =
    std::vector<std::tuple<std::string, std::string, std::string, Sizes, std::optional<Sizes>>>;

std::tuple<Populations, Projections> structure(const Net& network) {
  std::tuple<Populations, Projections> result;
  const auto& populations = network.populations();
  for (const Population& p : populations) {
    std::get<0>(result).emplace_back(p.name, p.model->name, p.size);
  }
  for (const auto& p : network.projections()) {
    const Population &source = populations[p.source], &target = populations[p.target];
    const bool dense = p.connection.all_to_all();
    const Sizes all{source.size, target.size};
    std::optional<Sizes> delay;
    if (p.delay.kind == Delay::Kind::common) delay = Sizes{};
    if (p.delay.kind == Delay::Kind::per_source) delay = Sizes{source.size};
    if (p.delay.kind == Delay::Kind::per_synapse) {
      delay = dense ? all : Sizes{p.delay.values.size()};
    }
    std::get<1>(result).emplace_back(p.name, source.name, target.name,
                                     p.connection.weight_shape(source.size, target.size), delay);
  }
  return result;
}

// How a projection connects: the name of its kind ("dense" of all to all), the rows of its shape, the
// kind of its delays (Delay::Kind).
std::tuple<std::string, std::map<std::string, std::vector<std::int64_t>>, int> connection(
    const Net& network, const std::string& name) {
  const auto& all = network.projections();
  const auto p = std::ranges::find(all, name, &Projection<double>::name);
  if (p == all.end()) throw InvalidInput(fmt::format("no projection is called '{}'", name));
  const int delay = static_cast<int>(p->delay.kind);
  if (p->connection.all_to_all()) return {"dense", {}, delay};
  const auto& rows = p->connection.shape().rows();
  return {std::string(p->connection.kind().name), {rows.begin(), rows.end()}, delay};
}

void save(const Net& network, const std::string& file, bool single) {
  network.check();
  if (!single) {
    store::save_network(network, file);
    return;
  }
  store::save_network(convert<float>(network), file);
}

}  // namespace

void bind_network(nb::module_& module) {
  nb::class_<Net>(module, "Network")
      .def(nb::init<>())
      .def(nb::init<const Net&>())
      .def("add_input", &Net::add_input)
      .def("add_population", &add_population)
      .def("connect", &connect, nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(),
           nb::arg(), nb::arg(), nb::arg(), nb::arg())
      .def("values", [](nb::handle_t<Net> self, const std::string& owner,
                        const std::string& parameter) { return values(self, owner, parameter); })
      .def("synapses", &synapses)
      .def("last_projection", [](const Net& network) { return network.projections().back().name; })
      .def("index", [](const Net& network, const std::string& name) { return network.index(name); })
      .def("check", &Net::check)
      .def("structure", &structure)
      .def("connection", &connection)
      .def("save", &save)
      .def("to_bytes",
           [](const Net& network) {
             const std::string bytes = store::to_bytes(network);
             return nb::bytes(bytes.data(), bytes.size());
           })
      .def_static("from_bytes",
                  [](const nb::bytes& bytes) {
                    return store::from_bytes<double>(
                        std::string(static_cast<const char*>(bytes.data()), bytes.size()));
                  })
      .def_static("load",
                  [](const std::string& place) {
                    return store::load_network<double>(store::model_in(place));
                  })
      .def("describe", [](const Net& network) { return describe(network); })
      .def(nb::self == nb::self);
  module.def("models", &models);
}

}  // namespace saltus::python
