// SPDX-License-Identifier: Apache-2.0
#include "thresholds/thresholds.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saltus/error.hpp"

namespace saltus {

void check(const Smoothing& s) { check_fields(s); }

template <class Real>
void check_room(const Network<Real>& network, const Smoothing& smoothing) {
  for (const Population& p : network.populations()) {
    if (p.model->linear && p.model->spikes) {
      throw InvalidInput(fmt::format(
          "'{}' is {}: thresholds have noise in LIF populations only; give smoothing of 0", p.name,
          p.model->name));
    }
    if (p.model != Model::lif) continue;
    const Parameter &v_threshold = p["v_threshold"], &v_reset = p["v_reset"],
                    &v_initial = p["v_initial"];
    for (std::size_t j = 0; j < p.size; ++j) {
      const double lowest = v_threshold[j] - smoothing.range();
      if (lowest > std::max(v_reset[j], v_initial[j])) continue;
      throw InvalidInput(fmt::format(
          "sampled thresholds of {}[{}] reach down to {:.6g}, where V may start ({} after a spike, "
          "{} at 0); expected a smaller sigma ({}) or reach ({})",
          p.name, j, lowest, v_reset[j], v_initial[j], smoothing.sigma, smoothing.reach));
    }
  }
}

template void check_room(const Network<float>&, const Smoothing&);
template void check_room(const Network<double>&, const Smoothing&);

}  // namespace saltus
