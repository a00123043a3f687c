// SPDX-License-Identifier: Apache-2.0
// Spike files in the HDF5 layout of the Heidelberg data sets.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <system_error>

#include "data/extra.hpp"
#include "data/gzip.hpp"
#include "data/packed.hpp"
#include "hdf5/child.hpp"
#include "hdf5/handle.hpp"
#include "saltus/data.hpp"
#include "saltus/error.hpp"

namespace saltus::data {
namespace {

using hdf5::Handle;
using hdf5::last_error;

constexpr const char* layout =
    "expected SHD's layout: spikes/times (ragged floats), spikes/units (ragged integers) and "
    "labels (integers)";

// HDF5 reads ragged rows into memory of its own; few at a time keep that small.
constexpr hsize_t rows_at_once = 64;

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& what) {
  throw FileError(fmt::format("{}: {}", file.string(), what));
}

// SHD and SSC are distributed so: HDF5 itself cannot pack ragged rows.
Handle open_gzipped(const std::filesystem::path& file, Unzipped& packed) {
  std::vector<std::uint8_t> image;
  for (std::size_t size = 0, step = 1U << 24;; step *= 2) {
    image.resize(size + step);
    size += packed.read(std::span(image).subspan(size));
    if (size == image.size()) continue;
    image.resize(size);
    break;
  }
  const Handle memory(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  if (H5Pset_fapl_core(memory.id(), 1U << 20, false) < 0 ||
      H5Pset_file_image(memory.id(), image.data(), image.size()) < 0) {
    fail(file, fmt::format("cannot be unpacked into memory: {}", last_error()));
  }
  // HDF5 wants a name that no file has.
  const auto name = file / "unpacked";
  Handle handle(H5Fopen(name.c_str(), H5F_ACC_RDONLY, memory.id()), H5Fclose);
  if (!handle.valid()) fail(file, fmt::format("is no gzipped HDF5 file: {}", last_error()));
  return handle;
}

Handle open_file(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status)) {
    fail(file, error && status.type() != std::filesystem::file_type::not_found ? error.message()
                                                                               : "no such file");
  }
  if (std::filesystem::is_directory(status)) fail(file, "is a folder; expected an HDF5 file");
  if (Unzipped packed(file); packed.gzipped()) return open_gzipped(file, packed);
  Handle handle(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!handle.valid()) fail(file, fmt::format("cannot be opened as HDF5: {}", last_error()));
  return handle;
}

// A one-dimensional data set of plain or ragged numbers, read a few rows at a time.
class Column {
 public:
  Column(const std::filesystem::path& file, hid_t file_id, const char* name, bool ragged,
         H5T_class_t kind)
      : file_(file), name_(name), data_(H5Dopen2(file_id, name, H5P_DEFAULT), H5Dclose) {
    if (!data_.valid()) {
      const std::string reason = last_error();  // the next call clears it
      if (!hdf5::linked(file_id, name_)) {
        fail(file_, fmt::format("has no data set '{}'; {}", name_, layout));
      }
      fail(file_, fmt::format("data set '{}' cannot be opened: {}", name_, reason));
    }
    if (const std::string obstacle = hdf5::obstacle(data_.id()); !obstacle.empty()) {
      fail(file_, fmt::format("data set '{}' cannot be read: {}", name_, obstacle));
    }
    const Handle type(H5Dget_type(data_.id()), H5Tclose);
    bool fits = type.valid();
    if (ragged) {
      fits = fits && H5Tget_class(type.id()) == H5T_VLEN;
      if (fits) {
        const Handle base(H5Tget_super(type.id()), H5Tclose);
        fits = base.valid() && H5Tget_class(base.id()) == kind;
      }
    } else {
      fits = fits && H5Tget_class(type.id()) == kind;
    }
    if (!fits) fail(file_, fmt::format("data set '{}' is of another type; {}", name_, layout));

    const Handle space(H5Dget_space(data_.id()), H5Sclose);
    if (!space.valid() || H5Sget_simple_extent_type(space.id()) != H5S_SIMPLE ||
        H5Sget_simple_extent_ndims(space.id()) != 1 ||
        H5Sget_simple_extent_dims(space.id(), &rows_, nullptr) != 1) {
      fail(file_, fmt::format("data set '{}' is not one-dimensional; {}", name_, layout));
    }
  }

