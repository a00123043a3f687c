// SPDX-License-Identifier: Apache-2.0
// Checkpoints: a training in a file, whole, to the bit, or an error that names the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/data_folder.hpp"
#include "random/random.hpp"
#include "saltus/store.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::read_bytes;
using test::refusal;
using test::same_bits;
using test::TemporaryFolder;
using test::write_bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const data::LabelledSpikes& yin_yang() {
  static const auto data = data::encode(data::yin_yang(200, 42));
  return data;
}

RunSettings small() {
  RunSettings s = default_settings("yinyang");
  s.hidden = {12};
  s.train.batch = 40;
  s.train.revive = 0.1;
  s.train.input_dropout = 0.1;
  s.train.smooth_threshold = 0.2;
  return s;
}

template <class Real>
Trainer<Real> trainer_of(const RunSettings& s) {
  auto network = build_network<Real>(s, yin_yang());
  network.populations()[1]["tau_mem"] = Parameter(std::vector<double>(12, 20e-3));
  RunSettings more = s;
  more.train.trainable = {"weights", "hidden.tau_mem"};
  return Trainer<Real>(std::move(network), 2, s.loss, s.t_end, more.train);
}

// One epoch and two minibatches.
template <class Real>
Trainer<Real> stopped(const RunSettings& s) {
  auto t = trainer_of<Real>(s);
  t.train_epoch(yin_yang());
  t.state().history.back().validation_loss = 0.25;
  t.state().memory = {{"a/b \u00e4", {{2, 3}, {1, 2, 3, 4, 5, 1.0 / 3}}},
                      {"one", {{}, {-0.0}}},
                      {"none", {{0, 4}, {}}}};
  std::atomic<bool> stop = false;
  t.train_epoch(
      yin_yang(), [&](const EpochReport& r) { stop = r.samples == 80; }, &stop);
  return t;
}

template <class Real>
void expect_same(const TrainState<Real>& a, const TrainState<Real>& b) {
  EXPECT_TRUE(a.network == b.network);
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.epochs, b.epochs);
  EXPECT_EQ(a.memory, b.memory);
  EXPECT_EQ(a.epoch.minibatches, b.epoch.minibatches);
  EXPECT_EQ(a.epoch.spiked, b.epoch.spiked);
  EXPECT_EQ(a.epoch.ghosts, b.epoch.ghosts);
  EXPECT_EQ(a.epoch.hidden_spikes, b.epoch.hidden_spikes);
  EXPECT_EQ(a.epoch.sums.loss, b.epoch.sums.loss);
  EXPECT_EQ(a.epoch.sums.seconds, b.epoch.sums.seconds);
  ASSERT_EQ(a.history.size(), b.history.size());
  for (std::size_t k = 0; k < a.history.size(); ++k) {
    EXPECT_EQ(store::metrics_line(a.history[k]), store::metrics_line(b.history[k]));
  }
  for (const auto moments : {&TrainState<Real>::first, &TrainState<Real>::second}) {
    for (std::size_t k = 0; k < (a.*moments).weights.size(); ++k) {
      EXPECT_TRUE(same_bits((a.*moments).weights[k], (b.*moments).weights[k]));
    }
    for (std::size_t k = 0; k < (a.*moments).neurons.size(); ++k) {
      EXPECT_EQ((a.*moments).neurons[k].parameters, (b.*moments).neurons[k].parameters);
    }
  }
}

