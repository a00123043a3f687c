// SPDX-License-Identifier: Apache-2.0
// Pooling: each output adds up a window of its channel with one weight that all share: 1 for sums, 1
// over the size of the window for averages.
#include "network/connections.hpp"
#include "network/grid.hpp"

namespace saltus {
namespace {

struct Pool2d {
  static constexpr std::string_view name = "pool2d",
                                    says = "windows of each channel, added up with one weight";
  static constexpr std::string_view shape[] = {"input", "size", "stride"};

  static std::vector<Synapse> synapses(const Shape& shape, std::size_t pre, std::size_t post) {
    const Windows windows{row_of<3>(shape, "input", 1), row_of<2>(shape, "size", 1),
                          row_of<2>(shape, "stride", 1)};
    windows.check(pre, post, windows.input[0]);
    std::vector<Synapse> result;
    std::int32_t target = 0;
    for (std::int64_t c = 0; c < windows.input[0]; ++c) {
      for (std::int64_t y = 0; y < windows.count(0); ++y) {
        for (std::int64_t x = 0; x < windows.count(1); ++x, ++target) {
          windows.walk(y, x, c, [&](std::int64_t, std::int64_t, std::int32_t source) {
            result.push_back({source, target, 0});
          });
        }
      }
    }
    return result;
  }
};

}  // namespace

constinit const ConnectionInfo pool2d_info = connection_kind<Pool2d>();

}  // namespace saltus
