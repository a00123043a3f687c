// SPDX-License-Identifier: Apache-2.0
// Maxima, integrals and samples of V: by hand, against the independent oracle (tests/oracle),
// against each other and against quadrature.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "gradcheck/gradcheck.hpp"
#include "neuron/decay.hpp"
#include "oracle/oracle.hpp"
#include "saltus/simulate.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::nan;
using test::refusal;
using test::spikes_of;
using ::testing::HasSubstr;

constexpr double tau_mem = 20e-3, tau_syn = 5e-3;

Population readout(std::size_t size = 1) {
  Population p;
  p.name = "out";
  p.become(Model::li);
  p.size = size;
  return p;
}

struct Observed {
  double value, time, current;
  Place place;
};

Observed highest(const Population& p, const std::vector<double>& weights, const Spikes& in,
                 double end) {
  Network<double> n;
  n.add_input("in", weights.size());
  n.add_population(p);
  n.connect("in", "out", weights);
  const double ends[] = {end};
  const Inputs inputs{{in}, ends};
  const auto m = maxima(n, inputs, simulate(n, inputs), 1);
  return {m.values.at(0), m.times.at(0), m.currents.at(0), m.places.at(0)};
}

TEST(Maxima, OfOneArrivalIsThePeakOfTheResponse) {
  const neuron::TimeConstants tc(tau_mem, tau_syn);
  for (const double end : {50e-3, infinity}) {
    const auto m = highest(readout(), {2}, spikes_of({{{3e-3, 0}}}), end);
    EXPECT_EQ(m.place, Place::interior);
    EXPECT_NEAR(m.value, 2 * tc.k_peak, 1e-15);
    EXPECT_NEAR(m.time, 3e-3 + tc.t_peak, 1e-15);
    EXPECT_NEAR(m.current, m.value, 1e-15);  // dV/dt = 0
  }
}

TEST(Maxima, SitAtTheStartWhereVOnlyFalls) {
  Population p = readout();
  p["v_initial"] = 0.5;
  p["i_initial"] = 0.1;
  for (const auto& in : {spikes_of({{}}), spikes_of({{{1e-3, 0}}})}) {
    const auto m = highest(p, {-1}, in, 50e-3);
    EXPECT_EQ(m.place, Place::start);
    EXPECT_EQ(m.value, 0.5);
    EXPECT_EQ(m.time, 0);
    EXPECT_EQ(m.current, 0.1);
  }
  const auto silent = highest(readout(), {-1}, spikes_of({{{1e-3, 0}}}), infinity);
  EXPECT_EQ(silent.place, Place::start);
  EXPECT_EQ(silent.value, 0);
}

TEST(Maxima, SitAtAnArrivalThatStopsTheRise) {
  const auto m = highest(readout(), {2, -9}, spikes_of({{{1e-3, 0}, {4e-3, 1}}}), infinity);
  const auto d = neuron::decay<double>(neuron::TimeConstants(tau_mem, tau_syn), 3e-3);
  EXPECT_EQ(m.place, Place::arrival);
  EXPECT_NEAR(m.value, 2 * d.k, 1e-16);
  EXPECT_EQ(m.time, 4e-3);
  EXPECT_NEAR(m.current, 2 * d.syn, 1e-15);  // before the arrival
}

TEST(Maxima, SitAtTheEndWhereVStillRises) {
  const auto m = highest(readout(), {2}, spikes_of({{{1e-3, 0}}}), 4e-3);
  const auto d = neuron::decay<double>(neuron::TimeConstants(tau_mem, tau_syn), 3e-3);
  EXPECT_EQ(m.place, Place::end);
  EXPECT_NEAR(m.value, 2 * d.k, 1e-16);
  EXPECT_EQ(m.time, 4e-3);
  EXPECT_NEAR(m.current, 2 * d.syn, 1e-15);
}

TEST(Maxima, OfASampleThatNeverEndsMayBeTheBiasAtInfinity) {
  Population p = readout();
  p["bias"] = 0.75;
  const auto m = highest(p, {-2}, spikes_of({{{1e-3, 0}}}), infinity);
  EXPECT_EQ(m.place, Place::end);
  EXPECT_EQ(m.value, 0.75);
  EXPECT_EQ(m.time, infinity);
  EXPECT_EQ(m.current, 0);
  // With an excitation the peak lies higher than that.
  const auto peak = highest(p, {4}, spikes_of({{{1e-3, 0}}}), infinity);
  EXPECT_EQ(peak.place, Place::interior);
  EXPECT_GT(peak.value, 0.75);
}

