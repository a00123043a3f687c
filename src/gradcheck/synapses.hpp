// SPDX-License-Identifier: Apache-2.0
// The synapses of any projection, one by one.
#pragma once

#include <vector>

#include "saltus/network.hpp"

namespace saltus::gradcheck {

/// In the order of Delay::values.
inline std::vector<Synapse> synapses_of(const Network<double>& network,
                                        const Projection<double>& p) {
  std::vector<Synapse> result;
  if (p.connection.all_to_all()) {
    const std::size_t post = network.populations()[p.target].size;
    for (std::size_t k = 0; k < p.weight.size(); ++k) {
      result.push_back({static_cast<std::int32_t>(k / post), static_cast<std::int32_t>(k % post),
                        static_cast<std::int32_t>(k)});
    }
    return result;
  }
  const SynapseList& list = p.connection.synapses();
  result.resize(list.size());
  for (std::size_t place = 0; place < list.size(); ++place) {
    result[static_cast<std::size_t>(list[place].number)] = list[place];
  }
  return result;
}

/// A connection that lists them.
inline Connection listed(const std::vector<Synapse>& synapses) {
  std::vector<std::int64_t> pre, post, place;
  for (const Synapse& s : synapses) {
    pre.push_back(s.pre);
    post.push_back(s.post);
    place.push_back(s.weight);
  }
  return Connection("sparse", {{"pre", pre}, {"post", post}, {"place", place}});
}

}  // namespace saltus::gradcheck
