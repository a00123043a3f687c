// SPDX-License-Identifier: Apache-2.0
#include "train/layers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "saltus/error.hpp"

namespace saltus {
namespace {

using Kind = HiddenLayer::Kind;

// A layer as it is written.
struct Written {
  Kind kind = Kind::dense;
  std::int64_t size = 0;  // neurons, or channels of a convolution
  std::int64_t window = 1, stride = 1;
};

bool take(std::string_view& text, std::string_view start) {
  if (!text.starts_with(start)) return false;
  text.remove_prefix(start.size());
  return true;
}
bool take_number(std::string_view& text, std::int64_t& number) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return error == std::errc() && number >= 1 && number <= INT32_MAX;
}

Written parse(std::string_view called, std::string_view text) {
  Written w;
  bool good = false;
  if (take(text, "conv:")) {
    w.kind = Kind::convolution;
    good = take_number(text, w.size) && take(text, "x") && take_number(text, w.window) &&
           (!take(text, "s") || take_number(text, w.stride));
  } else if (take(text, "pool:")) {
    w.kind = Kind::pooling;
    good = take_number(text, w.window);
    w.stride = w.window;
  } else {
    good = take_number(text, w.size);
  }
  if (good && text.empty()) return w;
  throw InvalidInput(
      fmt::format("{}; expected a number of neurons (128), conv:CHANNELSxKERNEL (conv:16x5), the "
                  "same with a stride (conv:16x5s2), or pool:SIZE (pool:2)",
                  called));
}

// What a window that slides over this grid makes of it.
data::Grid slid(const Written& w, const data::Grid& below, const std::string& called) {
  const auto [channels, height, width] = below;
  const std::int64_t least = std::min(height, width);
  if (w.kind == Kind::pooling && (height % w.window != 0 || width % w.window != 0)) {
    std::vector<std::int64_t> divisors;
    for (std::int64_t k = 2; k <= least; ++k) {
      if (height % k == 0 && width % k == 0) divisors.push_back(k);
    }
    throw InvalidInput(fmt::format(
        "{}: the {} x {} neurons of each channel below cannot be cut into windows of {} x {}; "
        "expected {}",
        called, height, width, w.window, w.window,
        divisors.empty() ? std::string("another kernel below, or no pooling")
                         : fmt::format("pool:{}", fmt::join(divisors, " or pool:"))));
  }
  if (w.window > least) {
    throw InvalidInput(fmt::format(
        "{}: its kernel is larger than the {} x {} neurons of each channel below; expected at "
        "most {}",
        called, height, width, least));
  }
  return {w.kind == Kind::pooling ? channels : w.size, (height - w.window) / w.stride + 1,
          (width - w.window) / w.stride + 1};
}

double neurons(const data::Grid& grid) {
  return static_cast<double>(grid[0]) * static_cast<double>(grid[1]) * static_cast<double>(grid[2]);
}

// On `below` neurons of a grid.
HiddenLayer windows(const Written& w, const data::Grid& below, std::string called) {
  const data::Grid grid = slid(w, below, called);
  if (neurons(grid) > INT32_MAX) {
    throw InvalidInput(fmt::format("{}: it has {:.3g} neurons; expected at most {}", called,
                                   neurons(grid), INT32_MAX));
  }
  HiddenLayer layer{w.kind, std::move(called), static_cast<std::size_t>(neurons(grid)), grid};
  const Shape::Row input{"input", {below.begin(), below.end()}},
      stride{"stride", {w.stride, w.stride}};
  const double window = static_cast<double>(w.window) * static_cast<double>(w.window);
  layer.synapses = neurons(grid) * window;
  if (w.kind == Kind::pooling) {
    layer.connection = Connection("pool2d", {input, {"size", {w.window, w.window}}, stride});
    layer.weights = 1;
    return layer;
  }
  layer.connection = Connection("conv2d", {input,
                                           {"kernel", {w.size, below[0], w.window, w.window}},
                                           stride,
                                           {"padding", {0, 0}},
                                           {"dilation", {1, 1}}});
  layer.synapses *= static_cast<double>(below[0]);
  layer.weights = static_cast<std::size_t>(w.size * below[0] * w.window * w.window);
  return layer;
}

std::string called(std::string_view name, std::size_t k, std::string_view text) {
  return fmt::format("{}[{}] is '{}'", name, k, text);
}

[[noreturn]] void no_grid(const std::string& called, bool first) {
  throw InvalidInput(fmt::format(
      "{}: {}", called,
      first ? "the data do not say on which grid their channels lie; expected images, or a spike "
              "file with an attribute grid: channels, height, width (h5py: file.attrs[\"grid\"] = "
              "[2, 34, 34])"
            : "the layer below is dense and has no grid; expected convolutions and pooling before "
              "the dense layers"));
}

}  // namespace

void check_layer_list(std::string_view name, const std::vector<std::string>& layers) {
  for (std::size_t k = 0; k < layers.size(); ++k) parse(called(name, k, layers[k]), layers[k]);
}

std::vector<HiddenLayer> hidden_layers(const RunSettings& s, const data::LabelledSpikes& inputs) {
  std::vector<std::string> written = s.layers;
  const std::string_view name = written.empty() ? "hidden" : "layers";
  for (const std::size_t size : s.hidden) written.push_back(std::to_string(size));
  std::vector<HiddenLayer> result;
  auto below = static_cast<std::size_t>(inputs.channels);
  data::Grid grid = inputs.grid;
  for (std::size_t k = 0; k < written.size(); ++k) {
    const std::string said = called(name, k, written[k]);
    const Written w = parse(said, written[k]);
    if (w.kind == Kind::dense) {
      const auto size = static_cast<std::size_t>(w.size);
      const double synapses = static_cast<double>(below) * static_cast<double>(size);
      result.push_back({w.kind, said, size, {}, {}, below * size, synapses});
    } else {
      if (grid == data::Grid{}) no_grid(said, k == 0);
      result.push_back(windows(w, grid, said));
    }
    below = result.back().size;
    grid = result.back().grid;
  }
  return result;
}

}  // namespace saltus
