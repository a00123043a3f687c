// SPDX-License-Identifier: Apache-2.0
// A step that is not to take the network to another set of spikes (saltus/margin.hpp).
#include <gtest/gtest.h>

#include <cstdio>

#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "saltus/task.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

RunSettings settings_of(double limit, OptimizerKind optimizer, int threads = 1) {
  RunSettings s = default_settings("yinyang");
  s.hidden = {30};
  s.train.batch = 20;
  s.train.threads = threads;
  s.train.optimizer = optimizer;
  s.train.step_limit = limit;
  return s;
}

Trainer<double> trainer_of(const RunSettings& s, const data::LabelledSpikes& data) {
  const auto network = build_network<double>(s, data);
  return Trainer<double>(network, network.index("out"), s.loss, s.t_end, s.train);
}

// Which neurons spike in each sample, and how often.
std::vector<std::vector<std::size_t>> spikes_of(const Network<double>& n,
                                                const data::LabelledSpikes& data, double t_end) {
  const double ends[] = {t_end};
  const auto record = simulate(n, Inputs{{data.spikes.view()}, ends});
  std::vector<std::vector<std::size_t>> counts;
  for (const auto& p : record.populations) {
    for (std::size_t s = 0; s + 1 < p.spikes.offsets.size(); ++s) {
      std::vector<std::size_t> of_neurons(100, 0);
      for (auto k = p.spikes.offsets[s]; k < p.spikes.offsets[s + 1]; ++k) {
        ++of_neurons[static_cast<std::size_t>(p.spikes.neurons[static_cast<std::size_t>(k)])];
      }
      counts.push_back(of_neurons);
    }
  }
  return counts;
}

// One minibatch an epoch: how many of `epochs` steps keep every spike, and add none.
std::size_t steps_that_keep_the_spikes(const RunSettings& s, int epochs, std::size_t& limited) {
  const auto data = data::encode(data::yin_yang(20, 42));
  auto trainer = trainer_of(s, data);
  std::size_t kept = 0;
  limited = 0;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const auto before = spikes_of(trainer.network(), data, s.t_end);
    limited += trainer.train_epoch(data).limited_steps;
    kept += before == spikes_of(trainer.network(), data, s.t_end);
  }
  return kept;
}

TEST(StepLimit, keeps_the_spikes_of_the_minibatch_with_any_optimizer) {
  for (const OptimizerKind optimizer : {OptimizerKind::adam, OptimizerKind::sgd}) {
    constexpr int epochs = 30;
    std::size_t limited = 0, unlimited = 0;
    const auto kept = steps_that_keep_the_spikes(settings_of(0.1, optimizer), epochs, limited);
    const auto free = steps_that_keep_the_spikes(settings_of(0, optimizer), epochs, unlimited);
    std::printf("%d steps: %zu keep the spikes with the limit (%zu cut short), %zu without\n",
                epochs, kept, limited, free);
    EXPECT_EQ(kept, 30u);  // the distance is one of first order: at 0.5 times, 27 and 28
    EXPECT_GE(limited, 25u);
    EXPECT_EQ(unlimited, 0u);
    EXPECT_LE(free, 20u);
  }
}

TEST(StepLimit, that_is_never_met_leaves_no_bit_behind) {
  const auto data = data::encode(data::yin_yang(200, 42));
  auto off = trainer_of(settings_of(0, OptimizerKind::adam), data);
  auto far = trainer_of(settings_of(1e9, OptimizerKind::adam), data);
  off.train_epoch(data);
  EXPECT_EQ(far.train_epoch(data).limited_steps, 0u);
  EXPECT_TRUE(off.network() == far.network());
}

TEST(StepLimit, has_the_same_bits_for_any_number_of_threads) {
  const auto data = data::encode(data::yin_yang(200, 42));
  auto one = trainer_of(settings_of(1, OptimizerKind::adam), data);
  auto three = trainer_of(settings_of(1, OptimizerKind::adam, 3), data);
  EXPECT_GT(one.train_epoch(data).limited_steps, 0u);
  three.train_epoch(data);
  EXPECT_TRUE(one.network() == three.network());
}

TEST(StepLimit, is_saved_and_checked) {
  RunSettings s = settings_of(0.7, OptimizerKind::adam);
  EXPECT_EQ(store::settings_from_json(store::to_json(s)).train.step_limit, 0.7);
  s.train.step_limit = -1;
  EXPECT_THROW(check(s.train), InvalidInput);
}

}  // namespace
}  // namespace saltus
