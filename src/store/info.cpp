// SPDX-License-Identifier: Apache-2.0
#include "store/info.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "saltus/error.hpp"
#include "saltus/store.hpp"

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
    const json by_default = usual.value(name, json());  // null: a graph
    if (value != by_default) out[name] = {{"value", value}, {"default", by_default}};
  }
  return out;
}

void add_settings(const std::string& text, json& said) {
  const RunSettings settings = settings_from_json(text);
  said["task"] = settings.task;
  said["settings"] = json::parse(to_json(settings));
  said["changed"] = changed(settings);
}

// @param epochs  the last may be under way: not complete
json training_of(std::vector<EpochReport> epochs) {
  const TrainedEpochs sums = add_up(epochs);
  json out = {{"stopped_within", nullptr}};
  if (!epochs.empty() && !epochs.back().complete) {
    out["stopped_within"] = {{"epoch", epochs.back().epoch}, {"samples", epochs.back().samples}};
    epochs.pop_back();
  }
  out["epochs"] = epochs.size();
  if (!epochs.empty()) {
    const EpochReport& last = epochs.back();
    out["loss"] = number(last.loss);
    out["accuracy"] = number(last.accuracy);
    out["validation_loss"] = number(last.validation_loss);
    out["validation_accuracy"] = number(last.validation_accuracy);
    out["silent_neurons"] = last.silent_neurons;
    out["hidden_spikes_per_sample"] = number(last.hidden_spikes_per_sample);
    if (const int best = best_epoch(epochs); best > 0) {
      const EpochReport& report = epochs.at(static_cast<std::size_t>(best) - 1);
      out["best"] = {{"epoch", best}, {"validation_accuracy", number(report.validation_accuracy)}};
    }
  }
  out["samples"] = sums.samples;
  out["seconds"] = sums.seconds;
  out["us_per_sample"] = sums.us_per_sample();
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

// Of a checkpoint of either precision.
json training_in(const std::filesystem::path& file) {
  try {
    return training_of(epochs_of(load_checkpoint<float>(file).state));
  } catch (const InvalidInput&) {
    return training_of(epochs_of(load_checkpoint<double>(file).state));
  }
}

// After how many epochs --resume goes on: fewer than were done, where checkpoints are rare and a run was killed.
json resumes_after(const std::filesystem::path& folder) {
  try {
    return training_in(checkpoint_in(folder))["epochs"];
  } catch (const Error&) {  // there is none, or it is damaged: --resume says so
    return nullptr;
  }
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
  const Metrics metrics = read_metrics(folder / "metrics.jsonl");
  info.said["training"] = training_of(metrics.epochs);
  info.said["training"]["resumes_after"] = resumes_after(folder);
  const auto most = std::ranges::max_element(metrics.peak_memory);
  info.said["training"]["peak_memory_bytes"] =
      most == metrics.peak_memory.end() || *most == 0 ? json() : json(*most);
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
    info.said["training"] = training_in(file);
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
