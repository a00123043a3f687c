// SPDX-License-Identifier: Apache-2.0
// A loss that is no part of the library: toy_loss.cpp, one file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cli/fields.hpp"
#include "saltus/losses.hpp"
#include "saltus/store.hpp"
#include "saltus/task.hpp"
#include "support/support.hpp"
#include "toy_loss.hpp"

namespace saltus {
namespace {

using test::refusal;
using ::testing::HasSubstr;

class ToyLoss : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { toy::add_target_times(); }

  static RunSettings yin_yang() {
    RunSettings s = default_settings("yinyang");
    s.loss.kind = "target_times";
    s.hidden = {60};
    s.train_samples = 1000;
    return s;
  }
};

TEST_F(ToyLoss, is_found_by_its_name_wherever_losses_are) {
  EXPECT_THAT(loss_names(), HasSubstr(" or target_times"));
  EXPECT_THAT(refusal([] { find_loss("mse"); }), HasSubstr(", target_times"));
}

TEST_F(ToyLoss, is_checked_and_stored_with_its_settings) {
  RunSettings s = yin_yang();
  s.loss["late"] = 25e-3;
  const RunSettings read = store::settings_from_json(store::to_json(s));
  EXPECT_EQ(read.loss.kind, "target_times");
  EXPECT_EQ(read.loss["late"], 25e-3);
  EXPECT_EQ(read.loss["early"], 10e-3);
  s.loss["width"] = 0;
  EXPECT_EQ(refusal([&] { check(s); }), "width is 0; expected a finite time above 0, in seconds");
}

TEST_F(ToyLoss, has_options_of_the_command_line) {
  CLI::App app;
  cli::Given<LossSettings> given;
  cli::add_fields<LossSettings>(app, given, heading::loss,
                                [](LossSettings& s) -> LossSettings& { return s; });
  app.parse("--loss target_times --late 0.02", false);
  LossSettings s;
  for (const auto& change : given.changes) change(s);
  EXPECT_EQ(s.kind, "target_times");
  EXPECT_EQ(s["late"], 0.02);
  EXPECT_THAT(app.help(), HasSubstr("target of the other spikes, s"));
}

TEST_F(ToyLoss, trains_yin_yang) {
  const RunSettings s = yin_yang();
  const TaskData data = load_data(s);
  auto network = build_network<float>(s, data.train);
  const std::size_t out = network.index("out");
  Trainer<float> trainer(std::move(network), out, s.loss, s.t_end, s.train);
  const Evaluation before = trainer.evaluate(data.test);
  for (int epoch = 0; epoch < 2; ++epoch) trainer.train_epoch(data.train);
  const Evaluation after = trainer.evaluate(data.test);
  EXPECT_LT(after.loss, before.loss);
  EXPECT_GT(after.accuracy, 0.55) << before.accuracy;  // a third by chance
}

TEST_F(ToyLoss, has_the_gradient_of_central_differences) {
  RunSettings s = yin_yang();
  s.hidden = {15};
  s.train_samples = 10;
  s.hidden_mean = 2.5;
  s.output_mean = 2;
  const data::LabelledSpikes data = load_data(s).train;
  Network<double> network = build_network<double>(s, data);
  const std::size_t out = network.index("out");
  const double ends[] = {s.t_end};
  const Inputs inputs{{data.spikes.view()}, ends};
  const auto spikes = [](const Record<double>& r) {
    return std::pair(r.populations[1].spikes.neurons, r.populations[2].spikes.neurons);
  };
  const auto record = simulate(network, inputs);
  const auto result = evaluate(s.loss, network, inputs, record, out, data.labels);
  const auto gradients = backward(network, inputs, record, result.errors);
  std::size_t compared = 0;
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    const auto& found = gradients.weights[k];
    double largest = 0;
    for (const double g : found) largest = std::max(largest, std::fabs(g));
    ASSERT_GT(largest, 0);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double step = 1e-6;
      double& weight = network.projections()[k].weight[i];
      const double old = weight;
      bool same = true;  // a difference across another order of spikes is of another function
      const auto value = [&](double w) {
        weight = w;
        const auto r = simulate(network, inputs);
        same = same && spikes(r) == spikes(record);
        return evaluate(s.loss, network, inputs, r, out, data.labels).value;
      };
      const double difference = (value(old + step) - value(old - step)) / (2 * step);
      weight = old;
      if (!same) continue;
      EXPECT_NEAR(found[i], difference, 1e-6 * largest) << k << ", " << i;
      ++compared;
    }
  }
  EXPECT_GT(compared, 90u);
}

}  // namespace
}  // namespace saltus
