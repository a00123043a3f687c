// SPDX-License-Identifier: Apache-2.0
#include "train/revive.hpp"

#include <cmath>
#include <cstdint>
#include <set>

namespace saltus {
namespace {

// All that lead to neuron j, each once.
template <class Real>
void raise_weights(Projection<Real>& p, std::size_t j, std::size_t post, Real raise) {
  if (p.connection.all_to_all()) {
    for (std::size_t k = j; k < p.weight.size(); k += post) p.weight[k] += raise;
    return;
  }
  const SynapseList& synapses = p.connection.synapses();
  std::set<std::int32_t> places;
  for (std::size_t k = synapses.first_into(j); k < synapses.first_into(j + 1); ++k) {
    places.insert(synapses[k].weight);
  }
  for (const std::int32_t k : places) p.weight[static_cast<std::size_t>(k)] += raise;
}

}  // namespace

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
        raise_weights(projection, j, activity.spiked[p].size(), raise);
      }
    }
  }
  return revived;
}

template std::size_t revive(const TrainSettings&, const Activity<float>&, double, Network<float>&);
template std::size_t revive(const TrainSettings&, const Activity<double>&, double,
                            Network<double>&);

}  // namespace saltus