  hsize_t rows() const { return rows_; }

  // HDF5 converts from whatever the file holds; a value that does not fit becomes the nearest one.
  void read(hsize_t first, hsize_t count, std::vector<std::int64_t>& values) const {
    values.resize(count);
    const Selection rows = select(first, count);
    if (H5Dread(data_.id(), H5T_NATIVE_INT64, rows.memory.id(), rows.file.id(), H5P_DEFAULT,
                values.data()) < 0) {
      unreadable(first, count, last_error());
    }
  }

 private:
  friend class RaggedRows;

  struct Selection {
    Handle memory;
    Handle file;
  };

  Selection select(hsize_t first, hsize_t count) const {
    Selection rows{Handle(H5Screate_simple(1, &count, nullptr), H5Sclose),
                   Handle(H5Dget_space(data_.id()), H5Sclose)};
    if (!rows.memory.valid() || !rows.file.valid() ||
        H5Sselect_hyperslab(rows.file.id(), H5S_SELECT_SET, &first, nullptr, &count, nullptr) < 0) {
      unreadable(first, count, last_error());
    }
    return rows;
  }

  [[noreturn]] void unreadable(hsize_t first, hsize_t count, const std::string& reason) const {
    fail(file_, fmt::format("data set '{}' cannot be read in samples {} to {}: {}", name_, first,
                            first + count - 1, reason));
  }

  const std::filesystem::path& file_;
  const char* name_;
  Handle data_;
  hsize_t rows_ = 0;
};

// Some rows of a ragged column, in memory that HDF5 allocated.
class RaggedRows {
 public:
  RaggedRows(const Column& column, hid_t element, hsize_t first, hsize_t count)
      : type_(H5Tvlen_create(element), H5Tclose),
        space_(H5Screate_simple(1, &count, nullptr), H5Sclose),
        rows_(count, hvl_t{0, nullptr}) {
    const Column::Selection rows = column.select(first, count);
    if (!type_.valid() || !space_.valid() ||
        H5Dread(column.data_.id(), type_.id(), rows.memory.id(), rows.file.id(), H5P_DEFAULT,
                rows_.data()) < 0) {
      const std::string reason = last_error();  // the next call clears it
      reclaim();                                // no destructor runs after a throw here
      column.unreadable(first, count, reason);
    }
  }
  ~RaggedRows() { reclaim(); }
  RaggedRows(const RaggedRows&) = delete;
  RaggedRows& operator=(const RaggedRows&) = delete;

  template <class T>
  std::span<const T> row(std::size_t k) const {
    return {static_cast<const T*>(rows_[k].p), rows_[k].p == nullptr ? 0 : rows_[k].len};
  }

 private:
  void reclaim() { H5Dvlen_reclaim(type_.id(), space_.id(), H5P_DEFAULT, rows_.data()); }

  Handle type_;
  Handle space_;
  std::vector<hvl_t> rows_;
};

// The attribute `grid`, if there is one.
Grid read_grid(const std::filesystem::path& file, hid_t root) {
  Grid grid{};
  if (H5Aexists(root, "grid") <= 0) return grid;
  const Handle attribute(H5Aopen(root, "grid", H5P_DEFAULT), H5Aclose);
  const Handle space(attribute.valid() ? H5Aget_space(attribute.id()) : -1, H5Sclose);
  const bool three = space.valid() && H5Sget_simple_extent_npoints(space.id()) == 3;
  const bool read = three && H5Aread(attribute.id(), H5T_NATIVE_INT64, grid.data()) >= 0;
  double neurons = 1;
  bool good = read;
  for (const std::int64_t n : grid) {
    good = good && n >= 1;
    neurons *= static_cast<double>(n);
  }
  if (good && neurons <= std::numeric_limits<std::int32_t>::max()) return grid;
  fail(file, fmt::format("attribute grid {}; expected three whole numbers of at least 1: channels, "
                         "height, width",
                         read ? fmt::format("is {}", fmt::join(grid, " x "))
                              : std::string("cannot be read as such")));
}

