// SPDX-License-Identifier: Apache-2.0
// Resonate-and-fire as Izhikevich has it (docs/theory.md, section 14): V in closed form, two pulses that
// fire it where they come a period apart, and what is its own: a reset onto the threshold, U and V held.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saltus/error.hpp"
#include "saltus/observe.hpp"
#include "saltus/simulate.hpp"
#include "support/support.hpp"
#include "train/ranges.hpp"

namespace saltus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Values = std::vector<std::pair<std::string_view, double>>;
using Sample = std::vector<std::pair<double, int>>;

constexpr double tau_mem = 50e-3, frequency = 40;  // of all
const double turn = 2 * std::numbers::pi * frequency;

// An input of weight w, one neuron.
Network<double> network(const Values& values, double w = 0, std::string_view model = "RF:delta") {
  Population p;
  p.name = "h";
  p.model = Model::named(model);
  p.size = 1;
  p["tau_mem"] = tau_mem;
  p["frequency"] = frequency;
  for (const auto& [name, value] : values) p[name] = value;
  Network<double> n;
  n.add_input("in", 1);
  n.add_population(p);
  n.connect("in", "h", {w});
  return n;
}

std::vector<double> times(const Network<double>& n, const Sample& sample = {}, double t_end = 0.2) {
  const Spikes in = test::spikes_of({sample});
  const double ends[] = {t_end};
  return simulate(n, Inputs{{in}, ends}).populations[1].spikes.times;
}

std::vector<double> voltages(const Network<double>& n, const Sample& sample,
                             const std::vector<double>& at, double t_end = 0.2) {
  const Spikes in = test::spikes_of({sample});
  const double ends[] = {t_end};
  const Inputs inputs{{in}, ends};
  return voltages(n, inputs, simulate(n, inputs), 1, at);
}

TEST(ResonateAndFire, turns_and_decays_as_a_complex_number) {
  const auto n = network({{"v_threshold", 9}, {"u_initial", 0.4}, {"v_initial", -0.3}}, 0.7);
  const double s = 7e-3;
  const auto z = [&](double u, double v, double t) {  // of its V
    return std::exp(-t / tau_mem) * (u * std::sin(turn * t) + v * std::cos(turn * t));
  };
  for (const double t : {1e-3, 6e-3, 8e-3, 40e-3, 120e-3}) {
    const double expected = z(0.4, -0.3, t) + (t > s ? z(0.7, 0, t - s) : 0);
    EXPECT_NEAR(voltages(n, {{s, 0}}, {t})[0], expected, 1e-15) << t;
  }
  // A constant current leads to b/(1 - i w tau_mem).
  const double wt = turn * tau_mem;
  const auto driven = network({{"v_threshold", 9}, {"bias", 3}});
  EXPECT_NEAR(voltages(driven, {}, {2.0}, 2.0)[0], 3 * wt / (1 + wt * wt), 1e-14);
}

// Weak pulses add up where the second comes a period after the first, and cancel half a period after.
TEST(ResonateAndFire, fires_at_its_own_frequency_alone) {
  const double period = 1 / frequency;
  const auto n = network({}, 0.9);
  EXPECT_THAT(times(n, {{0.01, 0}}), IsEmpty());
  EXPECT_THAT(times(n, {{0.01, 0}, {0.01 + period / 2, 0}}), IsEmpty());
  EXPECT_THAT(times(n, {{0.01, 0}, {0.01 + period, 0}}), SizeIs(1));
  EXPECT_THAT(times(n, {{0.01, 0}, {0.01 + 1.5 * period, 0}}), IsEmpty());
  EXPECT_THAT(times(n, {{0.01, 0}, {0.01 + 2 * period, 0}}), SizeIs(1));
}

// After a pulse V = w exp(-t/tau_mem) sin(turn t) meets the threshold; the reset to i starts a cosine.
TEST(ResonateAndFire, is_reset_onto_its_threshold) {
  const auto n = network({}, 3);
  const auto found = times(n, {{0, 0}});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_NEAR(3 * std::exp(-found[0] / tau_mem) * std::sin(turn * found[0]), 1, 1e-14);
  const double later = 30e-3;
  EXPECT_NEAR(voltages(n, {{0, 0}}, {found[0] + later})[0],
              std::exp(-later / tau_mem) * std::cos(turn * later), 1e-14);
}

