// SPDX-License-Identifier: Apache-2.0
// Properties of the backward pass. That its gradients are right is tests/gradient's business.
#include "saltus/adjoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include "gradcheck/gradcheck.hpp"
#include "random/random.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::nan;
using test::refusal;
using test::same_bits;
using test::spikes_of;
using ::testing::HasSubstr;

// in(3) -> x(4, recurrent) -> out(2), all kinds of delay, parameters shared and per neuron.
struct Small {
  Network<double> network;
  Spikes in;
  std::vector<double> ends;
  Record<double> record;
  Errors<double> errors{3};

  explicit Small(std::size_t samples = 3) {
    Random random(1, Purpose::synthetic);
    const auto draw = [&](std::size_t count, double mean, double spread) {
      std::vector<double> v(count);
      for (double& x : v) x = mean + spread * random.normal();
      return v;
    };
    network.add_input("in", 3);
    Population p;
    p.name = "x";
    p.size = 4;
    p["tau_mem"] = Parameter({15e-3, 20e-3, 25e-3, 12e-3});
    p["v_reset"] = Parameter({0, -0.2, 0.1, -0.1});
    p["tau_ref"] = 1e-3;
    p["bias"] = 0.1;
    network.add_population(p);
    p = Population{};
    p.name = "out";
    p.become(Model::li);
    p.size = 2;
    p["tau_syn"] = Parameter({5e-3, 7e-3});
    network.add_population(p);
    network.connect("in", "x", draw(12, 3, 2), Delay::per_synapse(std::vector(12, 1e-3)));
    network.connect("x", "x", draw(16, -0.2, 0.3), Delay::common(2e-3));
    network.connect("x", "out", draw(8, 0.2, 1), Delay::per_source({1e-3, 0, 2e-3, 3e-3}));
    network.connect("in", "out", draw(6, 0.2, 1));
    std::vector<std::vector<std::pair<double, int>>> all(samples);
    for (auto& sample : all) {
      for (int k = 0; k < 8; ++k) {
        sample.emplace_back(random.uniform(0, 20e-3), static_cast<int>(random.below(3)));
      }
      std::sort(sample.begin(), sample.end());
    }
    in = spikes_of(all);
    for (std::size_t s = 0; s < samples; ++s) ends.push_back(random.uniform(30e-3, 50e-3));
    record = simulate(network, inputs());
    const auto uniform = [&](std::size_t count) {
      std::vector<double> v(count);
      for (double& x : v) x = random.uniform(-1, 1);
      return v;
    };
    errors.populations[1].spikes = uniform(record.populations[1].currents.size());
    errors.populations[1].integrals = uniform(samples * 4);
    errors.populations[2].maxima = uniform(samples * 2);
    errors.populations[2].sample_times = {5e-3, 20e-3};
    errors.populations[2].samples = uniform(samples * 4);
    errors.maxima[2] = maxima(network, inputs(), record, 2);
  }
  Inputs inputs() const { return {{in}, ends}; }
  Gradients<double> gradients(const Wanted& wanted = {}) const {
    return backward(network, inputs(), record, errors, wanted);
  }
};

TEST(Backward, GradientsHaveTheShapesOfTheParameters) {
  const Small s;
  const auto g = s.gradients();
  ASSERT_EQ(g.weights.size(), 4u);
  ASSERT_EQ(g.delays.size(), 4u);
  ASSERT_EQ(g.neurons.size(), 3u);
  ASSERT_EQ(g.times.size(), 3u);
  for (std::size_t k = 0; k < 4; ++k) {
    EXPECT_EQ(g.weights[k].size(), s.network.projections()[k].weight.size());
    EXPECT_EQ(g.delays[k].size(), s.network.projections()[k].delay.values.size());
  }
  for (std::size_t p = 0; p < 3; ++p) {
    const Population& population = s.network.populations()[p];
    for (const ParameterRow& row : population.model->parameters) {
      EXPECT_EQ(g.neurons[p][row.name].size(), population[row.name].values().size())
          << population.name << "." << row.name;
    }
  }
  EXPECT_EQ(g.times[0].size(), s.in.times.size());
  EXPECT_TRUE(g.times[1].empty());
  EXPECT_TRUE(g.times[2].empty());
  // Nothing is forgotten: each tensor has an entry that is not 0.
  Network<double> copy = s.network;
  for (const auto& tensor : gradcheck::tensors(copy, g)) {
    EXPECT_TRUE(std::any_of(tensor.gradient->begin(), tensor.gradient->end(), [](double v) {
      return v != 0 && std::isfinite(v);
    })) << tensor.name;
  }
}