TEST(Maxima, KeepTheFirstOfTwoEqualOnes) {
  // V = 0.5 at the start, and again at the end under a bias of the same size: not higher.
  Population p = readout();
  p["v_initial"] = p["bias"] = 0.5;
  const auto m = highest(p, {-1}, spikes_of({{{1e-3, 0}}}), infinity);
  EXPECT_EQ(m.place, Place::start);
}

TEST(Integrals, OfOneArrivalIsItsWeightTimesTauSynAndNeverEnds) {
  Network<double> n;
  n.add_input("in", 1);
  n.add_population(readout());
  n.connect("in", "out", {2});
  const Spikes in = spikes_of({{{3e-3, 0}}});
  for (const double end : {infinity, 23e-3}) {
    const double ends[] = {end};
    const Inputs inputs{{in}, ends};
    // The integral of the response up to dt: tau_syn (1 - es) - tau_mem K.
    const auto d = neuron::decay<double>(neuron::TimeConstants(tau_mem, tau_syn), end - 3e-3);
    const double expected = 2 * (tau_syn * (1 - d.syn) - tau_mem * d.k);
    EXPECT_NEAR(integrals(n, inputs, simulate(n, inputs), 1).at(0), expected, 1e-17);
  }
}

TEST(Integrals, OfARefractoryNeuronCountTheClamp) {
  Network<double> n;
  Population p;
  p.name = "x";
  p.size = 1;
  p["bias"] = 2.0;
  p["v_reset"] = -0.5;
  p["tau_ref"] = 6e-3;
  n.add_population(p);
  const double spike = tau_mem * std::log(2.0);  // from 0 to 1 with b = 2
  for (const double after : {3e-3, 8e-3}) {
    const double ends[] = {spike + after};
    const Inputs inputs{{}, ends};
    const auto record = simulate(n, inputs);
    ASSERT_EQ(record.populations[0].spikes.times.size(), 1u);
    const double first = 2 * spike - 2 * tau_mem * (1 - 0.5), held = std::min(after, 6e-3);
    const double rest = after - held;
    const double last = 2 * rest - 2.5 * tau_mem * (1 - std::exp(-rest / tau_mem));
    EXPECT_NEAR(integrals(n, inputs, record, 0).at(0), first - 0.5 * held + last, 1e-16);
  }
}

TEST(Voltages, AtASpikeAreThoseBeforeItAndInTheClampTheReset) {
  Network<double> n;
  Population p;
  p.name = "x";
  p.size = 2;
  p["bias"] = Parameter({2, 0.5});
  p["v_reset"] = -0.5;
  p["tau_ref"] = 6e-3;
  p["v_initial"] = Parameter({0, 0.25});
  n.add_population(p);
  const double ends[] = {0.1};
  const Inputs inputs{{}, ends};
  const auto record = simulate(n, inputs);
  const double t = record.populations[0].spikes.times.at(0), release = t + 6e-3;
  const std::vector<double> at = {0,        0,       t / 2,         t, std::nextafter(t, 1.0),
                                  t + 3e-3, release, release + 1e-3};
  const auto v = voltages(n, inputs, record, 0, at);
  ASSERT_EQ(v.size(), 16u);
  EXPECT_EQ(v[0], 0);
  EXPECT_EQ(v[2], 0);
  EXPECT_NEAR(v[4], 2 - 2 * std::exp(-t / 2 / tau_mem), 1e-15);
  EXPECT_NEAR(v[6], 1, 1e-14);
  EXPECT_EQ(v[8], -0.5);
  EXPECT_EQ(v[10], -0.5);
  EXPECT_NEAR(v[12], -0.5, 1e-14);  // released four roundings of the time before
  EXPECT_NEAR(v[14], 2 - 2.5 * std::exp(-1e-3 / tau_mem), 1e-14);
  for (std::size_t k = 0; k < at.size(); ++k) {  // the other neuron never spikes
    EXPECT_NEAR(v[2 * k + 1], 0.5 - 0.25 * std::exp(-at[k] / tau_mem), 1e-15);
  }
}

// --- against the oracle ------------------------------------------------------------------------

