// SPDX-License-Identifier: Apache-2.0
// Losses: a record and labels give a value and errors (docs/theory.md, sections 4 and 11).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saltus/ghosts.hpp"
#include "saltus/network.hpp"
#include "saltus/observe.hpp"
#include "saltus/simulate.hpp"
#include "saltus/thresholds.hpp"

namespace saltus {

/// What to make of a readout.
enum class LossKind {
  first_spike,         ///< cross-entropy of the times of first spikes (LIF outputs)
  maximum_voltage,     ///< cross-entropy of the maxima of V (LI readouts)
  integrated_voltage,  ///< cross-entropy of the integrals of V (LI readouts)
};

std::string_view to_string(LossKind kind);
/// @throws InvalidInput  no such loss; lists those that there are
LossKind loss_kind(std::string_view name);

struct LossSettings {
  LossKind kind = LossKind::first_spike;
  double tau_0 = 0.5e-3;       ///< s, sharpness of the softmax over first spikes
  double tau_1 = 6.4e-3;       ///< s, time scale of the term that pulls the label's spike forward
  double alpha = 0.003;        ///< weight of that term
  double t_missing = 40e-3;    ///< s, when an output without a spike counts as spiking
  double silent_pull = 10;     ///< weight of the largest V of a label's output that is silent
  double tau_integral = 5e-3;  ///< s, an integral is divided by this before the softmax
};

template <class Real>
struct LossResult {
  double value = 0;         ///< mean over the samples
  std::size_t correct = 0;  ///< samples whose label wins, if there are predictions
  std::size_t silent = 0;   ///< samples whose label's output never spikes, or never rises above 0
  /// [sample]; -1 where no output says anything. Empty: the loss makes none, and nobody knows the
  /// accuracy.
  std::vector<std::int32_t> predictions;
  Errors<Real> errors;  ///< of the mean
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

template <class Real>
struct Plan;
template <class Real>
class Timelines;

/// A minibatch and its record, as a loss sees them.
template <class Real>
struct Batch {
  const Network<Real>& network;
  const Inputs& inputs;
  const Record<Real>& record;
  std::span<const std::int32_t> labels;  ///< [sample]
  const Smoothing& smoothing;            ///< of the thresholds; sigma 0: none
  int threads;
  // What the library knows of it already, for losses of its own.
  const Plan<Real>& plan;
  Timelines<Real>& timelines;
};

/// What a training makes smaller. Derive from it for a loss of your own, and give it to Trainer and
/// evaluate(). What it throws leaves them as if the minibatch had not been.
template <class Real>
class Loss {
 public:
  virtual ~Loss() = default;

  /// Called before each pass over data.
  /// @throws InvalidInput  a network or labels that it can make nothing of
  virtual void check(const Network<Real>& network, std::span<const std::int32_t> labels) const {
    static_cast<void>(network);
    static_cast<void>(labels);
  }

  /// The value, and its derivatives. A training checks that the errors fit the record.
  virtual LossResult<Real> evaluate(const Batch<Real>& batch) = 0;

  /// Fills Ghost::direct, where the loss itself says of a spike at the peak what it is worth, apart
  /// from what that spike causes elsewhere (docs/ghosts.md).
  virtual void add_direct_differences(const Batch<Real>& batch, Ghosts<Real>& ghosts) const {
    static_cast<void>(batch);
    static_cast<void>(ghosts);
  }

  /// Is a population an output? Spikes of others are counted as hidden ones. Unless said otherwise
  /// it is one if no projection leads on to another population.
  virtual bool is_output(const Network<Real>& network, std::size_t population) const {
    for (const auto& p : network.projections()) {
      if (p.source == population && p.target != population) return false;
    }
    return true;
  }
};

/// One of the losses of evaluate() above, on the population `readout`.
template <class Real>
std::unique_ptr<Loss<Real>> built_in_loss(const LossSettings& settings, std::size_t readout);

}  // namespace saltus
