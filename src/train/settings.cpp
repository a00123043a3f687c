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

namespace {

// How often the loss has stopped to fall for `patience` epochs, warm-up apart.
int plateaus(const TrainSettings& s, std::span<const EpochReport> history) {
  double best = infinity;
  int found = 0, since = 0;
  for (const EpochReport& epoch : history) {
    if (epoch.epoch <= s.warmup) continue;
    const bool validated = !std::isnan(epoch.validation_loss);
    const double loss = validated ? epoch.validation_loss : epoch.loss;
    if (loss < best) {
      best = loss;
      since = 0;
    } else if (++since == s.patience) {
      ++found;
      since = 0;
    }
  }
  return found;
}

}  // namespace

double learning_rate(const TrainSettings& s, int epoch, std::span<const EpochReport> history) {
  if (epoch < s.warmup) return s.lr * (epoch + 1) / (s.warmup + 1);
  const int since = epoch - s.warmup, epochs = s.epochs - s.warmup;
  switch (s.schedule) {
    case ScheduleKind::constant:
      return s.lr;
    case ScheduleKind::exponential:
      return s.lr * std::pow(s.decay, since);
    case ScheduleKind::step:
      return s.lr * std::pow(s.decay, since / s.decay_every);
    case ScheduleKind::plateau:
      return s.lr * std::pow(s.decay, plateaus(s, history));
    case ScheduleKind::cosine:
      break;
  }
  const double way = epochs > 1 ? static_cast<double>(since) / (epochs - 1) : 0;
  return s.lr_final + (s.lr - s.lr_final) * (1 + std::cos(std::numbers::pi * way)) / 2;
}

int best_epoch(std::span<const EpochReport> history) {
  const EpochReport* best = nullptr;
  for (const EpochReport& epoch : history) {
    if (std::isnan(epoch.validation_loss)) continue;
    const bool more = best && epoch.validation_accuracy > best->validation_accuracy;
    const bool less = best && epoch.validation_accuracy < best->validation_accuracy;
    if (!best || more || (!less && epoch.validation_loss < best->validation_loss)) best = &epoch;
  }
  return best ? best->epoch : 0;
}

}  // namespace saltus
