// SPDX-License-Identifier: Apache-2.0
// exp, expm1 and log by additions, multiplications and one division alone: so the vectors of every
// instruction set (machine/exponential-inl.hpp) and the scalar code find the same bits, which no
// library promises. In the precision of the argument.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <type_traits>

namespace saltus {

/// x = n ln 2 + r with |r| <= ln(2)/2; exp(r) by its series, whose next term is below 5e-18 (5e-9).
template <class Real>
struct Exponential;
template <>
struct Exponential<double> {
  using Bits = std::uint64_t;
  static constexpr int mantissa = 52;
  static constexpr double per_ln2 = 1.4426950408889634074;
  static constexpr double ln2_high = 6.93147180369123816490e-01;  // n times this is exact
  static constexpr double ln2_low = 1.90821492927058770002e-10;
  static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52: its last bits count units
  static constexpr double lowest = -708;               // below this: 0
  static constexpr double lowest_power = -750;         // with numbers below the normal ones
  static constexpr double up = 0x1p64;
  static constexpr std::size_t terms = 12;
};
template <>
struct Exponential<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa = 23;
  static constexpr float per_ln2 = 1.44269504f;
  static constexpr float ln2_high = 0.693359375f;
  static constexpr float ln2_low = -2.12194440e-4f;
  static constexpr float round = 12582912.0f;
  static constexpr float lowest = -87;
  static constexpr float lowest_power = -105;
  static constexpr float up = 0x1p32f;
  static constexpr std::size_t terms = 8;
};

/// 1/2!, 1/3!, ...
template <class Real>
inline constexpr auto exponential_series = [] {
  std::array<Real, Exponential<Real>::terms> c{};
  double factorial = 1;
  for (std::size_t k = 0; k < c.size(); ++k) {
    factorial *= static_cast<double>(k + 2);
    c[k] = static_cast<Real>(1 / factorial);
  }
  return c;
}();

/// What exp and expm1 share: exp(x + low) = 2^n (1 + rest).
template <class Real>
struct ReducedExponential {
  using Bits = typename Exponential<Real>::Bits;
  Real rest;  // exp(r) - 1
  Bits n;     // in the bits of an exponent

  explicit ReducedExponential(Real x, Real low = 0) {
    using E = Exponential<Real>;
    const Real shifted = (x + low) * E::per_ln2 + E::round, count = shifted - E::round;
    const Real r = (x - count * E::ln2_high) + (low - count * E::ln2_low);
    // The series by pairs of terms, so that no addition waits long for another.
    constexpr auto& c = exponential_series<Real>;
    const Real r2 = r * r, r4 = r2 * r2;
    const auto four = [&](std::size_t k) {
      return (c[k] + c[k + 1] * r) + (c[k + 2] + c[k + 3] * r) * r2;
    };
    Real sum = four(0) + four(4) * r4;
    if constexpr (E::terms == 12) sum = four(0) + (four(4) + four(8) * r4) * r4;
    rest = r + r2 * sum;
    n = std::bit_cast<Bits>(shifted) << E::mantissa;
  }
  /// 2^n times a number near 1.
  Real scaled(Real number) const {
    return std::bit_cast<Real>(static_cast<Bits>(std::bit_cast<Bits>(number) + n));
  }
};

/// exp(x) for x <= 0, within one unit in the last place.
template <class Real>
inline Real exponential(Real x) {
  if (!(x >= Exponential<Real>::lowest)) return 0;
  const ReducedExponential<Real> e(x);
  return e.scaled(1 + e.rest);
}

/// exp(x) - 1, to a few units in the last place. x below 708 (87)
template <class Real>
inline Real exponential_less_one(Real x) {
  if (!(x >= Exponential<Real>::lowest)) return -1;
  const ReducedExponential<Real> e(x);
  const Real power = e.scaled(1);
  return power * e.rest + (power - 1);
}

/// x = 2^k m with sqrt(1/2) <= m < sqrt(2), and s = (m - 1)/(m + 1): log(m) = 2 s (1 + s^2/3 + ...).
template <class Real>
struct Logarithm;
template <>
struct Logarithm<double> {
  static constexpr std::uint64_t root_of_half = 0x3fe6a09e667f3bcd;
  static constexpr std::size_t terms = 10;
};
template <>
struct Logarithm<float> {
  static constexpr std::uint32_t root_of_half = 0x3f3504f3;
  static constexpr std::size_t terms = 5;
};

/// 2/3, 2/5, ...
template <class Real>
inline constexpr auto logarithm_series = [] {
  std::array<Real, Logarithm<Real>::terms> c{};
  for (std::size_t k = 0; k < c.size(); ++k) {
    c[k] = static_cast<Real>(2.0 / static_cast<double>(2 * k + 3));
  }
  return c;
}();

/// log(x) of a normal number, in two parts: k times an ln 2 with so few digits that `high` is exact.
template <class Real>
struct SplitLogarithm {
  Real high, low;

  explicit SplitLogarithm(Real x) {
    using E = Exponential<Real>;
    using Bits = typename E::Bits;
    using Signed = std::make_signed_t<Bits>;
    const Bits bits = std::bit_cast<Bits>(x), root = Logarithm<Real>::root_of_half;
    const auto k = static_cast<Signed>(bits - root) >> E::mantissa;
    const Real m =
        std::bit_cast<Real>(static_cast<Bits>(bits - (static_cast<Bits>(k) << E::mantissa)));
    const Real f = m - 1, half = f * f * Real(0.5), s = f / (2 + f), z = s * s;
    constexpr auto& c = logarithm_series<Real>;
    Real sum = c.back();
    for (std::size_t j = Logarithm<Real>::terms - 1; j-- > 0;) sum = sum * z + c[j];
    const Real count = static_cast<Real>(k);
    high = count * E::ln2_high;
    low = f - (half - (s * (half + z * sum) + count * E::ln2_low));
  }
};

/// Within two units in the last place.
template <class Real>
inline Real logarithm(Real x) {
  const SplitLogarithm<Real> log(x);
  return log.high + log.low;
}

/// x^(p_high + p_low), to as many units in the last place as p is large, whatever x. p_high has at
/// most 8 binary digits, so that its product with log.high is exact.
template <class Real>
inline Real power(Real x, Real p_high, Real p_low) {
  const SplitLogarithm<Real> log(x);
  const Real high = p_high * log.high;
  const Real low = p_low * log.high + (p_high + p_low) * log.low;
  using E = Exponential<Real>;
  if (!(high + low >= E::lowest_power)) return 0;
  const ReducedExponential<Real> e(high, low);
  return e.scaled(E::up * (1 + e.rest)) * (1 / E::up);
}

}  // namespace saltus
