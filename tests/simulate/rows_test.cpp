// SPDX-License-Identifier: Apache-2.0
// A projection of which many synapses exist runs in rows, with zeros between them (Plan::in_rows): as
// all to all with zeros, to the last bit, and as its list of synapses, to rounding.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <vector>

#include "plan/plan.hpp"
#include "random/random.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/simulate.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

struct Drawn {
  std::vector<std::int64_t> pre, post, place;
  std::vector<double> weight;  // of the list
  std::vector<double> dense;   // [pre, post]
  Delay delay;

  Connection connection() const {
    return Connection("sparse", {{"pre", pre}, {"post", post}, {"place", place}});
  }
};

// Two synapses may have one weight; none connects a pair twice.
Drawn draw(Random& random, std::size_t pre, std::size_t post, double density, double mean,
           bool cyclic) {
  Drawn d;
  d.dense.assign(pre * post, 0);
  for (std::size_t k = 0; k < pre * post; ++k) {
    if (!random.chance(density)) continue;
    const bool shared = !d.weight.empty() && random.chance(0.2);
    if (!shared) d.weight.push_back(mean + 0.8 * random.normal());
    d.pre.push_back(static_cast<std::int64_t>(k / post));
    d.post.push_back(static_cast<std::int64_t>(k % post));
    d.place.push_back(static_cast<std::int64_t>(
        shared ? random.below(static_cast<std::uint32_t>(d.weight.size())) : d.weight.size() - 1));
    d.dense[k] = d.weight[static_cast<std::size_t>(d.place.back())];
  }
  const std::uint32_t kind = random.below(cyclic ? 2 : 3);
  if (kind == 0) d.delay = Delay::common(1e-3);
  if (kind == 1) {
    std::vector<double> delays(pre);
    for (double& v : delays) v = random.uniform(1e-3, 3e-3);
    d.delay = Delay::per_source(std::move(delays));
  }
  return d;
}

enum class As { rows, dense, list };

Network<double> network(const Drawn& in, const Drawn* cycle, Model model, std::size_t pre,
                        std::size_t post, As as) {
  Network<double> n;
  n.add_input("in", pre);
  Population p;
  p.name = "h";
  p.model = model;
  p.size = post;
  p["tau_ref"] = post % 2 == 0 ? 0.0 : 1e-3;
  n.add_population(p);
  const auto connect = [&](const char* from, const Drawn& d) {
    if (as == As::dense) {
      n.connect(from, "h", d.dense, d.delay);
    } else {
      n.connect(from, "h", d.weight, d.delay, "", d.connection());
    }
  };
  connect("in", in);
  if (cycle) connect("h", *cycle);
  // A synapse that does nothing, with a delay of its own: so all have lists.
  if (as == As::list) {
    n.connect("in", "h", {0.0}, Delay::per_synapse({1e-3}), "lists",
              Connection("sparse", {{"pre", {0}}, {"post", {0}}, {"place", {}}}));
  }
  return n;
}

TEST(Rows, of_listed_synapses_are_those_of_all_to_all_with_zeros) {
  std::size_t spikes = 0, networks = 0;
  double worst = 0;
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    Random random(seed, Purpose::synthetic, 5);
    const std::size_t pre = 5 + random.below(20), post = 16 + random.below(30);
    const double density = random.uniform(0.1, 1);
    const bool cyclic = random.chance(0.5);
    const Model model = random.chance(0.3) ? Model::alif : Model::lif;
    const Drawn in = draw(random, pre, post, density, 1 / density, false);
    const Drawn back = draw(random, post, post, density, 0, true);
    std::vector<std::vector<std::pair<double, int>>> samples(2);
    for (auto& sample : samples) {
      for (int k = 0; k < 25; ++k) {
        sample.emplace_back(random.uniform(0, 30e-3),
                            static_cast<int>(random.below(static_cast<std::uint32_t>(pre))));
      }
      std::sort(sample.begin(), sample.end());
    }
    const Spikes sent = test::spikes_of(samples);
    const double ends[] = {45e-3};
    const Inputs inputs{{sent}, ends};
    const Drawn* cycle = cyclic ? &back : nullptr;
    const auto rows = network(in, cycle, model, pre, post, As::rows),
               dense = network(in, cycle, model, pre, post, As::dense),
               list = network(in, cycle, model, pre, post, As::list);
    ASSERT_FALSE(Plan<double>(rows).populations[1].per_column);
    ASSERT_TRUE(Plan<double>(list).populations[1].per_column);
    const auto a = simulate(rows, inputs), b = simulate(dense, inputs), c = simulate(list, inputs);
    ASSERT_TRUE(test::same_bits(a, b)) << seed;
    const auto &ours = a.populations[1].spikes, &theirs = c.populations[1].spikes;
    ASSERT_EQ(ours.neurons, theirs.neurons) << seed;
    for (std::size_t k = 0; k < ours.times.size(); ++k) {
      ASSERT_NEAR(ours.times[k], theirs.times[k], 1e-11) << seed;
    }
    spikes += ours.times.size();
    ++networks;
    Errors<double> errors(2);
    for (std::size_t k = 0; k < ours.times.size(); ++k) {
      errors.populations[1].spikes.push_back(random.uniform(-1, 1));
    }
    const auto g = backward(rows, inputs, a, errors), h = backward(dense, inputs, b, errors),
               l = backward(list, inputs, c, errors);
    for (std::size_t p = 0; p < rows.projections().size(); ++p) {
      const Drawn& d = p == 0 ? in : back;
      const std::size_t columns = post;
      std::vector<double> expected(d.weight.size(), 0);
      double largest = 0;
      for (std::size_t k = 0; k < d.pre.size(); ++k) {
        expected[static_cast<std::size_t>(d.place[k])] +=
            h.weights[p][static_cast<std::size_t>(d.pre[k]) * columns +
                         static_cast<std::size_t>(d.post[k])];
      }
      for (const double v : expected) largest = std::max(largest, std::fabs(v));
      for (std::size_t k = 0; k < expected.size(); ++k) {
        ASSERT_NEAR(g.weights[p][k], expected[k], 1e-12 * largest) << seed;
        worst = std::max(worst, std::fabs(g.weights[p][k] - l.weights[p][k]) / largest);
      }
      ASSERT_TRUE(test::same_bits(g.delays[p], h.delays[p])) << seed;
    }
    ASSERT_TRUE(test::same_bits(g.times[0], h.times[0])) << seed;
  }
  std::printf("%zu networks, %zu spikes; lists: worst gradient %.1e\n", networks, spikes, worst);
  EXPECT_GT(spikes, 20000U);
  EXPECT_LT(worst, 1e-8);  // what rounds a spike time is amplified by grazing ones
}

}  // namespace
}  // namespace saltus
