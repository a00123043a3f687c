// SPDX-License-Identifier: Apache-2.0
// The optimisers against the formulas of their papers, written down plainly.
#include "train/optimizer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "random/random.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::refusal;

// `steps` gradients for `size` values.
std::vector<std::vector<double>> gradients(std::size_t steps, std::size_t size) {
  Random random(1, Purpose::synthetic);
  std::vector<std::vector<double>> result(steps, std::vector<double>(size));
  for (auto& g : result) {
    for (double& v : g) v = random.normal() * std::exp(random.uniform(-6, 2));
  }
  return result;
}

template <class T>
std::vector<T> after(const TrainSettings& s, const std::vector<std::vector<double>>& all,
                     std::vector<T> values, double scale = 1) {
  std::vector<T> first, second;
  std::int64_t count = 0;
  for (const auto& g : all) {
    const std::vector<T> gradient(g.begin(), g.end());
    ++count;
    // The rate differs from step to step.
    optimizer_step(s, s.lr / static_cast<double>(count), count, scale, std::span<T>(values),
                   std::span<const T>(gradient), first, second);
  }
  return values;
}

const std::vector<double> start = {0.5, -2, 3, 0, 1e-3};

void expect_near(const std::vector<double>& values, const std::vector<double>& expected,
                 double tolerance) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t k = 0; k < values.size(); ++k) {
    EXPECT_NEAR(values[k], expected[k], tolerance * (std::fabs(expected[k]) + 1)) << k;
  }
}

// Kingma & Ba 2015, algorithm 1; `decay` as in Loshchilov & Hutter 2019, algorithm 2 (with the
// schedule's rate in front of it).
std::vector<double> adam(const TrainSettings& s, const std::vector<std::vector<double>>& all,
                         std::vector<double> w, double scale, double decay) {
  std::vector<double> m(w.size()), v(w.size());
  double t = 0;
  for (const auto& gradient : all) {
    t += 1;
    const double lr = s.lr / t;
    for (std::size_t k = 0; k < w.size(); ++k) {
      const double g = scale * gradient[k];
      m[k] = s.beta_1 * m[k] + (1 - s.beta_1) * g;
      v[k] = s.beta_2 * v[k] + (1 - s.beta_2) * g * g;
      const double m_hat = m[k] / (1 - std::pow(s.beta_1, t));
      const double v_hat = v[k] / (1 - std::pow(s.beta_2, t));
      w[k] -= lr * (m_hat / (std::sqrt(v_hat) + s.epsilon) + decay * w[k]);
    }
  }
  return w;
}

// A weight that sees no slope any more, or hardly any: numbers that machines are slow with (subnormal
// ones) are neither met nor left, and the weight is where the paper's algorithm takes it.
template <class T>
void expect_to_forget(double epsilon, double faint) {
  TrainSettings s;
  s.epsilon = epsilon;
  s.beta_2 = 0.95;
  const std::size_t size = 37;  // more than a vector, and some
  std::vector<T> values(size, T(0.5)), first, second;
  std::size_t subnormal = 0;
  std::vector<double> plain(size, 0.5), m(size), v(size);
  for (int step = 1; step <= 20000; ++step) {
    std::vector<T> gradient(size, step < 4 ? T(0.01) : static_cast<T>(faint));
    optimizer_step(s, s.lr, step, 1, std::span<T>(values), std::span<const T>(gradient), first,
                   second);
    for (std::size_t k = 0; k < size; ++k) {
      subnormal += std::fpclassify(first[k]) == FP_SUBNORMAL;
      subnormal += std::fpclassify(second[k]) == FP_SUBNORMAL;
      ASSERT_TRUE(std::isfinite(values[k])) << step;
    }
  }
  EXPECT_EQ(subnormal, 0u);
  EXPECT_EQ(first[0], T(0));
  EXPECT_EQ(second[0], T(0));
  std::vector<std::vector<double>> all(200, std::vector<double>(size, 0.0));
  for (std::size_t step = 0; step < 3; ++step) std::fill(all[step].begin(), all[step].end(), 0.01);
  std::vector<T> now(size, T(0.5)), one, two;
  for (std::size_t step = 0; step < all.size(); ++step) {
    const std::vector<T> gradient(all[step].begin(), all[step].end());
    optimizer_step(s, s.lr / static_cast<double>(step + 1), static_cast<std::int64_t>(step + 1), 1,
                   std::span<T>(now), std::span<const T>(gradient), one, two);
  }
  expect_near({now.begin(), now.end()}, adam(s, all, std::vector<double>(size, 0.5), 1, 0),
              sizeof(T) == 4 ? 1e-6 : 1e-13);
}
TEST(Adam, ForgetsWhatFadesAway) {
  expect_to_forget<float>(1e-8, 0);
  expect_to_forget<double>(1e-8, 0);
  expect_to_forget<float>(1e-8, 1e-25);
  expect_to_forget<float>(1e-60, 0);
}

