// SPDX-License-Identifier: Apache-2.0
// Hidden layers that the settings write: their sizes, what is refused, and that they are alive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saltus/simulate.hpp"
#include "saltus/task.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::refusal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Layers = std::vector<std::string>;

data::LabelledSpikes pictures(std::size_t rows, std::size_t columns) {
  data::Images images{rows, columns, {}, {}};
  for (std::size_t k = 0; k < 20; ++k) {
    images.labels.push_back(static_cast<std::uint8_t>(k % 10));
    for (std::size_t p = 0; p < rows * columns; ++p) {
      const std::size_t grey = (p * 37 + k * 91) % 256;
      images.pixels.push_back(static_cast<std::uint8_t>(grey < 128 ? 0 : grey));
    }
  }
  return data::encode(images);
}

RunSettings of(const Layers& layers) {
  RunSettings s = default_settings("mnist", true);
  s.layers = layers;
  return s;
}

std::string refused(const Layers& layers, const data::LabelledSpikes& data = pictures(12, 8)) {
  return refusal([&] { build_network<float>(of(layers), data); });
}

TEST(Layers, AreTheConvolutionsAndPoolingsOfTheSameNames) {
  const auto n =
      build_network<double>(of({"conv:3x3", "pool:2", "conv:4x2s2", "20"}), pictures(12, 8));
  std::vector<std::string> names;
  for (const auto& p : n.projections()) names.push_back(p.name);
  EXPECT_THAT(names, ElementsAre("in->hidden1", "hidden1->hidden2", "hidden2->hidden3",
                                 "hidden3->hidden4", "hidden4->out"));
  std::vector<std::size_t> sizes;
  for (const auto& p : n.populations()) sizes.push_back(p.size);
  EXPECT_THAT(sizes, ElementsAre(96, 3 * 10 * 6, 3 * 5 * 3, 4 * 2 * 1, 20, 10));
  EXPECT_EQ(n.projections()[0].connection, Connection("conv2d", {{"input", {1, 12, 8}},
                                                                 {"kernel", {3, 1, 3, 3}},
                                                                 {"stride", {1, 1}},
                                                                 {"padding", {0, 0}},
                                                                 {"dilation", {1, 1}}}));
  EXPECT_EQ(n.projections()[1].connection,
            Connection("pool2d", {{"input", {3, 10, 6}}, {"size", {2, 2}}, {"stride", {2, 2}}}));
  EXPECT_EQ(n.projections()[1].weight.size(), 1u);
  EXPECT_EQ(n.projections()[2].connection, Connection("conv2d", {{"input", {3, 5, 3}},
                                                                 {"kernel", {4, 3, 2, 2}},
                                                                 {"stride", {2, 2}},
                                                                 {"padding", {0, 0}},
                                                                 {"dilation", {1, 1}}}));
  EXPECT_TRUE(n.projections()[3].connection.all_to_all());
  EXPECT_EQ(n.populations()[1]["v_threshold"], Parameter(0.15));
  EXPECT_EQ(n.populations()[2]["v_threshold"], Parameter(1));
  EXPECT_EQ(n.populations()[4]["v_threshold"], Parameter(1));
}

TEST(Layers, AllSpikeAtFirst) {
  const auto data = pictures(12, 12);
  const RunSettings s = of({"conv:8x3", "pool:2", "conv:8x3", "30"});
  const auto n = build_network<double>(s, data);
  const double ends[] = {s.t_end};
  const auto record = simulate(n, {{data.spikes}, ends});
  for (std::size_t p = 1; p <= 4; ++p) {
    const double spikes = static_cast<double>(record.populations[p].spikes.times.size()) /
                          static_cast<double>(n.populations()[p].size * data.size());
    EXPECT_NEAR(spikes, 0.5, 0.1) << p;
  }
}

TEST(Layers, OfNeuronsAloneAreThoseOfHidden) {
  RunSettings s = default_settings("mnist", true);
  s.hidden = {30, 20};
  EXPECT_EQ(build_network<double>(s, pictures(8, 8)),
            build_network<double>(of({"30", "20"}), pictures(8, 8)));
}

