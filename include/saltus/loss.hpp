// SPDX-License-Identifier: Apache-2.0
// Losses: a record and labels give a value and errors (docs/theory.md, sections 4 and 11).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "saltus/fields.hpp"
#include "saltus/network.hpp"
#include "saltus/observe.hpp"
#include "saltus/simulate.hpp"

namespace saltus {

/// What to make of a readout.
enum class LossKind {
  first_spike,         ///< cross-entropy of the times of first spikes (LIF outputs)
  maximum_voltage,     ///< cross-entropy of the maxima of V (LI readouts)
  integrated_voltage,  ///< cross-entropy of the integrals of V (LI readouts)
};

template <>
struct Names<LossKind> {
  static constexpr std::string_view what = "loss";
  static constexpr std::pair<LossKind, std::string_view> all[] = {
      {LossKind::first_spike, "first_spike"},
      {LossKind::maximum_voltage, "maximum_voltage"},
      {LossKind::integrated_voltage, "integrated_voltage"}};
};

struct LossSettings {
  LossKind kind = LossKind::first_spike;
  double tau_0 = 0.5e-3;       ///< s, sharpness of the softmax over first spikes
  double tau_1 = 6.4e-3;       ///< s, time scale of the term that pulls the label's spike forward
  double alpha = 0.003;        ///< weight of that term
  double t_missing = 40e-3;    ///< s, when an output without a spike counts as spiking
  double silent_pull = 10;     ///< weight of the largest V of a label's output that is silent
  double tau_integral = 5e-3;  ///< s, an integral is divided by this before the softmax

  static constexpr auto fields();  ///< a row for each setting: see below
};

constexpr auto LossSettings::fields() {
  using S = LossSettings;
  using namespace bounds;
  return std::tuple{
      Field{"loss", &S::kind, anything, heading::optimiser,
            "first_spike, maximum_voltage or integrated_voltage"},
      Field{"tau_0", &S::tau_0, time, heading::optimiser,
            "sharpness of the softmax over first spikes, s"},
      Field{"tau_1", &S::tau_1, time, heading::optimiser,
            "time scale of the pull on the label's spike, s"},
      Field{"alpha", &S::alpha, at_least_0, heading::optimiser, "weight of that pull"},
      Field{"t_missing", &S::t_missing, time},
      Field{"silent_pull", &S::silent_pull, at_least_0, heading::optimiser,
            "pull on V of a label's output without a spike"},
      Field{"tau_integral", &S::tau_integral, time, heading::optimiser,
            "unit of the integrals, s"}};
}

template <class Real>
struct LossResult {
  double value = 0;         ///< mean over the samples
  std::size_t correct = 0;  ///< samples whose label wins
  std::size_t silent = 0;   ///< samples whose label's output never spikes, or never rises above 0
  std::vector<std::int32_t> predictions;  ///< [sample]; -1 where no output says anything
  Errors<Real> errors;                    ///< of the mean
};

/// Evaluates a loss on the population `readout`.
///
/// first_spike (Wunderlich & Pehle 2021, eq. 11; Yin-Yang), with t_n the first spike of output n
/// and l the label:
///
///     L = -log( exp(-t_l/tau_0) / sum_n exp(-t_n/tau_0) ) + alpha (exp(t_l/tau_1) - 1)
///
/// maximum_voltage (eq. 12; MNIST): softmax cross-entropy of max_t V_n(t).
/// integrated_voltage (Nowotny, Turner, Knight 2025): of the integral of V_n over the sample.
///
/// An output without a spike enters the first as a constant t_missing and gets no error. A sample
/// in which the label's own output is silent is counted in `silent`; its loss is
///
///     L = t_missing / tau_0 - silent_pull max_t V_l(t)
///
/// which pulls the output up to its threshold. The other outputs get no errors: pushing them later
/// would only silence them too.
/// @param labels  [sample]
/// @throws InvalidInput  a readout of the wrong model, labels outside of it or of a wrong number
template <class Real>
LossResult<Real> evaluate(const LossSettings& settings, const Network<Real>& network,
                          const Inputs& inputs, const Record<Real>& record, std::size_t readout,
                          std::span<const std::int32_t> labels, const Options& options = {});

}  // namespace saltus
