// SPDX-License-Identifier: Apache-2.0
// The backward pass where a run goes on from a state, or another goes on from its end (docs/theory.md,
// section 15): what is said of a state reaches what led to it.
#pragma once

#include <algorithm>

#include "adjoint/backward.hpp"

namespace saltus {

/// Is anything said of the spikes that are on their way at the end?
template <class Real>
bool says_of_spikes_at_end(const Errors<Real>& errors) {
  return std::ranges::any_of(errors.populations,
                             [](const auto& e) { return !e.at_end.past.empty(); });
}

/// What is said of the spikes on their way at the end is said of these spikes, those of inputs too.
/// @returns  the same errors, with it
template <class Real>
Errors<Real> with_spikes_at_end(const Plan<Real>& plan, const Inputs& inputs,
                                const Record<Real>& record, const Errors<Real>& errors);

/// The backward pass of a run that goes on from a state.
template <class Real>
void backward_to_state(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                       const Errors<Real>& errors, const Wanted& wanted, int threads,
                       Gradients<Real>& gradients);

/// @throws InvalidInput  errors of the state at the end that do not fit it
template <class Real>
void check_errors_at_end(const Network<Real>& network, const Inputs& inputs,
                         const Record<Real>& record, const Errors<Real>& errors);

}  // namespace saltus
