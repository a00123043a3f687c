// SPDX-License-Identifier: Apache-2.0
// How recorded spikes agree with predicted ones, counted by hand and by looking at every pair.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "random/random.hpp"
#include "saltus/observe.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

TEST(Agreement, CountsBothWaysNeuronByNeuron) {
  const Spikes recorded = test::spikes_of({{{1e-3, 0}, {2e-3, 1}, {9e-3, 0}}, {}, {{5e-3, 1}}});
  const Spikes predicted =
      test::spikes_of({{{1.3e-3, 0}, {2e-3, 0}, {2.4e-3, 1}}, {{1e-3, 0}}, {{5e-3, 0}}});
  const Agreement a = agreement(recorded, predicted, 2, 0.5e-3);
  EXPECT_EQ(a.matched, 2u);  // of neurons 0 and 1 of the first sample
  EXPECT_EQ(a.extra, 2u);    // 9 ms, and neuron 1 of the last
  EXPECT_EQ(a.missing, 3u);  // 2 ms, all of the second sample, neuron 0 of the last
  EXPECT_NEAR(a.jitter, std::sqrt((0.3e-3 * 0.3e-3 + 0.4e-3 * 0.4e-3) / 2), 1e-12);
}

TEST(Agreement, OfTheSameSpikesIsPerfect) {
  const Spikes spikes = test::spikes_of({{{1e-3, 0}, {2e-3, 1}}, {{0, 1}}});
  const Agreement a = agreement(spikes, spikes, 2, 0);
  EXPECT_EQ(a.matched, 3u);
  EXPECT_EQ(a.extra + a.missing, 0u);
  EXPECT_EQ(a.jitter, 0);
}

TEST(Agreement, IsWhatEveryPairSays) {
  Random random(1, Purpose::synthetic);
  const auto draw = [&] {
    std::vector<std::vector<std::pair<double, int>>> samples(4);
    for (auto& sample : samples) {
      for (double t = 0; (t += random.uniform(0, 1e-3)) < 20e-3;) {
        sample.emplace_back(t, static_cast<int>(random.below(3)));
      }
    }
    return samples;
  };
  const auto one = draw(), other = draw();
  const double tolerance = 0.7e-3;
  const auto alone = [&](const auto& from, const auto& of) {
    std::size_t count = 0;
    for (std::size_t s = 0; s < from.size(); ++s) {
      for (const auto& [t, n] : from[s]) {
        bool near = false;
        for (const auto& [u, m] : of[s]) near = near || (n == m && std::fabs(t - u) <= tolerance);
        count += near ? 0 : 1;
      }
    }
    return count;
  };
  const Agreement a = agreement(test::spikes_of(one), test::spikes_of(other), 3, tolerance);
  EXPECT_EQ(a.extra, alone(one, other));
  EXPECT_EQ(a.missing, alone(other, one));
  EXPECT_GT(a.extra, 0u);
  EXPECT_GT(a.matched, 0u);
}

TEST(Agreement, RefusesWhatCannotBeCompared) {
  const Spikes one = test::spikes_of({{}}), two = test::spikes_of({{}, {}});
  EXPECT_EQ(test::refusal([&] { agreement(one, two, 1, 1e-3); }),
            "spikes have 1 samples, and others have 2; expected the same");
  for (const double tolerance : {-1e-3, test::nan}) {
    EXPECT_THAT(test::refusal([&] { agreement(one, one, 1, tolerance); }),
                testing::HasSubstr("expected a time of at least 0"));
  }
}

}  // namespace
}  // namespace saltus
