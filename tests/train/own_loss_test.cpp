// SPDX-License-Identifier: Apache-2.0
// A loss that is not the library's own trains as one of the library does, and can fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "saltus/task.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::refusal;
using test::same_bits;
using ::testing::HasSubstr;

constexpr std::size_t readout = 2;

// The cross-entropy of first spikes, from a network, inputs and a record alone.
template <class Real>
struct Toy : Loss<Real> {
  LossSettings settings;
  bool direct = true, predicts = true;
  int fails_at = -1;  // the call that throws
  int calls = 0;
  void (*spoil)(LossResult<Real>&) = nullptr;

  explicit Toy(const LossSettings& s) : settings(s) {}

  LossResult<Real> evaluate(const Batch<Real>& b) override {
    if (calls++ == fails_at) throw std::runtime_error("the toy is broken");
    Options options;
    options.threads = b.threads;
    auto result =
        saltus::evaluate(settings, b.network, b.inputs, b.record, readout, b.labels, options);
    if (!predicts) result.predictions.clear();
    if (spoil) spoil(result);
    return result;
  }
  void add_direct_differences(const Batch<Real>& b, Ghosts<Real>& ghosts) const override {
    if (direct) {
      built_in_loss<Real>(settings, readout)->add_direct_differences(b, ghosts);
    }
  }
};

const data::LabelledSpikes& yin_yang() {
  static const auto data = data::encode(data::yin_yang(1000, 42));
  return data;
}

RunSettings settings_of(std::string_view loss = "first_spike") {
  RunSettings s = default_settings("yinyang");
  s.hidden = {30};
  s.loss.kind = loss;
  s.train.batch = 100;
  return s;
}

template <class Real>
Trainer<Real> with_toy(const RunSettings& s, const std::function<void(Toy<Real>&)>& change = {},
                       TrainHooks<Real> hooks = {}) {
  auto toy = std::make_unique<Toy<Real>>(s.loss);
  if (change) change(*toy);
  return Trainer<Real>(build_network<Real>(s, yin_yang()), std::move(toy), s.t_end, s.train,
                       std::move(hooks));
}

template <class Real>
Trainer<Real> with_built_in(const RunSettings& s) {
  return Trainer<Real>(build_network<Real>(s, yin_yang()), readout, s.loss, s.t_end, s.train);
}

void expect_same(const EpochReport& a, const EpochReport& b) {
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.accuracy, b.accuracy);
  EXPECT_EQ(a.lr, b.lr);
  EXPECT_EQ(a.hidden_spikes_per_sample, b.hidden_spikes_per_sample);
  EXPECT_EQ(a.gradient_norm, b.gradient_norm);
  EXPECT_EQ(a.samples, b.samples);
  EXPECT_EQ(a.silent_neurons, b.silent_neurons);
  EXPECT_EQ(a.silent_labels, b.silent_labels);
  EXPECT_EQ(a.revived, b.revived);
  EXPECT_EQ(a.smoothing_sigma, b.smoothing_sigma);
  EXPECT_EQ(a.ghosts_per_sample, b.ghosts_per_sample);
  EXPECT_EQ(a.ghost_share, b.ghost_share);
  EXPECT_EQ(a.grazing_spikes_per_sample, b.grazing_spikes_per_sample);
  EXPECT_EQ(a.saturated_neurons, b.saturated_neurons);
  EXPECT_EQ(a.near_peaks_per_sample, b.near_peaks_per_sample);
  EXPECT_EQ(a.believable_step, b.believable_step);
  EXPECT_EQ(a.limited_steps, b.limited_steps);
  EXPECT_FALSE(std::isnan(a.near_peaks_per_sample));
}

// Two epochs with both, to the bit.
template <class Real>
EpochReport expect_same_training(const RunSettings& s) {
  auto toy = with_toy<Real>(s);
  auto built_in = with_built_in<Real>(s);
  EpochReport report;
  for (int epoch = 0; epoch < 2; ++epoch) {
    report = toy.train_epoch(yin_yang());
    expect_same(report, built_in.train_epoch(yin_yang()));
  }
  EXPECT_TRUE(toy.network() == built_in.network());
  EXPECT_TRUE(same_bits(toy.state().first, built_in.state().first));
  const Evaluation a = toy.evaluate(yin_yang()), b = built_in.evaluate(yin_yang());
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.accuracy, b.accuracy);
  EXPECT_EQ(a.hidden_spikes_per_sample, b.hidden_spikes_per_sample);
  return report;
}

