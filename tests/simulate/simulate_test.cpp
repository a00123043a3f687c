// SPDX-License-Identifier: Apache-2.0
// The forward pass where the answer is known by hand, and what must not change it.
#include "saltus/simulate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include "machine/sort_by_time.hpp"
#include "random/random.hpp"
#include "saltus/adjoint.hpp"
#include "simulate/sample.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::nan;
using test::refusal;
using test::same_bits;
using test::spikes_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double tau_mem = 20e-3, tau_syn = 10e-3;  // p = 2: a quadratic

Population lif(std::string name, std::size_t size = 1) {
  Population p;
  p.name = std::move(name);
  p.size = size;
  p["tau_mem"] = tau_mem;
  p["tau_syn"] = tau_syn;
  return p;
}

// One neuron "x" behind `channels` inputs.
Network<double> single(const Population& p, const std::vector<double>& weights) {
  Network<double> n;
  n.add_input("in", weights.size());
  n.add_population(p);
  n.connect("in", p.name, weights);
  return n;
}

template <class Real>
Record<Real> run(const Network<Real>& n, const Spikes& in, double end = infinity,
                 const Options& options = {}) {
  const double ends[] = {end};
  return simulate(n, {{in}, ends}, options);
}

// V = b + (v - b) x + i (x - x^2) for p = 2: when it reaches theta first, as a time from now.
double crossing(double v, double i, double b = 0, double theta = 1) {
  const double half = (v - b + i) / 2, root = half * half - i * (theta - b);
  if (root < 0) return infinity;
  const double x = i != 0 ? (half + std::sqrt(root)) / i : (theta - b) / (v - b);
  return x > 0 && x < 1 ? -tau_mem * std::log(x) : infinity;
}
double current_after(double i, double t) { return i * std::exp(-t / tau_syn); }

TEST(Simulate, OneNeuronSpikesWhereTheQuadraticSaysAndAgainFromItsReset) {
  std::size_t spikes = 0, silent = 0;
  for (double w = 0.5; w < 60; w *= 1.07) {
    for (const double v_reset : {0.0, -0.7, 0.6}) {
      Population p = lif("x");
      p["v_reset"] = v_reset;
      const auto record = run(single(p, {w}), spikes_of({{{3e-3, 0}}}));
      const auto& out = record.populations[1];
      double t = 3e-3, v = 0, i = w;
      std::size_t k = 0;
      for (double next; (next = crossing(v, i)) < infinity; ++k) {
        t += next;
        i = current_after(i, next);
        v = v_reset;
        ASSERT_LT(k, out.spikes.times.size()) << w;
        ASSERT_NEAR(out.spikes.times[k], t, 1e-11 * tau_mem) << w;
        ASSERT_NEAR(out.currents[k], i, 1e-10 * w) << w;
      }
      ASSERT_EQ(out.spikes.times.size(), k) << w;
      spikes += k;
      silent += k == 0;
    }
  }
  EXPECT_GT(spikes, 300u);
  EXPECT_GT(silent, 50u);  // w < 4: V = w / 4 at most
}

TEST(Simulate, ABiasAboveTheThresholdSpikesWithTheKnownPeriod) {
  for (const double tau_ref : {0.0, 3e-3}) {
    Population p = lif("x");
    p["bias"] = 2.0;
    p["v_reset"] = -0.5;
    p["v_initial"] = 0.25;
    p["tau_ref"] = tau_ref;
    const auto record = run(single(p, {1}), spikes_of({{}}), 0.5);
    const double first = tau_mem * std::log((2 - 0.25) / (2 - 1));
    const double period = tau_mem * std::log((2 + 0.5) / (2 - 1)) + tau_ref;
    const auto& times = record.populations[1].spikes.times;
    ASSERT_EQ(times.size(), 1 + static_cast<std::size_t>((0.5 - first) / period));
    for (std::size_t k = 0; k < times.size(); ++k) {
      EXPECT_NEAR(times[k], first + static_cast<double>(k) * period, 1e-14) << k;
      EXPECT_EQ(record.populations[1].currents[k], 0);
    }
  }
}

TEST(Simulate, TheInitialStateCountsFromTimeZero) {
  Population p = lif("x");
  p["v_initial"] = 0.3;
  p["i_initial"] = 4;
  p["bias"] = 0.1;
  const auto record = run(single(p, {1}), spikes_of({{}}));
  ASSERT_FALSE(record.populations[1].spikes.times.empty());
  EXPECT_NEAR(record.populations[1].spikes.times[0], crossing(0.3, 4, 0.1), 1e-15);
}

