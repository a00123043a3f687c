// SPDX-License-Identifier: Apache-2.0
// Processes that hold a part of each minibatch find the bits of one that holds all of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "adjoint/backward.hpp"
#include "gradcheck/random_case.hpp"
#include "random/random.hpp"
#include "saltus/task.hpp"
#include "simulate/forward.hpp"
#include "support/crowd.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::Crowd;
using test::refusal;
using test::same_bits;
using ::testing::HasSubstr;

Spikes part_of(const Spikes& all, Part part) {
  Spikes result;
  for (std::size_t s = part.begin; s < part.end; ++s) {
    for (auto k = static_cast<std::size_t>(all.offsets[s]);
         k < static_cast<std::size_t>(all.offsets[s + 1]); ++k) {
      result.times.push_back(all.times[k]);
      result.neurons.push_back(all.neurons[k]);
    }
    result.offsets.push_back(static_cast<std::int64_t>(result.times.size()));
  }
  return result;
}

struct Found {
  double value = 0;
  Gradients<double> gradients;
};

// Loss and gradients of a case, of whose samples a process holds its part.
Found found_of(const gradcheck::Case& c, Team* team) {
  const std::size_t samples = c.objective.labels.size();
  const Part part(team, samples);
  std::vector<Spikes> spikes;
  for (const Spikes& all : c.inputs) spikes.push_back(part_of(all, part));
  Inputs inputs{{}, c.t_end};
  if (inputs.t_end.size() > 1) inputs.t_end = inputs.t_end.subspan(part.begin, part.size());
  for (const Spikes& s : spikes) inputs.spikes.push_back(s.view());
  const Plan<double> plan(c.network);
  ForwardMemory<double> memory;
  Record<double> record;
  simulate(plan, inputs, 1, memory, record);
  const Smoothing none;
  const auto labels = std::span(c.objective.labels).subspan(part.begin, part.size());
  const auto result = built_in_loss<double>(c.objective.loss, c.objective.readout)
                          ->evaluate({c.network, inputs, record, labels, none, 1, plan,
                                      &memory.timelines, team, samples});
  Found found{result.value, {}};
  BackwardMemory<double> backward_memory;
  backward<double>(plan, inputs, record, result.errors, {true, false, true}, 1, &memory.timelines,
                   backward_memory, found.gradients, nullptr, {}, team);
  return found;
}

// Of any model, synapse, connection and delay, in cycles and without.
TEST(Team, finds_the_gradients_of_one_process_on_random_networks) {
  int checked = 0;
  for (std::uint64_t seed = 0; checked < 150; ++seed) {
    const gradcheck::Case c = gradcheck::random_case(seed, false, true);
    if (c.objective.linear) continue;
    ++checked;
    const Found alone = found_of(c, nullptr);
    for (const std::size_t size : {2, 3}) {
      std::vector<Found> found(size);
      Crowd(size).run([&](Team& team) { found[team.rank()] = found_of(c, &team); });
      for (const Found& one : found) {
        EXPECT_EQ(one.value, alone.value) << seed;
        EXPECT_TRUE(same_bits(one.gradients, alone.gradients)) << seed;
      }
    }
  }
}

const data::LabelledSpikes& yin_yang() {
  static const auto data = data::encode(data::yin_yang(1100, 42));
  return data;
}

std::vector<float> weights(std::size_t count, double mean, double deviation, std::uint32_t stream) {
  Random random(0, Purpose::synthetic, stream);
  std::vector<float> w(count);
  for (float& x : w) x = static_cast<float>(mean + deviation * random.normal());
  return w;
}

