// SPDX-License-Identifier: Apache-2.0
// Records made of spikes that were measured elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "gradcheck/gradcheck.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/simulate.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::refusal;
using test::spikes_of;
using ::testing::HasSubstr;

std::vector<SpikeView> views(const Record<double>& record) {
  std::vector<SpikeView> result;
  for (const auto& p : record.populations) result.push_back(p.spikes.view());
  return result;
}

TEST(Record, OfOurOwnSpikesHasOurCurrentsAndGradients) {
  std::size_t networks = 0, spikes = 0, releases = 0, cyclic = 0, ill = 0;
  double worst_current = 0, worst_gradient = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const auto c = gradcheck::random_case(seed);
    const auto e = gradcheck::evaluate(c, c.network, c.inputs);
    gradcheck::Census census;
    gradcheck::topology(c, c.network, c.inputs, e, &census);
    const auto foreign = record(c.network, c.view(), views(e.record));
    ASSERT_EQ(foreign.samples, e.record.samples);
    for (std::size_t p = 0; p < foreign.populations.size(); ++p) {
      const auto &x = foreign.populations[p], &y = e.record.populations[p];
      ASSERT_EQ(x.spikes, y.spikes) << seed;
      for (const auto& [a, b] :
           {std::pair{&x.currents, &y.currents}, {&x.release_currents, &y.release_currents}}) {
        ASSERT_EQ(a->size(), b->size()) << seed;
        for (std::size_t k = 0; k < a->size(); ++k) {
          const double error = std::fabs((*a)[k] - (*b)[k]) / std::max(1.0, std::fabs((*b)[k]));
          ASSERT_LE(error, 1e-11) << seed;
          worst_current = std::max(worst_current, error);
        }
      }
      spikes += x.currents.size();
      for (const double i : x.release_currents) releases += i != 0;
    }
    ++networks;
    for (const auto& p : c.network.projections()) cyclic += p.source == p.target;
    if (census.flattest_spike < gradcheck::grazing_slope) {
      ++ill;  // the gradient divides by the slope
      continue;
    }
    std::string where;
    const double gradient = test::largest_difference(
        c.network, backward(c.network, c.view(), e.record, e.errors),
        backward(c.network, c.view(), foreign, e.errors), 1e-9, e.magnitude, &where);
    ASSERT_LE(gradient, 1e-9) << seed << " " << where;
    worst_gradient = std::max(worst_gradient, gradient);
  }
  std::printf(
      "%zu networks (%zu grazing: no gradients), %zu spikes, %zu releases; worst: current "
      "%.1e, gradient %.1e\n",
      networks, ill, spikes, releases, worst_current, worst_gradient);
  EXPECT_GT(spikes, 3000u);
  EXPECT_GT(releases, 500u);
  EXPECT_GT(cyclic, 50u);
  EXPECT_LT(ill, networks / 10);
}

// in(2) -> x(2), refractory for 4 ms.
struct Small {
  Network<double> network;
  Spikes in = spikes_of({{{1e-3, 0}, {3e-3, 1}, {6e-3, 0}}});
  std::vector<double> ends = {20e-3};

  explicit Small(double tau_ref = 4e-3) {
    network.add_input("in", 2);
    Population p;
    p.name = "x";
    p.size = 2;
    p["tau_ref"] = tau_ref;
    p["i_initial"] = Parameter({0, 2});
    network.add_population(p);
    network.connect("in", "x", {5, 7, -3, 2});
  }
  Inputs inputs() const { return {{in}, ends}; }
  std::string refused(const Spikes& x) const {
    const Spikes none = spikes_of(std::vector<std::vector<std::pair<double, int>>>(x.samples()));
    const std::vector<SpikeView> all = {none, x};
    return refusal([&] { record(network, inputs(), all); });
  }
};