TEST(Simulate, WhileRefractoryArrivalsGoOnAndNoSpikeFalls) {
  Population p = lif("x");
  p["tau_ref"] = 8e-3;
  p["v_reset"] = 0.2;
  const auto net = single(p, {9.0, 30.0, -2.0});
  const double first = crossing(0, 9), release = first + 8e-3;
  const auto record =
      run(net, spikes_of({{{0, 0}, {first + 1e-3, 1}, {first + 2e-3, 2}, {first + 7e-3, 1}}}));
  const auto& out = record.populations[1];
  double i = current_after(9, release) + current_after(30, release - (first + 1e-3)) +
             current_after(-2, release - (first + 2e-3)) +
             current_after(30, release - (first + 7e-3));
  ASSERT_GE(out.spikes.times.size(), 2u);
  EXPECT_NEAR(out.spikes.times[0], first, 1e-15);
  EXPECT_NEAR(out.release_currents[0], i, 1e-12 * i);
  // From the release V rises from v_reset, driven by all that arrived meanwhile.
  EXPECT_NEAR(out.spikes.times[1], release + crossing(0.2, i), 1e-14);
  for (std::size_t k = 1; k < out.spikes.times.size(); ++k) {
    EXPECT_GT(out.spikes.times[k] - out.spikes.times[k - 1], 8e-3);
  }
  // Without the refractory time the arrivals make spikes in it.
  Network<double> free = net;
  free.populations()[1]["tau_ref"] = 0.0;
  const auto more = run(free, spikes_of({{{0, 0}, {first + 1e-3, 1}}}));
  ASSERT_GE(more.populations[1].spikes.times.size(), 2u);
  EXPECT_LT(more.populations[1].spikes.times[1], release);
  EXPECT_TRUE(more.populations[1].release_currents.empty());
}

TEST(Simulate, AReleaseAfterTheEndHasNoCurrent) {
  Population p = lif("x");
  p["tau_ref"] = 8e-3;
  const double first = crossing(0, 9);
  for (const Way way : {Way::sweep, Way::windows, Way::event_loop}) {
    Options options;
    options.way = way;
    const auto record = run(single(p, {9}), spikes_of({{{0, 0}}}), first + 7e-3, options);
    EXPECT_THAT(record.populations[1].release_currents, ElementsAre(0)) << static_cast<int>(way);
    const auto later = run(single(p, {9}), spikes_of({{{0, 0}}}), first + 9e-3, options);
    EXPECT_NEAR(later.populations[1].release_currents.at(0), current_after(9, first + 8e-3), 1e-14);
  }
}

// Weights and times are binary fractions: their sums are exact in any order.
TEST(Simulate, SimultaneousArrivalsFormOneEvent) {
  const double at = 0x1p-8, d = 0x1p-9;
  const auto one = run(single(lif("x"), {6.5}), spikes_of({{{at, 0}}}));
  ASSERT_FALSE(one.populations[1].spikes.times.empty());
  // Two channels of one projection; a large inhibition with a large excitation.
  const auto two = run(single(lif("x"), {4, 2.5}), spikes_of({{{at, 0}, {at, 1}}}));
  EXPECT_TRUE(same_bits(two.populations[1].spikes.times, one.populations[1].spikes.times));
  const auto mixed = run(single(lif("x"), {1024, -1017.5}), spikes_of({{{at, 0}, {at, 1}}}));
  EXPECT_TRUE(same_bits(mixed.populations[1].spikes.times, one.populations[1].spikes.times));
  // The same channel twice.
  const auto twice = run(single(lif("x"), {3.25}), spikes_of({{{at, 0}, {at, 0}}}));
  EXPECT_TRUE(same_bits(twice.populations[1].spikes.times, one.populations[1].spikes.times));
  // Sent at different times, over two projections whose delays make them meet.
  Network<double> met = single(lif("x"), {4});
  met.connect("in", "x", {2.5}, Delay::common(d), "late");
  met.projections()[0].weight[0] = 4;
  auto between = run(met, spikes_of({{{at - d, 0}, {at, 0}}}));
  // at - d: 4 early; at: 2.5 (from the early one) and 4 meet; at + d: 2.5.
  Population p = lif("x");
  const auto by_hand =
      run(single(p, {4, 6.5, 2.5}), spikes_of({{{at - d, 0}, {at, 1}, {at + d, 2}}}));
  EXPECT_TRUE(same_bits(between.populations[1].spikes.times, by_hand.populations[1].spikes.times));
  // Excitation and inhibition of the same size at one instant: nothing happened at all.
  const auto nothing = run(single(lif("x"), {50, -50}), spikes_of({{{at, 0}, {at, 1}}}));
  EXPECT_TRUE(nothing.populations[1].spikes.times.empty());
}

