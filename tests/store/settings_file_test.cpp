// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "data/data_folder.hpp"
#include "saltus/store.hpp"
#include "store/toml.hpp"
#include "support/support.hpp"

namespace saltus::store {
namespace {

using testing::HasSubstr;

std::filesystem::path written(const std::string& text) {
  static const test::TemporaryFolder folder;
  const auto file = folder.path() / "test.toml";
  write_file(file, text);
  return file;
}

// What reading it says is wrong.
std::string fault(const std::string& text) {
  return test::refusal([&] { settings_of(read_settings_file(written(text))); });
}

TEST(SettingsFile, what_is_written_is_read_again) {
  for (const std::string task : {"yinyang", "mnist", "spikes"}) {
    for (const bool layers : {false, true}) {
      RunSettings settings = default_settings(task, layers);
      if (layers) settings.layers = {"conv:4x3", "pool:2", "10"};
      settings.train.lr = 1.0 / 3;
      settings.train.lr_of = {"delays=1e-4"};
      settings.train.smooth_reading = ThresholdReading::sampled;
      settings.recurrent = true;
      settings.loss["tau_0"] = 1e-300;
      const RunSettings read = settings_of(read_settings_file(written(to_toml(settings))));
      EXPECT_EQ(to_json(read), to_json(settings)) << task;
    }
  }
}

TEST(SettingsFile, a_graph_is_read_again) {
  RunSettings settings = default_settings("yinyang");
  use_graph(settings, example_graph());
  settings.graph.populations.push_back({"more", "LIF", "alpha", 3, {{"bias", 1e-300}}});
  ProjectionSettings conv{"in", "more"};
  conv.connection = "conv2d";
  conv.shape = {{"kernel", {1, 1, 2, 2}}, {"stride", {1, 2}}};
  conv.name = "a \"name\"\n";
  settings.graph.projections.push_back(conv);
  const std::string json = to_json(settings);
  EXPECT_EQ(to_json(settings_of(read_settings_file(written(to_toml(settings))))), json);
  EXPECT_EQ(to_json(settings_of(read_settings_file(written(json)))), json);
}

TEST(SettingsFile, what_is_wrong_with_a_graph_is_told_with_its_line) {
  const auto at = [](const std::string& text) {
    return fault("task = 'yinyang'\n\n[[population]]\nname = 'a'\nsize = 3\n" + text);
  };
  EXPECT_EQ(at(""), "");
  EXPECT_THAT(at("sise = 3\n"),
              HasSubstr("test.toml:6: population[0].sise is no setting; did you mean 'size'?"));
  EXPECT_THAT(at("model = 3\n"), HasSubstr("test.toml:6: population[0].model is 3"));
  EXPECT_THAT(at("[[projection]]\nfrom = 'in'\nfrmo = 'in'\n"),
              HasSubstr("test.toml:8: projection[0].frmo is no setting; did you mean 'from'?"));
  EXPECT_THAT(at("[[projections]]\n"), HasSubstr("did you mean 'projection'?"));
  EXPECT_THAT(at("[projection]\nfrom = 'in'\n"), HasSubstr("expected [[projection]]"));
  EXPECT_THAT(at("[[projection]]\nfrom = 'in'\n[[projection]]\ndelay = 1979-05-27\n"),
              HasSubstr("test.toml:9: projection[1].delay is a date"));
  EXPECT_THAT(fault("task = 'yinyang'\npopulation = [1]\n"),
              HasSubstr("test.toml:2: population[0] is no table"));
  EXPECT_THAT(at("[network]\ndeep_mean = 1\n"), HasSubstr("test.toml:7: deep_mean is of layers"));
  // Of what is checked later, too.
  const auto file = read_settings_file(written("task = 'yinyang'\n[[population]]\nsize = 0\n"));
  EXPECT_THAT(file.located("population[0].size is 0"), HasSubstr("test.toml:3: "));
  EXPECT_THAT(file.located("population[0].name is missing"), HasSubstr("test.toml:2: "));
}

TEST(SettingsFile, what_is_left_out_has_the_defaults_of_its_task) {
  const auto read = [](const std::string& text) {
    return to_json(settings_of(read_settings_file(written(text))));
  };
  EXPECT_EQ(read("task = 'spikes'\n"), to_json(default_settings("spikes")));
  RunSettings layered = default_settings("mnist", true);
  layered.layers = {"10"};
  EXPECT_EQ(read("task = 'mnist'\n[network]\nlayers = ['10']\n"), to_json(layered));
}

TEST(SettingsFile, layers_from_elsewhere_bring_their_defaults) {
  const auto file = read_settings_file(written("task = 'mnist'\n"));
  EXPECT_EQ(settings_of(file, true).train.epochs, default_settings("mnist", true).train.epochs);
}

TEST(SettingsFile, a_message_gets_the_line_of_the_setting_that_it_begins_with) {
  const auto file = read_settings_file(written("task = 'mnist'\n[optimiser]\nlr = 1\n"));
  EXPECT_THAT(file.located("lr is 1; expected less"), HasSubstr("test.toml:3: lr is 1"));
  EXPECT_EQ(file.located("decay is 2"), "decay is 2");
}

TEST(SettingsFile, depth_is_bounded_however_it_is_written) {
  const auto many = [](const std::string& one, int times) {
    std::string text;
    for (int k = 0; k < times; ++k) text += one;
    return text;
  };
  EXPECT_THAT(fault("a" + many(".a", 100000) + " = 1"), HasSubstr("64 dots"));
  EXPECT_THAT(fault("[a" + many(" . \"a\"", 100000) + "]"), HasSubstr("64 dots"));
  EXPECT_THAT(fault("a = " + many("[", 100000)), HasSubstr("not TOML"));
  // Numbers, paths and comments have dots, too.
  const std::string head = "task = 'spikes' # " + many(".", 200) + "\n[data]\n";
  EXPECT_EQ(fault(head + "train_file = '" + many("../", 30) + "a.h5'\n"), "");
  EXPECT_EQ(fault("task = 'spikes'\n[optimiser]\nlr_of = [" + many("'a.b=0.1',", 200) + "]\n"), "");
}

TEST(SettingsFile, what_the_parser_takes_for_granted_is_refused) {
  for (const char* text : {"[=]", "[.a]", "[ .a]", "[{", "[[.", "[ #\n]", "[\n", "[!]"}) {
    EXPECT_THAT(fault(text), HasSubstr("not TOML")) << text;
  }
}

TEST(ReadToml, sections_are_left_out_and_values_are_those_of_json) {
  const std::vector<Section> sections = {{"one", {"a", "b", "c"}}, {"two", {"d", "e"}}};
  const ReadToml read = read_toml(
      "out = 1\n[two]\nd = [1.5, -2, inf]\n[one]\na = true\nb = 'x'\nc = {y = [], z = 0x10}\n",
      {"out"}, sections);
  EXPECT_EQ(read.values.dump(), R"({"a":true,"b":"x","c":{"y":[],"z":16},"d":[1.5,-2,"infinite"],)"
                                R"("out":1})");
  EXPECT_EQ(read.lines.at("d"), 3);
  EXPECT_EQ(read.lines.at("out"), 1);
}

}  // namespace
}  // namespace saltus::store
