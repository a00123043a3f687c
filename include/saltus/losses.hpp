// SPDX-License-Identifier: Apache-2.0
/// @file
/// Losses by name: what each is made of, and the list in which the command line, settings.json and
/// Python find them.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "saltus/fields.hpp"
#include "saltus/loss.hpp"

namespace saltus {

/// A loss on one population of a network, by name: the base of those of the library.
template <class Real>
class ReadoutLoss : public Loss<Real> {
 public:
  /// @param readout  the number of the population
  ReadoutLoss(const LossSettings& settings, std::size_t readout)
      : settings_(settings), readout_(readout) {}

  void check(const Network<Real>& network, std::span<const std::int32_t> labels) const override;
  bool is_output(const Network<Real>&, std::size_t population) const override {
    return population == readout_;
  }
  /// The largest of the terms that its value is a difference of: what rounding scales with.
  virtual double largest_term(const Batch<Real>& batch) const {
    static_cast<void>(batch);
    return 1;
  }

 protected:
  double setting(std::string_view name) const { return settings_[name]; }  ///< a value
  std::size_t readout() const { return readout_; }  ///< the number of the population
  /// How many neurons it has.
  std::size_t outputs(const Batch<Real>& batch) const {
    return batch.network.populations()[readout_].size;
  }
  /// With room for what the loss says.
  LossResult<Real> empty_result(const Batch<Real>& batch) const {
    return {0, 0, 0, std::vector<std::int32_t>(batch.labels.size(), -1),
            Errors<Real>(batch.network.populations().size())};
  }

 private:
  LossSettings settings_;
  std::size_t readout_;
};

/// A setting of a loss, a number: described once, as a Field is. Its value is in LossSettings.
struct LossSetting {
  std::string_view name;       ///< as LossSettings knows it
  double usual;                ///< unless it is given
  Bound check;                 ///< check(name, value) throws InvalidInput unless it has a meaning
  std::string_view help = {};  ///< none: no option of the command line
  std::string_view heading = heading::loss;  ///< under which --help lists it
  std::string_view option = {};  ///< on the command line, if it is not --name with - for _

  double& of(LossSettings& settings) const { return settings[name]; }       ///< its value
  double of(const LossSettings& settings) const { return settings[name]; }  ///< the same
};

/// A loss as it is found by its name: on the command line, in settings.json, in Python. It is one
/// file: a class template L<Real>, derived from ReadoutLoss<Real>, with
///
///     static constexpr std::string_view name = "...";
///     static constexpr const Model& readout_model = Model::lif;  // or li
///     static constexpr LossSetting settings[] = {...};    // if it has any
///     static constexpr bool of_integrals = true;          // if it looks at integrals
///
/// and a line in src/loss/losses.cpp, or a call of add_loss(named_loss<L>()).
struct NamedLoss {
  std::string_view name;                  ///< as people write it
  Model readout_model;                    ///< what its outputs are
  std::span<const LossSetting> settings;  ///< what it can be told
  bool of_integrals;                      ///< which have no limit in an endless sample with a bias
  /// Integrals are known of every readout, all else of the one model alone.
  bool takes(Model outputs) const {
    return outputs == readout_model ||
           (of_integrals && outputs->linear && outputs->spikes == readout_model->spikes);
  }
  /// How one is made.
  template <class Real>
  using Make = std::unique_ptr<ReadoutLoss<Real>> (*)(const LossSettings&, std::size_t readout);
  Make<float> make_float;    ///< in float32
  Make<double> make_double;  ///< in float64
};

/// What add_loss() takes.
template <template <class> class L>
NamedLoss named_loss() {
  NamedLoss loss{L<double>::name, L<double>::readout_model, {}, false, nullptr, nullptr};
  if constexpr (requires { L<double>::settings; }) loss.settings = L<double>::settings;
  if constexpr (requires { L<double>::of_integrals; }) loss.of_integrals = L<double>::of_integrals;
  loss.make_float = [](const LossSettings& s, std::size_t readout) {
    return std::unique_ptr<ReadoutLoss<float>>(std::make_unique<L<float>>(s, readout));
  };
  loss.make_double = [](const LossSettings& s, std::size_t readout) {
    return std::unique_ptr<ReadoutLoss<double>>(std::make_unique<L<double>>(s, readout));
  };
  return loss;
}

/// All losses: the library's, then those that were added.
const std::deque<NamedLoss>& losses();
/// @throws InvalidInput  no such loss; lists those that there are
const NamedLoss& find_loss(std::string_view name);
/// Before anything else is done with losses.
/// @throws InvalidInput  a name, or the name of a setting, that is taken
void add_loss(const NamedLoss& loss);
/// "first_spike, maximum_voltage, integrated_voltage or spike_count"
std::string loss_names();

/// The loss that the settings name, on the population `readout`.
template <class Real>
std::unique_ptr<ReadoutLoss<Real>> built_in_loss(const LossSettings& settings, std::size_t readout);

/// A row's check.
inline void check_loss_name(std::string_view, const std::string& kind) { find_loss(kind); }

/// As for any other settings: visit(row, value), first of the loss, then of the settings of all.
template <class Settings, class Visit>
requires std::same_as<std::remove_const_t<Settings>, LossSettings>
void for_each_field(Settings& settings, Visit&& visit) {
  const std::string names = loss_names();
  visit(Field{"loss", &LossSettings::kind, &check_loss_name, heading::loss, names}, settings.kind);
  for (const NamedLoss& loss : losses()) {
    for (const LossSetting& setting : loss.settings) visit(setting, setting.of(settings));
  }
}

}  // namespace saltus
