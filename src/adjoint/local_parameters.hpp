// SPDX-License-Identifier: Apache-2.0
// Parameters that act all the time, and on their own neuron alone: bias, tau_mem, tau_syn. With
// s = dx/dq, x = (V, I), which starts from 0 at each spike of the neuron (neuron/tangent.hpp), and
// p = dL/dx = (-tau_mem lambda_V, -tau_syn lambda_I) just before it (docs/theory.md, section 6)
//
//     dL/dq = sum over its spikes of p . s   +   per error of V at a time: that error times s_V
//             + g times the integral of s_V, for a loss of the integral of V
//
// So one walk forwards over the arrivals serves, all neurons side by side where they see the same.
#pragma once

#include <vector>

#include "adjoint/accumulate.hpp"

namespace saltus {

struct LocalSums {
  double bias = 0, tau_mem = 0, tau_syn = 0;
};
struct LocalWanted {
  bool bias, tau_mem, tau_syn;

  bool any() const { return bias || tau_mem || tau_syn; }
};

/// @returns  [sample, neuron]; empty if none is wanted
template <class Real>
std::vector<LocalSums> local_sums(const Pass<Real>& pass, std::size_t population,
                                  const LocalWanted& wanted);

}  // namespace saltus