// The threshold is what V reaches, to the last bit, at the time of an arrival.
TEST(Simulate, ASpikeAtTheVeryTimeOfAnArrivalFiresOnceWithTheCurrentBeforeIt) {
  std::size_t cases = 0, exactly_there = 0;
  for (const double syn : {10e-3, 5e-3, 7e-3, 20e-3, 30e-3}) {
    for (double at = 1.1e-3; at < 8e-3; at *= 1.13) {
      for (const double v : {-50.0, -1.0, 1.0, 50.0}) {
        const Spikes in = spikes_of({{{1e-3, 0}, {at, 1}}});
        const double ends[] = {20e-3}, times[] = {at};
        const Inputs inputs{{in}, ends};
        Population p = lif("x");
        p["tau_syn"] = syn;
        p.become(Model::li);
        Network<double> n = single(p, {9.0, v});
        const double reached = voltages(n, inputs, simulate(n, inputs), 1, times)[0];
        ASSERT_GT(reached, 0);
        const double current = 9 * std::exp(-(at - 1e-3) / syn);
        n.populations()[1].become(Model::lif);
        n.populations()[1]["v_reset"] = -100.0;  // one spike only, unless it fires twice at once
        for (const Way way : {Way::sweep, Way::windows, Way::event_loop}) {
          for (const Kernel kernel : {Kernel::scalar, Kernel::vector}) {
            const Options options{1, kernel, way};
            n.populations()[1]["v_threshold"] = reached;
            const auto out = simulate(n, inputs, options).populations[1];
            ASSERT_EQ(out.spikes.times.size(), 1u) << syn << " " << at << " " << v;
            ASSERT_LE(out.spikes.times[0], at);
            ASSERT_NEAR(out.spikes.times[0], at, 1e-13 * tau_mem);
            ASSERT_NEAR(out.currents[0], current, 1e-11 * current);
            exactly_there += out.spikes.times[0] == at;
            // A little higher, and the arrival comes first: an inhibition prevents the spike.
            n.populations()[1]["v_threshold"] = reached * (1 + 1e-15);
            const auto higher = simulate(n, inputs, options).populations[1];
            ASSERT_EQ(higher.spikes.times.size(), v == -50  ? 0u
                                                  : v == 50 ? 1u
                                                            : higher.currents.size());
            if (v == 50) {
              ASSERT_GT(higher.spikes.times[0], at);
              ASSERT_NEAR(higher.currents[0], current + v, 1e-9 * (current + v));
            }
            ++cases;
          }
        }
      }
    }
  }
  std::printf("%zu cases, %zu of the spikes have the arrival's time to the bit\n", cases,
              exactly_there);
  EXPECT_GT(cases, 1000u);
  EXPECT_GT(exactly_there, cases / 4);
}

TEST(Simulate, ASpikeSetsOutBeforeTheArrivalsOfItsInstantAndReachesItsTargetsWithThem) {
  // x drives y without delay; an input reaches y at the very time of x's spike.
  Network<double> n = single(lif("x"), {5, 0});
  n.add_population(lif("y"));
  n.connect("x", "y", {3});
  const double first = run(n, spikes_of({{{0, 0}}})).populations[1].spikes.times.at(0);
  n.connect("in", "y", {0, 3});
  const auto record = run(n, spikes_of({{{0, 0}, {first, 1}}}), first + 5e-3);
  const auto& y = record.populations[2].spikes.times;
  ASSERT_FALSE(y.empty());
  EXPECT_NEAR(y[0], first + crossing(0, 6), 1e-14);
}

TEST(Simulate, ASelfConnectionWithoutDelayActsRightAfterTheReset) {
  Network<double> n = single(lif("x"), {9});
  n.connect("x", "x", {-3});
  const auto record = run(n, spikes_of({{{0, 0}}}), 60e-3);
  const auto& out = record.populations[1];
  double t = 0, i = 9;
  std::size_t k = 0;
  for (double next; (next = crossing(0, i)) < infinity; ++k) {
    t += next;
    i = current_after(i, next);
    ASSERT_LT(k, out.spikes.times.size());
    EXPECT_NEAR(out.spikes.times[k], t, 1e-13);
    EXPECT_NEAR(out.currents[k], i, 1e-12);
    i -= 3;
  }
  EXPECT_EQ(out.spikes.times.size(), k);
  EXPECT_GE(k, 1u);
}

TEST(Simulate, RefusesAnInfiniteEndWithACycle) {
  Network<double> n = single(lif("x"), {9});
  n.connect("x", "x", {-3}, Delay::common(1e-3));
  const Spikes in = spikes_of({{{0, 0}}, {}});
  const double ends[] = {1.0, infinity};
  EXPECT_EQ(
      refusal([&] {
        simulate(n, {{in}, ends});
      }),
      "t_end[1] is infinite, but the network has a cycle: it may spike for ever; give a finite "
      "end");
  EXPECT_EQ(refusal([&] { run(n, spikes_of({{{0, 0}}}), 1.0); }), "");
}

TEST(Simulate, RefusesAnInfiniteEndWithABiasAboveTheThresholdButNotAtIt) {
  Population p = lif("x", 3);
  p["bias"] = Parameter({0, 1, 1.5});
  Network<double> n;
  n.add_input("in", 1);
  n.add_population(p);
  n.connect("in", "x", {1, 1, 1});
  EXPECT_EQ(refusal([&] { run(n, spikes_of({{}})); }),
            "t_end[0] is infinite, but x.bias[2] = 1.5 is above v_threshold = 1: the neuron spikes "
            "for ever; give a finite end");
  n.populations()[1]["bias"] = Parameter({0, 1, 1});
  EXPECT_EQ(refusal([&] { run(n, spikes_of({{}})); }), "");
  n.populations()[1]["tau_syn"] = 20e-3;  // as slow as V: it comes up to the threshold for ever
  EXPECT_EQ(refusal([&] { run(n, spikes_of({{}})); }),
            "t_end[0] is infinite, but x.bias[1] = 1 is at v_threshold = 1: the neuron spikes for "
            "ever; give a finite end");
  n.populations()[1].become(Model::li);
  n.populations()[1]["bias"] = 1.5;
  EXPECT_EQ(refusal([&] { run(n, spikes_of({{}})); }), "");
}

