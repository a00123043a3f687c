// SPDX-License-Identifier: Apache-2.0
// The times at which a trace is asked for, and what is read off a record there.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include "machine/parallel.hpp"
#include "observe/linear_replay.hpp"
#include "observe/replay.hpp"
#include "saltus/error.hpp"
#include "saltus/network.hpp"
#include "saltus/simulate.hpp"
#include "simulate/continued.hpp"
#include "simulate/prepared.hpp"

namespace saltus {

/// @returns the population, which is no input
/// @throws InvalidInput  an input; times unsorted, negative or after the end of a sample
template <class Real>
const Population& check_trace(const Prepared<Real>& prepared, std::size_t population,
                              std::span<const double> at, std::string_view what) {
  const Population& p = prepared.neurons(population, what);
  const Inputs& inputs = prepared.inputs;
  for (std::size_t k = 0; k < at.size(); ++k) {
    if (!(at[k] >= 0) || (k > 0 && at[k] < at[k - 1])) {
      throw InvalidInput(
          fmt::format("at[{}] is {}; expected times of at least 0, ascending", k, at[k]));
    }
    for (std::size_t s = 0; s < inputs.t_end.size(); ++s) {
      if (at[k] > inputs.t_end[s] || std::isinf(at[k])) {
        throw InvalidInput(fmt::format("at[{}] is {}, after the end of sample {} at {}", k, at[k],
                                       s, inputs.t_end[s]));
      }
    }
  }
  return p;
}

/// A component of the state of a linear neuron at chosen times.
template <class Real>
struct ComponentSamples : LinearVisitor<double> {
  const linear::Neuron& n;
  std::span<const double> at;
  Real* out;  // [time, neuron], this neuron's column
  std::size_t stride, component, next = 0;

  ComponentSamples(const linear::Neuron& neuron, std::span<const double> times, Real* o,
                   std::size_t neurons, std::size_t which)
      : n(neuron), at(times), out(o), stride(neurons), component(which) {
    while (next < at.size() && at[next] <= 0) note(n.initial);
  }
  void piece(double t0, double t1, const linear::Vector<double>& x, bool held) {
    while (next < at.size() && at[next] <= t1) note(n.system(held).flow(x, at[next] - t0));
  }
  void note(const linear::Vector<double>& x) {
    out[stride * next++] = static_cast<Real>(x[component]);
  }
};

/// What a visitor of replay() writes at chosen times, [sample, time, neuron].
/// @tparam Visitor  made of (neuron, times, its column of the sample, neurons)
/// @param component  that it is of the state of a linear neuron
template <class Visitor, class Real>
std::vector<Real> read_trace(const Plan<Real>& plan, const Inputs& inputs,
                             const Record<Real>& record, std::size_t population,
                             std::span<const double> at, std::size_t component, int threads) {
  if (inputs.state) {
    const auto find = [&](const auto& one, const auto& in, const auto& of) {
      return read_trace<Visitor>(one, in, of, population, at, component, 1);
    };
    return joined_lists(plan, inputs, record, threads, find);
  }
  const std::size_t size = plan.size(population);
  std::vector<Real> result(inputs.samples() * at.size() * size);
  if (result.empty()) return result;
  parallel_for(threads, inputs.samples(), [&](std::size_t s) {
    thread_local Timeline<Real> timeline;
    thread_local OwnSpikes own_spikes;
    for_each_neuron(plan, inputs, record, population, s, timeline, own_spikes,
                    [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                      Real* column = result.data() + s * at.size() * size + j;
                      if (plan.populations[population].is_linear()) {
                        const linear::Neuron& n = plan.populations[population].linear_neuron(j);
                        ComponentSamples<Real> samples(n, at, column, size, component);
                        replay<double>(n, arrivals, j, own, times,
                                       rest_of(n, arrivals, own, times, at, inputs.end(s)),
                                       samples);
                        return;
                      }
                      const auto& n = plan.populations[population].neuron(j);
                      Visitor samples(n, at, column, size);
                      replay(n, arrivals, j, own, times, inputs.end(s), samples);
                    });
  });
  return result;
}

}  // namespace saltus
