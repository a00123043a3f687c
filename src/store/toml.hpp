// SPDX-License-Identifier: Apache-2.0
// TOML of a file that anybody may have written, as JSON.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "saltus/error.hpp"

namespace saltus::store {

/// What is wrong with a text, and in which line of it; 0: nobody knows.
struct WrongLine : InvalidInput {
  WrongLine(int at, const std::string& what) : InvalidInput(what), line(at) {}
  int line;
};

/// A section of settings and the names that stand in it.
struct Section {
  std::string name;
  std::vector<std::string_view> keys;
};

struct ReadToml {
  nlohmann::json values;             ///< one object, without sections
  std::map<std::string, int> lines;  ///< of each of its names
};

/// @param outside   names that stand before the first section
/// @param sections  with those that stand in each; a name is of one only
/// @param lists     names of lists of tables ([[name]]), whatever stands in these; lines of what does are
///                  those of "name[0].key"
/// @throws WrongLine  no TOML (tables that are given twice, text that is not UTF-8), nested deeper than
///         64, a name that there is not (says the nearest) or that stands in another section, a date
ReadToml read_toml(std::string_view text, const std::vector<std::string_view>& outside,
                   const std::vector<Section>& sections,
                   const std::vector<std::string_view>& lists = {});

/// A text as lines of comment, as wide as a page.
std::string comment(std::string_view text);

}  // namespace saltus::store
