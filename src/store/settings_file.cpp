// SPDX-License-Identifier: Apache-2.0
// Settings as people write them: the rows of their fields say in which section each stands, and what
// the file tells of it.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "archive/json.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "store/graph.hpp"
#include "store/json.hpp"
#include "store/settings.hpp"
#include "store/toml.hpp"

namespace saltus::store {
namespace {

using nlohmann::json;

constexpr std::size_t largest = 16 << 20;  // bytes

std::string section_of(std::string_view heading) {
  std::string name(heading);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::vector<Section> sections() {
  const RunSettings settings;
  std::vector<Section> all;
  for (const auto heading : heading::all) {
    Section& section = all.emplace_back(Section{section_of(heading), {}});
    for_each_setting(settings, [&](const auto& row, const auto&) {
      if (row.heading == heading) section.keys.push_back(row.name);
    });
  }
  return all;
}

SettingsFile from_toml(const std::filesystem::path& path, const std::string& text) {
  try {
    ReadToml read =
        read_toml(text, {"task"}, sections(), {std::begin(graph_lists), std::end(graph_lists)});
    return {path, read.values.dump(), std::move(read.lines)};
  } catch (const WrongLine& e) {
    const std::string line = e.line > 0 ? fmt::format(":{}", e.line) : "";
    throw InvalidInput(fmt::format("{}{}: {}", path.string(), line, e.what()));
  }
}

// What its task does not look at is a slip; settings.json has it all.
void check_readers(const SettingsFile& file, const RunSettings& settings) {
  for (const auto& [name, line] : file.lines) {
    if (line == 0) continue;
    if (!reads(settings.task, name)) {
      throw InvalidInput(fmt::format("{} is of {}; task {} does not read it", name,
                                     readers_of(name), settings.task));
    }
    if (!settings.graph.empty() && of_layers(name)) {
      throw InvalidInput(
          fmt::format("{} is of layers; a network of [[population]] does not read it", name));
    }
  }
}

}  // namespace

std::string SettingsFile::located(const std::string& message) const {
  auto line = lines.find(message.substr(0, message.find_first_of(" ,:;")));
  if (line == lines.end()) line = lines.find(message.substr(0, message.find_first_of(" ,:;.")));
  if (line == lines.end()) line = lines.find(message.substr(0, message.find_first_of(" ,:;[")));
  if (line == lines.end()) return message;
  return line->second == 0 ? fmt::format("{}: {}", path.string(), message)
                           : fmt::format("{}:{}: {}", path.string(), line->second, message);
}

SettingsFile read_settings_file(const std::filesystem::path& file) {
  std::error_code none;
  const auto path = std::filesystem::is_directory(file, none) ? file / "settings.json" : file;
  const std::string text = read_file(path);
  if (text.size() > largest) {
    throw InvalidInput(fmt::format("{} has {} bytes; expected settings, at most {}", path.string(),
                                   text.size(), largest));
  }
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || text[first] != '{') return from_toml(path, text);
  try {
    const json settings = parse_json(text);
    SettingsFile read{path, settings.dump(), {}};
    for (const auto& [name, value] : settings.items()) read.lines[name] = 0;
    return read;
  } catch (const InvalidInput& e) {
    throw InvalidInput(fmt::format("{}: {}", path.string(), e.what()));
  }
}

RunSettings settings_of(const SettingsFile& file, bool layers) {
  try {
    RunSettings settings = unchecked_settings(file.json, layers);
    check_readers(file, settings);
    // A file means the same from wherever it is read.
    for (std::string* place : {&settings.data, &settings.train_file, &settings.test_file}) {
      if (!place->empty()) *place = (file.path.parent_path() / *place).string();
    }
    return settings;
  } catch (const InvalidInput& e) {
    const std::string said = file.located(e.what());
    throw InvalidInput(said == e.what() ? fmt::format("{}: {}", file.path.string(), said) : said);
  }
}

// --- writing ---------------------------------------------------------------------------------------
namespace {

template <class T>
std::string toml_of(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return fmt::format("\"{}\"", to_string(value));
  } else if constexpr (std::is_same_v<T, double>) {
    return fmt::format("{}", value);  // inf too
  } else {
    return json(value).dump();  // numbers, texts and lists of them are the same in TOML
  }
}

// What --help says, with names of options as those of settings.
std::string as_written_here(std::string_view help) {
  std::string out;
  for (std::size_t k = 0; k < help.size();) {
    if (help.substr(k, 2) != "--") {
      out += help[k++];
      continue;
    }
    for (k += 2; k < help.size() &&
                 (std::isalpha(static_cast<unsigned char>(help[k])) != 0 || help[k] == '-');
         ++k) {
      out += help[k] == '-' ? '_' : help[k];
    }
  }
  return out;
}

}  // namespace

std::string to_toml(const RunSettings& settings) {
  std::string text = comment(
      "Settings for `saltus train --config` with this file. What is left out has its default, and "
      "options on the command line win. Times are in seconds; folders and files are looked for "
      "from where this file is.");
  text += fmt::format("task = {}\n", toml_of(settings.task));
  for (const auto heading : heading::all) {
    text += fmt::format("\n[{}]\n", section_of(heading));
    for_each_setting(settings, [&](const auto& row, const auto& value) {
      if (row.heading != heading || !reads(settings.task, row.name)) return;
      if (!settings.graph.empty() && of_layers(row.name)) return;
      text += comment(as_written_here(row.help));
      text += fmt::format("{} = {}\n", row.name, toml_of(value));
    });
  }
  return text + graph_to_toml(settings.graph);
}

}  // namespace saltus::store
