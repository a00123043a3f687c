// SPDX-License-Identifier: Apache-2.0
#include "saltus/store.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "archive/archive.hpp"
#include "data/data_folder.hpp"
#include "gradcheck/random_case.hpp"
#include "random/random.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::nan;
using test::read_bytes;
using test::refusal;
using test::TemporaryFolder;
using test::write_bytes;
using ::testing::HasSubstr;

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

// Every kind of population, parameter and delay; awkward numbers and names.
template <class Real>
Network<Real> everything() {
  Random random(1, Purpose::synthetic);
  const auto weights = [&](std::size_t count) {
    std::vector<Real> w(count);
    for (Real& v : w) v = static_cast<Real>(random.normal());
    w[0] = std::numeric_limits<Real>::denorm_min();
    w[1] = std::numeric_limits<Real>::lowest();
    w[2] = static_cast<Real>(-0.0);
    return w;
  };
  const auto delays = [&](std::size_t count) {
    std::vector<double> d(count);
    for (double& v : d) v = random.uniform();
    return d;
  };
  Network<Real> n;
  n.add_input("in", 4);
  Population p;
  p.name = "hidden \u00e4/\u03b8 layer";
  p.size = 3;
  p["tau_mem"] = Parameter({0.1, 0.2, 1.0 / 3});
  p["tau_syn"] = 5e-300;
  p["v_threshold"] = Parameter({1, 2, 3});
  p["v_reset"] = Parameter({-0.0, 1e-310, 0.1});
  p["bias"] = 0.1 + 0.2;
  p["tau_ref"] = Parameter({0, 1e-3, 2e-3});
  p["v_initial"] = -0.7;
  p["i_initial"] = Parameter({1, 2, 3});
  n.add_population(p);
  Population out;
  out.name = "out";
  out.model = Model::li;
  out.size = 2;
  out["bias"] = Parameter({0.5, -0.5});
  n.add_population(out);
  n.add_input("second", 1);
  n.connect("in", p.name, weights(12), Delay::per_synapse(delays(12)));
  n.connect(p.name, p.name, weights(9), Delay::common(1e-3), "a name of its own");
  n.connect(p.name, "out", weights(6), Delay::per_source(delays(3)));
  n.connect("second", p.name, weights(3));
  return n;
}

template <class Real>
void round_trip() {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  const auto network = everything<Real>();
  store::save_network(network, file);
  const auto again = store::load_network<Real>(file);
  EXPECT_EQ(again, network);
  for (std::size_t k = 0; k < 4; ++k) {
    EXPECT_TRUE(test::same_bits(again.projections()[k].weight, network.projections()[k].weight));
    EXPECT_TRUE(test::same_bits(again.projections()[k].delay.values,
                                network.projections()[k].delay.values));
  }
  for (const ParameterRow& row : Model::lif->parameters) {
    EXPECT_TRUE(test::same_bits(again.populations()[1][row.name].values(),
                                network.populations()[1][row.name].values()));
  }
  EXPECT_EQ(names_in(folder.path()),
            std::vector<std::string>{"model.safetensors"});  // no .tmp left
}

TEST(SaveNetwork, RoundTripsToTheBitInFloat64) { round_trip<double>(); }
TEST(SaveNetwork, RoundTripsToTheBitInFloat32) { round_trip<float>(); }

TEST(SaveNetwork, RoundTripsRandomNetworks) {
  const TemporaryFolder folder;
  std::size_t projections = 0;
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    const auto network = gradcheck::random_case(seed).network;
    const auto file = folder.path() / "model.safetensors";
    store::save_network(network, file);
    ASSERT_EQ(store::load_network<double>(file), network) << seed;
    projections += network.projections().size();
  }
  EXPECT_GT(projections, 50u);
}

TEST(SaveNetwork, OfFloat64LoadsAsFloat32RoundedAndBack) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  auto network = everything<double>();
  for (auto& p : network.projections()) p.weight[1] = 0.1;  // lowest() has no float
  store::save_network(network, file);
  EXPECT_EQ(store::load_network<float>(file), convert<float>(network));
  const auto single = everything<float>();
  store::save_network(single, file);
  EXPECT_EQ(store::load_network<double>(file), convert<double>(single));
}

