// SPDX-License-Identifier: Apache-2.0
// A loss is a mean over the samples of a minibatch, which several processes may hold parts of.
#pragma once

#include <span>

#include "machine/team.hpp"
#include "saltus/loss.hpp"

namespace saltus {

/// Samples of the whole minibatch.
template <class Real>
double samples_of(const Batch<Real>& b) {
  return static_cast<double>(b.team ? b.team_samples : b.labels.size());
}
/// What one sample counts for in the mean.
template <class Real>
double share_of(const Batch<Real>& b) {
  return 1.0 / samples_of(b);
}

/// Is it so of any part of the minibatch? What a backward pass does may hang on which errors there are.
template <class Real>
bool anywhere(const Batch<Real>& b, bool here) {
  return b.team ? b.team->any(here) : here;
}

/// value += each term, in the order of the samples: those of all processes.
/// @param terms  of the samples that are here
template <class Real>
void add_in_order(const Batch<Real>& b, std::span<const double> terms, double& value) {
  if (!b.team) {
    for (const double term : terms) value += term;
    return;
  }
  for (const double term : b.team->gather(terms)) value += term;
}

}  // namespace saltus
