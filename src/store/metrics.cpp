// SPDX-License-Identifier: Apache-2.0
// metrics.jsonl: what happened in each epoch, a line of JSON each.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "archive/json.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "store/json.hpp"

namespace saltus::store {

std::string metrics_line(const EpochReport& report, std::size_t peak_memory) {
  nlohmann::json line = nlohmann::json::object();
  write_fields(line, report);
  if (peak_memory > 0) line["peak_memory_bytes"] = peak_memory;
  return line.dump() + "\n";
}

TrainedEpochs add_up(std::span<const EpochReport> epochs) {
  TrainedEpochs t;
  for (const EpochReport& r : epochs) {
    t.seconds += r.seconds;
    t.gather_seconds += r.gather_seconds;
    t.forward_seconds += r.forward_seconds;
    t.loss_seconds += r.loss_seconds;
    t.backward_seconds += r.backward_seconds;
    t.step_seconds += r.step_seconds;
    t.samples += r.samples;
    t.epochs += r.complete;
  }
  return t;
}

template <class Real>
std::vector<EpochReport> epochs_of(const TrainState<Real>& state) {
  std::vector<EpochReport> all = state.history;
  if (state.epoch.minibatches > 0) all.emplace_back(state.epoch.sums).complete = false;
  return all;
}

Metrics read_metrics(const std::filesystem::path& file) {
  Metrics metrics;
  if (!std::filesystem::exists(file)) return metrics;
  std::istringstream lines(read_file(file));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const auto refuse = [&](const std::string& why) {
      throw FileError(
          fmt::format("{}: line {} is not an epoch's line of `saltus train`{}; remove the file to "
                      "evaluate without the figures of the training",
                      file.string(), number, why));
    };
    try {
      const auto entry = parse_json(line);
      for (const char* const name : {"seconds", "samples", "complete"}) entry.at(name);
      const int epoch = entry.value("epoch", number);
      if (epoch != number) refuse(fmt::format(": epoch is {}; expected {}", epoch, number));
      read_figures(entry, metrics.epochs.emplace_back());
      metrics.peak_memory.push_back(entry.value("peak_memory_bytes", std::size_t{0}));
    } catch (const InvalidInput& e) {
      refuse(fmt::format(": {}", e.what()));
    } catch (const nlohmann::json::exception&) {
      refuse("");
    }
  }
  return metrics;
}

template std::vector<EpochReport> epochs_of(const TrainState<float>&);
template std::vector<EpochReport> epochs_of(const TrainState<double>&);

}  // namespace saltus::store
