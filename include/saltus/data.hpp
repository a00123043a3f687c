// SPDX-License-Identifier: Apache-2.0
/// @file
/// Data sets as spikes: Yin-Yang, IDX images (MNIST, Fashion-MNIST) by latency, spike files in the
/// layout of the Heidelberg data sets (SHD).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "saltus/spikes.hpp"

/// Data sets as spikes.
namespace saltus::data {

/// Channels, height, width: neuron (c * height + y) * width + x is (y, x) of channel c. All 0: none.
using Grid = std::array<std::int64_t, 3>;

/// Whole numbers, numbers or texts.
using ExtraColumn =
    std::variant<std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>>;

/// Samples as spikes, each with its class.
struct LabelledSpikes {
  Spikes spikes;                     ///< what goes in
  std::vector<std::int32_t> labels;  ///< [samples]
  std::int32_t channels = 0;         ///< input neurons; of several inputs one after the other
  std::int32_t classes = 0;          ///< labels lie in [0, classes)
  Grid grid{};                       ///< of the input neurons, if they lie on one
  /// [samples] when each ends, in seconds. Empty: when a training or an evaluation says.
  std::vector<double> t_end{};
  std::map<std::string, ExtraColumn> extra{};   ///< each [samples]: who speaks
  std::map<std::string, ExtraColumn> tables{};  ///< what they are made with: names of speakers

  std::size_t size() const { return labels.size(); }  ///< samples
};

/// Yin-Yang points: samples [n, 4] = x, y, 1 - x, 1 - y in [0, 1]; labels 0 yin, 1 yang, 2 dot.
/// Kriener, Göltz, Petrovici 2022, arXiv 2102.08211.
struct YinYang {
  std::vector<double> samples;       ///< [n, 4]
  std::vector<std::int64_t> labels;  ///< [n]
};

/// Seeds and sizes of the published files.
struct YinYangSplit {
  std::uint32_t seed;  ///< of the generator
  std::size_t size;    ///< points
};
/// The published files.
/// @{
inline constexpr YinYangSplit yin_yang_train{42, 5000};
inline constexpr YinYangSplit yin_yang_validation{41, 1000};
inline constexpr YinYangSplit yin_yang_test{40, 1000};
/// @}

/// Generates `n` points, equal to the published files to the last bit for the published seeds.
YinYang yin_yang(std::size_t n, std::uint32_t seed);

/// Each coordinate c spikes at c * t_max on its own channel (0..3); channel 4 spikes at `t_bias`.
/// @param t_max, t_bias  seconds
LabelledSpikes encode(const YinYang& points, double t_max = 30e-3, double t_bias = 0.0);

/// Grey images with labels, as read from IDX files.
struct Images {
  std::size_t rows = 0;              ///< pixels from top to bottom
  std::size_t columns = 0;           ///< and from left to right
  std::vector<std::uint8_t> pixels;  ///< [n, rows, columns]
  std::vector<std::uint8_t> labels;  ///< [n]
};

/// Reads `<prefix>-images-idx3-ubyte[.gz]` and `<prefix>-labels-idx1-ubyte[.gz]` from a folder
/// (prefix "train" or "t10k").
/// @throws FileError  missing, truncated, wrong magic number, counts that do not match
Images read_idx(const std::filesystem::path& folder, const std::string& prefix);

/// Latency code: a pixel p > 1 spikes once, at (1 - p / 255) * t_max; channel = its position.
LabelledSpikes encode(const Images& images, double t_max = 20e-3);

/// More than these is taken for damage: one flipped bit of a unit makes millions of channels.
struct SpikeFileLimits {
  std::int64_t channels = 1 << 20;              ///< units of the source
  std::int64_t classes = 1 << 16;               ///< the largest label + 1
  std::int64_t spikes = std::int64_t{1} << 31;  ///< of all samples
};

/// Reads a spike file in SHD's HDF5 layout: `spikes/times` (ragged floats, seconds), `spikes/units`
/// (ragged integers), `labels`. Times are sorted within a sample where the file's are not. The file
/// may be gzipped as a whole; what it holds under `extra` is kept. It
/// may have an attribute `grid` (channels, height, width), which says how many units there are too.
/// It is read in a process of its own, with bounds on memory and time that grow with the file: HDF5
/// does not survive every damaged file.
/// @param channels  units of the source; 0: those of the grid, or the largest unit + 1
/// @throws FileError  missing, truncated, not HDF5, data sets missing or of a wrong kind or length
/// @throws FileError  HDF5 broke down over it, or it takes more than any file of its size needs
/// @throws InvalidInput  NaN or negative times, a unit outside [0, channels), more than the limits
LabelledSpikes read_spike_file(const std::filesystem::path& file, std::int32_t channels = 0,
                               const SpikeFileLimits& limits = {});

/// Makes seconds of times in another unit, counted from another origin.
/// @param unit    how many seconds one of theirs lasts, above 0: 1e-3 of milliseconds
/// @param origin  what becomes 0, in seconds; none: the first spike of each sample
/// @throws InvalidInput  a spike before the origin
void in_seconds(LabelledSpikes& data, double unit, std::optional<double> origin = 0.0);

/// The samples `first` .. `first + count - 1`.
LabelledSpikes slice(const LabelledSpikes& data, std::size_t first, std::size_t count);

}  // namespace saltus::data
