// SPDX-License-Identifier: Apache-2.0
#include "saltus/task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "data/data_folder.hpp"
#include "saltus/simulate.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::nan;
using test::refusal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

data::LabelledSpikes few() { return data::encode(data::yin_yang(40, 42)); }

double mean(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum / static_cast<double>(v.size());
}
double deviation(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += (x - mean(v)) * (x - mean(v));
  return std::sqrt(sum / static_cast<double>(v.size()));
}

TEST(DefaultSettings, AreValidForEveryTaskAndAnUnknownOneListsThem) {
  for (const char* task : {"yinyang", "mnist", "spikes"}) {
    const RunSettings s = default_settings(task);
    EXPECT_EQ(s.task, task);
    EXPECT_EQ(refusal([&] { check(s); }), "");
  }
  EXPECT_EQ(refusal([] { default_settings("cifar"); }),
            "no task is called 'cifar'; there are: yinyang, mnist, spikes");
}

TEST(CheckSettings, NamesTheFieldAndTheValueThatHasNoMeaning) {
  const auto starts = [](const std::function<void(RunSettings&)>& change, const char* start) {
    RunSettings s = default_settings("yinyang");
    change(s);
    EXPECT_THAT(refusal([&] { check(s); }), StartsWith(start));
  };
  starts([](auto& s) { s.precision = "float16"; }, "precision is 'float16'; expected ");
  starts([](auto& s) { s.hidden = {}; }, "hidden lists no layer; expected ");
  starts([](auto& s) { s.hidden = {10, 0}; }, "hidden is 0; expected ");
  starts([](auto& s) { s.tau_mem = 0; }, "tau_mem is 0; expected ");
  starts([](auto& s) { s.tau_syn = -1; }, "tau_syn is -1; expected ");
  starts([](auto& s) { s.tau_syn = nan; }, "tau_syn is nan; expected ");
  starts([](auto& s) { s.v_threshold = 0; }, "v_threshold is 0; expected ");
  starts([](auto& s) { s.v_reset = 1; }, "v_reset is 1; expected ");
  starts([](auto& s) { s.tau_ref = -1e-3; }, "tau_ref is -0.001; expected ");
  starts([](auto& s) { s.t_max = infinity; }, "t_max is inf; expected ");
  starts([](auto& s) { s.t_end = 0; }, "t_end is 0; expected ");
  starts([](auto& s) { s.recurrent = true; }, "t_end is inf; expected ");
  starts([](auto& s) { s.recurrent_delay = -1; }, "recurrent_delay is -1; expected ");
  starts([](auto& s) { s.hidden_mean = nan; }, "hidden_mean is nan; expected ");
  starts([](auto& s) { s.output_std = -1; }, "output_std is -1; expected ");
  starts([](auto& s) { s.initial_spikes = -1; }, "initial_spikes is -1; expected ");
  starts([](auto& s) { s.loss["tau_0"] = 0; }, "tau_0 is 0; expected ");
  starts([](auto& s) { s.loss["alpha"] = -1; }, "alpha is -1; expected ");
  starts([](auto& s) { s.loss["t_missing"] = nan; }, "t_missing is nan; expected ");
  starts([](auto& s) { s.loss["tau_integral"] = 0; }, "tau_integral is 0; expected ");
  starts([](auto& s) { s.train.lr = -1; }, "lr is -1; expected ");
}

TEST(LoadData, OfYinYangAreThePublishedFiles) {
  const RunSettings s = default_settings("yinyang");
  const TaskData d = load_data(s);
  EXPECT_EQ(d.train.size(), 5000u);
  EXPECT_EQ(d.validation.size(), 1000u);
  EXPECT_EQ(d.test.size(), 1000u);
  EXPECT_EQ(d.train.spikes, data::encode(data::yin_yang(5000, 42)).spikes);
  EXPECT_EQ(d.validation.spikes, data::encode(data::yin_yang(1000, 41)).spikes);
  EXPECT_EQ(load_test_data(s).spikes, d.test.spikes);
  EXPECT_EQ(d.test.spikes, data::encode(data::yin_yang(1000, 40)).spikes);
}