TEST(Record, OfSpikesAnywhereHasTheCurrentsOfTheArrivalsBeforeThem) {
  const Small s;
  const Spikes x = spikes_of({{{2e-3, 0}, {3e-3, 1}, {7e-3, 0}, {19e-3, 1}}}),
               none = spikes_of({{}});
  const std::vector<SpikeView> all = {none, x};
  const auto r = record(s.network, s.inputs(), all);
  const auto decayed = [](double i, double from, double to) {
    return i * std::exp(-(to - from) / 5e-3);
  };
  // An arrival at the very time of a spike comes after it.
  const double first = decayed(5, 1e-3, 2e-3);
  const double second = decayed(7, 1e-3, 3e-3) + decayed(2, 0, 3e-3);
  const auto current = [&](double w0, double w1, double w2, double initial, double t) {
    return decayed(w0, 1e-3, t) + (t > 3e-3 ? decayed(w1, 3e-3, t) : 0) +
           (t > 6e-3 ? decayed(w2, 6e-3, t) : 0) + decayed(initial, 0, t);
  };
  ASSERT_EQ(r.populations[1].currents.size(), 4u);
  EXPECT_NEAR(r.populations[1].currents[0], first, 1e-14);
  EXPECT_NEAR(r.populations[1].currents[1], second, 1e-14);
  EXPECT_NEAR(r.populations[1].currents[2], current(5, -3, 5, 0, 7e-3), 1e-14);
  EXPECT_NEAR(r.populations[1].currents[3], current(7, 2, 7, 2, 19e-3), 1e-14);
  // Releases 4 ms later; that of the last spike lies after the end.
  ASSERT_EQ(r.populations[1].release_currents.size(), 4u);
  EXPECT_NEAR(r.populations[1].release_currents[0], current(5, -3, 0, 0, 6e-3), 1e-14);
  EXPECT_NEAR(r.populations[1].release_currents[1], current(7, 2, 7, 2, 7e-3), 1e-14);
  EXPECT_NEAR(r.populations[1].release_currents[2], current(5, -3, 5, 0, 11e-3), 1e-14);
  EXPECT_EQ(r.populations[1].release_currents[3], 0);
}

TEST(Record, IsThatOfTheSameSpikesInAnyOtherNetworkToo) {
  // The spikes of one network in another: the currents are the other's.
  const Small a(0);
  Small b(0);
  for (double& w : b.network.projections()[0].weight) w *= 2;
  const auto ours = simulate(a.network, a.inputs());
  ASSERT_GT(ours.populations[1].currents.size(), 2u);
  const auto r = record(b.network, b.inputs(), views(ours));
  EXPECT_EQ(r.populations[1].spikes, ours.populations[1].spikes);
  for (std::size_t k = 0; k < r.populations[1].currents.size(); ++k) {
    if (r.populations[1].spikes.neurons[k] == 1) continue;  // has an initial current
    EXPECT_NEAR(r.populations[1].currents[k], 2 * ours.populations[1].currents[k], 1e-13);
  }
}

TEST(Record, RefusesSpikesWithinTheRefractoryTime) {
  const Small s;
  EXPECT_EQ(
      s.refused(spikes_of({{{2e-3, 0}, {4e-3, 1}, {5e-3, 0}}})),
      "sample 0 of 'x': neuron 0 spikes at 0.005 s; expected at least tau_ref = 0.004 s after "
      "its last spike");
  EXPECT_EQ(s.refused(spikes_of({{{2e-3, 0}, {4e-3, 1}, {2e-3 + 4e-3, 0}}})), "");
  EXPECT_THAT(s.refused(spikes_of({{{2e-3, 0}, {2e-3, 0}}})),
              HasSubstr("neuron 0 spikes at 0.002"));
}

TEST(Record, RefusesANeuronTwiceAtOneInstantAlsoWithoutRefractoryTime) {
  const Small s(0);
  EXPECT_EQ(
      s.refused(spikes_of({{{2e-3, 0}, {2e-3, 1}, {2e-3, 0}}})),
      "sample 0 of 'x': neuron 0 spikes at 0.002 s; expected more than tau_ref = 0 s after its "
      "last spike");
  EXPECT_EQ(s.refused(spikes_of({{{2e-3, 0}, {2e-3, 1}}})), "");
  EXPECT_EQ(s.refused(spikes_of({{{2e-3, 0}, {std::nextafter(2e-3, 1), 0}}})), "");
}

// Times on a grid of 1 ms. Of such pairs 3 ms apart the sum of the earlier and 3 ms lies behind the
// later in one of 17.
TEST(Record, SpikesTheRefractoryTimeApartAreSoOnAGridToo) {
  constexpr int samples = 1000;
  std::vector<std::vector<std::pair<double, int>>> in(samples), x(samples);
  std::vector<double> ends;
  for (int k = 0; k < samples; ++k) {
    const auto at = [&](double step) { return (k + step) * 1e-3; };
    // (What arrives at the time of a release sits at a kink.)
    in[k] = {{at(0), 0}, {at(2), 1}, {at(3.5), 0}, {at(5.5), 1}, {at(6.5), 0}};
    x[k] = {{at(1), 0}, {at(2), 1}, {at(4), 0}, {at(7), 0}, {at(8), 1}};
    ends.push_back(at(9));
  }
  const Spikes inputs = spikes_of(in), measured = spikes_of(x),
               none = spikes_of(std::vector<std::vector<std::pair<double, int>>>(samples));
  const auto gradients = [&](Model model, bool cyclic, double tau_ref) {
    Network<double> network;
    network.add_input("in", 2);
    Population p;
    p.name = "x";
    p.become(model);
    p.size = 2;
    p["tau_ref"] = tau_ref;
    p["bias"] = 0.5;
    network.add_population(p);
    network.connect("in", "x", {25, 17, 13, 22});
    if (cyclic) network.connect("x", "x", {1, 2, 3, 4}, Delay::common(2.3e-3));
    const std::vector<SpikeView> all = {none, measured};
    const Inputs given{{inputs}, ends};
    const auto r = record(network, given, all);
    Errors<double> errors(2);
    auto& of = errors.populations[1];
    for (std::size_t k = 0; k < measured.times.size(); ++k) of.spikes.push_back(std::cos(k));
    for (std::size_t k = 0; k < 2 * samples; ++k) of.integrals.push_back(std::sin(k));
    return std::pair(network, backward(network, given, r, errors));
  };
  for (const Model model : {Model::lif, Model::named("ALIF"), Model::named("LIF:delta")}) {
    for (const bool cyclic : {false, true}) {
      const auto [network, on_grid] = gradients(model, cyclic, 3e-3);
      std::string where;
      // A refractory time a little shorter has no such pairs.
      const double difference = test::largest_difference(
          network, on_grid, gradients(model, cyclic, 3e-3 - 1e-13).second, 1e-8, 0, &where);
      EXPECT_LE(difference, 1e-8) << model->name << " " << cyclic << " " << where;
    }
  }
}

