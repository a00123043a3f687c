// SPDX-License-Identifier: Apache-2.0
// A loss on a plan that the caller keeps, without checks (see simulate/forward.hpp).
#pragma once

#include "plan/arrivals.hpp"
#include "plan/plan.hpp"
#include "plan/timeline.hpp"
#include "saltus/ghosts.hpp"
#include "saltus/loss.hpp"

namespace saltus {

template <class Real>
LossResult<Real> evaluate(const LossSettings& settings, const Plan<Real>& plan,
                          const Inputs& inputs, const Record<Real>& record, std::size_t readout,
                          std::span<const std::int32_t> labels, int threads,
                          Timelines<Real>* timelines);

/// @throws InvalidInput  outputs of the wrong model, labels outside of them
void check_readout(const Population& readout, LossKind kind, std::span<const std::int32_t> labels);

/// Fills Ghost::direct of the readout: what the loss says of a spike at the peak, apart from what
/// that spike causes elsewhere. Only a loss of spike times says anything.
template <class Real>
void add_direct_differences(const LossSettings& settings, const Plan<Real>& plan,
                            const Record<Real>& record, std::size_t readout,
                            std::span<const std::int32_t> labels, Ghosts<Real>& ghosts);

}  // namespace saltus
