// SPDX-License-Identifier: Apache-2.0
// The arrivals of each neuron by itself, in order of time.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "plan/lane_lists.hpp"
#include "plan/timeline.hpp"
#include "random/random.hpp"

namespace saltus {
namespace {

// in(pre) -> x(post), a delay for each synapse.
struct Case {
  Network<double> network;
  std::vector<double> times;
  std::vector<std::int32_t> neurons;
};

// @param kind  0: any delays; 1: on a coarse grid; 2: nearly equal ones; 3: all equal; 4: far apart
Case some_case(Random& random, std::size_t pre, std::size_t post, std::size_t spikes,
               std::uint32_t kind) {
  Case c;
  c.network.add_input("in", pre);
  Population p;
  p.name = "x";
  p.size = post;
  c.network.add_population(p);
  std::vector<double> weights(pre * post), delays(pre * post);
  std::iota(weights.begin(), weights.end(), 1.0);
  for (double& d : delays) {
    const double u = random.uniform();
    d = kind == 0   ? 5e-3 * u
        : kind == 1 ? 1e-3 * std::floor(6 * u)
        : kind == 2 ? 1e-3 + 1e-17 * std::floor(8 * u)
        : kind == 3 ? 1e-3
                    : std::pow(10, -12 + 12 * u);
  }
  c.network.connect("in", "x", weights, Delay::per_synapse(delays));
  for (std::size_t k = 0; k < spikes; ++k) {
    c.times.push_back(kind == 1 ? 1e-3 * random.below(20) : random.uniform(0, 20e-3));
    c.neurons.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(pre))));
  }
  std::sort(c.times.begin(), c.times.end());
  return c;
}

// Lists what arrives in [from, to) and compares each with a stable sort. Counts equal neighbours.
void compare(const Case& c, double from, double to, std::size_t& arrivals, std::size_t& equal) {
  const Plan<double> plan(c.network);
  const Projection<double>& p = c.network.projections()[0];
  const Source<double> source{&p, plan.rows(0), 0, {c.times, c.neurons}};
  const std::size_t post = plan.size(1);
  LaneLists<double> lists;
  for (std::size_t first = 0; first < post; first += lists.lanes) {
    const Neurons neurons{first, std::min(first + lists.lanes, post)};
    lists.list({&source, 1}, {}, post, neurons, from, to);
    for (std::size_t j = neurons.begin; j < neurons.end; ++j) {
      std::vector<Arrival<double>> expected;
      for (std::size_t k = 0; k < c.times.size(); ++k) {
        const auto pre = static_cast<std::size_t>(c.neurons[k]);
        const double t = c.times[k] + p.delay.values[pre * post + j];
        if (t < from || t >= to) continue;
        expected.push_back({t, plan.rows(0)[pre], c.neurons[k], 0, static_cast<std::int32_t>(k)});
      }
      std::ranges::stable_sort(expected, {}, &Arrival<double>::time);
      const std::size_t lane = j - first;
      ASSERT_EQ(lists.size(lane), expected.size());
      ASSERT_LE(lists.size(lane), lists.longest());
      for (std::size_t k = 0; k < expected.size(); ++k) {
        const std::size_t at = lists.at(k, lane);
        ASSERT_EQ(lists.time(at), expected[k].time) << k << " of " << expected.size();
        ASSERT_EQ(lists.weight(at), expected[k].weight(j));
        const auto arrival = lists.arrival(at);
        ASSERT_EQ(arrival.spike, expected[k].spike);
        ASSERT_EQ(arrival.pre, expected[k].pre);
        ASSERT_EQ(arrival.row, expected[k].row);
        equal += k > 0 && expected[k].time == expected[k - 1].time;
      }
      arrivals += expected.size();
    }
  }
}

TEST(LaneLists, AreInOrderOfTimeForAnyNumberAndAnyCrowdingOnEveryInstructionSet) {
  Random random(1, Purpose::synthetic);
  std::size_t arrivals = 0, equal = 0;
  for (const std::size_t post : {1, 5, 16, 17, 40}) {
    for (const std::size_t spikes : {0, 1, 2, 3, 7, 8, 31, 100, 257, 1000}) {
      for (std::uint32_t kind = 0; kind < 5; ++kind) {
        const Case c = some_case(random, 6, post, spikes, kind);
        for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
          hwy::SetSupportedTargetsForTest(left & -left);
          compare(c, 0, 1, arrivals, equal);
          compare(c, 0, infinity, arrivals, equal);
          compare(c, 6e-3, 15e-3, arrivals, equal);
          hwy::SetSupportedTargetsForTest(0);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
  std::printf("%zu arrivals, %zu at the time of another\n", arrivals, equal);
  EXPECT_GT(arrivals, 500000u);
  EXPECT_GT(equal, 100000u);
}

TEST(LaneLists, AreInOrderWhereTheyAreTooLongForTheNetwork) {
  Random random(2, Purpose::synthetic);
  std::size_t arrivals = 0, equal = 0;
  for (const std::size_t spikes : {LaneOrderKernels<double>::longest,
                                   LaneOrderKernels<double>::longest + 1, std::size_t{70000}}) {
    compare(some_case(random, 50, 2, spikes, 0), 0, 1, arrivals, equal);
  }
  EXPECT_GT(arrivals, 400000u);
}

}  // namespace
}  // namespace saltus
