// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

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
constexpr Name<OptimizerKind> optimizers[] = {{OptimizerKind::sgd, "sgd"},
                                              {OptimizerKind::adam, "adam"},
                                              {OptimizerKind::adamw, "adamw"}};
constexpr Name<ScheduleKind> schedules[] = {{ScheduleKind::constant, "constant"},
                                            {ScheduleKind::exponential, "exponential"},
                                            {ScheduleKind::cosine, "cosine"}};

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

}  // namespace

OptimizerKind optimizer_kind(std::string_view name) { return find(optimizers, "optimizer", name); }
ScheduleKind schedule_kind(std::string_view name) { return find(schedules, "schedule", name); }
std::string_view to_string(OptimizerKind kind) { return find(optimizers, kind); }
std::string_view to_string(ScheduleKind kind) { return find(schedules, kind); }

double learning_rate(const TrainSettings& s, int epoch) {
  switch (s.schedule) {
    case ScheduleKind::constant: return s.lr;
    case ScheduleKind::exponential: return s.lr * std::pow(s.decay, epoch);
    case ScheduleKind::cosine: break;
  }
  const double way = s.epochs > 1 ? static_cast<double>(epoch) / (s.epochs - 1) : 0;
  return s.lr_final + (s.lr - s.lr_final) * (1 + std::cos(std::numbers::pi * way)) / 2;
}

}  // namespace saltus
