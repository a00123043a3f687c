// SPDX-License-Identifier: Apache-2.0
#include "adjoint/continued.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "adjoint/shape.hpp"
#include "machine/parallel.hpp"
#include "observe/on_the_way.hpp"
#include "observe/replay.hpp"
#include "saltus/error.hpp"
#include "simulate/continued.hpp"

namespace saltus {
namespace {

template <class Real>
SampleSpikes spikes_of(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                       std::size_t population, std::size_t sample) {
  const int input = plan.input_number[population];
  return sample_of(input >= 0 ? inputs.spikes[static_cast<std::size_t>(input)]
                              : record.populations[population].spikes.view(),
                   sample);
}

// How many of the spikes at the end come before each sample's, per population: [population][sample + 1].
using Offsets = std::vector<std::vector<std::size_t>>;

template <class Real>
Offsets offsets_at_end(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record) {
  Offsets offsets(plan.populations.size(), {0});
  const auto count = [&](const Plan<Real>& of, const Inputs& in, const Record<Real>& r,
                         std::size_t s, double end) {
    for (std::size_t p = 0; p < of.populations.size(); ++p) {
      const auto found = Leaving<Real>(of, p).of(spikes_of(of, in, r, p, s), end);
      offsets[p].push_back(offsets[p].back() + found.size());
    }
  };
  for (std::size_t s = 0; s < inputs.samples(); ++s) {
    if (!inputs.state) {
      count(plan, inputs, record, s, inputs.end(s));
      continue;
    }
    const Continued<Real> one(plan, inputs, &record, s);
    count(one.plan, one.inputs, one.record, 0, inputs.end(s));
  }
  return offsets;
}

// Adds what is said of the spikes at the end of one sample to those of the sample.
// @param said  of this sample's  @param first  number of the sample's first spike in `errors`
template <class Real>
void add_at_end(const Plan<Real>& plan, std::size_t population, SampleSpikes spikes, double end,
                std::span<const double> said, std::size_t first, std::vector<Real>& errors) {
  const auto leaving = Leaving<Real>(plan, population).of(spikes, end);
  for (std::size_t k = 0; k < leaving.size(); ++k) {
    errors[first + leaving[k].number] += static_cast<Real>(said[k]);
  }
}

}  // namespace

template <class Real>
Errors<Real> with_spikes_at_end(const Plan<Real>& plan, const Inputs& inputs,
                                const Record<Real>& record, const Errors<Real>& errors) {
  Errors<Real> all = errors;
  const Offsets offsets = offsets_at_end(plan, inputs, record);
  for (std::size_t p = 0; p < plan.populations.size(); ++p) {
    PopulationErrors<Real>& e = all.populations[p];
    if (e.at_end.past.empty()) continue;
    std::size_t first = 0;
    for (std::size_t s = 0; s < inputs.samples(); ++s) {
      const SampleSpikes spikes = spikes_of(plan, inputs, record, p, s);
      e.spikes.resize(std::max(e.spikes.size(), first + spikes.times.size()), Real(0));
      add_at_end(plan, p, spikes, inputs.end(s),
                 std::span<const double>(e.at_end.past).subspan(offsets[p][s]), first, e.spikes);
      first += spikes.times.size();
    }
    e.at_end.past.clear();
  }
  return all;
}

namespace {

template <class T>
std::vector<T> part(const std::vector<T>& from, std::size_t sample, std::size_t samples) {
  const std::size_t count = from.size() / samples;
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(sample * count);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

// The errors of one sample; nothing is said of its spikes of before but by what comes after the end.
template <class Real>
Errors<Real> errors_of(const Continued<Real>& one, const Record<Real>& record,
                       const Errors<Real>& errors, const Offsets& at_end, std::size_t s) {
  Errors<Real> result(errors.populations.size());
  const std::size_t samples = record.samples;
  for (std::size_t p = 0; p < result.populations.size(); ++p) {
    const PopulationErrors<Real>& from = errors.populations[p];
    PopulationErrors<Real>& to = result.populations[p];
    to.maxima = part(from.maxima, s, samples);
    to.integrals = part(from.integrals, s, samples);
    to.sample_times = from.sample_times;
    to.samples = part(from.samples, s, samples);
    to.at_end.x = part(from.at_end.x, s, samples);
    const Maxima<Real>& m = errors.maxima[p];
    if (!from.maxima.empty()) {
      result.maxima[p] = {part(m.values, s, samples), part(m.times, s, samples),
                          part(m.places, s, samples), part(m.currents, s, samples)};
    }
    if (from.spikes.empty() && from.at_end.past.empty()) continue;
    const SampleSpikes spikes = spikes_of(one.plan, one.inputs, one.record, p, 0);
    to.spikes.assign(spikes.times.size(), Real(0));
    if (!from.spikes.empty()) {
      const auto first = record.populations[p].spikes.offsets[s];
      std::copy_n(from.spikes.begin() + first, spikes.times.size() - one.past[p],
                  to.spikes.begin() + static_cast<std::ptrdiff_t>(one.past[p]));
    }
    if (!from.at_end.past.empty()) {
      add_at_end(one.plan, p, spikes, one.inputs.end(0),
                 std::span<const double>(from.at_end.past).subspan(at_end[p][s]), 0, to.spikes);
    }
  }
  return result;
}

// The adjoint needs I at the release of a spike of before too.
template <class Real>
struct Releases : ReplayVisitor {
  std::vector<Real>& currents;
  explicit Releases(std::vector<Real>& c) : currents(c) {}
  void release(std::size_t k, Real current) { currents[k] = current; }
};
template <class Real>
void find_releases(Continued<Real>& one) {
  thread_local Timeline<Real> timeline;
  thread_local OwnSpikes own_spikes;
  for (std::size_t p = 0; p < one.past.size(); ++p) {
    SpikeRecord<Real>& r = one.record.populations[p];
    const PopulationPlan<Real>& neurons = one.plan.populations[p];
    if (!neurons.refractory || one.past[p] == 0) continue;
    std::vector<Real> found = r.release_currents;
    for_each_neuron(one.plan, one.inputs, one.record, p, 0, timeline, own_spikes,
                    [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                      if (own.empty() || !is_past(times[own[0]])) return;
                      replay(neurons.neuron(j), arrivals, j, own, times, one.inputs.end(0),
                             Releases<Real>(found));
                    });
    std::copy_n(found.begin(), one.past[p], r.release_currents.begin());
  }
}

// What one sample gives.
template <class Real>
struct Part {
  std::vector<std::size_t> past;
  Gradients<Real> gradients;
};

// dL/dx of the state from which a sample goes on, and of its spikes.
template <class Real>
StateErrors state_errors(const Continued<Real>& one, BackwardMemory<Real>& memory,
                         const std::vector<std::vector<double>>& input_times) {
  StateErrors result;
  result.populations.resize(one.past.size());
  for (std::size_t p = 0; p < one.past.size(); ++p) {
    StateErrors::Neurons& to = result.populations[p];
    const PopulationPlan<Real>& neurons = one.plan.populations[p];
    if (one.plan.input_number[p] >= 0) {
      to.past.assign(input_times[p].begin(),
                     input_times[p].begin() + static_cast<std::ptrdiff_t>(one.past[p]));
      continue;
    }
    const std::size_t size = one.plan.size(p);
    const std::size_t count = components(one.plan.network->populations()[p].model).size();
    to.x.assign(size * count, 0);
    if (neurons.is_linear()) {
      LinearSegments& segments = memory.linear[0][p];
      segments.finish();
      to.past = segments.past;
      for (std::size_t j = segments.next(0); j < size; j = segments.next(j + 1)) {
        LinearSegment last = segments.of(j).back();
        last.move_to(neurons.linear_neuron(j), 0);
        std::copy_n(last.p.begin(), count, to.x.begin() + static_cast<std::ptrdiff_t>(j * count));
      }
      continue;
    }
    Segments<Real>& segments = memory.segments[0][p];
    segments.finish();
    to.past = segments.past;
    for (std::size_t j = segments.next(0); j < size; j = segments.next(j + 1)) {
      const auto& tc = neurons.neuron(j).tc;
      const auto lambda = segments.of(j).back().read(tc, 0);
      to.x[j * count] = -tc.tau_mem * static_cast<double>(lambda.v);
      to.x[j * count + 1] = -tc.tau_syn * static_cast<double>(lambda.i);
    }
  }
  return result;
}

template <class T>
void add(std::vector<T>& sum, const std::vector<T>& more) {
  for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += more[k];
}
template <class T>
void append(std::vector<T>& all, const std::vector<T>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

template <class Real>
void add(Gradients<Real>& sum, Part<Real>& part, const Wanted& wanted) {
  Gradients<Real>& more = part.gradients;
  for (std::size_t k = 0; k < sum.weights.size(); ++k) {
    add(sum.weights[k], more.weights[k]);
    add(sum.delays[k], more.delays[k]);
  }
  for (std::size_t p = 0; p < sum.neurons.size(); ++p) {
    for (std::size_t k = 0; k < sum.neurons[p].parameters.size(); ++k) {
      add(sum.neurons[p].parameters[k], more.neurons[p].parameters[k]);
    }
    append(sum.state.populations[p].x, more.state.populations[p].x);
    append(sum.state.populations[p].past, more.state.populations[p].past);
    if (!wanted.input_times) continue;
    const auto first = static_cast<std::ptrdiff_t>(std::min(part.past[p], more.times[p].size()));
    sum.times[p].insert(sum.times[p].end(), more.times[p].begin() + first, more.times[p].end());
  }
}

}  // namespace

template <class Real>
void backward_to_state(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                       const Errors<Real>& errors, const Wanted& wanted, int threads,
                       Gradients<Real>& gradients) {
  const std::size_t samples = inputs.samples();
  const Offsets at_end = offsets_at_end(plan, inputs, record);
  set_to_zero(*plan.network, wanted, gradients);
  for (auto& weights : gradients.weights) std::ranges::fill(weights, Real(0));
  gradients.state.populations.assign(plan.populations.size(), {});
  Wanted with_times = wanted;
  with_times.input_times = true;
  // So many at a time, each by itself, then added in order: the same bits for any number of threads.
  constexpr std::size_t block = 16;
  for (std::size_t begin = 0; begin < samples; begin += block) {
    std::vector<Part<Real>> parts(std::min(block, samples - begin));
    parallel_for(threads, parts.size(), [&](std::size_t k) {
      const std::size_t s = begin + k;
      Continued<Real> one(plan, inputs, &record, s);
      find_releases(one);
      BackwardMemory<Real> memory;
      Gradients<Real>& found = parts[k].gradients;
      backward<Real>(one.plan, one.inputs, one.record, errors_of(one, record, errors, at_end, s),
                     with_times, 1, nullptr, memory, found);
      found.state = state_errors(one, memory, found.times);
      parts[k].past = one.past;
    });
    for (Part<Real>& part : parts) add(gradients, part, wanted);
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
  const Offsets offsets = offsets_at_end(Plan<Real>(network), inputs, record);
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
        throw InvalidInput(fmt::format(
            "errors of the state of '{}': one of the {} is {}; expected finite numbers",
            population.name, what, value));
      }
    };
    check(x, values, "values");
    check(past, offsets[p].back(), "spikes");
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
