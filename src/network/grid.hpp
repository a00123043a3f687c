// SPDX-License-Identifier: Apache-2.0
// Windows that slide over neurons on a grid [channel, y, x], row by row: what convolutions and
// pooling are made of.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "saltus/connection.hpp"
#include "saltus/error.hpp"

namespace saltus {

/// A row of the shape of a connection that must have `Count` numbers of at least `least`.
template <std::size_t Count>
std::array<std::int64_t, Count> row_of(const Shape& shape, std::string_view name,
                                       std::int64_t least) {
  const auto& values = shape[name];
  if (values.size() != Count) {
    throw InvalidInput(fmt::format("{} has {} numbers; expected {}", name, values.size(), Count));
  }
  std::array<std::int64_t, Count> result;
  for (std::size_t k = 0; k < Count; ++k) {
    if (values[k] < least || values[k] > INT32_MAX) {
      throw InvalidInput(
          fmt::format("{}[{}] is {}; expected {} to {}", name, k, values[k], least, INT32_MAX));
    }
    result[k] = values[k];
  }
  return result;
}

struct Windows {
  std::array<std::int64_t, 3> input;                                        // channels, y, x
  std::array<std::int64_t, 2> size, stride, padding{0, 0}, dilation{1, 1};  // y, x

  /// How many there are along an axis, 0 for y.
  std::int64_t count(std::size_t axis) const {
    const std::int64_t room =
        input[axis + 1] + 2 * padding[axis] - dilation[axis] * (size[axis] - 1) - 1;
    return room < 0 ? 0 : room / stride[axis] + 1;
  }

  /// @throws InvalidInput  other numbers of neurons than the grids have
  void check(std::size_t pre, std::size_t post, std::int64_t channels) const {
    const auto is = [](std::size_t neurons, std::int64_t a, std::int64_t b, std::int64_t c) {
      return static_cast<double>(neurons) ==
             static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
    };
    if (!is(pre, input[0], input[1], input[2])) {
      throw InvalidInput(fmt::format("the source has {} neurons; expected {} x {} x {} (input)",
                                     pre, input[0], input[1], input[2]));
    }
    if (count(0) == 0 || count(1) == 0) {
      throw InvalidInput(fmt::format(
          "the window (kernel {} x {}) is larger than the source's {} x {} with its padding",
          size[0], size[1], input[1], input[2]));
    }
    if (!is(post, channels, count(0), count(1))) {
      throw InvalidInput(fmt::format("the target has {} neurons; expected {} x {} x {} (output)",
                                     post, channels, count(0), count(1)));
    }
  }

  /// Calls visit(y, x within the window, neuron of channel c) for what lies on the grid.
  template <class Visit>
  void walk(std::int64_t y, std::int64_t x, std::int64_t c, Visit&& visit) const {
    for (std::int64_t ky = 0; ky < size[0]; ++ky) {
      const std::int64_t iy = y * stride[0] - padding[0] + ky * dilation[0];
      if (iy < 0 || iy >= input[1]) continue;
      for (std::int64_t kx = 0; kx < size[1]; ++kx) {
        const std::int64_t ix = x * stride[1] - padding[1] + kx * dilation[1];
        if (ix < 0 || ix >= input[2]) continue;
        visit(ky, kx, static_cast<std::int32_t>((c * input[1] + iy) * input[2] + ix));
      }
    }
  }
};

}  // namespace saltus
