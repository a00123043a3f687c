// SPDX-License-Identifier: Apache-2.0
// No spike is missed and none is invented (docs/theory.md, section 2): random cases, most of them
// built to graze the threshold, against tests/neuron/crossing_oracle.hpp. The number of cases is
// multiplied by the environment variable SALTUS_TEST_SCALE.
#include "neuron/spike_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "crossing_oracle.hpp"
#include "neuron/decay.hpp"
#include "neuron/lif.hpp"

namespace saltus::neuron {
namespace {

namespace oracle = crossing_oracle;
using oracle::Wide;

constexpr double infinity = std::numeric_limits<double>::infinity();

// ---------------------------------------------------------------------------------------------
// Tolerances. S = max(1, |V0|, |I0|, |b|), u = eps/2 the unit of rounding.
//
// Both searches end where the sign of the computed f(x) = (a - I0 h) x + c changes, a = V0 - b,
// c = b - theta, so the true V there is off theta by at most the rounding of f. At a crossing
// |a| <= 2S, K = -x h < 0.65 for p >= 0.3, |theta| <= 3.7 S, |c| <= 2.7 S:
//
//     a: 2uS    a - I0 h, and its product with x: 2 * 2.7uS    c: 2.7uS    the sum: u|f|
//     h: log, its product with p - 1, expm1 and the division are rounded once each (4u relative;
//     the
//        condition of expm1 times K is below 1/(e p) = 1.2): 4 (0.65 + 1.2) uS
//     p itself is rounded: p |dK/dp| uS <= uS
//     the end of the interval: x_end, x_end^p and K each have a few u of their own: 4uS
//
// in all below 23 uS; 2 uS more for x, rounded where tau_mem |dV/dt| <= 4S. Hence, with margin,
//
//     residual = 16 eps S.
//
// A time is then off by residual / slope where V is straight. It is at most twice that where V is
// curved: concave, the largest V lies 1e-12 S = 280 residuals above theta or more and the slope is
// nearly constant; convex, from the lowest V to theta the mean slope is half the last one or more.
// The conversion to a time rounds log x, its product with tau_mem and the sum with t: 2 eps (time).
template <class Real>
constexpr double residual_in_eps = 16;

// Beyond this distance of the largest V from theta, in units of S, spike or no spike is certain.
constexpr double margin = 1e-12;

// The same in float32, whose inputs are rounded as well (V0, I0, b, theta: 6 u S more, and d.mem,
// d.k): the crossing must be found despite one residual and its slope (I + b - theta, of at least
// that distance) must stay positive despite another one.
constexpr double float_margin_in_eps = 2 * residual_in_eps<float>;

// ---------------------------------------------------------------------------------------------

struct Case {
  double tau_mem, tau_syn, v0, i0, b, theta, t, t_end;
  double dt() const { return t_end - t; }
  double scale() const { return std::max({1.0, std::fabs(v0), std::fabs(i0), std::fabs(b)}); }
  oracle::Neuron neuron() const { return {Wide{tau_mem} / tau_syn, v0, i0, b}; }
  Wide end() const { return Wide{dt()} / tau_mem; }
  std::string text() const {
    std::string out(512, '\0');
    const int n = std::snprintf(
        out.data(), out.size(),
        "tau_mem %a tau_syn %a (p %.17g) v0 %a i0 %a b %a theta %a t %a t_end %a (dt/tau %.6g)",
        tau_mem, tau_syn, tau_mem / tau_syn, v0, i0, b, theta, t, t_end, dt() / tau_mem);
    out.resize(static_cast<std::size_t>(n));
    return out;
  }
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  double unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * unit(); }
  double logarithmic(double low, double high) {
    return std::exp(uniform(std::log(low), std::log(high)));
  }
  bool chance(double p) { return unit() < p; }
  double sign() { return chance(0.5) ? 1 : -1; }
  int integer(int low, int high) { return low + static_cast<int>(unit() * (high - low + 1)); }