TEST(Adam, IsTheAlgorithmOfThePaper) {
  for (const std::size_t steps : {1u, 2u, 25u}) {
    for (const double scale : {1.0, 0.25}) {
      TrainSettings s;
      s.lr = 0.02;
      s.epsilon = 1e-3;
      s.beta_1 = 0.8;
      s.beta_2 = 0.95;
      s.weight_decay = 0.5;  // not Adam's
      const auto all = gradients(steps, start.size());
      expect_near(after(s, all, start, scale), adam(s, all, start, scale, 0), 1e-13);
    }
  }
}

TEST(Adam, AFirstStepIsTheRateWhateverTheSizeOfTheGradient) {
  TrainSettings s;
  s.lr = 0.01;
  for (const double g : {1e-3, 1.0, -50.0}) {
    const auto w = after(s, {{g}}, std::vector<double>{1.0});
    EXPECT_NEAR(w[0], 1 - std::copysign(0.01, g), 1e-6);
  }
}

TEST(AdamW, DecaysTheWeightsApartFromTheGradient) {
  TrainSettings s;
  s.optimizer = OptimizerKind::adamw;
  s.lr = 0.05;
  s.weight_decay = 0.3;
  const auto all = gradients(25, start.size());
  const auto w = after(s, all, start);
  expect_near(w, adam(s, all, start, 1, 0.3), 1e-13);
  TrainSettings without = s;
  without.weight_decay = 0;
  EXPECT_GT(std::fabs(after(without, all, start)[1] - w[1]), 1e-3);
}

TEST(Sgd, HasMomentumAndTheDecayInItsGradient) {
  for (const double momentum : {0.0, 0.9}) {
    for (const double decay : {0.0, 0.1}) {
      TrainSettings s;
      s.optimizer = OptimizerKind::sgd;
      s.lr = 0.03;
      s.momentum = momentum;
      s.weight_decay = decay;
      const auto all = gradients(20, start.size());
      std::vector<double> w = start, velocity(w.size());
      double t = 0;
      for (const auto& g : all) {
        t += 1;
        for (std::size_t k = 0; k < w.size(); ++k) {
          velocity[k] = momentum * velocity[k] + 0.5 * g[k] + decay * w[k];
          w[k] -= s.lr / t * velocity[k];
        }
      }
      expect_near(after(s, all, start, 0.5), w, 1e-13);
    }
  }
}

TEST(Optimizers, InFloat32AreNearFloat64) {
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    TrainSettings s;
    s.optimizer = kind;
    s.lr = 0.02;
    s.weight_decay = 0.1;
    const auto all = gradients(20, start.size());
    const auto single = after(s, all, std::vector<float>(start.begin(), start.end()));
    expect_near({single.begin(), single.end()}, after(s, all, start), 2e-6);
  }
}

TEST(Schedules, GiveTheRateOfEveryEpoch) {
  TrainSettings s;
  s.lr = 0.1;
  s.epochs = 5;
  s.schedule = ScheduleKind::constant;
  for (int e = 0; e < 5; ++e) EXPECT_EQ(learning_rate(s, e), 0.1);
  s.schedule = ScheduleKind::exponential;
  s.decay = 0.5;
  for (int e = 0; e < 5; ++e) EXPECT_NEAR(learning_rate(s, e), 0.1 * std::pow(0.5, e), 1e-17);
  s.schedule = ScheduleKind::cosine;
  s.lr_final = 0.02;
  const double expected[] = {0.1, 0.06 + 0.04 * std::numbers::sqrt2 / 2, 0.06,
                             0.06 - 0.04 * std::numbers::sqrt2 / 2, 0.02};
  for (int e = 0; e < 5; ++e) EXPECT_NEAR(learning_rate(s, e), expected[e], 1e-16);
  s.epochs = 1;
  EXPECT_EQ(learning_rate(s, 0), 0.1);
}