TEST(Backward, WhatIsWantedDoesNotChangeTheOtherGradients) {
  const Small s;
  const auto all = s.gradients();
  for (int bits = 0; bits < 8; ++bits) {
    const Wanted wanted{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
    const auto g = s.gradients(wanted);
    for (std::size_t k = 0; k < 4; ++k) {
      EXPECT_TRUE(same_bits(g.weights[k], all.weights[k])) << bits;
      EXPECT_TRUE(wanted.delays ? same_bits(g.delays[k], all.delays[k]) : g.delays[k].empty());
    }
    for (std::size_t p = 0; p < 3; ++p) {
      EXPECT_TRUE(wanted.input_times ? same_bits(g.times[p], all.times[p]) : g.times[p].empty());
      const auto &x = g.neurons[p].parameters, &y = all.neurons[p].parameters;
      EXPECT_EQ(x.size(), wanted.neurons ? y.size() : 0);
      for (std::size_t q = 0; q < x.size(); ++q) {
        EXPECT_TRUE(same_bits(x[q], y[q])) << bits << " " << p << " " << q;
      }
    }
  }
  for (int each = 0; each < 8; ++each) {  // one parameter of LIF
    Wanted wanted;
    for (const auto& n : all.neurons) wanted.only.emplace_back(n.parameters.size(), false);
    wanted.only[1][static_cast<std::size_t>(each)] = true;
    const auto g = s.gradients(wanted);
    for (std::size_t p = 0; p < 3; ++p) {
      for (std::size_t q = 0; q < all.neurons[p].parameters.size(); ++q) {
        const auto& found = g.neurons[p].parameters[q];
        const bool asked = p == 1 && q == static_cast<std::size_t>(each);
        EXPECT_TRUE(asked ? same_bits(found, all.neurons[p].parameters[q]) : found.empty());
      }
    }
  }
  const Wanted only = Wanted::weights_only();
  EXPECT_FALSE(only.delays || only.input_times || only.neurons);
}

TEST(Backward, IsLinearInTheErrors) {
  Small s;
  const auto all = s.gradients();
  const Errors<double> given = s.errors;
  Gradients<double> sum;
  const auto add = [&](const Gradients<double>& part, double factor) {
    Network<double> copy = s.network;
    auto mine = sum.weights.empty() ? part : sum;
    const auto a = gradcheck::tensors(copy, mine), b = gradcheck::tensors(copy, part);
    for (std::size_t k = 0; k < a.size(); ++k) {
      auto& to = const_cast<std::vector<double>&>(*a[k].gradient);
      for (std::size_t i = 0; i < to.size(); ++i) {
        to[i] = (sum.weights.empty() ? 0 : to[i]) + factor * (*b[k].gradient)[i];
      }
    }
    for (std::size_t i = 0; i < mine.times[0].size(); ++i) {
      mine.times[0][i] = (sum.weights.empty() ? 0 : mine.times[0][i]) + factor * part.times[0][i];
    }
    sum = mine;
  };
  for (int part = 0; part < 4; ++part) {  // each kind alone, three times as large
    s.errors = Errors<double>(3);
    s.errors.maxima = given.maxima;
    auto &x = s.errors.populations[1], &out = s.errors.populations[2];
    const auto tripled = [](std::vector<double> v) {
      for (double& e : v) e *= 3;
      return v;
    };
    if (part == 0) x.spikes = tripled(given.populations[1].spikes);
    if (part == 1) x.integrals = tripled(given.populations[1].integrals);
    if (part == 2) out.maxima = tripled(given.populations[2].maxima);
    if (part == 3) {
      out.samples = tripled(given.populations[2].samples);
      out.sample_times = given.populations[2].sample_times;
    }
    add(s.gradients(), 1.0 / 3);
  }
  std::string where;
  EXPECT_LE(test::largest_difference(s.network, all, sum, 1e-11, 1, &where), 1e-11) << where;
}

TEST(Backward, OfABatchIsTheSumOverItsSamples) {
  const std::size_t samples = 7;
  const Small s(samples);
  const auto all = s.gradients();
  Small alone(samples);
  Gradients<double> sum;
  std::vector<double> times;
  for (std::size_t k = 0; k < samples; ++k) {
    Small one(samples);
    const auto first = s.in.offsets[k], last = s.in.offsets[k + 1];
    one.in = Spikes{{0, last - first},
                    {s.in.times.begin() + first, s.in.times.begin() + last},
                    {s.in.neurons.begin() + first, s.in.neurons.begin() + last}};
    one.ends = {s.ends[k]};
    one.record = simulate(one.network, one.inputs());
    one.errors = Errors<double>(3);
    const auto part = [&](const std::vector<double>& v, std::size_t stride) {
      const auto from = v.begin() + static_cast<std::ptrdiff_t>(k * stride);
      return std::vector<double>(from, from + static_cast<std::ptrdiff_t>(stride));
    };
    const auto& spikes = s.record.populations[1].spikes;
    one.errors.populations[1].spikes.assign(
        s.errors.populations[1].spikes.begin() + spikes.offsets[k],
        s.errors.populations[1].spikes.begin() + spikes.offsets[k + 1]);
    one.errors.populations[1].integrals = part(s.errors.populations[1].integrals, 4);
    one.errors.populations[2].maxima = part(s.errors.populations[2].maxima, 2);
    one.errors.populations[2].samples = part(s.errors.populations[2].samples, 4);
    one.errors.populations[2].sample_times = s.errors.populations[2].sample_times;
    one.errors.maxima[2] = maxima(one.network, one.inputs(), one.record, 2);
    const auto g = one.gradients();
    times.insert(times.end(), g.times[0].begin(), g.times[0].end());
    if (k == 0) {
      sum = g;
      continue;
    }
    Network<double> copy = s.network;
    const auto a = gradcheck::tensors(copy, sum), b = gradcheck::tensors(copy, g);
    for (std::size_t t = 0; t < a.size(); ++t) {
      auto& to = const_cast<std::vector<double>&>(*a[t].gradient);
      for (std::size_t i = 0; i < to.size(); ++i) to[i] += (*b[t].gradient)[i];
    }
  }
  EXPECT_TRUE(same_bits(times, all.times[0]));
  sum.times[0] = times;
  std::string where;
  EXPECT_LE(test::largest_difference(s.network, all, sum, 1e-12, 1, &where), 1e-12) << where;
}

TEST(Backward, WithoutErrorsIsZeroEverywhere) {
  Small s;
  s.errors = Errors<double>(3);
  const auto g = s.gradients();
  Network<double> copy = s.network;
  for (const auto& tensor : gradcheck::tensors(copy, g)) {
    for (const double v : *tensor.gradient) EXPECT_EQ(v, 0) << tensor.name;
  }
  for (const double v : g.times[0]) EXPECT_EQ(v, 0);
  EXPECT_FALSE(g.times[0].empty());
}

// --- maxima at infinity ------------------------------------------------------------------------

TEST(Backward, AMaximumAtInfinityIsTheBiasAndHasOnlyItsGradient) {
  for (const bool shared : {true, false}) {
    Network<double> n;
    n.add_input("in", 1);
    Population p;
    p.name = "out";
    p.become(Model::li);
    p.size = 2;
    p["bias"] = shared ? Parameter(0.5) : Parameter({0.5, 0.5});
    n.add_population(p);
    n.connect("in", "out", {-2, -1}, Delay::common(1e-3));
    const Spikes in = spikes_of({{{1e-3, 0}}, {{2e-3, 0}}});
    const double ends[] = {infinity};
    const Inputs inputs{{in}, ends};
    const auto record = simulate(n, inputs);
    Errors<double> errors(2);
    errors.maxima[1] = maxima(n, inputs, record, 1);
    for (const double time : errors.maxima[1].times) ASSERT_EQ(time, infinity);
    errors.populations[1].maxima = {1, 20, 300, 4000};
    const auto g = backward(n, inputs, record, errors);
    EXPECT_EQ(g.neurons[1]["bias"],
              shared ? std::vector<double>{4321} : (std::vector<double>{301, 4020}));
    Network<double> copy = n;
    for (const auto& tensor : gradcheck::tensors(copy, g)) {
      if (tensor.name == "out.bias") continue;
      for (const double v : *tensor.gradient) EXPECT_EQ(v, 0) << tensor.name;
    }
    for (const double v : g.times[0]) EXPECT_EQ(v, 0);
  }
}

TEST(Backward, AMaximumAtTheStartIsTheInitialVoltage) {
  Network<double> n;
  n.add_input("in", 1);
  Population p;
  p.name = "out";
  p.become(Model::li);
  p.size = 1;
  p["v_initial"] = 0.5;
  n.add_population(p);
  n.connect("in", "out", {-2});
  const Spikes in = spikes_of({{{1e-3, 0}}});
  const double ends[] = {20e-3};
  const Inputs inputs{{in}, ends};
  const auto record = simulate(n, inputs);
  Errors<double> errors(2);
  errors.maxima[1] = maxima(n, inputs, record, 1);
  errors.populations[1].maxima = {7};
  const auto g = backward(n, inputs, record, errors);
  EXPECT_NEAR(g.neurons[1]["v_initial"][0], 7, 1e-14);
  Network<double> copy = n;
  for (const auto& tensor : gradcheck::tensors(copy, g)) {
    if (tensor.name == "out.v_initial") continue;
    for (const double v : *tensor.gradient) EXPECT_EQ(v, 0) << tensor.name;
  }
}

// --- float32 -----------------------------------------------------------------------------------

// At the very time of a spike V is that just before it, whether or not anything lies later.
TEST(Backward, ASampleAtASpikeIsTheOneJustBeforeIt) {
  std::size_t compared = 0;
  for (const Model model : {Model::lif, Model::named("ALIF")}) {
    for (const double tau_ref : {0.0, 2e-3}) {
      Network<double> n;
      n.add_input("in", 1);
      Population p;
      p.name = "x";
      p.size = 1;
      p.become(model);
      p["tau_ref"] = tau_ref;
      n.add_population(p);
      n.connect("in", "x", {20});
      const Spikes in = spikes_of({{{1e-3, 0}}});
      const double ends[] = {50e-3};
      const Inputs inputs{{in}, ends};
      const auto record = simulate(n, inputs);
      const auto& times = record.populations[1].spikes.times;
      ASSERT_GE(times.size(), 2u);
      for (const double spike : times) {
        for (const bool later : {false, true}) {
          const auto at = [&](double time) {
            Errors<double> errors(2);
            errors.populations[1].sample_times = {time};
            errors.populations[1].samples = {1};
            if (later) {
              errors.populations[1].sample_times.push_back(45e-3);
              errors.populations[1].samples.push_back(1);
            }
            return backward(n, inputs, record, errors);
          };
          EXPECT_LE(test::largest_difference(n, at(spike), at(std::nextafter(spike, 0)), 1e-12),
                    1e-12)
              << model->name << " " << tau_ref << " " << spike << " " << later;
          ++compared;
        }
      }
    }
  }
  EXPECT_GE(compared, 16u);
}

// Neurons without a refractory time beside refractory ones: each as it is alone.
TEST(Backward, RefractoryNeuronsDoNotChangeTheGradientsOfOthers) {
  const Spikes in = spikes_of({{{1e-3, 0}, {4e-3, 0}}});
  const double ends[] = {50e-3};
  const Inputs inputs{{in}, ends};
  std::vector<Gradients<double>> found;
  for (const Parameter& tau_ref : {Parameter(0.0), Parameter({0, 2e-3})}) {
    Network<double> n;
    n.add_input("in", 1);
    Population p;
    p.name = "x";
    p.size = 2;
    p["tau_ref"] = tau_ref;
    n.add_population(p);
    n.connect("in", "x", {8, 8});
    const auto record = simulate(n, inputs);
    const SpikeRecord<double>& x = record.populations[1];
    Errors<double> errors(2);
    for (const std::int32_t j : x.spikes.neurons) errors.populations[1].spikes.push_back(j == 0);
    EXPECT_GE(std::count(x.spikes.neurons.begin(), x.spikes.neurons.end(), 0), 3);
    found.push_back(backward(n, inputs, record, errors));
  }
  EXPECT_NE(found[0].weights[0][0], 0);
  EXPECT_DOUBLE_EQ(found[0].weights[0][0], found[1].weights[0][0]);
}

TEST(Backward, InFloat32IsNearFloat64) {
  std::size_t networks = 0, other_branch = 0, beyond = 0, tensors_seen = 0;
  std::vector<double> errors_met;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    auto c = gradcheck::random_case(seed);
    const auto single = convert<float>(c.network);
    c.network = convert<double>(single);  // the same weights in both
    const auto e = gradcheck::evaluate(c, c.network, c.inputs);
    gradcheck::Census census;
    gradcheck::topology(c, c.network, c.inputs, e, &census);
    const auto record = simulate(single, c.view());
    Errors<float> errors(e.errors.populations.size());
    bool same = true;
    for (std::size_t p = 0; p < errors.populations.size(); ++p) {
      same = same && record.populations[p].spikes.neurons == e.record.populations[p].spikes.neurons;
      const auto& from = e.errors.populations[p];
      auto& to = errors.populations[p];
      to.spikes.assign(from.spikes.begin(), from.spikes.end());
      to.maxima.assign(from.maxima.begin(), from.maxima.end());
      to.integrals.assign(from.integrals.begin(), from.integrals.end());
      to.samples.assign(from.samples.begin(), from.samples.end());
      to.sample_times = from.sample_times;
      if (!same || from.maxima.empty()) continue;
      errors.maxima[p] = gradcheck::maxima(c.objective, single, c.view(), record, p);
      same = errors.maxima[p].places == e.errors.maxima[p].places;
    }
    if (!same || census.flattest_spike < 0.05) {  // rounding decides, or is amplified
      ++other_branch;
      continue;
    }
    ++networks;
    const auto exact = backward(c.network, c.view(), e.record, e.errors);
    const auto rounded = backward(single, c.view(), record, errors);
    for (std::size_t k = 0; k < exact.weights.size(); ++k) {
      double scale = 0, error = 0;
      for (std::size_t i = 0; i < exact.weights[k].size(); ++i) {
        ASSERT_TRUE(std::isfinite(rounded.weights[k][i])) << seed;
        scale = std::max(scale, std::fabs(exact.weights[k][i]));
        error = std::max(
            error, std::fabs(exact.weights[k][i] - static_cast<double>(rounded.weights[k][i])));
      }
      if (scale < 1e-9) continue;
      ++tensors_seen;
      errors_met.push_back(error / scale);
      beyond += error / scale > 1e-3;
    }
  }
  std::sort(errors_met.begin(), errors_met.end());
  const double median = errors_met[errors_met.size() / 2];
  std::printf(
      "%zu networks (%zu left out), %zu tensors of weights: median %.1e, 99 %% %.1e, worst "
      "%.1e; %zu above 1e-3\n",
      networks, other_branch, tensors_seen, median, errors_met[errors_met.size() * 99 / 100],
      errors_met.back(), beyond);
  EXPECT_GT(networks, 400u);
  EXPECT_GT(tensors_seen, 800u);
  EXPECT_LT(median, 2e-6);
  EXPECT_LT(beyond, tensors_seen / 50);
  EXPECT_LT(errors_met.back(), 0.1);
}

