// SPDX-License-Identifier: Apache-2.0
#include "random/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

namespace saltus {
namespace {

using Block = std::array<std::uint32_t, 4>;

// Philox 4x32-10 as Salmon et al. 2011 write it down, section 4.3.
Block philox(Block c, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
    c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ key[0], static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return c;
}

// Their published vectors: kat_vectors of Random123.
TEST(Philox, OfThisTestGivesThePublishedVectors) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, OfSeedZeroStartsWithThePublishedVector) {
  Random random(0, static_cast<Purpose>(0), 0);
  for (const std::uint32_t word : {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}) {
    EXPECT_EQ(random.bits(), word);
  }
}

TEST(Random, IsPhiloxKeyedBySeedPurposeAndStream) {
  const std::uint64_t seed = 0x0123456789ABCDEFull;
  Random random(seed, Purpose::dropout, 77);
  for (std::uint32_t block = 0; block < 100; ++block) {
    const Block expected = philox({block, 0, static_cast<std::uint32_t>(Purpose::dropout), 77},
                                  {0x89ABCDEFu, 0x01234567u});
    for (const std::uint32_t word : expected) ASSERT_EQ(random.bits(), word) << block;
  }
}

TEST(Random, StreamsOfAnyOtherSeedPurposeOrStreamAreUncorrelated) {
  constexpr int count = 20000;
  const auto draw = [](std::uint64_t seed, Purpose purpose, std::uint32_t stream) {
    Random random(seed, purpose, stream);
    std::vector<double> values(count);
    for (double& v : values) v = random.uniform() - 0.5;
    return values;
  };
  const std::vector<std::vector<double>> streams = {
      draw(1, Purpose::weights, 0), draw(2, Purpose::weights, 0),
      draw(1, Purpose::shuffle, 0), draw(1, Purpose::dropout, 0),
      draw(1, Purpose::weights, 1), draw(1ull << 32, Purpose::weights, 0),
      draw(0, Purpose::weights, 0)};
  for (std::size_t a = 0; a < streams.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      const double sum =
          std::inner_product(streams[a].begin(), streams[a].end(), streams[b].begin(), 0.0);
      EXPECT_LT(std::fabs(sum * 12 / count), 5 / std::sqrt(count)) << a << " and " << b;
    }
  }
}

// Five standard errors of each estimate.
TEST(Random, UniformHasTheMomentsOfTheUniformDistribution) {
  constexpr int count = 200000;
  Random random(3, Purpose::synthetic);
  double sum = 0, square = 0, low = 1, high = 0;
  for (int k = 0; k < count; ++k) {
    const double u = random.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    sum += u;
    square += (u - 0.5) * (u - 0.5);
    low = std::min(low, u);
    high = std::max(high, u);
  }
  EXPECT_NEAR(sum / count, 0.5, 5 * std::sqrt(1.0 / 12 / count));
  EXPECT_NEAR(square / count, 1.0 / 12, 5 * std::sqrt(1.0 / 180 / count));
  EXPECT_LT(low, 1e-4);
  EXPECT_GT(high, 1 - 1e-4);
  for (int k = 0; k < 1000; ++k) {
    const double u = random.uniform(-3, 5);
    ASSERT_TRUE(u >= -3 && u < 5);
  }
}

TEST(Random, UniformUsesFiftyThreeBits) {
  Random random(4, Purpose::synthetic);
  std::uint64_t seen = 0;
  for (int k = 0; k < 1000; ++k) {
    const double scaled = random.uniform() * 0x1p53;
    ASSERT_EQ(scaled, std::floor(scaled));
    seen |= static_cast<std::uint64_t>(scaled);
  }
  EXPECT_EQ(seen, (std::uint64_t{1} << 53) - 1);
}

