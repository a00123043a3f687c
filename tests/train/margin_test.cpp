// SPDX-License-Identifier: Apache-2.0
// The step to the first change of spikes: a network is brought to within 1e-5 of one, a step of
// 0.98 of the margin keeps its spikes and one of 1.02 does not.
#include "saltus/margin.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "gradcheck/random_case.hpp"
#include "random/random.hpp"
#include "saltus/ghosts.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

Gradients<double> random_weights(const Network<double>& network, std::uint64_t seed) {
  Random random(seed, Purpose::synthetic);
  Gradients<double> g;
  for (const auto& p : network.projections()) {
    g.weights.emplace_back(p.weight.size());
    for (double& x : g.weights.back()) x = random.uniform(-1, 1);
    g.delays.emplace_back();
  }
  g.neurons.resize(network.populations().size());
  return g;
}

// The largest change of a spike time; infinite if there are others.
double largest_move(const Record<double>& a, const Record<double>& b) {
  double largest = 0;
  for (std::size_t p = 0; p < a.populations.size(); ++p) {
    const Spikes &x = a.populations[p].spikes, &y = b.populations[p].spikes;
    if (x.offsets != y.offsets) return infinity;
    for (std::size_t k = 0; k < x.times.size(); ++k) {
      largest = std::max(largest, std::fabs(x.times[k] - y.times[k]));
    }
  }
  return largest;
}

TEST(Margin, IsWhereTheFirstSpikeAppearsOrVanishes) {
  std::size_t appear = 0, vanish = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    auto c = gradcheck::random_case(seed);
    auto& network = c.network;
    const Inputs inputs = c.view();
    Smoothing near;
    near.sigma = 0.2;
    near.reach = 1;
    const auto ghosts = find_ghosts(network, inputs, simulate(network, inputs), near);
    // The first peak that a threshold of its own can be brought to.
    for (std::size_t p = 0; p < ghosts.populations.size(); ++p) {
      if (ghosts.populations[p].empty() || ghosts.populations[p][0].empty()) continue;
      Population& population = network.populations()[p];
      const Ghost<double>& g = ghosts.populations[p][0][0];
      const auto j = static_cast<std::size_t>(g.neuron);
      std::vector<double> thresholds;
      for (std::size_t k = 0; k < population.size; ++k)
        thresholds.push_back(population["v_threshold"][k]);
      thresholds[j] = g.height + (g.behind < 0 ? 1e-5 : -1e-5);
      if (thresholds[j] <= population["v_reset"][j] + 0.01) continue;
      if (thresholds[j] <= population["v_initial"][j] + 0.01) continue;
      population["v_threshold"] = Parameter(thresholds);
      // With a later spike in its place it jumps: by enough to tell from a move.
      if (g.later < g.time + 2e-3) continue;
      constexpr double jump = 2e-4;
      const auto before = simulate(network, inputs);
      const auto gradients = random_weights(network, seed);
      const Margin m = margin(network, inputs, gradients, {"weights"}, 5e-5);
      if (m.step > 1e-3) break;  // it moves away, or the threshold has moved it
      const auto moved = [&](double factor) {
        auto there = network;
        for (std::size_t k = 0; k < gradients.weights.size(); ++k) {
          auto& weight = there.projections()[k].weight;
          for (std::size_t i = 0; i < weight.size(); ++i) {
            weight[i] -= factor * m.step * gradients.weights[k][i];
          }
        }
        return largest_move(before, simulate(there, inputs));
      };
      EXPECT_LT(moved(0.98), jump) << "network " << seed;
      EXPECT_GT(moved(1.02), jump) << "network " << seed;
      (g.behind < 0 ? appear : vanish) += 1;
      break;
    }
  }
  std::printf("%zu times a spike appears, %zu times one vanishes\n", appear, vanish);
  EXPECT_GT(appear, 20u);
  EXPECT_GT(vanish, 20u);
}

TEST(Margin, DoesNotLookBehindTheEndOfARange) {
  auto c = gradcheck::random_case(3);
  Gradients<double> gradients = random_weights(c.network, 1);
  gradients.neurons.clear();
  for (Population& p : c.network.populations()) {
    if (p.fires()) p["tau_ref"] = 0.0;
    gradients.neurons.push_back({p.model, {}});
    auto& of = gradients.neurons.back().parameters;
    for (const Parameter& q : p.parameters) of.emplace_back(q.values().size(), 1.0);  // downwards
  }
  for (auto& g : gradients.weights) std::fill(g.begin(), g.end(), 0.0);
  EXPECT_NO_THROW(margin(c.network, c.view(), gradients, {"tau_ref"}));
}

TEST(Margin, IsInfiniteWithoutAGradientOrWithoutPeaks) {
  auto c = gradcheck::random_case(3);
  auto gradients = random_weights(c.network, 1);
  for (auto& g : gradients.weights) std::fill(g.begin(), g.end(), 0.0);
  EXPECT_EQ(margin(c.network, c.view(), gradients).step, infinity);
  const Margin none = margin(c.network, c.view(), random_weights(c.network, 1), {"weights"}, 1e-12);
  EXPECT_EQ(none.near_peaks, 0u);
  EXPECT_EQ(none.step, infinity);
  EXPECT_THROW(margin(c.network, c.view(), gradients, {"weights"}, -1), InvalidInput);
}

}  // namespace
}  // namespace saltus