TEST(SaveNetwork, GivesTheSameBytesForTheSameNetworkAndReplacesWhatWasThere) {
  const TemporaryFolder folder;
  const auto a = folder.path() / "a.safetensors", b = folder.path() / "b.safetensors";
  store::save_network(everything<double>(), a);
  write_bytes(b, "something else");
  store::save_network(everything<double>(), b);
  EXPECT_EQ(read_bytes(a), read_bytes(b));
}

TEST(SaveNetwork, OfAnEmptyNetworkRoundTrips) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  store::save_network(Network<double>{}, file);
  EXPECT_EQ(store::load_network<double>(file), Network<double>{});
}

TEST(SaveNetwork, IntoAFolderThatDoesNotExistIsAFileErrorThatNamesTheFile) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "missing" / "model.safetensors";
  EXPECT_THAT(refusal<FileError>([&] { store::save_network(everything<double>(), file); }),
              HasSubstr(file.string()));
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(SaveNetwork, OverAFolderIsAFileErrorAndLeavesNothingAside) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  std::filesystem::create_directory(file);
  EXPECT_NE(refusal<FileError>([&] { store::save_network(everything<double>(), file); }), "");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"model.safetensors"});
}

TEST(LoadNetwork, OfAMissingFileOrAFolderIsAFileError) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  EXPECT_THAT(refusal<FileError>([&] { store::load_network<double>(file); }),
              HasSubstr(file.string()));
  EXPECT_NE(refusal<FileError>([&] { store::load_network<double>(folder.path()); }), "");
}

TEST(LoadNetwork, OfWhatIsNoModelIsAFileError) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  for (const std::string text : {"", "x", "{\"task\": \"yinyang\"}", "\x89HDF\r\n\x1a\n"}) {
    write_bytes(file, text);
    EXPECT_THAT(refusal<FileError>([&] { store::load_network<double>(file); }),
                HasSubstr(file.string()));
  }
}

TEST(LoadNetwork, OfATruncatedFileIsAFileErrorWhereverItWasCut) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  store::save_network(everything<float>(), file);
  const std::string whole = read_bytes(file);
  ASSERT_GT(whole.size(), 1000u);
  std::size_t cuts = 0;
  for (std::size_t length = 0; length < whole.size(); length += 1 + whole.size() / 150) {
    write_bytes(file, whole.substr(0, length));
    EXPECT_NE(refusal<FileError>([&] { store::load_network<float>(file); }), "") << length;
    ++cuts;
  }
  EXPECT_GT(cuts, 100u);
}

TEST(LoadNetwork, WithAnyBitFlippedIsAFileErrorThatNamesTheFile) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  store::save_network(everything<float>(), file);
  const std::string whole = read_bytes(file);
  Random random(2, Purpose::synthetic);
  for (int k = 0; k < 2000; ++k) {
    std::string bytes = whole;
    const std::uint32_t at = random.below(static_cast<std::uint32_t>(whole.size()));
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    write_bytes(file, bytes);
    ASSERT_THAT(refusal<FileError>([&] { store::load_network<float>(file); }),
                HasSubstr(file.string()))
        << at;
  }
}

