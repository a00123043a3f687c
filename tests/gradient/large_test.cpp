// SPDX-License-Identifier: Apache-2.0
// Sparse recurrent networks of several hundred neurons, a delay for each synapse: windows, calendars
// and tiles that go through their own synapses, against ways that know nothing of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "random/random.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/simulate.hpp"

namespace saltus {
namespace {

constexpr std::size_t neurons = 600, into_each = 5;
constexpr double ends[] = {0.15};

struct Networks {
  Network<double> sparse, dense;    // the same
  std::vector<std::size_t> places;  // of each listed synapse in the dense projection
};

// Ten tiles of neurons and five synapses from each: most spikes reach few of the tiles.
Networks make(std::uint64_t seed, double tau_ref = 0) {
  Random random(seed, Purpose::synthetic);
  Networks result;
  Population p{"x", Model::lif, neurons, {}};
  std::vector<double> bias(neurons), v_initial(neurons);
  for (double& b : bias) b = random.uniform(0.8, 1.3);
  for (double& v : v_initial) v = random.uniform(0, 0.99);
  p["bias"] = Parameter(bias);
  p["v_initial"] = Parameter(v_initial);
  p["tau_ref"] = Parameter(tau_ref);
  std::vector<std::int64_t> pre, post;
  std::vector<double> weights, delays;
  std::vector<double> all_weights(neurons * neurons, 0), all_delays(neurons * neurons, 1e-3);
  for (std::size_t j = 0; j < neurons; ++j) {
    std::vector<std::size_t> sources(neurons);
    std::iota(sources.begin(), sources.end(), std::size_t{0});
    random.shuffle(std::span(sources));
    for (std::size_t k = 0; k < into_each; ++k) {
      pre.push_back(static_cast<std::int64_t>(sources[k]));
      post.push_back(static_cast<std::int64_t>(j));
      weights.push_back(random.uniform(-0.8, 0.8));
      delays.push_back(random.uniform(1e-3, 10e-3));
      result.places.push_back(sources[k] * neurons + j);
      all_weights[result.places.back()] = weights.back();
      all_delays[result.places.back()] = delays.back();
    }
  }
  for (Network<double>* network : {&result.sparse, &result.dense}) network->add_population(p);
  result.sparse.connect("x", "x", weights, Delay::per_synapse(delays), "",
                        Connection("sparse", {{"pre", pre}, {"post", post}, {"place", {}}}));
  result.dense.connect("x", "x", all_weights, Delay::per_synapse(all_delays));
  return result;
}

Errors<double> errors_of(const Record<double>& record) {
  Random random(7, Purpose::synthetic);
  Errors<double> errors(1);
  for (std::size_t k = 0; k < record.populations[0].spikes.times.size(); ++k) {
    errors.populations[0].spikes.push_back(random.uniform(-1, 1));
  }
  return errors;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = a.size() == b.size() ? 0 : infinity;
  for (std::size_t k = 0; k < a.size() && worst < infinity; ++k) {
    worst = std::max(worst, std::fabs(a[k] - b[k]));
  }
  return worst;
}
double largest(const std::vector<double>& a) {
  double worst = 0;
  for (const double x : a) worst = std::max(worst, std::fabs(x));
  return worst;
}

TEST(LargeSparseNetworks, HaveTheSpikesOfTheEventLoopAndOfTheDenseNetworkWithZeros) {
  for (const double tau_ref : {0.0, 2e-3}) {
    const Networks n = make(1, tau_ref);
    const Inputs inputs{{}, ends};
    const auto windows = simulate(n.sparse, inputs);
    ASSERT_GT(windows.populations[0].spikes.times.size(), 2 * neurons);
    Options by_events;
    by_events.way = Way::event_loop;
    const auto loop = simulate(n.sparse, inputs, by_events);
    const auto dense = simulate(n.dense, inputs);
    for (const auto* other : {&loop, &dense}) {
      EXPECT_EQ(windows.populations[0].spikes.neurons, other->populations[0].spikes.neurons);
      EXPECT_LT(largest_difference(windows.populations[0].spikes.times,
                                   other->populations[0].spikes.times),
                1e-11);
    }
  }
}

TEST(LargeSparseNetworks, HaveTheGradientsOfTheDenseNetworkWithZeros) {
  for (const double tau_ref : {0.0, 2e-3}) {
    const Networks n = make(2, tau_ref);
    const Inputs inputs{{}, ends};
    const auto record = simulate(n.sparse, inputs);
    ASSERT_GT(record.populations[0].spikes.times.size(), 2 * neurons);
    const auto errors = errors_of(record);
    const auto sparse = backward(n.sparse, inputs, record, errors);
    const auto dense = backward(n.dense, inputs, record, errors);
    std::vector<double> weights, delays;
    for (const std::size_t place : n.places) {
      weights.push_back(dense.weights[0][place]);
      delays.push_back(dense.delays[0][place]);
    }
    EXPECT_LT(largest_difference(sparse.weights[0], weights), 1e-9 * largest(weights));
    EXPECT_LT(largest_difference(sparse.delays[0], delays), 1e-9 * largest(delays));
    const auto &a = sparse.neurons[0].parameters, &b = dense.neurons[0].parameters;
    for (std::size_t k = 0; k < a.size(); ++k) {
      EXPECT_LE(largest_difference(a[k], b[k]), 1e-9 * largest(b[k])) << "parameter " << k;
    }
    Options two;
    two.threads = 2;
    const auto two_threads = backward(n.sparse, inputs, record, errors, {}, two);
    EXPECT_EQ(two_threads.weights, sparse.weights);
    EXPECT_EQ(two_threads.delays, sparse.delays);
  }
}

TEST(LargeSparseNetworks, HaveGradientsThatMatchCentralDifferences) {
  const Networks n = make(3);
  const Inputs inputs{{}, ends};
  const auto record = simulate(n.sparse, inputs);
  const auto errors = errors_of(record);
  const auto gradients = backward(n.sparse, inputs, record, errors);
  Random random(4, Purpose::synthetic);
  constexpr double step = 1e-7;
  for (int trial = 0; trial < 6; ++trial) {  // all weights, then all delays, in some direction
    const bool weights = trial % 2 == 0;
    const std::size_t synapses = n.places.size();
    std::vector<double> direction(synapses);
    for (double& d : direction) d = random.uniform(-1, 1) * (weights ? 1 : 10e-3);
    const auto value = [&](double by) {
      Network<double> moved = n.sparse;
      auto& projection = moved.projections()[0];
      for (std::size_t k = 0; k < synapses; ++k) {
        (weights ? projection.weight : projection.delay.values)[k] += by * direction[k];
      }
      const auto found = simulate(moved, inputs);
      EXPECT_EQ(found.populations[0].spikes.neurons, record.populations[0].spikes.neurons);
      double sum = 0;
      for (std::size_t k = 0; k < errors.populations[0].spikes.size(); ++k) {
        sum += errors.populations[0].spikes[k] *
               (found.populations[0].spikes.times.at(k) - record.populations[0].spikes.times[k]);
      }
      return sum;
    };
    const auto& gradient = weights ? gradients.weights[0] : gradients.delays[0];
    double expected = 0;
    for (std::size_t k = 0; k < synapses; ++k) expected += gradient[k] * direction[k];
    const double found = (value(step) - value(-step)) / (2 * step);
    EXPECT_NEAR(found, expected, 1e-5 * std::max(std::fabs(expected), 1e-2)) << trial;
  }
}

}  // namespace
}  // namespace saltus
