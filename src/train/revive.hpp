// SPDX-License-Identifier: Apache-2.0
// A remedy for neurons that never spike and so have no gradient (docs/theory.md, section 10).
#pragma once

#include <cstddef>
#include <vector>

#include "saltus/train.hpp"
#include "train/trainable.hpp"

namespace saltus {

/// Raises the trained weights into neurons that never spiked in an epoch (see TrainSettings::revive).
/// @param lr  of the epoch
/// @return how many neurons there are in populations with such weights
template <class Real>
std::size_t revive(const TrainSettings& settings, const std::vector<Trained>& trained,
                   const EpochState& epoch, double lr, Network<Real>& network);

}  // namespace saltus
