// SPDX-License-Identifier: Apache-2.0
// How much a training tells on standard error.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>
#include <utility>

#include "cli/values.hpp"
#include "saltus/fields.hpp"

namespace saltus::cli {

/// Each tells what those before it tell, too.
enum class LogLevel {
  error,    ///< why the command failed
  warning,  ///< what looks like a mistake
  info,     ///< a line for each epoch
  debug,    ///< where its time went, its gradient and the memory
};

}  // namespace saltus::cli

namespace saltus {

template <>
struct Names<cli::LogLevel> {
  using enum cli::LogLevel;
  static constexpr std::string_view what = "log level";
  static constexpr std::pair<cli::LogLevel, std::string_view> all[] = {
      {error, "error"}, {warning, "warning"}, {info, "info"}, {debug, "debug"}};
};

}  // namespace saltus

namespace saltus::cli {

/// --log-level, --quiet and -v. @param level  must live as long as the parser
inline void add_log_level(CLI::App& app, LogLevel& level, const std::string& group) {
  CLI::Option* const named =
      add_value<std::string>(app, "--log-level",
                             "error, warning, info (default: a line for each epoch) or debug (its "
                             "phases and memory, too)",
                             [&level](const auto& name) { level = from_name<LogLevel>(name); })
          ->group(group);
  CLI::Option* const quiet = app.add_flag_callback(
                                    "--quiet", [&level] { level = LogLevel::warning; },
                                    "no lines for each epoch: --log-level warning")
                                 ->group(group)
                                 ->excludes(named);
  app.add_flag_callback(
         "-v,--verbose", [&level] { level = LogLevel::debug; }, "--log-level debug")
      ->group(group)
      ->excludes(named)
      ->excludes(quiet);
}

}  // namespace saltus::cli
