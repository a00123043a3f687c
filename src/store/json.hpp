// SPDX-License-Identifier: Apache-2.0
// Fields as JSON: the names of their rows are the keys.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "saltus/error.hpp"
#include "saltus/fields.hpp"
#include "saltus/network.hpp"

namespace saltus::store {

template <class T>
void write(nlohmann::json& out, const T& value) {
  if constexpr (std::is_enum_v<T>) {
    out = to_string(value);
  } else if constexpr (std::is_same_v<T, double>) {
    // JSON has no infinity.
    out = std::isinf(value) ? nlohmann::json("infinite") : nlohmann::json(value);
  } else {
    out = value;
  }
}

template <class Fields>
void write_fields(nlohmann::json& out, const Fields& fields) {
  for_each_field(fields, [&](const auto& field, const auto& value) {
    write(out[std::string(field.name)], value);
  });
}

// Whether JSON holds what a field of type T expects, and what to call that.
template <class T>
constexpr bool is_list = false;
template <class T>
constexpr bool is_list<std::vector<T>> = true;

template <class T>
bool fits(const nlohmann::json& value) {
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
std::string expected_json() {
  if constexpr (is_list<T>) return "a list, each entry " + expected_json<typename T::value_type>();
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_unsigned_v<T>) return "a whole number of at least 0";
  if constexpr (std::is_integral_v<T>) {
    return fmt::format("a whole number of at most {}", std::numeric_limits<T>::max());
  }
  if constexpr (std::is_floating_point_v<T>) return "a number or \"infinite\"";
  return "a text";
}

template <class T>
void read(std::string_view name, const nlohmann::json& in, T& value) {
  if constexpr (std::is_enum_v<T>) {
    std::string called;
    read(name, in, called);
    value = from_name<T>(called);
  } else if (fits<T>(in)) {
    value = in.get<T>();
  } else if (std::is_same_v<T, double> && in == "infinite") {
    if constexpr (std::is_same_v<T, double>) value = infinity;
  } else {
    throw InvalidInput(
        fmt::format("{} is {:.60}; expected {}", name, in.dump(), expected_json<T>()));
  }
}

/// Those that are there; the others stay.
template <class Fields>
void read_fields(const nlohmann::json& in, Fields& fields) {
  for_each_field(fields, [&](const auto& field, auto& value) {
    const auto found = in.find(field.name);
    if (found != in.end()) read(field.name, *found, value);
  });
}

/// Of a report, in which a NaN was written as null.
template <class Figures>
void read_figures(const nlohmann::json& in, Figures& figures) {
  for_each_field(figures, [&](const auto& figure, auto& value) {
    const auto found = in.find(figure.name);
    if (found == in.end()) return;
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, double>) {
      if (found->is_null()) {
        value = std::numeric_limits<double>::quiet_NaN();
        return;
      }
    }
    read(figure.name, *found, value);
  });
}

}  // namespace saltus::store
