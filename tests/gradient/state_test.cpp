// SPDX-License-Identifier: Apache-2.0
// What a loss says of V in the state at the end is what it says of a sample of V there: also where V is held.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gradcheck/gradcheck.hpp"
#include "gradcheck/random_case.hpp"
#include "gradcheck/tensors.hpp"
#include "random/random.hpp"
#include "saltus/state.hpp"

namespace saltus::gradcheck {
namespace {

TEST(State, at_the_end_is_a_sample_there) {
  std::size_t networks = 0, held = 0;
  double worst = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Case c = random_case(seed, false, true);
    bool endless = false;
    for (const double end : c.t_end) endless = endless || std::isinf(end);
    if (endless) continue;
    std::fill(c.t_end.begin(), c.t_end.end(), c.t_end[0]);  // samples have one time for all
    const double end = c.t_end[0];
    const auto record = simulate(c.network, c.view());
    const State state = final_state(c.network, c.view(), record);
    const auto& populations = c.network.populations();
    Errors<double> at_end(populations.size()), sampled(populations.size());
    Random random(seed, Purpose::gradcheck, 3);
    for (std::size_t p = 0; p < populations.size(); ++p) {
      if (populations[p].model == Model::input) continue;
      const std::size_t size = populations[p].size, samples = c.t_end.size(),
                        count = components(populations[p].model).size();
      const auto v = voltages(c.network, c.view(), record, p, std::span(&end, 1));
      auto& x = at_end.populations[p].at_end.x;
      x.assign(samples * size * count, 0);
      sampled.populations[p].sample_times = {end};
      for (std::size_t k = 0; k < samples * size; ++k) {
        const double error = random.uniform(-1, 1);
        x[k * count] = error;
        sampled.populations[p].samples.push_back(error);
        EXPECT_NEAR(state.populations[p].x[k * count], v[k], 1e-9);
        held += populations[p].fires() && v[k] == populations[p]["v_reset"][k % size] &&
                populations[p]["tau_ref"][k % size] > 0;
      }
    }
    const auto a = backward(c.network, c.view(), record, at_end);
    const auto b = backward(c.network, c.view(), record, sampled);
    worst =
        std::max(worst, largest_difference(c.network, a, b, relation_bar, 0, nullptr, rounding(c)));
    ++networks;
  }
  std::cout << networks << " networks, " << held << " neurons held at the end, worst " << worst
            << "\n";
  EXPECT_LE(worst, relation_bar);
  EXPECT_GT(networks, 50U);
  EXPECT_GT(held, 20U);
}

}  // namespace
}  // namespace saltus::gradcheck
