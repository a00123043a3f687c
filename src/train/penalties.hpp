// SPDX-License-Identifier: Apache-2.0
// Penalties of weights, added to the gradient: l1 sum |w| + l2 / 2 sum w^2.
#pragma once

#include <vector>

#include "train/trainable.hpp"

namespace saltus {

/// At w = 0 the slope of |w| is taken as 0.
template <class Real>
void add_penalties(const TrainSettings& settings, const std::vector<Trained>& trained,
                   const Network<Real>& network, Gradients<Real>& gradients) {
  if (settings.l1 == 0 && settings.l2 == 0) return;
  const auto l1 = static_cast<Real>(settings.l1), l2 = static_cast<Real>(settings.l2);
  for (const Trained& what : trained) {
    if (what.kind != Trained::Kind::weight) continue;
    visit_trained(
        what, network,
        [&](const auto& weights, auto& gradient) {
          for (std::size_t k = 0; k < weights.size(); ++k) {
            const Real w = static_cast<Real>(weights[k]);
            gradient[k] += l1 * static_cast<Real>((w > 0) - (w < 0)) + l2 * w;
          }
        },
        gradients);
  }
}

}  // namespace saltus
