// SPDX-License-Identifier: Apache-2.0
// Each arrival is taken once, in the window that it belongs to.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "plan/calendar.hpp"
#include "random/random.hpp"

namespace saltus {
namespace {

using Taken = std::tuple<double, std::int32_t, std::int32_t>;  // time, spike, synapse

// Sparse synapses with delays on a coarse grid, some of them equal, so that arrivals meet.
Projection<float> projection(Random& random, std::int64_t neurons, double shortest,
                             double longest) {
  std::vector<std::int64_t> pre, post;
  Projection<float> p;
  for (std::int64_t k = 0; k < 5 * neurons; ++k) {
    pre.push_back(random.below(static_cast<std::uint32_t>(neurons)));
    post.push_back(random.below(static_cast<std::uint32_t>(neurons)));
    p.weight.push_back(static_cast<float>(k));
    p.delay.values.push_back(shortest + (longest - shortest) * random.below(9) / 8.0);
  }
  p.delay.kind = Delay::Kind::per_synapse;
  p.connection = Connection("sparse", {{"pre", pre}, {"post", post}, {"place", {}}});
  p.connection.list(static_cast<std::size_t>(neurons), static_cast<std::size_t>(neurons));
  return p;
}

TEST(Calendar, HandsOutEachArrivalOnceInItsWindowAndEqualOnesInTheOrderOfTheSpikes) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    Random random(seed, Purpose::synthetic);
    const double window = 1e-3, longest = seed % 3 == 0 ? 1e-3 : seed % 3 == 1 ? 7e-3 : 20.0;
    const Projection<float> p = projection(random, 30, window, longest);
    Calendar<float> calendar(p, window, longest);
    const SynapseList& synapses = p.connection.synapses();
    std::vector<double> times;
    std::vector<std::int32_t> neurons;
    std::vector<Taken> expected, taken;
    double from = 0;
    for (int w = 0; w < 200; ++w) {
      // A window lasts a little, or long where nothing happened.
      const double to = from + (random.chance(0.1) ? 37 * window * random.uniform() : window);
      calendar.send({times, neurons}, times.size());
      std::vector<Delivery<float>> out;
      calendar.take(from, to, out);
      std::ranges::stable_sort(out, {}, &Delivery<float>::time);
      for (const auto& d : out) {
        EXPECT_GE(d.time, from);
        EXPECT_LT(d.time, to);
        EXPECT_EQ(d.target, synapses[d.synapse].post);
        EXPECT_EQ(d.weight, p.weight[static_cast<std::size_t>(synapses[d.synapse].weight)]);
        taken.emplace_back(d.time, d.spike, d.synapse);
      }
      const auto spikes = static_cast<std::size_t>(random.below(4));
      std::vector<double> fresh(spikes);
      for (double& t : fresh) t = std::max(from, to - window) + 0.99 * window * random.uniform();
      std::ranges::sort(fresh);
      for (const double t : fresh) {
        times.push_back(t);
        neurons.push_back(static_cast<std::int32_t>(random.below(30)));
        for (const auto& s : synapses.from(static_cast<std::size_t>(neurons.back()))) {
          expected.emplace_back(t + p.delay.values[static_cast<std::size_t>(s.number)],
                                static_cast<std::int32_t>(times.size() - 1), s.place);
        }
      }
      from = to;
    }
    std::erase_if(expected, [&](const Taken& t) { return std::get<0>(t) >= from; });
    std::ranges::sort(expected);  // by time, spike, synapse
    EXPECT_EQ(taken, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace saltus