 private:
  std::mt19937_64 engine_;
};

// Ratios from 0.003 to 300: integers, exactly 1, 1 +- 1e-1..1e-15, ratios in common use, and any.
void draw_time_constants(Random& random, Case& c) {
  const double kind = random.unit();
  // Few bits: an integer times it is exact.
  c.tau_syn = random.integer(1000, 8000) * 0x1p-20;
  if (kind < 0.25) {
    c.tau_mem = c.tau_syn * random.integer(2, 20);
  } else if (kind < 0.33) {
    c.tau_mem = c.tau_syn;
  } else if (kind < 0.55) {
    c.tau_mem = c.tau_syn * (1 + random.sign() * std::pow(10, -random.uniform(1, 15.5)));
  } else if (kind < 0.65) {
    constexpr std::pair<double, double> common[] = {{20e-3, 5e-3}, {10e-3, 5e-3}, {5e-3, 10e-3},
                                                    {6e-3, 12e-3}, {20e-3, 8e-3}, {1e-3, 3e-3}};
    std::tie(c.tau_mem, c.tau_syn) = common[random.integer(0, 5)];
  } else {
    c.tau_mem = c.tau_syn * random.logarithmic(0.003, 300);
  }
}

// From 1e-12 tau_mem to infinity.
double draw_interval(Random& random, double tau_mem, bool may_be_endless) {
  const double kind = random.unit();
  if (may_be_endless && kind < 0.25) return infinity;
  if (kind < 0.35) return tau_mem * random.logarithmic(1e-12, 1e-2);
  if (kind < 0.5) return tau_mem * random.logarithmic(30, 1e6);
  return tau_mem * random.logarithmic(1e-2, 30);
}

void place(Random& random, Case& c, double dt) {
  c.t = random.chance(0.5) ? 0 : random.uniform(0, 1) * std::pow(10, random.integer(-3, 1));
  c.t_end = c.t + dt;
  if (!(c.t_end > c.t)) {
    c.t = 0;
    c.t_end = dt;
  }
}

// Other units of voltage; a power of two keeps every relation as it is.
void rescale(Random& random, Case& c) {
  if (!random.chance(0.2)) return;
  const double factor = std::ldexp(1.0, random.integer(-4, 12));
  for (double* x : {&c.v0, &c.i0, &c.b, &c.theta}) *x *= factor;
}

double graze(Random& random) { return random.sign() * std::pow(10, -random.uniform(9, 15)); }

// Nothing special, but every sign and order of V0, b and theta.
bool draw_any(Random& random, Case& c) {
  draw_time_constants(random, c);
  c.theta = random.chance(0.5) ? 1 : random.uniform(-2, 5);
  c.v0 = c.theta - random.logarithmic(1e-6, 10);
  c.i0 = random.chance(0.02) ? 0 : random.sign() * random.logarithmic(1e-3, 1e2);
  const double kind = random.unit();
  if (kind < 0.4) {
    c.b = random.uniform(-3, c.theta);
  } else if (kind < 0.8) {
    c.b = c.theta + random.logarithmic(1e-3, 10);
  } else if (kind < 0.9) {
    c.b = c.theta + graze(random);
  } else if (kind < 0.92) {
    c.b = c.theta;
  }
  place(random, c, draw_interval(random, c.tau_mem, c.b <= c.theta));
  return c.v0 < c.theta;
}

// theta at the peak of V inside the interval.
bool draw_peak(Random& random, Case& c) {
  draw_time_constants(random, c);
  c.v0 = random.uniform(-2, 1);
  c.i0 = random.logarithmic(1e-2, 1e2);
  c.b = random.chance(0.4) ? 0 : c.v0 + c.i0 * random.uniform(-1, 1.5);
  const double turn = static_cast<double>(oracle::extremum(c.neuron()));
  if (!(turn < 700)) return false;
  const double kind = random.unit();
  const double dt = kind < 0.2   ? infinity
                    : kind < 0.4 ? turn * (1 + random.sign() * std::pow(10, -random.uniform(1, 13)))
                    : kind < 0.5 ? turn * random.logarithmic(1, 1e4)
                                 : turn + random.logarithmic(1e-3, 30);
  place(random, c, dt * c.tau_mem);
  const double peak = static_cast<double>(oracle::largest(c.neuron(), c.end()));
  c.theta = peak + graze(random) * std::max(1.0, std::fabs(peak));
  return c.v0 < c.theta && (c.b <= c.theta || c.dt() < infinity);
}

// theta where V is at the end of the interval, rising or turning there.
bool draw_end(Random& random, Case& c) {
  draw_time_constants(random, c);
  c.v0 = random.uniform(-2, 1);
  c.i0 = (random.chance(0.7) ? -1 : 1) * random.logarithmic(1e-2, 1e2);
  c.b = c.i0 < 0 ? c.v0 + random.logarithmic(1e-3, 30) : c.v0 + c.i0 * random.uniform(-1, 3);
  place(random, c, draw_interval(random, c.tau_mem, false));
  const double last = static_cast<double>(oracle::voltage(c.neuron(), c.end()));
  c.theta = last + graze(random) * std::max(1.0, std::fabs(last));
  return c.v0 < c.theta;
}

// V0 just below theta, down to one unit in the last place; V rises, falls, or starts flat.
bool draw_start(Random& random, Case& c) {
  draw_time_constants(random, c);
  c.theta = random.chance(0.5) ? 1 : random.uniform(-2, 5);
  c.v0 = c.theta;
  if (random.chance(0.5)) {
    for (int i = random.integer(1, 4); i > 0; --i) c.v0 = std::nextafter(c.v0, -infinity);
  } else {
    c.v0 -= std::fabs(graze(random)) * std::max(1.0, std::fabs(c.theta));
  }
  c.i0 = random.sign() * random.logarithmic(1e-3, 1e2);
  const double slope = random.chance(0.1)
                           ? 0
                           : random.sign() * (random.chance(0.5) ? random.logarithmic(1e-17, 1e-6)
                                                                 : random.logarithmic(1e-6, 10));
  c.b = c.v0 - c.i0 + slope;
  place(random, c, draw_interval(random, c.tau_mem, c.b <= c.theta));
  return c.v0 < c.theta;
}

// ---------------------------------------------------------------------------------------------

struct Tally {
  std::int64_t cases = 0, crossings = 0, grazing = 0, decided_grazing = 0, undecided = 0,
               convex = 0, convex_crossings = 0, concave = 0, bias_above = 0, near_one = 0,
               exactly_one = 0, integer = 0, endless = 0, rejected = 0, float_differences = 0;
  double worst_residual = 0, worst_time = 0, worst_float_time = 0;  // in units of their tolerances
  std::int64_t failures = 0;
  std::string first_failures;

