// SPDX-License-Identifier: Apache-2.0
// A step of the optimiser: clipped, held back where it would go too far, and checked.
#pragma once

#include <vector>

#include "saltus/adjoint.hpp"
#include "saltus/inputs.hpp"
#include "saltus/train.hpp"
#include "train/trainable.hpp"

namespace saltus {

/// How long the gradient is, over all that is trained, each parameter in its unit_of().
template <class Real>
double norm_of(const std::vector<Trained>& trained, const Network<Real>& network,
               const Gradients<Real>& gradients, int threads);

template <class Real>
struct Step {
  const TrainSettings& settings;
  const TrainHooks<Real>& hooks;
  const std::vector<Trained>& trained;
  const std::vector<double>& rates;  ///< of each: rates_of()

  struct Taken {
    bool limited;         ///< was it cut short?
    std::size_t clamped;  ///< values that it would have taken out of their range
  };
  /// No step takes a parameter out of its range: train/ranges.hpp.
  /// @param gradients  overwritten where the step is held back
  /// @param norm       their length
  /// @param inputs     of the minibatch, whose spikes TrainSettings::step_limit is about
  /// @throws InvalidInput  a parameter that it took out of its range all the same
  Taken take(TrainState<Real>& state, Gradients<Real>& gradients, double norm, double lr,
             const Inputs& inputs) const;

 private:
  void move(TrainState<Real>& state, const Gradients<Real>& gradients, double norm,
            double lr) const;
  bool hold_back(const Network<Real>& before, Network<Real>& network, Gradients<Real>& along,
                 const Inputs& inputs) const;
};

}  // namespace saltus