TEST(OwnLoss, trains_to_the_bits_of_the_built_in_one) {
  for (const auto* loss : {"first_spike", "maximum_voltage"}) {
    RunSettings s = settings_of(loss);
    s.train.input_dropout = 0.05;
    s.train.clip_norm = 0.1;
    s.train.revive = 0.1;
    expect_same_training<float>(s);
    s.train.trainable = {"weights", "out.tau_mem"};
    s.train.lr = 1e-5;
    expect_same_training<double>(s);
  }
}

TEST(OwnLoss, is_held_back_by_the_step_limit_as_the_built_in_one) {
  RunSettings s = settings_of();
  s.train.step_limit = 0.5;
  EXPECT_GT(expect_same_training<double>(s).limited_steps, 0u);
}

TEST(OwnLoss, counts_ghosts_in_as_the_built_in_one) {
  for (const auto reading : {ThresholdReading::fixed, ThresholdReading::sampled}) {
    RunSettings s = settings_of();
    s.train.smooth_threshold = 0.2;
    s.train.smooth_reading = reading;
    EXPECT_GT(expect_same_training<float>(s).ghosts_per_sample, 1);
  }
}

TEST(OwnLoss, that_says_nothing_of_ghosts_itself_leaves_that_part_out) {
  RunSettings s = settings_of();
  s.train.smooth_threshold = 0.2;
  auto silent = with_toy<double>(s, [](auto& toy) { toy.direct = false; });
  auto with = with_built_in<double>(s);
  EXPECT_EQ(silent.train_epoch(yin_yang()).smoothing_sigma,
            with.train_epoch(yin_yang()).smoothing_sigma);
  EXPECT_FALSE(silent.network() == with.network());
}

TEST(OwnLoss, without_predictions_has_no_accuracy_and_trains_the_same) {
  const RunSettings s = settings_of();
  auto mute = with_toy<double>(s, [](auto& toy) { toy.predicts = false; });
  auto built_in = with_built_in<double>(s);
  double told = 0;
  const auto report =
      mute.train_epoch(yin_yang(), [&](const EpochReport& r) { told = r.accuracy; });
  EXPECT_TRUE(std::isnan(report.accuracy));
  EXPECT_TRUE(std::isnan(told));
  EXPECT_TRUE(std::isnan(mute.evaluate(yin_yang()).accuracy));
  EXPECT_EQ(report.loss, built_in.train_epoch(yin_yang()).loss);
  EXPECT_TRUE(mute.network() == built_in.network());
}

TEST(OwnLoss, that_throws_leaves_the_trainer_where_the_last_step_brought_it) {
  const RunSettings s = settings_of();
  auto trainer = with_toy<double>(s, [](auto& toy) { toy.fails_at = 3; });
  const Network<double> before = trainer.network();
  try {
    trainer.train_epoch(yin_yang());
    FAIL() << "expected the error of the loss";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "the toy is broken");
  }
  EXPECT_EQ(trainer.epochs_done(), 0);
  EXPECT_EQ(trainer.state().steps, 3);
  EXPECT_FALSE(trainer.network() == before);
  // The rest of the epoch, from what was learnt.
  EXPECT_EQ(trainer.train_epoch(yin_yang()).samples, yin_yang().size());
  EXPECT_EQ(trainer.epochs_done(), 1);
}

TEST(OwnLoss, whose_errors_do_not_fit_is_refused_before_the_adjoint_reads_them) {
  const auto refused = [](void (*spoil)(LossResult<double>&)) {
    auto trainer = with_toy<double>(settings_of(), [&](auto& toy) { toy.spoil = spoil; });
    return refusal([&] { trainer.train_epoch(yin_yang()); });
  };
  EXPECT_THAT(refused([](auto& r) { r.errors.populations[readout].spikes.pop_back(); }),
              HasSubstr("spike errors of 'out' have "));
  EXPECT_THAT(refused([](auto& r) { r.errors.populations[readout].spikes[0] = test::nan; }),
              HasSubstr("spike errors of 'out': value 0 is nan"));
  EXPECT_THAT(refused([](auto& r) { r.errors.populations.pop_back(); }),
              HasSubstr("errors for 2 populations given; the network has 3"));
  EXPECT_EQ(refused([](auto& r) { r.value = infinity; }),
            "epoch 1, sample 0: the loss is inf; try a smaller lr, or a clip_norm");
}

