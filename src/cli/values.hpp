// SPDX-License-Identifier: Apache-2.0
// Values given on the command line, read strictly: "-3", "1e3" and "" are no whole numbers.
#pragma once

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <charconv>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "saltus/error.hpp"
#include "saltus/inputs.hpp"

namespace saltus::cli {

/// `text` as a T: a number, a whole number of at least 0, a text, or several after commas.
/// @throws InvalidInput  names the option, the text and what was expected
template <class T>
T read_value(const std::string& option, const std::string& text) {
  T value{};
  if constexpr (std::is_arithmetic_v<T>) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end || (std::is_integral_v<T> && value < T{0})) {
      throw InvalidInput(fmt::format(
          "{} is '{}'; expected {}", option, text,
          std::is_integral_v<T>
              ? sizeof(T) > sizeof(int)
                    ? std::string("a whole number of at least 0")
                    : fmt::format("a whole number from 0 to {}", std::numeric_limits<T>::max())
              : std::string("a number, such as 0.005 or 5e-3")));
    }
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (text.empty()) throw InvalidInput(fmt::format("{} is empty; expected a value", option));
    value = text;
  } else {
    // Of several, the error says which.
    const auto name = [&] {
      return text.find(',') == text.npos
                 ? option
                 : fmt::format("{} (of {}: number {})", option, text, value.size() + 1);
    };
    for (std::size_t first = 0; first <= text.size();) {
      const std::size_t comma = std::min(text.find(',', first), text.size());
      value.push_back(
          read_value<typename T::value_type>(name(), text.substr(first, comma - first)));
      first = comma + 1;
    }
  }
  return value;
}

/// @throws InvalidInput  neither of both
inline Kernel kernel_of(const std::string& name) {
  if (name == "vector") return Kernel::vector;
  if (name == "scalar") return Kernel::scalar;
  throw InvalidInput(fmt::format("--kernel is '{}'; expected vector or scalar", name));
}

/// An option of the command line whose value is handed on once it is read.
template <class T, class Use>
CLI::Option* add_value(CLI::App& app, const std::string& name, const std::string& help, Use use) {
  const char* type = std::is_integral_v<T>                         ? "N"
                     : std::is_floating_point_v<T>                 ? "X"
                     : std::is_same_v<T, std::string>              ? "TEXT"
                     : std::is_same_v<T, std::vector<std::size_t>> ? "N,N,..."
                                                                   : "NAME,...";
  return app
      .add_option_function<std::string>(
          name, [name, use](const std::string& text) { use(read_value<T>(name, text)); }, help)
      ->type_name(type);
}

}  // namespace saltus::cli
