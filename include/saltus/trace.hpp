// SPDX-License-Identifier: Apache-2.0
// Traces over time, for people to look at: the synaptic current, and the adjoint variables.
#pragma once

#include <span>
#include <vector>

#include "saltus/adjoint.hpp"
#include "saltus/network.hpp"
#include "saltus/simulate.hpp"

namespace saltus {

/// I at chosen times, the same for all samples: [sample, time, neuron]. At the very time of an
/// arrival it is I just before it. (For V see voltages() in saltus/simulate.hpp.)
/// @param at  seconds, ascending, not after any sample's end
/// @throws InvalidInput  an input population; times unsorted, negative or after the end
template <class Real>
std::vector<Real> currents(const Network<Real>& network, const Inputs& inputs,
                           const Record<Real>& record, std::size_t population,
                           std::span<const double> at, const Options& = {});

/// lambda_V and lambda_I, each [sample, time, neuron].
template <class Real>
struct AdjointTraces {
  std::vector<Real> v, i;
};

/// The adjoint variables at chosen times (docs/theory.md, section 5): dL/dV(t) = -tau_mem lambda_V,
/// dL/dI(t) = -tau_syn lambda_I. At the very time of a jump they are those just after it.
/// @throws InvalidInput  as currents() and backward()
template <class Real>
AdjointTraces<Real> adjoint_traces(const Network<Real>& network, const Inputs& inputs,
                                   const Record<Real>& record, const Errors<Real>& errors,
                                   std::size_t population, std::span<const double> at,
                                   const Options& = {});

}  // namespace saltus
