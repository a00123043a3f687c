// SPDX-License-Identifier: Apache-2.0
// A record from spikes that were measured elsewhere: the adjoint needs the currents at the spikes
// and at the releases, which follow from the arrivals and the weights.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "machine/parallel.hpp"
#include "observe/replay.hpp"
#include "saltus/error.hpp"
#include "saltus/simulate.hpp"
#include "simulate/continued.hpp"
#include "simulate/prepared.hpp"

namespace saltus {
namespace {

template <class Real>
struct Currents : ReplayVisitor {
  Real* at_spike;
  Real* at_release;  // null without refractory time

  Currents(Real* spike, Real* release) : at_spike(spike), at_release(release) {}
  void spike(std::size_t k, Real current) { at_spike[k] = current; }
  void release(std::size_t k, Real current) {
    if (at_release) at_release[k] = current;
  }
};

template <class Real>
void check_spikes(const Plan<Real>& plan, const Inputs& inputs, std::size_t population,
                  const SpikeView& spikes) {
  const Population& p = plan.network->populations()[population];
  validate(spikes, p.size, p.name);
  if (spikes.samples() != inputs.samples()) {
    throw InvalidInput(fmt::format("spikes of '{}' have {} samples; the inputs have {}", p.name,
                                   spikes.samples(), inputs.samples()));
  }
  std::vector<double> last;
  for (std::size_t s = 0; s < spikes.samples(); ++s) {
    last.assign(p.size, -infinity);
    const SampleSpikes sample = sample_of(spikes, s);
    for (std::size_t k = 0; k < sample.times.size(); ++k) {
      const auto n = static_cast<std::size_t>(sample.neurons[k]);
      const double time = sample.times[k];
      if (time > inputs.end(s)) {
        throw InvalidInput(fmt::format(
            "sample {} of '{}': neuron {} spikes at {} s; expected a time until the end, {} s", s,
            p.name, n, time, inputs.end(s)));
      }
      const double tau_ref = p.model->has("tau_ref") ? p["tau_ref"][n] : 0;
      if (time <= last[n] || time < (last[n] + tau_ref) * linear::less_rounding) {
        throw InvalidInput(
            fmt::format("sample {} of '{}': neuron {} spikes at {} s; expected {} tau_ref = {} s "
                        "after its last spike",
                        s, p.name, n, time, tau_ref > 0 ? "at least" : "more than", tau_ref));
      }
      last[n] = time;
    }
  }
}

// Moves spikes of one neuron to earlier times, by as little as there is, until each is tau_ref before the next
// one: what arrives at the time of a spike comes after it, so later ones would not do. (Where arrivals make
// spikes the release allows for rounding: linear::Motion::release_after.)
template <class Real>
void part(const PopulationPlan<Real>& plan, const Population& p, Spikes& spikes) {
  if (!p.model->has("tau_ref") || (plan.is_linear() && plan.linear_neuron(0).jumps)) return;
  std::vector<double> next;
  for (std::size_t s = 0; s < spikes.samples(); ++s) {
    const auto first = static_cast<std::size_t>(spikes.offsets[s]);
    const auto last = static_cast<std::size_t>(spikes.offsets[s + 1]);
    next.assign(p.size, infinity);
    bool moved = false;
    for (std::size_t k = last; k-- > first;) {
      const auto n = static_cast<std::size_t>(spikes.neurons[k]);
      double& time = spikes.times[k];
      for (; time + p["tau_ref"][n] > next[n]; moved = true) time = std::nextafter(time, 0.0);
      next[n] = time;
    }
    if (!moved) continue;
    std::vector<std::pair<double, std::int32_t>> sorted;
    for (std::size_t k = first; k < last; ++k)
      sorted.emplace_back(spikes.times[k], spikes.neurons[k]);
    std::ranges::stable_sort(sorted, {}, &std::pair<double, std::int32_t>::first);
    for (std::size_t k = first; k < last; ++k) {
      std::tie(spikes.times[k], spikes.neurons[k]) = sorted[k - first];
    }
  }
}

}  // namespace

template <class Real>
Record<Real> record(const Network<Real>& network, const Inputs& inputs,
                    std::span<const SpikeView> spikes, const Options& options) {
  const Prepared<Real> prepared(network, inputs, options);
  const Plan<Real>& plan = prepared.plan;
  refuse_state(inputs, "records of other simulators");
  if (spikes.size() != network.populations().size()) {
    throw InvalidInput(fmt::format("spikes of {} populations given; the network has {}",
                                   spikes.size(), network.populations().size()));
  }
  Record<Real> result;
  result.samples = inputs.samples();
  result.populations.resize(spikes.size());
  for (std::size_t p = 0; p < spikes.size(); ++p) {
    SpikeRecord<Real>& out = result.populations[p];
    out.spikes.offsets.assign(result.samples + 1, 0);
    if (!network.populations()[p].fires()) continue;
    check_spikes(plan, inputs, p, spikes[p]);
    out.spikes.offsets.assign(spikes[p].offsets.begin(), spikes[p].offsets.end());
    out.spikes.times.assign(spikes[p].times.begin(), spikes[p].times.end());
    for (double& time : out.spikes.times) time += 0.0;  // never -0 (spikes/sample_spikes.hpp)
    out.spikes.neurons.assign(spikes[p].neurons.begin(), spikes[p].neurons.end());
    part(plan.populations[p], network.populations()[p], out.spikes);
    if (network.populations()[p].model->linear) continue;
    out.currents.resize(out.spikes.times.size());
    if (plan.populations[p].refractory) out.release_currents.resize(out.spikes.times.size());
  }
  parallel_for(options.threads, result.samples, [&](std::size_t s) {
    thread_local Timeline<Real> timeline;
    thread_local OwnSpikes own_spikes;
    for (std::size_t p = 0; p < spikes.size(); ++p) {
      if (network.populations()[p].model != Model::lif) continue;
      SpikeRecord<Real>& out = result.populations[p];
      const auto first = static_cast<std::size_t>(out.spikes.offsets[s]);
      Currents<Real> currents(
          out.currents.data() + first,
          out.release_currents.empty() ? nullptr : out.release_currents.data() + first);
      for_each_neuron(plan, inputs, result, p, s, timeline, own_spikes,
                      [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                        replay(plan.populations[p].neuron(j), arrivals, j, own, times,
                               inputs.end(s), currents);
                      });
    }
  });
  return result;
}

template Record<float> record(const Network<float>&, const Inputs&, std::span<const SpikeView>,
                              const Options&);
template Record<double> record(const Network<double>&, const Inputs&, std::span<const SpikeView>,
                               const Options&);

}  // namespace saltus
