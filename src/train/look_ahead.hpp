// SPDX-License-Identifier: Apache-2.0
// How much the gradient of an epoch's first minibatch can be believed, and what it is made of.
#pragma once

#include <cstddef>
#include <vector>

#include "adjoint/backward.hpp"
#include "saltus/loss.hpp"
#include "saltus/train.hpp"
#include "train/trainable.hpp"

namespace saltus {

/// Samples that look_ahead() looks at, at most.
inline constexpr std::size_t most_looked_at = 8;

/// How far from another set of spikes: EpochReport::near_peaks_per_sample and believable_step, on
/// the first samples of the minibatch: one in a thousand of the epoch, so that it costs a hundredth
/// of it.
template <class Real>
void look_ahead(const TrainSettings& settings, const Network<Real>& network, const Inputs& inputs,
                const Gradients<Real>& gradients, std::size_t epoch_samples, EpochReport& report);

/// The norm of what ghosts have added to `gradients`, relative to the whole, penalties included, as norm_of(); by
/// a backward pass without them.
template <class Real>
double ghost_share(const TrainSettings& settings, const Batch<Real>& batch,
                   const Errors<Real>& errors, const std::vector<Trained>& trained,
                   const Gradients<Real>& gradients, BackwardMemory<Real>& memory);

}  // namespace saltus