// Checks one sample and appends it, sorted by time.
void append(const std::filesystem::path& file, hsize_t sample, std::span<const double> times,
            std::span<const std::int64_t> units, std::int64_t unit_limit, Spikes& spikes) {
  if (times.size() != units.size()) {
    fail(file,
         fmt::format("sample {}: spikes/times has {} entries and spikes/units {}; expected as "
                     "many",
                     sample, times.size(), units.size()));
  }
  for (std::size_t k = 0; k < times.size(); ++k) {
    if (!std::isfinite(times[k]) || times[k] < 0) {
      throw InvalidInput(fmt::format(
          "{}: sample {}: spikes/times[{}] is {}; expected a finite time of at least 0, "
          "in seconds",
          file.string(), sample, k, times[k]));
    }
    if (units[k] < 0 || units[k] >= unit_limit) {
      throw InvalidInput(
          fmt::format("{}: sample {}: spikes/units[{}] is {}; expected a number in [0, {})",
                      file.string(), sample, k, units[k], unit_limit));
    }
  }
  if (std::is_sorted(times.begin(), times.end())) {
    spikes.times.insert(spikes.times.end(), times.begin(), times.end());
    for (const std::int64_t unit : units) {
      spikes.neurons.push_back(static_cast<std::int32_t>(unit));
    }
  } else {
    // Stable: spikes at one time stay in the file's order.
    std::vector<std::size_t> order(times.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return times[a] < times[b]; });
    for (const std::size_t k : order) {
      spikes.times.push_back(times[k]);
      spikes.neurons.push_back(static_cast<std::int32_t>(units[k]));
    }
  }
  spikes.offsets.push_back(static_cast<std::int64_t>(spikes.times.size()));
}

void check_limit(const std::filesystem::path& file, const char* name, std::int64_t value,
                 std::int64_t most) {
  if (value <= most) return;
  throw InvalidInput(
      fmt::format("{}: {} {}, more than the limit of {}; expected fewer, or a higher limit "
                  "(max_{}) if they are meant",
                  file.string(), value, name, most, name));
}

// The whole file, in the process of its own.
LabelledSpikes read(const std::filesystem::path& file, std::int32_t channels,
                    const SpikeFileLimits& limits) {
  const hdf5::QuietErrors quiet;
  const Handle handle = open_file(file);
  hdf5::open_no_more();
  const Grid grid = read_grid(file, handle.id());
  if (channels == 0) channels = static_cast<std::int32_t>(grid[0] * grid[1] * grid[2]);
  const Column times(file, handle.id(), "spikes/times", true, H5T_FLOAT);
  const Column units(file, handle.id(), "spikes/units", true, H5T_INTEGER);
  const Column labels(file, handle.id(), "labels", false, H5T_INTEGER);
  const hsize_t n = times.rows();
  if (units.rows() != n || labels.rows() != n) {
    fail(file,
         fmt::format("spikes/times has {} samples, spikes/units {} and labels {}; expected as "
                     "many in each",
                     n, units.rows(), labels.rows()));
  }
  if (n == 0) fail(file, "holds no samples; expected at least one");

  // Numbers of units and classes are int32, and one more than the largest.
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  LabelledSpikes data;
  data.grid = grid;
  std::vector<std::int64_t> chunk_labels;
  for (hsize_t first = 0; first < n; first += rows_at_once) {
    const hsize_t count = std::min(rows_at_once, n - first);
    labels.read(first, count, chunk_labels);
    const RaggedRows chunk_times(times, H5T_NATIVE_DOUBLE, first, count);
    const RaggedRows chunk_units(units, H5T_NATIVE_INT64, first, count);
    for (hsize_t k = 0; k < count; ++k) {
      const std::int64_t label = chunk_labels[k];
      if (label < 0 || label >= most) {
        throw InvalidInput(fmt::format("{}: labels[{}] is {}; expected a number in [0, {})",
                                       file.string(), first + k, label, most));
      }
      data.labels.push_back(static_cast<std::int32_t>(label));
      data.classes = std::max(data.classes, data.labels.back() + 1);
      check_limit(file, "classes", data.classes, limits.classes);
      append(file, first + k, chunk_times.row<double>(k), chunk_units.row<std::int64_t>(k),
             channels > 0 ? channels : most, data.spikes);
      check_limit(file, "spikes", static_cast<std::int64_t>(data.spikes.times.size()),
                  limits.spikes);
    }
  }
  read_extra(file, handle.id(), data);
  data.channels = channels;
  if (channels == 0) {
    if (data.spikes.neurons.empty()) {
      throw InvalidInput(fmt::format(
          "{}: channels is 0 and the file holds no spikes; expected the number of units",
          file.string()));
    }
    data.channels = 1 + *std::max_element(data.spikes.neurons.begin(), data.spikes.neurons.end());
  }
  check_limit(file, "channels", data.channels, limits.channels);
  return data;
}

}  // namespace

