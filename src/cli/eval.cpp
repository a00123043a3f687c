// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "saltus/task.hpp"

namespace saltus::cli {
namespace {

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

Trained read_metrics(const std::filesystem::path& file) {
  Trained t;
  if (!std::filesystem::exists(file)) return t;
  std::istringstream lines(store::read_file(file));
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line, nullptr, false);
    if (entry.is_discarded()) {
      throw FileError(fmt::format("{}: not a line of JSON: {}", file.string(), line.substr(0, 60)));
    }
    t.seconds += entry.value("seconds", 0.0);
    t.samples += entry.value("samples", std::size_t{0});
    t.epochs += entry.value("complete", true);
  }
  return t;
}

template <class Real>
int evaluate(const RunSettings& settings, const Options& options) {
  const std::filesystem::path folder = options.folder;
  const Network<Real> network = store::load_network<Real>(folder / "model.h5");
  const Trained trained = read_metrics(folder / "metrics.jsonl");
  data::LabelledSpikes test = load_test_data(settings);
  const Population& input = network.populations()[network.inputs().at(0)];
  const std::size_t readout = network.index("out");
  if (settings.task == "spikes" && test.channels < static_cast<std::int32_t>(input.size)) {
    test.channels = static_cast<std::int32_t>(input.size);  // the last units may be silent here
  }
  const Evaluation e = saltus::evaluate(network, readout, settings.loss, settings.t_end, test,
                                        options.threads);
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
        {"us_per_sample", trained.samples ? 1e6 * trained.seconds /
                                                static_cast<double>(trained.samples) : 0.0},
        {"hidden_spikes_per_sample", e.hidden_spikes_per_sample}};
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print("{}test accuracy {:.2f} %, loss {:.4f} ({} samples, {} with a silent label), "
               "{:.1f} hidden spikes a sample\n", describe(network), 100 * e.accuracy, e.loss,
               e.samples, e.silent_labels, e.hidden_spikes_per_sample);
  }
  return success;
}

}  // namespace

Command add_eval(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("folder", options->folder, "what `saltus train --out` left")->required();
  app.add_option("--data", options->data, "where the data are now, if they moved");
  app.add_option("--test", options->test_file, "test spikes, if they moved (task spikes)");
  app.add_option("--threads", options->threads, "0: all cores (default 1)")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--json", options->json, "last line on standard output: one JSON object");
  app.footer("Example:\n  saltus eval runs/mnist --data mnist/");
  return [options] {
    const std::filesystem::path folder = options->folder;
    RunSettings settings = store::settings_from_json(store::read_file(folder / "settings.json"));
    if (!options->data.empty()) settings.data = options->data;
    if (!options->test_file.empty()) settings.test_file = options->test_file;
    return settings.precision == "float64" ? evaluate<double>(settings, *options)
                                           : evaluate<float>(settings, *options);
  };
}

}  // namespace saltus::cli
