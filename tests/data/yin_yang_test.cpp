// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "data_folder.hpp"
#include "saltus/data.hpp"

namespace saltus::data {
namespace {

// The numbers of a version 1 .npy file whose header contains `description`.
template <class T>
std::vector<T> read_npy(const std::filesystem::path& file, const std::string& description) {
  const std::string bytes = test::read_bytes(file);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8)) << file;
  const std::size_t begin =
      10 + static_cast<std::uint8_t>(bytes.at(8)) + 256U * static_cast<std::uint8_t>(bytes.at(9));
  EXPECT_NE(bytes.substr(0, begin).find(description), std::string::npos) << file;
  std::vector<T> values((bytes.size() - begin) / sizeof(T));
  std::memcpy(values.data(), bytes.data() + begin, values.size() * sizeof(T));
  return values;
}

void expect_published(const std::string& name, YinYangSplit split,
                      const std::filesystem::path& folder) {
  const auto samples = read_npy<double>(folder / (name + "_samples.npy"), "'<f8'");
  const auto labels = read_npy<std::int64_t>(folder / (name + "_labels.npy"), "'<i8'");
  const YinYang points = yin_yang(split.size, split.seed);
  ASSERT_EQ(labels.size(), split.size);
  ASSERT_EQ(samples.size(), 4 * split.size);
  EXPECT_EQ(points.labels, labels);
  ASSERT_EQ(points.samples.size(), samples.size());
  EXPECT_EQ(std::memcmp(points.samples.data(), samples.data(), samples.size() * sizeof(double)), 0);
}

TEST(YinYang, TrainingSplitEqualsThePublishedFileToTheBit) {
  SALTUS_DATA_OR_SKIP(folder, "yin_yang");
  expect_published("train", yin_yang_train, folder);
}

TEST(YinYang, ValidationSplitEqualsThePublishedFileToTheBit) {
  SALTUS_DATA_OR_SKIP(folder, "yin_yang");
  expect_published("validation", yin_yang_validation, folder);
}

TEST(YinYang, TestSplitEqualsThePublishedFileToTheBit) {
  SALTUS_DATA_OR_SKIP(folder, "yin_yang");
  expect_published("test", yin_yang_test, folder);
}

// Holds where the published files are not at hand: their first points, as hexadecimal floats.
TEST(YinYang, FirstPointOfEverySplitIsThePublishedOne) {
  const auto first = [](std::uint32_t seed) {
    const YinYang p = yin_yang(1, seed);
    return std::array{p.samples[0], p.samples[1], static_cast<double>(p.labels[0])};
  };
  EXPECT_EQ(first(42), (std::array{0x1.5c51450ae9de0p-1, 0x1.cd4fad08539c4p-2, 2.0}));
  EXPECT_EQ(first(41), (std::array{0x1.5c740742f33bep-1, 0x1.48ad3fd6a1ea2p-2, 0.0}));
  EXPECT_EQ(first(40), (std::array{0x1.df6e0fe77e0e4p-3, 0x1.9b5dcab9967b6p-2, 2.0}));
}

TEST(YinYang, FewerPointsAreTheBeginningOfMore) {
  const YinYang few = yin_yang(100, 7);
  const YinYang more = yin_yang(300, 7);
  EXPECT_TRUE(std::equal(few.samples.begin(), few.samples.end(), more.samples.begin()));
  EXPECT_TRUE(std::equal(few.labels.begin(), few.labels.end(), more.labels.begin()));
}

TEST(YinYang, NoPointsAreNoPoints) {
  EXPECT_TRUE(yin_yang(0, 42).samples.empty());
  EXPECT_TRUE(yin_yang(0, 42).labels.empty());
}

TEST(YinYang, PointsLieInTheCircleWithMirroredCoordinatesAndClassesAreBalanced) {
  const std::size_t n = 30000;
  const YinYang points = yin_yang(n, 12345);
  std::array<int, 3> count{};
  for (std::size_t s = 0; s < n; ++s) {
    const double* p = &points.samples[4 * s];
    EXPECT_LE(std::hypot(p[0] - 0.5, p[1] - 0.5), 0.5 + 1e-15);
    EXPECT_EQ(p[2], 1 - p[0]);
    EXPECT_EQ(p[3], 1 - p[1]);
    ++count.at(static_cast<std::size_t>(points.labels[s]));
  }
  // Standard deviation of a count: sqrt(30000 * 2 / 9) = 82.
  for (const int c : count) EXPECT_NEAR(c, 10000, 410);
}

}  // namespace
}  // namespace saltus::data