struct QuarterOnce final : Schedule {
  double learning_rate(double first, int epoch,
                       std::span<const EpochReport> history) const override {
    EXPECT_EQ(first, 7);
    EXPECT_EQ(history.size(), static_cast<std::size_t>(epoch));
    return epoch == 0 ? 0.25 : -1;
  }
};
struct Descent final : Optimizer<double> {
  void step(Network<double>& n, const Gradients<double>& g, double lr, double scale) override {
    for (std::size_t k = 0; k < n.projections().size(); ++k) {
      for (std::size_t i = 0; i < g.weights[k].size(); ++i) {
        n.projections()[k].weight[i] -= lr * (scale * g.weights[k][i]);
      }
    }
  }
};

TEST(Hooks, take_the_place_of_schedule_and_optimizer) {
  RunSettings s = settings_of();
  s.train.optimizer = OptimizerKind::sgd;
  s.train.momentum = 0;
  s.train.clip_norm = 0.01;
  s.train.lr = 0.25;
  s.train.schedule = ScheduleKind::constant;
  auto named = with_built_in<double>(s);
  s.train.lr = 7;
  s.train.optimizer = OptimizerKind::adam;
  TrainHooks<double> hooks;
  hooks.schedule = std::make_shared<QuarterOnce>();
  hooks.optimizer = std::make_shared<Descent>();
  auto hooked = with_toy<double>(s, {}, hooks);
  expect_same(hooked.train_epoch(yin_yang()), named.train_epoch(yin_yang()));
  EXPECT_TRUE(hooked.network() == named.network());
  EXPECT_EQ(refusal([&] { hooked.train_epoch(yin_yang()); }),
            "the learning rate of epoch 2 is -1; expected a finite number of at least 0");
}

// --- the state of a training --------------------------------------------------------------------

TEST(TrainState, that_is_put_back_goes_on_with_the_same_bits) {
  RunSettings s = settings_of();
  s.train.input_dropout = 0.05;
  s.train.smooth_threshold = 0.2;
  s.train.smooth_reading = ThresholdReading::sampled;
  auto through = with_built_in<float>(s);
  through.train_epoch(yin_yang());
  const TrainState<float> saved = through.state();
  const auto report = through.train_epoch(yin_yang());
  auto again = with_built_in<float>(s);
  again.state() = saved;
  expect_same(again.train_epoch(yin_yang()), report);
  EXPECT_TRUE(again.network() == through.network());
  EXPECT_EQ(again.state().steps, 20);
}

// --- what is trained ----------------------------------------------------------------------------

TEST(Trainable, of_single_parameters_changes_these_and_nothing_else) {
  RunSettings s = settings_of();
  s.train.lr = 1e-5;
  s.train.trainable = {"hidden.tau_mem", "hidden->out.weight"};
  auto trainer = with_built_in<double>(s);
  const Network<double> before = trainer.network();
  trainer.train_epoch(yin_yang());
  Network<double> after = trainer.network();
  EXPECT_NE(after.projections()[1].weight, before.projections()[1].weight);
  EXPECT_NE(after.populations()[1]["tau_mem"], before.populations()[1]["tau_mem"]);
  after.projections()[1].weight = before.projections()[1].weight;
  after.populations()[1]["tau_mem"] = before.populations()[1]["tau_mem"];
  EXPECT_EQ(after, before);
}

TEST(Trainable, by_name_and_by_kind_is_the_same_training) {
  RunSettings s = settings_of();
  auto by_kind = with_built_in<float>(s);
  s.train.trainable = {"hidden->out.weight", "in->hidden.weight"};
  auto by_name = with_built_in<float>(s);
  expect_same(by_kind.train_epoch(yin_yang()), by_name.train_epoch(yin_yang()));
  EXPECT_TRUE(by_kind.network() == by_name.network());
}

TEST(Trainable, names_that_fit_nothing_are_refused) {
  RunSettings s = settings_of();
  const auto refused = [&](const std::vector<std::string>& trainable) {
    const auto network = build_network<float>(settings_of(), yin_yang());
    s.train.trainable = trainable;
    return refusal([&] { Trainer<float>(network, readout, s.loss, s.t_end, s.train); });
  };
  EXPECT_THAT(refused({"delays"}), HasSubstr("trainable names 'delays', but the network has none"));
  EXPECT_THAT(refused({"hidden.tau"}), HasSubstr("trainable names 'hidden.tau', but the network "
                                                 "has none; there are: in->hidden.weight, "
                                                 "hidden->out.weight, hidden.tau_mem, "));
  EXPECT_THAT(refused({"in.tau_mem"}), HasSubstr("trainable names 'in.tau_mem'"));
  s.train.trainable = {"hidden.tau"};
  EXPECT_EQ(refusal([&] { check(s.train); }), "");  // only a network can say
}

}  // namespace
}  // namespace saltus
