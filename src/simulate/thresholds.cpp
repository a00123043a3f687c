// SPDX-License-Identifier: Apache-2.0
// The forward pass at thresholds that are drawn or set by hand: the event loop, whose neurons
// change their threshold at each of their spikes (docs/ghosts.md).
#include "simulate/thresholds.hpp"

#include <fmt/format.h>

#include <cmath>

#include "saltus/error.hpp"
#include "simulate/pack.hpp"
#include "simulate/parallel.hpp"
#include "simulate/run.hpp"
#include "simulate/ways.hpp"

namespace saltus {
namespace {

template <class Real>
void check_room(const Network<Real>& network, const Smoothing& smoothing) {
  for (const Population& p : network.populations()) {
    if (p.model != Model::lif) continue;
    for (std::size_t j = 0; j < p.size; ++j) {
      const double lowest = p.v_threshold[j] - smoothing.range();
      if (lowest > std::max(p.v_reset[j], p.v_initial[j])) continue;
      throw InvalidInput(fmt::format(
          "sampled thresholds of {}[{}] reach down to {}, where V may start ({} after a spike, {} "
          "at 0); expected a smaller sigma ({}) or reach ({})",
          p.name, j, lowest, p.v_reset[j], p.v_initial[j], smoothing.sigma, smoothing.reach));
    }
  }
}

// The threshold of each spike of one sample.
template <class Real>
void note_thresholds(const Plan<Real>& plan, const Thresholds& thresholds, std::size_t population,
                     std::size_t sample, SpikeRecord<Real>& record) {
  std::vector<std::size_t> segments(plan.size(population), 0);
  const auto first = static_cast<std::size_t>(record.spikes.offsets[sample]);
  const auto last = static_cast<std::size_t>(record.spikes.offsets[sample + 1]);
  for (std::size_t k = first; k < last; ++k) {
    const auto j = static_cast<std::size_t>(record.spikes.neurons[k]);
    const double mean = plan.populations[population].neuron(j).theta;
    record.thresholds[k] =
        static_cast<Real>(thresholds.of(population, sample, j, segments[j]++, mean));
  }
}

}  // namespace

void check(const Smoothing& s) {
  if (!(std::isfinite(s.sigma) && s.sigma >= 0)) {
    throw InvalidInput(fmt::format("sigma is {}; expected a finite number of at least 0", s.sigma));
  }
  if (!(std::isfinite(s.reach) && s.reach > 0)) {
    throw InvalidInput(fmt::format("reach is {}; expected a finite number above 0", s.reach));
  }
}

template <class Real>
Record<Real> simulate(const Network<Real>& network, const Inputs& inputs,
                      const Smoothing& smoothing, std::span<const ThresholdOverride> overrides,
                      const Options& options) {
  check(smoothing);
  const bool sampled = smoothing.sigma > 0 && smoothing.thresholds == ThresholdReading::sampled;
  if (!sampled && overrides.empty()) return simulate(network, inputs, options);
  network.check();
  if (sampled) check_room(network, smoothing);
  const Plan<Real> plan(network, Way::event_loop);
  check(plan, inputs);
  const Thresholds thresholds(smoothing, overrides);
  SampleRecords<Real> samples(inputs.samples(),
                              std::vector<SampleRecord<Real>>(plan.populations.size()));
  parallel_for(options.threads, samples.size(), [&](std::size_t s) {
    thread_local Workspace<Real> workspace;
    SampleRun<Real> run{plan, inputs, s, samples[s], workspace, nullptr, &thresholds};
    for (const ComponentPlan& c : plan.components) {
      const bool readout = network.populations()[c.component.populations[0]].model == Model::li;
      if (!readout) run_event_loop(run, c.component);
    }
  });
  Record<Real> record;
  pack(plan, samples, options.threads, record);
  for (std::size_t p = 0; p < plan.populations.size(); ++p) {
    record.populations[p].thresholds.resize(record.populations[p].currents.size());
    for (std::size_t s = 0; s < samples.size(); ++s) {
      note_thresholds(plan, thresholds, p, s, record.populations[p]);
    }
  }
  return record;
}

template Record<float> simulate(const Network<float>&, const Inputs&, const Smoothing&,
                                std::span<const ThresholdOverride>, const Options&);
template Record<double> simulate(const Network<double>&, const Inputs&, const Smoothing&,
                                 std::span<const ThresholdOverride>, const Options&);

}  // namespace saltus
