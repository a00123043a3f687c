// SPDX-License-Identifier: Apache-2.0
#include "train/revive.hpp"

#include <cmath>

namespace saltus {

template <class Real>
std::size_t revive(const TrainSettings& settings, const Activity<Real>& activity, double lr,
                   Network<Real>& network) {
  // As small as the steps have become: a neuron that wakes late must not shake what has settled.
  const double share = settings.revive * (settings.lr > 0 ? lr / settings.lr : 1);
  std::size_t revived = 0;
  for (std::size_t p = 0; p < activity.spiked.size(); ++p) {
    for (std::size_t j = 0; j < activity.spiked[p].size(); ++j) {
      if (activity.spiked[p][j]) continue;
      ++revived;
      for (auto& projection : network.projections()) {
        if (projection.target != p) continue;
        double sum = 0;
        for (const Real w : projection.weight) sum += static_cast<double>(w) * w;
        const Real raise = static_cast<Real>(
            share * std::sqrt(sum / static_cast<double>(projection.weight.size())));
        const std::size_t post = activity.spiked[p].size();
        for (std::size_t k = j; k < projection.weight.size(); k += post) {
          projection.weight[k] += raise;
        }
      }
    }
  }
  return revived;
}

template std::size_t revive(const TrainSettings&, const Activity<float>&, double, Network<float>&);
template std::size_t revive(const TrainSettings&, const Activity<double>&, double,
                            Network<double>&);

}  // namespace saltus
