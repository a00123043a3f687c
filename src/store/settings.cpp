// SPDX-License-Identifier: Apache-2.0
// Settings as JSON: the rows of their fields serve both directions.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "saltus/error.hpp"
#include "saltus/store.hpp"

namespace saltus::store {
namespace {

using nlohmann::json;

template <class T>
void write(json& out, const T& value) {
  if constexpr (std::is_enum_v<T>) {
    out = to_string(value);
  } else if constexpr (std::is_same_v<T, double>) {
    // JSON has no infinity.
    out = std::isinf(value) ? json("infinite") : json(value);
  } else {
    out = value;
  }
}

// Whether JSON holds what a field of type T expects, and what to call that.
template <class T>
constexpr bool is_list = false;
template <class T>
constexpr bool is_list<std::vector<T>> = true;

template <class T>
bool fits(const json& value) {
  if constexpr (is_list<T>) {
    return value.is_array() &&
           std::all_of(value.begin(), value.end(), fits<typename T::value_type>);
  } else if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::is_unsigned_v<T>) {
    return value.is_number_unsigned();
  } else if constexpr (std::is_integral_v<T>) {
    return value.is_number_integer() &&
           value.get<std::int64_t>() >= std::numeric_limits<T>::min() &&
           value.get<std::int64_t>() <= std::numeric_limits<T>::max();
  } else if constexpr (std::is_floating_point_v<T>) {
    return value.is_number();
  } else {
    return value.is_string();
  }
}

template <class T>
std::string expected() {
  if constexpr (is_list<T>) return "a list, each entry " + expected<typename T::value_type>();
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_unsigned_v<T>) return "a whole number of at least 0";
  if constexpr (std::is_integral_v<T>) return "a whole number";
  if constexpr (std::is_floating_point_v<T>) return "a number or \"infinite\"";
  return "a text";
}

template <class T>
void read(std::string_view name, const json& in, T& value) {
  if constexpr (std::is_enum_v<T>) {
    std::string called;
    read(name, in, called);
    value = from_name<T>(called);
  } else if (fits<T>(in)) {
    value = in.get<T>();
  } else if (std::is_same_v<T, double> && in == "infinite") {
    if constexpr (std::is_same_v<T, double>) value = infinity;
  } else {
    throw InvalidInput(fmt::format("{} is {:.60}; expected {}", name, in.dump(), expected<T>()));
  }
}

}  // namespace

std::string to_json(const RunSettings& settings) {
  json out = json::object();
  for_each_setting(settings, [&](const auto& field, const auto& value) {
    write(out[std::string(field.name)], value);
  });
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
  RunSettings settings = default_settings(task);
  for_each_setting(settings, [&](const auto& field, auto& value) {
    const auto found = in.find(field.name);
    if (found != in.end()) read(field.name, *found, value);
  });
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