// One neuron of the oracle per neuron, one synapse per synapse. `first`: a population's first
// neuron.
saltus_oracle::Network translate(const Network<double>& n, std::vector<std::size_t>& first) {
  saltus_oracle::Network result;
  for (const Population& p : n.populations()) {
    first.push_back(result.neurons.size());
    if (p.model == Model::input) {
      result.inputs = static_cast<int>(p.size);
      continue;
    }
    for (std::size_t j = 0; j < p.size; ++j) {
      const auto of = [&](std::string_view name, double none = 0) {
        return p.model->has(name) ? p[name][j] : none;
      };
      result.neurons.push_back({p.model == Model::lif, of("tau_mem"), of("tau_syn"),
                                of("v_threshold", 1), of("v_reset"), of("bias"), of("tau_ref"),
                                of("v_initial"), of("i_initial")});
    }
  }
  for (const auto& p : n.projections()) {
    const bool input = n.populations()[p.source].model == Model::input;
    const std::size_t post = n.populations()[p.target].size;
    for (std::size_t k = 0; k < p.weight.size(); ++k) {
      const std::size_t source = (input ? 0 : first[p.source]) + k / post;
      result.synapses.push_back({input, static_cast<int>(source),
                                 static_cast<int>(first[p.target] + k % post), p.weight[k],
                                 p.delay(k / post, k)});
    }
  }
  return result;
}

Place place_of(saltus_oracle::Maximum::Place place) {
  switch (place) {
    case saltus_oracle::Maximum::Place::start:
      return Place::start;
    case saltus_oracle::Maximum::Place::interior:
      return Place::interior;
    case saltus_oracle::Maximum::Place::arrival:
      return Place::arrival;
    case saltus_oracle::Maximum::Place::end:
      return Place::end;
  }
  return Place::end;
}

TEST(Observe, MaximaIntegralsAndVoltagesOfRandomNetworksAreThoseOfTheOracle) {
  std::size_t networks = 0, grazing = 0, endless = 0, integrals_seen = 0, samples_seen = 0,
              close = 0, places[4] = {};
  double worst_maximum = 0, worst_integral = 0, worst_sample = 0, worst_time = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const auto c = gradcheck::random_case(seed);
    const auto e = gradcheck::evaluate(c, c.network, c.inputs);
    gradcheck::Census census;
    gradcheck::topology(c, c.network, c.inputs, e, &census);
    if (census.flattest_spike < gradcheck::grazing_slope) {
      ++grazing;
      continue;
    }
    ++networks;
    std::vector<std::size_t> first;
    const auto theirs = translate(c.network, first);
    const auto& populations = c.network.populations();
    const auto& at = c.objective.sample_times;
    for (std::size_t s = 0; s < c.t_end.size(); ++s) {
      endless += std::isinf(c.t_end[s]);
      std::vector<saltus_oracle::InputSpike> in;
      for (auto k = c.inputs[0].offsets[s]; k < c.inputs[0].offsets[s + 1]; ++k) {
        const auto i = static_cast<std::size_t>(k);
        in.push_back({c.inputs[0].times[i], c.inputs[0].neurons[i]});
      }
      const auto outcome = saltus_oracle::simulate(theirs, in, c.t_end[s], at);
      for (std::size_t p = 0; p < populations.size(); ++p) {
        if (populations[p].model == Model::input) continue;
        const std::size_t size = populations[p].size;
        const auto v = voltages(c.network, c.view(), e.record, p, at);
        std::vector<double> sums;
        const bool bounded = !std::isinf(c.t_end[s]) || populations[p]["bias"] == Parameter(0.0);
        if (bounded) sums = integrals(c.network, c.view(), e.record, p);
        Maxima<double> m;
        if (populations[p].model == Model::li) m = maxima(c.network, c.view(), e.record, p);
        for (std::size_t j = 0; j < size; ++j) {
          const std::size_t n = first[p] + j;
          for (std::size_t k = 0; k < at.size(); ++k) {
            const double error = std::fabs(v[(s * at.size() + k) * size + j] -
                                           static_cast<double>(outcome.samples[n][k]));
            ASSERT_LE(error, 1e-10) << "network " << seed << " " << populations[p].name;
            worst_sample = std::max(worst_sample, error);
            ++samples_seen;
          }
          if (bounded) {
            const double error =
                std::fabs(sums[s * size + j] - static_cast<double>(outcome.integrals[n])) / tau_mem;
            ASSERT_LE(error, 1e-10) << "network " << seed << " " << populations[p].name;
            worst_integral = std::max(worst_integral, error);
            ++integrals_seen;
          }
          if (m.values.empty()) continue;
          const std::size_t k = s * size + j;
          const auto& theirs_max = outcome.maxima[n];
          const double error = std::fabs(m.values[k] - static_cast<double>(theirs_max.value));
          ASSERT_LE(error, 1e-10) << "network " << seed;
          worst_maximum = std::max(worst_maximum, error);
          if (m.places[k] != place_of(theirs_max.place)) {
            ++close;  // two of the same height
            continue;
          }
          ++places[static_cast<std::size_t>(m.places[k])];
          // V is flat at an interior one: its time has half the digits of its value, at worst.
          const double time = static_cast<double>(theirs_max.time);
          if (m.times[k] != time) {
            ASSERT_LE(std::fabs(m.times[k] - time), 1e-6 * tau_mem) << "network " << seed;
            worst_time = std::max(worst_time, std::fabs(m.times[k] - time) / tau_mem);
          }
        }
      }
    }
  }
  std::printf(
      "%zu networks (%zu grazing left out), %zu endless samples; maxima: start %zu, interior %zu, "
      "arrival %zu, end %zu, of equal height %zu; %zu integrals, %zu samples of V\n"
      "worst: maximum %.1e, its time %.1e tau, integral %.1e tau, sample %.1e\n",
      networks, grazing, endless, places[0], places[1], places[2], places[3], close, integrals_seen,
      samples_seen, worst_maximum, worst_time, worst_integral, worst_sample);
  EXPECT_GT(networks, 400u);
  EXPECT_GT(endless, 50u);
  for (const std::size_t count : places) EXPECT_GT(count, 20u);
  EXPECT_LT(close, 5u);
  EXPECT_GT(integrals_seen, 1000u);
}

