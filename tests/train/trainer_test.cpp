// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <thread>

#include "saltus/task.hpp"
#include "saltus/train.hpp"
#include "support/support.hpp"
#include "train/minibatch.hpp"

namespace saltus {
namespace {

using test::nan;
using test::refusal;
using test::same_bits;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const data::LabelledSpikes& yin_yang() {
  static const auto data = data::encode(data::yin_yang(300, 42));
  return data;
}

RunSettings small(const char* loss = "first_spike") {
  RunSettings s = default_settings("yinyang");
  s.hidden = {30};
  s.loss.kind = loss;
  s.train.batch = 50;
  s.train.seed = 3;
  return s;
}

template <class Real = double>
Trainer<Real> trainer(
    const RunSettings& s, const std::function<void(Network<Real>&)>& change = [](auto&) {}) {
  RunSettings first = s;
  first.train.trainable = {"weights"};
  auto network = build_network<Real>(first, yin_yang());
  change(network);
  const std::size_t out = network.index("out");
  return Trainer<Real>(std::move(network), out, s.loss, s.t_end, s.train);
}

template <class Real>
Network<Real> trained(const RunSettings& s, int epochs = 2) {
  auto t = trainer<Real>(s);
  for (int e = 0; e < epochs; ++e) t.train_epoch(yin_yang());
  return t.network();
}

template <class Real>
bool same_weights(const Network<Real>& a, const Network<Real>& b) {
  for (std::size_t k = 0; k < a.projections().size(); ++k) {
    if (!same_bits(a.projections()[k].weight, b.projections()[k].weight)) return false;
  }
  return true;
}

// Hidden neurons spike several times before an output does.
void several_spikes(Network<double>& n) {
  for (double& w : n.projections()[0].weight) w *= 5;
  for (double& w : n.projections()[1].weight) w *= 0.1;
}

template <class Real>
void loss_falls(const char* kind, double most, double least_accuracy) {
  RunSettings s = small(kind);
  s.hidden = {100};  // with 30, how far a maximum of V gets is a matter of the seed
  s.train.batch = 10;
  auto t = trainer<Real>(s);
  const Evaluation before = t.evaluate(yin_yang());
  EpochReport last;
  for (int e = 0; e < 30; ++e) last = t.train_epoch(yin_yang());
  const Evaluation after = t.evaluate(yin_yang());
  std::printf("%s: loss %.3f -> %.3f, accuracy %.2f -> %.2f\n", kind, before.loss, after.loss,
              before.accuracy, after.accuracy);
  EXPECT_LT(after.loss, most * before.loss);
  EXPECT_LT(last.loss, before.loss);
  EXPECT_GT(after.accuracy, least_accuracy);  // a third by chance
  EXPECT_EQ(t.epochs_done(), 30);
}

TEST(Trainer, LowersTheLossOfFirstSpikesOnYinYang) {
  loss_falls<float>("first_spike", 0.5, 0.6);
  loss_falls<double>("first_spike", 0.5, 0.6);
}
TEST(Trainer, LowersTheLossOfMaximumVoltageOnYinYang) {
  loss_falls<float>("maximum_voltage", 0.9, 0.5);
}
TEST(Trainer, LowersTheLossOfIntegratedVoltageOnYinYang) {
  loss_falls<float>("integrated_voltage", 0.9, 0.5);
}

template <class Real>
void threads_do_not_matter() {
  RunSettings s = small();
  s.train.input_dropout = 0.1;
  s.train.revive = 0.1;
  const auto one = trained<Real>(s);
  for (const int threads : {2, 3, 0}) {
    s.train.threads = threads;
    EXPECT_TRUE(same_weights(one, trained<Real>(s))) << threads;
  }
}

TEST(Trainer, AnyNumberOfThreadsGivesTheSameBits) {
  threads_do_not_matter<float>();
  threads_do_not_matter<double>();
}

TEST(Trainer, TheSameSeedGivesTheSameBitsAndAnotherSeedOthers) {
  RunSettings s = small();
  EXPECT_TRUE(same_weights(trained<float>(s), trained<float>(s)));
  auto a = trainer<float>(s);
  RunSettings other = s;
  other.train.seed = 4;
  EXPECT_FALSE(
      same_weights(build_network<float>(s, yin_yang()), build_network<float>(other, yin_yang())));
  // The same first weights in another order of the samples.
  auto b =
      trainer<float>(other, [&](Network<float>& n) { n = build_network<float>(s, yin_yang()); });
  ASSERT_TRUE(same_weights(a.network(), b.network()));
  a.train_epoch(yin_yang());
  b.train_epoch(yin_yang());
  EXPECT_FALSE(same_weights(a.network(), b.network()));
}

// The trainer is no more than simulate, evaluate, backward and a step, in order of the shuffle.
TEST(Trainer, OneStepIsAStepAlongTheGradientOfTheMean) {
  RunSettings s = small("maximum_voltage");
  s.train.batch = 300;
  s.train.optimizer = OptimizerKind::sgd;
  s.train.momentum = 0;
  s.train.lr = 0.25;
  s.train.schedule = ScheduleKind::constant;
  auto t = trainer<double>(s);
  const Network<double> before = t.network();
  const double ends[] = {s.t_end};
  const Inputs inputs{{yin_yang().spikes}, ends};
  const auto record = simulate(before, inputs);
  const auto loss = evaluate(s.loss, before, inputs, record, 2, yin_yang().labels);
  const auto g = backward(before, inputs, record, loss.errors);
  const EpochReport report = t.train_epoch(yin_yang());
  double norm = 0;
  for (std::size_t k = 0; k < 2; ++k) {
    for (std::size_t i = 0; i < g.weights[k].size(); ++i) {
      EXPECT_NEAR(t.network().projections()[k].weight[i],
                  before.projections()[k].weight[i] - 0.25 * g.weights[k][i], 1e-12);
      norm += g.weights[k][i] * g.weights[k][i];
    }
  }
  EXPECT_NEAR(report.gradient_norm, std::sqrt(norm), 1e-10 * std::sqrt(norm));
  EXPECT_NEAR(report.loss, loss.value, 1e-12);
  EXPECT_NEAR(report.accuracy, static_cast<double>(loss.correct) / 300, 1e-15);
  EXPECT_EQ(report.silent_labels, loss.silent);
  EXPECT_EQ(report.samples, 300u);
  EXPECT_EQ(report.epoch, 1);
  EXPECT_EQ(report.lr, 0.25);
  EXPECT_TRUE(report.complete);
  EXPECT_NEAR(report.hidden_spikes_per_sample,
              static_cast<double>(record.populations[1].currents.size()) / 300, 1e-12);
}

TEST(Trainer, EvaluationIsTheMeanOverAllSamples) {
  for (const char* kind : {"first_spike", "maximum_voltage"}) {
    const RunSettings s = small(kind);
    auto t = trainer<double>(s);
    const double ends[] = {s.t_end};
    const Inputs inputs{{yin_yang().spikes}, ends};
    const auto record = simulate(t.network(), inputs);
    const auto loss = evaluate(s.loss, t.network(), inputs, record, 2, yin_yang().labels);
    const Network<double> before = t.network();
    const Evaluation e = t.evaluate(yin_yang());  // 300 samples: more than one batch of it
    EXPECT_NEAR(e.loss, loss.value, 1e-12 * loss.value);
    EXPECT_NEAR(e.accuracy, static_cast<double>(loss.correct) / 300, 1e-15);
    EXPECT_EQ(e.samples, 300u);
    EXPECT_EQ(e.silent_labels, loss.silent);
    EXPECT_NEAR(e.hidden_spikes_per_sample,
                static_cast<double>(record.populations[1].currents.size()) / 300, 1e-12);
    EXPECT_EQ(t.network(), before);
    EXPECT_EQ(evaluate(t.network(), 2, s.loss, s.t_end, yin_yang()).loss, e.loss);
  }
}

// --- dropout -----------------------------------------------------------------------------------

TEST(Minibatch, GathersTheSamplesAskedForInTheirOrder) {
  Minibatch batch;
  const std::vector<std::uint32_t> samples = {7, 0, 7};
  batch.gather(yin_yang(), samples);
  EXPECT_EQ(batch.spikes.samples(), 3u);
  const auto& all = yin_yang();
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_EQ(batch.labels[k], all.labels[samples[k]]);
    const auto from = all.spikes.offsets[samples[k]], to = all.spikes.offsets[samples[k] + 1];
    ASSERT_EQ(batch.spikes.offsets[k + 1] - batch.spikes.offsets[k], to - from);
    for (auto i = from; i < to; ++i) {
      const auto at = static_cast<std::size_t>(batch.spikes.offsets[k] + i - from);
      EXPECT_EQ(batch.spikes.times[at], all.spikes.times[static_cast<std::size_t>(i)]);
      EXPECT_EQ(batch.spikes.neurons[at], all.spikes.neurons[static_cast<std::size_t>(i)]);
    }
  }
}

TEST(Minibatch, DropoutLeavesOutItsShareAndDependsOnSeedEpochAndSampleOnly) {
  std::vector<std::uint32_t> samples(300);
  std::iota(samples.begin(), samples.end(), 0u);
  const auto gather = [&](double dropout, std::uint64_t seed, std::uint32_t epoch) {
    Minibatch batch;
    batch.gather(yin_yang(), samples, dropout, seed, epoch);
    validate(batch.spikes.view(), 5, "batch");
    return batch.spikes;
  };
  const double count = static_cast<double>(yin_yang().spikes.times.size());
  const Spikes a = gather(0.3, 1, 0);
  EXPECT_NEAR(static_cast<double>(a.times.size()), 0.7 * count, 5 * std::sqrt(0.21 * count));
  EXPECT_EQ(a, gather(0.3, 1, 0));
  EXPECT_NE(a, gather(0.3, 2, 0));
  EXPECT_NE(a, gather(0.3, 1, 1));
  EXPECT_EQ(gather(0, 1, 0), yin_yang().spikes);
  // Whatever batch a sample is in.
  Minibatch one;
  const std::vector<std::uint32_t> alone = {123};
  one.gather(yin_yang(), alone, 0.3, 1, 0);
  const auto from = a.offsets[123], to = a.offsets[124];
  EXPECT_EQ(one.spikes.times, std::vector<double>(a.times.begin() + from, a.times.begin() + to));
}

TEST(Trainer, DropoutChangesTrainingByTheSeedAndLeavesEvaluationAlone) {
  RunSettings s = small();
  s.train.input_dropout = 0.2;
  const auto a = trained<float>(s, 1), b = trained<float>(s, 1);
  EXPECT_TRUE(same_weights(a, b));
  RunSettings without = s;
  without.train.input_dropout = 0;
  EXPECT_FALSE(same_weights(a, trained<float>(without, 1)));
  EXPECT_EQ(trainer<float>(s).evaluate(yin_yang()).loss,
            trainer<float>(without).evaluate(yin_yang()).loss);
}

// --- clip, revive, stop ------------------------------------------------------------------------

TEST(Trainer, ClipsALongGradientToTheNormAndLeavesAShortOne) {
  RunSettings s = small("maximum_voltage");
  s.train.batch = 300;
  s.train.optimizer = OptimizerKind::sgd;
  s.train.momentum = 0;
  s.train.lr = 1;
  s.train.schedule = ScheduleKind::constant;
  const auto step_of = [&](double clip, double& norm) {
    s.train.clip_norm = clip;
    auto t = trainer<double>(s);
    const auto before = t.network();
    norm = t.train_epoch(yin_yang()).gradient_norm;
    std::vector<double> step;
    for (std::size_t k = 0; k < 2; ++k) {
      for (std::size_t i = 0; i < before.projections()[k].weight.size(); ++i) {
        step.push_back(before.projections()[k].weight[i] - t.network().projections()[k].weight[i]);
      }
    }
    return step;
  };
  const auto length = [](const std::vector<double>& v) {
    return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
  };
  double norm = 0, same_norm = 0;
  const auto free = step_of(0, norm);
  ASSERT_GT(norm, 0);
  EXPECT_NEAR(length(free), norm, 1e-10 * norm);
  const auto clipped = step_of(norm / 4, same_norm);
  EXPECT_EQ(same_norm, norm);  // reported before clipping
  for (std::size_t k = 0; k < free.size(); ++k) {
    EXPECT_NEAR(clipped[k], free[k] / 4, 1e-12 * norm);
  }
  EXPECT_EQ(step_of(norm * 2, same_norm), free);
}

TEST(Trainer, ReviveLeavesWeightsThatAreNotTrained) {
  RunSettings s = small();
  s.train.lr = 0;
  s.train.revive = 0.5;
  s.train.trainable = {"tau_mem", "hidden->out.weight"};
  auto t = trainer<double>(s, [](Network<double>& n) {
    std::ranges::fill(n.projections()[0].weight,
                      -0.1);  // all are silent, but the outputs alone are reached
  });
  const Network<double> before = t.network();
  EXPECT_EQ(t.train_epoch(yin_yang()).revived, 3u);
  EXPECT_EQ(t.network().projections()[0].weight, before.projections()[0].weight);
  EXPECT_NE(t.network().projections()[1].weight, before.projections()[1].weight);
}

TEST(Trainer, ReviveRaisesTheWeightsIntoNeuronsThatNeverSpikedAndNoOthers) {
  RunSettings s = small();
  s.train.lr = 0;  // nothing else moves
  s.train.revive = 0.5;
  const auto silence = [](Network<double>& n) {
    for (std::size_t i = 0; i < 5; ++i) {
      n.projections()[0].weight[i * 30 + 4] = -0.1;
      n.projections()[0].weight[i * 30 + 29] = -0.2;
    }
  };
  auto t = trainer<double>(s, silence);
  const Network<double> before = t.network();
  const double ends[] = {s.t_end};
  const auto record = simulate(before, {{yin_yang().spikes}, ends});
  std::size_t silent_outputs = 0;
  for (int out = 0; out < 3; ++out) {
    const auto& spiked = record.populations[2].spikes.neurons;
    silent_outputs += std::find(spiked.begin(), spiked.end(), out) == spiked.end();
  }
  const auto report = t.train_epoch(yin_yang());
  EXPECT_GE(report.silent_neurons, 2u);
  EXPECT_EQ(report.revived, report.silent_neurons);
  double square = 0;
  for (const double w : before.projections()[0].weight) square += w * w;
  const double raise_of_first = 0.5 * std::sqrt(square / 150);
  std::vector<double> raised;
  for (std::size_t j = 0; j < 30; ++j) {
    const auto change = [&](std::size_t i) {
      return t.network().projections()[0].weight[i * 30 + j] -
             before.projections()[0].weight[i * 30 + j];
    };
    for (std::size_t i = 1; i < 5; ++i) EXPECT_NEAR(change(i), change(0), 1e-12);
    if (change(0) != 0) raised.push_back(change(0));
    if (j == 4 || j == 29) {
      EXPECT_NE(change(0), 0) << j;
    }
  }
  ASSERT_FALSE(raised.empty());
  EXPECT_EQ(raised.size() + silent_outputs, report.silent_neurons);
  EXPECT_NEAR(raised[0], raise_of_first, 1e-12);
  // Those after it see weights that have been raised already.
  for (const double r : raised) EXPECT_NEAR(r, raise_of_first, 0.2 * raise_of_first);
  // Without it they stay silent.
  s.train.revive = 0;
  auto still = trainer<double>(s, silence);
  EXPECT_EQ(still.train_epoch(yin_yang()).revived, 0u);
  EXPECT_TRUE(same_weights(still.network(), before));
}

TEST(Trainer, BringsASilentLayerBackToLife) {
  RunSettings s = small();
  s.train.revive = 0.3;
  auto t = trainer<double>(s, [](Network<double>& n) {
    for (double& w : n.projections()[0].weight) w = 0.2;
  });
  EXPECT_EQ(t.train_epoch(yin_yang()).hidden_spikes_per_sample, 0);
  double spikes = 0;
  for (int e = 0; e < 20 && spikes == 0; ++e) {
    spikes = t.train_epoch(yin_yang()).hidden_spikes_per_sample;
  }
  EXPECT_GT(spikes, 0);
}

// A recurrent network that runs away: 50 neurons that make each other spike for a thousand seconds.
TEST(Trainer, IsStoppedWithinASample) {
  for (const int threads : {1, 2}) {
    RunSettings s = small("integrated_voltage");
    s.recurrent = true;
    s.recurrent_delay = 1e-3;
    s.t_end = 1000;
    s.train.threads = threads;
    auto t = trainer<double>(s, [](Network<double>& network) {
      for (auto& p : network.projections()) {
        if (p.source == p.target) std::fill(p.weight.begin(), p.weight.end(), 5.0);
      }
    });
    const auto before = t.network();
    std::atomic<bool> stop = false;
    const std::jthread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      stop = true;
    });
    const auto begun = std::chrono::steady_clock::now();
    const EpochReport report = t.train_epoch(yin_yang(), {}, &stop);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
    EXPECT_FALSE(report.complete);
    EXPECT_EQ(report.samples, 0u);
    EXPECT_EQ(t.network(), before);
  }
}

