// SPDX-License-Identifier: Apache-2.0
// The last line of `saltus train --json` and `saltus eval --json`.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saltus/store.hpp"
#include "saltus/task.hpp"

namespace saltus::cli {

inline nlohmann::json result_of(const RunSettings& settings, int threads,
                                const store::TrainedEpochs& trained, const Evaluation& test) {
  nlohmann::json result = {{"task", settings.task},
                           {"seed", settings.train.seed},
                           {"epochs", trained.epochs},
                           {"threads", threads},
                           {"precision", settings.precision},
                           {"train_seconds", trained.seconds},
                           {"seconds_per_epoch", trained.seconds / std::max(1, trained.epochs)},
                           {"us_per_sample", trained.us_per_sample()},
                           {"hidden_spikes_per_sample", test.hidden_spikes_per_sample}};
  for_each_field(test, [&](const auto& figure, const auto& value) {
    if (!result.contains(figure.name)) result[fmt::format("test_{}", figure.name)] = value;
  });
  return result;
}

}  // namespace saltus::cli
