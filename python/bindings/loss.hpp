// SPDX-License-Identifier: Apache-2.0
// A loss for the loop of training: one of the library's, or a function in Python.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "errors.hpp"
#include "record.hpp"
#include "saltus/loss.hpp"
#include "settings.hpp"
#include "values.hpp"

namespace saltus::python {

/// Calls function(record, labels, ends, (sigma, sampled?, seed)), which returns the value, the
/// predictions or none, silent labels and the errors of each population.
template <class Real>
class PythonLoss final : public Loss<Real> {
 public:
  /// @param network  of the user: has the present values when the function is called
  /// @param parts    built-in losses that it is a sum of: they say of ghosts, outputs and labels what the
  ///                 function cannot
  PythonLoss(nb::callable function, nb::object network,
             std::vector<std::unique_ptr<Loss<Real>>> parts)
      : function_(std::move(function)), network_(std::move(network)), parts_(std::move(parts)) {}

  LossResult<Real> evaluate(const Batch<Real>& batch) override {
    using Errors = std::map<std::size_t, ErrorArrays<Real>>;
    using Predictions = std::optional<In<std::int32_t>>;
    const nb::gil_scoped_acquire acquire;
    copy_values(batch.network, nb::cast<Net&>(network_));
    const nb::object record = nb::cast(std::make_unique<Run<Real>>(batch));
    const Smoothing& s = batch.smoothing;
    const nb::object said =
        function_(record, give(std::vector<std::int32_t>(batch.labels.begin(), batch.labels.end())),
                  give(std::vector<double>(batch.inputs.t_end.begin(), batch.inputs.t_end.end())),
                  nb::make_tuple(s.sigma, s.thresholds == ThresholdReading::sampled, s.seed));
    const auto [value, predictions, silent, given] =
        nb::cast<std::tuple<double, Predictions, std::size_t, Errors>>(said);
    // The errors are of the values that were there, and the next step starts from them.
    if (const std::string name = changed_value(batch.network, nb::cast<Net&>(network_));
        !name.empty()) {
      throw InvalidInput(fmt::format(
          "loss: it wrote to {} of the network, from whose values the gradient follows; expected "
          "no change: that is for a callback, or for step of an optimiser of your own",
          name));
    }
    LossResult<Real> result{
        value, 0, silent, {}, errors_of<Real>(given, batch.network.populations().size())};
    place_maxima(nb::cast<Run<Real>&>(record), result.errors);
    if (predictions) result.predictions = vector_of(*predictions);
    for (std::size_t k = 0; k < result.predictions.size(); ++k) {
      result.correct += result.predictions[k] == batch.labels[k];
    }
    return result;
  }

  void check(const Network<Real>& network, std::span<const std::int32_t> labels) const override {
    for (const auto& part : parts_) part->check(network, labels);
  }
  void add_direct_differences(const Batch<Real>& batch, Ghosts<Real>& ghosts) const override {
    for (const auto& part : parts_) part->add_direct_differences(batch, ghosts);
  }
  bool is_output(const Network<Real>& network, std::size_t population) const override {
    if (parts_.empty()) return Loss<Real>::is_output(network, population);
    return std::ranges::any_of(
        parts_, [&](const auto& part) { return part->is_output(network, population); });
  }

 private:
  nb::callable function_;
  nb::object network_;
  std::vector<std::unique_ptr<Loss<Real>>> parts_;
};

/// Settings and readouts of built-in losses; a function that is called in their place, or none: then it is
/// the one that there is.
using GivenLoss =
    std::tuple<std::vector<std::tuple<nb::dict, std::size_t>>, std::optional<nb::callable>>;

template <class Real>
std::unique_ptr<Loss<Real>> loss_of(const GivenLoss& given, const nb::object& network) {
  const auto& [built_in, function] = given;
  std::vector<std::unique_ptr<Loss<Real>>> parts;
  for (const auto& [settings, readout] : built_in) {
    parts.push_back(built_in_loss<Real>(settings_of<LossSettings>(settings), readout));
  }
  if (!function) return std::move(parts.at(0));
  return std::make_unique<PythonLoss<Real>>(*function, network, std::move(parts));
}

}  // namespace saltus::python