// Files that have a digest and say what is not so: whoever can write a file can write that.
TEST(LoadNetwork, OfWhatIsNoNetworkSaysWhat) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  store::save_network(everything<double>(), file);
  const Archive whole = Archive::parse(read_bytes(file));
  const auto refused = [&](auto&& change) {
    Archive archive = whole;
    change(archive.about);
    write_bytes(file, archive.bytes());
    std::string message;
    try {
      store::load_network<double>(file);
    } catch (const Error& e) {
      message = e.what();
    }
    EXPECT_THAT(message, ::testing::StartsWith(file.string() + ": "));
    return message;
  };
  using Json = nlohmann::json;
  const Json network = whole.about["network"];
  EXPECT_THAT(refused([](Json& j) { j["format"] = 3; }),
              HasSubstr("of format 3, and this version"));
  EXPECT_THAT(refused([](Json& j) { j.erase("format"); }), HasSubstr("not a file of Saltus"));
  EXPECT_THAT(refused([](Json& j) { j.erase("network"); }), HasSubstr("holds no network"));
  std::size_t found = 0;
  for (const char* list : {"populations", "projections"}) {
    EXPECT_THAT(refused([&](Json& j) { j["network"].erase(list); }),
                HasSubstr(std::string("holds no list of ") + list));
    for (const auto& [name, value] : network[list][0].items()) {
      const std::string key = name;
      EXPECT_NE(refused([&](Json& j) { j["network"][list][0].erase(key); }), "");
      for (const Json& odd : {Json(), Json(-1), Json("odd"), Json::array(), Json::object()}) {
        if (odd == value || (key == "name" && odd.is_string())) continue;
        EXPECT_NE(refused([&](Json& j) { j["network"][list][0][key] = odd; }), "") << key << odd;
        ++found;
      }
    }
  }
  EXPECT_GT(found, 30u);
  EXPECT_NE(refused([](Json& j) { j["network"]["projections"][0]["target"] = 99; }), "");
  EXPECT_NE(refused([](Json& j) { j["network"]["populations"][0]["size"] = 1ULL << 62; }), "");
}

TEST(SaveNetwork, RefusesANameOfHdf5) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal([&] { store::save_network(everything<double>(), folder.path() / "a.h5"); }),
              HasSubstr((folder.path() / "a.safetensors").string()));
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(Network, ToBytesAndBackIsTheSame) {
  const auto network = everything<double>();
  EXPECT_EQ(store::from_bytes<double>(store::to_bytes(network)), network);
  EXPECT_NE(refusal([] { store::from_bytes<double>("x"); }), "");
}

// --- settings ----------------------------------------------------------------------------------

RunSettings unusual() {
  RunSettings s = default_settings("mnist");
  s.data = "/some/\"folder\"\\with \u00e4";
  s.train_file = "a.h5";
  s.test_file = "b.h5";
  s.unit = 1e-6;
  s.origin = "first";
  s.precision = "float64";
  s.hidden = {7, 300, 1};
  s.recurrent = true;
  s.recurrent_delay = 0.1;
  s.validation = 17;
  s.train_samples = 4000000000;
  s.tau_mem = 1.0 / 3;
  s.tau_syn = 5e-300;
  s.v_threshold = 0.1 + 0.2;
  s.v_reset = -0.7;
  s.tau_ref = 1e-3;
  s.t_max = 0.012;
  s.t_end = 0.25;
  s.hidden_mean = -1;
  s.hidden_std = 2;
  s.deep_mean = -3;
  s.deep_std = 4;
  s.output_mean = -5;
  s.output_std = 6;
  s.recurrent_std = 7;
  s.initial_spikes = 8;
  s.loss.kind = "integrated_voltage";
  s.loss["tau_0"] = 0.11;
  s.loss["tau_1"] = 0.12;
  s.loss["alpha"] = 0.13;
  s.loss["t_missing"] = 0.14;
  s.loss["silent_pull"] = 0.75;
  s.loss["tau_integral"] = 0.15;
  s.train.epochs = 12345;
  s.train.batch = 77;
  s.train.seed = 18446744073709551615u;
  s.train.threads = 5;
  s.train.optimizer = OptimizerKind::adamw;
  s.train.lr = 0.21;
  s.train.momentum = 0.22;
  s.train.beta_1 = 0.23;
  s.train.beta_2 = 0.24;
  s.train.epsilon = 0.25;
  s.train.weight_decay = 0.26;
  s.train.schedule = ScheduleKind::cosine;
  s.train.decay = 0.27;
  s.train.lr_final = 0.28;
  s.train.clip_norm = 0.29;
  s.train.input_dropout = 0.31;
  s.train.revive = 0.32;
  s.train.trainable = {"delays", "tau_mem"};
  return s;
}

