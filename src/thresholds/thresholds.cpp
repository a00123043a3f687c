// SPDX-License-Identifier: Apache-2.0
#include "thresholds/thresholds.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saltus/error.hpp"

namespace saltus {

void check(const Smoothing& s) { check_fields(s); }

template <class Real>
void check_noisy(const Network<Real>& network) {
  for (const Population& p : network.populations()) {
    if (!p.fires() || p.model == Model::lif) continue;
    throw InvalidInput(fmt::format(
        "'{}' is {}: thresholds with noise, ghosts and a step limit know LIF only; expected none "
        "of them (sigma, smooth_threshold, step_limit of 0) in a network with {}",
        p.name, p.model->name, p.model->name));
  }
}

template <class Real>
void check_room(const Network<Real>& network, const Smoothing& smoothing) {
  check_noisy(network);
  for (const Population& p : network.populations()) {
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

template void check_noisy(const Network<float>&);
template void check_noisy(const Network<double>&);
template void check_room(const Network<float>&, const Smoothing&);
template void check_room(const Network<double>&, const Smoothing&);

}  // namespace saltus