TEST(Simulate, RefusesEndsThatAreNegativeOrNaNOrOfAWrongNumber) {
  const auto n = single(lif("x"), {9});
  const Spikes in = spikes_of({{}, {}, {}});
  const auto refused = [&](std::vector<double> ends) {
    return refusal([&] { simulate(n, {{in}, ends}); });
  };
  EXPECT_EQ(refused({1, -1e-3, 1}),
            "t_end[1] is -0.001; expected a time of at least 0, in seconds");
  EXPECT_EQ(refused({1, 1, nan}), "t_end[2] is nan; expected a time of at least 0, in seconds");
  EXPECT_EQ(refused({-infinity}), "t_end[0] is -inf; expected a time of at least 0, in seconds");
  for (const std::size_t count : {0u, 2u, 4u}) {
    EXPECT_EQ(refused(std::vector<double>(count, 1)),
              "t_end has " + std::to_string(count) +
                  " values; expected one number or 3 (one per sample)");
  }
  EXPECT_EQ(refused({0}), "");
}

TEST(Simulate, RefusesInputsThatDoNotFitTheNetwork) {
  Network<double> n = single(lif("x"), {9});
  n.add_input("more", 2);
  const Spikes one = spikes_of({{}}), two = spikes_of({{}, {}}), wrong = spikes_of({{{0, 2}}});
  const double ends[] = {1.0};
  EXPECT_EQ(refusal([&] {
              simulate(n, {{one}, ends});
            }),
            "spikes for 1 inputs given; the network has 2");
  EXPECT_EQ(refusal([&] {
              simulate(n, {{one, two}, ends});
            }),
            "input 'more' has 2 samples; the others have 1");
  EXPECT_THAT(refusal([&] {
                simulate(n, {{one, wrong}, ends});
              }),
              HasSubstr("more.neurons[0] is 2 (sample 0); expected a number in [0, 2)"));
  EXPECT_EQ(refusal([&] { simulate(n, {{one, one}, ends}); }), "");
}

TEST(Simulate, RefusesANetworkWhoseParametersWereMovedOutOfRange) {
  const Spikes in = spikes_of({{}});
  const auto refused = [&](const std::function<void(Network<double>&)>& change) {
    Network<double> n;
    n.add_input("in", 1);
    n.add_population(lif("x", 4));
    n.connect("in", "x", {1, 1, 1, 1});
    change(n);
    return refusal([&] { run(n, in, 1.0); });
  };
  EXPECT_EQ(refused([](auto&) {}), "");
  EXPECT_THAT(refused([](auto& n) { n.populations()[1]["v_reset"] = 3.0; }),
              HasSubstr("x.v_reset[0]"));
  EXPECT_THAT(refused([](auto& n) {
                n.populations()[1]["tau_mem"] = Parameter({1, 1});
              }),
              HasSubstr("x.tau_mem has 2 values"));
  EXPECT_THAT(refused([](auto& n) { n.projections()[0].weight.clear(); }),
              HasSubstr("in->x.weight has 0 values"));
  EXPECT_THAT(refused([](auto& n) {
                n.projections()[0].delay = Delay{Delay::Kind::per_source, {}};
              }),
              HasSubstr("in->x.delay has 0 values"));
}

// A network with two hidden layers, one of them recurrent, and a readout; everything is at work.
template <class Real>
Network<Real> deep(bool refractory = true, bool per_synapse = true) {
  Random random(17, Purpose::synthetic);
  const auto weights = [&](std::size_t count, double mean, double spread) {
    std::vector<Real> w(count);
    for (Real& v : w) v = static_cast<Real>(mean + spread * random.normal());
    return w;
  };
  Network<Real> n;
  n.add_input("in", 10);
  Population p = lif("a", 40);
  p["tau_mem"] = 20e-3;
  p["tau_syn"] = 5e-3;
  n.add_population(p);
  p.name = "b";
  p.size = 30;
  if (refractory) p["tau_ref"] = 2e-3;
  std::vector<double> tau(30);
  for (double& t : tau) t = random.uniform(8e-3, 25e-3);
  p["tau_mem"] = Parameter(tau);
  n.add_population(p);
  p = lif("out", 4);
  p.become(Model::li);
  n.add_population(p);
  n.connect("in", "a", weights(400, 1.2, 1.0));
  n.connect("a", "b", weights(1200, 0.2, 0.5),
            per_synapse ? Delay::per_synapse(std::vector<double>(1200, 1e-3)) : Delay::none());
  n.connect("b", "b", weights(900, -0.05, 0.1), Delay::common(1e-3));
  n.connect("b", "out", weights(120, 0.1, 0.5));
  return n;
}

Spikes many(std::size_t samples, std::uint64_t seed = 5) {
  Random random(seed, Purpose::synthetic, 2);
  std::vector<std::vector<std::pair<double, int>>> result(samples);
  for (auto& sample : result) {
    for (int k = 0; k < 25; ++k) {
      sample.emplace_back(random.uniform(0, 30e-3), static_cast<int>(random.below(10)));
    }
    std::sort(sample.begin(), sample.end());
  }
  return spikes_of(result);
}