void expect_equal(const RunSettings& a, const RunSettings& b) {
  EXPECT_EQ(
      std::tie(a.task, a.data, a.train_file, a.test_file, a.unit, a.origin, a.precision, a.hidden,
               a.recurrent, a.recurrent_delay, a.validation, a.train_samples, a.tau_mem, a.tau_syn),
      std::tie(b.task, b.data, b.train_file, b.test_file, b.unit, b.origin, b.precision, b.hidden,
               b.recurrent, b.recurrent_delay, b.validation, b.train_samples, b.tau_mem,
               b.tau_syn));
  EXPECT_EQ(std::tie(a.v_threshold, a.v_reset, a.tau_ref, a.t_max, a.t_end, a.hidden_mean,
                     a.hidden_std, a.deep_mean, a.deep_std, a.output_mean, a.output_std,
                     a.recurrent_std, a.initial_spikes),
            std::tie(b.v_threshold, b.v_reset, b.tau_ref, b.t_max, b.t_end, b.hidden_mean,
                     b.hidden_std, b.deep_mean, b.deep_std, b.output_mean, b.output_std,
                     b.recurrent_std, b.initial_spikes));
  const LossSettings &l = a.loss, &m = b.loss;
  EXPECT_EQ(std::tuple(l.kind, l["tau_0"], l["tau_1"], l["alpha"], l["t_missing"], l["silent_pull"],
                       l["tau_integral"]),
            std::tuple(m.kind, m["tau_0"], m["tau_1"], m["alpha"], m["t_missing"], m["silent_pull"],
                       m["tau_integral"]));
  const TrainSettings &t = a.train, &u = b.train;
  EXPECT_EQ(std::tie(t.epochs, t.batch, t.seed, t.threads, t.optimizer, t.lr, t.momentum, t.beta_1,
                     t.beta_2, t.epsilon, t.weight_decay),
            std::tie(u.epochs, u.batch, u.seed, u.threads, u.optimizer, u.lr, u.momentum, u.beta_1,
                     u.beta_2, u.epsilon, u.weight_decay));
  EXPECT_EQ(std::tie(t.schedule, t.decay, t.lr_final, t.clip_norm, t.input_dropout, t.revive,
                     t.trainable),
            std::tie(u.schedule, u.decay, u.lr_final, u.clip_norm, u.input_dropout, u.revive,
                     u.trainable));
}

TEST(Settings, OfEveryFieldRoundTripToTheBit) {
  expect_equal(store::settings_from_json(store::to_json(unusual())), unusual());
}

TEST(Settings, OfEveryTaskRoundTripAlsoAnInfiniteEnd) {
  for (const char* task : {"yinyang", "mnist", "spikes"}) {
    const RunSettings s = default_settings(task);
    expect_equal(store::settings_from_json(store::to_json(s)), s);
  }
  ASSERT_EQ(default_settings("yinyang").t_end, infinity);
  EXPECT_THAT(store::to_json(default_settings("yinyang")), HasSubstr("\"t_end\": \"infinite\""));
}

TEST(Settings, WhatIsMissingIsTheDefaultOfTheTask) {
  expect_equal(store::settings_from_json("{\"task\": \"mnist\"}"), default_settings("mnist"));
  RunSettings s = default_settings("spikes");
  s.train.lr = 0.5;
  expect_equal(store::settings_from_json("{\"lr\": 0.5, \"task\": \"spikes\"}"), s);
}

TEST(Settings, RefuseAFieldOfAWrongKindAndNameIt) {
  const auto refused = [](const std::string& field) {
    return refusal([&] { store::settings_from_json("{\"task\": \"yinyang\", " + field + "}"); });
  };
  EXPECT_EQ(refused("\"lr\": 0.5"), "");
  for (const auto& [field, name] : {std::pair{"\"lr\": \"fast\"", "lr"},
                                    {"\"lr\": null", "lr"},
                                    {"\"batch\": -3", "batch"},
                                    {"\"batch\": 2.5", "batch"},
                                    {"\"hidden\": 30", "hidden"},
                                    {"\"hidden\": [3, \"x\"]", "hidden"},
                                    {"\"recurrent\": 1", "recurrent"},
                                    {"\"epochs\": 3000000000", "epochs"},
                                    {"\"epochs\": 1.5", "epochs"},
                                    {"\"data\": 5", "data"},
                                    {"\"loss\": 3", "loss"},
                                    {"\"trainable\": \"weights\"", "trainable"},
                                    {"\"tau_mem\": true", "tau_mem"}}) {
    EXPECT_THAT(refused(field), HasSubstr(std::string(name) + " is ")) << field;
  }
  EXPECT_THAT(refused("\"loss\": \"mse\""), HasSubstr("no loss is called 'mse'"));
  EXPECT_THAT(refused("\"optimizer\": \"rprop\""), HasSubstr("no optimizer is called 'rprop'"));
  EXPECT_THAT(refused("\"schedule\": \"\""), HasSubstr("no schedule is called ''"));
  EXPECT_THAT(refused("\"tau_mem\": -1"), HasSubstr("tau_mem is -1"));
}

