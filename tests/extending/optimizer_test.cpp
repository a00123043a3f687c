// SPDX-License-Identifier: Apache-2.0
// What an optimiser and a schedule of one's own cost: a class each. The loop, checkpoints and resumption
// follow.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "data/data_folder.hpp"
#include "saltus/store.hpp"
#include "saltus/task.hpp"
#include "toy_optimizer.hpp"

namespace saltus {
namespace {

const data::LabelledSpikes& yin_yang() {
  static const auto data = data::encode(data::yin_yang(300, 42));
  return data;
}

Trainer<float> with_toys() {
  RunSettings s = default_settings("yinyang");
  s.hidden = {60};
  s.train.batch = 20;
  s.train.lr = 0.01;
  TrainHooks<float> hooks;
  hooks.optimizer = std::make_shared<toy::SignOfMean>();
  hooks.schedule = std::make_shared<toy::RootWithCaution>();
  return {build_network<float>(s, yin_yang()), built_in_loss<float>(s.loss, 2), s.t_end, s.train,
          hooks};
}

TEST(ToyOptimizer, trains_and_its_schedule_is_asked) {
  auto t = with_toys();
  const double before = t.evaluate(yin_yang()).loss;
  for (int epoch = 0; epoch < 12; ++epoch) t.train_epoch(yin_yang());
  EXPECT_LT(t.evaluate(yin_yang()).loss, 0.7 * before);
  const auto& history = t.state().history;
  ASSERT_EQ(history.size(), 12u);
  for (std::size_t k = 0; k < 12; ++k) {
    const bool worse = k >= 2 && history[k - 1].loss > history[k - 2].loss;
    EXPECT_EQ(history[k].lr, 0.01 / std::sqrt(static_cast<double>(k) + 1) / (worse ? 2 : 1)) << k;
  }
}

TEST(ToyOptimizer, goes_on_from_a_checkpoint_with_the_same_bits) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint.safetensors";
  auto through = with_toys();
  for (int epoch = 0; epoch < 3; ++epoch) through.train_epoch(yin_yang());
  auto first = with_toys();
  first.train_epoch(yin_yang());
  std::atomic<bool> stop = false;
  first.train_epoch(
      yin_yang(), [&](const EpochReport& r) { stop = r.samples == 100; }, &stop);
  store::save_checkpoint(first.state(), "{}", file);
  auto second = with_toys();
  second.resume(store::load_checkpoint<float>(file).state);
  for (int epoch = 1; epoch < 3; ++epoch) second.train_epoch(yin_yang());
  EXPECT_TRUE(second.network() == through.network());
  EXPECT_EQ(second.state().memory, through.state().memory);
}

}  // namespace
}  // namespace saltus