// --- errors ------------------------------------------------------------------------------------

std::string refused(const std::function<void(Small&)>& change) {
  Small s;
  change(s);
  return refusal([&] { s.gradients(); });
}

TEST(Backward, RefusesErrorsOfAWrongLengthAndNamesWhatWasExpected) {
  EXPECT_EQ(refused([](Small&) {}), "");
  const Small s;
  const std::string spikes = std::to_string(s.record.populations[1].currents.size());
  const std::string one_less = std::to_string(s.record.populations[1].currents.size() - 1);
  EXPECT_EQ(refused([](Small& t) { t.errors.populations[1].spikes.pop_back(); }),
            "spike errors of 'x' have " + one_less + " values; expected " + spikes);
  EXPECT_EQ(refused([](Small& t) { t.errors.populations[1].integrals.push_back(0); }),
            "integral errors of 'x' have 13 values; expected 12");
  EXPECT_EQ(refused([](Small& t) { t.errors.populations[2].maxima.resize(2); }),
            "maximum errors of 'out' have 2 values; expected 6");
  EXPECT_EQ(refused([](Small& t) { t.errors.populations[2].samples.resize(6); }),
            "sample errors of 'out' have 6 values; expected 12");
  EXPECT_EQ(refused([](Small& t) { t.errors.populations[2].samples.clear(); }),
            "'out' has sample times but no sample errors");
  EXPECT_EQ(refused([](Small& t) { t.errors = Errors<double>(2); }),
            "errors for 2 populations given; the network has 3");
}

