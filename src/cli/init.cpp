// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>

#include "cli/commands.hpp"
#include "cli/values.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "saltus/task.hpp"

namespace saltus::cli {
namespace {

struct Options {
  std::string task, out;
  bool force = false;
};

// "graph": Yin-Yang with a network of its own.
RunSettings settings_of(const std::string& what) {
  if (what != "graph") return default_settings(what);
  RunSettings settings = default_settings("yinyang");
  use_graph(settings, example_graph());
  settings.t_end = 60e-3;  // it has a cycle
  return settings;
}

int init(const Options& o) {
  const std::string text = store::to_toml(settings_of(o.task));
  if (o.out == "-") {
    fmt::print("{}", text);
    return success;
  }
  const std::string file = o.out.empty() ? o.task + ".toml" : o.out;
  if (!o.force && std::filesystem::exists(std::filesystem::symlink_status(file))) {
    throw InvalidInput(
        fmt::format("{} is there already; expected another --out FILE, or --force", file));
  }
  store::write_file(file, text);
  fmt::print(
      "{}: settings of {}, each with what it is about; train with: saltus train --config {}\n",
      file, o.task, file);
  return success;
}

}  // namespace

Command add_init(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("task", options->task,
                 "yinyang, mnist or spikes; graph: an example of a network of any graph")
      ->required()
      ->check(CLI::IsMember({"yinyang", "mnist", "spikes", "graph"}));
  add_value<std::string>(app, "--out", "the file (default TASK.toml); -: standard output",
                         [options](auto v) { options->out = v; });
  app.add_flag("--force", options->force, "replace a file that is there");
  app.footer(
      "Examples:\n"
      "  saltus init yinyang                  writes yinyang.toml\n"
      "  saltus train --config yinyang.toml --epochs 5\n"
      "  saltus init mnist --out mine.toml    then say in it where the data are\n"
      "  saltus init graph                    populations, skips, recurrence, delays: graph.toml");
  return [options] { return init(*options); };
}

}  // namespace saltus::cli
