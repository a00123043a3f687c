// SPDX-License-Identifier: Apache-2.0
// What a sample may take: a network that runs away is told by name, the same for all threads and
// kernels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "saltus/error.hpp"
#include "saltus/simulate.hpp"
#include "saltus/state.hpp"
#include "saltus/task.hpp"
#include "saltus/train.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using testing::HasSubstr;

// What its 50 neurons are.
struct Runaway {
  Model model = Model::lif;
  double v_reset = 0;
  double tau_ref = 0;
  Delay recurrent = Delay::common(1e-3);  // none: feed-forward
  double weight = 5;
};

Network<double> network_of(const Runaway& r) {
  Network<double> network;
  network.add_input("in", 2);
  Population p{"hidden", r.model, 50, {}};
  p["v_reset"] = r.v_reset;
  if (p.model->has("tau_ref")) p["tau_ref"] = r.tau_ref;
  network.add_population(std::move(p));
  network.connect("in", "hidden", std::vector<double>(100, 10.0));
  if (r.recurrent.kind != Delay::Kind::none) {
    network.connect("hidden", "hidden", std::vector<double>(2500, r.weight), r.recurrent);
  }
  return network;
}

// Samples 0 and 2 are silent.
const Spikes& driven() {
  static const Spikes spikes =
      test::spikes_of({{}, {{1e-3, 0}, {2e-3, 1}}, {}, {{1e-3, 0}}, {{2e-3, 0}, {3e-3, 1}}});
  return spikes;
}

Options with(std::size_t spikes, int threads = 1, Kernel kernel = Kernel::vector,
             std::optional<Way> way = {}) {
  Options options{threads, kernel, way, {}};
  options.limits.max_spikes_per_sample = spikes;
  return options;
}

constexpr double ends[] = {50e-3};

template <class Real>
std::string refused(const Network<Real>& network, const Options& options) {
  return test::refusal<LimitExceeded>([&] {
    simulate(network, Inputs{{driven().view()}, ends}, options);
  });
}

std::vector<Runaway> all_runaways() {
  Delay each{Delay::Kind::per_synapse, std::vector<double>(2500, 1e-3)};
  each.values[7] = 2e-3;
  return {{},
          {Model::lif, 0, 1e-4},
          {Model::lif, 0, 0, each},
          {Model::lif, 0.9999999, 0, Delay::none()},
          {Model::lif, 0.9999999, 1e-7, Delay::none()},
          {Model::alif},
          {Model::alif, 0, 1e-4, each},
          {Model::named("LIF:alpha"), 0.9999999, 0, Delay::none()},
          {Model::named("LIF:delta"), 0, 0, Delay::common(1e-4)}};
}

TEST(Limits, ASampleThatRunsAwayIsToldByNameTheSameForThreadsAndKernels) {
  for (const Runaway& r : all_runaways()) {
    const Network<double> network = network_of(r);
    const std::string told = refused(network, with(5000));
    EXPECT_THAT(told, HasSubstr("sample 1: population 'hidden' takes it over 5000 spikes by 0.0"))
        << r.model->name;
    EXPECT_THAT(told, HasSubstr("a higher max_spikes_per_sample"));
    for (const int threads : {1, 2, 4, 0}) {
      for (const Kernel kernel : {Kernel::vector, Kernel::scalar}) {
        EXPECT_EQ(refused(network, with(5000, threads, kernel)), told) << r.model->name;
      }
    }
  }
}

TEST(Limits, EveryWayKnowsTheSampleAndThePopulation) {
  for (const Way way : {Way::windows, Way::event_loop}) {
    EXPECT_THAT(refused(network_of({}), with(5000, 1, Kernel::vector, way)),
                HasSubstr("sample 1: population 'hidden' takes it over 5000 spikes by 0.0"));
  }
}

// As many as there are is no error, one less is; and the limit changes no bit.
TEST(Limits, ALimitIsTheNumberThatIsStillAllowed) {
  Runaway calm{Model::lif, 0, 5e-3};
  calm.weight = 0.5;
  for (const auto& delay : {Delay::none(), Delay::common(1e-3)}) {
    calm.recurrent = delay;
    const Network<double> network = network_of(calm);
    const Inputs inputs{{driven().view()}, ends};
    const Record<double> free = simulate(network, inputs);
    const auto& offsets = free.populations[1].spikes.offsets;
    std::size_t most = 0;
    for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
      most = std::max(most, static_cast<std::size_t>(offsets[s + 1] - offsets[s]));
    }
    ASSERT_GT(most, 1u);
    for (const auto way : {std::optional<Way>(), std::optional(Way::event_loop)}) {
      const Record<double> unlimited =
          simulate(network, inputs, Options{1, Kernel::vector, way, {}});
      EXPECT_TRUE(test::same_bits(simulate(network, inputs, with(most, 2, Kernel::vector, way)),
                                  unlimited));
      EXPECT_NE(refused(network, with(most - 1, 2, Kernel::vector, way)), "");
    }
  }
}

