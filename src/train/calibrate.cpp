// SPDX-License-Identifier: Apache-2.0
#include "train/calibrate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "saltus/error.hpp"
#include "simulate/forward.hpp"
#include "train/minibatch.hpp"

namespace saltus {

template <class Real>
void calibrate(const RunSettings& s, const data::LabelledSpikes& train, Network<Real>& network) {
  Minibatch batch;
  std::vector<std::uint32_t> samples(std::min<std::size_t>(64, train.size()));
  std::iota(samples.begin(), samples.end(), 0u);
  batch.gather(train, samples);
  const double ends[] = {s.t_end};
  const Inputs inputs{{batch.spikes.view()}, ends};
  for (auto& projection : network.projections()) {
    const Population& target = network.populations()[projection.target];
    if (target.name == "out" || projection.source == projection.target) continue;
    const std::vector<Real> drawn = projection.weight;
    const auto mean_spikes = [&](double logarithm) {
      const Real factor = static_cast<Real>(std::exp(logarithm));
      for (std::size_t i = 0; i < drawn.size(); ++i) projection.weight[i] = factor * drawn[i];
      const Plan<Real> plan(network);
      check(plan, inputs);
      const auto record = simulate<Real>(plan, inputs, s.train.threads);
      return static_cast<double>(record.populations[projection.target].spikes.times.size()) /
             static_cast<double>(target.size * samples.size());
    };
    const double step = std::log(2.0), most = 10 * step;
    double high = 0;
    for (double spikes; (spikes = mean_spikes(high)) < s.initial_spikes; high += step) {
      if (high < most) continue;
      throw InvalidInput(
          fmt::format("initial_spikes is {}, but with {:.0f} times the first weights a neuron of "
                      "'{}' spikes only "
                      "{:.3g} times a sample; raise their mean, or give a smaller initial_spikes",
                      s.initial_spikes, std::exp(high), target.name, spikes));
    }
    double low = high - step;
    while (low > -most && mean_spikes(low) >= s.initial_spikes) {
      high = low;
      low -= step;
    }
    for (int k = 0; k < 12; ++k) {
      const double middle = (low + high) / 2;
      (mean_spikes(middle) < s.initial_spikes ? low : high) = middle;
    }
    mean_spikes(high);
  }
}

template void calibrate(const RunSettings&, const data::LabelledSpikes&, Network<float>&);
template void calibrate(const RunSettings&, const data::LabelledSpikes&, Network<double>&);

}  // namespace saltus