TEST(LoadData, TakesOnlySoManyTrainingSamplesAndCodesThemByTMax) {
  RunSettings s = default_settings("yinyang");
  s.train_samples = 123;
  s.t_max = 10e-3;
  const TaskData d = load_data(s);
  EXPECT_EQ(d.train.spikes, data::encode(data::yin_yang(123, 42), 10e-3).spikes);
  EXPECT_EQ(d.test.size(), 1000u);
}

TEST(LoadData, WithoutItsFilesIsAnErrorThatSaysSo) {
  RunSettings s = default_settings("mnist");
  EXPECT_THAT(refusal([&] { load_data(s); }), HasSubstr("--data"));
  s.data = "/nonexistent/folder";
  EXPECT_THAT(refusal<FileError>([&] { load_data(s); }), HasSubstr("/nonexistent/folder"));
  RunSettings spikes = default_settings("spikes");
  EXPECT_NE(refusal([&] { load_data(spikes); }), "");
  spikes.test_file = spikes.train_file = "/nonexistent/file.h5";
  EXPECT_THAT(refusal<FileError>([&] { load_data(spikes); }), HasSubstr("/nonexistent/file.h5"));
}

// IDX files of `count` images of 2 x 2 pixels.
void write_idx(const std::filesystem::path& folder, const std::string& prefix, int count) {
  const auto number = [](int n) {
    return std::string{0, 0, static_cast<char>(n >> 8), static_cast<char>(n)};
  };
  std::string images = number(0x803) + number(count) + number(2) + number(2);
  std::string labels = number(0x801) + number(count);
  for (int k = 0; k < count; ++k) {
    images += std::string{static_cast<char>(200 - k), 0, static_cast<char>(100 + k), 50};
    labels += static_cast<char>(k % 10);
  }
  test::write_bytes(folder / (prefix + "-images-idx3-ubyte"), images);
  test::write_bytes(folder / (prefix + "-labels-idx1-ubyte"), labels);
}

TEST(LoadData, OfMnistHoldsOutTheFirstSamplesForValidation) {
  const test::TemporaryFolder folder;
  write_idx(folder.path(), "train", 30);
  write_idx(folder.path(), "t10k", 12);
  RunSettings s = default_settings("mnist");
  s.data = folder.path().string();
  s.validation = 10;
  const TaskData d = load_data(s);
  EXPECT_EQ(d.validation.size(), 10u);
  EXPECT_EQ(d.train.size(), 20u);
  EXPECT_EQ(d.test.size(), 12u);
  EXPECT_EQ(d.validation.labels[3], 3);
  EXPECT_EQ(d.train.labels[0], 0);
  const auto all = data::encode(data::read_idx(folder.path(), "train"), s.t_max);
  EXPECT_EQ(d.validation.spikes, data::slice(all, 0, 10).spikes);
  EXPECT_EQ(d.train.spikes, data::slice(all, 10, 20).spikes);
  s.validation = 0;
  EXPECT_EQ(load_data(s).train.size(), 30u);
  EXPECT_EQ(load_data(s).validation.size(), 0u);
  s.validation = 30;
  EXPECT_EQ(refusal([&] { load_data(s); }),
            "validation is 30; expected less than the 30 training samples");
}

TEST(BuildNetwork, HasThePopulationsAndWeightsThatTheSettingsSay) {
  RunSettings s = default_settings("yinyang");
  s.hidden = {400};
  s.tau_mem = 15e-3;
  s.tau_syn = 7e-3;
  s.v_threshold = 1.2;
  s.v_reset = -0.3;
  s.tau_ref = 2e-3;
  const auto n = build_network<double>(s, few());
  ASSERT_EQ(n.populations().size(), 3u);
  EXPECT_EQ(n.populations()[0].model, Model::input);
  EXPECT_EQ(n.populations()[0].size, 5u);
  EXPECT_EQ(n.index("hidden"), 1u);
  EXPECT_EQ(n.populations()[1].size, 400u);
  EXPECT_EQ(n.index("out"), 2u);
  EXPECT_EQ(n.populations()[2].size, 3u);
  EXPECT_EQ(n.populations()[2].model, Model::lif);
  EXPECT_EQ(n.populations()[1]["tau_mem"], Parameter(15e-3));
  EXPECT_EQ(n.populations()[1]["tau_syn"], Parameter(7e-3));
  EXPECT_EQ(n.populations()[1]["v_threshold"], Parameter(1.2));
  EXPECT_EQ(n.populations()[1]["v_reset"], Parameter(-0.3));
  EXPECT_EQ(n.populations()[1]["tau_ref"], Parameter(2e-3));
  ASSERT_EQ(n.projections().size(), 2u);
  const auto &in = n.projections()[0].weight, &out = n.projections()[1].weight;
  EXPECT_NEAR(mean(in), s.hidden_mean, 5 * s.hidden_std / std::sqrt(2000));
  EXPECT_NEAR(deviation(in), s.hidden_std, 5 * s.hidden_std / std::sqrt(4000));
  EXPECT_NEAR(mean(out), s.output_mean, 5 * s.output_std / std::sqrt(1200));
  EXPECT_NEAR(deviation(out), s.output_std, 5 * s.output_std / std::sqrt(2400));
}

