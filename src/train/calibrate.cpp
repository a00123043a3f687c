// SPDX-License-Identifier: Apache-2.0
#include "train/calibrate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "saltus/advice.hpp"
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
  if (const std::string nothing = no_input(train, s.t_end); !nothing.empty()) {
    throw InvalidInput(nothing);
  }
  const double ends[] = {s.t_end};
  Spikes below = batch.spikes;  // of the layer below
  for (auto& projection : network.projections()) {
    const Population& target = network.populations()[projection.target];
    if (target.name == "out" || projection.source == projection.target) continue;
    // The layer alone: those below spike as they did, and those above do not matter.
    Network<Real> alone;
    alone.add_input("below", network.populations()[projection.source].size);
    alone.add_population(target);
    alone.connect("below", target.name, projection.weight, projection.delay, "",
                  projection.connection);
    for (const auto& p : network.projections()) {  // and onto itself
      if (p.source != projection.target || p.target != p.source) continue;
      alone.connect(target.name, target.name, p.weight, p.delay, "", p.connection);
    }
    const Inputs inputs{{below.view()}, ends};
    std::vector<Real>& weights = alone.projections()[0].weight;
    Spikes found;
    const auto mean_spikes = [&](double logarithm) {
      const Real factor = static_cast<Real>(std::exp(logarithm));
      for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = factor * projection.weight[i];
      Plan<Real> plan(alone);
      plan.limits = limits_of(s.train);
      check(plan, inputs);
      found = simulate<Real>(plan, inputs, s.train.threads).populations[1].spikes;
      return static_cast<double>(found.times.size()) /
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
    projection.weight = weights;
    below = std::move(found);
  }
}

template void calibrate(const RunSettings&, const data::LabelledSpikes&, Network<float>&);
template void calibrate(const RunSettings&, const data::LabelledSpikes&, Network<double>&);

}  // namespace saltus
