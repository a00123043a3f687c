// SPDX-License-Identifier: Apache-2.0
// A training that stops anywhere and goes on is, to the bit, the one that never stopped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <string>

#include "saltus/task.hpp"
#include "saltus/train.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::refusal;
using test::same_bits;
using ::testing::HasSubstr;

const data::LabelledSpikes& yin_yang() {
  static const auto data = data::encode(data::yin_yang(300, 42));
  return data;
}

RunSettings everything() {
  RunSettings s = default_settings("yinyang");
  s.hidden = {30};
  s.train.epochs = 4;
  s.train.batch = 40;  // the last is smaller
  s.train.schedule = ScheduleKind::cosine;
  s.train.input_dropout = 0.1;
  s.train.revive = 0.1;
  s.train.clip_norm = 0.5;
  s.train.smooth_threshold = 0.2;
  s.train.trainable = {"weights", "hidden.tau_mem"};
  return s;
}

template <class Real>
Trainer<Real> trainer_of(const RunSettings& s) {
  RunSettings first = s;
  first.train.trainable = {"weights"};
  return Trainer<Real>(build_network<Real>(first, yin_yang()), 2, s.loss, s.t_end, s.train);
}

// Goes through the epochs that are left, and stops for good once so many minibatches were done.
template <class Real>
void run(Trainer<Real>& t, int epochs, int minibatches = 1 << 20) {
  std::atomic<bool> stop = false;
  while (t.epochs_done() < epochs && !stop) {
    t.train_epoch(
        yin_yang(), [&](const EpochReport&) { stop = --minibatches == 0; }, &stop);
  }
}

void expect_same(const std::vector<EpochReport>& a, const std::vector<EpochReport>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t k = 0; k < a.size(); ++k) {
    for_each_field(a[k], [&](const auto& figure, const auto& value) {
      if (figure.name.ends_with("seconds") || figure.name == "us_per_sample") return;
      const auto& other = figure.of(b[k]);
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, double>) {
        if (std::isnan(value) && std::isnan(other)) return;
      }
      EXPECT_EQ(value, other) << figure.name << " of epoch " << k + 1;
    });
  }
}

template <class Real>
void expect_same(const TrainState<Real>& a, const TrainState<Real>& b) {
  EXPECT_TRUE(a.network == b.network);
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.epochs, b.epochs);
  for (const auto moments : {&TrainState<Real>::first, &TrainState<Real>::second}) {
    for (std::size_t k = 0; k < (a.*moments).weights.size(); ++k) {
      EXPECT_TRUE(same_bits((a.*moments).weights[k], (b.*moments).weights[k]));
    }
    for (std::size_t k = 0; k < (a.*moments).neurons.size(); ++k) {
      EXPECT_EQ((a.*moments).neurons[k].parameters, (b.*moments).neurons[k].parameters);
    }
  }
  expect_same(a.history, b.history);
}

template <class Real>
void stops_anywhere(RunSettings s) {
  auto through = trainer_of<Real>(s);
  run(through, 4);
  ASSERT_EQ(through.state().history.size(), 4u);
  ASSERT_GT(through.state().history[0].ghosts_per_sample, 0);
  for (const int minibatches : {8, 11, 16, 21, 31}) {  // 8 are an epoch
    for (const int threads : {1, 2, 3}) {
      s.train.threads = threads;
      auto first = trainer_of<Real>(s);
      run(first, 4, minibatches);
      const TrainState<Real> saved = first.state();
      EXPECT_EQ(saved.epochs, minibatches / 8);
      EXPECT_EQ(saved.epoch.minibatches, static_cast<std::size_t>(minibatches % 8));
      s.train.threads = 1;
      auto second = trainer_of<Real>(s);
      second.resume(saved);
      run(second, 4);
      expect_same(second.state(), through.state());
    }
  }
}

TEST(Resume, anywhere_and_with_any_number_of_threads_gives_the_same_bits) {
  RunSettings s = everything();
  stops_anywhere<double>(s);
  s.train.smooth_reading = ThresholdReading::sampled;
  stops_anywhere<float>(s);
}

TEST(Resume, with_sgd_and_adamw_gives_the_same_bits) {
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adamw}) {
    RunSettings s = everything();
    s.train.optimizer = kind;
    s.train.weight_decay = 0.01;
    s.train.lr = 1e-3;
    stops_anywhere<float>(s);
  }
}

TEST(Resume, from_a_learning_rate_that_was_changed_between_epochs) {
  RunSettings s = everything();
  s.train.schedule = ScheduleKind::exponential;
  auto t = trainer_of<float>(s);
  run(t, 1);
  t.state().lr = 1e-3;
  const TrainState<float> saved = t.state();
  run(t, 3);
  EXPECT_EQ(t.state().history[0].lr, s.train.lr);
  EXPECT_EQ(t.state().history[2].lr, 1e-3 * std::pow(s.train.decay, 2));
  auto again = trainer_of<float>(s);
  again.resume(saved);
  run(again, 3);
  expect_same(again.state(), t.state());
}

