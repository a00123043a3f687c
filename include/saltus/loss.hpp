// SPDX-License-Identifier: Apache-2.0
/// @file
/// Losses: a record and labels give a value and errors (docs/theory.md, sections 4 and 11).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
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

/// Which loss, and the values of its settings: `settings.kind = "maximum_voltage"`,
/// `settings["tau_integral"] = 50e-3`. It has those of all losses, so that another may be chosen.
class LossSettings {
 public:
  std::string kind = "first_spike";  ///< a name of losses()

  /// A setting, by its name: what was assigned, else its default.
  /// @throws InvalidInput  no loss has such a setting; lists those that there are
  double& operator[](std::string_view setting);
  /// The same, to read.
  double operator[](std::string_view setting) const;

 private:
  std::map<std::string, double, std::less<>> assigned_;
};

/// What a loss says of a minibatch.
template <class Real>
struct LossResult {
  double value = 0;         ///< mean over the samples
  std::size_t correct = 0;  ///< samples whose label wins, if there are predictions
  std::size_t silent = 0;   ///< samples whose label's output never spikes, rises or is reached
  /// [sample]; -1 where no output says anything. Empty: the loss makes none, and nobody knows the
  /// accuracy.
  std::vector<std::int32_t> predictions;
  Errors<Real> errors;  ///< of the mean
};

/// Evaluates a loss on the population `readout`. What each says: docs/theory.md, section 11.
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
class Team;

/// A minibatch and its record, as a loss sees them.
template <class Real>
struct Batch {
  const Network<Real>& network;          ///< as it was run
  const Inputs& inputs;                  ///< of the minibatch
  const Record<Real>& record;            ///< what came of them
  std::span<const std::int32_t> labels;  ///< [sample]
  const Smoothing& smoothing;            ///< of the thresholds; sigma 0: none
  int threads;                           ///< that may be used; 0: all cores
  const Plan<Real>& plan;      ///< what the library knows of it already, for losses of its own
  Timelines<Real>* timelines;  ///< the same; may be null
  /// Processes of which each holds a part of the minibatch, and calls the loss on it; null: it is whole.
  Team* team = nullptr;
  std::size_t team_samples = 0;  ///< samples of the whole, if there is a team
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

  /// Adds to Ghost::direct what the loss itself says that a spike at the peak is worth, apart from
  /// what that spike causes elsewhere (docs/ghosts.md).
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

}  // namespace saltus
