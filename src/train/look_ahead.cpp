// SPDX-License-Identifier: Apache-2.0
#include "train/look_ahead.hpp"

#include <algorithm>
#include <cmath>

#include "saltus/margin.hpp"
#include "train/penalties.hpp"
#include "train/step.hpp"

namespace saltus {

template <class Real>
void look_ahead(const TrainSettings& settings, const Network<Real>& network, const Inputs& inputs,
                const Gradients<Real>& gradients, std::size_t epoch_samples, EpochReport& report) {
  const std::size_t samples = std::min({inputs.samples(), most_looked_at, epoch_samples / 1000});
  // Peaks near a threshold are known of LIF alone.
  const bool known = std::ranges::all_of(network.populations(), [](const Population& p) {
    return !p.fires() || p.model == Model::lif;
  });
  if (samples == 0 || !known) return;
  Inputs some = inputs;
  for (SpikeView& spikes : some.spikes) {
    spikes.offsets = spikes.offsets.first(samples + 1);
    const auto count = static_cast<std::size_t>(spikes.offsets.back());
    spikes.times = spikes.times.first(count);
    spikes.neurons = spikes.neurons.first(count);
  }
  if (some.t_end.size() > 1) some.t_end = some.t_end.first(samples);
  Options options;
  options.threads = settings.threads;
  options.limits = limits_of(settings);
  const Margin m = margin(network, some, gradients, settings.trainable, 0.1, options);
  report.near_peaks_per_sample = static_cast<double>(m.near_peaks) / static_cast<double>(samples);
  report.believable_step = m.step;
}

template <class Real>
double ghost_share(const TrainSettings& settings, const Batch<Real>& b, const Errors<Real>& errors,
                   const std::vector<Trained>& trained, const Gradients<Real>& gradients,
                   BackwardMemory<Real>& memory) {
  const double whole = norm_of(trained, b.network, gradients, b.threads);
  Gradients<Real> exact;
  backward<Real>(b.plan, b.inputs, b.record, errors, wanted_for(b.network, trained), b.threads,
                 b.timelines, memory, exact, nullptr, {}, b.team);
  add_penalties(settings, trained, b.network, exact);
  double sum = 0;
  for (const Trained& what : trained) {
    const double unit = unit_of(b.network, what);
    visit_trained(
        what, b.network,
        [&](auto&, auto& with, auto& without) {
          for (std::size_t k = 0; k < with.size(); ++k) {
            const double added = static_cast<double>(with[k]) - static_cast<double>(without[k]);
            sum += std::pow(unit * added, 2);
          }
        },
        gradients, exact);
  }
  return whole > 0 ? std::sqrt(sum) / whole : 0;
}

template void look_ahead(const TrainSettings&, const Network<float>&, const Inputs&,
                         const Gradients<float>&, std::size_t, EpochReport&);
template void look_ahead(const TrainSettings&, const Network<double>&, const Inputs&,
                         const Gradients<double>&, std::size_t, EpochReport&);
template double ghost_share(const TrainSettings&, const Batch<float>&, const Errors<float>&,
                            const std::vector<Trained>&, const Gradients<float>&,
                            BackwardMemory<float>&);
template double ghost_share(const TrainSettings&, const Batch<double>&, const Errors<double>&,
                            const std::vector<Trained>&, const Gradients<double>&,
                            BackwardMemory<double>&);

}  // namespace saltus