TEST(Schedules, StepGoesDownEverySoManyEpochs) {
  TrainSettings s;
  s.lr = 0.1;
  s.schedule = ScheduleKind::step;
  s.decay = 0.5;
  s.decay_every = 3;
  const double expected[] = {0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025};
  for (int e = 0; e < 7; ++e) EXPECT_NEAR(learning_rate(s, e), expected[e], 1e-17);
}

TEST(Schedules, PlateauGoesDownWhereTheValidationLossNoLongerFalls) {
  TrainSettings s;
  s.lr = 0.1;
  s.schedule = ScheduleKind::plateau;
  s.decay = 0.5;
  s.patience = 2;
  std::vector<EpochReport> history;
  const auto after = [&](double validation_loss, double loss = 1) {
    EpochReport& r = history.emplace_back();
    r.epoch = static_cast<int>(history.size());
    r.validation_loss = validation_loss;
    r.loss = loss;
    return learning_rate(s, r.epoch, history);
  };
  EXPECT_EQ(learning_rate(s, 0), 0.1);
  EXPECT_EQ(after(3), 0.1);
  EXPECT_EQ(after(3), 0.1);
  EXPECT_EQ(after(2), 0.1);  // just in time
  EXPECT_EQ(after(2.5), 0.1);
  EXPECT_EQ(after(2), 0.05);  // no lower for two epochs
  EXPECT_EQ(after(2), 0.05);
  EXPECT_EQ(after(2), 0.025);
  EXPECT_EQ(after(1), 0.025);
  // Without validation the loss counts.
  history.clear();
  EXPECT_EQ(after(EpochReport::nan, 3), 0.1);
  EXPECT_EQ(after(EpochReport::nan, 4), 0.1);
  EXPECT_EQ(after(EpochReport::nan, 5), 0.05);
}

TEST(Schedules, WarmUpRisesToTheRateFromWhichTheScheduleBegins) {
  TrainSettings s;
  s.lr = 0.1;
  s.epochs = 8;
  s.warmup = 3;
  s.decay = 0.5;
  s.lr_final = 0.02;
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::exponential, ScheduleKind::cosine,
                          ScheduleKind::step, ScheduleKind::plateau}) {
    s.schedule = kind;
    for (int e = 0; e < 3; ++e) EXPECT_NEAR(learning_rate(s, e), 0.025 * (e + 1), 1e-17);
    TrainSettings without = s;
    without.warmup = 0;
    without.epochs = 5;
    for (int e = 0; e < 5; ++e) EXPECT_EQ(learning_rate(s, e + 3), learning_rate(without, e));
  }
  // What falls or rises meanwhile is no plateau.
  s.schedule = ScheduleKind::plateau;
  s.patience = 1;
  std::vector<EpochReport> history(3);
  for (int e = 0; e < 3; ++e) history[static_cast<std::size_t>(e)].epoch = e + 1;
  EXPECT_EQ(learning_rate(s, 3, history), 0.1);
}

TEST(Names, OfOptimizersAndSchedulesGoBothWaysAndUnknownOnesListThem) {
  for (const auto kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    EXPECT_EQ(from_name<OptimizerKind>(to_string(kind)), kind);
  }
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::exponential, ScheduleKind::cosine,
                          ScheduleKind::step, ScheduleKind::plateau}) {
    EXPECT_EQ(from_name<ScheduleKind>(to_string(kind)), kind);
  }
  EXPECT_EQ(refusal([] { from_name<OptimizerKind>("Adam"); }),
            "no optimizer is called 'Adam'; there are: sgd, adam, adamw");
  EXPECT_EQ(
      refusal([] { from_name<ScheduleKind>("linear"); }),
      "no schedule is called 'linear'; there are: constant, exponential, cosine, step, plateau");
}

}  // namespace
}  // namespace saltus
