// SPDX-License-Identifier: Apache-2.0
// Whether a saved state of a training is one of this network.
#pragma once

#include "saltus/train.hpp"

namespace saltus {

/// @throws InvalidInput  another network: what differs; moments or counts of other shapes
template <class Real>
void check_resumable(const TrainState<Real>& state, const Network<Real>& network);

}  // namespace saltus
