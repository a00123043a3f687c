// SPDX-License-Identifier: Apache-2.0
#include "store/info.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "archive/json.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "store/json.hpp"

namespace saltus::store {
namespace {

using nlohmann::json;

// In the order in which they are told, and what each is.
constexpr std::pair<std::string_view, std::string_view> known_files[] = {
    {"model.safetensors", "the network after the last epoch"},
    {"model.h5", "the network after the last epoch, in the format of earlier versions"},
    {"best.safetensors", "the checkpoint of the best epoch"},
    {"checkpoint.safetensors", "what saltus train --resume goes on from"},
    {"settings.json", "all settings; saltus train --config reads it"},
    {"training.json", "all settings of a training from Python"},
    {"metrics.jsonl", "a line for each epoch"}};

json files_in(const std::filesystem::path& folder) {
  json files = json::array();
  for (const auto& [name, is] : known_files) {
    std::error_code none;
    const auto bytes = std::filesystem::file_size(folder / name, none);
    if (!none) files.push_back({{"name", name}, {"bytes", bytes}, {"is", is}});
  }
  return files;
}

// JSON knows neither.
json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json populations_of(const Network<double>& network) {
  json all = json::array();
  for (const Population& p : network.populations()) {
    all.push_back({{"name", p.name}, {"model", p.model->name}, {"size", p.size}});
  }
  return all;
}

json projections_of(const Network<double>& network) {
  json all = json::array();
  for (const auto& p : network.projections()) {
    const Population &source = network.populations()[p.source],
                     &target = network.populations()[p.target];
    all.push_back({{"name", p.name},
                   {"source", source.name},
                   {"target", target.name},
                   {"connection", p.connection.kind().name},
                   {"weights", p.weight.size()},
                   {"synapses", p.connection.count(source.size, target.size)}});
  }
  return all;
}

// What is not as the task has it by itself.
json changed(const RunSettings& settings) {
  const json now = json::parse(to_json(settings));
  const json usual =
      json::parse(to_json(default_settings(settings.task, !settings.layers.empty())));
  json out = json::object();
  for (const auto& [name, value] : now.items()) {
    if (value != usual.at(name)) out[name] = {{"value", value}, {"default", usual.at(name)}};
  }
  return out;
}

void add_settings(const std::string& text, json& said) {
  const RunSettings settings = settings_from_json(text);
  said["task"] = settings.task;
  said["settings"] = json::parse(to_json(settings));
  said["changed"] = changed(settings);
}

// Those that the lines tell, the one under way last.
std::vector<EpochReport> read_history(const std::filesystem::path& file) {
  std::vector<EpochReport> history;
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return history;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    try {
      read_figures(parse_json(line), history.emplace_back());
    } catch (const InvalidInput& e) {
      throw FileError(fmt::format("{}: line {}: {}", file.string(), history.size(), e.what()));
    }
  }
  return history;
}

// @param under_way  of which the epoch is not done; none: null
json training_of(std::vector<EpochReport> history, const std::optional<EpochReport>& under_way) {
  json out = {{"epochs", history.size()}, {"stopped_within", nullptr}};
  if (!history.empty()) {
    const EpochReport& last = history.back();
    out["loss"] = number(last.loss);
    out["accuracy"] = number(last.accuracy);
    out["validation_loss"] = number(last.validation_loss);
    out["validation_accuracy"] = number(last.validation_accuracy);
    out["silent_neurons"] = last.silent_neurons;
    out["hidden_spikes_per_sample"] = number(last.hidden_spikes_per_sample);
    if (const int best = best_epoch(history); best > 0) {
      const EpochReport& report = history.at(static_cast<std::size_t>(best) - 1);
      out["best"] = {{"epoch", best}, {"validation_accuracy", number(report.validation_accuracy)}};
    }
  }
  if (under_way) {
    out["stopped_within"] = {{"epoch", under_way->epoch}, {"samples", under_way->samples}};
    history.push_back(*under_way);
  }
  EpochReport sums;
  for (const EpochReport& r : history) {
    sums.seconds += r.seconds;
    sums.samples += r.samples;
    sums.gather_seconds += r.gather_seconds;
    sums.forward_seconds += r.forward_seconds;
    sums.loss_seconds += r.loss_seconds;
    sums.backward_seconds += r.backward_seconds;
    sums.step_seconds += r.step_seconds;
  }
  out["samples"] = sums.samples;
  out["seconds"] = sums.seconds;
  out["us_per_sample"] =
      sums.samples > 0 ? 1e6 * sums.seconds / static_cast<double>(sums.samples) : 0.0;
  out["phases"] = {{"gather", sums.gather_seconds},
                   {"forward", sums.forward_seconds},
                   {"loss", sums.loss_seconds},
                   {"backward", sums.backward_seconds},
                   {"step", sums.step_seconds}};
  return out;
}

Info info_of_network(const std::filesystem::path& file, std::string_view kind) {
  const auto network = load_network<double>(file);
  return {describe(network),
          {{"kind", kind},
           {"populations", populations_of(network)},
           {"projections", projections_of(network)}}};
}

template <class Real>
json training_in(const std::filesystem::path& file) {
  const auto state = load_checkpoint<Real>(file).state;
  std::optional<EpochReport> under_way;
  if (state.epoch.minibatches > 0) under_way = state.epoch.sums;
  return training_of(state.history, under_way);
}

std::filesystem::path model_in(const std::filesystem::path& folder) {
  const auto now = folder / "model.safetensors", before = folder / "model.h5";
  return std::filesystem::exists(before) && !std::filesystem::exists(now) ? before : now;
}

Info info_of_folder(const std::filesystem::path& folder) {
  Info info = info_of_network(model_in(folder), "run");
  info.said["files"] = files_in(folder);
  const auto settings = folder / "settings.json";
  try {
    add_settings(read_file(settings), info.said);
  } catch (const InvalidInput& e) {
    throw FileError(fmt::format("{}: {}", settings.string(), e.what()));
  }
  const auto metrics = folder / "metrics.jsonl";
  const auto memory = read_metrics(metrics).peak_memory;  // says what is wrong with a line
  auto history = read_history(metrics);
  std::optional<EpochReport> under_way;
  if (!history.empty() && !history.back().complete) {
    under_way = history.back();
    history.pop_back();
  }
  info.said["training"] = training_of(std::move(history), under_way);
  const auto most = std::max_element(memory.begin(), memory.end());
  info.said["training"]["peak_memory_bytes"] =
      most == memory.end() || *most == 0 ? json() : json(*most);
  return info;
}

bool is_checkpoint(const std::filesystem::path& file) {
  try {
    load_checkpoint_settings(file);
    return true;
  } catch (const FileError&) {  // a model alone
    return false;
  }
}

Info info_of_file(const std::filesystem::path& file) {
  Info info = info_of_network(file, "model");
  std::string settings = load_settings_of_model(file);
  if (file.extension() != ".h5" && is_checkpoint(file)) {
    info.said["kind"] = "checkpoint";
    settings = load_checkpoint_settings(file);
    try {
      info.said["training"] = training_in<float>(file);
    } catch (const InvalidInput&) {  // the other precision
      info.said["training"] = training_in<double>(file);
    }
  }
  json known = json::parse(settings, nullptr, false);
  if (known.is_object()) known.erase("training_data");
  // A model of Python, or of a program, need not tell of a run.
  if (known.is_object() && known.contains("task")) {
    try {
      add_settings(known.dump(), info.said);
    } catch (const InvalidInput& e) {
      throw FileError(fmt::format("{}: {}", file.string(), e.what()));
    }
  }
  std::error_code none;
  info.said["files"] = {{{"name", file.filename().string()},
                         {"bytes", std::filesystem::file_size(file, none)},
                         {"is", info.said["kind"]}}};
  return info;
}

}  // namespace

Info info_of(const std::filesystem::path& place) {
  const auto checkpoint = place / "checkpoint.safetensors";
  Info info;
  if (!std::filesystem::is_directory(place)) {
    info = info_of_file(place);
  } else if (std::filesystem::exists(checkpoint) && !std::filesystem::exists(model_in(place))) {
    info = info_of_file(checkpoint);  // of Python's fit(), which writes no model
    info.said["files"] = files_in(place);
  } else {
    info = info_of_folder(place);
  }
  info.said["place"] = place.string();
  return info;
}

}  // namespace saltus::store
