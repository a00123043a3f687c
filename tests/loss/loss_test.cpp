// SPDX-License-Identifier: Apache-2.0
#include "saltus/losses.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "loss/cross_entropy.hpp"
#include "random/random.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::refusal;
using test::spikes_of;
using ::testing::ElementsAre;

Network<double> network(Model model, std::size_t outputs = 3) {
  Network<double> n;
  n.add_input("in", outputs);
  Population p;
  p.name = "out";
  p.model = model;
  p.size = outputs;
  n.add_population(p);
  std::vector<double> w(outputs * outputs, 0.0);
  for (std::size_t k = 0; k < outputs; ++k) w[k * outputs + k] = 1;
  n.connect("in", "out", w);
  return n;
}

// The loss of first spikes at given times: nothing else of a record counts.
LossResult<double> first_spikes(const LossSettings& settings, const Spikes& out,
                                const std::vector<std::int32_t>& labels) {
  const auto n = network(Model::lif);
  const Spikes in = spikes_of(std::vector<std::vector<std::pair<double, int>>>(out.samples()));
  const double ends[] = {1.0};
  Record<double> record;
  record.samples = out.samples();
  record.populations.resize(2);
  record.populations[0].spikes = in;
  record.populations[1].spikes = out;
  record.populations[1].currents.assign(out.times.size(), 1);
  return evaluate(settings, n, {{in}, ends}, record, 1, labels);
}

// Where the scores of an LI readout come out as wanted: one input spike per output.
struct Readout {
  Network<double> network;
  Spikes in;
  std::vector<double> ends = {infinity};
  Record<double> record;
  Inputs inputs() const { return {{in}, ends}; }

  explicit Readout(std::vector<double> gains, std::size_t samples = 1)
      : network(saltus::network(Model::li, gains.size())) {
    std::vector<std::vector<std::pair<double, int>>> all(samples);
    for (std::size_t s = 0; s < samples; ++s) {
      for (std::size_t k = 0; k < gains.size(); ++k) {
        all[s].emplace_back(1e-3 * static_cast<double>(k + s), static_cast<int>(k));
        network.projections()[0].weight[k * gains.size() + k] = gains[k];
      }
    }
    in = spikes_of(all);
    record = simulate(network, inputs());
  }
};

TEST(CrossEntropy, IsMinusTheLogarithmOfTheSoftmaxAndItsErrorsAreItsDifferences) {
  Random random(1, Purpose::synthetic);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> scores(1 + random.below(6)), errors(scores.size()), ignored(scores.size());
    for (double& s : scores) s = random.uniform(-5, 5);
    const std::size_t label = random.below(static_cast<std::uint32_t>(scores.size()));
    double sum = 0;
    for (const double s : scores) sum += std::exp(s);
    EXPECT_NEAR(cross_entropy(scores, label, errors), std::log(sum) - scores[label], 1e-13);
    for (std::size_t k = 0; k < scores.size(); ++k) {
      constexpr double step = 1e-5;
      auto up = scores, down = scores;
      up[k] += step;
      down[k] -= step;
      const double slope =
          (cross_entropy(up, label, ignored) - cross_entropy(down, label, ignored)) / (2 * step);
      EXPECT_NEAR(errors[k], slope, 1e-9);
    }
  }
}

TEST(CrossEntropy, DoesNotOverflow) {
  std::vector<double> scores = {1e5, -1e5, 0}, errors(3);
  EXPECT_EQ(cross_entropy(scores, 1, errors), 2e5);
  EXPECT_THAT(errors, ElementsAre(1, -1, 0));
  EXPECT_EQ(cross_entropy(scores, 0, errors), 0);
  EXPECT_THAT(errors, ElementsAre(0, 0, 0));
}

