// SPDX-License-Identifier: Apache-2.0
// Convolution, as deep learning calls it: the weight of input (c, iy, ix) on output (o, y, x) is
// kernel[o, c, ky, kx] where iy = y stride - padding + ky dilation, and x alike.
#include "network/connections.hpp"
#include "network/grid.hpp"

namespace saltus {
namespace {

struct Conv2d {
  static constexpr std::string_view name = "conv2d",
                                    says = "a kernel [out, in, y, x] slides over the source";
  static constexpr std::string_view shape[] = {"input", "kernel", "stride", "padding", "dilation"};

  static std::vector<Synapse> synapses(const Shape& shape, std::size_t pre, std::size_t post) {
    const auto kernel = row_of<4>(shape, "kernel", 1);
    const Windows windows{row_of<3>(shape, "input", 1),
                          {kernel[2], kernel[3]},
                          row_of<2>(shape, "stride", 1),
                          row_of<2>(shape, "padding", 0),
                          row_of<2>(shape, "dilation", 1)};
    if (kernel[1] != windows.input[0]) {
      throw InvalidInput(fmt::format("the kernel has {} input channels; the source has {}",
                                     kernel[1], windows.input[0]));
    }
    windows.check(pre, post, kernel[0]);
    std::vector<Synapse> result;
    std::int32_t target = 0;
    for (std::int64_t o = 0; o < kernel[0]; ++o) {
      for (std::int64_t y = 0; y < windows.count(0); ++y) {
        for (std::int64_t x = 0; x < windows.count(1); ++x, ++target) {
          for (std::int64_t c = 0; c < kernel[1]; ++c) {
            windows.walk(y, x, c, [&](std::int64_t ky, std::int64_t kx, std::int32_t source) {
              const std::int64_t place = ((o * kernel[1] + c) * kernel[2] + ky) * kernel[3] + kx;
              result.push_back({source, target, static_cast<std::int32_t>(place)});
            });
          }
        }
      }
    }
    return result;
  }
  static std::vector<std::size_t> weights(const Shape& shape) {
    const auto kernel = row_of<4>(shape, "kernel", 1);
    return {kernel.begin(), kernel.end()};
  }
};

}  // namespace

constinit const ConnectionInfo conv2d_info = connection_kind<Conv2d>();

}  // namespace saltus