// Against V itself on a fine grid: no sample lies above the maximum, V at its time is the maximum,
// and Simpson's rule between the kinks gives the integral.
TEST(Observe, MaximaAndIntegralsFitVOnAFineGrid) {
  std::size_t networks = 0;
  for (std::uint64_t seed = 1; networks < 40; ++seed) {
    const auto c = gradcheck::random_case(seed);
    if (std::isinf(c.t_end[0]) || c.network.populations().back().model != Model::li) continue;
    // What the grid can resolve.
    if (c.t_end[0] > 0.05 || gradcheck::fastest(c.network) < 2e-3) continue;
    ++networks;
    const std::size_t p = c.network.populations().size() - 1;
    const std::size_t size = c.network.populations()[p].size;
    const double ends[] = {*std::min_element(c.t_end.begin(), c.t_end.end())};
    const Inputs inputs{c.view().spikes, ends};
    const auto record = simulate(c.network, inputs);
    const auto m = maxima(c.network, inputs, record, p);
    const auto sums = integrals(c.network, inputs, record, p);
    constexpr std::size_t steps = 4000;
    std::vector<double> at;
    for (std::size_t k = 0; k <= steps; ++k) at.push_back(ends[0] * static_cast<double>(k) / steps);
    at.back() = ends[0];
    const auto v = voltages(c.network, inputs, record, p, at);
    for (std::size_t s = 0; s < record.samples; ++s) {
      for (std::size_t j = 0; j < size; ++j) {
        double top = -infinity, sum = 0;
        for (std::size_t k = 0; k <= steps; ++k) {
          const double value = v[(s * (steps + 1) + k) * size + j];
          top = std::max(top, value);
          sum += value * (k == 0 || k == steps ? 1 : k % 2 == 1 ? 4 : 2) * ends[0] / steps / 3;
        }
        const double value = m.values[s * size + j], time = m.times[s * size + j];
        EXPECT_LE(top, value + 1e-13) << seed;
        EXPECT_GE(top, value - 1e-3) << seed;  // the next grid point is 10 us away
        EXPECT_NEAR(sum, sums[s * size + j], 1e-6 * ends[0]) << seed;
        const double there[] = {time};
        EXPECT_NEAR(voltages(c.network, inputs, record, p, there)[s * size + j], value, 1e-13);
      }
    }
  }
}

