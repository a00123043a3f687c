// SPDX-License-Identifier: Apache-2.0
// Delta synapses: an arrival moves V at once, and may make a spike at its very time (docs/theory.md,
// section 14).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "saltus/adjoint.hpp"
#include "saltus/observe.hpp"
#include "saltus/simulate.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Population population(std::string name, std::string_view model, std::size_t size,
                      double tau_ref = 0) {
  Population p;
  p.name = std::move(name);
  p.model = Model::named(model);
  p.size = size;
  if (p.model->has("tau_ref")) p["tau_ref"] = tau_ref;
  return p;
}

// Two inputs, one neuron.
Network<double> network(double w0, double w1, std::string_view model = "LIF:delta",
                        double tau_ref = 0) {
  Network<double> n;
  n.add_input("in", 2);
  n.add_population(population("h", model, 1, tau_ref));
  n.connect("in", "h", {w0, w1});
  return n;
}

using Sample = std::vector<std::pair<double, int>>;

std::vector<double> times(const Network<double>& n, const Sample& sample, double t_end = 0.1,
                          const Options& options = {}) {
  const Spikes in = test::spikes_of({sample});
  const double ends[] = {t_end};
  return simulate(n, Inputs{{in}, ends}, options).populations[1].spikes.times;
}

TEST(Jumps, ASpikeHappensAtTheArrivalThatTakesVOverTheThreshold) {
  for (const std::string_view model : {"LIF:delta", "ALIF:delta", "IF:delta"}) {
    for (const Kernel kernel : {Kernel::scalar, Kernel::vector}) {
      Options options;
      options.kernel = kernel;
      const auto n = network(0.6, -0.2, model);
      EXPECT_THAT(times(n, {{1e-3, 0}, {3e-3, 0}, {5e-3, 0}}, 0.1, options), ElementsAre(3e-3))
          << model;
      EXPECT_THAT(times(n, {{1e-3, 0}, {2e-3, 1}, {3e-3, 0}}, 0.1, options), IsEmpty()) << model;
    }
  }
}

TEST(Jumps, ToTheThresholdIsNotOverIt) {
  EXPECT_THAT(times(network(1, 0), {{1e-3, 0}}), IsEmpty());
  EXPECT_THAT(times(network(std::nextafter(1, 2), 0), {{1e-3, 0}}), ElementsAre(1e-3));
}

TEST(Jumps, WhatArrivesAtOneInstantCountsTogether) {
  EXPECT_THAT(times(network(0.6, 0.6), {{1e-3, 0}, {1e-3, 1}}), ElementsAre(1e-3));
  EXPECT_THAT(times(network(1.5, -0.6), {{1e-3, 0}, {1e-3, 1}}), IsEmpty());
  // And makes one spike, however much it is.
  EXPECT_THAT(times(network(5, 5), {{1e-3, 0}, {1e-3, 1}}), ElementsAre(1e-3));
}

TEST(Jumps, WhatArrivesAtARefractoryNeuronIsLost) {
  const auto n = network(1.2, 0.9, "LIF:delta", 2e-3);
  EXPECT_THAT(times(n, {{1e-3, 0}, {2e-3, 1}, {2.9e-3, 1}, {3.5e-3, 1}}), ElementsAre(1e-3));
  // At the very time of the release it counts.
  EXPECT_THAT(times(n, {{1e-3, 0}, {1e-3 + 2e-3, 0}}), ElementsAre(1e-3, 1e-3 + 2e-3));
  const Spikes in = test::spikes_of({{{1e-3, 0}, {2e-3, 1}, {3.5e-3, 1}}});
  const double ends[] = {0.1};
  const Inputs inputs{{in}, ends};
  const auto record = simulate(n, inputs);
  const double at[] = {2.5e-3, 3.5e-3, 4.5e-3};  // left limits
  EXPECT_THAT(voltages(n, inputs, record, 1, at),
              ElementsAre(0, 0, DoubleNear(0.9 * std::exp(-1.0 / 20), 1e-15)));
}

TEST(Jumps, VCrossesByItselfToo) {
  Network<double> n = network(0.5, -0.5);
  n.populations()[1]["bias"] = 2;
  const double alone = 20e-3 * std::log(2);
  EXPECT_THAT(times(n, {}, 20e-3), ElementsAre(DoubleNear(alone, 1e-17)));
  // After the arrival, 1 = 2 - (2 - V) exp(-t/20 ms).
  const double v = 2 - 2 * std::exp(-5.0 / 20) + 0.5;
  EXPECT_THAT(times(n, {{5e-3, 0}}, 15e-3),
              ElementsAre(DoubleNear(5e-3 + 20e-3 * std::log(2 - v), 1e-17)));
  // At the time of an arrival it comes first, by as little as time can tell.
  const auto both = times(n, {{alone, 0}}, 20e-3);
  ASSERT_EQ(both.size(), 1);
  EXPECT_NEAR(both[0], alone, 1e-17);
}

