// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "neuron/linear_alike.hpp"
#include "neuron/linear_crossing.hpp"
#include "neuron/linear_slopes.hpp"
#include "neuron/models.hpp"
#include "random/random.hpp"

namespace saltus::linear {
namespace {

// Of ALIF, in the order of its table.
struct Alif {
  double tau_mem = 20e-3, tau_syn = 5e-3, v_threshold = 1, v_reset = 0, bias = 0, tau_ref = 0,
         tau_adapt = 100e-3, beta = 0.1, v = 0, i = 0, a = 0;

  Neuron neuron() const {
    const double values[] = {tau_mem,   tau_syn, v_threshold, v_reset, bias, tau_ref,
                             tau_adapt, beta,    v,           i,       a};
    const ModelInfo& alif = alif_models[0];
    return {alif.linear->neuron(Values<double>(alif, values)), 3, true};
  }
  // V - theta(t) in closed form, in long double.
  long double above(long double t) const {
    const long double m = tau_mem, s = tau_syn, em = std::exp(-t / m), es = std::exp(-t / s);
    const long double k = tau_mem == tau_syn ? t / m * em : s / (m - s) * (em - es);
    return bias + (v - bias) * em + i * k - v_threshold - beta * a * std::exp(-t / tau_adapt);
  }
  // The first time in (0, end] at which it comes up to 0, looked for at many places; the highest
  // that it is if it does not.
  std::optional<long double> crossing(double end, long double& highest) const {
    constexpr int places = 4000;
    highest = -1e300L;
    long double before = 0;
    for (int k = 1; k <= places; ++k) {
      // Denser early.
      const long double x = static_cast<long double>(k) / places, t = end * x * x;
      highest = std::max(highest, above(t));
      if (above(t) > 0) {
        long double low = before, high = t;
        for (int step = 0; step < 80; ++step) {
          const long double middle = (low + high) / 2;
          (above(middle) > 0 ? high : low) = middle;
        }
        return high;
      }
      before = t;
    }
    return std::nullopt;
  }
};

double logarithmic(Random& random, double low, double high) {
  return std::exp(random.uniform(std::log(low), std::log(high)));
}

// Of a model's parameters: the usual ones, but for time constants from 0.1 ms to 1 s, some of them close.
std::vector<double> random_values(Random& random, const ModelInfo& model) {
  std::vector<double> values;
  for (const ParameterRow& row : model.parameters) {
    const bool time = row.unit == "s" && row.name != "tau_ref";
    const bool close = !values.empty() && random.chance(0.3);
    values.push_back(!time   ? row.usual
                     : close ? values[0] * (random.chance(0.5) ? 1 : 1 + 1e-9)
                             : logarithmic(random, 1e-4, 1));
  }
  return values;
}

Alif random_alif(Random& random) {
  Alif n;
  n.tau_mem = logarithmic(random, 2e-3, 50e-3);
  n.tau_syn = random.chance(0.1) ? n.tau_mem : logarithmic(random, 1e-3, 50e-3);
  n.tau_adapt = random.chance(0.1) ? n.tau_syn : logarithmic(random, 2e-3, 500e-3);
  n.beta = random.uniform(-0.3, 1);
  n.a = random.uniform(-1, 5);
  n.bias = random.uniform(-1, 1.5);
  n.i = random.uniform(-2, 12);
  n.v = random.uniform(-1, 1) + n.beta * n.a;
  return n;
}

TEST(LinearCrossing, is_the_first_of_alif) {
  Random random(1, Purpose::gradcheck, 0);
  int crossed = 0, not_crossed = 0, while_v_falls = 0, marginal = 0;
  for (int k = 0; k < 5000; ++k) {
    const Alif n = random_alif(random);
    if (!(n.above(0) < 0)) continue;
    const double end = random.uniform(0.2, 4) * n.tau_mem;
    const Neuron neuron = n.neuron();
    const auto found =
        Search(neuron, neuron.initial, true).first(end, neuron.free.flow(neuron.initial, end));
    long double highest = 0;
    const auto expected = n.crossing(end, highest);
    if (!expected) {
      ++not_crossed;
      // Between two places V may come up unseen: by no more than this.
      if (found.found()) {
        EXPECT_GT(highest, -1e-5L) << k;
        EXPECT_NEAR(static_cast<double>(n.above(found.after)), 0, 1e-12) << k;
        ++marginal;
      }
      continue;
    }
    ++crossed;
    ASSERT_TRUE(found.found()) << k << " at " << static_cast<double>(*expected);
    const double slope = neuron.slope_above(found.x) * n.tau_mem;
    if (slope < 1e-3) {
      ++marginal;
      continue;
    }
    EXPECT_NEAR(found.after / n.tau_mem, static_cast<double>(*expected / n.tau_mem), 1e-13 / slope)
        << k;
    while_v_falls += neuron.free.slope(found.x)[0] < 0;
  }
  EXPECT_GT(crossed, 750);
  EXPECT_GT(not_crossed, 750);
  EXPECT_GT(while_v_falls, 8);
  EXPECT_LT(marginal, 50);
}

// A peak that touches the threshold but for 10^-12: found above, not below.
TEST(LinearCrossing, is_not_missed_near_grazing) {
  Random random(2, Purpose::gradcheck, 0);
  int met = 0;
  for (int k = 0; k < 1500; ++k) {
    Alif n = random_alif(random);
    n.v = random.uniform(-1, 0.2);
    const double end = 6 * n.tau_mem;
    // The highest of V - beta a: its zero of the slope, by bisection of the closed form's.
    const Neuron raw = n.neuron();
    const auto slope = [&](double t) { return raw.slope_above(raw.free.flow(raw.initial, t)); };
    double low = 0, high = end;
    if (!(slope(low) > 0 && slope(high) < 0)) continue;
    for (int step = 0; step < 100; ++step) {
      const double middle = (low + high) / 2;
      (slope(middle) > 0 ? low : high) = middle;
    }
    const double sharpness = (slope(low * 0.999) - slope(low * 1.001)) / (0.002 * low);
    if (!(sharpness * n.tau_mem * n.tau_mem > 1e-2)) continue;  // a flat top, or two
    const long double top = n.above(low) + n.v_threshold;
    for (const double gap : {1e-6, 1e-9, 1e-12}) {
      for (const bool over : {true, false}) {
        Alif near = n;
        near.v_threshold = static_cast<double>(top) + (over ? -gap : gap);
        long double highest = 0;
        const bool elsewhere = near.crossing(end, highest).has_value();
        if (!(near.above(0) < 0) || elsewhere != over) continue;
        ++met;
        const Neuron neuron = near.neuron();
        const auto found =
            Search(neuron, neuron.initial, true).first(end, neuron.free.flow(neuron.initial, end));
        EXPECT_EQ(found.found(), over) << k << " gap " << gap;
      }
    }
  }
  EXPECT_GT(met, 400);
}

TEST(LinearFlow, is_the_same_in_one_long_step_and_in_many) {
  Random random(3, Purpose::gradcheck, 0);
  for (int k = 0; k < 200; ++k) {
    const Neuron n = random_alif(random).neuron();
    const double dt = random.uniform(0.5, 300) / n.free.fastest();
    Vector<double> many = n.initial;
    for (int step = 0; step < 1000; ++step) many = n.free.flow(many, dt / 1000);
    const Vector<double> one = n.free.flow(n.initial, dt);
    for (std::size_t c = 0; c < dimension; ++c) {
      EXPECT_NEAR(one[c], many[c], 1e-12 * (1 + std::fabs(many[c]))) << k << " " << c;
    }
  }
}

// The exponential of a t by its series, halved until that is short, in long double.
std::array<std::array<long double, 4>, 4> long_exponential(const Matrix<double>& a, double t,
                                                           double fastest) {
  std::array<std::array<long double, 4>, 4> m{}, term{};
  const auto times = [](const auto& x, const auto& y) {
    std::array<std::array<long double, 4>, 4> z{};
    for (std::size_t k = 0; k < 4; ++k) {
      for (std::size_t l = 0; l < 4; ++l) {
        for (std::size_t i = 0; i < 4; ++i) z[k][l] += x[k][i] * static_cast<long double>(y[i][l]);
      }
    }
    return z;
  };
  long double h = t;
  int halved = 0;
  for (; h * fastest > 0.1L; ++halved) h /= 2;
  for (std::size_t k = 0; k < 4; ++k) m[k][k] = term[k][k] = 1;
  for (int p = 1; p < 25; ++p) {
    term = times(term, a);
    for (std::size_t k = 0; k < 4; ++k) {
      for (std::size_t l = 0; l < 4; ++l) m[k][l] += term[k][l] *= h / p;
    }
  }
  while (halved-- > 0) m = times(m, m);
  return m;
}

TEST(LinearFlow, of_many_times_at_once_has_the_bits_of_each_and_every_digit_of_all_entries) {
  Random random(5, Purpose::gradcheck, 0);
  double worst = 0;
  std::size_t compared = 0;
  for (std::size_t k = 0; k < 1000; ++k) {
    const ModelInfo& model = alif_models[k % alif_models.size()];
    const std::vector<double> values = random_values(random, model);
    const Neuron n(model.linear->neuron(Values<double>(model, values)),
                   model.linear->components.size(), true);
    const auto all = Alike::of(std::vector<Neuron>{n});
    ASSERT_TRUE(all.has_value());
    std::vector<double> times{0};
    for (int i = 0; i < 10; ++i) times.push_back(logarithmic(random, 1e-6, 100) * values[0]);
    for (const bool integral : {false, true}) {
      std::vector<Step> steps(times.size());
      all->steps(times, steps.data(), integral);
      for (std::size_t i = 0; i < times.size(); ++i) {
        const Step one = all->step(times[i], integral);
        ASSERT_TRUE(one.m == steps[i].m && one.of_bias == steps[i].of_bias &&
                    one.of_integral == steps[i].of_integral)
            << model.name << " " << times[i];
        const double decays = times[i] * n.free.fastest();
        const auto exact = long_exponential(n.free.matrix(), times[i], n.free.fastest());
        for (std::size_t to = 0; to < all->components; ++to) {
          for (std::size_t from = to; from < all->components; ++from) {
            if (!(std::fabs(exact[to][from]) > 1e-250L)) continue;
            const auto error = static_cast<double>(one.m[to][from] / exact[to][from] - 1);
            worst = std::max(worst, std::fabs(error) / (1 + decays));
            ++compared;
          }
        }
      }
    }
  }
  EXPECT_GT(compared, 50000U);
  EXPECT_LT(worst, 1e-15);
}

// Against dual numbers, which find the same by other steps.
TEST(SlopedFlow, has_the_derivatives_of_all_entries) {
  Random random(6, Purpose::gradcheck, 0);
  std::size_t compared = 0, slopes = 0;
  for (std::size_t k = 0; k < 1000; ++k) {
    const ModelInfo& model = alif_models[k % alif_models.size()];
    const auto first = static_cast<std::size_t>(random.below(9));
    std::vector<Dual> values;
    for (const double value : random_values(random, model)) {
      values.emplace_back(value == 0 ? 0.5 : value);  // a bias too
      const std::size_t slope = values.size() - 1 - first;
      if (slope < Dual::width) values.back().slopes[slope] = 1;
    }
    const Motion<Dual> n(model.linear->with_slopes(Values<Dual>(model, values)),
                         model.linear->components.size());
    std::vector<SlopedEntry> entries;
    for_each_slope(n.free, dimension, [&](const SlopedEntry& e, unsigned, double, int) {
      if (std::ranges::find(entries, e) == entries.end()) entries.push_back(e);
    });
    const SlopedFlow flow(n.free, dimension, [&](const SlopedEntry& e) {
      return static_cast<int>(std::ranges::find(entries, e) - entries.begin());
    });
    std::vector<double> times{0};
    for (int i = 0; i < 10; ++i) times.push_back(logarithmic(random, 1e-6, 30) * values[0].value);
    std::vector<double> found(times.size() * entries.size());
    flow.values(times, found.data(), entries.size(), 1);
    for (std::size_t i = 0; i < times.size(); ++i) {
      n.free.for_each_entry(
          times[i], dimension, [](const auto&) { return true; },
          [&](const auto& entry, const Dual& expected) {
            for (std::size_t by = 0; by <= Dual::width; ++by) {
              const double slope = by == 0 ? expected.value : expected.slopes[by - 1];
              const auto at = std::ranges::find(entries, SlopedEntry{entry, by});
              const double value =
                  at == entries.end()
                      ? 0
                      : found[i * entries.size() + static_cast<std::size_t>(at - entries.begin())];
              // A slope by a time constant, of what changes over the shortest of them.
              const double scale =
                  std::fabs(slope) + std::fabs(expected.value) * (by == 0 ? 0 : 1e4) + 1e-290;
              ASSERT_NEAR(value, slope, 1e-11 * scale)
                  << model.name << " to " << entry.to << " from " << entry.from << " by " << by
                  << " after " << times[i] << " of " << values[0].value << " first " << first;
              ++compared;
              slopes += slope != 0 && by > 0;
            }
          });
    }
  }
  EXPECT_GT(compared, 300000U);
  EXPECT_GT(slopes, 20000U);
}

TEST(LinearFlow, carries_derivatives) {
  Random random(4, Purpose::gradcheck, 0);
  for (const double length : {0.3, 5.0, 200.0}) {  // in units of 1 / norm: both ways
    const Alif n = random_alif(random);
    const auto at = [&](double tau_mem) {
      Alif moved = n;
      moved.tau_mem = tau_mem;
      const Neuron neuron = moved.neuron();
      return neuron.free.flow(neuron.initial, length / n.neuron().free.fastest());
    };
    std::vector<Dual> values{n.tau_mem,   n.tau_syn, 1.0, 0.0, n.bias, 0.0,
                             n.tau_adapt, n.beta,    n.v, n.i, n.a};
    values[0].slopes[2] = 1;
    const ModelInfo& alif = alif_models[0];
    const Motion<Dual> dual(alif.linear->with_slopes(Values<Dual>(alif, values)), 3);
    const auto x = dual.free.flow(dual.initial, length / n.neuron().free.fastest());
    const double h = 1e-5 * n.tau_mem;
    for (std::size_t c = 0; c < dimension; ++c) {
      const double expected = (at(n.tau_mem + h)[c] - at(n.tau_mem - h)[c]) / (2 * h);
      EXPECT_NEAR(x[c].slopes[2] * n.tau_mem, expected * n.tau_mem, 1e-7) << length << " " << c;
    }
  }
}

}  // namespace
}  // namespace saltus::linear
