// SPDX-License-Identifier: Apache-2.0
// The state of a run across the border: per population x [sample, neuron, component] and the spikes on
// their way.
#pragma once

#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "saltus/state.hpp"

namespace saltus::python {

using StateArrays = std::tuple<In<double>, In<double>, In<std::int32_t>, In<std::int64_t>>;

/// @returns  null if there is none
inline std::shared_ptr<const State> state_of(const std::optional<std::vector<StateArrays>>& given) {
  if (!given) return nullptr;
  auto state = std::make_shared<State>();
  if (!given->empty())
    state->samples = std::max<std::size_t>(std::get<3>(given->at(0)).size(), 1) - 1;
  for (const auto& [x, times, neurons, offsets] : *given) {
    state->populations.push_back(
        {vector_of(x), {vector_of(offsets), vector_of(times), vector_of(neurons)}});
  }
  return state;
}

inline nb::list give(State state) {
  nb::list result;
  for (State::Neurons& n : state.populations) {
    result.append(nb::make_tuple(give(std::move(n.x)), give(std::move(n.past.times)),
                                 give(std::move(n.past.neurons)), give(std::move(n.past.offsets))));
  }
  return result;
}

}  // namespace saltus::python