TEST(Trainer, StopsBetweenMinibatchesAndDoesNotCountTheEpoch) {
  RunSettings s = small();
  auto t = trainer<float>(s);
  std::atomic<bool> stop = false;
  std::vector<std::size_t> told;
  const auto report = t.train_epoch(
      yin_yang(),
      [&](const EpochReport& so_far) {
        told.push_back(so_far.samples);
        if (so_far.samples == 100) stop = true;
      },
      &stop);
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(report.samples, 100u);
  EXPECT_THAT(told, ElementsAre(50, 100));
  EXPECT_EQ(t.epochs_done(), 0);
  EXPECT_GT(report.loss, 0);
  // Stopped from the start: nothing happens at all.
  const auto before = t.network();
  EXPECT_EQ(t.train_epoch(yin_yang(), {}, &stop).samples, 100u);
  EXPECT_EQ(t.network(), before);
  // The rest of the epoch.
  stop = false;
  told.clear();
  const auto whole = t.train_epoch(
      yin_yang(), [&](const EpochReport& so_far) { told.push_back(so_far.samples); }, &stop);
  EXPECT_TRUE(whole.complete);
  EXPECT_EQ(whole.samples, 300u);
  EXPECT_THAT(told, ElementsAre(150, 200, 250, 300));
  EXPECT_EQ(t.epochs_done(), 1);
}

