// SPDX-License-Identifier: Apache-2.0
#include "network/graph.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

namespace saltus {
namespace {

using ::testing::ElementsAre;

struct Edge {
  int from, to;
  Delay delay = {};
};

// Populations "0", "1", ... of one LIF neuron each; those in `inputs` are inputs.
Network<double> graph(int size, const std::vector<Edge>& edges, const std::set<int>& inputs = {}) {
  Network<double> n;
  for (int k = 0; k < size; ++k) {
    Population p;
    p.name = std::to_string(k);
    p.model = inputs.contains(k) ? Model::input : Model::lif;
    p.size = 1;
    n.add_population(p);
  }
  for (std::size_t e = 0; e < edges.size(); ++e) {
    n.connect(std::to_string(edges[e].from), std::to_string(edges[e].to), {1.0}, edges[e].delay,
              "e" + std::to_string(e));
  }
  return n;
}

std::vector<std::vector<std::size_t>> members(const std::vector<Component>& components) {
  std::vector<std::vector<std::size_t>> result;
  for (const auto& c : components) result.push_back(c.populations);
  return result;
}

TEST(Components, OfAChainComeSourcesFirstWhateverTheOrderOfAdding) {
  const auto found = components(graph(4, {{3, 2}, {0, 3}, {2, 1}}, {0}));
  EXPECT_THAT(members(found), ElementsAre(ElementsAre(3), ElementsAre(2), ElementsAre(1)));
  for (const auto& c : found) {
    EXPECT_FALSE(c.cyclic);
    EXPECT_EQ(c.shortest_delay, infinity);
  }
}

TEST(Components, ASelfConnectionIsACycle) {
  const auto found = components(graph(3, {{0, 1}, {1, 1, Delay::common(2e-3)}, {1, 2}}, {0}));
  EXPECT_THAT(members(found), ElementsAre(ElementsAre(1), ElementsAre(2)));
  EXPECT_TRUE(found[0].cyclic);
  EXPECT_EQ(found[0].shortest_delay, 2e-3);
  EXPECT_FALSE(found[1].cyclic);
}

TEST(Components, PopulationsThatReachEachOtherAreOneWithMembersInOrder) {
  const auto found = components(graph(5,
                                      {{0, 4},
                                       {4, 2, Delay::common(3e-3)},
                                       {2, 1, Delay::common(1e-3)},
                                       {1, 4, Delay::common(2e-3)},
                                       {1, 3, Delay::common(1e-6)}},
                                      {0}));
  EXPECT_THAT(members(found), ElementsAre(ElementsAre(1, 2, 4), ElementsAre(3)));
  EXPECT_TRUE(found[0].cyclic);
  // Neither what comes in nor what goes out counts.
  EXPECT_EQ(found[0].shortest_delay, 1e-3);
}

TEST(Components, TheShortestDelayIsThatOfTheShortestSynapse) {
  Network<double> n;
  Population p;
  p.name = "x";
  p.size = 2;
  n.add_population(p);
  n.connect("x", "x", std::vector<double>(4), Delay::per_synapse({4e-3, 5e-3, 3e-3, 6e-3}), "a");
  EXPECT_EQ(components(n)[0].shortest_delay, 3e-3);
  n.connect("x", "x", std::vector<double>(4), Delay::per_source({7e-3, 2e-3}), "b");
  EXPECT_EQ(components(n)[0].shortest_delay, 2e-3);
  n.connect("x", "x", std::vector<double>(4), {}, "c");
  EXPECT_EQ(components(n)[0].shortest_delay, 0);
}

TEST(Components, WithoutNeuronsThereAreNone) {
  EXPECT_TRUE(components(Network<float>{}).empty());
  EXPECT_TRUE(components(graph(2, {}, {0, 1})).empty());
}

// Against reachability by brute force.
RC_GTEST_PROP(Components, AreTheClassesOfMutualReachabilityInTopologicalOrder, ()) {
  const int size = *rc::gen::inRange(1, 9);
  const auto pairs = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
      rc::gen::tuple(rc::gen::inRange(0, size), rc::gen::inRange(0, size), rc::gen::inRange(0, 5)));
  std::vector<Edge> edges;
  for (const auto& [from, to, delay] : pairs) {
    edges.push_back({from, to, delay == 0 ? Delay::none() : Delay::common(1e-3 * delay)});
  }
  std::vector<std::vector<bool>> reach(static_cast<std::size_t>(size),
                                       std::vector<bool>(static_cast<std::size_t>(size)));
  const auto at = [](int k) { return static_cast<std::size_t>(k); };
  for (const auto& e : edges) reach[at(e.from)][at(e.to)] = true;
  for (std::size_t k = 0; k < reach.size(); ++k) {
    for (std::size_t i = 0; i < reach.size(); ++i) {
      for (std::size_t j = 0; j < reach.size(); ++j) {
        if (reach[i][k] && reach[k][j]) reach[i][j] = true;
      }
    }
  }

  const auto found = components(graph(size, edges));
  std::vector<std::size_t> component_of(reach.size(), 99);
  std::size_t total = 0;
  for (std::size_t c = 0; c < found.size(); ++c) {
    RC_ASSERT(std::is_sorted(found[c].populations.begin(), found[c].populations.end()));
    for (const std::size_t p : found[c].populations) {
      component_of[p] = c;
      ++total;
    }
  }
  RC_ASSERT(total == reach.size());
  for (std::size_t i = 0; i < reach.size(); ++i) {
    RC_ASSERT(component_of[i] != 99u);
    RC_ASSERT(found[component_of[i]].cyclic == reach[i][i]);
    for (std::size_t j = 0; j < reach.size(); ++j) {
      const bool mutual = i == j || (reach[i][j] && reach[j][i]);
      RC_ASSERT((component_of[i] == component_of[j]) == mutual);
      if (reach[i][j]) RC_ASSERT(component_of[i] <= component_of[j]);
    }
  }
  for (std::size_t c = 0; c < found.size(); ++c) {
    double shortest = infinity;
    for (const auto& e : edges) {
      if (component_of[at(e.from)] != c || component_of[at(e.to)] != c) continue;
      shortest = std::min(shortest, e.delay.values.empty() ? 0 : e.delay.values[0]);
    }
    RC_ASSERT(found[c].shortest_delay == shortest);
  }
  RC_CLASSIFY(found.size() < reach.size(), "a component of several populations");
}

}  // namespace
}  // namespace saltus
