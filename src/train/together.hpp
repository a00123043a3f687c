// SPDX-License-Identifier: Apache-2.0
// What processes that train together tell each other besides sums of gradients (adjoint/backward.cpp)
// and of losses (loss/part.hpp).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "machine/digest.hpp"
#include "machine/team.hpp"
#include "saltus/error.hpp"
#include "saltus/train.hpp"

namespace saltus {

/// Calls visit with each count of an epoch.
template <class State, class Visit>
void for_each_count(State& s, Visit&& visit) {
  visit(s.sums.silent_labels);
  visit(s.sums.silent_samples);
  visit(s.correct);
  visit(s.ghosts);
  visit(s.hidden_spikes);
  visit(s.grazing_spikes);
  for (auto& population : s.spiked) {
    for (auto& neuron : population) visit(neuron);
  }
}

/// All counts 0, with room for the same neurons.
inline EpochState no_counts(const EpochState& like) {
  EpochState s;
  for (const auto& population : like.spiked) s.spiked.emplace_back(population.size(), 0);
  return s;
}

/// Adds what all processes have counted in a minibatch.
/// @param stop  does this process want to stop?
/// @returns     does any?
inline bool add_up(Team& team, const EpochState& here, bool stop, EpochState& all) {
  std::vector<std::uint64_t> counts{stop};
  for_each_count(here, [&](const std::size_t& count) { counts.push_back(count); });
  team.sum(counts);
  auto next = counts.begin();
  const bool stopped = *next++ > 0;
  for_each_count(all, [&](std::size_t& count) { count += *next++; });
  return stopped;
}

/// What a process holds must be what the first holds, or they would train different networks.
/// @throws InvalidInput  in all processes: who differs
inline void check_same(Team& team, const Digest& digest, std::string_view what) {
  // Halves, for a double holds no 64 bits.
  const double own[] = {static_cast<double>(digest.value() >> 32),
                        static_cast<double>(digest.value() & 0xFFFFFFFFu)};
  const std::vector<double> all = team.gather(own);
  for (std::size_t k = 2; k < all.size(); k += 2) {
    if (all[k] == all[0] && all[k + 1] == all[1]) continue;
    throw InvalidInput(fmt::format(
        "process {} of {} holds another {} than the first; expected the same files, options and "
        "program on every machine",
        k / 2 + 1, team.size(), what));
  }
}

/// All that a step changes.
template <class Real>
Digest digest_of(const TrainState<Real>& state) {
  Digest digest;
  const auto add = [&](const auto& values) {
    const auto bytes = std::as_bytes(std::span(values));
    digest.add("", bytes.data(), bytes.size());
  };
  for (const auto& p : state.network.projections()) {
    add(p.weight);
    add(p.delay.values);
  }
  for (const auto& p : state.network.populations()) {
    for (const Parameter& parameter : p.parameters) add(parameter.values());
  }
  for (const auto* moments : {&state.first, &state.second}) {
    for (const auto& values : moments->weights) add(values);
    for (const auto& values : moments->delays) add(values);
    for (const auto& neurons : moments->neurons) {
      for (const auto& values : neurons.parameters) add(values);
    }
  }
  add(std::vector<std::int64_t>{state.steps, state.epochs,
                                static_cast<std::int64_t>(state.epoch.minibatches)});
  return digest;
}

}  // namespace saltus
