// SPDX-License-Identifier: Apache-2.0
// The published files were drawn with NumPy's legacy generator: MT19937 with one integer as seed,
// the word stream of std::mt19937. The standard's distributions are not the same everywhere, so the
// numbers are made from the words here.
#include <cmath>
#include <random>

#include "saltus/data.hpp"

namespace saltus::data {
namespace {

constexpr double r_big = 0.5;
constexpr double r_small = 0.1;

// Uniform in [0, 1) with 53 bits, from two words: numpy.random.rand.
double uniform(std::mt19937& words) {
  const auto high = static_cast<double>(static_cast<std::uint32_t>(words()) >> 5);
  const auto low = static_cast<double>(static_cast<std::uint32_t>(words()) >> 6);
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

// Uniform in {0, 1, 2}, by masking and rejecting: numpy.random.randint(3).
int uniform_class(std::mt19937& words) {
  while (true) {
    const auto candidate = static_cast<int>(words() & 3U);
    if (candidate <= 2) return candidate;
  }
}

// Squares are rounded before they are summed; a fused multiply-add would move points on a border.
double distance(double x, double y, double x0, double y0) {
  const double dx = x - x0;
  const double dy = y - y0;
  const double dx2 = dx * dx;
  const double dy2 = dy * dy;
  return std::sqrt(dx2 + dy2);
}

int class_of(double x, double y) {
  const double right = distance(x, y, 1.5 * r_big, r_big);
  const double left = distance(x, y, 0.5 * r_big, r_big);
  if (right < r_small || left < r_small) return 2;
  const bool yang = right <= r_small || (left > r_small && left <= 0.5 * r_big) ||
                    (y > r_big && right > 0.5 * r_big);
  return yang ? 1 : 0;
}

}  // namespace

YinYang yin_yang(std::size_t n, std::uint32_t seed) {
  std::mt19937 words(seed);
  YinYang points;
  points.samples.reserve(4 * n);
  points.labels.reserve(n);
  while (points.labels.size() < n) {
    // The class is drawn first, so that the three are equally frequent.
    const int goal = uniform_class(words);
    double x = 0;
    double y = 0;
    do {
      x = uniform(words) * 2.0 * r_big;
      y = uniform(words) * 2.0 * r_big;
    } while (distance(x, y, r_big, r_big) > r_big || class_of(x, y) != goal);
    points.samples.insert(points.samples.end(), {x, y, 1.0 - x, 1.0 - y});
    points.labels.push_back(goal);
  }
  return points;
}

}  // namespace saltus::data