TEST(Trainer, TellsAboutEveryMinibatchTheLastMayBeSmaller) {
  RunSettings s = small();
  s.train.batch = 128;
  std::vector<std::size_t> told;
  double last = 0;
  auto t = trainer<float>(s);
  const auto report = t.train_epoch(yin_yang(), [&](const EpochReport& so_far) {
    told.push_back(so_far.samples);
    last = so_far.loss;
  });
  EXPECT_THAT(told, ElementsAre(128, 256, 300));
  EXPECT_EQ(last, report.loss);
}

// --- what is trained ---------------------------------------------------------------------------

TEST(Trainer, ChangesWhatIsTrainableAndNothingElse) {
  for (const ParameterRow& parameter : Model::lif->parameters) {
    RunSettings s = small();
    s.t_end = 60e-3;
    s.train.trainable = {std::string(parameter.name)};
    s.train.lr = 1e-5;
    auto t = trainer<double>(s, [](Network<double>& n) {
      several_spikes(n);
      n.populations()[1]["tau_ref"] = 1e-3;
      n.populations()[1]["bias"] = Parameter(std::vector<double>(30, 0.05));
    });
    const Network<double> before = t.network();
    t.train_epoch(yin_yang());
    Network<double> after = t.network();
    EXPECT_NE(after.populations()[1][parameter.name], before.populations()[1][parameter.name])
        << parameter.name;
    for (std::size_t p = 1; p < 3; ++p) {
      if (!after.populations()[p].model->has(parameter.name)) continue;
      after.populations()[p][parameter.name] = before.populations()[p][parameter.name];
    }
    EXPECT_EQ(after, before) << parameter.name;
  }
}