TEST(Resume, within_an_epoch_refuses_other_data) {
  const RunSettings s = everything();
  auto t = trainer_of<float>(s);
  run(t, 4, 3);
  EXPECT_EQ(refusal([&] { t.train_epoch(data::slice(yin_yang(), 0, 200)); }),
            "the data hold 200 samples, and the epoch under way was begun with 300; expected the "
            "same");
  t.state().epoch = {};  // begins it anew
  EXPECT_EQ(t.train_epoch(data::slice(yin_yang(), 0, 200)).samples, 200u);
}

TEST(Resume, refuses_another_network_and_says_what_differs) {
  const RunSettings s = everything();
  auto t = trainer_of<float>(s);
  run(t, 4, 3);
  const TrainState<float> saved = t.state();
  const auto refused = [&](const RunSettings& other) {
    auto u = trainer_of<float>(other);
    const Network<float> before = u.network();
    const std::string message = refusal([&] { u.resume(saved); });
    EXPECT_TRUE(message.empty() || u.network() == before);
    return message;
  };
  EXPECT_EQ(refused(s), "");
  RunSettings other = s;
  other.hidden = {31};
  EXPECT_EQ(
      refused(other),
      "the training was saved with a size of 'hidden' of 30, and the network has 31; expected "
      "the same network");
  other.hidden = {30, 30};
  other.train.trainable = {"weights"};
  EXPECT_THAT(refused(other), HasSubstr("a number of populations of 3, and the network has 4"));
  other = s;
  other.recurrent = true;
  other.t_end = 0.05;
  EXPECT_THAT(refused(other), HasSubstr("a number of projections of 2, and the network has 3"));
  TrainState<float> broken = saved;
  broken.first.weights[0].pop_back();
  auto u = trainer_of<float>(s);
  EXPECT_THAT(refusal([&] { u.resume(broken); }),
              HasSubstr("149 values of the moments of in->hidden.weight; expected none or 150"));
}

// --- an optimiser of one's own -------------------------------------------------------------------

// Momentum, by hand.
class Heavy final : public Optimizer<double> {
 public:
  void step(Network<double>& n, const Gradients<double>& g, double lr, double scale) override {
    std::vector<double>& w = n.projections()[1].weight;
    velocity_.resize(w.size());
    for (std::size_t k = 0; k < w.size(); ++k) {
      velocity_[k] = 0.9 * velocity_[k] + scale * g.weights[1][k];
      w[k] -= lr * velocity_[k];
    }
  }
  Memory memory() const override { return {{"velocity", {{velocity_.size()}, velocity_}}}; }
  void recall(const Memory& memory) override { velocity_ = memory.at("velocity").values; }

 private:
  std::vector<double> velocity_;
};

TEST(Resume, gives_an_optimizer_of_ones_own_its_memory_back) {
  RunSettings s = everything();
  s.train.trainable = {"weights"};
  const auto with_heavy = [&] {
    TrainHooks<double> hooks;
    hooks.optimizer = std::make_shared<Heavy>();
    return Trainer<double>(build_network<double>(s, yin_yang()), built_in_loss<double>(s.loss, 2),
                           s.t_end, s.train, hooks);
  };
  auto through = with_heavy();
  run(through, 2);
  auto first = with_heavy();
  run(first, 2, 5);
  auto second = with_heavy();
  second.resume(first.state());
  run(second, 2);
  expect_same(second.state(), through.state());
  EXPECT_EQ(second.state().memory, through.state().memory);
  TrainState<double> forgotten = first.state();
  for (double& v : forgotten.memory.at("optimizer.velocity").values) v = 0;
  auto other = with_heavy();
  other.resume(forgotten);
  run(other, 2);
  EXPECT_FALSE(other.network() == through.network());
}

TEST(BestEpoch, has_the_highest_accuracy_then_the_lowest_loss_and_is_the_first_of_equals) {
  const auto best = [](const std::vector<std::pair<double, double>>& validations) {
    std::vector<EpochReport> history;
    for (const auto& [accuracy, loss] : validations) {
      EpochReport& r = history.emplace_back();
      r.epoch = static_cast<int>(history.size());
      r.validation_accuracy = accuracy;
      r.validation_loss = loss;
    }
    return best_epoch(history);
  };
  EXPECT_EQ(best({}), 0);
  EXPECT_EQ(best({{test::nan, test::nan}}), 0);  // never evaluated
  EXPECT_EQ(best({{0.5, 1}, {0.7, 2}, {0.6, 0.1}}), 2);
  EXPECT_EQ(best({{0.5, 1}, {0.5, 0.9}, {0.5, 0.9}}), 2);
  EXPECT_EQ(best({{test::nan, 1}, {test::nan, 0.5}, {test::nan, 0.7}}), 2);  // no predictions
}

}  // namespace
}  // namespace saltus
