// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/result.hpp"
#include "cli/saved_run.hpp"

namespace saltus::cli {
namespace {

template <class Real>
int evaluate(const RunSettings& settings, const SavedRun& run, bool json) {
  const Network<Real> network = run.network<Real>(settings);
  // Training figures are those of the run.
  const auto metrics = run.path() / "metrics.jsonl";
  const store::TrainedEpochs trained = store::add_up(store::read_metrics(metrics).epochs);
  const Evaluation e = run.evaluate(settings, network, run.test(settings, network));
  if (json) {
    nlohmann::json result = result_of(settings, run.threads, trained, e);
    if (!std::filesystem::exists(metrics)) {
      for (const char* unknown :
           {"epochs", "train_seconds", "seconds_per_epoch", "us_per_sample"}) {
        result[unknown] = nullptr;
      }
    }
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
  auto run = std::make_shared<SavedRun>();
  auto json = std::make_shared<bool>(false);
  SavedRun::add_options(app, run);
  app.add_flag("--json", *json, "last line on standard output: one JSON object");
  app.footer("Example:\n  saltus eval runs/mnist --data mnist/");
  return [run, json] {
    const RunSettings settings = run->settings();
    return settings.precision == "float64" ? evaluate<double>(settings, *run, *json)
                                           : evaluate<float>(settings, *run, *json);
  };
}

}  // namespace saltus::cli