TEST(Trainer, TrainsDelaysAndNeverBelowZero) {
  RunSettings s = small();
  s.train.trainable = {"delays"};
  s.train.lr_of = {"delays=0.2e-3"};
  auto t = trainer<double>(s, [](Network<double>& n) {
    n.projections()[0].delay = Delay::per_synapse(std::vector<double>(150, 0.1e-3));
    n.projections()[1].delay = Delay::per_source(std::vector<double>(30, 5e-3));
  });
  const Network<double> before = t.network();
  for (int e = 0; e < 3; ++e) t.train_epoch(yin_yang());
  EXPECT_TRUE(same_weights(t.network(), before));
  const auto& d = t.network().projections()[0].delay.values;
  EXPECT_EQ(*std::min_element(d.begin(), d.end()), 0);
  EXPECT_GT(*std::max_element(d.begin(), d.end()), 0.2e-3);
  EXPECT_NE(t.network().projections()[1].delay, before.projections()[1].delay);
}

TEST(Trainer, NoStepTakesTheResetToTheThreshold) {
  RunSettings s = small();
  s.t_end = 60e-3;
  s.train.trainable = {"v_reset"};
  s.train.lr = 10;
  auto t = trainer<double>(s, [](Network<double>& n) {
    several_spikes(n);
    n.populations()[1]["v_reset"] = Parameter(std::vector<double>(30, 0.5));  // some will rise
  });
  std::size_t clamped = 0;
  for (int e = 0; e < 5; ++e) clamped += t.train_epoch(yin_yang()).clamped;
  EXPECT_GT(clamped, 0U);
  t.network().check();
}

