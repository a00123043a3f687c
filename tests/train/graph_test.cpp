// SPDX-License-Identifier: Apache-2.0
// A network of any graph as settings say it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "saltus/graph.hpp"
#include "saltus/task.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using testing::HasSubstr;

RunSettings settings_with(GraphSettings graph) {
  RunSettings s = default_settings("yinyang");
  use_graph(s, std::move(graph));
  s.t_end = 60e-3;
  return s;
}

data::LabelledSpikes data_on(std::int32_t channels, data::Grid grid = {}) {
  data::LabelledSpikes d;
  d.spikes = test::spikes_of({{{1e-3, 0}}});
  d.labels = {0};
  d.channels = channels;
  d.classes = 3;
  d.grid = grid;
  return d;
}

TEST(Graph, TheExampleIsTheNetworkThatItSays) {
  const auto network = build_network<double>(settings_with(example_graph()), data_on(5));
  std::vector<std::string> names;
  for (const Population& p : network.populations()) {
    names.push_back(p.name + " " + std::string(p.model->name) + " " + std::to_string(p.size));
  }
  EXPECT_THAT(names,
              testing::ElementsAre("in input 5", "first LIF 60", "second ALIF 40", "out LIF 3"));
  EXPECT_EQ(network.populations()[1]["tau_ref"][0], 1e-3);
  EXPECT_EQ(network.populations()[2]["tau_syn"][0], 5e-3);  // of [network]
  ASSERT_EQ(network.projections().size(), 6u);
  const auto& onto_itself = network.projections()[1];
  EXPECT_EQ(onto_itself.source, onto_itself.target);
  EXPECT_EQ(onto_itself.connection.kind().name, "sparse");
  EXPECT_NEAR(static_cast<double>(onto_itself.weight.size()), 0.2 * 3600, 100);
  EXPECT_EQ(onto_itself.delay.kind, Delay::Kind::per_synapse);
  for (const double d : onto_itself.delay.values) {
    EXPECT_GE(d, 1e-3);
    EXPECT_LT(d, 3e-3);
  }
  for (const double w : network.projections()[3].weight) {
    EXPECT_GE(w, 0);
    EXPECT_LT(w, 1);
  }
}

TEST(Graph, FanInDividesBySynapsesOfANeuron) {
  GraphSettings g;
  g.populations = {{"wide", "LIF", "exponential", 400, {}}};
  g.projections.push_back({"in", "wide"});
  g.projections.push_back({"wide", "out"});
  const auto network = build_network<double>(settings_with(g), data_on(100));
  for (const auto& [k, n] : {std::pair{0u, 100.0}, {1u, 400.0}}) {
    const auto& weight = network.projections()[k].weight;
    double sum = 0, squares = 0;
    for (const double w : weight) sum += w;
    const double mean = sum / static_cast<double>(weight.size());
    for (const double w : weight) squares += (w - mean) * (w - mean);
    const double std = std::sqrt(squares / static_cast<double>(weight.size()));
    EXPECT_NEAR(std, 4 / std::sqrt(n), 0.15 * std);
    EXPECT_NEAR(mean, 16 / n, 4 * std / std::sqrt(static_cast<double>(weight.size())));
  }
}

TEST(Graph, ASeedGivesTheSameBitsAndAnotherOthers) {
  RunSettings s = settings_with(example_graph());
  const auto one = build_network<float>(s, data_on(5));
  EXPECT_EQ(one, build_network<float>(s, data_on(5)));
  s.train.seed = 1;
  EXPECT_NE(one, build_network<float>(s, data_on(5)));
}

TEST(Graph, ConvolutionsTakeTheGridOfWhatIsBelow) {
  GraphSettings g;
  g.populations = {{"conv", "LIF", "exponential", 4 * 4 * 4, {}},
                   {"pool", "LIF", "exponential", 4 * 2 * 2, {}}};
  ProjectionSettings conv{"in", "conv"}, pool{"conv", "pool"};
  conv.connection = "conv2d";
  conv.shape = {{"kernel", {4, 1, 3, 3}}};
  pool.connection = "pool2d";
  pool.shape = {{"size", {2, 2}}};
  g.projections = {conv, pool, {"pool", "out"}};
  RunSettings s = settings_with(g);
  const auto network = build_network<double>(s, data_on(36, {1, 6, 6}));
  EXPECT_EQ(network.projections()[0].weight.size(), 36u);
  EXPECT_EQ(network.projections()[1].weight.size(), 1u);
  EXPECT_THAT(test::refusal([&] { build_network<double>(s, data_on(36)); }),
              HasSubstr("projection[0] from 'in' to 'conv': input is missing"));
  s.graph.populations[0].size = 10;
  EXPECT_THAT(test::refusal([&] {
                build_network<double>(s, data_on(36, {1, 6, 6}));
              }),
              HasSubstr("the target has 10 neurons; expected 4 x 4 x 4"));
}