TEST(Observe, Float32IsNearFloat64) {
  std::size_t networks = 0;
  double worst = 0;
  for (std::uint64_t seed = 1; seed < 200; ++seed) {
    auto c = gradcheck::random_case(seed);
    const std::size_t p = c.network.populations().size() - 1;
    if (c.network.populations()[p].model != Model::li) continue;
    const auto single = convert<float>(c.network);
    const auto a = simulate(single, c.view());
    const auto b = simulate(c.network, c.view());
    if (a.populations[p - 1].spikes.neurons != b.populations[p - 1].spikes.neurons) continue;
    ++networks;
    const auto m = maxima(single, c.view(), a, p);
    const auto n = maxima(c.network, c.view(), b, p);
    for (std::size_t k = 0; k < m.values.size(); ++k) {
      worst = std::max(worst, std::fabs(static_cast<double>(m.values[k]) - n.values[k]));
    }
  }
  std::printf("%zu networks, worst %.1e\n", networks, worst);
  EXPECT_GT(networks, 100u);
  EXPECT_LT(worst, 2e-3);
}

// --- errors ------------------------------------------------------------------------------------

struct Small {
  Network<double> network;
  Spikes in = spikes_of({{{1e-3, 0}}, {}});
  std::vector<double> ends = {20e-3, 10e-3};
  Record<double> record;

  Small() {
    network.add_input("in", 1);
    Population p;
    p.name = "x";
    p.size = 2;
    network.add_population(p);
    network.add_population(readout());
    network.connect("in", "x", {5, 5});
    network.connect("x", "out", {1, 1});
    record = simulate(network, inputs());
  }
  Inputs inputs() const { return {{in}, ends}; }
};

TEST(Observe, RefusesPopulationsThatHaveNoSuchThing) {
  const Small s;
  EXPECT_EQ(refusal([&] { maxima(s.network, s.inputs(), s.record, 0); }),
            "'in' is an input: it has no membrane voltage");
  EXPECT_EQ(refusal([&] { maxima(s.network, s.inputs(), s.record, 1); }),
            "'x' is a LIF population; expected LI, whose voltage no threshold limits");
  EXPECT_EQ(refusal([&] { integrals(s.network, s.inputs(), s.record, 0); }),
            "'in' is an input: it has no integral");
  EXPECT_EQ(refusal([&] { voltages(s.network, s.inputs(), s.record, 0, {}); }),
            "'in' is an input: it has no membrane voltage");
  EXPECT_THROW(maxima(s.network, s.inputs(), s.record, 3), std::exception);
}

TEST(Observe, RefusesTheIntegralOfASampleThatNeverEndsUnderABias) {
  Small s;
  s.network.populations()[2]["bias"] = -0.5;
  s.ends = {20e-3, infinity};
  EXPECT_EQ(refusal([&] { integrals(s.network, s.inputs(), s.record, 2); }),
            "t_end[1] is infinite and out.bias[0] = -0.5: the integral of V has no limit; give a "
            "finite end or a bias of 0");
  s.network.populations()[2]["bias"] = 0.0;
  EXPECT_EQ(refusal([&] { integrals(s.network, s.inputs(), s.record, 2); }), "");
}

TEST(Observe, RefusesTimesOfVThatAreUnsortedNegativeNaNOrAfterAnyEnd) {
  const Small s;
  const auto refused = [&](std::vector<double> at) {
    return refusal([&] { voltages(s.network, s.inputs(), s.record, 1, at); });
  };
  EXPECT_EQ(refused({0, 1e-3, 1e-3, 10e-3}), "");
  EXPECT_EQ(refused({}), "");
  EXPECT_EQ(refused({1e-3, 0}), "at[1] is 0; expected times of at least 0, ascending");
  EXPECT_EQ(refused({-1e-3}), "at[0] is -0.001; expected times of at least 0, ascending");
  EXPECT_EQ(refused({0, nan}), "at[1] is nan; expected times of at least 0, ascending");
  EXPECT_EQ(refused({0, 11e-3}), "at[1] is 0.011, after the end of sample 1 at 0.01");
  Small endless;
  endless.ends = {infinity};
  EXPECT_THAT(refusal([&] {
                const double at[] = {infinity};
                voltages(endless.network, endless.inputs(), endless.record, 1, at);
              }),
              HasSubstr("at[0] is inf, after the end"));
}

}  // namespace
}  // namespace saltus
