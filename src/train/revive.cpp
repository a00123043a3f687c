// SPDX-License-Identifier: Apache-2.0
#include "train/revive.hpp"

#include <algorithm>
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

// All weights that lead to a silent neuron.
template <class Real>
void raise_rows(Projection<Real>& p, const std::vector<std::size_t>& spiked, double share) {
  if (std::ranges::find(spiked, std::size_t{0}) == spiked.end()) return;
  const Real raise = raise_of(p, share);
  for (std::size_t j = 0; j < spiked.size(); ++j) {
    if (spiked[j]) continue;
    for (std::size_t k = j; k < p.weight.size(); k += spiked.size()) p.weight[k] += raise;
  }
}

// Of synapses one by one: each weight once, by the part of its synapses that lead to silent neurons.
template <class Real>
void raise_listed(Projection<Real>& p, const std::vector<std::size_t>& spiked, double share) {
  const SynapseList& synapses = p.connection.synapses();
  std::vector<std::size_t> silent(p.weight.size()), all(p.weight.size());
  for (std::size_t k = 0; k < synapses.size(); ++k) {
    const auto place = static_cast<std::size_t>(synapses[k].weight);
    ++all[place];
    silent[place] += !spiked[static_cast<std::size_t>(synapses[k].post)];
  }
  const Real raise = raise_of(p, share);
  for (std::size_t w = 0; w < p.weight.size(); ++w) {
    if (silent[w] == 0) continue;
    p.weight[w] += raise * static_cast<Real>(silent[w]) / static_cast<Real>(all[w]);
  }
}

}  // namespace

template <class Real>
std::size_t revive(const TrainSettings& settings, const std::vector<Trained>& trained,
                   const EpochState& epoch, double lr, Network<Real>& network) {
  // As small as the steps have become: a neuron that wakes late must not shake what has settled.
  const double share = settings.revive * (settings.lr > 0 ? lr / settings.lr : 1);
  std::vector<bool> reached(epoch.spiked.size(), false);
  for (const Trained& what : trained) {
    if (what.kind != Trained::Kind::weight) continue;
    Projection<Real>& projection = network.projections()[what.owner];
    const auto& spiked = epoch.spiked[projection.target];
    if (spiked.empty()) continue;  // LI
    reached[projection.target] = true;
    if (projection.connection.all_to_all()) {
      raise_rows(projection, spiked, share);
    } else {
      raise_listed(projection, spiked, share);
    }
  }
  std::size_t revived = 0;
  for (std::size_t p = 0; p < reached.size(); ++p) {
    if (reached[p]) revived += static_cast<std::size_t>(std::ranges::count(epoch.spiked[p], 0U));
  }
  return revived;
}

template std::size_t revive(const TrainSettings&, const std::vector<Trained>&, const EpochState&,
                            double, Network<float>&);
template std::size_t revive(const TrainSettings&, const std::vector<Trained>&, const EpochState&,
                            double, Network<double>&);

}  // namespace saltus
