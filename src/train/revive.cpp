// SPDX-License-Identifier: Apache-2.0
#include "train/revive.hpp"

#include <cmath>
#include <vector>

namespace saltus {
namespace {

template <class Real>
Real raise_of(const Projection<Real>& p, double share) {
  double sum = 0;
  for (const Real w : p.weight) sum += static_cast<double>(w) * w;
  return static_cast<Real>(share * std::sqrt(sum / static_cast<double>(p.weight.size())));
}

// Of synapses one by one: each weight once, by the part of its synapses that lead to silent neurons.
template <class Real>
void raise_listed(Projection<Real>& p, const std::vector<bool>& spiked, double share) {
  const SynapseList& synapses = p.connection.synapses();
  std::vector<std::size_t> silent(p.weight.size()), all(p.weight.size());
  for (std::size_t k = 0; k < synapses.size(); ++k) {
    const auto place = static_cast<std::size_t>(synapses[k].weight);
    ++all[place];
    silent[place] += !spiked[static_cast<std::size_t>(synapses[k].post)];
  }
  const Real raise = raise_of(p, share);
  for (std::size_t w = 0; w < p.weight.size(); ++w) {
    if (silent[w] > 0)
      p.weight[w] += raise * static_cast<Real>(silent[w]) / static_cast<Real>(all[w]);
  }
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
        if (projection.target != p || !projection.connection.all_to_all()) continue;
        const Real raise = raise_of(projection, share);
        const std::size_t post = activity.spiked[p].size();
        for (std::size_t k = j; k < projection.weight.size(); k += post) {
          projection.weight[k] += raise;
        }
      }
    }
    if (activity.spiked[p].empty()) continue;
    for (auto& projection : network.projections()) {
      if (projection.target != p || projection.connection.all_to_all()) continue;
      std::vector<bool> spiked(activity.spiked[p].begin(), activity.spiked[p].end());
      raise_listed(projection, spiked, share);
    }
  }
  return revived;
}

template std::size_t revive(const TrainSettings&, const Activity<float>&, double, Network<float>&);
template std::size_t revive(const TrainSettings&, const Activity<double>&, double,
                            Network<double>&);

}  // namespace saltus
