// SPDX-License-Identifier: Apache-2.0
// Settings as JSON: the rows of their fields serve both directions.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "store/json.hpp"

namespace saltus::store {

using nlohmann::json;

std::string to_json(const RunSettings& settings) {
  json out = json::object();
  write_fields(out, settings);
  write_fields(out, settings.loss);
  write_fields(out, settings.train);
  return out.dump(2) + "\n";
}

RunSettings settings_from_json(const std::string& text) {
  json in;
  try {
    in = json::parse(text);
  } catch (const json::parse_error& e) {
    throw InvalidInput(fmt::format("not JSON from byte {} on", e.byte));
  }
  if (!in.is_object() || !in.contains("task")) {
    throw InvalidInput("holds no task; expected what `saltus train` writes as settings.json");
  }
  std::string task;
  read("task", in["task"], task);
  RunSettings settings = default_settings(task, in.contains("layers") && !in["layers"].empty());
  read_fields(in, settings);
  read_fields(in, settings.loss);
  read_fields(in, settings.train);
  check(settings);
  return settings;
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