template <class Real>
Errors<Real> some_errors(const Network<Real>& n, const Inputs& inputs, const Record<Real>& record,
                         int threads = 1) {
  Random random(23, Purpose::synthetic);
  Errors<Real> errors(n.populations().size());
  Options options;
  options.threads = threads;
  for (std::size_t p = 0; p < n.populations().size(); ++p) {
    const auto draw = [&](std::vector<Real>& v, std::size_t count) {
      for (std::size_t k = 0; k < count; ++k) v.push_back(static_cast<Real>(random.uniform(-1, 1)));
    };
    const Model model = n.populations()[p].model;
    const std::size_t all = record.samples * n.populations()[p].size;
    if (model == Model::lif)
      draw(errors.populations[p].spikes, record.populations[p].currents.size());
    if (model == Model::input) continue;
    draw(errors.populations[p].integrals, all);
    if (model != Model::li) continue;
    draw(errors.populations[p].maxima, all);
    errors.maxima[p] = maxima(n, inputs, record, p, options);
  }
  return errors;
}

template <class Real>
void threads_do_not_matter() {
  const auto n = deep<Real>();
  const Spikes in = many(24);
  const double ends[] = {40e-3};
  const Inputs inputs{{in}, ends};
  const std::vector<double> at = {1e-3, 20e-3, 40e-3};
  const auto base = simulate(n, inputs);
  ASSERT_GT(base.populations[2].currents.size(), 100u);
  const auto errors = some_errors(n, inputs, base);
  const auto gradients = backward(n, inputs, base, errors);
  for (const int threads : {2, 3, 16, 0}) {
    Options options;
    options.threads = threads;
    const auto record = simulate(n, inputs, options);
    EXPECT_TRUE(same_bits(base, record)) << threads;
    const auto highest = maxima(n, inputs, record, 3, options);
    EXPECT_TRUE(same_bits(highest.values, errors.maxima[3].values)) << threads;
    EXPECT_TRUE(same_bits(highest.times, errors.maxima[3].times)) << threads;
    EXPECT_TRUE(same_bits(highest.currents, errors.maxima[3].currents)) << threads;
    EXPECT_EQ(highest.places, errors.maxima[3].places) << threads;
    for (const std::size_t p : {1u, 2u, 3u}) {
      EXPECT_TRUE(
          same_bits(integrals(n, inputs, record, p, options), integrals(n, inputs, base, p)));
      EXPECT_TRUE(
          same_bits(voltages(n, inputs, record, p, at, options), voltages(n, inputs, base, p, at)));
    }
    EXPECT_TRUE(same_bits(gradients, backward(n, inputs, record, errors, {}, options))) << threads;
  }
}

TEST(Simulate, AnyNumberOfThreadsGivesTheSameBitsInFloat64) { threads_do_not_matter<double>(); }
TEST(Simulate, AnyNumberOfThreadsGivesTheSameBitsInFloat32) { threads_do_not_matter<float>(); }

TEST(Simulate, ASampleIsTheSameAloneAndInABatch) {
  const auto n = deep<double>();
  const Spikes in = many(6);
  const std::vector<double> ends = {40e-3, 10e-3, 0, 33e-3, 50e-3, 40e-3};
  const auto all = simulate(n, {{in}, ends});
  for (std::size_t s = 0; s < 6; ++s) {
    Spikes one;
    const auto first = in.offsets[s], last = in.offsets[s + 1];
    one.times.assign(in.times.begin() + first, in.times.begin() + last);
    one.neurons.assign(in.neurons.begin() + first, in.neurons.begin() + last);
    one.offsets.push_back(last - first);
    const auto alone = run(n, one, ends[s]);
    for (std::size_t p = 0; p < 4; ++p) {
      const auto& batch = all.populations[p];
      const auto from = batch.spikes.offsets[s], to = batch.spikes.offsets[s + 1];
      EXPECT_TRUE(same_bits(
          std::vector<double>(batch.spikes.times.begin() + from, batch.spikes.times.begin() + to),
          alone.populations[p].spikes.times));
      EXPECT_TRUE(
          same_bits(std::vector<double>(batch.currents.begin() + from, batch.currents.begin() + to),
                    alone.populations[p].currents));
    }
  }
}

TEST(Simulate, AnEarlierEndOnlyCutsOffWhatComesAfterIt) {
  const auto n = deep<double>(false, false);
  const Spikes one = many(1);
  Spikes in;
  for (int s = 0; s < 5; ++s) {
    in.times.insert(in.times.end(), one.times.begin(), one.times.end());
    in.neurons.insert(in.neurons.end(), one.neurons.begin(), one.neurons.end());
    in.offsets.push_back(static_cast<std::int64_t>(in.times.size()));
  }
  const std::vector<double> ends = {50e-3, 31e-3, 12.3e-3, 4e-3, 0};
  const auto record = simulate(n, {{in}, ends});
  for (const std::size_t p : {1u, 2u}) {
    const Spikes& out = record.populations[p].spikes;
    const auto full = static_cast<std::size_t>(out.offsets[1]);
    std::size_t shorter = 0;
    for (std::size_t s = 0; s < 5; ++s) {
      const auto first = static_cast<std::size_t>(out.offsets[s]);
      const auto count = static_cast<std::size_t>(out.offsets[s + 1]) - first;
      std::size_t expected = 0;
      while (expected < full && out.times[expected] <= ends[s]) ++expected;
      ASSERT_EQ(count, expected) << "population " << p << ", end " << ends[s];
      shorter += count < full;
      for (std::size_t k = 0; k < count; ++k) {
        EXPECT_NEAR(out.times[first + k], out.times[k], 1e-12 * tau_mem);
        EXPECT_EQ(out.neurons[first + k], out.neurons[k]);
      }
    }
    EXPECT_GE(shorter, 3u);
    EXPECT_GT(full, 20u);
  }
}

