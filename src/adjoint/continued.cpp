// SPDX-License-Identifier: Apache-2.0
#include "adjoint/continued.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "machine/parallel.hpp"
#include "observe/on_the_way.hpp"
#include "observe/replay.hpp"
#include "saltus/error.hpp"
#include "simulate/continued.hpp"

namespace saltus {
namespace {

// What is said of the spikes of a population on their way at the end, sample by sample, is said of the spikes.
template <class Real>
void add_at_end(const Plan<Real>& plan, std::size_t population, const SpikeView& spikes,
                const Inputs& inputs, std::span<const double> said, std::vector<Real>& errors) {
  const Leaving<Real> leaving(plan, population);
  std::size_t next = 0;
  for (std::size_t s = 0; s < spikes.samples(); ++s) {
    const auto first = static_cast<std::size_t>(spikes.offsets[s]);
    for (const OnTheWay& spike : leaving.of(sample_of(spikes, s), inputs.end(s))) {
      errors[first + spike.number] += static_cast<Real>(said[next++]);
    }
  }
}

// How many there are of all samples.
template <class Real>
std::size_t count_at_end(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                         std::size_t population) {
  const Leaving<Real> leaving(plan, population);
  const SpikeView spikes = spikes_of(plan, inputs, record, population);
  std::size_t count = 0;
  for (std::size_t s = 0; s < spikes.samples(); ++s) {
    count += leaving.of(sample_of(spikes, s), inputs.end(s)).size();
  }
  return count;
}

// Room for the spikes of before, in front of those of each sample, of which nothing is said.
template <class Real>
std::vector<Real> behind(const std::vector<Real>& errors, const SpikeView& spikes,
                         const std::vector<std::size_t>& past) {
  std::vector<Real> all(spikes.times.size(), Real(0));
  auto from = errors.begin();
  for (std::size_t s = 0; s < past.size(); ++s) {
    const auto first = spikes.offsets[s] + static_cast<std::ptrdiff_t>(past[s]);
    const auto count = spikes.offsets[s + 1] - first;
    std::copy_n(from, count, all.begin() + first);
    from += count;
  }
  return all;
}

}  // namespace

template <class Real>
Errors<Real> with_spikes_at_end(const Plan<Real>& plan, const Inputs& inputs,
                                const Record<Real>& record, const Errors<Real>& errors) {
  Errors<Real> all = errors;
  for (std::size_t p = 0; p < plan.populations.size(); ++p) {
    PopulationErrors<Real>& e = all.populations[p];
    if (e.at_end.past.empty()) continue;
    const SpikeView spikes = spikes_of(plan, inputs, record, p);
    e.spikes.resize(spikes.times.size(), Real(0));
    add_at_end(plan, p, spikes, inputs, e.at_end.past, e.spikes);
    e.at_end.past.clear();
  }
  return all;
}

namespace {

// The adjoint needs I at the release of a spike of before too.
template <class Real>
struct Releases : ReplayVisitor {
  Real* currents;  // [spike of the sample]
  std::size_t past;
  Releases(Real* c, std::size_t count) : currents(c), past(count) {}
  void release(std::size_t k, Real current) {
    if (k < past) currents[k] = current;
  }
};
template <class Real>
void find_releases(Continued<Real>& all, int threads) {
  parallel_for(threads, all.plans.size(), [&](std::size_t s) {
    thread_local Timeline<Real> timeline;
    thread_local OwnSpikes own_spikes;
    for (std::size_t p = 0; p < all.past.size(); ++p) {
      const PopulationPlan<Real>& neurons = all.plans[s].populations[p];
      SpikeRecord<Real>& r = all.record.populations[p];
      if (!neurons.refractory || !held_at_start(neurons, sample_of(r.spikes, s))) continue;
      Releases<Real> found(r.release_currents.data() + r.spikes.offsets[s], all.past[p][s]);
      for_each_neuron(all.plans[s], all.inputs, all.record, p, s, timeline, own_spikes,
                      [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                        if (own.empty() || !is_past(times[own[0]])) return;
                        replay(neurons.neuron(j), arrivals, j, own, times, all.inputs.end(s),
                               found);
                      });
    }
  });
}

template <class T>
void append(std::vector<T>& all, const std::vector<T>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

// p of one sample at 0, [neuron, component].
template <class Real>
std::vector<double> at_start(const PopulationPlan<Real>& neurons, std::size_t size,
                             std::size_t components, Segments<Real>& segments,
                             LinearSegments& linear) {
  std::vector<double> x(size * components, 0);
  if (neurons.is_linear()) {
    linear.finish();
    for (std::size_t j = linear.next(0); j < size; j = linear.next(j + 1)) {
      LinearSegment last = linear.of(j).back();
      last.move_to(neurons.linear_neuron(j), 0);
      std::copy_n(last.p.begin(), components,
                  x.begin() + static_cast<std::ptrdiff_t>(j * components));
    }
    return x;
  }
  segments.finish();
  for (std::size_t j = segments.next(0); j < size; j = segments.next(j + 1)) {
    const auto& tc = neurons.neuron(j).tc;
    const auto lambda = segments.of(j).back().read(tc, 0);
    x[j * components] = -tc.tau_mem * static_cast<double>(lambda.v);
    x[j * components + 1] = -tc.tau_syn * static_cast<double>(lambda.i);
  }
  return x;
}

// Of dL/dt of all input spikes: those of before, and the others.
void split(const std::vector<double>& times, const SpikeView& spikes,
           const std::vector<std::size_t>& past, std::vector<double>& before,
           std::vector<double>& others) {
  for (std::size_t s = 0; s < past.size(); ++s) {
    const auto at = times.begin() + spikes.offsets[s],
               middle = at + static_cast<std::ptrdiff_t>(past[s]);
    before.insert(before.end(), at, middle);
    others.insert(others.end(), middle, times.begin() + spikes.offsets[s + 1]);
  }
}

}  // namespace

template <class Real>
void backward_to_state(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                       const Errors<Real>& errors, const Wanted& wanted, int threads,
                       Gradients<Real>& gradients) {
  const std::size_t samples = inputs.samples();
  Continued<Real> all(plan, inputs, &record, 0, samples);
  find_releases(all, threads);
  Errors<Real> shifted = errors;
  for (std::size_t p = 0; p < plan.populations.size(); ++p) {
    std::vector<Real>& e = shifted.populations[p].spikes;
    if (!e.empty()) e = behind(e, spikes_of(plan, all.inputs, all.record, p), all.past[p]);
  }
  Wanted with_times = wanted;
  with_times.input_times = true;
  BackwardMemory<Real> memory;
  backward<Real>(plan, all.inputs, all.record, shifted, with_times, threads, nullptr, memory,
                 gradients, nullptr, all.plans);

  auto& state = gradients.state.populations;
  state.assign(plan.populations.size(), {});
  for (std::size_t p = 0; p < state.size(); ++p) {
    if (plan.input_number[p] >= 0) {
      std::vector<double> others;
      split(gradients.times[p], all.inputs.spikes[static_cast<std::size_t>(plan.input_number[p])],
            all.past[p], state[p].past, others);
      gradients.times[p] = wanted.input_times ? std::move(others) : std::vector<double>();
      continue;
    }
    const std::size_t size = plan.size(p);
    const std::size_t count = components(plan.network->populations()[p].model).size();
    for (std::size_t s = 0; s < samples; ++s) {
      Segments<Real>& segments = memory.segments[s][p];
      LinearSegments& linear = memory.linear[s][p];
      append(state[p].x, at_start(plan.populations[p], size, count, segments, linear));
      append(state[p].past, plan.populations[p].is_linear() ? linear.past : segments.past);
    }
  }
}

template <class Real>
void check_errors_at_end(const Network<Real>& network, const Inputs& inputs,
                         const Record<Real>& record, const Errors<Real>& errors) {
  const auto silent = [](const auto& e) { return e.at_end.x.empty() && e.at_end.past.empty(); };
  if (std::ranges::all_of(errors.populations, silent)) return;
  for (std::size_t s = 0; s < inputs.t_end.size(); ++s) {
    if (!std::isinf(inputs.t_end[s])) continue;
    throw InvalidInput(fmt::format("t_end[{}] is infinite: there is no state at the end", s));
  }
  const Plan<Real> plan(network);
  std::unique_ptr<const Continued<Real>> all;
  if (inputs.state && says_of_spikes_at_end(errors)) {
    all = std::make_unique<Continued<Real>>(plan, inputs, &record, 0, record.samples);
  }
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Population& population = network.populations()[p];
    const auto& [x, past] = errors.populations[p].at_end;
    const std::size_t values =
        record.samples * population.size * components(population.model).size();
    const auto check = [&](const std::vector<double>& values_given, std::size_t expected,
                           std::string_view what) {
      if (values_given.empty()) return;
      if (values_given.size() != expected) {
        throw InvalidInput(fmt::format("errors of the state of '{}': {} {}; expected {}",
                                       population.name, values_given.size(), what, expected));
      }
      for (const double value : values_given) {
        if (std::isfinite(value)) continue;
        throw InvalidInput(
            fmt::format("errors of the state of '{}': one of the {} is {}; expected finite numbers",
                        population.name, what, value));
      }
    };
    check(x, values, "values");
    if (past.empty()) continue;
    check(past, count_at_end(plan, all ? all->inputs : inputs, all ? all->record : record, p),
          "spikes");
  }
}

#define SALTUS_INSTANTIATE(Real)                                                                  \
  template Errors<Real> with_spikes_at_end(const Plan<Real>&, const Inputs&, const Record<Real>&, \
                                           const Errors<Real>&);                                  \
  template void backward_to_state(const Plan<Real>&, const Inputs&, const Record<Real>&,          \
                                  const Errors<Real>&, const Wanted&, int, Gradients<Real>&);     \
  template void check_errors_at_end(const Network<Real>&, const Inputs&, const Record<Real>&,     \
                                    const Errors<Real>&);
SALTUS_INSTANTIATE(float)
SALTUS_INSTANTIATE(double)
#undef SALTUS_INSTANTIATE

}  // namespace saltus