template <class Real>
void goes_on() {
  const TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint.safetensors";
  const RunSettings s = small();
  auto through = stopped<Real>(s);
  ASSERT_EQ(through.state().epoch.minibatches, 2u);
  store::save_checkpoint(through.state(), store::to_json(s), file);
  for (const auto& place : {file, folder.path()}) {
    const auto saved = store::load_checkpoint<Real>(place);
    EXPECT_EQ(saved.settings, store::to_json(s));
    expect_same(saved.state, std::as_const(through).state());
  }
  // A model, too.
  EXPECT_EQ(store::load_network<Real>(file), through.network());
  auto again = trainer_of<Real>(s);
  again.resume(store::load_checkpoint<Real>(file).state);
  for (auto* t : {&through, &again}) {
    t->train_epoch(yin_yang());
    t->train_epoch(yin_yang());
    for (EpochReport& r : t->state().history) r.seconds = 0;
  }
  EXPECT_TRUE(again.network() == through.network());
  EXPECT_EQ(again.state().steps, through.state().steps);
  EXPECT_EQ(again.state().history[1].loss, through.state().history[1].loss);
  EXPECT_EQ(again.state().history[0].validation_loss, 0.25);
}

TEST(Checkpoint, is_the_training_to_the_bit_in_float64) { goes_on<double>(); }
TEST(Checkpoint, is_the_training_to_the_bit_in_float32) { goes_on<float>(); }

TEST(Checkpoint, of_a_training_that_has_not_begun_comes_back) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint.safetensors";
  auto t = trainer_of<float>(small());
  store::save_checkpoint(t.state(), "{}", file);
  const auto saved = store::load_checkpoint<float>(file);
  EXPECT_TRUE(std::isnan(saved.state.lr));
  EXPECT_THAT(saved.state.history, IsEmpty());
  auto again = trainer_of<float>(small());
  again.resume(saved.state);
  t.train_epoch(yin_yang());
  again.train_epoch(yin_yang());
  EXPECT_TRUE(again.network() == t.network());
}

TEST(Checkpoint, of_an_epoch_that_was_only_begun_is_that_of_before) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint.safetensors";
  auto t = trainer_of<float>(small());
  t.train_epoch(yin_yang());
  store::save_checkpoint(t.state(), "{}", file);
  const std::string before = store::read_file(file);
  const std::atomic<bool> stop = true;
  EXPECT_EQ(t.train_epoch(yin_yang(), nullptr, &stop).samples, 0u);
  store::save_checkpoint(t.state(), "{}", file);
  EXPECT_TRUE(store::read_file(file) == before);
}

TEST(Checkpoint, in_the_other_precision_is_refused) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint.safetensors";
  store::save_checkpoint(trainer_of<float>(small()).state(), "{}", file);
  EXPECT_EQ(refusal([&] { store::load_checkpoint<double>(file); }),
            file.string() +
                ": precision is float64, but the training was saved in float32; expected the same");
}

TEST(Checkpoint, that_is_missing_a_model_or_something_else_is_a_file_error) {
  const TemporaryFolder folder;
  const auto load = [&](const std::filesystem::path& place) {
    const std::string message = refusal<FileError>([&] { store::load_checkpoint<float>(place); });
    EXPECT_EQ(refusal<FileError>([&] { store::load_checkpoint_settings(place); }), message);
    return message;
  };
  EXPECT_EQ(load(folder.path()), fmt::format("cannot read {}: No such file or directory",
                                             (folder.path() / "checkpoint.safetensors").string()));
  const auto model = folder.path() / "model.safetensors";
  store::save_network(trainer_of<float>(small()).network(), model);
  EXPECT_THAT(load(model),
              HasSubstr(model.string() + ": holds no training, perhaps a model alone"));
  write_bytes(folder.path() / "text", "{}");
  EXPECT_THAT(load(folder.path() / "text"),
              HasSubstr("text: damaged, or no safetensors: only 2 bytes"));
}

TEST(Checkpoint, that_was_cut_is_a_file_error_wherever) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint.safetensors";
  store::save_checkpoint(stopped<float>(small()).state(), "{}", file);
  const std::string whole = read_bytes(file);
  for (std::size_t length = 0; length < whole.size(); length += 1 + whole.size() / 80) {
    write_bytes(file, whole.substr(0, length));
    EXPECT_THAT(refusal<FileError>([&] { store::load_checkpoint<float>(file); }),
                HasSubstr(file.string()))
        << length;
  }
}

