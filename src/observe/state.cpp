// SPDX-License-Identifier: Apache-2.0
// The state at the end of a run, read off its record.
#include <fmt/format.h>

#include <cmath>

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
  const double above = n.spikes ? n.above(now) : 0;
  if (above > 0 && above < rounding * std::max(1.0, std::fabs(n.theta))) {
    now[0] = std::nextafter(now[0] - above, -infinity);
  }
  std::copy_n(now.begin(), components, x);
}

// One sample, of a run that started anew or goes on.
template <class Real>
void find(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
          std::size_t sample, std::size_t at, State& state,
          std::vector<std::vector<OnTheWay>>& leaving) {
  thread_local Timeline<Real> timeline;
  thread_local OwnSpikes own_spikes;
  const double end = inputs.end(sample);
  leaving.resize(plan.populations.size());
  for (std::size_t p = 0; p < plan.populations.size(); ++p) {
    const int input = plan.input_number[p];
    const SpikeView spikes = input >= 0 ? inputs.spikes[static_cast<std::size_t>(input)]
                                        : record.populations[p].spikes.view();
    leaving[p] = Leaving<Real>(plan, p).of(sample_of(spikes, sample), end);
    if (input >= 0) continue;
    const PopulationPlan<Real>& neurons = plan.populations[p];
    const std::size_t components =
        state.populations[p].x.size() / (state.samples * plan.size(p));
    double* const x = state.populations[p].x.data() + at * plan.size(p) * components;
    for_each_neuron(plan, inputs, record, p, sample, timeline, own_spikes,
                    [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                      double* const to = x + j * components;
                      if (neurons.is_linear()) {
                        const linear::Neuron& n = neurons.linear_neuron(j);
                        put(n,
                            replay<double>(n, arrivals, j, own, times, end,
                                           LinearVisitor<double>()),
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
  std::vector<std::vector<std::vector<OnTheWay>>> leaving(samples);
  if (inputs.state) {
    for_each_continued(plan, inputs, record, options.threads,
                       [&](const Continued<Real>& one, std::size_t s) {
                         find(one.plan, one.inputs, one.record, 0, s, state, leaving[s]);
                       });
  } else {
    parallel_for(options.threads, samples,
                 [&](std::size_t s) { find(plan, inputs, record, s, s, state, leaving[s]); });
  }
  for (std::size_t s = 0; s < samples; ++s) {
    for (std::size_t p = 0; p < count; ++p) {
      Spikes& past = state.populations[p].past;
      for (const OnTheWay& spike : leaving[s][p]) {
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
