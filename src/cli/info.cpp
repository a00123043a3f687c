// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.hpp"
#include "store/info.hpp"

namespace saltus::cli {
namespace {

using nlohmann::json;

std::string percent(const json& share) {
  return share.is_number() ? fmt::format("{:.2f} %", 100 * share.get<double>()) : "unknown";
}

std::string shown(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_number_float() ? fmt::format("{}", value.get<double>()) : value.dump();
}

std::string size_of(double bytes) {
  const char* const units[] = {"B", "kB", "MB", "GB"};
  std::size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < std::size(units); ++unit) bytes /= 1000;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, units[unit]);
}

void print_settings(const json& said) {
  if (!said.contains("changed")) return;
  const json& changed = said["changed"];
  fmt::print("settings: {}{}\n",
             changed.empty() ? "all as by default of task " : "other than by default of task ",
             said["task"].get<std::string>());
  for (const auto& [name, what] : changed.items()) {
    fmt::print("  {} = {} (default {})\n", name, shown(what["value"]), shown(what["default"]));
  }
}

std::string how_far(const json& said) {
  const json& t = said["training"];
  const auto epochs = t["epochs"].get<std::int64_t>();
  const std::int64_t wanted =
      said.contains("settings") ? said["settings"]["epochs"].get<int>() : -1;
  std::string text = wanted < 0 ? fmt::format("{} epochs", epochs)
                                : fmt::format("{} of {} epochs", epochs, wanted);
  const json& within = t["stopped_within"];
  if (!within.is_null()) {
    text += fmt::format(", stopped within epoch {} after {} samples", within["epoch"].get<int>(),
                        within["samples"].get<std::size_t>());
  } else if (epochs < wanted) {
    text += ", the rest not trained, or not yet";
  }
  const json after = t.value("resumes_after", json());
  if (after.is_number() && after.get<std::int64_t>() < epochs) {
    text += fmt::format("; --resume goes on after epoch {}, of which the checkpoint is",
                        after.get<std::int64_t>());
  }
  return text;
}

void print_training(const json& said) {
  if (!said.contains("training")) return;
  const json& t = said["training"];
  fmt::print("training: {}\n", how_far(said));
  if (t.contains("loss")) {
    fmt::print("  last epoch: loss {}, accuracy {}, validation {}; {} silent neurons\n",
               t["loss"].is_number() ? fmt::format("{:.4f}", t["loss"].get<double>()) : "unknown",
               percent(t["accuracy"]), percent(t["validation_accuracy"]),
               t["silent_neurons"].get<std::size_t>());
  }
  if (t.contains("best")) {
    fmt::print("  best epoch: {}, validation {}\n", t["best"]["epoch"].get<int>(),
               percent(t["best"]["validation_accuracy"]));
  }
  const auto seconds = t["seconds"].get<double>();
  fmt::print("  {:.1f} s, {:.1f} us/sample", seconds, t["us_per_sample"].get<double>());
  double rest = seconds;
  for (const char* const phase : {"gather", "forward", "loss", "backward", "step"}) {
    const auto spent = t["phases"][phase].get<double>();
    rest -= spent;
    fmt::print("{} {} {:.0f} %", phase == std::string("gather") ? ":" : ",", phase,
               seconds > 0 ? 100 * spent / seconds : 0.0);
  }
  fmt::print(", else {:.0f} %\n", seconds > 0 ? 100 * std::max(0.0, rest) / seconds : 0.0);
  const json memory = t.value("peak_memory_bytes", json());
  if (memory.is_number()) fmt::print("  at most {} of memory\n", size_of(memory.get<double>()));
}

int info(const std::string& place, bool as_json) {
  const store::Info found = store::info_of(place);
  if (as_json) {
    fmt::print("{}\n", found.said.dump());
    return success;
  }
  fmt::print("{}: a {}\n{}", place, found.said["kind"].get<std::string>(), found.network);
  print_settings(found.said);
  print_training(found.said);
  fmt::print("files:\n");
  for (const json& file : found.said["files"]) {
    fmt::print("  {:<24} {:>9}  {}\n", file["name"].get<std::string>(),
               size_of(file["bytes"].get<double>()), file["is"].get<std::string>());
  }
  return success;
}

}  // namespace

Command add_info(CLI::App& app) {
  auto place = std::make_shared<std::string>();
  auto as_json = std::make_shared<bool>(false);
  app.add_option("place", *place, "the folder of a run, a model or a checkpoint")->required();
  app.add_flag("--json", *as_json, "one JSON object on standard output");
  app.footer(
      "Examples:\n"
      "  saltus info runs/yinyang\n"
      "  saltus info runs/yinyang/checkpoint.safetensors --json");
  return [place, as_json] { return info(*place, *as_json); };
}

}  // namespace saltus::cli
