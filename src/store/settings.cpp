// SPDX-License-Identifier: Apache-2.0
// Settings as JSON: the rows of their fields serve both directions.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "archive/json.hpp"
#include "fields/nearest.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "store/free_settings.hpp"
#include "store/graph.hpp"
#include "store/json.hpp"
#include "store/settings.hpp"

namespace saltus::store {

using nlohmann::json;

std::string to_json(const RunSettings& settings) {
  json out = json::object();
  for_each_setting(settings, [&](const auto& row, const auto& value) {
    write(out[std::string(row.name)], value);
  });
  write_graph(settings.graph, out);
  return out.dump(2) + "\n";
}

namespace {

// The names that a file may hold.
std::vector<std::string_view> known_settings(const RunSettings& settings) {
  std::vector<std::string_view> known(std::begin(graph_lists), std::end(graph_lists));
  for_each_setting(settings, [&](const auto& row, const auto&) { known.push_back(row.name); });
  return known;
}

}  // namespace

RunSettings unchecked_settings(const std::string& text, bool layers) {
  const json in = parse_json(text);
  if (!in.is_object() || !in.contains("task")) {
    throw InvalidInput(
        "holds no task: yinyang, mnist or spikes; expected what `saltus train` writes as "
        "settings.json");
  }
  std::string task;
  read("task", in["task"], task);
  RunSettings settings =
      default_settings(task, layers || (in.contains("layers") && !in["layers"].empty()));
  use_graph(settings, read_graph(in));
  const auto known = known_settings(settings);
  for (const auto& [name, value] : in.items()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    throw InvalidInput(fmt::format("no setting is called '{}'{}", name, nearest_name(name, known)));
  }
  for_each_setting(settings, [&](const auto& row, auto& value) {
    const auto found = in.find(row.name);
    if (found != in.end()) read(row.name, *found, value);
  });
  return settings;
}

RunSettings settings_from_json(const std::string& text) {
  RunSettings settings = unchecked_settings(text);
  check(settings);
  return settings;
}

std::string settings_of_model(const RunSettings& settings) {
  json all = json::parse(to_json(settings));
  for (const std::string_view name : free_settings) all.erase(std::string(name));
  return all.dump();
}

void check_settings_of_model(const RunSettings& settings, const std::string& of_model) {
  if (of_model.empty()) return;
  const json now = json::parse(settings_of_model(settings));
  const json then = json::parse(of_model, nullptr, false);
  if (!then.is_object()) return;  // damaged: not what was asked
  for (const auto& [name, value] : now.items()) {
    const auto found = then.find(name);
    if (found == then.end() || *found == value) continue;
    throw InvalidInput(fmt::format("{} is {}, but the model was trained with {}; expected that",
                                   name, value.dump(), found->dump()));
  }
}

RunSettings load_settings(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  try {
    return settings_from_json(text);
  } catch (const InvalidInput& e) {
    throw FileError(fmt::format("{}: {}", file.string(), e.what()));
  }
}

}  // namespace saltus::store