TEST(Simulate, AnEmptyBatchGivesAnEmptyRecordAndNoGradient) {
  const auto n = deep<double>();
  const Spikes in;
  const double ends[] = {40e-3};
  for (const std::span<const double> end :
       {std::span<const double>(ends), std::span<const double>()}) {
    const Inputs inputs{{in}, end};
    const auto record = simulate(n, inputs);
    EXPECT_EQ(record.samples, 0u);
    for (const auto& p : record.populations) {
      EXPECT_THAT(p.spikes.offsets, ElementsAre(0));
      EXPECT_TRUE(p.spikes.times.empty());
    }
    EXPECT_TRUE(maxima(n, inputs, record, 3).values.empty());
    EXPECT_TRUE(integrals(n, inputs, record, 2).empty());
    const auto g = backward(n, inputs, record, Errors<double>(4));
    for (const auto& w : g.weights) {
      EXPECT_TRUE(std::all_of(w.begin(), w.end(), [](double v) { return v == 0; }));
    }
    EXPECT_EQ(g.weights[0].size(), 400u);
  }
}

TEST(Simulate, ASilentNetworkHasNoSpikesAndAGradientOfZeroBehindItsReadout) {
  auto n = deep<double>();
  for (double& w : n.projections()[0].weight) w *= 1e-3;
  const Spikes in = many(3);
  const double ends[] = {40e-3};
  const Inputs inputs{{in}, ends};
  const auto record = simulate(n, inputs);
  for (const auto& p : record.populations) {
    EXPECT_THAT(p.spikes.offsets, ElementsAre(0, 0, 0, 0));
    EXPECT_TRUE(p.currents.empty());
  }
  const auto highest = maxima(n, inputs, record, 3);
  for (std::size_t k = 0; k < highest.values.size(); ++k) {
    EXPECT_EQ(highest.values[k], 0);
    EXPECT_EQ(highest.places[k], Place::start);
  }
  Errors<double> errors(4);
  errors.populations[3].integrals.assign(12, 1.0);
  const auto g = backward(n, inputs, record, errors);
  for (const auto& w : g.weights) {
    EXPECT_TRUE(std::all_of(w.begin(), w.end(), [](double v) { return v == 0; }));
  }
  EXPECT_NEAR(g.neurons[3]["v_initial"][0], 12 * tau_mem * (1 - std::exp(-40e-3 / tau_mem)), 1e-15);
}

TEST(Simulate, InputsAfterTheEndAndAtItDoNothing) {
  const auto n = single(lif("x"), {9, 500});
  const auto alone = run(n, spikes_of({{{0, 0}}}), 30e-3);
  const auto more = run(n, spikes_of({{{0, 0}, {30e-3, 1}, {31e-3, 1}, {1e3, 1}}}), 30e-3);
  ASSERT_FALSE(alone.populations[1].currents.empty());
  EXPECT_TRUE(same_bits(alone, more));
}

TEST(Simulate, ANetworkWithoutInputsRunsAsManySamplesAsItHasEnds) {
  Network<double> n;
  Population p = lif("x");
  p["bias"] = 2.0;
  n.add_population(p);
  const double ends[] = {0.1, 0.05};
  const auto record = simulate(n, Inputs{{}, ends});
  EXPECT_EQ(record.samples, 2u);
  EXPECT_GT(record.populations[0].spikes.offsets[1], 3);
}

// --- delays ------------------------------------------------------------------------------------

struct DelayCase {
  Delay::Kind kind;
  Record<double> record;
  Gradients<double> gradients;
};

