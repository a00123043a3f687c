// SPDX-License-Identifier: Apache-2.0
// exp(x) for x <= 0, within one unit in the last place, by additions and multiplications alone: so
// the vectors of every instruction set (the kernels) and the scalar code find the same
// bits, which no library promises. x = n ln 2 + r with |r| <= ln(2)/2; exp(r) by its series, whose
// next term is 4e-18.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace saltus {

struct Exponential {
  static constexpr double per_ln2 = 1.4426950408889634074;
  static constexpr double ln2_high = 6.93147180369123816490e-01;  // n times this is exact
  static constexpr double ln2_low = 1.90821492927058770002e-10;
  static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52: its last bits count units
  static constexpr double lowest = -708;               // below this: 0
  // 1/2!, 1/3!, ... 1/13!
  static constexpr std::array<double, 12> series = [] {
    std::array<double, 12> c{};
    double factorial = 1;
    for (std::size_t k = 0; k < c.size(); ++k) {
      factorial *= static_cast<double>(k + 2);
      c[k] = 1 / factorial;
    }
    return c;
  }();
};

inline double exponential(double x) {
  using E = Exponential;
  if (!(x >= E::lowest)) return 0;
  const double shifted = x * E::per_ln2 + E::round, n = shifted - E::round;
  const double r = (x - n * E::ln2_high) - n * E::ln2_low;
  // The series by pairs of terms, so that no addition waits long for another.
  constexpr auto& c = E::series;
  const double r2 = r * r, r4 = r2 * r2;
  const double a = (c[0] + c[1] * r) + (c[2] + c[3] * r) * r2;
  const double b = (c[4] + c[5] * r) + (c[6] + c[7] * r) * r2;
  const double d = (c[8] + c[9] * r) + (c[10] + c[11] * r) * r2;
  const double result = 1 + (r + r2 * (a + (b + d * r4) * r4));
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(result) +
                               (std::bit_cast<std::uint64_t>(shifted) << 52));
}

}  // namespace saltus
