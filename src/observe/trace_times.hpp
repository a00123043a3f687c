// SPDX-License-Identifier: Apache-2.0
// The times at which a trace is asked for, and what is read off a record there.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include "machine/parallel.hpp"
#include "observe/replay.hpp"
#include "saltus/error.hpp"
#include "saltus/network.hpp"
#include "saltus/simulate.hpp"

namespace saltus {

/// @returns the population, which is no input
/// @throws InvalidInput  an input; times unsorted, negative or after the end of a sample
template <class Real>
const Population& check_trace(const Network<Real>& network, const Inputs& inputs,
                              std::size_t population, std::span<const double> at,
                              std::string_view what) {
  const Population& p = network.populations().at(population);
  if (p.model == Model::input) {
    throw InvalidInput(fmt::format("'{}' is an input: it has no {}", p.name, what));
  }
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

/// What a visitor of replay() writes at chosen times, [sample, time, neuron].
/// @tparam Visitor  made of (neuron, times, its column of the sample, neurons)
template <class Visitor, class Real>
std::vector<Real> read_trace(const Network<Real>& network, const Inputs& inputs,
                             const Record<Real>& record, std::size_t population,
                             std::span<const double> at, const Options& options) {
  const Plan<Real> plan(network);
  const std::size_t size = plan.size(population);
  std::vector<Real> result(inputs.samples() * at.size() * size);
  parallel_for(options.threads, inputs.samples(), [&](std::size_t s) {
    thread_local Timeline<Real> timeline;
    thread_local OwnSpikes own_spikes;
    for_each_neuron(plan, inputs, record, population, s, timeline, own_spikes,
                    [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                      const auto& n = plan.populations[population].neuron(j);
                      Visitor samples(n, at, result.data() + s * at.size() * size + j, size);
                      replay(n, arrivals, j, own, times, inputs.end(s), samples);
                    });
  });
  return result;
}

}  // namespace saltus
