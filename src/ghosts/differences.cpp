// SPDX-License-Identifier: Apache-2.0
// The exact difference of losses of each ghost (docs/ghosts.md): the batch is simulated with that
// one threshold just below the peak, and just above.
#include <algorithm>
#include <cmath>
#include <limits>

#include "saltus/error.hpp"
#include "saltus/ghosts.hpp"

namespace saltus {

template <class Real>
void measure_differences(const Network<Real>& network, const Inputs& inputs,
                         const LossOfRecord<Real>& loss, Ghosts<Real>& ghosts,
                         const Options& options) {
  if (!loss) throw InvalidInput("measure_differences() needs a loss; got none");
  for (std::size_t p = 0; p < ghosts.populations.size(); ++p) {
    for (std::size_t s = 0; s < ghosts.populations[p].size(); ++s) {
      for (Ghost<Real>& g : ghosts.populations[p][s]) {
        const double height = g.height;
        // Above the rounding of V; the spike then comes the root of that before the peak.
        const double nudge = 4096 * static_cast<double>(std::numeric_limits<Real>::epsilon()) *
                             std::max(1.0, std::fabs(height));
        const auto value = [&](double threshold) {
          const ThresholdOverride set[] = {{p, s, static_cast<std::size_t>(g.neuron),
                                            static_cast<std::size_t>(g.segment), threshold}};
          return loss(simulate(network, inputs, ghosts.smoothing, set, options));
        };
        g.difference = value(height - nudge) - value(height + nudge);
      }
    }
  }
  ghosts.differences_known = true;
}

template void measure_differences(const Network<float>&, const Inputs&, const LossOfRecord<float>&,
                                  Ghosts<float>&, const Options&);
template void measure_differences(const Network<double>&, const Inputs&,
                                  const LossOfRecord<double>&, Ghosts<double>&, const Options&);

}  // namespace saltus
