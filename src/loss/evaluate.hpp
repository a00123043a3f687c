// SPDX-License-Identifier: Apache-2.0
// A loss on a plan that the caller keeps, without checks (see simulate/forward.hpp).
#pragma once

#include "plan/plan.hpp"
#include "plan/timeline.hpp"
#include "saltus/ghosts.hpp"
#include "saltus/losses.hpp"

namespace saltus {

/// A record as a loss sees it.
template <class Real>
Batch<Real> batch_of(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                     std::span<const std::int32_t> labels, int threads = 1,
                     Timelines<Real>* timelines = nullptr) {
  static const Smoothing none;
  return {*plan.network, inputs, record, labels, none, threads, plan, timelines};
}

template <class Real>
LossResult<Real> evaluate(const LossSettings& settings, const Plan<Real>& plan,
                          const Inputs& inputs, const Record<Real>& record, std::size_t readout,
                          std::span<const std::int32_t> labels, int threads,
                          Timelines<Real>* timelines) {
  return built_in_loss<Real>(settings, readout)
      ->evaluate(batch_of(plan, inputs, record, labels, threads, timelines));
}

/// Adds to Ghost::direct of the readout what the loss says of a spike at the peak, apart from what
/// that spike causes elsewhere.
template <class Real>
void add_direct_differences(const LossSettings& settings, const Plan<Real>& plan,
                            const Inputs& inputs, const Record<Real>& record, std::size_t readout,
                            std::span<const std::int32_t> labels, Ghosts<Real>& ghosts) {
  built_in_loss<Real>(settings, readout)
      ->add_direct_differences(batch_of(plan, inputs, record, labels), ghosts);
}

}  // namespace saltus