TEST(FirstSpike, HasTheValueOfThePaper) {
  LossSettings settings;
  settings["tau_0"] = 2e-3;
  settings["tau_1"] = 10e-3;
  settings["alpha"] = 0.05;
  const auto result =
      first_spikes(settings, spikes_of({{{4e-3, 1}, {5e-3, 0}, {7e-3, 2}, {8e-3, 0}}}), {0});
  const double sum = std::exp(-5.0 / 2) + std::exp(-4.0 / 2) + std::exp(-7.0 / 2);
  EXPECT_NEAR(result.value, -std::log(std::exp(-5.0 / 2) / sum) + 0.05 * (std::exp(5.0 / 10) - 1),
              1e-14);
  EXPECT_THAT(result.predictions, ElementsAre(1));
  EXPECT_EQ(result.correct, 0u);
  EXPECT_EQ(result.silent, 0u);
}

TEST(FirstSpike, ErrorsAreTheDifferencesOfItsValueByTheTimes) {
  LossSettings settings;
  settings["tau_0"] = 2e-3;
  settings["alpha"] = 0.1;
  const std::vector<std::vector<std::pair<double, int>>> samples = {
      {{4e-3, 1}, {5e-3, 0}, {7e-3, 2}, {8e-3, 0}, {9e-3, 1}},
      {{2e-3, 2}, {6e-3, 2}, {7e-3, 0}},
      {{3e-3, 0}, {4e-3, 1}}};
  const std::vector<std::int32_t> labels = {0, 2, 1};
  const auto result = first_spikes(settings, spikes_of(samples), labels);
  const Spikes spikes = spikes_of(samples);
  std::size_t not_zero = 0;
  ASSERT_EQ(result.errors.populations[1].spikes.size(), spikes.times.size());
  for (std::size_t k = 0; k < spikes.times.size(); ++k) {
    constexpr double step = 1e-8;
    Spikes up = spikes, down = spikes;
    up.times[k] += step;
    down.times[k] -= step;
    const double slope =
        (first_spikes(settings, up, labels).value - first_spikes(settings, down, labels).value) /
        (2 * step);
    EXPECT_NEAR(result.errors.populations[1].spikes[k], slope, 1e-4)
        << k;  // of some 100 per second
    not_zero += slope != 0;
  }
  EXPECT_EQ(not_zero, 7u);  // the first spikes
  EXPECT_TRUE(result.errors.populations[0].spikes.empty());
}

TEST(FirstSpike, AnOutputWithoutASpikeCountsAsLateAndGetsNoError) {
  LossSettings settings;
  settings["tau_0"] = 10e-3;
  settings["alpha"] = 0;
  settings["t_missing"] = 30e-3;
  const auto result = first_spikes(settings, spikes_of({{{5e-3, 0}, {8e-3, 1}}}), {0});
  const double sum = std::exp(-0.5) + std::exp(-0.8) + std::exp(-3.0);
  EXPECT_NEAR(result.value, -std::log(std::exp(-0.5) / sum), 1e-15);
  EXPECT_THAT(result.predictions, ElementsAre(0));
  EXPECT_EQ(result.correct, 1u);
  EXPECT_EQ(result.silent, 0u);
  EXPECT_NEAR(result.errors.populations[1].spikes[1], -std::exp(-0.8) / sum / 10e-3, 1e-12);
}

TEST(FirstSpike, ASampleWhoseLabelIsSilentGivesNoErrorsOfSpikes) {
  LossSettings settings;
  settings["silent_pull"] = 0;
  const auto result =
      first_spikes(settings, spikes_of({{{5e-3, 0}, {6e-3, 2}}, {}, {{1e-3, 1}}}), {1, 0, 1});
  for (const std::size_t k : {0u, 1u}) EXPECT_EQ(result.errors.populations[1].spikes[k], 0);
  EXPECT_NE(result.errors.populations[1].spikes[2], 0);
  EXPECT_EQ(result.silent, 2u);
  EXPECT_EQ(result.correct, 1u);
  EXPECT_THAT(result.predictions, ElementsAre(0, -1, 1));
  const double alone = first_spikes(settings, spikes_of({{{1e-3, 1}}}), {1}).value;
  EXPECT_NEAR(result.value, (alone + 2 * settings["t_missing"] / settings["tau_0"]) / 3, 1e-12);
  // Moving the other outputs changes nothing.
  const auto moved =
      first_spikes(settings, spikes_of({{{4e-3, 0}, {6.5e-3, 2}}, {}, {{1e-3, 1}}}), {1, 0, 1});
  EXPECT_EQ(result.value, moved.value);
}

