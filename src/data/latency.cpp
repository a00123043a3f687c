// SPDX-License-Identifier: Apache-2.0
// Latency codes: a larger value spikes earlier (images) or later (Yin-Yang).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "saltus/data.hpp"
#include "saltus/error.hpp"

namespace saltus::data {
namespace {

// Pixels at or below this are background and stay silent.
constexpr int silent = 1;
constexpr int grey_levels = 256;

void check_time(const char* name, double t, bool zero_allowed) {
  if (!std::isfinite(t) || t < 0 || (t == 0 && !zero_allowed)) {
    throw InvalidInput(fmt::format("{} is {}; expected a finite time {} 0, in seconds", name, t,
                                   zero_allowed ? "of at least" : "above"));
  }
}

void check(const Images& images) {
  const std::size_t limit = std::numeric_limits<std::int32_t>::max();
  if (images.rows == 0 || images.columns == 0 || images.rows > limit / images.columns) {
    throw InvalidInput(fmt::format("images have {} rows and {} columns; expected 1 to {} pixels",
                                   images.rows, images.columns, limit));
  }
  const std::size_t pixels = images.rows * images.columns;
  if (images.pixels.size() % pixels != 0 || images.pixels.size() / pixels != images.labels.size()) {
    throw InvalidInput(
        fmt::format("images.pixels has {} entries; expected {} x {} x {} "
                    "([labels, rows, columns])",
                    images.pixels.size(), images.labels.size(), images.rows, images.columns));
  }
}

}  // namespace

LabelledSpikes encode(const YinYang& points, double t_max, double t_bias) {
  constexpr std::size_t coordinates = 4;
  constexpr std::int32_t channels = coordinates + 1;
  constexpr std::int32_t classes = 3;
  check_time("t_max", t_max, false);
  check_time("t_bias", t_bias, true);
  const std::size_t n = points.labels.size();
  if (points.samples.size() != coordinates * n) {
    throw InvalidInput(fmt::format("points.samples has {} values; expected {} x 4 ([labels, 4])",
                                   points.samples.size(), n));
  }

  LabelledSpikes encoded;
  encoded.channels = channels;
  encoded.classes = classes;
  encoded.labels.reserve(n);
  encoded.spikes.offsets.reserve(n + 1);
  encoded.spikes.times.reserve(channels * n);
  encoded.spikes.neurons.reserve(channels * n);
  for (std::size_t s = 0; s < n; ++s) {
    const std::int64_t label = points.labels[s];
    if (label < 0 || label >= classes) {
      throw InvalidInput(fmt::format("points.labels[{}] is {}; expected 0, 1 or 2", s, label));
    }
    struct Spike {
      double time;
      std::int32_t channel;
    };
    std::array<Spike, channels> spikes{};
    for (std::size_t c = 0; c < coordinates; ++c) {
      const double value = points.samples[coordinates * s + c];
      if (!(value >= 0 && value <= 1)) {
        throw InvalidInput(
            fmt::format("points.samples[{}, {}] is {}; expected a number in [0, 1]", s, c, value));
      }
      spikes[c] = {value * t_max, static_cast<std::int32_t>(c)};
    }
    spikes.back() = {t_bias, channels - 1};
    std::sort(spikes.begin(), spikes.end(), [](const Spike& a, const Spike& b) {
      return a.time != b.time ? a.time < b.time : a.channel < b.channel;
    });
    for (const Spike& spike : spikes) {
      encoded.spikes.times.push_back(spike.time);
      encoded.spikes.neurons.push_back(spike.channel);
    }
    encoded.spikes.offsets.push_back(static_cast<std::int64_t>(encoded.spikes.times.size()));
    encoded.labels.push_back(static_cast<std::int32_t>(label));
  }
  return encoded;
}

LabelledSpikes encode(const Images& images, double t_max) {
  check_time("t_max", t_max, false);
  check(images);
  const std::size_t n = images.labels.size();
  const std::size_t pixels = images.rows * images.columns;
  std::array<double, grey_levels> time{};
  for (int p = 0; p < grey_levels; ++p) time[p] = (1 - p / 255.0) * t_max;

  LabelledSpikes encoded;
  encoded.channels = static_cast<std::int32_t>(pixels);
  encoded.grid = {1, static_cast<std::int64_t>(images.rows),
                  static_cast<std::int64_t>(images.columns)};
  encoded.labels.assign(images.labels.begin(), images.labels.end());
  for (const std::int32_t label : encoded.labels) {
    encoded.classes = std::max(encoded.classes, label + 1);
  }

  // Exact sizes first: for the whole of MNIST growing vectors would double the memory.
  auto& [offsets, times, neurons] = encoded.spikes;
  offsets.resize(n + 1);
  for (std::size_t s = 0; s < n; ++s) {
    const auto* image = images.pixels.data() + s * pixels;
    offsets[s + 1] =
        offsets[s] + std::count_if(image, image + pixels, [](int p) { return p > silent; });
  }
  times.resize(static_cast<std::size_t>(offsets.back()));
  neurons.resize(times.size());

  // A counting sort by pixel value, brightest first; within a value by position.
  for (std::size_t s = 0; s < n; ++s) {
    const auto* image = images.pixels.data() + s * pixels;
    std::array<std::size_t, grey_levels> next{};
    for (std::size_t c = 0; c < pixels; ++c) ++next[image[c]];
    auto start = static_cast<std::size_t>(offsets[s]);
    for (int p = grey_levels - 1; p > silent; --p) {
      const std::size_t count = next[p];
      next[p] = start;
      start += count;
    }
    for (std::size_t c = 0; c < pixels; ++c) {
      const int p = image[c];
      if (p <= silent) continue;
      const std::size_t k = next[p]++;
      times[k] = time[p];
      neurons[k] = static_cast<std::int32_t>(c);
    }
  }
  return encoded;
}

}  // namespace saltus::data
