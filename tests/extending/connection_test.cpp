// SPDX-License-Identifier: Apache-2.0
// A connection that is one file outside of src/: it runs there and back, and is saved. (Whatever
// synapses a kind lists, the engine sees the list alone: random ones are part of `gradcheck`.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "data/data_folder.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/error.hpp"
#include "saltus/simulate.hpp"
#include "saltus/store.hpp"
#include "support/support.hpp"
#include "toy_connection.hpp"

namespace saltus {
namespace {

using test::refusal;
using ::testing::HasSubstr;

constexpr std::size_t size = 7, reach = 2;

class ToyConnection : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { toy::add_ring(); }

  std::vector<double> kernel_{6, 4, -0.5}, delays_ = [] {
    std::vector<double> d;
    for (std::size_t k = 0; k < size * (2 * reach + 1); ++k) d.push_back(1e-3 + 0.1e-3 * k);
    return d;
  }();
  Spikes in_{{0, 5}, {1e-3, 2e-3, 2.5e-3, 4e-3, 6e-3}, {0, 2, 3, 5, 1}};
  std::vector<double> end_{60e-3};
  Inputs inputs_{{in_.view()}, end_};

  // The ring, or all to all with its weights and 0 where it has no synapse. Upon it the ring again.
  Network<double> network(bool ring, const Delay& delay = Delay::common(1e-3)) const {
    Network<double> net;
    net.add_input("in", size);
    Population p;
    p.name = "h";
    p.size = size;
    net.add_population(p);
    const Connection connection = ring ? Connection("ring", {{"reach", {reach}}}) : Connection();
    std::vector<double> first = kernel_, second = kernel_;
    for (double& w : second) w *= 0.2;
    net.connect("in", "h", ring ? first : spread(first), {}, "", connection);
    net.connect("h", "h", ring ? second : spread(second), delay, "", connection);
    return net;
  }
  static std::size_t distance(std::size_t i, std::size_t j) {
    const std::size_t d = i > j ? i - j : j - i;
    return std::min(d, size - d);
  }
  static std::vector<double> spread(const std::vector<double>& kernel) {
    std::vector<double> w(size * size);
    for (std::size_t k = 0; k < w.size(); ++k) {
      const std::size_t d = distance(k / size, k % size);
      if (d <= reach) w[k] = kernel[d];
    }
    return w;
  }
  static Errors<double> errors(const Network<double>& net, const Record<double>& record) {
    Errors<double> e(net.populations().size());
    for (std::size_t k = 0; k < record.populations[1].spikes.times.size(); ++k) {
      e.populations[1].spikes.push_back(std::sin(1.0 + static_cast<double>(k)));
    }
    return e;
  }
};

TEST_F(ToyConnection, is_all_to_all_with_weights_of_0_elsewhere) {
  const auto ring = network(true), dense = network(false);
  const auto a = simulate(ring, inputs_), b = simulate(dense, inputs_);
  const Spikes &ours = a.populations[1].spikes, &theirs = b.populations[1].spikes;
  ASSERT_GT(ours.times.size(), 6u);
  EXPECT_EQ(ours.neurons, theirs.neurons);
  for (std::size_t k = 0; k < ours.times.size(); ++k) {
    EXPECT_NEAR(ours.times[k], theirs.times[k], 1e-14);
  }
  const auto found = backward(ring, inputs_, a, errors(ring, a));
  const auto expected = backward(dense, inputs_, b, errors(dense, b));
  for (std::size_t p = 0; p < 2; ++p) {
    ASSERT_EQ(found.weights[p].size(), reach + 1);
    std::vector<double> sum(reach + 1);
    for (std::size_t k = 0; k < size * size; ++k) {
      const std::size_t d = distance(k / size, k % size);
      if (d <= reach) sum[d] += expected.weights[p][k];
    }
    for (std::size_t d = 0; d <= reach; ++d) EXPECT_NEAR(found.weights[p][d], sum[d], 1e-12);
  }
  EXPECT_NEAR(found.delays[1][0], expected.delays[1][0], 1e-10);
  for (std::size_t k = 0; k < found.times[0].size(); ++k) {
    EXPECT_NEAR(found.times[0][k], expected.times[0][k], 1e-10);
  }
}

// More targets than a task takes: what they share is added up across tasks.
TEST(LargeToyConnection, has_the_same_gradient_for_any_number_of_threads) {
  toy::add_ring();
  constexpr std::size_t many = 150;
  Network<double> ring, dense;
  std::vector<double> weights(many * many);
  for (std::size_t i = 0; i < many; ++i) {
    weights[i * many + i] = 6;
    weights[i * many + (i + 1) % many] = weights[i * many + (i + many - 1) % many] = 4;
  }
  for (Network<double>* net : {&ring, &dense}) {
    net->add_input("in", many);
    Population p;
    p.name = "h";
    p.size = many;
    net->add_population(p);
  }
  ring.connect("in", "h", {6, 4}, Delay::common(1e-3), "", Connection("ring", {{"reach", {1}}}));
  dense.connect("in", "h", weights, Delay::common(1e-3));
  Spikes in{{0, static_cast<std::int64_t>(many)}, {}, {}};
  for (std::size_t i = 0; i < many; ++i) {
    in.times.push_back(1e-4 * static_cast<double>(i));
    in.neurons.push_back(static_cast<std::int32_t>(i * 77 % many));
  }
  const std::vector<double> end{60e-3};
  const Inputs inputs{{in.view()}, end};
  const auto record = simulate(ring, inputs);
  Errors<double> e(2);
  for (const double t : record.populations[1].spikes.times) e.populations[1].spikes.push_back(t);
  ASSERT_GT(record.populations[1].spikes.times.size(), many);
  const auto found = backward(ring, inputs, record, e, {}, {1, {}, {}});
  for (const int threads : {2, 3}) {
    const auto again = backward(ring, inputs, record, e, {}, {threads, {}, {}});
    EXPECT_EQ(again.weights[0], found.weights[0]);
    EXPECT_EQ(again.delays[0], found.delays[0]);
    EXPECT_EQ(again.times[0], found.times[0]);
  }
  const auto all = backward(dense, inputs, simulate(dense, inputs), e).weights[0];
  double own = 0, next = 0;
  for (std::size_t i = 0; i < many; ++i) {
    own += all[i * many + i];
    next += all[i * many + (i + 1) % many] + all[i * many + (i + many - 1) % many];
  }
  EXPECT_NEAR(found.weights[0][0], own, 1e-11 * std::fabs(own));
  EXPECT_NEAR(found.weights[0][1], next, 1e-11 * std::fabs(next));
}

TEST_F(ToyConnection, has_delays_in_the_order_of_its_synapses) {
  Network<double> net = network(true, Delay::per_synapse(delays_));
  const auto record = simulate(net, inputs_);
  const auto e = errors(net, record);
  const auto g = backward(net, inputs_, record, e);
  const auto value = [&] {
    const auto r = simulate(net, inputs_);
    EXPECT_EQ(r.populations[1].spikes.neurons, record.populations[1].spikes.neurons);
    double sum = 0;
    for (std::size_t k = 0; k < r.populations[1].spikes.times.size(); ++k) {
      sum += e.populations[1].spikes[k] * r.populations[1].spikes.times[k];
    }
    return sum;
  };
  std::size_t felt = 0;
  for (std::size_t k = 0; k < delays_.size(); ++k) {
    double& d = net.projections()[1].delay.values[k];
    const double old = d, step = 1e-7;
    d = old + step;
    const double above = value();
    d = old - step;
    const double below = value();
    d = old;
    EXPECT_NEAR(g.delays[1][k], (above - below) / (2 * step), 1e-6) << k;
    felt += std::fabs(g.delays[1][k]) > 1e-3;
  }
  EXPECT_GT(felt, delays_.size() / 3);
}

TEST_F(ToyConnection, is_saved_and_loaded) {
  const Network<double> net = network(true, Delay::per_synapse(delays_));
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  store::save_network(net, file);
  const auto loaded = store::load_network<double>(file);
  EXPECT_EQ(loaded, net);
  EXPECT_EQ(simulate(loaded, inputs_).populations[1].spikes.times,
            simulate(net, inputs_).populations[1].spikes.times);
}

TEST_F(ToyConnection, that_does_not_fit_is_refused) {
  Network<double> net = network(true);
  const auto connect = [&](std::vector<double> w, const char* kind, Shape shape, Delay d = {}) {
    return refusal([&] { net.connect("in", "h", w, d, "x", Connection(kind, shape)); });
  };
  EXPECT_THAT(connect({1, 2}, "ring", {{"reach", {2}}}),
              HasSubstr("x.weight has 2 values; expected the 3 of the ring connection"));
  EXPECT_THAT(connect({1}, "ring", {{"reach", {4}}}),
              HasSubstr("projection 'x': reach of a ring; expected"));
  EXPECT_THAT(connect({1}, "ring", {{"range", {1}}}), HasSubstr("expected [reach]"));
  EXPECT_THAT(connect({1}, "star", {}), HasSubstr("no connection is called 'star'; there are: "));
  EXPECT_THAT(connect({1, 2, 3}, "ring", {{"reach", {2}}}, Delay::per_synapse({1e-3})),
              HasSubstr("x.delay has 1 values; expected 35"));
  EXPECT_THAT(connect({1}, "sparse", {{"pre", {9}}, {"post", {0}}, {"place", {}}}),
              HasSubstr("synapse 0 leads from neuron 9 to neuron 0 with weight 0; expected"));
}

}  // namespace
}  // namespace saltus
