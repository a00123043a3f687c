// SPDX-License-Identifier: Apache-2.0
// The backward pass on a plan that the caller keeps, without checks (see simulate/forward.hpp).
#pragma once

#include <span>

#include "adjoint/entries.hpp"
#include "adjoint/linear_lambda.hpp"
#include "plan/plan.hpp"
#include "plan/timeline.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/ghosts.hpp"

namespace saltus {

class Team;

/// Memory that is kept from minibatch to minibatch.
template <class Real>
struct BackwardMemory {
  std::vector<std::vector<Segments<Real>>> segments;  // [sample][population]
  std::vector<std::vector<LinearSegments>> linear;    // [sample][population]
  std::vector<std::vector<Entries<Real>>> entries;    // [sample][population]; if in vectors
  std::vector<std::vector<LinearEntries<Real>>> linear_entries;  // the same of linear neurons
  std::vector<std::vector<double>> spike_errors;                 // [population]: E_k of each spike
  GhostAdjoint<Real> ghosts;
};

/// @param timelines  what populations saw in the forward pass; null: to be found out anew
/// @param gradients  overwritten; its memory is reused
/// @param starts     of each sample, if they go on from a state
/// @param ghosts     if given, the gradient is that of the smoothed loss; differences are filled in
/// @param team       if given, other processes hold the other samples of the minibatch; all of them get
///                   the gradients of the whole, but those by input times
template <class Real>
void backward(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
              const Errors<Real>& errors, const Wanted& wanted, int threads,
              Timelines<Real>* timelines, BackwardMemory<Real>& memory, Gradients<Real>& gradients,
              Ghosts<Real>* ghosts = nullptr, std::span<const Plan<Real>> starts = {},
              Team* team = nullptr);

/// @throws InvalidInput  errors that do not fit the record
template <class Real>
void check_errors(const Network<Real>& network, const Inputs& inputs, const Record<Real>& record,
                  const Errors<Real>& errors);

}  // namespace saltus
