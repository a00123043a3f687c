// SPDX-License-Identifier: Apache-2.0
// A remedy for neurons that never spike and so have no gradient (docs/theory.md, section 10).
#pragma once

#include <cstddef>

#include "saltus/train.hpp"

namespace saltus {

/// Raises the weights into neurons that never spiked in an epoch (see TrainSettings::revive).
/// @param lr  of the epoch
/// @return how many neurons
template <class Real>
std::size_t revive(const TrainSettings& settings, const EpochState& epoch, double lr,
                   Network<Real>& network);

}  // namespace saltus