TEST(Jumps, AChainWithoutDelaysFiresAtOneInstant) {
  Network<double> n;
  n.add_input("in", 1);
  std::string below = "in";
  for (const std::string name : {"a", "b", "c"}) {
    n.add_population(population(name, "LIF:delta", 1));
    n.connect(below, name, {1.5});
    below = name;
  }
  const Spikes in = test::spikes_of({{{1e-3, 0}, {7e-3, 0}}});
  const double ends[] = {0.1};
  const Inputs inputs{{in}, ends};
  const auto record = simulate(n, inputs);
  EXPECT_THAT(record.populations[3].spikes.times, ElementsAre(1e-3, 7e-3));
  // All of them move with the input.
  Errors<double> errors(4);
  errors.populations[3].spikes = {2, 3};
  errors.populations[1].spikes = {0.5, 0};
  const auto g = backward(n, inputs, record, errors);
  EXPECT_THAT(g.times[0], ElementsAre(2.5, 3));
  EXPECT_THAT(g.weights[0], ElementsAre(0));
}

TEST(Jumps, OfSeveralArrivalsThatWithoutWhichVStaysBelowMovesTheSpike) {
  const auto moved_by = [](double w0, double w1) {
    const auto n = network(w0, w1);
    const Spikes in = test::spikes_of({{{1e-3, 0}, {1e-3, 1}}});
    const double ends[] = {0.1};
    const Inputs inputs{{in}, ends};
    std::vector<std::vector<double>> found;
    for (const Kernel kernel : {Kernel::scalar, Kernel::vector}) {
      Options options;
      options.kernel = kernel;
      const auto record = simulate(n, inputs, options);
      Errors<double> errors(2);
      errors.populations[1].spikes = {1};
      found.push_back(backward(n, inputs, record, errors, {}, options).times[0]);
    }
    EXPECT_EQ(found[0], found[1]);
    return found[0];
  };
  EXPECT_THAT(moved_by(0.8, 0.8), ElementsAre(0, 1));  // both are needed: the last
  EXPECT_THAT(moved_by(1.5, 0.2), ElementsAre(1, 0));
  EXPECT_THAT(moved_by(0.2, 1.5), ElementsAre(0, 1));
  EXPECT_THAT(moved_by(1.5, -0.2), ElementsAre(1, 0));
  EXPECT_THAT(moved_by(1.5, 1.5), ElementsAre(1, 0));  // the first is enough
}

TEST(Jumps, ACycleNeedsADelay) {
  Network<double> n = network(1.5, 0);
  n.connect("h", "h", {0.5});
  EXPECT_THAT(test::refusal([&] {
                times(n, {{1e-3, 0}});
              }),
              HasSubstr("'h' to 'h' has synapses without a delay in a cycle; LIF:delta spikes"));
  Network<double> zero = network(1.5, 0);
  zero.connect("h", "h", {0.5}, Delay::per_synapse({0.0}));
  EXPECT_THAT(test::refusal([&] { times(zero, {{1e-3, 0}}); }), HasSubstr("without a delay"));
}

TEST(Jumps, EveryWayFindsTheSameInACycle) {
  Network<double> n = network(1.5, 0);
  n.connect("h", "h", {1.1}, Delay::common(1e-3));
  for (const Way way : {Way::windows, Way::event_loop}) {
    for (const Kernel kernel : {Kernel::scalar, Kernel::vector}) {
      Options options;
      options.way = way;
      options.kernel = kernel;
      const auto found = times(n, {{1e-3, 0}}, 4.5e-3, options);
      ASSERT_EQ(found.size(), 4);
      double t = 1e-3;
      for (const double spike : found) {
        EXPECT_EQ(spike, t);
        t += 1e-3;
      }
    }
  }
}

TEST(Jumps, OfAForeignSpikeALittleLaterTheArrivalStillMovesIt) {
  const auto n = network(1.5, 0.3);
  const Spikes in = test::spikes_of({{{1e-3, 0}, {6e-3, 1}}});
  const double ends[] = {0.1};
  const Inputs inputs{{in}, ends};
  const Spikes none = test::spikes_of({{}}), measured = test::spikes_of({{{1.2e-3, 0}}});
  const std::vector<SpikeView> spikes{none, measured};
  for (const Kernel kernel : {Kernel::scalar, Kernel::vector}) {
    Options options;
    options.kernel = kernel;
    const auto foreign = record(n, inputs, spikes, options);
    Errors<double> errors(2);
    errors.populations[1].spikes = {2};
    const auto g = backward(n, inputs, foreign, errors, {}, options);
    EXPECT_THAT(g.times[0], ElementsAre(2, 0));
    EXPECT_THAT(g.weights[0], ElementsAre(0, 0));
  }
}

}  // namespace
}  // namespace saltus