  void fail(const std::string& what, const Case& c) {
    if (++failures <= 5) first_failures += what + ": " + c.text() + "\n";
  }
  void print(const char* name) const {
    std::printf(
        "%s: %lld cases: %lld cross, %lld within 1e-9 of grazing (%lld of them beyond 1e-12),"
        " %lld undecided,\n  %lld convex (%lld cross), %lld concave, %lld b above theta, %lld p "
        "near 1,"
        " %lld p = 1, %lld p integer, %lld endless, %lld rejected by the bound,\n"
        "  float32 differs in %lld; worst residual %.3f, time %.3f, float32 time %.3f of the "
        "tolerance\n",
        name, as_long(cases), as_long(crossings), as_long(grazing), as_long(decided_grazing),
        as_long(undecided), as_long(convex), as_long(convex_crossings), as_long(concave),
        as_long(bias_above), as_long(near_one), as_long(exactly_one), as_long(integer),
        as_long(endless), as_long(rejected), as_long(float_differences), worst_residual, worst_time,
        worst_float_time);
  }
  static long long as_long(std::int64_t n) { return n; }
};

template <class Real>
struct Found {
  bool fires, rejected;
  double time, current;
};

// As the library does it, for one interval of one neuron.
template <class Real>
Found<Real> search(const Case& c, const TimeConstants& tc) {
  Lif<Real> n{.tc = tc,
              .bias = static_cast<Real>(c.b),
              .theta = static_cast<Real>(c.theta),
              .v_reset = 0,
              .tau_ref = 0,
              .v_initial = 0,
              .i_initial = 0};
  const Real v = std::min(static_cast<Real>(c.v0), n.just_below_theta), i = static_cast<Real>(c.i0);
  const Decay<Real> d = decay<Real>(tc, c.dt());
  const Real v_end = membrane_after(n, v, i, d);
  const Crossing<Real> x = first_crossing(n, v, i, c.t, c.t_end, d, v_end);
  return {x.time < infinity, cannot_spike(v, i, n.bias, n.theta, v_end, d.reach), x.time,
          static_cast<double>(x.found() ? rising_current(n, x.current) : x.current)};
}

void check_double(const Case& c, const oracle::Answer& truth, const Found<double>& found,
                  Tally& tally) {
  constexpr double eps = std::numeric_limits<double>::epsilon();
  const double scale = c.scale();
  const double distance = static_cast<double>(truth.largest - c.theta);
  const bool decided = std::fabs(distance) > margin * scale;
  if (decided && truth.crosses && found.rejected) tally.fail("rejected by the bound alone", c);
  if (decided && truth.crosses && !found.fires) tally.fail("missed", c);
  if (decided && !truth.crosses && found.fires) tally.fail("invented", c);
  if (!found.fires) return;

  if (!(found.time > c.t && found.time <= c.t_end)) tally.fail("outside the interval", c);
  if (!(found.current + c.b > c.theta)) tally.fail("V does not rise", c);
  const double residual = residual_in_eps<double> * eps * scale;
  const double clock = 2 * eps * found.time;
  const Wide s = (Wide{found.time} - c.t) / c.tau_mem;
  const oracle::Point x = oracle::at(c.neuron(), s);
  const double off =
      static_cast<double>(std::fabs(x.rise - (Wide{c.theta} - c.v0))) /
      (residual + clock / c.tau_mem * static_cast<double>(std::fabs(oracle::slope(c.neuron(), x))));
  tally.worst_residual = std::max(tally.worst_residual, off);
  if (!(off <= 1)) tally.fail("V is off theta at the spike", c);

  if (!truth.crosses || !decided) return;
  if (!(truth.slope > 0)) return tally.fail("beyond the precision of the oracle", c);
  const double time_tolerance = 2 * residual * c.tau_mem / static_cast<double>(truth.slope) + clock;
  const double late = static_cast<double>(std::fabs(s - truth.time)) * c.tau_mem / time_tolerance;
  tally.worst_time = std::max(tally.worst_time, late);
  if (!(late <= 1)) tally.fail("wrong time", c);
  // I moves by p I ds; x^p and p itself round.
  const double p = c.tau_mem / c.tau_syn, exponent = p * static_cast<double>(truth.time);
  const double current = static_cast<double>(oracle::current(c.neuron(), truth.time));
  const double current_tolerance = std::fabs(c.i0) * std::exp(-exponent) *
                                       (p * time_tolerance / c.tau_mem + (4 + p + exponent) * eps) +
                                   std::numeric_limits<double>::min();
  if (!(std::fabs(found.current - current) <= current_tolerance)) tally.fail("wrong current", c);
}

void check_float(const Case& c, const oracle::Answer& truth, const Found<double>& in_double,
                 const Found<float>& found, Tally& tally) {
  constexpr double eps = std::numeric_limits<float>::epsilon();
  const double scale = c.scale();
  const double distance = std::fabs(static_cast<double>(truth.largest - c.theta));
  const bool decided = distance > float_margin_in_eps * eps * scale;
  if (found.fires != in_double.fires) {
    ++tally.float_differences;
    if (decided) tally.fail(found.fires ? "invented in float32" : "missed in float32", c);
  }
  if (!found.fires) return;
  if (!(found.time > c.t && found.time <= c.t_end))
    tally.fail("outside the interval in float32", c);
  if (!decided || !truth.crosses) return;
  const double tolerance =
      2 * residual_in_eps<float> * eps * scale * c.tau_mem / static_cast<double>(truth.slope) +
      2 * std::numeric_limits<double>::epsilon() * found.time;
  const double late = std::fabs(found.time - in_double.time) / tolerance;
  tally.worst_float_time = std::max(tally.worst_float_time, late);
  if (!(late <= 1)) tally.fail("wrong time in float32", c);
}

void count(const Case& c, const oracle::Answer& truth, const Found<double>& found,
           const TimeConstants& tc, Tally& tally) {
  const double distance = std::fabs(static_cast<double>(truth.largest - c.theta)) / c.scale();
  ++tally.cases;
  tally.crossings += truth.crosses;
  tally.grazing += distance <= 1e-9;
  tally.decided_grazing += distance <= 1e-9 && distance > margin;
  tally.undecided += distance <= margin;
  (c.i0 < 0 ? tally.convex : tally.concave) += 1;
  tally.convex_crossings += c.i0 < 0 && truth.crosses;
  tally.bias_above += c.b > c.theta;
  tally.near_one += std::fabs(tc.p - 1) <= 1e-3;
  tally.exactly_one += tc.p == 1;
  tally.integer += tc.integer_p != 0;
  tally.endless += std::isinf(c.dt());
  tally.rejected += found.rejected;
}

Tally run(std::int64_t cases, std::uint64_t seed, bool (*draw)(Random&, Case&)) {
  Random random(seed);
  Tally tally;
  while (tally.cases < cases) {
    Case c{};
    if (!draw(random, c)) continue;
    rescale(random, c);
    const TimeConstants tc(c.tau_mem, c.tau_syn);
    const oracle::Answer truth = oracle::first_crossing(c.neuron(), c.theta, c.end());
    const Found<double> found = search<double>(c, tc);
    count(c, truth, found, tc, tally);
    check_double(c, truth, found, tally);
    check_float(c, truth, found, search<float>(c, tc), tally);
  }
  return tally;
}

std::int64_t scaled(double cases) {
  const char* scale = std::getenv("SALTUS_TEST_SCALE");
  return static_cast<std::int64_t>(cases * (scale ? std::atof(scale) : 1.0));
}

void expect_floors(const Tally& tally,
                   std::initializer_list<std::pair<std::int64_t, double>> floors) {
  for (const auto& [met, share] : floors) {
    EXPECT_GE(static_cast<double>(met), share * static_cast<double>(tally.cases));
  }
}

// Ten million cases and more in all.
TEST(SpikeSearch, MissesAndInventsNoSpikeInAnyRandomInterval) {
  const Tally tally = run(scaled(3e6), 1, draw_any);
  tally.print("any");
  EXPECT_EQ(tally.failures, 0) << tally.first_failures;
  expect_floors(tally, {{tally.crossings, 0.2},
                        {tally.convex, 0.4},
                        {tally.convex_crossings, 0.05},
                        {tally.concave, 0.4},
                        {tally.bias_above, 0.3},
                        {tally.near_one, 0.1},
                        {tally.exactly_one, 0.05},
                        {tally.integer, 0.2},
                        {tally.endless, 0.05},
                        {tally.rejected, 0.2}});
}

TEST(SpikeSearch, MissesAndInventsNoSpikeWhereThePeakOfVGrazesTheThreshold) {
  const Tally tally = run(scaled(3e6), 2, draw_peak);
  tally.print("peak");
  EXPECT_EQ(tally.failures, 0) << tally.first_failures;
  expect_floors(tally, {{tally.crossings, 0.4},
                        {tally.grazing, 0.95},
                        {tally.decided_grazing, 0.4},
                        {tally.concave, 1},
                        {tally.near_one, 0.1},
                        {tally.exactly_one, 0.05},
                        {tally.integer, 0.15},
                        {tally.endless, 0.1}});
}

TEST(SpikeSearch, MissesAndInventsNoSpikeWhereTheEndOfTheIntervalGrazesTheThreshold) {
  const Tally tally = run(scaled(2e6), 3, draw_end);
  tally.print("end");
  EXPECT_EQ(tally.failures, 0) << tally.first_failures;
  expect_floors(tally, {{tally.crossings, 0.4},
                        {tally.grazing, 0.5},
                        {tally.decided_grazing, 0.2},
                        {tally.convex, 0.4},
                        {tally.convex_crossings, 0.2},
                        {tally.concave, 0.2},
                        {tally.bias_above, 0.4},
                        {tally.near_one, 0.1},
                        {tally.exactly_one, 0.05},
                        {tally.integer, 0.2},
                        {tally.rejected, 0.1}});
}

TEST(SpikeSearch, MissesAndInventsNoSpikeWhereTheIntervalStartsJustBelowTheThreshold) {
  const Tally tally = run(scaled(2.5e6), 4, draw_start);
  tally.print("start");
  EXPECT_EQ(tally.failures, 0) << tally.first_failures;
  expect_floors(tally, {{tally.crossings, 0.3},
                        {tally.grazing, 0.2},
                        {tally.convex, 0.4},
                        {tally.convex_crossings, 0.2},
                        {tally.concave, 0.4},
                        {tally.bias_above, 0.4},
                        {tally.near_one, 0.1},
                        {tally.exactly_one, 0.05},
                        {tally.integer, 0.2},
                        {tally.endless, 0.05},
                        {tally.rejected, 0.1}});
}

// ---------------------------------------------------------------------------------------------
// The oracle itself.

struct Derivative {
  Wide v, i;
};

// Classical Runge-Kutta in s.
Derivative integrate(const oracle::Neuron& n, Wide s, int steps) {
  const auto rate = [&](Derivative y) { return Derivative{n.b + y.i - y.v, -n.p * y.i}; };
  const auto add = [](Derivative y, Wide h, Derivative k) {
    return Derivative{y.v + h * k.v, y.i + h * k.i};
  };
  Derivative y{n.v0, n.i0};
  const Wide h = s / steps;
  for (int j = 0; j < steps; ++j) {
    const Derivative k1 = rate(y), k2 = rate(add(y, h / 2, k1)), k3 = rate(add(y, h / 2, k2)),
                     k4 = rate(add(y, h, k3));
    y = add(add(add(add(y, h / 6, k1), h / 3, k2), h / 3, k3), h / 6, k4);
  }
  return y;
}

TEST(CrossingOracle, SolvesTheDifferentialEquations) {
  Random random(5);
  for (int j = 0; j < 300; ++j) {
    Case c{};
    draw_any(random, c);
    const oracle::Neuron n = c.neuron();
    const Wide s = random.uniform(0.01, 3);
    const Derivative y = integrate(n, s, 4000);
    const oracle::Point x = oracle::at(n, s);
    EXPECT_NEAR(static_cast<double>(n.v0 + x.rise - y.v), 0, 1e-9 * c.scale()) << c.text();
    EXPECT_NEAR(static_cast<double>(x.i - y.i), 0, 1e-9 * c.scale()) << c.text();
  }
}

TEST(CrossingOracle, FindsTheFirstOfManySamplesAtOrAboveTheThreshold) {
  Random random(6);
  int crossings = 0;
  for (int j = 0; j < 2000; ++j) {
    Case c{};
    draw_any(random, c);
    const oracle::Neuron n = c.neuron();
    const Wide end = std::min(c.end(), Wide{40});
    const oracle::Answer answer = oracle::first_crossing(n, c.theta, end);
    crossings += answer.crosses;
    if (answer.crosses) {
      EXPECT_NEAR(static_cast<double>(oracle::voltage(n, answer.time) - c.theta), 0,
                  1e-17 * c.scale());
    }
    constexpr int samples = 2000;
    for (int k = 1; k <= samples; ++k) {
      const Wide s = end * k / samples, v = oracle::voltage(n, s);
      ASSERT_LE(v, answer.largest + 1e-17L * c.scale()) << c.text();
      if (v < c.theta + 1e-17L * c.scale()) continue;
      ASSERT_TRUE(answer.crosses) << c.text();
      ASSERT_LE(answer.time, s) << c.text();
    }
  }
  EXPECT_GT(crossings, 400);
}

// ---------------------------------------------------------------------------------------------
// Borders.

template <class Real>
Lif<Real> neuron(double tau_mem, double tau_syn, Real b, Real theta) {
  return {.tc = TimeConstants(tau_mem, tau_syn),
          .bias = b,
          .theta = theta,
          .v_reset = 0,
          .tau_ref = infinity,  // one spike at most
          .v_initial = 0,
          .i_initial = 0};
}

struct Sink {
  std::vector<double> spikes;
  void spike(double time, double) { spikes.push_back(time); }
  void release(double) {}
};

template <class Real>
double first_spike(const Lif<Real>& n, Real v, Real i, double t, double t_end) {
  const Decay<Real> d = decay<Real>(n.tc, t_end - t);
  return first_crossing(n, v, i, t, t_end, d, membrane_after(n, v, i, d)).time;
}

constexpr std::pair<double, double> some_time_constants[] = {
    {20e-3, 5e-3}, {10e-3, 5e-3}, {5e-3, 5e-3}, {5e-3, 12e-3}, {20e-3, 1e-3}, {5e-3, 5.001e-3}};

template <class Real>
class SpikeSearchAtTheBorder : public testing::Test {};
using Reals = testing::Types<double, float>;
TYPED_TEST_SUITE(SpikeSearchAtTheBorder, Reals);

TYPED_TEST(SpikeSearchAtTheBorder, FiresAtOnceFromOneUnitBelowTheThresholdWhereVRises) {
  using Real = TypeParam;
  const Real below = std::nextafter(Real(1), Real(0));
  for (const auto& [tau_mem, tau_syn] : some_time_constants) {
    for (const Real i : {Real(3), Real(0), Real(-3)}) {
      const Lif<Real> n = neuron<Real>(tau_mem, tau_syn, Real(2) - std::min(i, Real(0)), Real(1));
      for (const double dt : {1e-9, 1e-3, 1.0}) {
        for (const double t : {0.0, 0.25}) {
          const double time = first_spike<Real>(n, below, i, t, t + dt);
          EXPECT_GT(time, t);
          EXPECT_LE(time, t + 4 * tau_mem * std::numeric_limits<Real>::epsilon() +
                              std::numeric_limits<double>::epsilon() * t);
        }
      }
    }
  }
}

TYPED_TEST(SpikeSearchAtTheBorder, IsSilentFromOneUnitBelowTheThresholdWhereVFalls) {
  using Real = TypeParam;
  const Real below = std::nextafter(Real(1), Real(0));
  for (const auto& [tau_mem, tau_syn] : some_time_constants) {
    for (const Real i : {Real(0.5), Real(0), Real(-3)}) {
      const Lif<Real> n = neuron<Real>(tau_mem, tau_syn, Real(0.25), Real(1));
      for (const double dt : {1e-9, 1e-3, 1.0, infinity}) {
        EXPECT_EQ(first_spike<Real>(n, below, i, 0, dt), infinity);
      }
    }
  }
}

// V starts flat one unit below theta and rises later: once lost, as Newton was thrown over the
// valley.
TYPED_TEST(SpikeSearchAtTheBorder, FiresWhereVStartsFlatJustBelowTheThresholdAndRisesLater) {
  using Real = TypeParam;
  constexpr Real eps = std::numeric_limits<Real>::epsilon();
  for (const auto& [tau_mem, tau_syn] : some_time_constants) {
    for (const Real more : {Real(0), eps, -eps, 20 * eps, -20 * eps}) {
      for (const Real i : {Real(-0.125), Real(-1), Real(-8.8), Real(-9.3), Real(-27.86)}) {
        const Lif<Real> n = neuron<Real>(tau_mem, tau_syn, 1 - i + more, Real(1));
        for (const double dt : {0.1 * tau_mem, tau_mem, 1e3}) {
          // V - theta = -i p s^2/2 - ...: as far away as one residual can be.
          const double time = first_spike<Real>(n, std::nextafter(Real(1), Real(0)), i, 0, dt);
          EXPECT_GT(time, 0);
          EXPECT_LE(time, tau_mem * 40 * std::sqrt(eps)) << tau_mem / tau_syn << " " << i;
        }
      }
    }
  }
}

TYPED_TEST(SpikeSearchAtTheBorder, IsSilentWhereVOnlyApproachesTheThresholdForEver) {
  using Real = TypeParam;
  for (const auto& [tau_mem, tau_syn] : some_time_constants) {
    const Lif<Real> n = neuron<Real>(tau_mem, tau_syn, Real(1), Real(1));
    for (const Real i : {Real(0), Real(-0.5), Real(-5)}) {
      for (const Real v : {Real(-3), Real(0), std::nextafter(Real(1), Real(0))}) {
        EXPECT_EQ(first_spike<Real>(n, v, i, 0, infinity), infinity);
      }
    }
  }
}

// A bias at the threshold or next to it, the synapse a little slower: V crosses when both exponentials have
// long run out of digits, at a time that a closed form tells; not before, and not where an interval ends.
TYPED_TEST(SpikeSearchAtTheBorder, FiresInTimeWhereASlowSynapseLiftsVOverABiasNearTheThreshold) {
  using Real = TypeParam;
  int before = 0, fired = 0;
  for (const double ratio : {1.01, 1.07, 1.5, 2.0, 15.0, 16.0, 17.0}) {
    const double tau_mem = 0.02, p = 1 / ratio;
    const Lif<Real> n = neuron<Real>(tau_mem, ratio * tau_mem, Real(1), Real(1));
    for (const Real i : {Real(0.3), Real(1e-3), Real(1e-7)}) {
      const double less = (1 - p) / static_cast<double>(i);  // from V = 0
      const double expected = tau_mem * std::log1p(less) / (1 - p);
      for (const double end : {0.5 * expected, 0.99 * expected, 1.01 * expected, 1e3, infinity}) {
        const double time = first_spike<Real>(n, 0, i, 0, end);
        if (end < expected) {
          EXPECT_EQ(time, infinity) << ratio << " " << i << " " << end;
          ++before;
        } else {
          EXPECT_NEAR(time, expected, 1e-6 * expected) << ratio << " " << i << " " << end;
          ++fired;
        }
      }
    }
    // Just above, from a current that still holds V down: the time does not depend on the end.
    const Real above = 1 + 6 * std::numeric_limits<float>::epsilon();
    const Lif<Real> next = neuron<Real>(tau_mem, ratio * tau_mem, above, Real(1));
    const double time = first_spike<Real>(next, Real(0.9), Real(-0.1), 0, infinity);
    EXPECT_LT(time, 20 * ratio * tau_mem);
    for (const double end : {time + 0.1, 2 * time, 50.0}) {
      EXPECT_NEAR(first_spike<Real>(next, Real(0.9), Real(-0.1), 0, end), time, 1e-6);
    }
  }
  EXPECT_EQ(before, 42);
  EXPECT_EQ(fired, 63);
}

// The level that V is computed to end at, V rising: the spike lies on the end of the interval.
TYPED_TEST(SpikeSearchAtTheBorder,
           FiresAtTheEndOfTheIntervalWhereVReachesTheThresholdExactlyThere) {
  using Real = TypeParam;
  Random random(7);
  int fired[2] = {0, 0};
  while (fired[0] < 20000 || fired[1] < 20000) {
    Case c{};
    if (!draw_any(random, c)) continue;
    c.t_end = c.t + c.tau_mem * random.logarithmic(1e-2, 5);
    const Lif<Real> n = neuron<Real>(c.tau_mem, c.tau_syn, static_cast<Real>(c.b), Real(0));
    const Real v = static_cast<Real>(c.v0), i = static_cast<Real>(c.i0);
    const Decay<Real> d = decay<Real>(n.tc, c.dt());
    const Real v_end = membrane_after(n, v, i, d), rate = i * d.syn + n.bias - v_end;
    if (!(v_end > v && rate > 1e-3 * c.scale())) continue;
    if (c.i0 > 0 && oracle::extremum(c.neuron()) < c.end()) continue;  // V was there before
    Lif<Real> m = n;
    m.theta = v_end;
    const double time = first_spike<Real>(m, v, i, c.t, c.t_end);
    ASSERT_LE(time, c.t_end) << c.text();
    ASSERT_GE(time, c.t_end -
                        2 * residual_in_eps<Real> * std::numeric_limits<Real>::epsilon() *
                            c.scale() * c.tau_mem / static_cast<double>(rate) -
                        4 * std::numeric_limits<double>::epsilon() * c.t_end)
        << c.text();
    ++fired[c.i0 < 0];
  }
}

TYPED_TEST(SpikeSearchAtTheBorder, FindsASpikeExactlyOnceHoweverAnEventCutsTheIntervalNearIt) {
  using Real = TypeParam;
  constexpr double eps = std::numeric_limits<Real>::epsilon();
  Random random(8);
  int seen[2] = {0, 0};
  while (seen[0] < 5000 || seen[1] < 5000) {
    Case c{};
    if (!draw_any(random, c)) continue;
    const Lif<Real> n =
        neuron<Real>(c.tau_mem, c.tau_syn, static_cast<Real>(c.b), static_cast<Real>(c.theta));
    const Real v = static_cast<Real>(c.v0), i = static_cast<Real>(c.i0);
    if (!(v < n.theta)) continue;
    const Decay<Real> d = decay<Real>(n.tc, c.dt());
    const Crossing<Real> whole =
        first_crossing(n, v, i, c.t, c.t_end, d, membrane_after(n, v, i, d));
    const double rate = static_cast<double>(whole.current + n.bias - n.theta);
    if (!(whole.time < infinity && rate > 1e-2 * c.scale())) continue;
    ++seen[c.i0 < 0];
    const double tolerance = 3 * residual_in_eps<Real> * eps * c.scale() * c.tau_mem / rate +
                             8 * std::numeric_limits<double>::epsilon() * whole.time;
    for (int k = -6; k <= 6; ++k) {
      double cut = whole.time + k * tolerance / 6;
      if (std::abs(k) < 3) {
        cut = whole.time;
        for (int j = std::abs(k); j > 0; --j)
          cut = std::nextafter(cut, k < 0 ? -infinity : infinity);
      }
      if (!(cut > c.t && cut + 4 * tolerance < c.t_end)) continue;
      State<Real> state{v, i, 0};
      Sink sink;
      advance(n, state, c.t, cut, decay<Real>(n.tc, cut - c.t), sink);
      advance(n, state, cut, c.t_end, decay<Real>(n.tc, c.t_end - cut), sink);
      ASSERT_EQ(sink.spikes.size(), 1u) << c.text() << " cut " << k;
      ASSERT_LE(std::fabs(sink.spikes[0] - whole.time), 2 * tolerance) << c.text() << " cut " << k;
    }
  }
}

}  // namespace
}  // namespace saltus::neuron
