// SPDX-License-Identifier: Apache-2.0
// The forward pass on a plan that the caller keeps: no checks, for the loop of a training. The
// public functions check, make a plan and call this.
#pragma once

#include "plan/plan.hpp"
#include "plan/timeline.hpp"
#include "saltus/simulate.hpp"
#include "simulate/pack.hpp"
#include "thresholds/thresholds.hpp"

namespace saltus {

/// What a forward pass leaves for the passes after it, and the memory of both: kept from minibatch
/// to minibatch.
template <class Real>
struct ForwardMemory {
  Timelines<Real> timelines;
  SampleRecords<Real> samples;
};

/// @param out  overwritten; its memory is kept
/// @param thresholds  of each neuron, sample and spike, which the record then holds; null: means
template <class Real>
void simulate(const Plan<Real>& plan, const Inputs& inputs, int threads,
              ForwardMemory<Real>& memory, Record<Real>& out,
              const Thresholds* thresholds = nullptr);
template <class Real>
Record<Real> simulate(const Plan<Real>& plan, const Inputs& inputs, int threads);

/// Leaves in the record at which threshold each spike was fired.
template <class Real>
void note_thresholds(const Plan<Real>& plan, const Thresholds& thresholds, Record<Real>& record);

}  // namespace saltus