TEST(Layers, ThatProjectOntoThemselvesAreTheDenseOnes) {
  RunSettings s = of({"conv:2x3", "20"});
  s.recurrent = true;
  s.t_end = 0.05;
  const auto n = build_network<double>(s, pictures(8, 8));
  std::vector<std::string> names;
  for (const auto& p : n.projections()) names.push_back(p.name);
  EXPECT_THAT(names,
              ElementsAre("in->hidden1", "hidden1->hidden2", "hidden2->hidden2", "hidden2->out"));
  s.layers = {"conv:2x3"};
  EXPECT_EQ(refusal([&] { build_network<float>(s, pictures(8, 8)); }),
            "recurrent: only dense layers project onto themselves, and layers is conv:2x3; "
            "expected one");
}

TEST(Layers, ThatCannotBeReadAreRefusedByTheirNumber) {
  for (const char* wrong :
       {"cov:16x5", "conv:16", "conv:16x", "conv:0x5", "conv:16x5s", "conv:16x5s0", "conv:16x5p2",
        "pool:", "pool:2x2", "pool:0", "0", "-3", "12.5", "", "99999999999"}) {
    const std::string message = refusal([&] { check(of({"12", wrong})); });
    EXPECT_THAT(message, StartsWith("layers[1] is '" + std::string(wrong) +
                                    "'; expected a number of neurons (128), "
                                    "conv:CHANNELSxKERNEL (conv:16x5)"));
  }
}

TEST(Layers, ThatDoNotFitOnTheOneBelowAreRefusedWithTheFix) {
  EXPECT_EQ(refused({"conv:4x9"}),
            "layers[0] is 'conv:4x9': its kernel is larger than the 12 x 8 neurons of each channel "
            "below; expected at most 8");
  EXPECT_EQ(refused({"conv:4x3", "pool:4"}),
            "layers[1] is 'pool:4': the 10 x 6 neurons of each channel below cannot be cut into "
            "windows of 4 x 4; expected pool:2");
  EXPECT_EQ(refused({"conv:4x2", "pool:2"}),
            "layers[1] is 'pool:2': the 11 x 7 neurons of each channel below cannot be cut into "
            "windows of 2 x 2; expected another kernel below, or no pooling");
  EXPECT_EQ(refused({"20", "conv:4x3"}),
            "layers[1] is 'conv:4x3': the layer below is dense and has no grid; expected "
            "convolutions and pooling before the dense layers");
  EXPECT_THAT(refused({"conv:4x3"}, data::encode(data::yin_yang(20, 42))),
              StartsWith("layers[0] is 'conv:4x3': the data do not say on which grid"));
  EXPECT_THAT(refused({"conv:2000000000x3"}),
              HasSubstr("it has 1.2e+11 neurons; expected at most"));
  RunSettings s = of({"pool:2"});
  s.initial_spikes = 0;
  EXPECT_THAT(refusal([&] { build_network<float>(s, pictures(8, 8)); }),
              StartsWith("layers[0] is 'pool:2': the weight of its averages is found by "
                         "initial_spikes, which is 0"));
}

TEST(Layers, AndHiddenExcludeEachOther) {
  RunSettings s = of({"conv:4x3", "20"});
  s.hidden = {30, 20};
  EXPECT_EQ(refusal([&] { check(s); }),
            "hidden is 30,20 and layers is conv:4x3,20; expected one of them");
  s.hidden.clear();
  s.layers.clear();
  EXPECT_EQ(refusal([&] { check(s); }),
            "hidden lists no layer; expected at least one size, or layers");
  s.layers = {"conv:4x3"};
  s.conv_threshold = 0;
  EXPECT_THAT(refusal([&] { check(s); }), StartsWith("conv_threshold is 0; expected"));
}

TEST(Layers, HaveSettingsThatAreValidForEveryTask) {
  for (const char* task : {"yinyang", "mnist", "spikes"}) {
    RunSettings s = default_settings(task, true);
    EXPECT_TRUE(s.hidden.empty());
    s.layers = {"20"};
    EXPECT_EQ(refusal([&] { check(s); }), "");
  }
}

}  // namespace
}  // namespace saltus
