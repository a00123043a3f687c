// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "saltus/error.hpp"
#include "saltus/train.hpp"
#include "train/trainable.hpp"

namespace saltus {

namespace {

// Names with a dot are of single parameters: only a network can say whether it has them.
void check_names(std::string_view field, const std::vector<std::string>& names) {
  std::vector<std::string_view> kinds{"weights", "delays"};
  for (const Model model : Model::all()) {
    for (const ParameterRow& parameter : model->parameters) {
      if (std::find(kinds.begin(), kinds.end(), parameter.name) == kinds.end()) {
        kinds.push_back(parameter.name);
      }
    }
  }
  for (const auto& name : names) {
    const bool known = std::find(kinds.begin(), kinds.end(), name) != kinds.end();
    if (!known && name.find('.') == std::string::npos) {
      throw InvalidInput(
          fmt::format("{} names '{}'; expected {}, or one parameter such as 'hidden.tau_mem'",
                      field, name, fmt::join(kinds, ", ")));
    }
    if (std::count(names.begin(), names.end(), name) > 1) {
      throw InvalidInput(fmt::format("{} names '{}' twice; expected once", field, name));
    }
  }
}

}  // namespace

void check_trainable(std::string_view field, const std::vector<std::string>& trainable) {
  check_names(field, trainable);
}

void check_rates(std::string_view field, const std::vector<std::string>& lr_of) {
  std::vector<std::string> names;
  for (const std::string& text : lr_of) {
    const Rate rate = rate_of(text);
    if (!rate.name.empty() && std::isfinite(rate.value) && rate.value >= 0) {
      names.push_back(rate.name);
      continue;
    }
    throw InvalidInput(fmt::format(
        "{} holds '{}'; expected a name and a finite number of at least 0, such as 'delays=1e-4'",
        field, text));
  }
  check_names(field, names);
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
