// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "saltus/error.hpp"
#include "saltus/train.hpp"

namespace saltus {
namespace {

template <class Kind>
struct Name {
  Kind kind;
  std::string_view name;
};
constexpr Name<OptimizerKind> optimizers[] = {
    {OptimizerKind::sgd, "sgd"}, {OptimizerKind::adam, "adam"}, {OptimizerKind::adamw, "adamw"}};
constexpr Name<ScheduleKind> schedules[] = {{ScheduleKind::constant, "constant"},
                                            {ScheduleKind::exponential, "exponential"},
                                            {ScheduleKind::cosine, "cosine"}};
constexpr Name<ThresholdReading> readings[] = {{ThresholdReading::fixed, "fixed"},
                                               {ThresholdReading::sampled, "sampled"}};

template <class Kind, std::size_t N>
Kind find(const Name<Kind> (&names)[N], std::string_view what, std::string_view wanted) {
  std::string known;
  for (const auto& [kind, name] : names) {
    if (name == wanted) return kind;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
  }
  throw InvalidInput(fmt::format("no {} is called '{}'; there are: {}", what, wanted, known));
}

template <class Kind, std::size_t N>
std::string_view find(const Name<Kind> (&names)[N], Kind wanted) {
  for (const auto& [kind, name] : names) {
    if (kind == wanted) return name;
  }
  return "unknown";
}

// Names with a dot are of single parameters: only a network can say whether it has them.
void check_trainable(const std::vector<std::string>& trainable) {
  std::vector<std::string_view> kinds{"weights", "delays"};
  for (const Model model : Model::all()) {
    for (const ParameterRow& parameter : model->parameters) {
      if (std::find(kinds.begin(), kinds.end(), parameter.name) == kinds.end()) {
        kinds.push_back(parameter.name);
      }
    }
  }
  for (const auto& name : trainable) {
    const bool known = std::find(kinds.begin(), kinds.end(), name) != kinds.end();
    if (!known && name.find('.') == std::string::npos) {
      throw InvalidInput(fmt::format(
          "trainable names '{}'; expected {}, or one parameter such as 'hidden.tau_mem'", name,
          fmt::join(kinds, ", ")));
    }
    if (std::count(trainable.begin(), trainable.end(), name) > 1) {
      throw InvalidInput(fmt::format("trainable names '{}' twice; expected once", name));
    }
  }
}

}  // namespace

void check(const TrainSettings& s) {
  const auto require = [](bool good, std::string_view field, double value,
                          std::string_view expected) {
    if (!good) {
      throw InvalidInput(fmt::format("{} is {}; expected {}", field, value, expected));
    }
  };
  require(s.epochs >= 0, "epochs", s.epochs, "0 or more");
  require(s.batch > 0, "batch", static_cast<double>(s.batch), "1 or more");
  require(s.threads >= 0, "threads", s.threads, "1 or more, or 0 for all cores");
  require(std::isfinite(s.lr) && s.lr >= 0, "lr", s.lr, "a finite number of at least 0");
  require(std::isfinite(s.lr_final) && s.lr_final >= 0, "lr_final", s.lr_final,
          "a finite number of at least 0");
  require(s.momentum >= 0 && s.momentum < 1, "momentum", s.momentum, "a number in [0, 1)");
  require(s.beta_1 >= 0 && s.beta_1 < 1, "beta_1", s.beta_1, "a number in [0, 1)");
  require(s.beta_2 >= 0 && s.beta_2 < 1, "beta_2", s.beta_2, "a number in [0, 1)");
  require(s.epsilon > 0, "epsilon", s.epsilon, "above 0");
  require(std::isfinite(s.weight_decay) && s.weight_decay >= 0, "weight_decay", s.weight_decay,
          "a finite number of at least 0");
  require(s.decay > 0 && s.decay <= 1, "decay", s.decay, "a number in (0, 1]");
  require(s.clip_norm >= 0, "clip_norm", s.clip_norm, "at least 0 (0: no limit)");
  require(s.input_dropout >= 0 && s.input_dropout < 1, "input_dropout", s.input_dropout,
          "a probability in [0, 1)");
  require(s.revive >= 0 && std::isfinite(s.revive), "revive", s.revive, "at least 0");
  require(s.smooth_threshold >= 0 && std::isfinite(s.smooth_threshold), "smooth_threshold",
          s.smooth_threshold, "a finite number of at least 0 (0: off)");
  require(s.smooth_decay > 0 && s.smooth_decay <= 1, "smooth_decay", s.smooth_decay,
          "a number in (0, 1]");
  require(s.smooth_end >= 0 && std::isfinite(s.smooth_end), "smooth_end", s.smooth_end,
          "a finite number of at least 0");
  require(s.step_limit >= 0 && std::isfinite(s.step_limit), "step_limit", s.step_limit,
          "a finite number of at least 0 (0: no limit)");
  check_trainable(s.trainable);
}

OptimizerKind optimizer_kind(std::string_view name) { return find(optimizers, "optimizer", name); }
ScheduleKind schedule_kind(std::string_view name) { return find(schedules, "schedule", name); }
std::string_view to_string(OptimizerKind kind) { return find(optimizers, kind); }
std::string_view to_string(ScheduleKind kind) { return find(schedules, kind); }
ThresholdReading threshold_reading(std::string_view name) {
  return find(readings, "reading of thresholds", name);
}
std::string_view to_string(ThresholdReading reading) { return find(readings, reading); }

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