TEST(Trainer, AStepAtMostHalvesATimeConstant) {
  RunSettings s = small();
  s.train.trainable = {"tau_mem"};
  s.train.lr_of = {"hidden.tau_mem=0.1", "tau_mem=0"};  // that of the parameter counts
  s.train.batch = yin_yang().size();                    // one step
  auto t = trainer<double>(s, [](Network<double>& n) {
    n.populations()[1]["tau_mem"] = Parameter(std::vector<double>(30, 20e-3));
  });
  const Parameter readout = t.network().populations()[2]["tau_mem"];
  const EpochReport report = t.train_epoch(yin_yang());
  const auto& tau_mem = t.network().populations()[1]["tau_mem"].values();
  const auto halved = std::ranges::count(tau_mem, 10e-3);
  EXPECT_GT(halved, 0);
  EXPECT_EQ(report.clamped, static_cast<std::size_t>(halved));
  EXPECT_EQ(t.network().populations()[2]["tau_mem"], readout);
}

// Unless told otherwise a step in seconds is one of a small part of a sensible change.
TEST(Trainer, AStepOfATimeIsScaledToTimes) {
  RunSettings s = small();
  s.train.trainable = {"weights", "tau_mem", "tau_syn", "delays"};
  s.train.lr = 5e-3;
  auto t = trainer<double>(s, [](Network<double>& n) {
    n.projections()[0].delay = Delay::per_synapse(std::vector<double>(150, 2e-3));
  });
  const Network<double> before = t.network();
  std::size_t clamped = 0;
  const double first = t.train_epoch(yin_yang()).loss;
  double last = first;
  for (int e = 0; e < 4; ++e) {
    const EpochReport report = t.train_epoch(yin_yang());
    clamped += report.clamped;
    last = report.loss;
  }
  EXPECT_LT(last, first);
  EXPECT_EQ(clamped, 0U);
  EXPECT_NE(t.network().populations()[1]["tau_mem"], before.populations()[1]["tau_mem"]);
  EXPECT_NE(t.network().projections()[0].delay, before.projections()[0].delay);
}

