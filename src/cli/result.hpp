// SPDX-License-Identifier: Apache-2.0
// The last line of `saltus train --json` and `saltus eval --json`; null is what is not known.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "saltus/store.hpp"
#include "saltus/task.hpp"

namespace saltus::cli {

inline nlohmann::json result_of(const RunSettings& settings, int threads,
                                const store::TrainedEpochs& trained,
                                const std::optional<Evaluation>& test) {
  nlohmann::json result = {{"task", settings.task},
                           {"seed", settings.train.seed},
                           {"epochs", trained.epochs},
                           {"threads", threads},
                           {"precision", settings.precision},
                           {"train_seconds", trained.seconds},
                           {"seconds_per_epoch", trained.seconds / std::max(1, trained.epochs)},
                           {"us_per_sample", trained.us_per_sample()}};
  const Evaluation shown = test.value_or(Evaluation());
  for_each_field(shown, [&](const auto& figure, const auto& value) {
    const bool same_name = figure.name == "hidden_spikes_per_sample";
    auto& entry = result[same_name ? figure.name : fmt::format("test_{}", figure.name)];
    if (test) entry = value;
  });
  return result;
}

}  // namespace saltus::cli