TEST(Backward, RefusesErrorsThatAreNotFiniteAndNamesTheEntry) {
  for (const auto& [value, text] :
       {std::pair{nan, "nan"}, {infinity, "inf"}, {-infinity, "-inf"}}) {
    const std::string tail = std::string(" is ") + text + "; expected a finite number";
    const double v = value;
    EXPECT_EQ(refused([v](Small& t) { t.errors.populations[1].spikes[3] = v; }),
              "spike errors of 'x': value 3" + tail);
    EXPECT_EQ(refused([v](Small& t) { t.errors.populations[1].integrals[11] = v; }),
              "integral errors of 'x': value 11" + tail);
    EXPECT_EQ(refused([v](Small& t) { t.errors.populations[2].maxima[0] = v; }),
              "maximum errors of 'out': value 0" + tail);
    EXPECT_EQ(refused([v](Small& t) { t.errors.populations[2].samples[7] = v; }),
              "sample errors of 'out': value 7" + tail);
  }
}

TEST(Backward, RefusesErrorsWhereThereIsNothingToDependOn) {
  EXPECT_EQ(
      refused([](Small& t) { t.errors.populations[0].spikes.assign(t.in.times.size(), 1.0); }),
      "'in' is an input: a loss cannot depend on it");
  EXPECT_EQ(refused([](Small& t) { t.errors.populations[1].maxima.assign(12, 1.0); }),
            "maximum errors of 'x' need its maxima, an LI population's");
  EXPECT_EQ(refused([](Small& t) { t.errors.maxima[2] = {}; }),
            "maximum errors of 'out' need its maxima, an LI population's");
  EXPECT_EQ(refused([](Small& t) { t.errors.populations[2].spikes.assign(1, 1.0); }),
            "spike errors of 'out' have 1 values; expected 0");
}

