// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "saltus/error.hpp"
#include "saltus/train.hpp"

namespace saltus {

void check_trainable(std::string_view field, const std::vector<std::string>& trainable) {
  for (const auto& name : trainable) {
    bool known = name == "weights" || name == "delays";
    std::string all = "weights, delays";
    for (const auto& parameter : neuron_parameters) {
      known = known || name == parameter.name;
      all += fmt::format(", {}", parameter.name);
    }
    if (!known) throw InvalidInput(fmt::format("cannot train '{}'; there are: {}", name, all));
    if (std::count(trainable.begin(), trainable.end(), name) > 1) {
      throw InvalidInput(fmt::format("{} names '{}' twice; expected once", field, name));
    }
  }
}

void check(const TrainSettings& settings) { check_fields(settings); }

double smoothing_sigma(const TrainSettings& s, int epoch) {
  const double sigma = s.smooth_threshold * std::pow(s.smooth_decay, epoch);
  return sigma < s.smooth_end ? 0 : sigma;
}

double learning_rate(const TrainSettings& s, int epoch) {
  switch (s.schedule) {
    case ScheduleKind::constant:
      return s.lr;
    case ScheduleKind::exponential:
      return s.lr * std::pow(s.decay, epoch);
    case ScheduleKind::cosine:
      break;
  }
  const double way = s.epochs > 1 ? static_cast<double>(epoch) / (s.epochs - 1) : 0;
  return s.lr_final + (s.lr - s.lr_final) * (1 + std::cos(std::numbers::pi * way)) / 2;
}

}  // namespace saltus
