// SPDX-License-Identifier: Apache-2.0
// The list of losses, and what is found in it.
#include "saltus/losses.hpp"

#include <fmt/format.h>

#include <tuple>

#include "saltus/error.hpp"

namespace saltus {

// Each in its file.
NamedLoss first_spike();
NamedLoss maximum_voltage();
NamedLoss integrated_voltage();
NamedLoss spike_count();

namespace {

std::deque<NamedLoss>& list() {
  static std::deque<NamedLoss> all = {first_spike(), maximum_voltage(), integrated_voltage(),
                                      spike_count()};
  return all;
}

const LossSetting* find_setting(std::string_view name) {
  for (const NamedLoss& loss : list()) {
    for (const LossSetting& setting : loss.settings) {
      if (setting.name == name) return &setting;
    }
  }
  return nullptr;
}

const LossSetting& setting_or_throw(std::string_view name) {
  if (const LossSetting* found = find_setting(name)) return *found;
  std::vector<std::string_view> known;
  for (const NamedLoss& loss : list()) {
    for (const LossSetting& setting : loss.settings) known.push_back(setting.name);
  }
  refuse_name("setting of a loss", name, known);
}

}  // namespace

const std::deque<NamedLoss>& losses() { return list(); }

const NamedLoss& find_loss(std::string_view name) {
  std::vector<std::string_view> known;
  for (const NamedLoss& loss : list()) {
    if (loss.name == name) return loss;
    known.push_back(loss.name);
  }
  refuse_name("loss", name, known);
}

void add_loss(const NamedLoss& loss) {
  for (const NamedLoss& other : list()) {
    if (other.name == loss.name) {
      throw InvalidInput(
          fmt::format("a loss is called '{}' already; expected a new name", loss.name));
    }
  }
  for (const LossSetting& setting : loss.settings) {
    if (find_setting(setting.name)) {
      throw InvalidInput(fmt::format("loss {}: another has a setting '{}'; expected a new name",
                                     loss.name, setting.name));
    }
  }
  list().push_back(loss);
}

std::string loss_names() {
  std::string names;
  for (std::size_t k = 0; k < list().size(); ++k) {
    const bool last = k + 1 == list().size();
    names += fmt::format("{}{}", k == 0 ? "" : last ? " or " : ", ", list()[k].name);
  }
  return names;
}

double& LossSettings::operator[](std::string_view setting) {
  const auto found = assigned_.find(setting);
  if (found != assigned_.end()) return found->second;
  return assigned_.emplace(setting, setting_or_throw(setting).usual).first->second;
}

double LossSettings::operator[](std::string_view setting) const {
  const auto found = assigned_.find(setting);
  return found != assigned_.end() ? found->second : setting_or_throw(setting).usual;
}

template <class Real>
std::unique_ptr<ReadoutLoss<Real>> built_in_loss(const LossSettings& settings,
                                                 std::size_t readout) {
  const NamedLoss& loss = find_loss(settings.kind);
  return std::get<NamedLoss::Make<Real>>(std::tuple(loss.make_float, loss.make_double))(settings,
                                                                                        readout);
}

template std::unique_ptr<ReadoutLoss<float>> built_in_loss(const LossSettings&, std::size_t);
template std::unique_ptr<ReadoutLoss<double>> built_in_loss(const LossSettings&, std::size_t);

}  // namespace saltus