TEST(Trainer, RefusesRatesThatMeanNothing) {
  const auto refused = [](std::vector<std::string> lr_of, double lr) {
    RunSettings s = small();
    auto network = build_network<float>(s, yin_yang());
    s.train.lr_of = std::move(lr_of);
    s.train.lr = lr;
    return refusal([&] { Trainer<float>(network, 2, s.loss, s.t_end, s.train); });
  };
  EXPECT_EQ(refused({"weights=1e-3", "in->hidden.weight=2e-3"}, 5e-3), "");
  for (const char* text :
       {"weights", "weights=", "weights=fast", "weights=-1", "=1", "weights=nan"}) {
    EXPECT_THAT(refused({text}, 5e-3), HasSubstr("expected a name and a finite number")) << text;
  }
  EXPECT_THAT(refused({"weights=1", "weights=2"}, 5e-3), HasSubstr("lr_of names 'weights' twice"));
  EXPECT_THAT(refused({"taus=1"}, 5e-3), HasSubstr("lr_of names 'taus'; expected weights, delays"));
  EXPECT_THAT(
      refused({"tau_mem=1"}, 5e-3),
      HasSubstr("lr_of names 'tau_mem', which is not trained; expected what trainable names: "
                "weights"));
  EXPECT_THAT(refused({"weights=1"}, 0), HasSubstr("lr is 0; expected a number above 0"));
}

// --- errors ------------------------------------------------------------------------------------

