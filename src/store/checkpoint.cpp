// SPDX-License-Identifier: Apache-2.0
// A training as HDF5: a model (store/network.cpp), and beside it
//
//     training          attributes format, digest, precision ("float32", "float64"); data sets of text
//                       settings (JSON), state (JSON: steps, epochs, lr, the epoch under way, history)
//     training/first    moments of the optimiser: weights_<k>, delays_<k> of projections,
//     training/second   neurons_<k>_<parameter> of populations; empty ones are left out
//     training/spiked   <k>: in how many samples of this epoch each neuron of population k spiked
//     training/memory   <k>: attribute name; data sets shape, values (TrainState::memory)
//
// The digest is of everything in the file: a flipped bit is an error, never another training.
#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "store/hdf5_file.hpp"
#include "store/json.hpp"
#include "store/network.hpp"

namespace saltus::store {
namespace {

using nlohmann::json;

constexpr std::uint64_t checkpoint_version = 1;

template <class Real>
constexpr const char* precision_of = std::is_same_v<Real, float> ? "float32" : "float64";

void write_text(const File& file, hid_t group, const char* name, const std::string& text) {
  file.write(group, name, std::vector<char>(text.begin(), text.end()), 1);
}
std::string read_text(const File& file, hid_t group, const char* name) {
  const auto text = file.read<char>(group, name);
  return {text.begin(), text.end()};
}

// --- what is no array ---------------------------------------------------------------------------

constexpr auto counts = std::tuple{Figure{"minibatches", &EpochState::minibatches},
                                   Figure{"data_samples", &EpochState::data_samples},
                                   Figure{"correct", &EpochState::correct},
                                   Figure{"ghosts", &EpochState::ghosts},
                                   Figure{"predicts", &EpochState::predicts},
                                   Figure{"hidden_spikes", &EpochState::hidden_spikes},
                                   Figure{"grazing_spikes", &EpochState::grazing_spikes}};

template <class Real>
std::string state_to_json(const TrainState<Real>& state) {
  json out = {{"steps", state.steps}, {"epochs", state.epochs}, {"history", json::array()}};
  write(out["lr"], state.lr);
  json& epoch = out["epoch"] = json::object();
  std::apply([&](const auto&... row) { (write(epoch[row.name], row.of(state.epoch)), ...); },
             counts);
  write_fields(epoch["sums"], state.epoch.sums);
  for (const EpochReport& report : state.history) {
    write_fields(out["history"].emplace_back(), report);
  }
  return out.dump();
}

template <class Real>
void state_from_json(const std::string& text, TrainState<Real>& state) {
  const json in = json::parse(text);
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
void write_moments(const File& file, hid_t training, const char* name,
                   const Gradients<Real>& moments, const Network<Real>& network) {
  const Handle group = file.group(training, name, true);
  for_each_moment(moments, network, [&](const auto& values, const std::string& called) {
    if (!values.empty()) file.write(group.id(), called.c_str(), values, values.size());
  });
}

template <class Real>
void read_moments(const File& file, hid_t training, const char* name, Gradients<Real>& moments,
                  const Network<Real>& network) {
  const Handle group = file.group(training, name, false);
  moments.weights.resize(network.projections().size());
  moments.delays.resize(network.projections().size());
  moments.times.resize(network.populations().size());
  for (const Population& p : network.populations()) {
    moments.neurons.push_back({p.model, std::vector<std::vector<double>>(p.parameters.size())});
  }
  for_each_moment(moments, network, [&](auto& values, const std::string& called) {
    using T = typename std::remove_reference_t<decltype(values)>::value_type;
    if (H5Lexists(group.id(), called.c_str(), H5P_DEFAULT) > 0) {
      values = file.read<T>(group.id(), called.c_str());
    }
  });
}

template <class From, class To>
std::vector<To> converted(const std::vector<From>& values) {
  return {values.begin(), values.end()};
}

void write_spiked(const File& file, hid_t training, const EpochState& epoch) {
  const Handle group = file.group(training, "spiked", true);
  file.put(group.id(), "count", epoch.spiked.size());
  for (std::size_t p = 0; p < epoch.spiked.size(); ++p) {
    file.write(group.id(), std::to_string(p).c_str(),
               converted<std::size_t, std::int64_t>(epoch.spiked[p]), epoch.spiked[p].size());
  }
}

void read_spiked(const File& file, hid_t training, EpochState& epoch) {
  const Handle group = file.group(training, "spiked", false);
  const std::uint64_t count = file.number(group.id(), "count");
  for (std::uint64_t p = 0; p < count; ++p) {
    epoch.spiked.push_back(converted<std::int64_t, std::size_t>(
        file.read<std::int64_t>(group.id(), std::to_string(p).c_str())));
  }
}

void write_memory(const File& file, hid_t training, const Memory& memory) {
  const Handle all = file.group(training, "memory", true);
  file.put(all.id(), "count", memory.size());
  std::size_t number = 0;
  for (const auto& [name, array] : memory) {
    const Handle group = file.group(all.id(), std::to_string(number++), true);
    file.put(group.id(), "name", name);
    file.write(group.id(), "shape", converted<std::size_t, std::int64_t>(array.shape),
               array.shape.size());
    file.write(group.id(), "values", array.values, array.values.size());
  }
}

void read_memory(const File& file, hid_t training, Memory& memory) {
  const Handle all = file.group(training, "memory", false);
  const std::uint64_t count = file.number(all.id(), "count");
  for (std::uint64_t k = 0; k < count; ++k) {
    const Handle group = file.group(all.id(), std::to_string(k), false);
    Array& array = memory[file.text(group.id(), "name")];
    array.shape =
        converted<std::int64_t, std::size_t>(file.read<std::int64_t>(group.id(), "shape"));
    array.values = file.read<double>(group.id(), "values");
  }
}

// --- the whole ----------------------------------------------------------------------------------

Handle open_training(const File& file, hid_t root) {
  if (H5Lexists(root, "training", H5P_DEFAULT) <= 0) {
    throw FileError(
        fmt::format("{}: holds no training, perhaps a model alone; expected a checkpoint, such as "
                    "checkpoint.h5",
                    file.name().string()));
  }
  return file.group(root, "training", false);
}

void check_version(const File& file, hid_t training) {
  const std::uint64_t version = file.number(training, "format");
  if (version == checkpoint_version) return;
  throw FileError(
      fmt::format("{}: a checkpoint of format {}; expected {}: the version of Saltus that "
                  "wrote it can read it",
                  file.name().string(), version, checkpoint_version));
}

template <class Real>
Checkpoint<Real> read_checkpoint(const File& file, hid_t root) {
  const Handle training = open_training(file, root);
  check_version(file, training.id());
  const std::string precision = file.text(training.id(), "precision");
  if (precision != precision_of<Real>) {
    throw InvalidInput(
        fmt::format("precision is {}, but the training was saved in {}; expected the same",
                    precision_of<Real>, precision));
  }
  Checkpoint<Real> result;
  TrainState<Real>& state = result.state;
  result.settings = read_text(file, training.id(), "settings");
  state_from_json(read_text(file, training.id(), "state"), state);
  state.network = read_network<Real>(file, root);
  read_moments(file, training.id(), "first", state.first, state.network);
  read_moments(file, training.id(), "second", state.second, state.network);
  read_spiked(file, training.id(), state.epoch);
  read_memory(file, training.id(), state.memory);
  const std::uint64_t digest = file.digest();
  if (file.number(training.id(), "digest") != digest) {
    throw FileError(
        fmt::format("{}: damaged: its digest is not that of what it holds", file.name().string()));
  }
  return result;
}

}  // namespace

template <class Real>
void save_checkpoint(const TrainState<Real>& state, const std::string& settings,
                     const std::filesystem::path& name) {
  save_whole(name, [&](const File& file, hid_t root) {
    write_network(state.network, file, root);
    const Handle training = file.group(root, "training", true);
    file.put(training.id(), "format", checkpoint_version);
    file.put(training.id(), "precision", std::string(precision_of<Real>));
    write_text(file, training.id(), "settings", settings);
    write_text(file, training.id(), "state", state_to_json(state));
    write_moments(file, training.id(), "first", state.first, state.network);
    write_moments(file, training.id(), "second", state.second, state.network);
    write_spiked(file, training.id(), state.epoch);
    write_memory(file, training.id(), state.memory);
    const std::uint64_t digest = file.digest();
    file.put(training.id(), "digest", digest);
  });
}

std::filesystem::path checkpoint_in(const std::filesystem::path& place) {
  return std::filesystem::is_directory(place) ? place / "checkpoint.h5" : place;
}

template <class Real>
Checkpoint<Real> load_checkpoint(const std::filesystem::path& place) {
  const std::filesystem::path name = checkpoint_in(place);
  try {
    return load_whole(name, &read_checkpoint<Real>);
  } catch (const json::exception& e) {
    throw FileError(fmt::format("{}: damaged: {}", name.string(), e.what()));
  }
}

std::string load_checkpoint_settings(const std::filesystem::path& place) {
  return load_whole(checkpoint_in(place), [](const File& file, hid_t root) {
    const Handle training = open_training(file, root);
    check_version(file, training.id());
    return read_text(file, training.id(), "settings");
  });
}

template void save_checkpoint(const TrainState<float>&, const std::string&,
                              const std::filesystem::path&);
template void save_checkpoint(const TrainState<double>&, const std::string&,
                              const std::filesystem::path&);
template Checkpoint<float> load_checkpoint(const std::filesystem::path&);
template Checkpoint<double> load_checkpoint(const std::filesystem::path&);

}  // namespace saltus::store
