// SPDX-License-Identifier: Apache-2.0
// What `saltus train --out` left in its folder, with its test data: for eval and predict.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "cli/fields.hpp"
#include "cli/team.hpp"
#include "cli/values.hpp"
#include "cli/warnings.hpp"
#include "saltus/advice.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "saltus/task.hpp"

namespace saltus::cli {

struct SavedRun {
  std::string folder, data, test_file;
  int threads = 1;
  Given<SampleLimits> limits;  // in place of those of the run

  /// Options that say where the run, and its data, are. `run` must live as long as the parser.
  static void add_options(CLI::App& app, const std::shared_ptr<SavedRun>& run,
                          const std::string& what = "what `saltus train --out` left") {
    app.add_option("folder", run->folder, what)->required();
    add_value<std::string>(app, "--data",
                           "where the data are now, if they moved: a folder, or a spike file",
                           [run](auto v) { run->data = v; });
    add_value<std::string>(app, "--test", "the same, of the test spikes (task spikes)",
                           [run](auto v) { run->test_file = v; });
    add_value<int>(app, "--threads", "0: all cores (default 1)",
                   [run](auto v) { run->threads = v; });
    add_fields<SampleLimits>(app, run->limits, heading::run,
                             [](SampleLimits& l) -> SampleLimits& { return l; });
  }

  std::filesystem::path path() const { return folder; }
  bool is_folder() const { return std::filesystem::is_directory(path()); }
  std::filesystem::path model() const { return store::model_in(path()); }

  RunSettings settings() const {
    if (!std::filesystem::exists(path() / "settings.json") &&
        std::filesystem::exists(path() / "training.json")) {
      throw InvalidInput(fmt::format(
          "{}: a training from Python, whose data and loss the command does not know; expected "
          "what `saltus train --out` left. From Python: saltus.load, saltus.evaluate and "
          "fit(resume=)",
          path().string()));
    }
    RunSettings s = store::load_settings(path() / "settings.json");
    const bool of_file = reads(s.task, "test_file");
    if (!data.empty() && !of_file && !reads(s.task, "data")) refuse_option(s, "--data", data);
    if (!test_file.empty() && !of_file) refuse_option(s, "--test", test_file);
    if (s.task == "mnist" && !data.empty()) s.data = data;
    if (s.task != "spikes") return s;
    for (const std::filesystem::path place : {data, test_file}) {
      if (place.empty()) continue;
      const auto name = std::filesystem::path(s.test_file).filename();
      std::error_code unknown;  // the reader says it
      const bool within = std::filesystem::is_directory(place, unknown);
      s.test_file = (within ? place / name : place).string();
    }
    return s;
  }

  template <class Real>
  Network<Real> network(const RunSettings& settings) const {
    Network<Real> network = store::load_network<Real>(model());
    const auto inputs = network.inputs();
    const auto& populations = network.populations();
    if (inputs.empty() || populations.back().name != "out") {
      throw FileError(fmt::format(
          "{}: not a network of `saltus train`: it has {} inputs and ends in "
          "'{}'; expected an input and 'out'",
          model().string(), inputs.size(), populations.empty() ? "" : populations.back().name));
    }
    try {
      store::check_settings_of_model(settings, store::load_settings_of_model(model()));
    } catch (const InvalidInput& e) {
      throw FileError(fmt::format("{}: {}", (path() / "settings.json").string(), e.what()));
    }
    return network;
  }

  template <class Real>
  data::LabelledSpikes test(const RunSettings& settings, const Network<Real>& network) const {
    data::LabelledSpikes test = load_test_data(settings);
    // The last units may be silent in this file.
    std::size_t channels = 0;
    for (const std::size_t p : network.inputs()) channels += network.populations()[p].size;
    if (settings.task == "spikes") {
      test.channels = std::max(test.channels, static_cast<std::int32_t>(channels));
    }
    check_grid(network, test);
    Warnings().say_once(advice(network, test, settings.t_end));
    return test;
  }

  template <class Real>
  Evaluation evaluate(const RunSettings& settings, const Network<Real>& network,
                      const data::LabelledSpikes& test) const {
    return saltus::evaluate(network, network.populations().size() - 1, settings.loss,
                            settings.t_end, test, threads, allowed(settings), team());
  }

  // Windows that slide over channels in another order than they were trained on see something else.
  template <class Real>
  static void check_grid(const Network<Real>& network, const data::LabelledSpikes& test) {
    for (const auto& p : network.projections()) {
      const std::string_view kind = p.connection.kind().name;
      const bool windows = kind == "conv2d" || kind == "pool2d";
      if (!windows || network.populations()[p.source].model != Model::input) continue;
      const auto& grid = p.connection.shape()["input"];
      if (test.grid == data::Grid{} || std::ranges::equal(test.grid, grid)) continue;
      throw InvalidInput(fmt::format(
          "the test data are a grid of {}; expected {}, over which the windows of {} slide",
          fmt::join(test.grid, " x "), fmt::join(grid, " x "), p.name));
    }
  }
  static void refuse_option(const RunSettings& s, std::string_view option,
                            const std::string& value) {
    throw InvalidInput(
        fmt::format("{} is {}, but task {} has no such data", option, value, s.task));
  }

  /// What a sample may take.
  SampleLimits allowed(const RunSettings& settings) const {
    SampleLimits allowed = limits_of(settings.train);
    for (const auto& change : limits.changes) change(allowed);
    check_fields(allowed);
    return allowed;
  }
};

}  // namespace saltus::cli
