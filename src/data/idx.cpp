// SPDX-License-Identifier: Apache-2.0
// IDX, the format of MNIST: a big-endian header (0, 0, type, dimensions, then the sizes), then the
// bytes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <system_error>
#include <utility>

#include "data/gzip.hpp"
#include "saltus/data.hpp"
#include "saltus/error.hpp"

namespace saltus::data {
namespace {

constexpr std::uint32_t images_magic = 0x00000803;  // bytes, three dimensions
constexpr std::uint32_t labels_magic = 0x00000801;  // bytes, one dimension

// One IDX file, plain or gzipped, read from front to back.
class Reader : public Unzipped {
 public:
  using Unzipped::Unzipped;

  std::uint32_t word(const char* what) {
    std::array<std::uint8_t, 4> b{};
    if (read(b) < b.size()) fail(fmt::format("ends in its header; expected {}", what));
    return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
  }

  void expect_magic(std::uint32_t expected, const char* kind) {
    const std::uint32_t magic = word("a magic number");
    if (magic != expected) {
      fail(fmt::format("starts with the magic number 0x{:08x}; expected 0x{:08x} ({})", magic,
                       expected, kind));
    }
  }

  // The last `n` bytes of the file: fewer and more are both errors.
  std::vector<std::uint8_t> rest(std::uint64_t n) {
    // Grows with what is read, so that a wrong size in the header cannot ask for all memory.
    constexpr std::uint64_t step = 1U << 24;
    std::vector<std::uint8_t> bytes;
    while (bytes.size() < n) {
      const std::size_t begin = bytes.size();
      const std::size_t wanted = std::min(n - begin, std::max<std::uint64_t>(step, begin));
      bytes.resize(begin + wanted);
      const std::size_t got = read(std::span(bytes).subspan(begin));
      if (got < wanted) {
        fail(fmt::format("ends after {} bytes of data; its header promises {}", begin + got, n));
      }
    }
    // Asking for one byte more also makes zlib compare the checksum at the end.
    std::array<std::uint8_t, 1> more{};
    if (read(more) != 0) fail(fmt::format("goes on after the {} bytes its header promises", n));
    return bytes;
  }
};

// The plain file where there is one, else the gzipped one.
std::filesystem::path find(const std::filesystem::path& folder, const std::string& name) {
  std::error_code ignored;
  for (const char* ending : {"", ".gz"}) {
    auto path = folder / (name + ending);
    if (std::filesystem::exists(path, ignored)) return path;
  }
  throw FileError(fmt::format("{}: no such file, nor with .gz", (folder / name).string()));
}

}  // namespace

Images read_idx(const std::filesystem::path& folder, const std::string& prefix) {
  const auto images_path = find(folder, prefix + "-images-idx3-ubyte");
  const auto labels_path = find(folder, prefix + "-labels-idx1-ubyte");

  // The labels first: they are small, and a mismatch is found before the pixels are read.
  Reader labels(labels_path);
  labels.expect_magic(labels_magic, "bytes in one dimension: labels");
  const std::uint64_t label_count = labels.word("the number of labels");

  Reader images(images_path);
  images.expect_magic(images_magic, "bytes in three dimensions: images");
  const std::uint64_t n = images.word("the number of images");
  const std::uint64_t rows = images.word("the number of rows");
  const std::uint64_t columns = images.word("the number of columns");
  if (n == 0 || rows == 0 || columns == 0) {
    images.fail(fmt::format("holds {} images of {} x {} pixels; expected at least one of each", n,
                            rows, columns));
  }
  // Channels are int32; this also keeps the product below within 64 bits.
  constexpr std::uint64_t most_pixels = std::numeric_limits<std::int32_t>::max();
  if (rows * columns > most_pixels) {
    images.fail(fmt::format("holds images of {} x {} pixels; expected at most {} pixels", rows,
                            columns, most_pixels));
  }
  if (n != label_count) {
    images.fail(fmt::format("holds {} images, but {} holds {} labels", n, labels_path.string(),
                            label_count));
  }

  Images result;
  result.rows = rows;
  result.columns = columns;
  result.labels = labels.rest(n);
  result.pixels = images.rest(n * rows * columns);
  return result;
}

}  // namespace saltus::data