TEST(Settings, RefuseAnUnknownNameWithTheNearestAndANameThatStandsTwice) {
  const auto refused = [](const std::string& field) {
    return refusal([&] { store::settings_from_json("{\"task\": \"yinyang\", " + field + "}"); });
  };
  EXPECT_EQ(refused("\"tau_men\": 0.01"),
            "no setting is called 'tau_men'; did you mean 'tau_mem'?");
  EXPECT_EQ(refused("\"learning rate of it all\": 1"),
            "no setting is called 'learning rate of it all'");
  EXPECT_EQ(refused("\"lr\": 1, \"lr\": 2"), "\"lr\" is given twice; expected it once");
}

TEST(Settings, OfAModelAreThoseThatItWasTrainedWith) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  RunSettings s = default_settings("mnist");
  Network<double> network;
  network.add_input("in", 1);
  store::save_network(network, file);
  EXPECT_EQ(store::load_settings_of_model(file), "");
  store::check_settings_of_model(s, "");
  store::save_network(network, file, store::settings_of_model(s));
  const std::string kept = store::load_settings_of_model(file);
  s.data = "elsewhere";
  s.train.threads = 7;
  store::check_settings_of_model(s, kept);
  s.t_max = 0.25;
  EXPECT_EQ(refusal([&] { store::check_settings_of_model(s, kept); }),
            "t_max is 0.25, but the model was trained with 0.02; expected that");
}

TEST(SaveNetwork, RefusesANetworkThatCouldNotBeReadAgain) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  Network<float> network;
  network.add_input("in", 1);
  network.add_population(Population{"out", Model::li, 1, {}});
  network.connect("in", "out", {1.0F});
  store::save_network(network, file);
  const std::string before = store::read_file(file);
  network.projections()[0].weight[0] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(refusal([&] { store::save_network(network, file); }),
              HasSubstr("in->out.weight[0, 0] is inf"));
  EXPECT_EQ(store::read_file(file), before);
}

TEST(Settings, RefuseTextThatIsNotJsonOrHoldsNoTask) {
  for (const char* text : {"", "{", "[1, 2]", "null", "{\"lr\": 1}", "{\"task\": 3}",
                           "{\"task\": \"cifar\"}", "{\"task\": \"yinyang\"} and more"}) {
    EXPECT_NE(refusal([&] { store::settings_from_json(text); }), "") << text;
  }
  const std::string whole = store::to_json(unusual());
  for (std::size_t cut = 0; cut + 2 < whole.size(); cut += 31) {
    EXPECT_NE(refusal([&] { store::settings_from_json(whole.substr(0, cut)); }), "") << cut;
  }
}

TEST(LoadSettings, ReadsWhatWasWrittenAndErrorsNameTheFile) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "settings.json";
  EXPECT_THAT(refusal<FileError>([&] { store::load_settings(file); }), HasSubstr(file.string()));
  store::write_file(file, store::to_json(unusual()));
  expect_equal(store::load_settings(file), unusual());
  store::write_file(file, "{\"task\": \"yinyang\", \"lr\": \"x\"}");
  EXPECT_THAT(refusal<FileError>([&] { store::load_settings(file); }),
              HasSubstr(file.string() + ": lr is "));
}

// --- text --------------------------------------------------------------------------------------

TEST(WriteFile, RoundTripsAnyBytesAndLeavesNothingAside) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "text";
  std::string bytes;
  for (int k = 0; k < 100000; ++k) bytes += static_cast<char>(k * 7);
  for (const std::string& text : {std::string(), std::string("a\r\n\0b", 5), bytes}) {
    store::write_file(file, text);
    EXPECT_EQ(store::read_file(file), text);
    EXPECT_EQ(read_bytes(file), text);
    EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"text"});
  }
}