// A V that starts on the threshold and leaves it upwards does not cross it from below: not at once, and
// so not without end.
TEST(ResonateAndFire, that_leaves_its_threshold_upwards_has_not_crossed_it) {
  EXPECT_THAT(times(network({{"u_reset", 0.9}}, 3), {{0, 0}}), SizeIs(1));
  EXPECT_THAT(times(network({{"u_reset", 0.9}, {"tau_ref", 2e-3}}, 3), {{0, 0}}), SizeIs(1));
  EXPECT_THAT(times(network({{"v_initial", 1}, {"u_initial", 0.9}})), IsEmpty());
  EXPECT_THAT(times(network({{"v_initial", 1}, {"u_initial", 5}})), SizeIs(1));  // a turn later
  // All that it knows of at rest is which way the first derivative that is not 0 points.
  EXPECT_THAT(times(network({{"v_threshold", 0}, {"v_reset", 0}, {"bias", 1}})), IsEmpty());
  // Above it, V comes down before it comes up again.
  const auto above = times(network({{"v_reset", 2}}, 3), {{0, 0}});
  ASSERT_GT(above.size(), 5U);
  for (std::size_t k = 1; k < above.size(); ++k) {
    EXPECT_NEAR((above[k] - above[k - 1]) * frequency, 0.9, 0.1) << k;
  }
}

TEST(ResonateAndFire, holds_u_and_v_while_it_is_refractory) {
  const double tau_ref = 12e-3, later = 17e-3;
  const Values reset{{"v_reset", 0.3}, {"u_reset", 0.5}, {"tau_ref", tau_ref}};
  const auto n = network(reset, 3);
  const double spike = times(n, {{0, 0}}).at(0);
  // What arrives meanwhile is lost.
  const Sample sample{{0, 0}, {spike + tau_ref / 2, 0}};
  const auto v = voltages(n, sample, {spike + 0.7 * tau_ref, spike + tau_ref + later});
  EXPECT_EQ(v[0], 0.3);
  EXPECT_NEAR(
      v[1],
      std::exp(-later / tau_mem) * (0.5 * std::sin(turn * later) + 0.3 * std::cos(turn * later)),
      1e-14);
  // A current goes on.
  const auto driven = network({{"v_reset", 0}, {"tau_ref", tau_ref}, {"tau_syn", 30e-3}}, 40, "RF");
  const double first = times(driven, {{0, 0}}).at(0);
  EXPECT_GT(voltages(driven, {{0, 0}}, {first + tau_ref + 1e-3})[0], 0.01);
}

TEST(ResonateAndFire, that_would_spike_for_ever_needs_an_end) {
  const auto n = network({{"u_reset", 2}}, 3);  // its reset alone brings V back over the threshold
  EXPECT_GT(times(n, {{0, 0}}, 1.0).size(), 30U);
  EXPECT_THAT(test::refusal([&] {
                times(n, {{0, 0}}, infinity);
              }),
              HasSubstr("h[0] (RF:delta) does not come to rest below its threshold"));
  EXPECT_THAT(times(network({{"u_reset", 1}}, 3), {{0, 0}}, infinity), SizeIs(1));
}

TEST(ResonateAndFire, is_refused_without_a_frequency) {
  for (const double wrong : {0.0, -5.0}) {
    EXPECT_THAT(test::refusal([&] {
                  network({{"frequency", wrong}});
                }),
                HasSubstr("expected a finite number above 0, in Hz"));
  }
}

// V_reset may lie where it likes: training leaves it there.
TEST(ResonateAndFire, keeps_its_reset_when_it_is_trained) {
  Network<double> n = network({{"v_reset", 1.2}});
  const Ranged before(n);
  n.populations()[1]["v_threshold"] = 0.8;
  EXPECT_EQ(clamp(n, before), 0U);
  EXPECT_EQ(n.populations()[1]["v_threshold"][0], 0.8);
}

}  // namespace
}  // namespace saltus
