// SPDX-License-Identifier: Apache-2.0
// Rows of settings as options of the command line.
#pragma once

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "cli/values.hpp"
#include "saltus/fields.hpp"

namespace saltus::cli {

/// What was given on the command line, to be applied to settings of type Whole.
template <class Whole>
struct Given {
  std::vector<std::function<void(Whole&)>> changes;
  std::vector<std::string> names;  ///< of these options
};

/// @param apply  (settings, value)
template <class T, class Whole, class Apply>
CLI::Option* add_option(CLI::App& app, Given<Whole>& given, const std::string& name,
                        const std::string& help, Apply apply) {
  return add_value<T>(app, name, help, [&given, name, apply](const T& value) {
    given.names.push_back(name);
    given.changes.push_back([apply, value](Whole& settings) { apply(settings, value); });
  });
}

/// What the option of a row is called.
inline std::string option_of(const auto& row) {
  std::string name(row.option);
  if (name.empty()) {
    name = fmt::format("--{}", row.name);
    std::replace(name.begin(), name.end(), '_', '-');
  }
  return name;
}

/// The rows of Settings that stand under a heading: numbers and lists are read as such, choices by
/// their names, and what is true or false is a flag, with a --no- that says the other.
/// @param part  (Whole&) -> Settings&
template <class Settings, class Whole, class Part>
void add_fields(CLI::App& app, Given<Whole>& given, std::string_view heading, Part part) {
  Settings defaults;  // only for the types
  for_each_field(defaults, [&](const auto& row, const auto& value) {
    if (row.heading != heading || row.help.empty()) return;
    using T = std::remove_cvref_t<decltype(value)>;
    const std::string name = option_of(row);
    const std::string help(row.help);
    const auto to = [row, part](Whole& settings) -> T& { return row.of(part(settings)); };
    CLI::Option* option = nullptr;
    if constexpr (std::is_same_v<T, bool>) {
      option = app.add_flag_function(
          fmt::format("{},!--no-{}", name, name.substr(2)),
          [&given, to, name](std::int64_t count) {
            given.names.push_back(name);
            given.changes.push_back([to, count](Whole& s) { to(s) = count > 0; });
          },
          help);
    } else if constexpr (std::is_enum_v<T>) {
      option = add_option<std::string>(app, given, name, help,
                                       [to](Whole& s, auto& text) { to(s) = from_name<T>(text); });
    } else {
      option = add_option<T>(app, given, name, help, [to](Whole& s, auto& read) { to(s) = read; });
    }
    option->group(std::string(heading));
  });
}

}  // namespace saltus::cli
