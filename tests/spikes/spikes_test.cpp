// SPDX-License-Identifier: Apache-2.0
#include "saltus/spikes.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "saltus/error.hpp"

namespace saltus {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

// Three samples, the middle one empty, for a source of four neurons.
Spikes good() { return {{0, 2, 2, 5}, {0.0, 1e-3, 0.0, 2e-3, 2e-3}, {0, 3, 2, 3, 1}}; }

// The message that refuses `spikes` as "input" with `size` neurons; empty if they are accepted.
std::string refusal(const Spikes& spikes, std::size_t size = 4) {
  try {
    validate(spikes, size, "input");
  } catch (const InvalidInput& e) {
    return e.what();
  }
  return "";
}

TEST(Validate, AcceptsEmptySamplesTiesAndTimeZero) { EXPECT_EQ(refusal(good()), ""); }

TEST(Validate, AcceptsNoSamplesAndNoSpikes) {
  EXPECT_EQ(refusal(Spikes{}), "");
  EXPECT_EQ(refusal({{0, 0, 0}, {}, {}}), "");
  EXPECT_EQ(refusal({{0, 0, 0}, {}, {}}, 0), "");
}

TEST(Validate, AcceptsEveryFiniteTime) {
  const double most = std::numeric_limits<double>::max();
  const double least = std::numeric_limits<double>::denorm_min();
  EXPECT_EQ(refusal({{0, 4}, {-0.0, 0.0, least, most}, {0, 0, 0, 0}}), "");
}

TEST(Validate, AcceptsTimesThatStartAnewInTheNextSample) {
  EXPECT_EQ(refusal({{0, 1, 2}, {5e-3, 1e-3}, {0, 0}}), "");
}

TEST(Validate, RefusesOffsetsThatDoNotStartAtZeroOrAreMissing) {
  Spikes spikes = good();
  spikes.offsets = {};
  EXPECT_EQ(refusal(spikes),
            "input.offsets is empty; expected one more entry than samples, the first 0");
  spikes.offsets = {1, 5};
  EXPECT_EQ(refusal(spikes), "input.offsets[0] is 1; expected 0");
  spikes.offsets = {-1, 5};
  EXPECT_EQ(refusal(spikes), "input.offsets[0] is -1; expected 0");
}

TEST(Validate, RefusesOffsetsThatDescend) {
  Spikes spikes = good();
  spikes.offsets = {0, 3, 2, 5};
  EXPECT_EQ(refusal(spikes), "input.offsets[2] is 2; expected at least 3, the entry before");
}

TEST(Validate, RefusesOffsetsThatEndElsewhereThanTheSpikes) {
  Spikes spikes = good();
  spikes.offsets.back() = 6;
  EXPECT_EQ(refusal(spikes), "input.offsets[3] is 6; expected 5, the number of spikes");
  spikes.offsets.back() = 4;
  EXPECT_EQ(refusal(spikes), "input.offsets[3] is 4; expected 5, the number of spikes");
}

TEST(Validate, RefusesTimesAndNeuronsOfDifferentLength) {
  Spikes spikes = good();
  spikes.neurons.pop_back();
  EXPECT_EQ(refusal(spikes), "input.neurons has 4 entries; expected 5, one for each time");
}

TEST(Validate, RefusesNaNInfiniteAndNegativeTimesWhereverTheyStand) {
  for (const auto& [value, text] :
       {std::pair{nan, "nan"}, {infinity, "inf"}, {-infinity, "-inf"}, {-1e-3, "-0.001"}}) {
    for (std::size_t k = 0; k < good().times.size(); ++k) {
      Spikes spikes = good();
      spikes.times[k] = value;
      EXPECT_EQ(refusal(spikes), "input.times[" + std::to_string(k) + "] is " + text + " (sample " +
                                     (k < 2 ? "0" : "2") + ", neuron " +
                                     std::to_string(spikes.neurons[k]) +
                                     "); expected a finite time of at least 0, in seconds");
    }
  }
}

TEST(Validate, RefusesTimesThatDescendWithinASample) {
  Spikes spikes = good();
  spikes.times[4] = 1e-3;
  EXPECT_EQ(refusal(spikes),
            "input.times[4] is 0.001 (sample 2, neuron 1); expected at least 0.002, the time "
            "before: times ascend within a sample");
}

TEST(Validate, RefusesNeuronsOutsideTheSource) {
  Spikes spikes = good();
  spikes.neurons[3] = 4;
  EXPECT_EQ(refusal(spikes), "input.neurons[3] is 4 (sample 2); expected a number in [0, 4)");
  spikes.neurons[3] = -1;
  EXPECT_EQ(refusal(spikes), "input.neurons[3] is -1 (sample 2); expected a number in [0, 4)");
}

}  // namespace
}  // namespace saltus