// in(3) -> a(4) -> out(2), with a on itself: the delays of every projection of one kind, each
// projection with one delay for all its synapses.
std::vector<DelayCase> with_every_kind(const std::vector<double>& delays, double end) {
  Random random(3, Purpose::synthetic);
  const auto weights = [&](std::size_t count, double mean, double spread) {
    std::vector<double> w(count);
    for (double& v : w) v = mean + spread * random.normal();
    return w;
  };
  const auto in_a = weights(12, 3, 1.5), a_a = weights(16, -0.3, 0.4), a_out = weights(8, 0.3, 1);
  std::vector<std::vector<std::pair<double, int>>> samples(4);
  for (auto& sample : samples) {
    for (int k = 0; k < 8; ++k) {
      sample.emplace_back(random.uniform(0, 20e-3), static_cast<int>(random.below(3)));
    }
    std::sort(sample.begin(), sample.end());
  }
  const Spikes in = spikes_of(samples);
  std::vector<DelayCase> result;
  for (const auto kind : {Delay::Kind::none, Delay::Kind::common, Delay::Kind::per_source,
                          Delay::Kind::per_synapse}) {
    if (kind == Delay::Kind::none && delays != std::vector<double>(3, 0)) continue;
    const auto make = [&](double d, std::size_t pre, std::size_t post) {
      const std::size_t count = kind == Delay::Kind::none         ? 0
                                : kind == Delay::Kind::common     ? 1
                                : kind == Delay::Kind::per_source ? pre
                                                                  : pre * post;
      return Delay{kind, std::vector<double>(count, d)};
    };
    Network<double> n;
    n.add_input("in", 3);
    n.add_population(lif("a", 4));
    Population out = lif("out", 2);
    out.become(Model::li);
    n.add_population(out);
    n.connect("in", "a", in_a, make(delays[0], 3, 4));
    n.connect("a", "a", a_a, make(delays[1], 4, 4));
    n.connect("a", "out", a_out, make(delays[2], 4, 2));
    const double ends[] = {end};
    const Inputs inputs{{in}, ends};
    const auto record = simulate(n, inputs);
    const auto errors = some_errors(n, inputs, record);
    result.push_back({kind, record, backward(n, inputs, record, errors)});
  }
  return result;
}

TEST(Delays, OfAllFourKindsAgreeWhereTheyDescribeTheSameNetwork) {
  for (const auto& delays : {std::vector<double>{0, 0, 0}, {1.5e-3, 2e-3, 0.7e-3}}) {
    const auto kinds = with_every_kind(delays, 45e-3);
    const DelayCase& base = kinds.back();  // per synapse
    ASSERT_EQ(base.kind, Delay::Kind::per_synapse);
    EXPECT_GT(base.record.populations[1].currents.size(), 20u);
    for (const DelayCase& c : kinds) {
      EXPECT_EQ(base.record.populations[1].spikes.neurons, c.record.populations[1].spikes.neurons);
      ASSERT_EQ(base.record.populations[1].spikes.offsets, c.record.populations[1].spikes.offsets);
      for (std::size_t k = 0; k < base.record.populations[1].currents.size(); ++k) {
        EXPECT_NEAR(base.record.populations[1].spikes.times[k],
                    c.record.populations[1].spikes.times[k], 1e-11 * tau_mem);
      }
      const std::size_t pre[] = {3, 4, 4}, post[] = {4, 4, 2};
      for (std::size_t p = 0; p < 3; ++p) {
        const auto near = [&](const std::vector<double>& x, const std::vector<double>& y) {
          double scale = 0;
          for (const double v : y) scale = std::max(scale, std::fabs(v));
          ASSERT_EQ(x.size(), y.size());
          ASSERT_GT(scale, 0);
          for (std::size_t k = 0; k < x.size(); ++k) EXPECT_NEAR(x[k], y[k], 1e-9 * scale);
        };
        near(c.gradients.weights[p], base.gradients.weights[p]);
        if (c.kind == Delay::Kind::none) {
          EXPECT_TRUE(c.gradients.delays[p].empty());
          continue;
        }
        // A shared delay's gradient is the sum over the synapses that share it.
        std::vector<double> sums(c.gradients.delays[p].size(), 0.0);
        for (std::size_t n = 0; n < pre[p]; ++n) {
          for (std::size_t j = 0; j < post[p]; ++j) {
            sums[Delay{c.kind, {}}.index(n, n * post[p] + j)] +=
                base.gradients.delays[p][n * post[p] + j];
          }
        }
        near(c.gradients.delays[p], sums);
      }
    }
  }
}

TEST(Delays, PerSourceIsPerSynapseWithEqualColumns) {
  Random random(11, Purpose::synthetic);
  std::vector<double> w(15), per_source(3), per_synapse;
  for (double& v : w) v = 3 + 2 * random.normal();
  for (double& d : per_source) d = random.uniform(0, 5e-3);
  for (const double d : per_source) per_synapse.insert(per_synapse.end(), 5, d);
  Network<double> a;
  a.add_input("in", 3);
  a.add_population(lif("x", 5));
  Network<double> b = a;
  a.connect("in", "x", w, Delay::per_source(per_source));
  b.connect("in", "x", w, Delay::per_synapse(per_synapse));
  const Spikes in = spikes_of({{{1e-3, 2}, {2e-3, 0}, {2e-3, 1}, {5e-3, 0}, {6e-3, 2}}});
  // (To rounding: a neuron with arrivals of its own computes its decays by itself.)
  const auto x = run(a, in).populations[1], y = run(b, in).populations[1];
  EXPECT_GT(x.currents.size(), 4u);
  EXPECT_EQ(x.spikes.neurons, y.spikes.neurons);
  ASSERT_EQ(x.currents.size(), y.currents.size());
  for (std::size_t k = 0; k < x.currents.size(); ++k) {
    EXPECT_NEAR(x.spikes.times[k], y.spikes.times[k], 1e-13 * tau_mem);
    EXPECT_NEAR(x.currents[k], y.currents[k], 1e-13 * x.currents[k]);
  }
}

