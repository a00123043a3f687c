// SPDX-License-Identifier: Apache-2.0
#include "toy_connection.hpp"

#include "saltus/connection.hpp"
#include "saltus/error.hpp"

namespace saltus::toy {
namespace {

struct Ring {
  static constexpr std::string_view name = "ring",
                                    says = "neighbours on a ring, a weight for each distance";
  static constexpr std::string_view shape[] = {"reach"};

  static std::vector<Synapse> synapses(const Shape& shape, std::size_t pre, std::size_t post) {
    const auto& values = shape["reach"];
    if (pre != post) throw InvalidInput("a ring leads to as many neurons as it comes from");
    const auto size = static_cast<std::int64_t>(pre);
    if (values.size() != 1 || values[0] < 0 || 2 * values[0] >= size) {
      throw InvalidInput(
          "reach of a ring; expected one number of at least 0, less than half of it");
    }
    std::vector<Synapse> result;
    for (std::int64_t i = 0; i < size; ++i) {
      for (std::int64_t d = -values[0]; d <= values[0]; ++d) {
        result.push_back({static_cast<std::int32_t>(i),
                          static_cast<std::int32_t>((i + d + size) % size),
                          static_cast<std::int32_t>(d < 0 ? -d : d)});
      }
    }
    return result;
  }
};

constexpr ConnectionInfo info = connection_kind<Ring>();

}  // namespace

void add_ring() { Connection::add(info); }

}  // namespace saltus::toy