TEST(Backward, RefusesSampleTimesThatAreUnsortedOrOutsideTheSample) {
  const auto with = [](double a, double b) {
    return refused([a, b](Small& t) { t.errors.populations[2].sample_times = {a, b}; });
  };
  EXPECT_EQ(with(20e-3, 5e-3),
            "sample time 1 of 'out' is 0.005; expected times in [0, t_end], ascending");
  EXPECT_EQ(with(-1e-3, 5e-3),
            "sample time 0 of 'out' is -0.001; expected times in [0, t_end], ascending");
  EXPECT_EQ(with(5e-3, 1.0),
            "sample time 1 of 'out' is 1; expected times in [0, t_end], ascending");
  EXPECT_THAT(with(nan, 5e-3), HasSubstr("sample time 0 of 'out' is nan"));
  EXPECT_THAT(with(0, infinity), HasSubstr("sample time 1 of 'out' is inf"));
}

TEST(Backward, RefusesARecordOfAnotherNetworkOrBatch) {
  EXPECT_EQ(refused([](Small& t) { t.record.populations.pop_back(); }),
            "the record holds 2 populations and 3 samples; network and inputs have 3 and 3");
  EXPECT_EQ(refused([](Small& t) { t.record = Small(2).record; }),
            "the record holds 3 populations and 2 samples; network and inputs have 3 and 3");
}

TEST(Backward, RefusesTheIntegralOfASampleThatNeverEndsUnderABias) {
  Network<double> n;
  Population p;
  p.name = "out";
  p.become(Model::li);
  p.size = 1;
  p["bias"] = 0.5;
  n.add_population(p);
  const double ends[] = {infinity};
  const Inputs inputs{{}, ends};
  Errors<double> errors(1);
  errors.populations[0].integrals = {1};
  const auto record = simulate(n, inputs);
  EXPECT_EQ(refusal([&] { backward(n, inputs, record, errors); }),
            "t_end[0] is infinite and out.bias[0] = 0.5: the integral of V has no limit; give a "
            "finite end or a bias of 0");
}

}  // namespace
}  // namespace saltus
