// SPDX-License-Identifier: Apache-2.0
// Smoothed thresholds in training: off means off, the schedule ends, silent neurons wake.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saltus/store.hpp"
#include "saltus/task.hpp"
#include "support/support.hpp"
#include "train/minibatch.hpp"

namespace saltus {
namespace {

RunSettings settings_of(double sigma, int threads = 1,
                        ThresholdReading reading = ThresholdReading::fixed) {
  RunSettings s = default_settings("yinyang");
  s.hidden = {30};
  s.train.batch = 20;
  s.train.threads = threads;
  s.train.smooth_threshold = sigma;
  s.train.smooth_reading = reading;
  return s;
}

Trainer<float> trainer_of(const RunSettings& s, const data::LabelledSpikes& data,
                          float factor = 1) {
  auto network = build_network<float>(s, data);
  for (float& w : network.projections()[0].weight) w *= factor;
  return Trainer<float>(network, network.index("out"), s.loss, s.t_end, s.train);
}

data::LabelledSpikes some_data() { return data::encode(data::yin_yang(200, 42)); }

TEST(Smoothing, shrinks_by_a_factor_and_ends) {
  TrainSettings s;
  s.smooth_threshold = 0.3;
  EXPECT_EQ(smoothing_sigma(s, 0), 0.3);
  EXPECT_NEAR(smoothing_sigma(s, 2), 0.3 * 0.64, 1e-15);
  EXPECT_GT(smoothing_sigma(s, 15), 0.01);
  EXPECT_EQ(smoothing_sigma(s, 16), 0);
  s.smooth_threshold = 0;
  EXPECT_EQ(smoothing_sigma(s, 0), 0);
}

TEST(Smoothing, that_has_ended_leaves_no_bit_behind) {
  const auto data = some_data();
  auto off = trainer_of(settings_of(0), data), ended = trainer_of(settings_of(0.009), data);
  auto on = trainer_of(settings_of(0.1), data);
  EXPECT_EQ(off.train_epoch(data).ghosts_per_sample, 0);
  EXPECT_EQ(ended.train_epoch(data).smoothing_sigma, 0);
  const EpochReport report = on.train_epoch(data);
  EXPECT_EQ(report.smoothing_sigma, 0.1);
  EXPECT_GT(report.ghosts_per_sample, 1);
  EXPECT_GT(report.ghost_share, 0.01);
  EXPECT_TRUE(off.network() == ended.network());
  EXPECT_FALSE(off.network() == on.network());
}

TEST(Smoothing, has_the_same_bits_for_any_number_of_threads) {
  const auto data = some_data();
  for (const auto reading : {ThresholdReading::fixed, ThresholdReading::sampled}) {
    auto one = trainer_of(settings_of(0.2, 1, reading), data);
    auto three = trainer_of(settings_of(0.2, 3, reading), data);
    one.train_epoch(data);
    three.train_epoch(data);
    EXPECT_TRUE(one.network() == three.network());
  }
}

TEST(Smoothing, draws_thresholds_anew_in_each_minibatch_and_epoch_and_for_each_seed) {
  const auto data = some_data();
  const auto losses_of = [&](std::uint64_t seed) {
    RunSettings s = settings_of(0.2, 1, ThresholdReading::sampled);
    s.train.smooth_decay = 1;
    s.train.lr = 0;  // so that nothing but the draws differs
    s.train.batch = 200;
    const auto network = build_network<float>(s, data);
    s.train.seed = seed;
    Trainer<float> trainer(network, network.index("out"), s.loss, s.t_end, s.train);
    const double first = trainer.train_epoch(data).loss;
    return std::pair(first, trainer.train_epoch(data).loss);
  };
  const auto losses = losses_of(1);
  EXPECT_EQ(losses_of(1), losses);
  EXPECT_NE(losses.first, losses.second);
  EXPECT_NE(losses_of(2).first, losses.first);
  // The same sample twice.
  const std::uint32_t twice[] = {0, 0};
  Minibatch batch;
  batch.gather(data, twice);
  const data::LabelledSpikes twins{batch.spikes, batch.labels, data.channels, data.classes};
  RunSettings s = settings_of(0.2, 1, ThresholdReading::sampled);
  s.train.lr = 0;
  s.train.batch = 1;
  std::vector<double> means;
  trainer_of(s, twins).train_epoch(twins, [&](const EpochReport& r) { means.push_back(r.loss); });
  ASSERT_EQ(means.size(), 2u);
  EXPECT_NE(means[0], means[1]);
}

// Spikes come at other times than at the mean thresholds; with sigma 0 at the same.
TEST(Smoothing, of_sampled_thresholds_changes_the_spikes_until_it_ends) {
  const auto data = some_data();
  auto fixed = trainer_of(settings_of(0.2), data);
  auto sampled = trainer_of(settings_of(0.2, 1, ThresholdReading::sampled), data);
  auto off = trainer_of(settings_of(0), data);
  auto ended = trainer_of(settings_of(0.009, 1, ThresholdReading::sampled), data);
  const EpochReport report = sampled.train_epoch(data);
  EXPECT_GT(report.ghosts_per_sample, 1);
  EXPECT_NE(report.loss, fixed.train_epoch(data).loss);
  off.train_epoch(data);
  ended.train_epoch(data);
  EXPECT_TRUE(off.network() == ended.network());
}

TEST(Smoothing, refuses_thresholds_that_could_be_drawn_below_the_reset) {
  const auto data = some_data();
  auto trainer = trainer_of(settings_of(0.4, 1, ThresholdReading::sampled), data);
  EXPECT_THAT(test::refusal([&] { trainer.train_epoch(data); }),
              testing::HasSubstr("expected a smaller sigma (0.4)"));
}

// With 0.3 of the first weights no neuron spikes at all: the exact gradient is 0. (A loss of the
// integral of V has an error even there; one of maxima has none before something reaches the
// readout.)
TEST(Smoothing, wakes_a_network_that_is_silent) {
  const auto data = some_data();
  auto off = settings_of(0), on = settings_of(0.3);
  off.loss.kind = on.loss.kind = "integrated_voltage";
  off.train.batch = on.train.batch = 4;
  on.train.smooth_decay = 1;
  off.train.schedule = on.train.schedule = ScheduleKind::constant;
  auto exact = trainer_of(off, data, 0.3f), smooth = trainer_of(on, data, 0.3f);
  EpochReport left, woken;
  for (int epoch = 0; epoch < 40; ++epoch) {
    left = exact.train_epoch(data);
    woken = smooth.train_epoch(data);
  }
  EXPECT_EQ(left.hidden_spikes_per_sample, 0);
  EXPECT_EQ(left.gradient_norm, 0);
  EXPECT_GT(woken.hidden_spikes_per_sample, 1);
  EXPECT_LT(woken.loss, left.loss);
}

// A readout that nothing reaches gives a loss of maxima no error, and ghosts nothing to see. At
// sampled thresholds some neuron spikes.
TEST(Smoothing, of_sampled_thresholds_wakes_a_silent_network_whose_loss_is_one_of_maxima) {
  const auto data = some_data();
  const auto train = [&](ThresholdReading reading) {
    auto s = settings_of(0.3, 1, reading);
    s.loss.kind = "maximum_voltage";
    s.train.batch = 4;
    s.train.smooth_decay = 1;
    s.train.schedule = ScheduleKind::constant;
    auto trainer = trainer_of(s, data, 0.3f);
    const double before = trainer.evaluate(data).loss;
    EXPECT_EQ(trainer.evaluate(data).hidden_spikes_per_sample, 0);
    for (int epoch = 0; epoch < 20; ++epoch) trainer.train_epoch(data);
    const Evaluation after = trainer.evaluate(data);
    return std::pair(after.hidden_spikes_per_sample, after.loss - before);
  };
  EXPECT_EQ(train(ThresholdReading::fixed), std::pair(0.0, 0.0));
  const auto [spikes, change] = train(ThresholdReading::sampled);
  EXPECT_GT(spikes, 1);
  EXPECT_LT(change, -0.02);
}

TEST(Smoothing, is_saved_in_the_settings_of_a_run) {
  RunSettings s = settings_of(0.25);
  s.train.smooth_decay = 0.7;
  s.train.smooth_end = 0.02;
  s.train.smooth_reading = ThresholdReading::sampled;
  const RunSettings t = store::settings_from_json(store::to_json(s));
  EXPECT_EQ(t.train.smooth_threshold, 0.25);
  EXPECT_EQ(t.train.smooth_decay, 0.7);
  EXPECT_EQ(t.train.smooth_end, 0.02);
  EXPECT_EQ(t.train.smooth_reading, ThresholdReading::sampled);
}

}  // namespace
}  // namespace saltus
