// SPDX-License-Identifier: Apache-2.0
// The state at the end of a run, read off its record.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "machine/parallel.hpp"
#include "observe/linear_replay.hpp"
#include "observe/on_the_way.hpp"
#include "observe/replay.hpp"
#include "saltus/error.hpp"
#include "saltus/state.hpp"
#include "simulate/prepared.hpp"

namespace saltus {
namespace {

// V is below the threshold for all that the simulation knows, whatever a replay rounds.
template <class Real>
void put(const neuron::Lif<Real>& n, std::pair<Real, Real> vi, double* x) {
  x[0] = static_cast<double>(std::min(vi.first, n.just_below_theta));
  x[1] = static_cast<double>(vi.second);
}
void put(const linear::Neuron& n, linear::Vector<double> now, std::size_t components, double* x) {
  constexpr double rounding = 1e-9;
  const double size = std::max(1.0, std::fabs(n.theta));
  double above = n.spikes ? n.above(now) : -1;
  // (Where spikes leave it above the threshold it may be on its way down.)
  if (above >= 0 && above < rounding * size && !n.starts_above(n.after_spike(now))) {
    double less = std::numeric_limits<double>::epsilon() * size;
    for (int tries = 0; above >= 0 && tries < 8; ++tries, less *= 2) {
      now[0] -= above + less;
      above = n.above(now);
    }
  }
  std::copy_n(now.begin(), components, x);
}

// Of all neurons that see and decay alike: V and I at the end are sums over what has arrived since the last spike,
// and what I was then, which the record tells. In double.
template <class Real>
class Sums {
 public:
  Sums(const PopulationPlan<Real>& plan, std::size_t size, double end)
      : plan_(plan), end_(end), v_(size), i_(size), spike_(size, none) {}

