// SPDX-License-Identifier: Apache-2.0
// What a network and data must be for a training or an evaluation.
#pragma once

#include <fmt/format.h>

#include "saltus/data.hpp"
#include "saltus/error.hpp"
#include "saltus/network.hpp"

namespace saltus {

/// @throws InvalidInput  none, or several
template <class Real>
const Population& only_input(const Network<Real>& network) {
  const auto inputs = network.inputs();
  if (inputs.size() != 1) {
    throw InvalidInput(
        fmt::format("training needs a network with one input; this has {}", inputs.size()));
  }
  return network.populations()[inputs[0]];
}

/// @throws InvalidInput  data for another input
inline void check_data(const data::LabelledSpikes& data, const Population& input) {
  if (data.channels != static_cast<std::int32_t>(input.size)) {
    throw InvalidInput(fmt::format("the data have {} channels; input '{}' has {}", data.channels,
                                   input.name, input.size));
  }
  if (data.spikes.samples() != data.size()) {
    throw InvalidInput(fmt::format("the data hold {} samples and {} labels; expected as many",
                                   data.spikes.samples(), data.size()));
  }
  if (data.size() == 0) throw InvalidInput("the data hold no samples");
  validate(data.spikes.view(), input.size, input.name);
}

}  // namespace saltus