TEST(Graph, SeveralInputsTakeChannelsOneAfterTheOther) {
  GraphSettings g;
  g.populations = {{"left", "input", "exponential", 2, {}},
                   {"right", "input", "exponential", 3, {}}};
  g.projections.push_back({"left", "out"});
  g.projections.push_back({"right", "out"});
  const auto network = build_network<double>(settings_with(g), data_on(5));
  EXPECT_EQ(network.inputs().size(), 2u);
  g.populations[1].size = 0;
  EXPECT_THAT(test::refusal([&] { check(settings_with(g)); }),
              HasSubstr("population[1].size is 0"));
}

TEST(Graph, RefusesWhatHasNoMeaningByItsPlace) {
  using Change = std::function<void(GraphSettings&)>;
  const auto number = [](const char* name, double value) {
    return Change([=](GraphSettings& g) { g.projections[1].numbers[name] = value; });
  };
  const std::vector<std::pair<Change, const char*>> wrong{
      {[](auto& g) { g.populations[0].name = ""; }, "population[0].name is missing"},
      {[](auto& g) { g.populations[1].name = "first"; }, "population[1].name is 'first'"},
      {[](auto& g) { g.populations[0].name = "in"; }, "population 'in' is no input"},
      {[](auto& g) { g.populations[0].size = 0; }, "population[0].size is 0"},
      {[](auto& g) { g.populations[0].model = "LIV"; },
       "population[0].model is 'LIV'; expected one of "},
      {[](auto& g) { g.populations[0].synapse = "alfa"; }, "did you mean 'alpha'?"},
      {[](auto& g) { g.populations[0].parameters["tau_adapt"] = 1; },
       "population[0].tau_adapt is no parameter of LIF"},
      {[](auto& g) { g.projections[0].to = "frist"; },
       "projection[0].to is 'frist'; expected one of in, first, second, out; did you mean "
       "'first'?"},
      {[](auto& g) { g.projections[0].connection = "dence"; }, "did you mean 'dense'?"},
      {[](auto& g) { g.projections[0].weight = "gauss"; }, "projection[0].weight is 'gauss'"},
      {[](auto& g) { g.projections[0].numbers["low"] = 1; },
       "projection[0].low is of weight = 'uniform', and weight is 'fan_in'"},
      {[](auto& g) { g.projections[3].numbers.erase("low"); }, "projection[3].low is missing"},
      {[](auto& g) { g.projections[3].numbers["low"] = 2; }, "expected at least low = 2"},
      {[](auto& g) { g.projections[1].numbers.erase("mean"); }, "projection[1].mean is missing"},
      {[](auto& g) { g.projections[1].numbers.erase("probability"); },
       "projection[1].probability is missing"},
      {[](auto& g) { g.projections[0].numbers["probability"] = 0.5; },
       "projection[0].probability is 0.5; expected connection = 'sparse'"},
      {[](auto& g) { g.projections[1].delays = "common"; }, "projection[1].delay_spread is 0.002"},
      {[](auto& g) { g.projections[0].shape["kernel"] = {1}; },
       "projection[0].kernel is nothing of a dense connection"},
      {number("std", -1), "projection[1].std is -1"},
      {number("mean", test::nan), "projection[1].mean is nan; expected a finite number"},
      {number("delay", -1e-3), "projection[1].delay is -0.001"},
      {number("probability", 1.5), "projection[1].probability is 1.5"},
      {[](auto& g) { g.projections.clear(); }, "none leads from an input on to 'out'"}};
  for (const auto& [change, says] : wrong) {
    GraphSettings g = example_graph();
    change(g);
    EXPECT_THAT(test::refusal([&] { check(settings_with(g)); }), HasSubstr(says));
  }
  EXPECT_EQ(test::refusal([&] { check(settings_with(example_graph())); }), "");
}

TEST(Graph, SettingsOfLayersAreRefusedBesideIt) {
  for (const auto& [change, says] :
       std::vector<std::pair<std::function<void(RunSettings&)>, const char*>>{
           {[](auto& s) { s.hidden = {3}; }, "hidden lists layers"},
           {[](auto& s) { s.layers = {"3"}; }, "layers lists layers"},
           {[](auto& s) { s.recurrent = true; }, "recurrent is true"},
           {[](auto& s) { s.initial_spikes = 1; }, "initial_spikes is 1"}}) {
    RunSettings s = settings_with(example_graph());
    change(s);
    EXPECT_THAT(test::refusal([&] { check(s); }), HasSubstr(says));
  }
  RunSettings s = settings_with(example_graph());
  s.train.trainable = {"delays"};
  EXPECT_EQ(test::refusal([&] { check(s); }), "");
  s.graph.projections[1].numbers.erase("delay");
  s.graph.projections[1].numbers.erase("delay_spread");
  s.graph.projections[1].delays = "common";
  EXPECT_THAT(test::refusal([&] { check(s); }), HasSubstr("no projection has any"));
}

}  // namespace
}  // namespace saltus
