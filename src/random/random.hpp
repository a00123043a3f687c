// SPDX-License-Identifier: Apache-2.0
// The one source of randomness: a counter-based generator (Philox 4x32-10, Salmon et al. 2011),
// keyed by a seed and by what the numbers are for. No global state; any stream can be had again.
#pragma once

#include <Random123/philox.h>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>

namespace saltus {

/// What random numbers are for: streams of different purposes are independent.
enum class Purpose : std::uint32_t { weights, shuffle, dropout, gradcheck, synthetic, thresholds };

class Random {
 public:
  /// @param stream  a further number, as of an epoch or a projection
  Random(std::uint64_t seed, Purpose purpose, std::uint32_t stream = 0)
      : key_{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}},
        counter_{{0, 0, static_cast<std::uint32_t>(purpose), stream}} {}

  std::uint32_t bits() {
    if (next_ == 4) {
      words_ = r123::Philox4x32()(counter_, key_);
      if (++counter_[0] == 0) ++counter_[1];
      next_ = 0;
    }
    return words_[next_++];
  }

  /// In [0, 1), 53 bits.
  double uniform() {
    const std::uint64_t high = bits() >> 5, low = bits() >> 6;
    return static_cast<double>((high << 26) + low) * 0x1p-53;
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// In [0, count), without bias (Lemire 2019).
  std::uint32_t below(std::uint32_t count) {
    for (;;) {
      const std::uint64_t product = static_cast<std::uint64_t>(bits()) * count;
      if (static_cast<std::uint32_t>(product) >= (0u - count) % count) {
        return static_cast<std::uint32_t>(product >> 32);
      }
    }
  }

  bool chance(double probability) { return uniform() < probability; }

  /// Standard normal (Box and Muller 1958).
  double normal() {
    const double radius = std::sqrt(-2 * std::log1p(-uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

  template <class T>
  void shuffle(std::span<T> values) {
    for (std::size_t k = values.size(); k > 1; --k) {
      std::swap(values[k - 1], values[below(static_cast<std::uint32_t>(k))]);
    }
  }

 private:
  r123::Philox4x32::key_type key_;
  r123::Philox4x32::ctr_type counter_, words_{};
  int next_ = 4;
};

}  // namespace saltus