  /// @param x  [neuron, V and I]
  void find(const Arrivals<Real>& arrivals, SampleSpikes spikes, std::span<const Real> currents,
            std::span<const Real> release_currents, double* x) {
    const std::size_t groups = arrivals.group_count(), size = v_.size();
    const neuron::TimeConstants& tc = plan_.neuron(0).tc;
    for (std::size_t k = count_past(spikes.times); k < spikes.times.size(); ++k) {
      spike_[static_cast<std::size_t>(spikes.neurons[k])] = k;
    }
    std::vector<double> left{end_};
    for (const double t : arrivals.times) left.push_back(end_ - t);
    decays_.resize(left.size());
    neuron::decays(tc, left, decays_.data());
    for (std::size_t j = 0; j < size; ++j) {
      const auto& n = plan_.neuron(j);
      put(j, n, n.v_initial, n.i_initial, decays_[0]);
    }
    // Spikes and releases that cut off what was before, in order of time.
    cuts_.clear();
    for (std::size_t j = 0; j < size; ++j) {
      const std::size_t k = spike_[j];
      if (k == none) continue;
      const double time = spikes.times[k], release = time + plan_.neuron(j).tau_ref;
      cuts_.push_back({time, j, static_cast<double>(currents[k])});
      if (release > time && release <= end_) {
        cuts_.push_back({release, j, static_cast<double>(release_currents[k])});
      }
    }
    std::ranges::sort(cuts_, {}, [](const Cut& c) { return std::pair(c.time, c.neuron); });
    auto cut = cuts_.begin();
    for (std::size_t g = 0; g <= groups; ++g) {
      const double until = g < groups ? arrivals.times[g] : infinity;
      for (; cut != cuts_.end() && cut->time <= until; ++cut) {
        const auto& n = plan_.neuron(cut->neuron);
        put(cut->neuron, n, n.v_reset, cut->current, neuron::decay<double>(tc, end_ - cut->time));
      }
      if (g == groups) break;
      const auto& d = decays_[g + 1];
      for (const auto& arrival : arrivals.group(g)) {
        for (std::size_t j = 0; j < size; ++j) {
          const auto weight = static_cast<double>(arrival.row[j]);
          v_[j] += d.k * weight;
          i_[j] += d.syn * weight;
        }
      }
    }
    for (std::size_t j = 0; j < size; ++j) {
      const auto& n = plan_.neuron(j);
      const std::size_t k = spike_[j];
      const bool held = k != none && spikes.times[k] + n.tau_ref > end_;
      saltus::put(n, {static_cast<Real>(held ? n.v_reset : v_[j]), static_cast<Real>(i_[j])},
                  x + 2 * j);
    }
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  struct Cut {
    double time;
    std::size_t neuron;
    double current;  // I then
  };
  const PopulationPlan<Real>& plan_;
  double end_;
  std::vector<double> v_, i_;
  std::vector<std::size_t> spike_;  // [neuron] the last one
  std::vector<Cut> cuts_;
  std::vector<neuron::Decay<double>> decays_;

  void put(std::size_t j, const neuron::Lif<Real>& n, double v, double i,
           const neuron::Decay<double>& d) {
    const double bias = static_cast<double>(n.bias);
    v_[j] = bias + (v - bias) * d.mem + i * d.k;
    i_[j] = i * d.syn;
  }
};

// One sample, of a run that started anew or goes on.
template <class Real>
void find(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
          std::size_t sample, std::size_t at, const std::vector<Leaving<Real>>& leaving,
          State& state, std::vector<std::vector<OnTheWay>>& on_the_way) {
  thread_local Timeline<Real> timeline;
  thread_local OwnSpikes own_spikes;
  const double end = inputs.end(sample);
  for (std::size_t p = 0; p < plan.populations.size(); ++p) {
    const SpikeView spikes = spikes_of(plan, inputs, record, p);
    const SampleSpikes of_all = sample_of(spikes, sample);
    on_the_way.push_back(leaving[p].of(of_all, end));
    if (plan.input_number[p] >= 0) continue;
    const PopulationPlan<Real>& neurons = plan.populations[p];
    const std::size_t components = state.populations[p].x.size() / (state.samples * plan.size(p));
    double* const x = state.populations[p].x.data() + at * plan.size(p) * components;
    const SpikeRecord<Real>& r = record.populations[p];
    // (I at the release of a spike of before is not in the record.)
    if (plan.in_vectors(p) && neurons.same_time_constants && !held_at_start(neurons, of_all)) {
      start_timeline(plan, inputs, record, p, sample, timeline);
      const auto first = static_cast<std::size_t>(spikes.offsets[sample]);
      const auto count = static_cast<std::size_t>(spikes.offsets[sample + 1]) - first;
      Sums<Real>(neurons, plan.size(p), end)
          .find(timeline.shared(), of_all, of_spikes(r.currents, first, count),
                of_spikes(r.release_currents, first, count), x);
      continue;
    }
    thread_local linear::SharedSteps<double> steps;  // of those that move alike
    const linear::SharedSteps<double>* shared = nullptr;
    if (neurons.motion) {
      start_timeline(plan, inputs, record, p, sample, timeline);
      steps.find(*neurons.motion, timeline.shared().times, most_components);
      shared = &steps;
    }
    for_each_neuron(
        plan, inputs, record, p, sample, timeline, own_spikes,
        [&](std::size_t j, const auto& arrivals, auto own, auto times) {
          double* const to = x + j * components;
          if (neurons.is_linear()) {
            const linear::Neuron& n = neurons.linear_neuron(j);
            put(n, replay<double>(n, arrivals, j, own, times, end, LinearVisitor<double>(), shared),
                components, to);
            return;
          }
          const auto& n = neurons.neuron(j);
          put(n, replay(n, arrivals, j, own, times, end, ReplayVisitor()), to);
        });
  }
}

}  // namespace

template <class Real>
State final_state(const Network<Real>& network, const Inputs& inputs, const Record<Real>& record,
                  const Options& options) {
  const Prepared<Real> prepared(network, inputs, record, options);
  const Plan<Real>& plan = prepared.plan;
  const std::size_t samples = inputs.samples(), count = network.populations().size();
  for (std::size_t s = 0; s < inputs.t_end.size(); ++s) {
    if (!std::isinf(inputs.t_end[s])) continue;
    throw InvalidInput(
        fmt::format("t_end[{}] is infinite: nothing goes on from there; give a finite end", s));
  }
  State state;
  state.samples = samples;
  state.populations.resize(count);
  for (std::size_t p = 0; p < count; ++p) {
    const Population& population = network.populations()[p];
    state.populations[p].x.resize(samples * population.size * components(population.model).size());
  }
  std::vector<Leaving<Real>> leaving;
  for (std::size_t p = 0; p < count; ++p) leaving.emplace_back(plan, p);
  std::vector<std::vector<std::vector<OnTheWay>>> on_the_way(samples);
  if (inputs.state) {
    parallel_for(options.threads, samples, [&](std::size_t s) {
      const Continued<Real> one(plan, inputs, &record, s, 1);
      find(one.plans[0], one.inputs, one.record, 0, s, leaving, state, on_the_way[s]);
    });
  } else {
    parallel_for(options.threads, samples, [&](std::size_t s) {
      find(plan, inputs, record, s, s, leaving, state, on_the_way[s]);
    });
  }
  for (std::size_t s = 0; s < samples; ++s) {
    for (std::size_t p = 0; p < count; ++p) {
      Spikes& past = state.populations[p].past;
      for (const OnTheWay& spike : on_the_way[s][p]) {
        past.times.push_back(spike.time);
        past.neurons.push_back(spike.neuron);
      }
      past.offsets.push_back(static_cast<std::int64_t>(past.times.size()));
    }
  }
  return state;
}

template State final_state(const Network<float>&, const Inputs&, const Record<float>&,
                           const Options&);
template State final_state(const Network<double>&, const Inputs&, const Record<double>&,
                           const Options&);

}  // namespace saltus