TEST(Trainer, RefusesSettingsOutOfRangeAndNamesFieldAndValue) {
  const auto refused = [](const std::function<void(TrainSettings&)>& change) {
    RunSettings s = small();
    auto network = build_network<float>(s, yin_yang());
    change(s.train);
    return refusal([&] { Trainer<float>(network, 2, s.loss, s.t_end, s.train); });
  };
  EXPECT_EQ(refused([](auto&) {}), "");
  const auto starts = [&](const std::function<void(TrainSettings&)>& change, const char* start) {
    EXPECT_THAT(refused(change), ::testing::StartsWith(start));
  };
  starts([](auto& s) { s.epochs = -1; }, "epochs is -1; expected ");
  starts([](auto& s) { s.batch = 0; }, "batch is 0; expected ");
  starts([](auto& s) { s.threads = -2; }, "threads is -2; expected ");
  starts([](auto& s) { s.lr = -0.5; }, "lr is -0.5; expected ");
  starts([](auto& s) { s.lr = nan; }, "lr is nan; expected ");
  starts([](auto& s) { s.lr = infinity; }, "lr is inf; expected ");
  starts([](auto& s) { s.lr_final = -1; }, "lr_final is -1; expected ");
  starts([](auto& s) { s.lr_final = nan; }, "lr_final is nan; expected ");
  starts([](auto& s) { s.momentum = 1; }, "momentum is 1; expected ");
  starts([](auto& s) { s.momentum = -0.1; }, "momentum is -0.1; expected ");
  starts([](auto& s) { s.beta_1 = 1; }, "beta_1 is 1; expected ");
  starts([](auto& s) { s.beta_1 = nan; }, "beta_1 is nan; expected ");
  starts([](auto& s) { s.beta_2 = 1.5; }, "beta_2 is 1.5; expected ");
  starts([](auto& s) { s.epsilon = 0; }, "epsilon is 0; expected ");
  starts([](auto& s) { s.weight_decay = -0.1; }, "weight_decay is -0.1; expected ");
  starts([](auto& s) { s.weight_decay = nan; }, "weight_decay is nan; expected ");
  starts([](auto& s) { s.decay = 0; }, "decay is 0; expected ");
  starts([](auto& s) { s.decay = 1.01; }, "decay is 1.01; expected ");
  starts([](auto& s) { s.clip_norm = -1; }, "clip_norm is -1; expected ");
  starts([](auto& s) { s.clip_norm = nan; }, "clip_norm is nan; expected ");
  starts([](auto& s) { s.input_dropout = 1; }, "input_dropout is 1; expected ");
  starts([](auto& s) { s.input_dropout = -0.2; }, "input_dropout is -0.2; expected ");
  starts([](auto& s) { s.revive = -1; }, "revive is -1; expected ");
  starts([](auto& s) { s.revive = infinity; }, "revive is inf; expected ");
  EXPECT_EQ(refused([](auto& s) {
              s.trainable = {"weights", "taus"};
            }),
            "trainable names 'taus'; expected weights, delays, tau_mem, tau_syn, v_threshold, "
            "v_reset, bias, tau_ref, v_initial, i_initial, tau_adapt, beta, a_initial, tau_rise, "
            "tau_syn_ex, tau_syn_in, frequency, u_reset, u_initial, or one parameter such as "
            "'hidden.tau_mem'");
}

TEST(Trainer, RefusesDataThatDoNotFitTheNetwork) {
  const RunSettings s = small();
  auto t = trainer<float>(s);
  const Network<float> before = t.network();
  const auto refused = [&](const std::function<void(data::LabelledSpikes&)>& change) {
    auto data = data::slice(yin_yang(), 0, 10);
    change(data);
    const std::string message = refusal([&] { t.train_epoch(data); });
    EXPECT_EQ(message, refusal([&] { t.evaluate(data); }));
    return message;
  };
  EXPECT_EQ(refused([](auto& d) { d.channels = 6; }), "the data have 6 channels; input 'in' has 5");
  EXPECT_EQ(refused([](auto& d) { d = data::slice(d, 0, 0); }), "the data hold no samples");
  EXPECT_THAT(refused([](auto& d) { d.spikes.times[2] = nan; }), HasSubstr("in.times[2] is nan"));
  EXPECT_EQ(refused([](auto& d) { d.labels[4] = 3; }), "label 4 is 3; 'out' has outputs 0 to 2");
  EXPECT_EQ(refused([](auto& d) { d.labels[4] = -1; }), "label 4 is -1; 'out' has outputs 0 to 2");
  EXPECT_EQ(refused([](auto& d) { d.labels.push_back(0); }),
            "the data hold 10 samples and 11 labels; expected as many");
  EXPECT_EQ(t.network(), before);
}

// Two inputs whose channels stand one after the other in the data, against one of all channels.
TEST(Trainer, OfSeveralInputsIsThatOfOneWithAllTheirChannels) {
  const RunSettings s = small();
  const auto one = build_network<double>(s, yin_yang());
  Network<double> two;
  two.add_input("a", 2);
  two.add_input("b", 3);
  two.add_population(one.populations()[1]);
  two.add_population(one.populations()[2]);
  const auto& w = one.projections()[0].weight;
  const auto cut = w.begin() + 2 * 30;
  two.connect("a", "hidden", {w.begin(), cut});
  two.connect("b", "hidden", {cut, w.end()});
  two.connect("hidden", "out", one.projections()[1].weight);
  Trainer<double> a(one, 2, s.loss, s.t_end, s.train), b(two, 3, s.loss, s.t_end, s.train);
  EXPECT_NEAR(a.evaluate(yin_yang()).loss, b.evaluate(yin_yang()).loss, 1e-12);
  const auto first = a.train_epoch(yin_yang()), second = b.train_epoch(yin_yang());
  EXPECT_NEAR(first.loss, second.loss, 1e-9);
  EXPECT_EQ(first.hidden_spikes_per_sample, second.hidden_spikes_per_sample);
}

