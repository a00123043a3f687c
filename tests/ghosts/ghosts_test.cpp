// SPDX-License-Identifier: Apache-2.0
// Properties of ghosts and of simulations at noisy thresholds. That their gradients are right is
// the business of average_test.cpp and tests/gradient.
#include "saltus/ghosts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "random/random.hpp"
#include "support/support.hpp"
#include "thresholds/noise.hpp"

namespace saltus {
namespace {

using test::refusal;
using test::same_bits;
using test::spikes_of;
using ::testing::HasSubstr;

// in(20) -> hidden(40) -> deep(30) -> out(3)
template <class Real>
struct Layers {
  Network<Real> network;
  Spikes in;
  std::vector<double> ends{infinity};

  Layers() {
    Random random(5, Purpose::synthetic);
    network.add_input("in", 20);
    std::string below = "in";
    std::size_t pre = 20;
    for (const auto& [name, size] : {std::pair{"hidden", 40}, {"deep", 30}, {"out", 3}}) {
      Population p;
      p.name = name;
      p.size = static_cast<std::size_t>(size);
      p.model = p.name == "out" ? Model::li : Model::lif;
      network.add_population(p);
      std::vector<Real> weight(pre * p.size);
      for (Real& w : weight) {
        w = static_cast<Real>((pre == 20 ? 0.35 : 0.25) + 0.5 * random.normal());
      }
      network.connect(below, name, weight);
      below = name;
      pre = p.size;
    }
    std::vector<std::vector<std::pair<double, int>>> samples(4);
    for (auto& sample : samples) {
      for (int k = 0; k < 30; ++k) {
        sample.emplace_back(random.uniform(0, 20e-3), static_cast<int>(random.below(20)));
      }
      std::sort(sample.begin(), sample.end());
    }
    in = spikes_of(samples);
  }
  Inputs inputs() const { return {{in}, ends}; }
};

template <class Real>
bool same_bits(const Ghost<Real>& a, const Ghost<Real>& b) {
  return a.time == b.time && a.neuron == b.neuron && a.segment == b.segment && a.place == b.place &&
         a.height == b.height && a.current == b.current && a.density == b.density &&
         a.behind == b.behind && a.later == b.later && a.effect_time == b.effect_time &&
         a.effect == b.effect && a.difference == b.difference;
}

template <class Real>
bool same_bits(const Ghosts<Real>& a, const Ghosts<Real>& b) {
  if (a.count() != b.count()) return false;
  for (std::size_t p = 0; p < a.populations.size(); ++p) {
    for (std::size_t s = 0; s < a.populations[p].size(); ++s) {
      if (a.populations[p][s].size() != b.populations[p][s].size()) return false;
      for (std::size_t k = 0; k < a.populations[p][s].size(); ++k) {
        if (!same_bits(a.populations[p][s][k], b.populations[p][s][k])) return false;
      }
    }
  }
  return true;
}

Smoothing smoothing_of(double sigma, ThresholdReading reading = ThresholdReading::fixed) {
  Smoothing s;
  s.sigma = sigma;
  s.thresholds = reading;
  s.seed = 9;
  return s;
}

template <class Real>
void side_by_side() {
  const Layers<Real> l;
  const auto record = simulate(l.network, l.inputs());
  for (const double sigma : {0.03, 0.1, 0.3}) {
    Options scalar, threads;
    scalar.kernel = Kernel::scalar;
    threads.threads = 3;
    const auto smoothing = smoothing_of(sigma);
    const auto a = find_ghosts(l.network, l.inputs(), record, smoothing);
    EXPECT_GT(a.count(), 40u);
    EXPECT_TRUE(same_bits(a, find_ghosts(l.network, l.inputs(), record, smoothing, scalar)));
    EXPECT_TRUE(same_bits(a, find_ghosts(l.network, l.inputs(), record, smoothing, threads)));
  }
}
TEST(Ghosts, are_the_same_side_by_side_and_one_by_one) {
  side_by_side<float>();
  side_by_side<double>();
}

TEST(Ghosts, gradients_have_the_same_bits_for_any_number_of_threads) {
  const Layers<float> l;
  const auto record = simulate(l.network, l.inputs());
  Errors<float> errors(4);
  errors.maxima[3] = maxima(l.network, l.inputs(), record, 3);
  errors.populations[3].maxima.assign(12, 0.25f);
  auto a = find_ghosts(l.network, l.inputs(), record, smoothing_of(0.1)), b = a;
  Options threads;
  threads.threads = 3;
  const auto one = backward(l.network, l.inputs(), record, errors, a);
  const auto three = backward(l.network, l.inputs(), record, errors, b, {}, threads);
  EXPECT_TRUE(test::same_bits(one, three));
  EXPECT_TRUE(same_bits(a, b));
  EXPECT_FALSE(test::same_bits(one, backward(l.network, l.inputs(), record, errors)));
}

TEST(Ghosts, without_noise_nothing_changes_to_the_last_bit) {
  const Layers<float> l;
  const auto record = simulate(l.network, l.inputs());
  for (const auto reading : {ThresholdReading::fixed, ThresholdReading::sampled}) {
    const auto smoothing = smoothing_of(0, reading);
    EXPECT_TRUE(test::same_bits(record, simulate(l.network, l.inputs(), smoothing)));
    auto ghosts = find_ghosts(l.network, l.inputs(), record, smoothing);
    EXPECT_EQ(ghosts.count(), 0u);
    Errors<float> errors(4);
    errors.maxima[3] = maxima(l.network, l.inputs(), record, 3);
    errors.populations[3].maxima.assign(12, 0.25f);
    EXPECT_TRUE(test::same_bits(backward(l.network, l.inputs(), record, errors),
                                backward(l.network, l.inputs(), record, errors, ghosts)));
  }
}

// The threshold is the peak: just below it the neuron spikes there, just above it does not.
TEST(Ghosts, are_where_spikes_come_and_go) {
  const Layers<double> l;
  const auto record = simulate(l.network, l.inputs());
  const auto ghosts = find_ghosts(l.network, l.inputs(), record, smoothing_of(0.2));
  std::size_t seen = 0, later = 0, free = 0;
  for (std::size_t s = 0; s < 4; ++s) {
    for (const auto& g : ghosts.populations[1][s]) {
      const auto times_at = [&](double threshold) {
        const ThresholdOverride set[] = {
            {1, s, std::size_t(g.neuron), std::size_t(g.segment), threshold}};
        const auto r = simulate(l.network, l.inputs(), Smoothing{}, set);
        std::vector<double> times;
        const Spikes& spikes = r.populations[1].spikes;
        const auto& offsets = r.populations[1].spikes.offsets;
        for (auto k = std::size_t(offsets[s]); k < std::size_t(offsets[s + 1]); ++k) {
          if (spikes.neurons[k] == g.neuron) times.push_back(spikes.times[k]);
        }
        times.resize(std::max<std::size_t>(times.size(), std::size_t(g.segment) + 1), infinity);
        return times[std::size_t(g.segment)];
      };
      EXPECT_NEAR(times_at(g.height - 1e-9), g.time, 2e-6);
      const double above = times_at(g.height + 1e-9);
      if (std::isinf(g.later)) {
        EXPECT_TRUE(std::isinf(above));
      } else {
        EXPECT_NEAR(above, g.later, 2e-6);
      }
      ++seen;
      later += g.later < infinity;
      free += g.behind >= 0;
    }
  }
  EXPECT_GT(seen, 100u);
  EXPECT_GT(later, 10u);
  EXPECT_GT(free, 10u);
}

TEST(Thresholds, of_a_record_are_those_that_were_drawn) {
  const Layers<double> l;
  const auto smoothing = smoothing_of(0.1, ThresholdReading::sampled);
  const auto record = simulate(l.network, l.inputs(), smoothing);
  EXPECT_TRUE(test::same_bits(record, simulate(l.network, l.inputs(), smoothing)));
  auto other = smoothing;
  other.seed = 10;
  EXPECT_FALSE(test::same_bits(record, simulate(l.network, l.inputs(), other)));
  const auto& r = record.populations[1];
  ASSERT_EQ(r.thresholds.size(), r.currents.size());
  ASSERT_GT(r.thresholds.size(), 100u);
  std::vector<double> v;
  for (std::size_t s = 0; s < 4; ++s) {
    for (auto k = std::size_t(r.spikes.offsets[s]); k < std::size_t(r.spikes.offsets[s + 1]); ++k) {
      const double at[] = {r.spikes.times[k]};
      const auto before = voltages(l.network, l.inputs(), record, 1, at);
      EXPECT_NEAR(before[s * 40 + std::size_t(r.spikes.neurons[k])], r.thresholds[k], 1e-9);
    }
  }
}

TEST(Thresholds, are_met_at_the_same_times_by_the_sweep_and_the_event_loop) {
  const Layers<double> l;
  const auto smoothing = smoothing_of(0.1, ThresholdReading::sampled);
  Options loop;
  loop.way = Way::event_loop;
  const auto a = simulate(l.network, l.inputs(), smoothing);
  const auto b = simulate(l.network, l.inputs(), smoothing, {}, loop);
  std::size_t spikes = 0;
  for (std::size_t p = 0; p < a.populations.size(); ++p) {
    const auto &one = a.populations[p], &other = b.populations[p];
    ASSERT_EQ(one.spikes.neurons, other.spikes.neurons);
    EXPECT_EQ(one.thresholds, other.thresholds);
    for (std::size_t k = 0; k < one.spikes.times.size(); ++k) {
      EXPECT_NEAR(one.spikes.times[k], other.spikes.times[k], 1e-12);
      ++spikes;
    }
  }
  EXPECT_GT(spikes, 200u);
}

TEST(Thresholds, have_the_noise_that_was_asked_for) {
  const Smoothing smoothing = smoothing_of(0.2);
  const ThresholdNoise noise(smoothing);
  double sum = 0, squares = 0, mass = 0, survival = 1;
  constexpr int draws = 40000;
  for (int k = 0; k < draws; ++k) {
    const double d = noise.draw(1, 2, std::size_t(k) % 7, std::size_t(k), 0);
    EXPECT_LE(std::fabs(d), 0.6);
    sum += d;
    squares += d * d;
  }
  // The variance of a Gaussian that is cut off at 3 standard deviations is 0.9733 of the whole.
  EXPECT_NEAR(sum / draws, 0, 5 * 0.2 / std::sqrt(draws));
  EXPECT_NEAR(squares / draws / 0.04, 0.9733, 0.03);
  constexpr double step = 1e-4;
  for (double d = -0.6 + step / 2; d < 0.55; d += step) {
    mass += noise.density(d) * step;
    survival *= 1 - noise.hazard(d) * step;
    ASSERT_NEAR(survival, 1 - mass, 2e-3);
  }
  EXPECT_EQ(noise.density(0.6001), 0);
  EXPECT_EQ(noise.density(-0.6001), 0);
}

TEST(Ghosts, refuse_what_has_no_meaning) {
  const Layers<double> l;
  const auto record = simulate(l.network, l.inputs());
  const auto find = [&](const Smoothing& s) { find_ghosts(l.network, l.inputs(), record, s); };
  EXPECT_THAT(refusal([&] { find(smoothing_of(-1)); }), HasSubstr("sigma is -1"));
  EXPECT_THAT(refusal([&] { find(smoothing_of(test::nan)); }), HasSubstr("sigma is nan"));
  Smoothing s = smoothing_of(0.1);
  s.reach = 0;
  EXPECT_THAT(refusal([&] { find(s); }), HasSubstr("reach is 0"));
  EXPECT_THAT(refusal([&] {
                simulate(l.network, l.inputs(), smoothing_of(0.4, ThresholdReading::sampled));
              }),
              HasSubstr("sampled thresholds of hidden[0] reach down to -0.2"));
  auto ghosts = find_ghosts(l.network, l.inputs(), record, smoothing_of(0.1));
  ghosts.populations[1].pop_back();
  EXPECT_THAT(refusal([&] { backward(l.network, l.inputs(), record, Errors<double>(4), ghosts); }),
              HasSubstr("the ghosts do not fit the record"));
  ghosts = find_ghosts(l.network, l.inputs(), record, smoothing_of(0.1));
  EXPECT_THAT(refusal([&] { measure_differences<double>(l.network, l.inputs(), {}, ghosts); }),
              HasSubstr("needs a loss"));
}

}  // namespace
}  // namespace saltus
