// SPDX-License-Identifier: Apache-2.0
// The building blocks of the dynamics and the integrals of the adjoint over an interval, in
// extended precision: for ratios of time constants from 0.3 to 20 and across p = 1 (docs/theory.md,
// sections 1 and 6). eps stands for 2.2e-16, a tolerance in eps for the roundings of the formula it
// is about.
#include "neuron/decay.hpp"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "neuron/adjoint.hpp"
#include "neuron/decay_kernel.hpp"
#include "neuron/tangent.hpp"

namespace saltus::neuron {
namespace {

using Wide = long double;

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class Real>
constexpr double eps = std::numeric_limits<Real>::epsilon();

// 0.3 to 20, integers, and 1 +- 1e-1..1e-15 with 1 itself.
std::vector<TimeConstants> time_constants() {
  std::vector<TimeConstants> all;
  const double syn = 0x1.4p-8;
  for (const double p : {0.3, 0.49, 0.5, 0.51, 0.75, 1.0,  1.25, 1.49, 1.5,  1.51, 2.0,
                         2.5, 3.0,  4.0, 5.0,  7.3,  10.0, 13.7, 16.0, 19.9, 20.0}) {
    all.emplace_back(p * syn, syn);
  }
  for (int k = 1; k <= 15; ++k) {
    for (const double sign : {1.0, -1.0})
      all.emplace_back((1 + sign * std::pow(10, -k)) * syn, syn);
  }
  for (const double ulps : {1.0, -1.0, 3.0}) all.emplace_back((1 + ulps * 0x1p-52) * syn, syn);
  all.emplace_back(20e-3, 5e-3);
  all.emplace_back(5e-3, 12e-3);
  return all;
}

// In units of tau_mem, from 1e-12.
std::vector<double> intervals() {
  std::vector<double> all;
  for (double s = 1e-12; s < 1e3; s *= 1.7) all.push_back(s);
  return all;
}

Wide ratio(const TimeConstants& tc) { return Wide{tc.tau_mem} / tc.tau_syn; }

// (exp(-s) - exp(-p s)) / (p - 1), as an integral that knows no special case: exp(-s) times the
// mean of exp(-q s y) over y in [0, 1], times s. The power series of the mean where q s is small.
Wide response(Wide p, Wide s) {
  if (std::isinf(s)) return 0;
  const Wide q = p - 1, z = q * s;
  if (std::fabs(z) > 1) return (std::exp(-s) - std::exp(-p * s)) / q;
  Wide sum = 0, term = 1;
  for (int k = 1; k < 40; ++k) {
    sum += term / k;
    term *= -z / k;
  }
  return s * std::exp(-s) * sum;
}

// (x^q - 1) / q, likewise.
Wide power_ratio(Wide q, Wide x) {
  const Wide log_x = std::log(x), z = q * log_x;
  if (std::fabs(z) > 1) return (std::exp(z) - 1) / q;
  Wide sum = 0, term = 1;
  for (int k = 1; k < 40; ++k) {
    sum += term / k;
    term *= z / k;
  }
  return log_x * sum;
}

double off(Wide value, Wide truth) { return static_cast<double>(std::fabs(value - truth)); }

TEST(Decay, IsAccurateForEveryRatioAndIntervalAcrossEqualTimeConstants) {
  double worst_mem = 0, worst_syn = 0, worst_k = 0, worst_k_near = 0;  // in units of the tolerance
  for (const TimeConstants& tc : time_constants()) {
    const Wide p = ratio(tc);
    for (const double interval : intervals()) {
      const double dt = interval * tc.tau_mem;
      const Wide s = Wide{dt} / tc.tau_mem;
      const double sd = static_cast<double>(s), pd = tc.p;
      const Decay<double> d = decay<double>(tc, dt);
      const Wide mem = std::exp(-s), syn = std::exp(-p * s), k = response(p, s);
      // The argument of exp is rounded: s eps/2 relative; a power p of it by squaring: p times
      // that.
      constexpr double tiny = std::numeric_limits<double>::min();
      const double mem_tolerance = (1 + sd / 2) * eps<double> * static_cast<double>(mem) + tiny;
      const double syn_tolerance =
          ((tc.integer_p ? pd : 1) + pd * (1 + sd / 2)) * eps<double> * static_cast<double>(syn) +
          tiny;
      worst_mem = std::max(worst_mem, off(d.mem, mem) / mem_tolerance);
      worst_syn = std::max(worst_syn, off(d.syn, syn) / syn_tolerance);
      if (std::fabs(tc.p - 1) > 0.5) {
        // A difference, accurate in units of the two exponentials: V gets I0 times it.
        worst_k =
            std::max(worst_k, off(d.k, k) / ((mem_tolerance + syn_tolerance) / std::fabs(pd - 1) +
                                             2 * eps<double> * static_cast<double>(k)));
      } else {
        // Accurate relative to itself, whatever the interval.
        worst_k_near =
            std::max(worst_k_near,
                     off(d.k, k) / ((4 + 2 * sd) * eps<double> * static_cast<double>(k) + tiny));
      }
      EXPECT_LE(off(d.k, k), 4 * eps<double>) << "p " << tc.p << " dt/tau " << interval;

      const Decay<float> f = decay<float>(tc, dt);
      EXPECT_EQ(f.mem, static_cast<float>(d.mem));
      EXPECT_EQ(f.syn, static_cast<float>(d.syn));
      EXPECT_EQ(f.k, static_cast<float>(d.k));
      EXPECT_EQ(f.reach, static_cast<float>(d.reach));
    }
  }
  std::printf(
      "worst error in units of its tolerance: mem %.3f, syn %.3f, K %.3f, K for |p - 1| <= 0.5 "
      "%.3f\n",
      worst_mem, worst_syn, worst_k, worst_k_near);
  EXPECT_LE(worst_mem, 1);
  EXPECT_LE(worst_syn, 1);
  EXPECT_LE(worst_k, 1);
  EXPECT_LE(worst_k_near, 1);
}

TEST(Exponential, IsWithinOneUnitInTheLastPlace) {
  std::mt19937_64 generator(3);
  double worst = 0;
  for (int k = 0; k < 300000; ++k) {
    // From 1e-18 to 708, as many in each decade.
    const double x = -std::exp(std::uniform_real_distribution<double>(-41, 6.5623)(generator));
    const double found = exponential(x);
    const Wide exact = std::exp(static_cast<Wide>(x));
    const double unit = std::nextafter(found, 2.0) - found;
    worst = std::max(worst, static_cast<double>(std::fabs(found - exact)) / unit);
  }
  std::printf("worst: %.3f units in the last place\n", worst);
  EXPECT_LE(worst, 1);
  EXPECT_EQ(exponential(0.0), 1);
  EXPECT_EQ(exponential(-0.0), 1);
  for (const double x : {-708.001, -745.0, -1e10, -infinity}) EXPECT_EQ(exponential(x), 0);
}

// In units in the last place.
template <class Real>
double units_off(Real found, Wide exact) {
  const Real size = static_cast<Real>(std::fabs(exact));
  const Real unit = std::nextafter(size, std::numeric_limits<Real>::infinity()) - size;
  return static_cast<double>(std::fabs(found - exact) / unit);
}

template <class Real>
void check_exponential_less_one() {
  std::mt19937_64 generator(5);
  double worst = 0;
  for (int k = 0; k < 300000; ++k) {
    const double size = std::exp(std::uniform_real_distribution<double>(-41, 4.1)(generator));
    const Real x = static_cast<Real>(k % 2 ? size : -size);
    worst = std::max(worst, units_off(exponential_less_one(x), std::expm1(static_cast<Wide>(x))));
  }
  std::printf("exp(x) - 1: worst %.2f units in the last place\n", worst);
  EXPECT_LE(worst, 2.5);
  EXPECT_EQ(exponential_less_one(Real(0)), 0);
  EXPECT_EQ(exponential_less_one(static_cast<Real>(-infinity)), -1);
}

template <class Real>
void check_logarithm_and_power() {
  std::mt19937_64 generator(6);
  double worst_log = 0, worst_power = 0;
  for (int k = 0; k < 300000; ++k) {
    const double size = std::exp(std::uniform_real_distribution<double>(-30, 4.4)(generator));
    const Real x = static_cast<Real>(std::exp(-size));
    if (!(x < 1) || x < std::numeric_limits<Real>::min()) continue;
    worst_log = std::max(worst_log, units_off(logarithm(x), std::log(static_cast<Wide>(x))));
    const TimeConstants tc(std::uniform_real_distribution<double>(1, 60)(generator), 1);
    const Real high = static_cast<Real>(tc.p_high), low = static_cast<Real>(tc.p - tc.p_high);
    const Wide exact = std::pow(static_cast<Wide>(x), Wide{high} + low);
    if (exact < std::numeric_limits<Real>::min()) {  // and one unit for the last product
      EXPECT_LE(units_off(power(x, high, low), exact), 1.5 * tc.p + 1);
      continue;
    }
    worst_power = std::max(worst_power, units_off(power(x, high, low), exact) / tc.p);
  }
  std::printf("log: worst %.2f units in the last place, x^p: %.2f p\n", worst_log, worst_power);
  EXPECT_LE(worst_log, 1.5);
  EXPECT_LE(worst_power, 1.5);
  EXPECT_EQ(logarithm(Real(1)), 0);
  EXPECT_EQ(power(Real(1), Real(3.5), Real(0)), 1);
}

TEST(Exponential, LessOneIsAccurateNearZeroToo) {
  check_exponential_less_one<double>();
  check_exponential_less_one<float>();
}

TEST(Exponential, HasItsInverseAndPowers) {
  check_logarithm_and_power<double>();
  check_logarithm_and_power<float>();
}

template <class Real>
void compare_decays() {
  std::mt19937_64 generator(4);
  std::vector<double> dt = {0, infinity, 1e-300, 14.15, 14.17, 1e5};  // 708 tau_mem = 14.16 s
  for (int k = 0; k < 1000; ++k) {
    dt.push_back(std::exp(std::uniform_real_distribution<double>(-30, 4)(generator)));
  }
  for (const TimeConstants& tc : time_constants()) {
    for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
      std::vector<Decay<Real>> found(dt.size());
      hwy::SetSupportedTargetsForTest(left & -left);
      decays(tc, dt, found.data());
      hwy::SetSupportedTargetsForTest(0);
      for (std::size_t k = 0; k < dt.size(); ++k) {
        const Decay<Real> d = decay<Real>(tc, dt[k]);
        ASSERT_EQ(found[k].mem, d.mem) << tc.p << " " << dt[k];
        ASSERT_EQ(found[k].syn, d.syn) << tc.p << " " << dt[k];
        ASSERT_EQ(found[k].k, d.k) << tc.p << " " << dt[k];
        ASSERT_EQ(found[k].reach, d.reach) << tc.p << " " << dt[k];
        ASSERT_EQ(found[k].end_slope, d.end_slope) << tc.p << " " << dt[k];
      }
    }
  }
}

TEST(Decays, HaveTheSameBitsOneByOneAndOnEveryInstructionSet) {
  compare_decays<float>();
  compare_decays<double>();
}

TEST(Decay, LeavesNothingAfterAnInfiniteIntervalButTheReach) {
  for (const TimeConstants& tc : time_constants()) {
    const Decay<double> d = decay<double>(tc, infinity);
    EXPECT_EQ(d.mem, 0);
    EXPECT_EQ(d.syn, 0);
    EXPECT_EQ(d.k, 0);
    EXPECT_EQ(d.reach, tc.k_peak);
    // And long before: no NaN, no negative K.
    for (const double s : {7.4e2, 1e3, 1e5, 1e300}) {
      const Decay<double> e = decay<double>(tc, s * tc.tau_mem);
      EXPECT_GE(e.k, 0) << "p " << tc.p << " s " << s;
      EXPECT_LE(e.k, 1e-90) << "p " << tc.p << " s " << s;
    }
  }
}

TEST(Decay, ReachesTheLargestResponseOfTheInterval) {
  for (const TimeConstants& tc : time_constants()) {
    const Wide p = ratio(tc), peak = Wide{tc.t_peak} / tc.tau_mem;
    EXPECT_LE(off(tc.k_peak, response(p, peak)), 2 * eps<double>) << "p " << tc.p;
    for (const Wide beside : {1 - 1e-4L, 1 + 1e-4L}) {
      EXPECT_LT(response(p, peak * beside), response(p, peak)) << "p " << tc.p;
    }
    for (const double interval : intervals()) {
      const double dt = interval * tc.tau_mem;
      const Wide s = Wide{dt} / tc.tau_mem;
      const Decay<double> d = decay<double>(tc, dt);
      Wide largest = 0;
      for (int j = 1; j <= 20; ++j) largest = std::max(largest, response(p, s * j / 20));
      EXPECT_GE(d.reach, static_cast<double>(largest) - 4 * eps<double>)
          << "p " << tc.p << " s " << interval;
      EXPECT_LE(d.reach, static_cast<double>(response(p, std::min(s, peak))) + 4 * eps<double>)
          << "p " << tc.p << " s " << interval;
    }
  }
}

// What the spike search relies on: x h(x) = -K to 4 eps, for any x down to the smallest normal
// number.
template <class Real>
double worst_h_in_eps() {
  double worst = 0;
  for (const TimeConstants& tc : time_constants()) {
    std::vector<Real> xs;
    for (int k = 1; k <= 22; ++k) {
      xs.push_back(1 - std::ldexp(Real(1), -k));
      xs.push_back(1 - Real(1.37) * std::ldexp(Real(1), -k - 1));
    }
    for (Real x = Real(0.77); x > std::numeric_limits<Real>::min(); x *= Real(0.6)) xs.push_back(x);
    xs.push_back(1);
    xs.push_back(std::nextafter(Real(1), Real(0)));
    xs.push_back(std::numeric_limits<Real>::min());
    for (const Real x : xs) {
      const Wide truth = power_ratio(ratio(tc) - 1, x);
      const double error = off(tc.h(x), truth) * static_cast<double>(x) / eps<Real>;
      worst = std::max(worst, error);
      EXPECT_LE(error, 4) << "p " << tc.p << " x " << x;
      // Not an integer: accurate relative to itself, too, but for the condition of the power, whose
      // exponent is off by the rounding of p.
      if (!tc.integer_p) {
        const double log_x = static_cast<double>(std::fabs(std::log(Wide{x})));
        const double tolerance =
            3 * eps<Real> * (1 + std::fabs(tc.p - 1) * log_x) + eps<double> / 2 * tc.p * log_x;
        EXPECT_LE(off(tc.h(x), truth), tolerance * static_cast<double>(std::fabs(truth)))
            << "p " << tc.p << " x " << x;
      }
    }
  }
  return worst;
}

TEST(TimeConstants, GiveHAccuratelyForEveryRatioAcrossEqualTimeConstants) {
  std::printf("worst error of x h(x): %.2f eps in float64, %.2f eps in float32\n",
              worst_h_in_eps<double>(), worst_h_in_eps<float>());
}

TEST(TimeConstants, GiveTheSynapticDecayAtAnX) {
  for (const TimeConstants& tc : time_constants()) {
    const Wide p = ratio(tc);
    for (double x = 1; x > 1e-10; x *= 0.83) {
      const Wide truth = std::pow(Wide{x}, p);
      // p is rounded: p |log x| eps/2.
      const double condition = 2 + tc.p * (1 - std::log(x));
      EXPECT_LE(off(tc.synaptic(x), truth), condition * eps<double> * static_cast<double>(truth))
          << "p " << tc.p << " x " << x;
    }
  }
}

// What is left of an interval follows from the slower exponential, be it that of the membrane or of the synapse.
TEST(TimeConstants, TellAllOfAnIntervalByTheSlowerExponential) {
  int by_membrane = 0, by_synapse = 0;
  double worst = 0;
  for (const TimeConstants& tc : time_constants()) {
    const TimeConstants by_z = tc.y_tells() ? TimeConstants(tc.tau_syn, tc.tau_mem) : tc;
    if (tc.slow_synapse() && !tc.y_tells()) continue;
    for (double z = 1; z > 1e-10; z *= 0.83) {
      ++(tc.y_tells() ? by_synapse : by_membrane);
      const Decay<double> told = decay_at(tc, by_z, z);
      const Decay<double> expected = decay<double>(tc, -by_z.tau_mem * std::log(z));
      // The time is rounded: P |log z| eps/2; what is rounded near the peak of K is small.
      const double condition = (4 - 4 * by_z.p * std::log(z)) * eps<double>;
      const auto off_by = [&](double a, double b, double size) {
        worst = std::max(worst, std::fabs(a - b) / (condition * size));
        EXPECT_LE(std::fabs(a - b), condition * size) << "p " << tc.p << " z " << z;
      };
      off_by(told.mem, expected.mem, expected.mem);
      off_by(told.syn, expected.syn, expected.syn);
      off_by(told.k, expected.k, tc.k_peak);
      off_by(told.reach, expected.reach, tc.k_peak);
      const double size = 1 + std::fabs(expected.end_slope);
      if (size < 1e300) off_by(told.end_slope, expected.end_slope, (1 + by_z.p) * size);
    }
  }
  std::printf(
      "%d by that of the membrane, %d by that of the synapse; worst %.2f of the tolerance\n",
      by_membrane, by_synapse, worst);
  EXPECT_GT(std::min(by_membrane, by_synapse), 500);
}

TEST(TimeConstants, RecogniseSmallIntegerRatiosOnly) {
  EXPECT_EQ(TimeConstants(20e-3, 5e-3).integer_p, 4);
  EXPECT_EQ(TimeConstants(2, 1).integer_p, 2);
  EXPECT_EQ(TimeConstants(32, 1).integer_p, 32);
  EXPECT_EQ(TimeConstants(33, 1).integer_p, 0);
  EXPECT_EQ(TimeConstants(1, 1).integer_p, 0);
  EXPECT_EQ(TimeConstants(5, 2).integer_p, 0);
  EXPECT_EQ(TimeConstants(1, 2).integer_p, 0);
  EXPECT_EQ(TimeConstants(std::nextafter(4.0, 5.0), 1).integer_p, 0);
}

// ---------------------------------------------------------------------------------------------
// Tangent

// Nodes and weights of Gauss and Legendre on [0, 1].
std::vector<std::pair<Wide, Wide>> gauss_legendre(int n) {
  std::vector<std::pair<Wide, Wide>> rule;
  for (int j = 1; j <= n; ++j) {
    Wide x = std::cos(std::acos(Wide{-1}) * (j - 0.25L) / (n + 0.5L)), slope = 1;
    for (int step = 0; step < 100; ++step) {
      Wide now = 1, before = 0;
      for (int k = 1; k <= n; ++k) {
        before = std::exchange(now, ((2 * k - 1) * x * now - (k - 1) * before) / k);
      }
      slope = n * (x * now - before) / (x * x - 1);
      x -= now / slope;
    }
    rule.push_back({(1 + x) / 2, 1 / ((1 - x * x) * slope * slope)});
  }
  return rule;
}

struct WideTangent {
  Wide v_mem, v_syn, i_syn;
};

// The variational equations, integrated panel by panel, times in units of tau_mem:
//   tau_mem v_mem' = -v_mem - V',  tau_mem v_syn' = -v_syn + i_syn,  tau_syn i_syn' = -i_syn - I'
WideTangent quadrature(const TimeConstants& tc, const Tangent<double>& x, double bias, double dt) {
  static const std::vector<std::pair<Wide, Wide>> rule = gauss_legendre(16);
  const Wide p = ratio(tc), end = Wide{dt} / tc.tau_mem, mem = tc.tau_mem;
  const int panels = static_cast<int>(std::ceil(end * std::max(p, Wide{1})));
  const auto i_syn = [&](Wide s) { return (x.i_syn + x.i * p * p * s / mem) * std::exp(-p * s); };
  WideTangent sum{x.v_mem * std::exp(-end), x.v_syn * std::exp(-end), i_syn(end)};
  for (int panel = 0; panel < panels; ++panel) {
    for (const auto& [node, weight] : rule) {
      const Wide s = end * (panel + node) / panels, ds = weight * end / panels;
      const Wide above = (Wide{x.v} - bias) * std::exp(-s) + x.i * response(p, s);
      sum.v_mem -= ds * std::exp(-(end - s)) * (x.i * std::exp(-p * s) - above) / mem;
      sum.v_syn += ds * std::exp(-(end - s)) * i_syn(s);
    }
  }
  return sum;
}

TEST(Tangent, MatchesTheVariationalEquationsForEveryRatioAcrossEqualTimeConstants) {
  std::mt19937_64 engine(1);
  const auto uniform = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(engine() >> 11) * 0x1p-53;
  };
  double worst = 0;
  int cases = 0;
  for (const TimeConstants& tc : time_constants()) {
    for (int j = 0; j < 24; ++j) {
      const double s = j < 20 ? std::exp(uniform(std::log(1e-12), std::log(10))) : uniform(1, 30);
      const double per_tau = 1 / tc.tau_mem, dt = s * tc.tau_mem, bias = uniform(-1, 2);
      const bool fresh = j % 2;
      const Tangent<double> start{.v = uniform(-2, 1),
                                  .i = uniform(-3, 3),
                                  .v_mem = fresh ? 0 : uniform(-1, 1) * per_tau,
                                  .v_syn = fresh ? 0 : uniform(-1, 1) * per_tau,
                                  .i_syn = fresh ? 0 : uniform(-1, 1) * per_tau};
      Tangent<double> got = start;
      flow(got, tc, bias, dt);
      const WideTangent truth = quadrature(tc, start, bias, dt);
      // Each is a sum of a few products, rounded a few times; where one is formed by a quotient of
      // p - 1 its rounding grows to at most s^2 exp(-p s) eps, 6 eps for p = 0.3.
      const double p2 = std::max(1.0, tc.p * tc.p);
      const double state = std::fabs(start.v) + std::fabs(start.i) + std::fabs(bias);
      const double unit = 10 * eps<double> * (state + (fresh ? 0 : 3)) * per_tau;
      for (const double error :
           {off(got.v_mem, truth.v_mem) / unit, off(got.v_syn, truth.v_syn) / (unit * p2),
            off(got.i_syn, truth.i_syn) / (unit * p2)}) {
        worst = std::max(worst, error);
        EXPECT_LE(error, 1) << "p " << tc.p << " dt/tau " << s << " case " << j;
      }
      ++cases;
    }
  }
  std::printf("%d intervals, worst error %.3f of the tolerance of 10 eps\n", cases, worst);
}

TEST(Tangent, ForgetsItsStartInAnEndlessInterval) {
  for (const TimeConstants& tc : time_constants()) {
    Tangent<double> x{.v = -0.6, .i = 1.5, .v_mem = 2, .v_syn = 3, .i_syn = 4};
    flow(x, tc, 0.3, infinity);
    EXPECT_EQ(x.v, 0.3);
    for (const double gone : {x.i, x.v_mem, x.v_syn, x.i_syn}) EXPECT_EQ(gone, 0);
  }
}

}  // namespace
}  // namespace saltus::neuron