TEST(Record, TheRefractoryTimeDoesNotReachIntoTheNextSample) {
  Small s;
  s.in = spikes_of({{}, {}});
  EXPECT_EQ(s.refused(spikes_of({{{2e-3, 0}}, {{3e-3, 0}}})), "");
}

TEST(Record, RefusesSpikesAfterTheEndButNotAtIt) {
  Small s;
  s.in = spikes_of({{}, {}});
  s.ends = {20e-3, 10e-3};
  EXPECT_EQ(s.refused(spikes_of({{{15e-3, 0}}, {{2e-3, 0}, {10.5e-3, 1}}})),
            "sample 1 of 'x': neuron 1 spikes at 0.0105 s; expected a time until the end, 0.01 s");
  EXPECT_EQ(s.refused(spikes_of({{{20e-3, 0}}, {{10e-3, 1}}})), "");
}

TEST(Record, RefusesSpikesOfAWrongShape) {
  const Small s;
  const Spikes none = spikes_of({{}});
  for (const std::size_t count : {0u, 1u, 3u}) {
    const std::vector<SpikeView> all(count, none);
    EXPECT_EQ(refusal([&] { record(s.network, s.inputs(), all); }),
              "spikes of " + std::to_string(count) + " populations given; the network has 2");
  }
  EXPECT_EQ(s.refused(spikes_of({{}, {}})), "spikes of 'x' have 2 samples; the inputs have 1");
  EXPECT_EQ(s.refused(spikes_of({{{1e-3, 2}}})),
            "x.neurons[0] is 2 (sample 0); expected a number in [0, 2)");
  EXPECT_THAT(s.refused(spikes_of({{{2e-3, 0}, {1e-3, 1}}})), HasSubstr("times ascend"));
}

TEST(Record, IgnoresWhatIsGivenForInputsAndReadouts) {
  Small s;
  Population p;
  p.name = "out";
  p.become(Model::li);
  p.size = 1;
  s.network.add_population(p);
  s.network.connect("x", "out", {1, 1});
  const Spikes x = spikes_of({{{2e-3, 0}}}), nonsense = spikes_of({{{-1, 77}}, {}}),
               none = spikes_of({{}});
  const std::vector<SpikeView> with = {nonsense, x, nonsense}, without = {none, x, none};
  EXPECT_TRUE(
      test::same_bits(record(s.network, s.inputs(), with), record(s.network, s.inputs(), without)));
}

TEST(Record, AnyNumberOfThreadsGivesTheSameBits) {
  const auto c = gradcheck::random_case(3);
  Network<double> n = c.network;
  Spikes in;
  std::vector<double> ends;
  for (int k = 0; k < 30; ++k) {
    const auto more = gradcheck::random_case(3).inputs[0];
    const auto count = static_cast<std::size_t>(more.offsets[1]);
    for (std::size_t i = 0; i < count; ++i) {
      in.times.push_back(more.times[i] + 1e-5 * k);
      in.neurons.push_back(more.neurons[i]);
    }
    in.offsets.push_back(static_cast<std::int64_t>(in.times.size()));
    ends.push_back(30e-3 + 1e-4 * k);
  }
  const Inputs inputs{{in}, ends};
  const auto ours = simulate(n, inputs);
  std::size_t spikes = 0;
  for (const auto& p : ours.populations) spikes += p.currents.size();
  ASSERT_GT(spikes, 30u);
  const auto base = record(n, inputs, views(ours));
  for (const int threads : {2, 3, 16}) {
    Options options;
    options.threads = threads;
    EXPECT_TRUE(test::same_bits(base, record(n, inputs, views(ours), options))) << threads;
  }
}

}  // namespace
}  // namespace saltus
