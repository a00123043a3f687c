// SPDX-License-Identifier: Apache-2.0
// The forward pass at thresholds that are drawn or set by hand: one neuron after the other, or the
// event loop, and each changes its threshold at its spikes (docs/ghosts.md).
#include "simulate/forward.hpp"
#include "simulate/prepared.hpp"
#include "thresholds/thresholds.hpp"

namespace saltus {

template <class Real>
void note_thresholds(const Plan<Real>& plan, const Thresholds& thresholds, Record<Real>& record) {
  std::vector<std::size_t> segments;
  for (std::size_t p = 0; p < record.populations.size(); ++p) {
    SpikeRecord<Real>& r = record.populations[p];
    if (plan.populations[p].is_linear()) continue;
    r.thresholds.resize(r.currents.size());
    for (std::size_t s = 0; s < record.samples; ++s) {
      segments.assign(plan.size(p), 0);
      const auto last = static_cast<std::size_t>(r.spikes.offsets[s + 1]);
      for (auto k = static_cast<std::size_t>(r.spikes.offsets[s]); k < last; ++k) {
        const auto j = static_cast<std::size_t>(r.spikes.neurons[k]);
        const double mean = plan.populations[p].neuron(j).theta;
        r.thresholds[k] = static_cast<Real>(thresholds.of(p, s, j, segments[j]++, mean));
      }
    }
  }
}

template <class Real>
Record<Real> simulate(const Network<Real>& network, const Inputs& inputs,
                      const Smoothing& smoothing, std::span<const ThresholdOverride> overrides,
                      const Options& options) {
  check(smoothing);
  if (!smoothing.draws() && overrides.empty()) return simulate(network, inputs, options);
  const Prepared<Real> prepared(network, inputs, options);
  if (smoothing.draws()) check_room(network, smoothing);
  ForwardMemory<Real> memory;
  Record<Real> record;
  const Thresholds thresholds(smoothing, overrides);
  simulate(prepared.plan, inputs, options.threads, memory, record, &thresholds);
  return record;
}

#define SALTUS_INSTANTIATE(Real)                                                        \
  template void note_thresholds(const Plan<Real>&, const Thresholds&, Record<Real>&);   \
  template Record<Real> simulate(const Network<Real>&, const Inputs&, const Smoothing&, \
                                 std::span<const ThresholdOverride>, const Options&);
SALTUS_INSTANTIATE(float)
SALTUS_INSTANTIATE(double)
#undef SALTUS_INSTANTIATE

}  // namespace saltus