TEST(Limits, TheTimeIsThatOfTheSpikeTooMany) {
  const Network<double> network = network_of({Model::lif, 0.9, 0, Delay::none()});
  const Record<double> all = simulate(network, Inputs{{driven().view()}, ends});
  const Spikes& spikes = all.populations[1].spikes;
  const std::size_t allowed = 200;
  const double time = spikes.times[static_cast<std::size_t>(spikes.offsets[1]) + allowed];
  const std::string told = refused(network, with(allowed));
  const auto at = told.find(" by ");
  ASSERT_NE(at, told.npos) << told;
  EXPECT_NEAR(std::stod(told.substr(at + 4)), time, 0.015 * time) << told;
}

TEST(Limits, MemoryIsThatOfTheRecord) {
  Options options;
  options.limits.max_memory_per_sample = 28 * 5000;
  EXPECT_THAT(refused(network_of({}), options), HasSubstr("over 140000 bytes of spikes by 0.0"));
  options.limits.max_memory_per_sample = 20 * 5000;
  EXPECT_THAT(refused(convert<float>(network_of({})), options), HasSubstr("100000 bytes"));
  // The lower one counts.
  options.limits.max_spikes_per_sample = 100;
  EXPECT_THAT(refused(network_of({}), options), HasSubstr("over 100 spikes"));
}

TEST(Limits, SecondsAreThoseOfTheProcessor) {
  for (const Runaway& r : all_runaways()) {
    Options options;
    options.limits = {10'000'000, 0, 0.02};
    constexpr double long_after[] = {5.0};
    const std::string told = test::refusal<LimitExceeded>([&] {
      simulate(network_of(r), Inputs{{driven().view()}, long_after}, options);
    });
    EXPECT_THAT(told, HasSubstr("sample 1: population 'hidden' had come to")) << r.model->name;
    EXPECT_THAT(told, HasSubstr("0.02 s of processor time were over")) << r.model->name;
    EXPECT_THAT(told, HasSubstr("max_seconds_per_sample")) << r.model->name;
  }
}

TEST(Limits, SecondsOfAShortSampleCountToo) {
  Options options;
  options.limits = {0, 0, 1e-9};
  EXPECT_THAT(refused(network_of({Model::lif, 0, 1e-3}), options),
              HasSubstr("1e-09 s of processor time were over"));
}

TEST(Limits, ARunThatGoesOnCountsItsOwnSpikes) {
  const Network<double> network = network_of({Model::lif, 0, 1e-3});
  const double first[] = {10e-3};
  const Inputs before{{driven().view()}, first};
  const Record<double> record = simulate(network, before);
  Inputs inputs{{}, first};
  const Spikes none = test::spikes_of({{}, {}, {}, {}, {}});
  inputs.spikes = {none.view()};
  inputs.state = std::make_shared<State>(final_state(network, before, record));
  const auto told = [&](std::size_t spikes) {
    return test::refusal<LimitExceeded>([&] { simulate(network, inputs, with(spikes, 2)); });
  };
  EXPECT_THAT(told(100), HasSubstr("sample 1: population 'hidden'"));
  EXPECT_EQ(told(100000), "");
}

TEST(Limits, ATrainingNamesTheSampleOfTheData) {
  RunSettings s = default_settings("yinyang");
  s.train.batch = 4;
  s.hidden = {20};
  s.v_reset = 0.9999999;
  s.train_samples = 40;
  s.t_end = 50e-3;
  s.train.max_spikes_per_sample = 20000;
  const TaskData data = load_data(s);
  const auto network = build_network<float>(s, data.train);
  Trainer<float> trainer(network, network.index("out"), s.loss, s.t_end, s.train);
  const std::string in_training =
      test::refusal<LimitExceeded>([&] { trainer.train_epoch(data.train); });
  EXPECT_THAT(in_training, HasSubstr("over 20000 spikes"));
  const auto number = std::stoul(in_training.substr(std::string("sample ").size()));
  // That sample alone does it too.
  const auto alone = data::slice(data.train, number, 1);
  EXPECT_THAT(test::refusal<LimitExceeded>([&] { trainer.evaluate(alone); }),
              HasSubstr("sample 0: "));
  EXPECT_THAT(test::refusal<LimitExceeded>([&] { trainer.evaluate(data.test); }),
              HasSubstr("over 20000 spikes"));
}

}  // namespace
}  // namespace saltus