TEST(WriteFile, WhereItCannotWriteIsAFileErrorAndTheOldFileStays) {
  const TemporaryFolder folder;
  const auto missing = folder.path() / "missing" / "text";
  const std::string message = refusal<FileError>([&] { store::write_file(missing, "x"); });
  EXPECT_THAT(message, HasSubstr("cannot create " + missing.string()));
  EXPECT_THAT(message, HasSubstr("No such file or directory"));
  const auto directory = folder.path() / "text";
  std::filesystem::create_directory(directory);
  EXPECT_NE(refusal<FileError>([&] { store::write_file(directory, "x"); }), "");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"text"});
}

TEST(WriteFile, FollowsLinksAndLeavesThem) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "far");
  const auto target = folder.path() / "far" / "target", link = folder.path() / "link",
             second = folder.path() / "second";
  std::filesystem::create_symlink("far/target", link);
  std::filesystem::create_symlink(link, second);
  for (const char* text : {"new", "again"}) {  // first there is nothing where it leads
    store::write_file(second, text);
    EXPECT_EQ(read_bytes(target), text);
    EXPECT_TRUE(std::filesystem::is_symlink(link) && std::filesystem::is_symlink(second));
  }
  std::filesystem::create_symlink("circle", folder.path() / "circle");
  EXPECT_NE(refusal<FileError>([&] { store::write_file(folder.path() / "circle", "x"); }), "");
}

TEST(WriteFile, LeavesWhatIsNoFile) {
  const TemporaryFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(refusal<FileError>([&] { store::write_file(pipe, "x"); }),
              HasSubstr("it is a device, a pipe or a socket"));
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"pipe"});
}

TEST(ReadFile, DoesNotWaitForEver) {
  const TemporaryFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto reads = [](const std::filesystem::path& file) {
    return refusal<FileError>([&] { store::read_file(file); });
  };
  EXPECT_THAT(reads("/dev/zero"), HasSubstr("/dev/zero: it is a device; expected a file"));
  EXPECT_THAT(reads(pipe), HasSubstr("it is a named pipe; expected a file"));
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "said", 4), 4);
  ::close(ends[1]);
  EXPECT_EQ(store::read_file(fmt::format("/dev/fd/{}", ends[0])), "said");  // as of <(command)
  ::close(ends[0]);
}

TEST(WriteFile, FromManyThreadsAtOnceLeavesOneOfThemWhole) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "text";
  const std::string texts[] = {std::string(300000, 'a'), std::string(100000, 'b')};
  {
    std::vector<std::jthread> writers;
    for (int k = 0; k < 8; ++k) {
      writers.emplace_back([&, k] {
        for (int again = 0; again < 5; ++again) store::write_file(file, texts[k % 2]);
      });
    }
  }
  const std::string found = store::read_file(file);
  EXPECT_TRUE(found == texts[0] || found == texts[1]);
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"text"});
}

TEST(FolderLock, IsHeldByOneAtATimeAndSaysByWhom) {
  const TemporaryFolder folder;
  store::FolderLock first(folder.path());
  const std::string message = refusal<FileError>([&] { store::FolderLock(folder.path()); });
  EXPECT_THAT(message, HasSubstr(folder.path().string() + " is in use by another run (process " +
                                 std::to_string(::getpid())));
  store::FolderLock moved = std::move(first);
  EXPECT_NE(refusal<FileError>([&] { store::FolderLock(folder.path()); }), "");
  moved.release();
  EXPECT_TRUE(names_in(folder.path()).empty());
  const store::FolderLock second(folder.path());
}

TEST(ReadFile, OfAMissingFileOrAFolderIsAFileError) {
  const TemporaryFolder folder;
  const auto missing = folder.path() / "missing";
  EXPECT_THAT(refusal<FileError>([&] { store::read_file(missing); }),
              HasSubstr("cannot read " + missing.string()));
  EXPECT_NE(refusal<FileError>([&] { store::read_file(folder.path()); }), "");
}

}  // namespace
}  // namespace saltus
