// SPDX-License-Identifier: Apache-2.0
// Ghosts on a plan that the caller keeps, without checks (see simulate/forward.hpp).
#pragma once

#include "plan/plan.hpp"
#include "plan/timeline.hpp"
#include "saltus/ghosts.hpp"

namespace saltus {

/// @param timelines  what populations saw in the forward pass; null: to be found out anew
/// @param ghosts     overwritten
template <class Real>
void find_ghosts(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                 const Smoothing& smoothing, int threads, Timelines<Real>* timelines,
                 Ghosts<Real>& ghosts);

}  // namespace saltus