// Several tiles of several kinds.
Network<float> wide() {
  Network<float> network;
  network.add_input("in", 5);
  network.add_population({"a", Model::alif, 130, {}});
  network.add_population({"b", Model::lif, 100, {}});
  network.add_population({"out", Model::lif, 3, {}});
  std::vector<double> delays(5 * 130);
  for (std::size_t k = 0; k < delays.size(); ++k) delays[k] = 1e-3 + 1e-6 * static_cast<double>(k);
  network.connect("in", "a", weights(5 * 130, 1.5, 0.8, 1), {Delay::Kind::per_synapse, delays});
  std::vector<std::int64_t> pre, post;
  for (int k = 0; k < 2600; ++k) {
    pre.push_back(k / 20);
    post.push_back((7 * k + k / 20) % 100);
  }
  network.connect("a", "b", weights(pre.size(), 1, 0.5, 2), Delay::common(1e-3), "",
                  Connection("sparse", {{"pre", pre}, {"post", post}, {"place", {}}}));
  network.connect("b", "b", weights(100 * 100, 0, 0.05, 3), Delay::common(2e-3));
  network.connect("b", "out", weights(300, 0.2, 0.1, 4));
  return network;
}

TrainSettings settings() {
  TrainSettings s;
  s.batch = 50;
  s.trainable = {"weights", "delays", "tau_mem", "tau_syn", "tau_adapt"};
  s.lr = 1e-3;
  s.input_dropout = 0.1;
  return s;
}

struct Result {
  TrainState<float> state;
  Evaluation evaluation;
};

Result train(TrainSettings s, Team* team) {
  TrainHooks<float> hooks;
  hooks.team = team;
  Trainer<float> trainer(wide(), built_in_loss<float>({}, 3), 0.06, s, hooks);
  for (int k = 0; k < 2; ++k) trainer.train_epoch(yin_yang());
  const Evaluation evaluation = trainer.evaluate(yin_yang());
  return {trainer.state(), evaluation};
}

TEST(Team, trains_what_one_process_trains) {
  const Result alone = train(settings(), nullptr);
  for (const std::size_t size : {2, 3, 5}) {
    for (const int threads : {1, 2}) {
      TrainSettings s = settings();
      s.threads = threads;
      std::vector<Result> trained(size);
      Crowd(size).run([&](Team& team) { trained[team.rank()] = train(s, &team); });
      for (const Result& one : trained) {
        EXPECT_TRUE(one.state.network == alone.state.network);
        EXPECT_TRUE(same_bits(one.state.first.weights[0], alone.state.first.weights[0]));
        EXPECT_EQ(one.evaluation.loss, alone.evaluation.loss);
        EXPECT_EQ(one.evaluation.predictions, alone.evaluation.predictions);
        for (std::size_t k = 0; k < 2; ++k) {
          for_each_field(one.state.history[k], [&](const auto& figure, const auto& value) {
            if (figure.name.ends_with("seconds") || figure.name == "us_per_sample") return;
            const auto& other = figure.of(alone.state.history[k]);
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, double>) {
              if (std::isnan(value) && std::isnan(other)) return;
            }
            EXPECT_EQ(value, other) << figure.name;
          });
        }
      }
    }
  }
}

TEST(Team, stops_together_once_one_of_it_is_told_to) {
  std::vector<std::size_t> samples(3);
  Crowd(3).run([&](Team& team) {
    TrainHooks<float> hooks;
    hooks.team = &team;
    Trainer<float> trainer(wide(), built_in_loss<float>({}, 3), 0.06, settings(), hooks);
    std::atomic<bool> stop = false;
    int minibatches = 0;
    const EpochReport report = trainer.train_epoch(
        yin_yang(), [&](const EpochReport&) { stop = ++minibatches == 2 && team.rank() == 1; },
        &stop);
    EXPECT_FALSE(report.complete);
    samples[team.rank()] = trainer.state().epoch.sums.samples;
  });
  EXPECT_EQ(samples, std::vector<std::size_t>(3, 150));
}

TEST(Team, does_not_train_different_networks) {
  std::vector<std::string> said(2);
  Crowd(2).run([&](Team& team) {
    Network<float> network = wide();
    if (team.rank() == 1) network.projections()[0].weight[3] += 1e-6F;
    TrainHooks<float> hooks;
    hooks.team = &team;
    Trainer<float> trainer(network, built_in_loss<float>({}, 3), 0.06, settings(), hooks);
    said[team.rank()] = refusal([&] { trainer.train_epoch(yin_yang()); });
  });
  for (const std::string& one : said) {
    EXPECT_THAT(one, HasSubstr("process 2 of 2 holds another network"));
  }
}

}  // namespace
}  // namespace saltus
