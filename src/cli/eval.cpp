// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands.hpp"
#include "cli/values.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "saltus/task.hpp"

namespace saltus::cli {
namespace {

using std::filesystem::path;

struct Options {
  std::string folder, data, test_file;
  int threads = 1;
  bool json = false;
};

// Training figures are those of the run: its metrics hold a line an epoch.
struct Trained {
  double seconds = 0;
  std::size_t samples = 0;
  int epochs = 0;
};

Trained read_metrics(const path& file) {
  Trained t;
  if (!std::filesystem::exists(file)) return t;
  std::istringstream lines(store::read_file(file));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    try {
      const auto entry = nlohmann::json::parse(line);
      t.seconds += entry.at("seconds").get<double>();
      t.samples += entry.at("samples").get<std::size_t>();
      t.epochs += entry.at("complete").get<bool>();
    } catch (const nlohmann::json::exception&) {
      throw FileError(
          fmt::format("{}: line {} is not an epoch's line of `saltus train`; remove the "
                      "file to evaluate without the figures of the training",
                      file.string(), number));
    }
  }
  return t;
}

// What the test data became, if they moved.
void move_data(RunSettings& settings, const Options& options) {
  if (settings.task == "mnist" && !options.data.empty()) settings.data = options.data;
  if (settings.task != "spikes") return;
  if (!options.data.empty()) {
    settings.test_file = (options.data / path(settings.test_file).filename()).string();
  }
  if (!options.test_file.empty()) settings.test_file = options.test_file;
}

template <class Real>
int evaluate(const RunSettings& settings, const Options& options) {
  const path folder = options.folder;
  const path model = folder / "model.h5";
  const Network<Real> network = store::load_network<Real>(model);
  const auto inputs = network.inputs();
  const auto& populations = network.populations();
  if (inputs.size() != 1 || populations.back().name != "out") {
    throw FileError(fmt::format(
        "{}: not a network of `saltus train`: it has {} inputs and ends in "
        "'{}'; expected one input and 'out'",
        model.string(), inputs.size(), populations.empty() ? "" : populations.back().name));
  }
  const Trained trained = read_metrics(folder / "metrics.jsonl");
  data::LabelledSpikes test = load_test_data(settings);
  // The last units may be silent in this file.
  const auto channels = static_cast<std::int32_t>(populations[inputs[0]].size);
  if (settings.task == "spikes") test.channels = std::max(test.channels, channels);
  const Evaluation e = saltus::evaluate(network, populations.size() - 1, settings.loss,
                                        settings.t_end, test, options.threads);
  if (options.json) {
    const nlohmann::json result = {
        {"task", settings.task},
        {"seed", settings.train.seed},
        {"epochs", trained.epochs},
        {"threads", options.threads},
        {"precision", settings.precision},
        {"test_accuracy", e.accuracy},
        {"test_loss", e.loss},
        {"test_samples", e.samples},
        {"test_silent_labels", e.silent_labels},
        {"train_seconds", trained.seconds},
        {"seconds_per_epoch", trained.seconds / std::max(1, trained.epochs)},
        {"us_per_sample",
         trained.samples ? 1e6 * trained.seconds / static_cast<double>(trained.samples) : 0.0},
        {"hidden_spikes_per_sample", e.hidden_spikes_per_sample}};
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print(
        "{}test accuracy {:.2f} %, loss {:.4f} ({} samples, {} with a silent label), "
        "{:.1f} hidden spikes a sample\n",
        describe(network), 100 * e.accuracy, e.loss, e.samples, e.silent_labels,
        e.hidden_spikes_per_sample);
  }
  return success;
}

}  // namespace

Command add_eval(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("folder", options->folder, "what `saltus train --out` left")->required();
  add_value<std::string>(app, "--data", "folder where the data are now, if they moved",
                         [options](auto v) { options->data = v; });
  add_value<std::string>(app, "--test", "test spikes, if they moved (task spikes)",
                         [options](auto v) { options->test_file = v; });
  add_value<int>(app, "--threads", "0: all cores (default 1)",
                 [options](auto v) { options->threads = v; });
  app.add_flag("--json", options->json, "last line on standard output: one JSON object");
  app.footer("Example:\n  saltus eval runs/mnist --data mnist/");
  return [options] {
    RunSettings settings = store::load_settings(path(options->folder) / "settings.json");
    move_data(settings, *options);
    return settings.precision == "float64" ? evaluate<double>(settings, *options)
                                           : evaluate<float>(settings, *options);
  };
}

}  // namespace saltus::cli
