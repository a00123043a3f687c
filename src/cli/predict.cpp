// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/commands.hpp"
#include "cli/saved_run.hpp"

namespace saltus::cli {
namespace {

template <class Real>
int predict(const RunSettings& settings, const SavedRun& run, bool json) {
  const Network<Real> network = run.network<Real>(settings);
  const data::LabelledSpikes test = run.test(settings, network);
  const Evaluation e = run.evaluate(settings, network, test);
  if (e.predictions.empty()) {
    throw InvalidInput(fmt::format("loss {} makes no predictions", settings.loss.kind));
  }
  if (!json) {
    fmt::print("sample,label,prediction\n");
    for (std::size_t s = 0; s < test.size(); ++s) {
      fmt::print("{},{},{}\n", s, test.labels[s], e.predictions[s]);
    }
    return success;
  }
  // [label][prediction]; samples of which no output says anything are in none.
  const std::size_t classes = network.populations().back().size;
  std::vector<std::vector<std::size_t>> confusion(classes, std::vector<std::size_t>(classes, 0));
  for (std::size_t s = 0; s < test.size(); ++s) {
    if (e.predictions[s] < 0) continue;
    ++confusion[static_cast<std::size_t>(test.labels[s])]
               [static_cast<std::size_t>(e.predictions[s])];
  }
  const nlohmann::json result = {{"labels", test.labels},
                                 {"predictions", e.predictions},
                                 {"confusion", confusion},
                                 {"accuracy", e.accuracy}};
  fmt::print("{}\n", result.dump());
  return success;
}

}  // namespace

Command add_predict(CLI::App& app) {
  auto run = std::make_shared<SavedRun>();
  auto json = std::make_shared<bool>(false);
  SavedRun::add_options(app, run);
  app.add_flag("--json", *json, "one JSON object with labels, predictions and confusion matrix");
  app.footer(
      "Writes a line for each test sample: its number, its label and the class that wins (-1: no\n"
      "output says anything).\n\nExample:\n  saltus predict runs/mnist > predictions.csv");
  return [run, json] {
    const RunSettings settings = run->settings();
    return settings.precision == "float64" ? predict<double>(settings, *run, *json)
                                           : predict<float>(settings, *run, *json);
  };
}

}  // namespace saltus::cli
