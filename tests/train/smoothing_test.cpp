// SPDX-License-Identifier: Apache-2.0
// Smoothed thresholds in training: off means off, the schedule ends, silent neurons wake.
#include <gtest/gtest.h>

#include "saltus/store.hpp"
#include "saltus/task.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

RunSettings settings_of(double sigma, int threads = 1) {
  RunSettings s = default_settings("yinyang");
  s.hidden = {30};
  s.train.batch = 20;
  s.train.threads = threads;
  s.train.smooth_threshold = sigma;
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
  auto one = trainer_of(settings_of(0.2), data), three = trainer_of(settings_of(0.2, 3), data);
  one.train_epoch(data);
  three.train_epoch(data);
  EXPECT_TRUE(one.network() == three.network());
}

// With 0.3 of the first weights no neuron spikes at all: the exact gradient is 0. (A loss of the
// integral of V has an error even there; one of maxima has none before something reaches the
// readout.)
TEST(Smoothing, wakes_a_network_that_is_silent) {
  const auto data = some_data();
  auto off = settings_of(0), on = settings_of(0.3);
  off.loss.kind = on.loss.kind = LossKind::integrated_voltage;
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

TEST(Smoothing, is_saved_in_the_settings_of_a_run) {
  RunSettings s = settings_of(0.25);
  s.train.smooth_decay = 0.7;
  s.train.smooth_end = 0.02;
  const RunSettings t = store::settings_from_json(store::to_json(s));
  EXPECT_EQ(t.train.smooth_threshold, 0.25);
  EXPECT_EQ(t.train.smooth_decay, 0.7);
  EXPECT_EQ(t.train.smooth_end, 0.02);
}

}  // namespace
}  // namespace saltus