TEST(FirstSpike, ASilentLabelIsPulledUpByItsLargestV) {
  auto n = network(Model::lif);
  n.projections()[0].weight = {0.5, 0, 0, 0, 9, 0, 0, 0, 9};  // output 0 stays below its threshold
  const Spikes in = spikes_of({{{1e-3, 0}, {2e-3, 1}}, {{1e-3, 2}, {3e-3, 0}, {9e-3, 0}}});
  const double ends[] = {infinity};
  const Inputs inputs{{in}, ends};
  const auto record = simulate(n, inputs);
  const std::vector<std::int32_t> labels = {0, 0};
  LossSettings settings;
  settings["silent_pull"] = 0;
  const auto without = evaluate(settings, n, inputs, record, 1, labels);
  settings["silent_pull"] = 3;
  const auto with = evaluate(settings, n, inputs, record, 1, labels);
  EXPECT_EQ(with.silent, 2u);

  n.populations()[1].become(Model::li);  // the same V, where there is no spike
  const auto maxima = saltus::maxima(n, inputs, simulate(n, inputs), 1);
  const double mean = (maxima.values[0] + maxima.values[3]) / 2;
  EXPECT_GT(mean, 0.05);
  EXPECT_NEAR(with.value, without.value - 3 * mean, 1e-13);
  EXPECT_THAT(with.errors.populations[1].maxima, ElementsAre(-1.5, 0, 0, -1.5, 0, 0));
  EXPECT_EQ(with.errors.maxima[1].values[3], maxima.values[3]);
  EXPECT_EQ(with.errors.maxima[1].times[3], maxima.times[3]);
  EXPECT_TRUE(without.errors.populations[1].maxima.empty());
}

TEST(FirstSpike, IsTheMeanOverTheSamples) {
  const LossSettings settings;
  const auto a = first_spikes(settings, spikes_of({{{5e-3, 0}, {5.5e-3, 2}, {6e-3, 1}}}), {1});
  const auto b = first_spikes(settings, spikes_of({{{4e-3, 0}, {4.5e-3, 2}, {6e-3, 1}}}), {0});
  const auto both = first_spikes(
      settings,
      spikes_of({{{5e-3, 0}, {5.5e-3, 2}, {6e-3, 1}}, {{4e-3, 0}, {4.5e-3, 2}, {6e-3, 1}}}),
      {1, 0});
  EXPECT_NEAR(both.value, (a.value + b.value) / 2, 1e-13);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(both.errors.populations[1].spikes[k], a.errors.populations[1].spikes[k] / 2, 1e-9);
    EXPECT_NEAR(both.errors.populations[1].spikes[3 + k], b.errors.populations[1].spikes[k] / 2,
                1e-9);
  }
}

// softmax - one-hot, over the number of samples.
void expect_softmax(const std::vector<double>& scores, const std::vector<double>& errors,
                    double value, const std::vector<std::int32_t>& labels, double scale) {
  const std::size_t size = scores.size() / labels.size();
  double mean = 0;
  for (std::size_t s = 0; s < labels.size(); ++s) {
    double sum = 0;
    for (std::size_t n = 0; n < size; ++n) sum += std::exp(scores[s * size + n]);
    for (std::size_t n = 0; n < size; ++n) {
      const double p = std::exp(scores[s * size + n]) / sum;
      const bool hit = static_cast<std::int32_t>(n) == labels[s];
      EXPECT_NEAR(errors[s * size + n],
                  scale * (p - (hit ? 1 : 0)) / static_cast<double>(labels.size()), 1e-13 * scale);
      if (hit) mean -= std::log(p) / static_cast<double>(labels.size());
    }
  }
  EXPECT_NEAR(value, mean, 1e-14);
}

