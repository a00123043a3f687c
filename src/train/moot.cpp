// SPDX-License-Identifier: Apache-2.0
// Settings that have no effect beside others: whoever gives one believes that it does something.
#include <algorithm>
#include <string>
#include <string_view>

#include "saltus/losses.hpp"
#include "saltus/task.hpp"

namespace saltus {
namespace {

struct Owner {
  std::string_view setting;
  bool (*there)(const RunSettings& s);
  std::string_view called;
};

template <OptimizerKind... kinds>
bool is_optimizer(const RunSettings& s) {
  return ((s.train.optimizer == kinds) || ...);
}
template <ScheduleKind... kinds>
bool is_schedule(const RunSettings& s) {
  return ((s.train.schedule == kinds) || ...);
}
constexpr auto is_adam = is_optimizer<OptimizerKind::adam, OptimizerKind::adamw>;
bool is_smooth(const RunSettings& s) { return s.train.smooth_threshold > 0; }
bool is_recurrent(const RunSettings& s) { return s.recurrent; }
bool is_deep(const RunSettings& s) { return s.hidden.size() > 1 || s.layers.size() > 1; }

constexpr std::string_view adam = "--optimizer adam or adamw", smooth = "--smooth-threshold",
                           recurrent = "--recurrent", deep = "several hidden layers";

const Owner owners[] = {
    {"momentum", is_optimizer<OptimizerKind::sgd>, "--optimizer sgd"},
    {"beta_1", is_adam, adam},
    {"beta_2", is_adam, adam},
    {"epsilon", is_adam, adam},
    {"weight_decay", is_optimizer<OptimizerKind::adamw, OptimizerKind::sgd>,
     "--optimizer adamw or sgd"},
    {"decay", is_schedule<ScheduleKind::exponential, ScheduleKind::step, ScheduleKind::plateau>,
     "--schedule exponential, step or plateau"},
    {"decay_every", is_schedule<ScheduleKind::step>, "--schedule step"},
    {"patience", is_schedule<ScheduleKind::plateau>, "--schedule plateau"},
    {"lr_final", is_schedule<ScheduleKind::cosine>, "--schedule cosine"},
    {"smooth_decay", is_smooth, smooth},
    {"smooth_end", is_smooth, smooth},
    {"smooth_reading", is_smooth, smooth},
    {"recurrent_delay", is_recurrent, recurrent},
    {"recurrent_std", is_recurrent, recurrent},
    {"deep_mean", is_deep, deep},
    {"deep_std", is_deep, deep},
    {"conv_threshold",
     [](const RunSettings& s) {
       return std::ranges::any_of(s.layers, [](auto& layer) { return layer.starts_with("conv"); });
     },
     "--layers with a convolution"}};

}  // namespace

std::string moot(const RunSettings& settings, std::string_view setting) {
  for (const Owner& owner : owners) {
    if (owner.setting == setting && !owner.there(settings)) return std::string(owner.called);
  }
  for (const NamedLoss& loss : losses()) {
    if (loss.name == settings.loss.kind) continue;
    if (std::ranges::find(loss.settings, setting, &LossSetting::name) != loss.settings.end()) {
      return "--loss " + std::string(loss.name);
    }
  }
  return {};
}

}  // namespace saltus
