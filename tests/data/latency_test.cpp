// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "data_folder.hpp"
#include "saltus/data.hpp"
#include "saltus/error.hpp"

namespace saltus::data {
namespace {

using test::message_of;

TEST(LatencyOfYinYang, CoordinatesSpikeInOrderOfTimeAndTheBiasAmongThem) {
  const YinYang points{{0.25, 0.5, 0.75, 0.5, 0.0, 0.125, 1.0, 0.875}, {0, 2}};
  const LabelledSpikes code = encode(points, 16e-3, 4e-3);
  EXPECT_EQ(code.channels, 5);
  EXPECT_EQ(code.classes, 3);
  EXPECT_EQ(code.labels, (std::vector<std::int32_t>{0, 2}));
  EXPECT_EQ(code.spikes.offsets, (std::vector<std::int64_t>{0, 5, 10}));
  // Channel 0 and the bias share 4 ms, channels 1 and 3 share 8 ms: ties by channel.
  EXPECT_EQ(code.spikes.neurons, (std::vector<std::int32_t>{0, 4, 1, 3, 2, 0, 1, 4, 3, 2}));
  EXPECT_EQ(code.spikes.times,
            (std::vector<double>{4e-3, 4e-3, 8e-3, 8e-3, 12e-3, 0, 2e-3, 4e-3, 14e-3, 16e-3}));
}

TEST(LatencyOfYinYang, PublishedSplitGivesValidSpikesAtCoordinateTimesTMax) {
  const YinYang points = yin_yang(yin_yang_test.size, yin_yang_test.seed);
  const LabelledSpikes code = encode(points);
  ASSERT_EQ(code.size(), yin_yang_test.size);
  validate(code.spikes, 5, "input");
  for (std::size_t k = 0; k < code.spikes.times.size(); ++k) {
    const auto channel = static_cast<std::size_t>(code.spikes.neurons[k]);
    EXPECT_EQ(code.spikes.times[k],
              channel == 4 ? 0.0 : points.samples[k / 5 * 4 + channel] * 30e-3);
  }
}

TEST(LatencyOfYinYang, RefusesTimesAndPointsWithoutMeaning) {
  const YinYang points{{0.25, 0.5, 0.75, 0.5}, {0}};
  const auto refusal = [](const YinYang& p, double t_max, double t_bias) {
    return message_of<InvalidInput>([&] { (void)encode(p, t_max, t_bias); });
  };
  EXPECT_EQ(refusal(points, 0, 0), "t_max is 0; expected a finite time above 0, in seconds");
  EXPECT_EQ(refusal(points, 1, -1),
            "t_bias is -1; expected a finite time of at least 0, in seconds");
  EXPECT_EQ(refusal(points, std::numeric_limits<double>::infinity(), 0),
            "t_max is inf; expected a finite time above 0, in seconds");
  EXPECT_EQ(refusal({{0.25, 0.5, 0.75}, {0}}, 1, 0),
            "points.samples has 3 values; expected 1 x 4 ([labels, 4])");
  EXPECT_EQ(refusal({{0.25, 0.5, std::nan(""), 0.5}, {0}}, 1, 0),
            "points.samples[0, 2] is nan; expected a number in [0, 1]");
  EXPECT_EQ(refusal({{0.25, -0.5, 0, 0.5}, {0}}, 1, 0),
            "points.samples[0, 1] is -0.5; expected a number in [0, 1]");
  EXPECT_EQ(refusal({{0.25, 0.5, 0.75, 0.5}, {3}}, 1, 0),
            "points.labels[0] is 3; expected 0, 1 or 2");
}

TEST(LatencyOfImages, BrightPixelsSpikeFirstTiesByPositionAndPixelsUpToOneAreSilent) {
  const Images images{
      2, 3, {0, 255, 1, 2, 51, 255, 51, 0, 51, 0, 0, 51, 0, 1, 0, 1, 0, 1}, {7, 0, 3}};
  const LabelledSpikes code = encode(images, 10e-3);
  EXPECT_EQ(code.channels, 6);
  EXPECT_EQ(code.classes, 8);
  EXPECT_EQ(code.labels, (std::vector<std::int32_t>{7, 0, 3}));
  EXPECT_EQ(code.spikes.offsets, (std::vector<std::int64_t>{0, 4, 7, 7}));
  EXPECT_EQ(code.spikes.neurons, (std::vector<std::int32_t>{1, 5, 4, 3, 0, 2, 5}));
  const double t51 = (1 - 51 / 255.0) * 10e-3;
  const double t2 = (1 - 2 / 255.0) * 10e-3;
  EXPECT_EQ(code.spikes.times, (std::vector<double>{0, 0, t51, t2, t51, t51, t51}));
}

TEST(LatencyOfImages, EveryGreyLevelSpikesAtItsOwnTime) {
  Images images{16, 16, std::vector<std::uint8_t>(256), {0}};
  for (std::size_t p = 0; p < 256; ++p) images.pixels[p] = static_cast<std::uint8_t>(p);
  const LabelledSpikes code = encode(images);
  ASSERT_EQ(code.spikes.times.size(), 254U);
  for (std::size_t k = 0; k < 254; ++k) {
    const auto p = static_cast<int>(255 - k);
    EXPECT_EQ(code.spikes.neurons[k], p);
    EXPECT_EQ(code.spikes.times[k], (1 - p / 255.0) * 20e-3);
  }
}

TEST(LatencyOfImages, RefusesTimesAndSizesWithoutMeaning) {
  const auto refusal = [](const Images& images, double t_max = 1) {
    return message_of<InvalidInput>([&] { (void)encode(images, t_max); });
  };
  EXPECT_EQ(refusal({1, 1, {9}, {0}}, std::nan("")),
            "t_max is nan; expected a finite time above 0, in seconds");
  EXPECT_EQ(refusal({0, 3, {}, {}}),
            "images have 0 rows and 3 columns; expected 1 to 2147483647 pixels");
  EXPECT_EQ(refusal({1ULL << 40, 1ULL << 40, {}, {}}),
            "images have 1099511627776 rows and 1099511627776 columns; expected 1 to 2147483647 "
            "pixels");
  EXPECT_EQ(refusal({1, 2, {1, 2, 3}, {0}}),
            "images.pixels has 3 entries; expected 1 x 1 x 2 ([labels, rows, columns])");
  EXPECT_EQ(refusal({1, 2, {1, 2, 3, 4}, {0}}),
            "images.pixels has 4 entries; expected 1 x 1 x 2 ([labels, rows, columns])");
}

}  // namespace
}  // namespace saltus::data