TEST(Checkpoint, with_a_flipped_bit_is_a_file_error) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "checkpoint.safetensors";
  store::save_checkpoint(stopped<float>(small()).state(), "{\"a\": 1}", file);
  const std::string whole = read_bytes(file);
  Random random(2, Purpose::synthetic);
  for (int k = 0; k < 1000; ++k) {
    std::string bytes = whole;
    const std::uint32_t at = random.below(static_cast<std::uint32_t>(whole.size()));
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    write_bytes(file, bytes);
    ASSERT_THAT(refusal<FileError>([&] { store::load_checkpoint<float>(file); }),
                HasSubstr(file.string()))
        << at;
  }
}

// --- settings that differ -----------------------------------------------------------------------

std::string changed(const char* name, const nlohmann::json& value) {
  auto text = nlohmann::json::parse(store::to_json(small()));
  text["training_data"] = "aa";
  text[name] = value;
  return text.dump();
}

TEST(ResumedWith, tells_what_steps_are_made_of_and_is_silent_about_epochs_and_threads) {
  const std::string was = changed("lr", 5e-3);
  const auto told = [&](const char* name, const nlohmann::json& value) {
    return store::resumed_with(was, changed(name, value), true);
  };
  EXPECT_THAT(told("lr", 5e-3), IsEmpty());
  EXPECT_THAT(told("lr", 1e-3), ElementsAre("lr is 0.001 from here on; it was 0.005"));
  EXPECT_THAT(told("schedule", "cosine"),
              ElementsAre("schedule is cosine from here on; it was exponential"));
  EXPECT_THAT(told("alpha", 7), ElementsAre(HasSubstr("alpha is 7 from here on")));
  EXPECT_THAT(told("epochs", 7), IsEmpty());
  EXPECT_THAT(told("threads", 7), IsEmpty());
  EXPECT_THAT(told("data", "elsewhere"), IsEmpty());
  EXPECT_THAT(told("of a later version", 7), IsEmpty());
}

TEST(ResumedWith, refuses_another_network_seed_optimizer_or_what_is_trained) {
  const std::string was = changed("lr", 5e-3);
  const auto refused = [&](const char* name, const nlohmann::json& value, bool within) {
    return refusal([&] { store::resumed_with(was, changed(name, value), within); });
  };
  EXPECT_EQ(refused("seed", 3, false),
            "seed is 3, but the training was begun with 0, and cannot go on with another; expected "
            "the same, or a training of its own, from the beginning");
  EXPECT_THAT(refused("hidden", {7, 8}, false), HasSubstr("hidden is [7,8], but the training was "
                                                          "begun with [12]"));
  EXPECT_THAT(refused("optimizer", "sgd", false), HasSubstr("begun with adam"));
  EXPECT_THAT(refused("trainable", {"delays"}, false), HasSubstr("trainable is [\"delays\"]"));
  EXPECT_THAT(refused("tau_mem", 1e-3, false), HasSubstr("tau_mem is 0.001"));
  EXPECT_EQ(refused("batch", 3, false), "");
  EXPECT_THAT(refused("batch", 3, true), HasSubstr("within an epoch"));
  EXPECT_EQ(refused("training_data", "bb", false), "");
  EXPECT_THAT(refused("training_data", "bb", true), HasSubstr("fingerprint is bb"));
  EXPECT_THAT(store::resumed_with(was, changed("training_data", "bb"), false),
              ElementsAre("the training data are others than before"));
}

TEST(Fingerprint, knows_data_again_and_tells_others) {
  const std::string print = store::fingerprint(yin_yang());
  EXPECT_EQ(print, store::fingerprint(data::encode(data::yin_yang(200, 42))));
  auto data = yin_yang();
  std::swap(data.labels[0], data.labels[1]);
  EXPECT_NE(data.labels, yin_yang().labels);
  EXPECT_NE(print, store::fingerprint(data));
  data = yin_yang();
  data.spikes.times[7] += 1e-9;
  EXPECT_NE(print, store::fingerprint(data));
}

}  // namespace
}  // namespace saltus
