// SPDX-License-Identifier: Apache-2.0
// The interior maximum of V between two events (docs/theory.md, section 7) against samples of V and
// the plain extremum of tests/neuron/crossing_oracle.hpp.
#include "neuron/maximum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <string>

#include "crossing_oracle.hpp"
#include "neuron/decay.hpp"

namespace saltus::neuron {
namespace {

namespace oracle = crossing_oracle;
using oracle::Wide;

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Case {
  double tau_mem, tau_syn, v0, i0, b, dt;
  double scale() const { return std::max({1.0, std::fabs(v0), std::fabs(i0), std::fabs(b)}); }
  oracle::Neuron neuron() const { return {Wide{tau_mem} / tau_syn, v0, i0, b}; }
  Wide end() const { return Wide{dt} / tau_mem; }
  std::string text() const {
    char out[400];
    std::snprintf(out, sizeof out, "tau_mem %a tau_syn %a (p %.17g) v0 %a i0 %a b %a dt %a",
                  tau_mem, tau_syn, tau_mem / tau_syn, v0, i0, b, dt);
    return out;
  }
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  double logarithmic(double low, double high) {
    return std::exp(uniform(std::log(low), std::log(high)));
  }
  int integer(int low, int high) { return static_cast<int>(std::floor(uniform(low, high + 1.0))); }

 private:
  std::mt19937_64 engine_;
};

// Ratios from 0.003 to 300, integers, 1 and 1 +- 1e-1..1e-15; every number fits a float if
// `narrow`.
Case draw(Random& random, bool narrow) {
  Case c{};
  c.tau_syn = random.integer(1000, 8000) * 0x1p-20;
  const int kind = random.integer(0, 3);
  const double p =
      kind == 0   ? random.integer(1, 20)
      : kind == 1 ? 1 + (random.integer(0, 1) ? 1 : -1) * std::pow(10, -random.uniform(1, 15.5))
                  : random.logarithmic(0.003, 300);
  c.tau_mem = c.tau_syn * p;
  c.v0 = random.uniform(-2, 2);
  c.i0 =
      random.uniform(0, 1) < 0.2 ? -random.logarithmic(1e-3, 1e2) : random.logarithmic(1e-1, 1e2);
  c.b = random.integer(0, 1) ? 0 : random.uniform(-2, 2);
  c.dt = random.integer(0, 3) ? c.tau_mem * random.logarithmic(1e-3, 1e5) : infinity;
  if (narrow) {
    for (double* x : {&c.v0, &c.i0, &c.b}) *x = static_cast<double>(static_cast<float>(*x));
  }
  return c;
}

// Checks the value, which two roundings of the place x do not change: V is flat there; and that x
// is a place where V is that high. Where the peak is as near to an end as V can tell, either answer
// is right.
template <class Real>
void check(std::uint64_t seed) {
  constexpr double eps = std::numeric_limits<Real>::epsilon();
  Random random(seed);
  int peaks = 0, none = 0, endless = 0, near_one = 0;
  double worst = 0;
  for (int j = 0; j < 300000; ++j) {
    const Case c = draw(random, sizeof(Real) < sizeof(double));
    const TimeConstants tc(c.tau_mem, c.tau_syn);
    const oracle::Neuron n = c.neuron();
    const Decay<Real> d = decay<Real>(tc, c.dt);
    const Peak<Real> peak = interior_peak(tc, static_cast<Real>(c.v0), static_cast<Real>(c.i0),
                                          static_cast<Real>(c.b), d.mem, c.dt);
    const Wide turn = oracle::extremum(n);
    const bool inside = turn < c.end() && c.i0 > 0;
    // As derived in spike_search_test.cpp for V at an x.
    const double tolerance = 16 * eps * c.scale();
    const double ends = static_cast<double>(std::max(Wide{c.v0}, oracle::voltage(n, c.end())));
    if (!peak.found()) {
      ++none;
      if (inside) {
        ASSERT_LE(static_cast<double>(oracle::voltage(n, turn)) - ends, tolerance)
            << "missed " << c.text();
      }
      continue;
    }
    ++peaks;
    endless += std::isinf(c.dt);
    near_one += std::fabs(tc.p - 1) < 1e-3;
    ASSERT_GT(c.i0, 0) << c.text();
    ASSERT_TRUE(peak.after > 0 && peak.after < c.dt * (1 + 2 * eps) + 2 * eps * c.tau_mem)
        << c.text();
    const double highest = static_cast<double>(oracle::largest(n, c.end()));
    const double error = std::fabs(static_cast<double>(peak.value) - highest) / tolerance;
    const double place = std::fabs(highest - static_cast<double>(oracle::voltage(
                                                 n, static_cast<Wide>(peak.after) / c.tau_mem))) /
                         tolerance;
    worst = std::max({worst, error, place});
    ASSERT_LE(error, 1) << "value " << c.text();
    ASSERT_LE(place, 1) << "place " << c.text();
  }
  std::printf(
      "%d peaks (%d endless, %d with p near 1), %d without; worst error %.3f of the tolerance\n",
      peaks, endless, near_one, none, worst);
  EXPECT_GT(peaks, 60000);
  EXPECT_GT(none, 60000);
  EXPECT_GT(endless, 10000);
  EXPECT_GT(near_one, 10000);
}

TEST(InteriorPeak, IsTheMaximumOfVInAnyRandomIntervalAndIsNotMissed) { check<double>(1); }

TEST(InteriorPeak, IsTheMaximumOfVInAnyRandomIntervalInFloat32) { check<float>(2); }

TEST(InteriorPeak, IsNotBelowAnySampleOfV) {
  Random random(3);
  int peaks = 0;
  while (peaks < 2000) {
    const Case c = draw(random, false);
    const TimeConstants tc(c.tau_mem, c.tau_syn);
    const Peak<double> peak = interior_peak(tc, c.v0, c.i0, c.b, decay<double>(tc, c.dt).mem, c.dt);
    if (!peak.found()) continue;
    ++peaks;
    const Wide end = std::min(c.end(), Wide{60}), p = Wide{c.tau_mem} / c.tau_syn, q = p - 1;
    for (int k = 0; k <= 1000; ++k) {
      const Wide s = end * k / 1000;
      // Section 1 as it stands there, with kappa, where that is accurate enough.
      const Wide v = std::fabs(q) < 1e-3L ? oracle::voltage(c.neuron(), s)
                                          : c.b + (Wide{c.v0} - c.b + c.i0 / q) * std::exp(-s) -
                                                c.i0 / q * std::exp(-p * s);
      ASSERT_GE(peak.value, static_cast<double>(v) - 1e-14 * c.scale()) << c.text();
    }
  }
}

TEST(InteriorPeak, OfASingleArrivalIsThePeakOfTheResponse) {
  for (const double p : {0.3, 0.5, 1 - 1e-9, 1.0, 1 + 1e-9, 1.5, 2.0, 4.0, 7.5, 20.0}) {
    const TimeConstants tc(p * 0x1p-7, 0x1p-7);
    const auto peak_within = [&](double dt) {
      return interior_peak(tc, 0.0, 1.0, 0.0, decay<double>(tc, dt).mem, dt);
    };
    const Peak<double> peak = peak_within(infinity);
    EXPECT_NEAR(peak.value, tc.k_peak, 4e-16) << p;
    EXPECT_NEAR(peak.after, tc.t_peak, 8e-16 * tc.tau_mem) << p;
    // Not inside an interval that ends before.
    EXPECT_FALSE(peak_within(tc.t_peak * 0.999).found()) << p;
    EXPECT_TRUE(peak_within(tc.t_peak * 1.001).found()) << p;
  }
}

TEST(InteriorPeak, IsAbsentWithoutAPositiveCurrent) {
  for (const double p : {0.3, 1.0, 4.0}) {
    const TimeConstants tc(p * 0x1p-7, 0x1p-7);
    for (const double v0 : {-1.0, 0.0, 1.0}) {
      for (const double b : {-2.0, 0.0, 2.0}) {
        EXPECT_FALSE(interior_peak(tc, v0, 0.0, b, 0.0, infinity).found());
        EXPECT_FALSE(interior_peak(tc, v0, -1.5, b, 0.0, infinity).found());  // a minimum at most
      }
    }
    EXPECT_FALSE(interior_peak(tc, 1.0, 0.5, 0.0, 0.0, infinity).found());  // V falls at once
  }
}

}  // namespace
}  // namespace saltus::neuron