TEST(Delays, ACommonDelayOfTheInputShiftsEverything) {
  const auto n = single(lif("x"), {7, 6});
  Network<double> late = n;
  late.projections()[0].delay = Delay::common(0x1p-6);
  const auto a = run(n, spikes_of({{{0x1p-7, 0}, {0x1p-5, 1}}}));
  const auto b = run(late, spikes_of({{{0x1p-7, 0}, {0x1p-5, 1}}}));
  ASSERT_GT(a.populations[1].currents.size(), 1u);
  ASSERT_EQ(a.populations[1].currents.size(), b.populations[1].currents.size());
  for (std::size_t k = 0; k < a.populations[1].currents.size(); ++k) {
    EXPECT_NEAR(a.populations[1].spikes.times[k] + 0x1p-6, b.populations[1].spikes.times[k], 1e-16);
    EXPECT_NEAR(a.populations[1].currents[k], b.populations[1].currents[k], 1e-14);
  }
}

// Times and currents to rounding: windows and the event loop cut time into different intervals.
void expect_the_same_spikes(const Record<double>& a, const Record<double>& b,
                            std::size_t at_least) {
  const auto &x = a.populations[1], &y = b.populations[1];
  ASSERT_GE(x.currents.size(), at_least);
  ASSERT_EQ(x.currents.size(), y.currents.size());
  for (std::size_t k = 0; k < x.currents.size(); ++k) {
    const double clock = 4 * std::numeric_limits<double>::epsilon() * x.spikes.times[k];
    EXPECT_NEAR(x.spikes.times[k], y.spikes.times[k], 1e-14 + clock);
    EXPECT_NEAR(x.currents[k], y.currents[k], 1e-11 + clock * x.currents[k] / 5e-3);
  }
}

TEST(Delays, AVeryShortOneInsideACycleRunsAsTheEventLoop) {
  Network<double> n = single(lif("x"), {9});
  n.connect("x", "x", {-3}, Delay::common(1e-12));
  Options loop;
  loop.way = Way::event_loop;
  const Spikes in = spikes_of({{{0, 0}}});
  expect_the_same_spikes(run(n, in, 60e-3), run(n, in, 60e-3, loop), 1);
}

TEST(Delays, OneThatTimeCannotTellRunsAsTheEventLoop) {
  for (const double delay : {1e-18, 1e-17}) {
    Network<double> n = single(lif("x"), {9});
    n.connect("x", "x", {-3}, Delay::common(delay));
    Options loop;
    loop.way = Way::event_loop;
    const Spikes in = spikes_of({{{0, 0}}});
    expect_the_same_spikes(run(n, in, 1), run(n, in, 1, loop), 1);
  }
}

// In windows of d_min from one end to the other this would be 10^9 of them.
TEST(Delays, SilenceInACycleCostsNothing) {
  Population tonic = lif("x", 2);  // x[1] spikes by itself, long after anything has arrived
  tonic["tau_mem"] = Parameter({20e-3, 1e5});
  tonic["bias"] = Parameter({0, 1.1});
  for (const bool together : {false, true}) {
    Network<double> n;
    n.add_input("in", 1);
    n.add_population(together ? lif("x", 2) : tonic);
    n.connect("in", "x", {9, together ? 8.0 : 0});
    n.connect("x", "x", {0.5, 0.1, 0.2, 0.3}, Delay::common(1e-3));
    Options loop;
    loop.way = Way::event_loop;
    const Spikes in = spikes_of({{{0, 0}, {0.5e-3, 0}, {4e5, 0}}});
    ASSERT_EQ(Plan<double>(n).components[0].way, Way::windows);
    expect_the_same_spikes(run(n, in, 1e6), run(n, in, 1e6, loop), 4);
  }
}

// --- the sort ----------------------------------------------------------------------------------

TEST(SortByTime, OrdersByTimeThenNeuronForAnyNumberAndAnyCrowding) {
  Random random(2, Purpose::synthetic);
  std::size_t crowded = 0, equal = 0;
  for (int round = 0; round < 400; ++round) {
    const std::size_t count = random.below(round % 4 == 0 ? 2000 : 80);
    const std::uint32_t kind = random.below(4);
    std::vector<RecordedSpike<double>> spikes;
    for (std::size_t k = 0; k < count; ++k) {
      double time = random.uniform();
      if (kind == 1) time = std::floor(time * 20);  // many at one instant
      if (kind == 2) time = std::pow(time, 40);     // nearly all in the first bucket
      if (kind == 3) time = 0.25;                   // all at one instant
      spikes.push_back(
          {time, static_cast<std::int32_t>(random.below(100000)), static_cast<double>(k)});
    }
    auto expected = spikes;
    std::sort(expected.begin(), expected.end(),
              [](const auto& a, const auto& b) { return earlier(a, b); });
    sort_by_time(std::span(spikes));
    crowded += kind == 2 && count > 500;
    for (std::size_t k = 0; k < spikes.size(); ++k) {
      ASSERT_EQ(spikes[k].time, expected[k].time);
      ASSERT_EQ(spikes[k].neuron, expected[k].neuron);
      equal += k > 0 && spikes[k].time == spikes[k - 1].time;
    }
  }
  EXPECT_GT(crowded, 5u);
  EXPECT_GT(equal, 1000u);
}

}  // namespace
}  // namespace saltus
