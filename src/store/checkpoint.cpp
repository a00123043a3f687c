// SPDX-License-Identifier: Apache-2.0
// A training: the archive of a model (store/network.cpp), of which is said besides, under "training",
//
//     precision   "float32", "float64"
//     settings    how it was begun (JSON text)
//     state       steps, epochs, lr, the epoch under way, history
//     memory      the names of the arrays training.memory.<k> (TrainState::memory)
//
// and which holds arrays training.
//
//     first., second.   moments of the optimiser: weights_<k>, delays_<k> of projections,
//                       neurons_<k>_<parameter> of populations; empty ones are left out
//     spiked.<k>        in how many samples of this epoch each neuron of population k spiked
#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "store/json.hpp"
#include "store/network.hpp"

namespace saltus::store {
namespace {

using nlohmann::json;

template <class Real>
constexpr const char* precision_of = std::is_same_v<Real, float> ? "float32" : "float64";

// --- what is no array ---------------------------------------------------------------------------

constexpr auto counts = std::tuple{Figure{"minibatches", &EpochState::minibatches},
                                   Figure{"data_samples", &EpochState::data_samples},
                                   Figure{"correct", &EpochState::correct},
                                   Figure{"ghosts", &EpochState::ghosts},
                                   Figure{"predicts", &EpochState::predicts},
                                   Figure{"hidden_spikes", &EpochState::hidden_spikes},
                                   Figure{"grazing_spikes", &EpochState::grazing_spikes}};

template <class Real>
json state_to_json(const TrainState<Real>& state) {
  json out = {{"steps", state.steps}, {"epochs", state.epochs}, {"history", json::array()}};
  write(out["lr"], state.lr);
  json& epoch = out["epoch"] = json::object();
  std::apply([&](const auto&... row) { (write(epoch[row.name], row.of(state.epoch)), ...); },
             counts);
  write_fields(epoch["sums"], state.epoch.sums);
  for (const EpochReport& report : state.history) {
    write_fields(out["history"].emplace_back(), report);
  }
  return out;
}

template <class Real>
void state_from_json(const json& in, TrainState<Real>& state) {
  in.at("steps").get_to(state.steps);
  in.at("epochs").get_to(state.epochs);
  if (!in.at("lr").is_null()) in.at("lr").get_to(state.lr);
  const json& epoch = in.at("epoch");
  std::apply([&](const auto&... row) { (epoch.at(row.name).get_to(row.of(state.epoch)), ...); },
             counts);
  read_figures(epoch.at("sums"), state.epoch.sums);
  for (const json& report : in.at("history")) read_figures(report, state.history.emplace_back());
}

// --- arrays -------------------------------------------------------------------------------------

// Calls each(values, name) for all that an optimiser may remember: for what is there, and, reading,
// for all that there might be.
template <class Moments, class Real, class Each>
void for_each_moment(Moments& moments, const Network<Real>& network, Each&& each) {
  for (std::size_t k = 0; k < moments.weights.size(); ++k) {
    each(moments.weights[k], fmt::format("weights_{}", k));
    each(moments.delays.at(k), fmt::format("delays_{}", k));
  }
  for (std::size_t k = 0; k < moments.neurons.size(); ++k) {
    const auto& rows = network.populations()[k].model->parameters;
    for (std::size_t q = 0; q < moments.neurons[k].parameters.size(); ++q) {
      each(moments.neurons[k].parameters[q], fmt::format("neurons_{}_{}", k, rows[q].name));
    }
  }
}

template <class Real>
void write_moments(Archive& to, const std::string& prefix, const Gradients<Real>& moments,
                   const Network<Real>& network) {
  for_each_moment(moments, network, [&](const auto& values, const std::string& called) {
    if (!values.empty()) to.put(prefix + called, values);
  });
}

template <class Real>
void read_moments(const Archive& from, const std::string& prefix, Gradients<Real>& moments,
                  const Network<Real>& network) {
  moments.weights.resize(network.projections().size());
  moments.delays.resize(network.projections().size());
  moments.times.resize(network.populations().size());
  for (const Population& p : network.populations()) {
    moments.neurons.push_back({p.model, std::vector<std::vector<double>>(p.parameters.size())});
  }
  for_each_moment(moments, network, [&](auto& values, const std::string& called) {
    using T = typename std::remove_reference_t<decltype(values)>::value_type;
    if (from.holds(prefix + called)) values = from.get<T>(prefix + called);
  });
}

template <class From, class To>
std::vector<To> converted(const std::vector<From>& values) {
  return {values.begin(), values.end()};
}

constexpr const char* spiked = "training.spiked.";
constexpr const char* memory_name = "training.memory.";

void write_spiked(Archive& to, const EpochState& epoch) {
  for (std::size_t p = 0; p < epoch.spiked.size(); ++p) {
    to.put(spiked + std::to_string(p), converted<std::size_t, std::int64_t>(epoch.spiked[p]));
  }
}

void read_spiked(const Archive& from, EpochState& epoch) {
  for (std::size_t p = 0; from.holds(spiked + std::to_string(p)); ++p) {
    epoch.spiked.push_back(
        converted<std::int64_t, std::size_t>(from.get<std::int64_t>(spiked + std::to_string(p))));
  }
}

json write_memory(Archive& to, const Memory& memory) {
  json names = json::array();
  for (const auto& [name, array] : memory) {
    to.put(memory_name + std::to_string(names.size()), array.values, array.shape);
    names.push_back(name);
  }
  return names;
}

void read_memory(const Archive& from, const json& names, Memory& memory) {
  for (std::size_t k = 0; k < names.size(); ++k) {
    const std::string place = memory_name + std::to_string(k);
    memory[names[k].get<std::string>()] = {from.shape(place), from.get<double>(place)};
  }
}

// --- the whole ----------------------------------------------------------------------------------

template <class Real>
Checkpoint<Real> read_checkpoint(const Archive& from) {
  const json& training = from.about.at("training");
  const std::string precision = training.at("precision");
  if (precision != precision_of<Real>) {
    throw InvalidInput(
        fmt::format("precision is {}, but the training was saved in {}; expected the same",
                    precision_of<Real>, precision));
  }
  Checkpoint<Real> result;
  TrainState<Real>& state = result.state;
  training.at("settings").get_to(result.settings);
  state_from_json(training.at("state"), state);
  state.network = read_network<Real>(from);
  read_moments(from, "training.first.", state.first, state.network);
  read_moments(from, "training.second.", state.second, state.network);
  read_spiked(from, state.epoch);
  read_memory(from, training.at("memory"), state.memory);
  return result;
}

}  // namespace

template <class Real>
void save_checkpoint(const TrainState<Real>& state, const std::string& settings,
                     const std::filesystem::path& file) {
  Archive archive;
  write_network(state.network, archive);
  json& training = archive.about["training"];
  training = {{"precision", precision_of<Real>},
              {"settings", settings},
              {"state", state_to_json(state)},
              {"memory", write_memory(archive, state.memory)}};
  write_moments(archive, "training.first.", state.first, state.network);
  write_moments(archive, "training.second.", state.second, state.network);
  write_spiked(archive, state.epoch);
  save_archive(archive, file);
}

std::filesystem::path checkpoint_in(const std::filesystem::path& place) {
  return std::filesystem::is_directory(place) ? place / "checkpoint.safetensors" : place;
}

namespace {

template <class Read>
auto read_from(const std::filesystem::path& place, Read&& read) {
  const std::filesystem::path file = checkpoint_in(place);
  const Archive archive = load_archive(file);
  if (!archive.about.contains("training")) {
    throw FileError(
        fmt::format("{}: holds no training, perhaps a model alone; expected a "
                    "checkpoint, such as checkpoint.safetensors",
                    file.string()));
  }
  try {
    return read(archive);
  } catch (const InvalidInput& e) {
    throw InvalidInput(fmt::format("{}: {}", file.string(), e.what()));
  } catch (const json::exception& e) {
    throw FileError(fmt::format("{}: damaged: {}", file.string(), e.what()));
  }
}

}  // namespace

template <class Real>
Checkpoint<Real> load_checkpoint(const std::filesystem::path& place) {
  return read_from(place, &read_checkpoint<Real>);
}

std::string load_checkpoint_settings(const std::filesystem::path& place) {
  return read_from(place, [](const Archive& archive) {
    return archive.about.at("training").at("settings").get<std::string>();
  });
}

template void save_checkpoint(const TrainState<float>&, const std::string&,
                              const std::filesystem::path&);
template void save_checkpoint(const TrainState<double>&, const std::string&,
                              const std::filesystem::path&);
template Checkpoint<float> load_checkpoint(const std::filesystem::path&);
template Checkpoint<double> load_checkpoint(const std::filesystem::path&);

}  // namespace saltus::store
