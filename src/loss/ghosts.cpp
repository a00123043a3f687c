// SPDX-License-Identifier: Apache-2.0
// What the loss of first spikes says of a spike that nearly exists (docs/ghosts.md): its value with
// the output's first spike at the peak, minus its value with that spike where V would be as high
// again, or missing.
#include <cmath>
#include <vector>

#include "loss/cross_entropy.hpp"
#include "loss/evaluate.hpp"

namespace saltus {
namespace {

// The loss of one sample from the times of first spikes; infinite: missing. `highest` is the
// largest V of the label's output if that is missing.
double first_spike_loss(const LossSettings& s, std::span<const double> first, std::size_t label,
                        double highest) {
  if (std::isinf(first[label])) return s.t_missing / s.tau_0 - s.silent_pull * highest;
  std::vector<double> scores, errors(first.size());
  for (const double t : first) scores.push_back(-(std::isinf(t) ? s.t_missing : t) / s.tau_0);
  return cross_entropy(scores, label, errors) + s.alpha * std::expm1(first[label] / s.tau_1);
}

}  // namespace

template <class Real>
void add_direct_differences(const LossSettings& settings, const Plan<Real>& plan,
                            const Record<Real>& record, std::size_t readout,
                            std::span<const std::int32_t> labels, Ghosts<Real>& ghosts) {
  if (settings.kind != LossKind::first_spike) return;
  const double share = 1.0 / static_cast<double>(labels.size());
  for (std::size_t s = 0; s < labels.size(); ++s) {
    std::vector<double> first(plan.size(readout), infinity);
    const SampleSpikes spikes = sample_of(record.populations[readout].spikes, s);
    for (std::size_t k = spikes.times.size(); k-- > 0;) {
      first[static_cast<std::size_t>(spikes.neurons[k])] = spikes.times[k];
    }
    const auto label = static_cast<std::size_t>(labels[s]);
    for (Ghost<Real>& g : ghosts.populations[readout][s]) {
      if (g.segment > 0) continue;  // not the first
      std::vector<double> with = first, without = first;
      with[static_cast<std::size_t>(g.neuron)] = g.time;
      without[static_cast<std::size_t>(g.neuron)] = g.later;
      const auto highest = static_cast<double>(g.height);  // the same in both if it is not theirs
      g.direct = share * (first_spike_loss(settings, with, label, highest) -
                          first_spike_loss(settings, without, label, highest));
    }
  }
}

template void add_direct_differences(const LossSettings&, const Plan<float>&, const Record<float>&,
                                     std::size_t, std::span<const std::int32_t>, Ghosts<float>&);
template void add_direct_differences(const LossSettings&, const Plan<double>&,
                                     const Record<double>&, std::size_t,
                                     std::span<const std::int32_t>, Ghosts<double>&);

}  // namespace saltus
