// SPDX-License-Identifier: Apache-2.0
/// @file
/// A setting is described once, by a row: its name, where it is kept, what it must be, and what
/// people are told. check(), settings.json, the command line and Python read the rows. So is a
/// figure of a report.
#pragma once

#include <cmath>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace saltus {

/// What a number must be, and that in words.
struct Bound {
  bool (*good)(double value);  ///< is the value allowed?
  std::string_view expected;   ///< what is allowed, in words

  /// The same, in other words.
  constexpr Bound says(std::string_view words) const { return {good, words}; }
  /// @throws InvalidInput  names the setting, the value and what was expected
  void operator()(std::string_view name, double value) const;
};

/// Those that many settings share.
namespace bounds {
/// @copybrief Bound
/// @{
inline constexpr Bound finite{[](double v) { return std::isfinite(v); }, "a finite number"};
inline constexpr Bound at_least_0{[](double v) { return finite.good(v) && v >= 0; },
                                  "a finite number of at least 0"};
inline constexpr Bound time{[](double v) { return finite.good(v) && v > 0; },
                            "a finite time above 0, in seconds"};
inline constexpr Bound fraction{[](double v) { return v >= 0 && v < 1; }, "a number in [0, 1)"};
inline constexpr Bound factor{[](double v) { return v > 0 && v <= 1; }, "a number in (0, 1]"};
/// @}
}  // namespace bounds

/// Whatever its type holds has a meaning, or only together with other settings.
inline constexpr auto anything = [](std::string_view, const auto&) {};

/// The headings of `saltus train --help`. What has none is no option: it is read from files and
/// from Python.
namespace heading {
/// Under which a setting stands; `none`: it is no option.
/// @{
inline constexpr std::string_view none = "", data = "Data", network = "Network", loss = "Loss",
                                  optimiser = "Optimiser", run = "Run";
/// @}
/// Those under which settings stand, in the order in which people read them.
inline constexpr std::string_view all[] = {data, network, loss, optimiser, run};
}  // namespace heading

/// A row: one setting of a struct S. Its default is that of the struct.
template <class S, class T, class Check>
struct Field {
  std::string_view name;  ///< in settings.json, in Python and in errors
  T S::*member;           ///< where it is kept
  Check check;            ///< check(name, value) throws InvalidInput unless the value has a meaning
  std::string_view heading = heading::none;  ///< under which --help lists it
  std::string_view help = {};                ///< what people are told
  std::string_view option = {};  ///< on the command line, if it is not --name with - for _

  T& of(S& settings) const { return settings.*member; }              ///< its value
  const T& of(const S& settings) const { return settings.*member; }  ///< the same
};
/// Of its arguments.
template <class S, class T, class Check>
Field(std::string_view, T S::*, Check, std::string_view = {}, std::string_view = {},
      std::string_view = {}) -> Field<S, T, Check>;

/// A row: one figure of a report, which is only read.
template <class S, class T>
struct Figure {
  std::string_view name;  ///< in metrics.jsonl and in Python
  T S::*member;           ///< where it is kept

  T& of(S& report) const { return report.*member; }              ///< its value
  const T& of(const S& report) const { return report.*member; }  ///< the same
};
/// Of its arguments.
template <class S, class T>
Figure(std::string_view, T S::*) -> Figure<S, T>;

/// visit(field, value) for each row of Settings::fields().
template <class Settings, class Visit>
void for_each_field(Settings& settings, Visit&& visit) {
  std::apply([&](const auto&... field) { (visit(field, field.of(settings)), ...); },
             std::remove_const_t<Settings>::fields());
}

/// @throws InvalidInput  the first field without a meaning: its name, its value, what was expected
template <class Settings>
void check_fields(const Settings& settings) {
  for_each_field(settings,
                 [](const auto& field, const auto& value) { field.check(field.name, value); });
}

/// What the values of an enumeration are called: `what` they are, and `all` of them.
template <class Kind>
struct Names;

/// @throws InvalidInput  no `what` is called so; lists those that there are
[[noreturn]] void refuse_name(std::string_view what, std::string_view name,
                              const std::vector<std::string_view>& known);

/// The value that is called so. @throws InvalidInput  none is; lists the names that there are
template <class Kind>
Kind from_name(std::string_view name) {
  std::vector<std::string_view> known;
  for (const auto& [kind, called] : Names<Kind>::all) {
    if (called == name) return kind;
    known.push_back(called);
  }
  refuse_name(Names<Kind>::what, name, known);
}

/// What a value is called.
template <class Kind>
requires requires { Names<Kind>::what; }
std::string_view to_string(Kind wanted) {
  for (const auto& [kind, name] : Names<Kind>::all) {
    if (kind == wanted) return name;
  }
  return "unknown";
}

}  // namespace saltus