TEST(MaximumVoltage, IsTheSoftmaxCrossEntropyOfTheMaxima) {
  const Readout r({5, 9, -3}, 2);
  LossSettings settings;
  settings.kind = "maximum_voltage";
  const std::vector<std::int32_t> labels = {0, 1};
  const auto result = evaluate(settings, r.network, r.inputs(), r.record, 1, labels);
  const auto m = maxima(r.network, r.inputs(), r.record, 1);
  expect_softmax(m.values, result.errors.populations[1].maxima, result.value, labels, 1);
  EXPECT_EQ(result.errors.maxima[1].times, m.times);
  EXPECT_EQ(result.errors.maxima[1].places, m.places);
  EXPECT_THAT(result.predictions, ElementsAre(1, 1));
  EXPECT_EQ(result.correct, 1u);
  EXPECT_EQ(result.silent, 0u);
  // By hand: a weight w peaks at w k_peak with k_peak = x (1 - x^3) / 3, x^3 = 1/4 for p = 4.
  const double x = std::cbrt(0.25);
  EXPECT_NEAR(m.values[0], 5 * x * 0.25, 1e-15);
}

TEST(MaximumVoltage, AnOutputThatNeverRisesIsSilent) {
  const Readout r({5, -2, 0});
  LossSettings settings;
  settings.kind = "maximum_voltage";
  const std::vector<std::int32_t> label = {1};
  const auto result = evaluate(settings, r.network, r.inputs(), r.record, 1, label);
  EXPECT_EQ(result.silent, 1u);
  EXPECT_THAT(result.predictions, ElementsAre(0));
  const Readout dead({-1, -2, -1});
  const auto none = evaluate(settings, dead.network, dead.inputs(), dead.record, 1, label);
  EXPECT_THAT(none.predictions, ElementsAre(-1));
  EXPECT_EQ(none.silent, 1u);
  EXPECT_EQ(none.correct, 0u);
  EXPECT_NEAR(none.value, std::log(3.0), 1e-15);
}

TEST(IntegratedVoltage, IsTheSoftmaxCrossEntropyOfTheIntegralsOverTauIntegral) {
  const Readout r({5, 9, -3}, 2);
  LossSettings settings;
  settings.kind = "integrated_voltage";
  settings["tau_integral"] = 4e-3;
  const std::vector<std::int32_t> labels = {2, 1};
  const auto result = evaluate(settings, r.network, r.inputs(), r.record, 1, labels);
  std::vector<double> scores;  // the integral of a response is w tau_syn
  for (int s = 0; s < 2; ++s) {
    for (const double w : {5.0, 9.0, -3.0}) scores.push_back(w * 5e-3 / 4e-3);
  }
  expect_softmax(scores, result.errors.populations[1].integrals, result.value, labels, 1 / 4e-3);
  EXPECT_THAT(result.predictions, ElementsAre(1, 1));
  EXPECT_EQ(result.silent, 0u);  // -3 speaks against itself
  EXPECT_TRUE(result.errors.populations[1].maxima.empty());
}

TEST(IntegratedVoltage, AnOutputThatNothingReachesIsSilent) {
  const Readout r({5, -2, 0});
  LossSettings settings;
  settings.kind = "integrated_voltage";
  for (const auto& [label, silent] : {std::pair{0, 0u}, {1, 0u}, {2, 1u}}) {
    const std::vector<std::int32_t> labels = {label};
    EXPECT_EQ(evaluate(settings, r.network, r.inputs(), r.record, 1, labels).silent, silent);
  }
  const Readout dead({0, 0, 0}, 2);
  const std::vector<std::int32_t> labels = {0, 1};
  const auto none = evaluate(settings, dead.network, dead.inputs(), dead.record, 1, labels);
  EXPECT_EQ(none.silent, 2u);
  EXPECT_THAT(none.predictions, ElementsAre(-1, -1));
}