TEST(Trainer, TakesTheEndOfEachSampleFromTheData) {
  const RunSettings s = small();
  auto data = yin_yang();
  const auto before = trainer(s).evaluate(data);
  data.t_end.assign(data.size(), s.t_end);
  EXPECT_EQ(trainer(s).evaluate(data).loss, before.loss);
  // The second half sees nothing.
  const std::size_t half = data.size() / 2;
  std::fill(data.t_end.begin() + static_cast<std::ptrdiff_t>(half), data.t_end.end(), 0);
  const auto after = trainer(s).evaluate(data);
  EXPECT_LT(before.silent_samples, data.size() - half);
  EXPECT_GE(after.silent_samples, data.size() - half);
  EXPECT_LE(after.silent_samples, data.size() - half + before.silent_samples);
  EXPECT_EQ(after.predictions.back(), -1);
  EXPECT_NE(before.predictions.back(), -1);
  data.t_end.back() = nan;
  EXPECT_THAT(refusal([&] { trainer(s).train_epoch(data); }), HasSubstr("is nan"));
  data.t_end.pop_back();
  EXPECT_EQ(refusal([&] { trainer(s).evaluate(data); }),
            "the data hold 300 samples and 299 of t_end; expected as many");
}

TEST(Trainer, PenaltiesOfWeightsAreInTheGradient) {
  RunSettings s = small();
  s.train.optimizer = OptimizerKind::sgd;
  s.train.momentum = 0;
  s.train.batch = 300;
  s.train.lr = 1e-3;
  s.train.schedule = ScheduleKind::constant;
  auto plain = trainer(s);
  const auto before = plain.network();
  plain.train_epoch(yin_yang());
  s.train.l1 = 0.5;
  s.train.l2 = 0.25;
  auto with = trainer(s);
  with.train_epoch(yin_yang());
  for (std::size_t p = 0; p < before.projections().size(); ++p) {
    for (std::size_t k = 0; k < before.projections()[p].weight.size(); ++k) {
      const double w = before.projections()[p].weight[k];
      const double step =
          plain.network().projections()[p].weight[k] - with.network().projections()[p].weight[k];
      EXPECT_NEAR(step, 1e-3 * (0.5 * (w > 0 ? 1 : -1) + 0.25 * w), 1e-15);
    }
  }
}

TEST(Trainer, RefusesANetworkWithoutAnInputAndAReadoutOfTheWrongModel) {
  const RunSettings s = small();
  auto network = build_network<float>(s, yin_yang());
  auto two = network;
  two.add_input("more", 1);
  EXPECT_EQ(
      refusal([&] { Trainer<float>(two, 2, s.loss, s.t_end, s.train).train_epoch(yin_yang()); }),
      "the data have 5 channels; input 'in' has 5, input 'more' has 1");
  Network<float> none;
  none.add_population(Population{"out", Model::lif, 3, {}});
  EXPECT_EQ(refusal([&] { Trainer<float>(none, 0, s.loss, s.t_end, s.train); }),
            "training needs a network with an input; this has none");
  LossSettings loss = s.loss;
  loss.kind = "maximum_voltage";
  EXPECT_EQ(
      refusal([&] { Trainer<float>(network, 2, loss, s.t_end, s.train).train_epoch(yin_yang()); }),
      "loss maximum_voltage needs LI outputs; 'out' is LIF");
  auto broken = network;
  broken.populations()[1]["tau_mem"] = -1.0;
  EXPECT_THAT(refusal([&] { Trainer<float>(broken, 2, s.loss, s.t_end, s.train); }),
              HasSubstr("hidden.tau_mem[0] is -1"));
  EXPECT_THAT(
      refusal([&] { Trainer<float>(network, 2, s.loss, nan, s.train).train_epoch(yin_yang()); }),
      HasSubstr("t_end[0] is nan"));
}

}  // namespace
}  // namespace saltus
