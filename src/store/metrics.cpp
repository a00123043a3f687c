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

TrainedEpochs read_metrics(const std::filesystem::path& file) {
  TrainedEpochs t;
  if (!std::filesystem::exists(file)) return t;
  std::istringstream lines(read_file(file));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    try {
      const auto entry = parse_json(line);
      t.seconds += entry.at("seconds").get<double>();
      t.samples += entry.at("samples").get<std::size_t>();
      t.epochs += entry.at("complete").get<bool>();
      t.peak_memory.push_back(entry.value("peak_memory_bytes", std::size_t{0}));
    } catch (const std::exception&) {
      throw FileError(
          fmt::format("{}: line {} is not an epoch's line of `saltus train`; remove the "
                      "file to evaluate without the figures of the training",
                      file.string(), number));
    }
  }
  return t;
}

}  // namespace saltus::store