TEST(Loss, RefusesLabelsOutsideOfTheReadoutOrOfAWrongNumber) {
  const Readout r({1, 2, 3}, 2);
  for (const char* kind : {"maximum_voltage", "integrated_voltage"}) {
    LossSettings settings;
    settings.kind = kind;
    const auto refused = [&](std::vector<std::int32_t> labels) {
      return refusal([&] { evaluate(settings, r.network, r.inputs(), r.record, 1, labels); });
    };
    EXPECT_EQ(refused({0, 2}), "");
    EXPECT_EQ(refused({0, 3}), "label 1 is 3; 'out' has outputs 0 to 2");
    EXPECT_EQ(refused({-1, 0}), "label 0 is -1; 'out' has outputs 0 to 2");
    EXPECT_EQ(refused({0}), "1 labels for 2 samples");
    EXPECT_EQ(refused({}), "0 labels for 2 samples");
  }
  EXPECT_EQ(refusal([] { first_spikes({}, spikes_of({{}}), {3}); }),
            "label 0 is 3; 'out' has outputs 0 to 2");
}

TEST(Loss, RefusesAReadoutOfTheWrongModel) {
  const Readout r({1, 2, 3});
  const std::vector<std::int32_t> label = {0};
  LossSettings settings;
  EXPECT_EQ(refusal([&] { evaluate(settings, r.network, r.inputs(), r.record, 1, label); }),
            "loss first_spike needs LIF outputs; 'out' is LI");
  EXPECT_EQ(refusal([&] { evaluate(settings, r.network, r.inputs(), r.record, 0, label); }),
            "loss first_spike needs LIF outputs; 'in' is input");
  const auto lif = network(Model::lif);
  for (const char* kind : {"maximum_voltage", "integrated_voltage"}) {
    settings.kind = kind;
    EXPECT_EQ(
        refusal([&] { evaluate(settings, lif, r.inputs(), simulate(lif, r.inputs()), 1, label); }),
        std::string("loss ") + kind + " needs LI outputs; 'out' is LIF");
  }
}

TEST(Loss, IsFoundByItsNameAndAnUnknownOneListsThem) {
  for (const NamedLoss& loss : losses()) EXPECT_EQ(&find_loss(loss.name), &loss);
  EXPECT_EQ(loss_names(), "first_spike, maximum_voltage, integrated_voltage or spike_count");
  EXPECT_EQ(refusal([] { find_loss("mse"); }),
            "no loss is called 'mse'; there are: first_spike, maximum_voltage, "
            "integrated_voltage, spike_count");
}

TEST(LossSettings, HaveTheirDefaultsUntilTheyAreAssignedAndUnknownOnesAreListed) {
  LossSettings settings;
  const LossSettings& read = settings;
  EXPECT_EQ(read["tau_0"], 0.5e-3);
  settings["tau_0"] = 1;
  EXPECT_EQ(read["tau_0"], 1);
  const std::string message =
      "no setting of a loss is called 'tau'; there are: tau_0, tau_1, alpha, t_missing, "
      "silent_pull, tau_integral, tau_count, count_gain";
  EXPECT_EQ(refusal([&] { settings["tau"] = 1; }), message);
  EXPECT_EQ(refusal([&] { static_cast<void>(read["tau"]); }), message);
}

TEST(Loss, IsNotAddedUnderANameThatIsTaken) {
  NamedLoss again = find_loss("first_spike");
  EXPECT_EQ(refusal([&] { add_loss(again); }),
            "a loss is called 'first_spike' already; expected a new name");
  again.name = "another";
  EXPECT_EQ(refusal([&] { add_loss(again); }),
            "loss another: another has a setting 'tau_0'; expected a new name");
}

TEST(Loss, OfAnEmptyBatchIsZero) {
  LossSettings settings;
  const auto result = first_spikes(settings, Spikes{}, {});
  EXPECT_EQ(result.value, 0);
  EXPECT_TRUE(result.predictions.empty());
}

}  // namespace
}  // namespace saltus