LabelledSpikes read_spike_file(const std::filesystem::path& file, std::int32_t channels,
                               const SpikeFileLimits& limits) {
  if (channels < 0) {
    throw InvalidInput(fmt::format(
        "channels is {}; expected the number of units, or 0 for the largest in the file + 1",
        channels));
  }
  // (A user who knows the number of units has no need of a limit on it.)
  SpikeFileLimits allowed = limits;
  allowed.channels = std::max<std::int64_t>(allowed.channels, channels);
  return unpacked(hdf5::in_child(file, hdf5::Bounds::of(file),
                                 [&] { return packed(read(file, channels, allowed)); }));
}

void in_seconds(LabelledSpikes& data, double unit, std::optional<double> origin) {
  auto& [offsets, times, neurons] = data.spikes;
  if (unit != 1) {
    for (double& t : times) t *= unit;
  }
  if (origin == 0.0) return;
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    const auto first = times.begin() + offsets[s], last = times.begin() + offsets[s + 1];
    if (first == last) continue;
    const double start = origin.value_or(*first);
    if (*first < start) {
      throw InvalidInput(
          fmt::format("sample {}: the first spike is at {} s, before origin = {} s; expected an "
                      "earlier origin, or 'first'",
                      s, *first, start));
    }
    for (auto t = first; t != last; ++t) *t -= start;
  }
}

LabelledSpikes slice(const LabelledSpikes& data, std::size_t first, std::size_t count) {
  if (data.spikes.samples() != data.size()) {
    throw InvalidInput(fmt::format("data has {} samples and {} labels; expected as many",
                                   data.spikes.samples(), data.size()));
  }
  if (first > data.size() || count > data.size() - first) {
    throw InvalidInput(fmt::format("a slice of {} samples from {}; expected one within {} samples",
                                   count, first, data.size()));
  }
  const auto& from = data.spikes;
  const std::int64_t begin = from.offsets[first];
  const std::int64_t end = from.offsets[first + count];
  LabelledSpikes part;
  part.channels = data.channels;
  part.classes = data.classes;
  part.grid = data.grid;
  part.labels.assign(data.labels.begin() + static_cast<std::ptrdiff_t>(first),
                     data.labels.begin() + static_cast<std::ptrdiff_t>(first + count));
  part.spikes.times.assign(from.times.begin() + begin, from.times.begin() + end);
  part.spikes.neurons.assign(from.neurons.begin() + begin, from.neurons.begin() + end);
  part.spikes.offsets.resize(count + 1);
  const auto rows = [&](const auto& column) {
    const auto at = column.begin() + static_cast<std::ptrdiff_t>(first);
    return std::decay_t<decltype(column)>(at, at + static_cast<std::ptrdiff_t>(count));
  };
  if (!data.t_end.empty()) part.t_end = rows(data.t_end);
  for (const auto& [name, column] : data.extra) {
    part.extra.emplace(name,
                       std::visit([&](const auto& c) { return ExtraColumn(rows(c)); }, column));
  }
  part.tables = data.tables;
  for (std::size_t s = 0; s <= count; ++s) part.spikes.offsets[s] = from.offsets[first + s] - begin;
  return part;
}

}  // namespace saltus::data