TEST(Random, NormalHasTheMomentsOfTheNormalDistribution) {
  constexpr int count = 200000;
  Random random(5, Purpose::synthetic);
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  int beyond = 0;
  for (int k = 0; k < count; ++k) {
    const double z = random.normal();
    ASSERT_TRUE(std::isfinite(z));
    m1 += z;
    m2 += z * z;
    m3 += z * z * z;
    m4 += z * z * z * z;
    beyond += z > 1.959963984540054;
  }
  EXPECT_NEAR(m1 / count, 0, 5 * std::sqrt(1.0 / count));
  EXPECT_NEAR(m2 / count, 1, 5 * std::sqrt(2.0 / count));
  EXPECT_NEAR(m3 / count, 0, 5 * std::sqrt(15.0 / count));
  EXPECT_NEAR(m4 / count, 3, 5 * std::sqrt(96.0 / count));
  EXPECT_NEAR(beyond, 0.025 * count, 5 * std::sqrt(0.025 * 0.975 * count));
}

TEST(Random, BelowIsUniformForEveryCount) {
  for (const std::uint32_t count : {1u, 2u, 3u, 7u, 10u}) {
    constexpr int draws = 40000;
    Random random(count, Purpose::synthetic);
    std::vector<int> seen(count);
    for (int k = 0; k < draws; ++k) {
      const std::uint32_t value = random.below(count);
      ASSERT_LT(value, count);
      ++seen[value];
    }
    const double share = 1.0 / count;
    for (const int n : seen) {
      EXPECT_NEAR(n, draws * share, 5 * std::sqrt(draws * share * (1 - share))) << count;
    }
  }
}

// With 3 * 2^30 the plain product-and-shift would give every third value twice as often as the
// others.
TEST(Random, BelowHasNoBiasWhereCountDoesNotDivideTheRange) {
  constexpr std::uint32_t count = 3u << 30;
  constexpr int draws = 60000;
  Random random(6, Purpose::synthetic);
  std::array<int, 3> residue{};
  for (int k = 0; k < draws; ++k) ++residue[random.below(count) % 3];
  for (const int n : residue) EXPECT_NEAR(n, draws / 3.0, 5 * std::sqrt(draws * 2.0 / 9));
}

TEST(Random, ChanceHappensWithItsProbability) {
  constexpr int draws = 40000;
  for (const double p : {0.0, 0.1, 0.5, 0.9, 1.0}) {
    Random random(7, Purpose::synthetic);
    int happened = 0;
    for (int k = 0; k < draws; ++k) happened += random.chance(p);
    EXPECT_NEAR(happened, p * draws, 5 * std::sqrt(p * (1 - p) * draws)) << p;
  }
}

TEST(Random, ShuffleGivesEveryPermutationEquallyOften) {
  constexpr int draws = 24000;
  Random random(8, Purpose::shuffle);
  std::vector<int> seen(24);
  for (int k = 0; k < draws; ++k) {
    std::array<int, 4> values{0, 1, 2, 3};
    random.shuffle(std::span(values.data(), values.size()));
    std::array<int, 4> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    ASSERT_EQ(sorted, (std::array<int, 4>{0, 1, 2, 3}));
    std::array<int, 4> left{0, 1, 2, 3};
    int rank = 0;
    while (left != values) {
      std::next_permutation(left.begin(), left.end());
      ++rank;
    }
    ++seen[static_cast<std::size_t>(rank)];
  }
  for (const int n : seen) EXPECT_NEAR(n, 1000, 5 * std::sqrt(1000.0));
}

TEST(Random, TheSameStreamCanBeHadAgain) {
  Random a(9, Purpose::weights, 3), b(9, Purpose::weights, 3);
  std::set<std::uint32_t> distinct;
  for (int k = 0; k < 1000; ++k) {
    const std::uint32_t word = a.bits();
    ASSERT_EQ(word, b.bits());
    distinct.insert(word);
  }
  EXPECT_GT(distinct.size(), 995u);
}

}  // namespace
}  // namespace saltus