TEST(BuildNetwork, OfSeveralRecurrentLayersConnectsEachToItselfWithADelay) {
  RunSettings s = default_settings("yinyang");
  s.hidden = {20, 30};
  s.recurrent = true;
  s.recurrent_delay = 3e-3;
  s.t_end = 0.05;
  s.loss.kind = "maximum_voltage";
  const auto n = build_network<float>(s, few());
  std::vector<std::string> names;
  for (const auto& p : n.projections()) names.push_back(p.name);
  EXPECT_THAT(names, ElementsAre("in->hidden1", "hidden1->hidden1", "hidden1->hidden2",
                                 "hidden2->hidden2", "hidden2->out"));
  EXPECT_EQ(n.projections()[1].delay, Delay::common(3e-3));
  EXPECT_EQ(n.projections()[3].delay, Delay::common(3e-3));
  EXPECT_EQ(n.projections()[0].delay, Delay::none());
  EXPECT_EQ(n.populations().back().model, Model::li);
  // No two projections share their random numbers.
  EXPECT_NE(n.projections()[1].weight[0] / n.projections()[1].weight[1],
            n.projections()[3].weight[0] / n.projections()[3].weight[1]);
}

TEST(BuildNetwork, IsDeterminedByItsSeed) {
  RunSettings s = default_settings("yinyang");
  const auto a = build_network<double>(s, few());
  EXPECT_EQ(a, build_network<double>(s, few()));
  EXPECT_EQ(build_network<float>(s, few()), convert<float>(a));
  s.train.seed = 1;
  const auto b = build_network<double>(s, few());
  EXPECT_NE(a.projections()[0].weight, b.projections()[0].weight);
  EXPECT_NE(a.projections()[1].weight, b.projections()[1].weight);
}

TEST(BuildNetwork, ScalesTheFirstWeightsToTheSpikesAskedFor) {
  for (const double wanted : {0.5, 3.0}) {
    RunSettings s = default_settings("yinyang");
    s.hidden = {60, 40};
    s.initial_spikes = wanted;
    const auto data = few();
    const auto n = build_network<double>(s, data);
    const double ends[] = {s.t_end};
    const auto record = simulate(n, {{data.spikes}, ends});
    for (const std::size_t p : {1u, 2u}) {
      const double spikes = static_cast<double>(record.populations[p].currents.size()) /
                            static_cast<double>(n.populations()[p].size * data.size());
      EXPECT_NEAR(spikes, wanted, 0.1 * wanted) << p;
    }
    // One factor for all weights of a projection.
    s.initial_spikes = 0;
    const auto plain = build_network<double>(s, data);
    const double factor = n.projections()[0].weight[0] / plain.projections()[0].weight[0];
    for (std::size_t k = 0; k < 300; ++k) {
      EXPECT_NEAR(n.projections()[0].weight[k], factor * plain.projections()[0].weight[k], 1e-12);
    }
    EXPECT_EQ(n.projections()[2].weight, plain.projections()[2].weight);
  }
}

TEST(BuildNetwork, RefusesSettingsWithoutAMeaning) {
  RunSettings s = default_settings("yinyang");
  s.hidden = {};
  EXPECT_THAT(refusal([&] { build_network<float>(s, few()); }), HasSubstr("hidden lists no layer"));
}

}  // namespace
}  // namespace saltus
