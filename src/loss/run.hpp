// SPDX-License-Identifier: Apache-2.0
// A loss on a plan that the caller keeps, without checks (see simulate/run.hpp).
#pragma once

#include "saltus/loss.hpp"
#include "simulate/plan.hpp"
#include "simulate/timeline.hpp"

namespace saltus {

template <class Real>
LossResult<Real> evaluate(const LossSettings& settings, const Plan<Real>& plan,
                          const Inputs& inputs, const Record<Real>& record, std::size_t readout,
                          std::span<const std::int32_t> labels, int threads,
                          Timelines<Real>* timelines);

}  // namespace saltus
