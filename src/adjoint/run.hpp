// SPDX-License-Identifier: Apache-2.0
// The backward pass on a plan that the caller keeps, without checks (see simulate/run.hpp).
#pragma once

#include "saltus/adjoint.hpp"
#include "simulate/plan.hpp"

namespace saltus {

/// @param gradients  overwritten; its memory is reused
template <class Real>
void backward(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
              const Errors<Real>& errors, const Wanted& wanted, int threads,
              Gradients<Real>& gradients);

}  // namespace saltus
