// SPDX-License-Identifier: Apache-2.0
// Synapses one by one.
#include <fmt/format.h>

#include "network/connections.hpp"
#include "saltus/error.hpp"

namespace saltus {
namespace {

struct Sparse {
  static constexpr std::string_view name = "sparse",
                                    says =
                                        "synapses one by one: pre[k] to post[k], with "
                                        "weight[place[k]] (no place: weight[k])";
  static constexpr std::string_view shape[] = {"pre", "post", "place"};

  static std::vector<Synapse> synapses(const Shape& shape, std::size_t, std::size_t) {
    const auto &pre = shape["pre"], &post = shape["post"], &place = shape["place"];
    if (post.size() != pre.size() || (!place.empty() && place.size() != pre.size())) {
      throw InvalidInput(
          fmt::format("pre, post and place have {}, {} and {} values; expected as many of each "
                      "(place: or none)",
                      pre.size(), post.size(), place.size()));
    }
    std::vector<Synapse> result;
    for (std::size_t k = 0; k < pre.size(); ++k) {
      result.push_back({narrow("pre", k, pre[k]), narrow("post", k, post[k]),
                        place.empty() ? narrow("place", k, static_cast<std::int64_t>(k))
                                      : narrow("place", k, place[k])});
    }
    return result;
  }

 private:
  static std::int32_t narrow(std::string_view row, std::size_t k, std::int64_t value) {
    if (value < 0 || value > INT32_MAX) {
      throw InvalidInput(fmt::format("{}[{}] is {}; expected 0 to {}", row, k, value, INT32_MAX));
    }
    return static_cast<std::int32_t>(value);
  }
};

}  // namespace

constinit const ConnectionInfo sparse_info = connection_kind<Sparse>();

}  // namespace saltus
