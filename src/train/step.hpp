// SPDX-License-Identifier: Apache-2.0
// A step of the optimiser: clipped, held back where it would go too far, and checked.
#pragma once

#include <vector>

#include "saltus/adjoint.hpp"
#include "saltus/inputs.hpp"
#include "saltus/train.hpp"
#include "train/trainable.hpp"

namespace saltus {

/// How long the gradient is, over all that is trained.
template <class Real>
double norm_of(const std::vector<Trained>& trained, const Network<Real>& network,
               const Gradients<Real>& gradients, int threads);

template <class Real>
struct Step {
  const TrainSettings& settings;
  const TrainHooks<Real>& hooks;
  const std::vector<Trained>& trained;

  /// @param gradients  overwritten where the step is held back
  /// @param norm       their length
  /// @param inputs     of the minibatch, whose spikes TrainSettings::step_limit is about
  /// @return was it cut short?
  /// @throws InvalidInput  a parameter that it took out of its range
  bool take(TrainState<Real>& state, Gradients<Real>& gradients, double norm, double lr,
            const Inputs& inputs) const;

 private:
  void move(TrainState<Real>& state, const Gradients<Real>& gradients, double norm,
            double lr) const;
  bool hold_back(const Network<Real>& before, Network<Real>& network, Gradients<Real>& along,
                 const Inputs& inputs) const;
};

}  // namespace saltus
