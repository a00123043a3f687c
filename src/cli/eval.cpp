// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/commands.hpp"
#include "cli/result.hpp"
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
  // Training figures are those of the run.
  const store::TrainedEpochs trained = store::read_metrics(folder / "metrics.jsonl");
  data::LabelledSpikes test = load_test_data(settings);
  // The last units may be silent in this file.
  const auto channels = static_cast<std::int32_t>(populations[inputs[0]].size);
  if (settings.task == "spikes") test.channels = std::max(test.channels, channels);
  const Evaluation e = saltus::evaluate(network, populations.size() - 1, settings.loss,
                                        settings.t_end, test, options.threads);
  if (options.json) {
    fmt::print("{}\n", result_of(settings, options.threads, trained, e).dump());
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
