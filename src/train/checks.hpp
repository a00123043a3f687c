// SPDX-License-Identifier: Apache-2.0
// What a network and data must be for a training or an evaluation.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "saltus/data.hpp"
#include "saltus/error.hpp"
#include "saltus/network.hpp"

namespace saltus {

/// Of its inputs, which take the channels of data one after the other.
/// @throws InvalidInput  none
template <class Real>
std::vector<std::size_t> input_sizes(const Network<Real>& network) {
  std::vector<std::size_t> sizes;
  for (const std::size_t p : network.inputs()) sizes.push_back(network.populations()[p].size);
  if (sizes.empty()) throw InvalidInput("training needs a network with an input; this has none");
  return sizes;
}

/// @throws InvalidInput  data for another network
template <class Real>
void check_data(const data::LabelledSpikes& data, const Network<Real>& network) {
  const std::vector<std::size_t> sizes = input_sizes(network);
  const auto channels = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
  if (static_cast<std::size_t>(data.channels) != channels) {
    std::vector<std::string> inputs;
    for (const std::size_t p : network.inputs()) {
      const Population& input = network.populations()[p];
      inputs.push_back(fmt::format("input '{}' has {}", input.name, input.size));
    }
    throw InvalidInput(
        fmt::format("the data have {} channels; {}", data.channels, fmt::join(inputs, ", ")));
  }
  if (data.spikes.samples() != data.size()) {
    throw InvalidInput(fmt::format("the data hold {} samples and {} labels; expected as many",
                                   data.spikes.samples(), data.size()));
  }
  if (!data.t_end.empty() && data.t_end.size() != data.size()) {
    throw InvalidInput(fmt::format("the data hold {} samples and {} of t_end; expected as many",
                                   data.size(), data.t_end.size()));
  }
  if (data.size() == 0) throw InvalidInput("the data hold no samples");
  validate(data.spikes.view(), channels, network.populations()[network.inputs()[0]].name);
}

}  // namespace saltus
