// SPDX-License-Identifier: Apache-2.0
// Long silences between arrivals: 1 to 1e5 tau_mem, ratios of time constants from 0.003 to 300,
// biases above the threshold, ends at infinity. In x = exp(-t / tau_mem) such an interval has no
// digits left, and a slow synapse outlives it. Against the oracle, in both precisions, and against
// the same network with arrivals of weight 0 in between, which change nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "../oracle/oracle.hpp"
#include "random/random.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/simulate.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::same_bits;
using test::spikes_of;

struct Row {
  double tau_mem, tau_syn, first, second, gap;
  std::size_t after;  // spikes after the second input
};

constexpr Row lost[] = {
    {1e-3, 50e-3, 1.5, 1.2, 130e-3, 6},
    {1e-3, 50e-3, 1.5, 1.2, 200e-3, 4},
    {0.05e-3, 20e-3, 1.5, 1.0, 60e-3, 8},
    {0.1e-3, 30e-3, 1.5, 1.0, 90e-3, 5},
};

template <class Real>
Network<Real> two_inputs(const Row& row, std::size_t neurons, bool cycle) {
  Network<Real> n;
  n.add_input("in", 3);  // the last of weight 0
  Population p;
  p.name = "x";
  p.size = neurons;
  p["tau_mem"] = row.tau_mem;
  p["tau_syn"] = row.tau_syn;
  n.add_population(p);
  std::vector<Real> w(3 * neurons, 0);
  for (std::size_t j = 0; j < neurons; ++j) {
    w[j] = static_cast<Real>(row.first);
    w[neurons + j] = static_cast<Real>(row.second);
  }
  n.connect("in", "x", w);
  if (cycle) {  // without effect, but then windows and the event loop run it
    n.connect("x", "x", std::vector<Real>(neurons * neurons, 0), Delay::common(row.gap / 50));
  }
  return n;
}

std::size_t after(const Spikes& spikes, double time) {
  return static_cast<std::size_t>(
      std::count_if(spikes.times.begin(), spikes.times.end(), [&](double t) { return t > time; }));
}

template <class Real>
class LongGaps : public testing::Test {};
using Reals = testing::Types<double, float>;
TYPED_TEST_SUITE(LongGaps, Reals);

TYPED_TEST(LongGaps, lose_no_spike_in_any_way_of_running) {
  using Real = TypeParam;
  for (const Row& row : lost) {
    const double end[] = {row.gap + 10 * row.tau_syn};
    std::vector<std::pair<double, int>> inputs{{0, 0}, {row.gap, 1}};
    const auto plain = spikes_of({inputs});
    for (int k = 1; k < 1999; ++k) inputs.emplace_back(row.gap * k / 1999, 2);
    std::sort(inputs.begin(), inputs.end());
    const auto with_silent = spikes_of({inputs});
    for (const std::size_t neurons : {1u, 20u}) {
      for (const Kernel kernel : {Kernel::scalar, Kernel::vector}) {
        for (const Way way : {Way::sweep, Way::windows, Way::event_loop}) {
          const auto net = two_inputs<Real>(row, neurons, way != Way::sweep);
          const Options options{1, kernel, way};
          const auto record = simulate(net, {{plain.view()}, end}, options);
          EXPECT_EQ(after(record.populations[1].spikes, row.gap), row.after * neurons)
              << row.tau_mem << " " << row.gap;
          const auto same = simulate(net, {{with_silent.view()}, end}, options);
          ASSERT_EQ(same.populations[1].spikes.times.size(),
                    record.populations[1].spikes.times.size());
        }
      }
    }
  }
}

// ---------------------------------------------------------------------------------------------

struct Case {
  saltus_oracle::Neuron neuron;
  std::vector<std::pair<double, double>> inputs;  // time, weight
  double end;
  std::string text() const {
    char out[500];
    int n =
        std::snprintf(out, sizeof out,
                      "tau_mem %.17g tau_syn %.17g theta %.17g reset %.17g bias %.17g ref %.17g "
                      "v %.17g i %.17g end %.17g:",
                      neuron.tau_mem, neuron.tau_syn, neuron.v_threshold, neuron.v_reset,
                      neuron.bias, neuron.tau_ref, neuron.v_initial, neuron.i_initial, end);
    std::string result(out, static_cast<std::size_t>(n));
    for (const auto& [t, w] : inputs) {
      n = std::snprintf(out, sizeof out, " (%.17g, %.17g)", t, w);
      result.append(out, static_cast<std::size_t>(n));
    }
    return result;
  }
};

double logarithmic(Random& random, double low, double high) {
  return std::exp(random.uniform(std::log(low), std::log(high)));
}
// Exact in float32.
double narrow(double x) { return static_cast<double>(static_cast<float>(x)); }

Case draw(Random& random) {
  Case c{};
  auto& n = c.neuron;
  n.tau_mem = logarithmic(random, 1e-5, 0.1);
  const double p = random.chance(0.3)
                       ? static_cast<double>(1 + random.below(6))  // in vectors
                       : (random.chance(0.2) ? 1 / static_cast<double>(1 + random.below(300))
                                             : logarithmic(random, 0.003, 300));
  n.tau_syn = n.tau_mem / p;
  n.v_threshold = narrow(random.chance(0.5) ? 1 : random.uniform(0.5, 2));
  n.v_reset = random.chance(0.5) ? 0 : narrow(random.uniform(-2, 0.4));
  n.v_initial = random.chance(0.7) ? 0 : narrow(random.uniform(-2, 0.4));
  n.i_initial = random.chance(0.7) ? 0 : narrow(random.uniform(-3, 3));
  n.tau_ref = random.chance(0.3) ? n.tau_mem * logarithmic(random, 0.1, 300) : 0;
  const bool tonic = random.chance(0.25);
  n.bias = tonic                ? narrow(n.v_threshold + logarithmic(random, 1e-3, 3))
           : random.chance(0.4) ? narrow(n.v_threshold - logarithmic(random, 1e-3, 3))
                                : 0;
  // Where I outlives V, moderate weights: each spike of a long train costs time here.
  const double strongest = p < 1 ? 2.5 : 8 * std::max(1.0, p / 4);
  double t = 0;
  const std::size_t count = 2 + random.below(5);
  for (std::size_t k = 0; k < count; ++k) {
    c.inputs.emplace_back(t, narrow(random.uniform(-strongest, 1.5 * strongest)));
    t += n.tau_mem * logarithmic(random, 1, tonic ? 300 : 1e5);
  }
  c.end = !tonic && random.chance(0.3) ? infinity : t;
  return c;
}

template <class Real>
Network<Real> network_of(const Case& c, std::size_t size) {
  Network<Real> net;
  net.add_input("in", c.inputs.size() + 1);
  std::vector<Real> w;
  for (const auto& [t, weight] : c.inputs) w.insert(w.end(), size, static_cast<Real>(weight));
  w.insert(w.end(), size, 0);
  for (const Model model : {Model::lif, Model::li}) {
    Population p;
    p.name = model == Model::lif ? "lif" : "li";
    p.model = model;
    p.size = size;
    p["tau_mem"] = c.neuron.tau_mem;
    p["tau_syn"] = c.neuron.tau_syn;
    p["bias"] = c.neuron.bias;
    p["v_initial"] = c.neuron.v_initial;
    p["i_initial"] = c.neuron.i_initial;
    if (model == Model::lif) {
      p["v_threshold"] = c.neuron.v_threshold;
      p["v_reset"] = c.neuron.v_reset;
      p["tau_ref"] = c.neuron.tau_ref;
    }
    net.add_population(p);
    net.connect("in", p.name, w);
  }
  return net;
}

// The case for the oracle, a LIF neuron and an LI one; and its spikes for the library.
struct Both {
  saltus_oracle::Network oracle;
  std::vector<saltus_oracle::InputSpike> oracle_inputs;
  std::vector<std::pair<double, int>> inputs;
};
Both both(const Case& c) {
  Both result{{static_cast<int>(c.inputs.size()), {c.neuron, c.neuron}, {}}, {}, {}};
  result.oracle.neurons[1].spikes = false;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const auto channel = static_cast<int>(i);
    const auto& [t, w] = c.inputs[i];
    for (int j : {0, 1}) result.oracle.synapses.push_back({true, channel, j, w, 0});
    result.oracle_inputs.push_back({t, channel});
    result.inputs.emplace_back(t, channel);
  }
  return result;
}

struct Tally {
  std::size_t cases = 0, spikes = 0, compared = 0, after_long_gap = 0, slow = 0, tonic = 0,
              refractory = 0, endless = 0, gave_up = 0, maxima = 0;
  double worst = 0, worst_maximum = 0;  // in units of their tolerances
};

// Spike by spike, as far as one flat enough to be lost in rounding.
template <class Real>
void compare(const Case& c, const std::vector<saltus_oracle::Spike>& truth,
             const std::vector<double>& found, Tally& tally) {
  constexpr double eps = std::numeric_limits<Real>::epsilon();
  constexpr double clock_eps = std::numeric_limits<double>::epsilon();
  const auto& n = c.neuron;
  double scale = std::max({1.0, std::fabs(n.v_reset), std::fabs(n.bias), std::fabs(n.i_initial)});
  for (const auto& [t, w] : c.inputs) scale = std::max(scale, std::fabs(w));
  const double p = n.tau_mem / n.tau_syn;
  // What rounding of I, V and the thresholds can move a spike by, and all after it: an error of a
  // spike time is an error of the start of the next interval. Above p = 1, where x holds the time,
  // I rounds p times as much.
  double tolerance = 0;
  const std::size_t most = std::max(truth.size(), found.size());
  for (std::size_t k = 0; k < most; ++k) {
    const double slope =
        k < truth.size() ? static_cast<double>(truth[k].current) + n.bias - n.v_threshold : 0;
    if (k < truth.size() && slope > 0) {
      // A late reset leaves V lower by what it would have risen, less what has decayed since.
      if (k > 0) {
        // A release lies four roundings of the clock early.
        if (n.tau_ref > 0) tolerance += 5 * clock_eps * static_cast<double>(truth[k].time);
        const auto passed = static_cast<double>(truth[k].time - truth[k - 1].time) - n.tau_ref;
        const double rise = static_cast<double>(truth[k - 1].current) + n.bias - n.v_reset;
        tolerance *= std::max(1.0, rise / slope * std::exp(-passed / n.tau_mem));
      }
      tolerance += n.tau_mem * 32 * eps * std::max(1.0, p) * scale / slope +
                   2 * clock_eps * static_cast<double>(truth[k].time);
    }
    if (k < truth.size() && k < found.size()) {
      const double error = std::fabs(found[k] - static_cast<double>(truth[k].time));
      const double allowed = tolerance;
      if (error <= allowed) {
        ++tally.compared;
        if (error > 0) tally.worst = std::max(tally.worst, error / allowed);
        if (k > 0 && found[k] - found[k - 1] > 100 * n.tau_mem) ++tally.after_long_gap;
        continue;
      }
    }
    // One has a spike that the other has not. It must graze, or lie within the tolerance of an
    // arrival or of the end.
    const double when = std::min(k < truth.size() ? static_cast<double>(truth[k].time) : infinity,
                                 k < found.size() ? found[k] : infinity);
    bool border = std::fabs(when - c.end) <= 2 * tolerance;
    for (const auto& [t, w] : c.inputs) border = border || std::fabs(when - t) <= 2 * tolerance;
    // A spike that is missing or late by grazing: V comes within rounding of theta there.
    const double flat = 3 * std::sqrt(eps * scale) + 1e3 * tolerance / n.tau_mem;
    const bool grazes =
        k < truth.size()
            ? slope < flat
            : k > 0 && tolerance > 0 &&
                  static_cast<double>(truth[k - 1].current) + n.bias - n.v_threshold < flat;
    ASSERT_TRUE(border || grazes) << "spike " << k << " of " << truth.size() << " and "
                                  << found.size() << " at " << when << ", slope " << slope
                                  << ", tolerance " << tolerance << "\n"
                                  << c.text();
    ++tally.gave_up;
    return;
  }
}

template <class Real>
void compare_maximum(const Case& c, const saltus_oracle::Outcome& truth, const Maxima<Real>& maxima,
                     Tally& tally) {
  const auto& n = c.neuron;
  double scale = std::max({1.0, std::fabs(n.bias), std::fabs(n.i_initial), std::fabs(n.v_initial)});
  for (const auto& [t, w] : c.inputs) scale += std::fabs(w);
  const double tolerance = 32 * std::numeric_limits<Real>::epsilon() * scale;
  const double error =
      std::fabs(static_cast<double>(maxima.values[0]) - static_cast<double>(truth.maxima[1].value));
  ASSERT_LE(error, tolerance) << maxima.values[0] << " at " << maxima.times[0] << " and "
                              << static_cast<double>(truth.maxima[1].value) << " at "
                              << static_cast<double>(truth.maxima[1].time) << "\n"
                              << c.text();
  ++tally.maxima;
  tally.worst_maximum = std::max(tally.worst_maximum, error / tolerance);
}

TYPED_TEST(LongGaps, have_the_spikes_and_maxima_of_the_oracle) {
  using Real = TypeParam;
  const char* scale = std::getenv("SALTUS_TEST_SCALE");
  const auto cases = static_cast<std::size_t>(3000 * (scale ? std::atof(scale) : 1.0)) + 1;
  Tally tally;
  for (std::size_t k = 0; k < cases; ++k) {
    Random random(k, Purpose::gradcheck, 77);
    const Case c = draw(random);
    const auto [oracle, oracle_inputs, inputs] = both(c);
    const auto truth = saltus_oracle::simulate(oracle, oracle_inputs, c.end);
    const auto spikes = spikes_of({inputs});
    const double end[] = {c.end};
    const std::size_t size = k % 2 ? 1 : 17;
    const auto net = network_of<Real>(c, size);
    const auto record = simulate(net, {{spikes.view()}, end});
    const Options scalar{1, Kernel::scalar, {}};
    ASSERT_TRUE(same_bits(record, simulate(net, {{spikes.view()}, end}, scalar))) << c.text();
    std::vector<double> found;
    const Spikes& all = record.populations[1].spikes;
    for (std::size_t s = 0; s < all.times.size(); ++s) {
      if (all.neurons[s] == 0) found.push_back(all.times[s]);
    }
    ASSERT_EQ(found.size() * size, all.times.size());
    ++tally.cases;
    tally.spikes += truth.spikes[0].size();
    tally.slow += c.neuron.tau_mem < c.neuron.tau_syn;
    tally.tonic += c.neuron.bias > c.neuron.v_threshold;
    tally.refractory += c.neuron.tau_ref > 0;
    tally.endless += std::isinf(c.end);
    compare<Real>(c, truth.spikes[0], found, tally);
    if (testing::Test::HasFatalFailure()) return;
    for (const Kernel kernel : {Kernel::scalar, Kernel::vector}) {
      compare_maximum<Real>(c, truth,
                            maxima(net, {{spikes.view()}, end}, record, 2, {1, kernel, {}}), tally);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
  std::printf(
      "%zu cases (%zu slow synapses, %zu tonic, %zu refractory, %zu endless): %zu spikes, %zu "
      "compared, %zu after more than 100 tau_mem, %zu trains left at a grazing spike; worst %.3f, "
      "of %zu maxima %.3f of the tolerance\n",
      tally.cases, tally.slow, tally.tonic, tally.refractory, tally.endless, tally.spikes,
      tally.compared, tally.after_long_gap, tally.gave_up, tally.worst, tally.maxima,
      tally.worst_maximum);
  EXPECT_GT(tally.slow, tally.cases / 4);
  EXPECT_GT(tally.tonic, tally.cases / 6);
  EXPECT_GT(tally.refractory, tally.cases / 5);
  EXPECT_GT(tally.endless, tally.cases / 10);
  EXPECT_GT(tally.compared, 5 * tally.cases);
  EXPECT_GT(tally.after_long_gap, tally.cases / 3);
  EXPECT_LT(tally.gave_up, tally.cases / 10);
}

// Gradients of all spike times, and of the maximum of a readout, by everything. What rounding does
// to them grows with each flat spike: short trains of steep ones.
TYPED_TEST(LongGaps, have_the_gradients_of_the_oracle) {
  using Real = TypeParam;
  std::size_t compared = 0, long_ones = 0, slow = 0;
  double worst = 0;
  for (std::uint32_t k = 0; compared < 400; ++k) {
    Random random(k, Purpose::gradcheck, 78);
    const Case c = draw(random);
    const auto [oracle, oracle_inputs, inputs] = both(c);
    const auto truth = saltus_oracle::simulate(oracle, oracle_inputs, c.end);
    const auto& trains = truth.spikes[0];
    if (trains.empty() || trains.size() > 40) continue;
    double flattest = infinity, longest = 0, scale = 1;
    for (std::size_t s = 0; s < trains.size(); ++s) {
      flattest = std::min(
          flattest, static_cast<double>(trains[s].current) + c.neuron.bias - c.neuron.v_threshold);
    }
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      if (i > 0) longest = std::max(longest, c.inputs[i].first - c.inputs[i - 1].first);
      scale = std::max(scale, std::fabs(c.inputs[i].second));
    }
    if (flattest < 0.2) continue;

    const auto spikes = spikes_of({inputs});
    const double end[] = {c.end};
    const auto net = network_of<Real>(c, 1);
    const Inputs in{{spikes.view()}, end};
    const auto record = simulate(net, in);
    if (record.populations[1].spikes.times.size() != trains.size()) continue;  // in float32
    Errors<Real> errors(3);
    errors.populations[1].spikes.assign(trains.size(), 1);
    errors.populations[2].maxima.assign(1, 1);
    errors.maxima[2] = maxima(net, in, record, 2);
    const auto time = static_cast<double>(truth.maxima[1].time);
    if (errors.maxima[2].times[0] != time &&
        !(std::fabs(errors.maxima[2].times[0] - time) < 0.01 * c.neuron.tau_mem)) {
      continue;  // V is flat
    }
    const auto g = backward(net, in, record, errors);
    saltus_oracle::Errors theirs;
    theirs.spike = {std::vector<double>(trains.size(), 1), {}};
    theirs.maximum = {0, 1};
    const auto expected = saltus_oracle::gradient(oracle, oracle_inputs, c.end, theirs);

    const double p = c.neuron.tau_mem / c.neuron.tau_syn;
    const double fastest = std::min(c.neuron.tau_mem, c.neuron.tau_syn);
    const double tolerance =
        20 * scale *
        (std::numeric_limits<Real>::epsilon() * std::max(1.0, p) +
         std::numeric_limits<double>::epsilon() * c.inputs.back().first / fastest);
    if (tolerance > 0.05) continue;
    ++compared;
    long_ones += longest > 1000 * c.neuron.tau_mem;
    slow += p < 1;
    const auto compare = [&](const char* name, const std::vector<double>& ours,
                             const std::vector<double>& wanted, double unit) {
      double largest = unit;  // a tensor of zeros is compared with what it could be
      for (const double w : wanted) largest = std::max(largest, std::fabs(w));
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double error = std::fabs(ours[i] - wanted[i]) / largest / tolerance;
        worst = std::max(worst, error);
        EXPECT_LE(error, 1) << name << " " << i << ": " << ours[i] << ", " << wanted[i] << "\n"
                            << c.text();
      }
    };
    for (const std::size_t q : {0u, 1u}) {
      std::vector<double> ours(g.weights[q].begin(), g.weights[q].end() - 1), wanted;
      for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        wanted.push_back(static_cast<double>(expected.weight[2 * i + q]));
      }
      const double unit = q ? 1 : c.neuron.tau_mem;
      compare("weight", ours, wanted, unit);
      const auto& n = g.neurons[1 + q];
      const auto of = [&](const std::vector<saltus_oracle::Scalar>& values) {
        return std::vector<double>{static_cast<double>(values[q])};
      };
      compare("tau_mem", n["tau_mem"], of(expected.tau_mem), unit / c.neuron.tau_mem);
      compare("tau_syn", n["tau_syn"], of(expected.tau_syn), unit / c.neuron.tau_syn);
      compare("bias", n["bias"], of(expected.bias), unit);
    }
  }
  std::printf(
      "%zu cases (%zu with a slow synapse, %zu silent for more than 1000 tau_mem), worst "
      "%.3f of the tolerance\n",
      compared, slow, long_ones, worst);
  EXPECT_GT(slow, compared / 10);
  EXPECT_GT(long_ones, compared / 10);
}

// The sum of many intervals between spikes, each known to some digits, inside one silence.
TYPED_TEST(LongGaps, of_a_hundred_thousand_time_constants_hold_every_spike_of_a_bias) {
  using Real = TypeParam;
  for (const double p : {0.003, 0.5, 1.0, 3.7, 4.0, 300.0}) {
    Case c{};
    c.neuron.tau_mem = 1e-3;
    c.neuron.tau_syn = 1e-3 / p;
    c.neuron.bias = 1.25;
    c.neuron.v_threshold = 1;
    c.inputs = {{0, 0}};
    c.end = 100;
    const auto spikes = spikes_of({{{0.0, 0}}});
    const double end[] = {c.end};
    const double period = 1e-3 * std::log(1.25 / 0.25);
    for (const std::size_t size : {1u, 16u}) {
      const auto record = simulate(network_of<Real>(c, size), {{spikes.view()}, end});
      const auto& times = record.populations[1].spikes.times;
      ASSERT_EQ(times.size() % size, 0u);
      ASSERT_NEAR(static_cast<double>(times.size() / size), std::floor(100 / period), 2) << p;
      const auto count = static_cast<double>(times.size() / size);
      // Each interval is rounded to the digits of V, each time to those of a double.
      ASSERT_NEAR(times.back(), count * period,
                  count * (4 * std::numeric_limits<Real>::epsilon() * period +
                           std::numeric_limits<double>::epsilon() * 100))
          << p;
    }
  }
}

// With b = theta a slow synapse brings V to theta again and again, ever later: the neuron goes on
// with its own I, however little of it is left. (Counts: bisection of V - b in long double.)
TYPED_TEST(LongGaps, a_bias_at_the_threshold_spikes_ever_later_and_not_for_ever_the_same) {
  using Real = TypeParam;
  constexpr struct {
    double tau_mem, tau_syn;
    std::size_t spikes;
  } rows[] = {{1e-3, 5e-3, 49}, {1e-3, 100e-3, 732}, {20e-3, 80e-3, 29}};
  for (const auto& row : rows) {
    for (const std::size_t size : {1u, 17u}) {
      Network<Real> n;
      n.add_input("in", 1);
      Population p{"x", Model::lif, size, {}};
      p["tau_mem"] = row.tau_mem;
      p["tau_syn"] = row.tau_syn;
      p["bias"] = 1.0;
      n.add_population(p);
      n.connect("in", "x", std::vector<Real>(size, 3));
      const auto spikes = spikes_of({{{10e-3, 0}}});
      const double end[] = {5.0};
      for (const Way way : {Way::sweep, Way::event_loop}) {
        Options options;
        options.way = way;
        const auto record = simulate(n, {{spikes.view()}, end}, options);
        const auto& out = record.populations[1];
        if (std::is_same_v<Real, double>) {
          EXPECT_EQ(out.spikes.times.size(), size * row.spikes) << row.tau_syn;
        } else {  // I runs out of numbers earlier
          EXPECT_LE(out.spikes.times.size(), size * row.spikes) << row.tau_syn;
          EXPECT_GT(out.spikes.times.size(), size * row.spikes / 3) << row.tau_syn;
        }
        for (const Real i : out.currents) EXPECT_GT(i + Real(1), Real(1));  // the adjoint divides
      }
    }
    // Without an end it never stops.
    const double never[] = {infinity};
    Network<Real> n;
    n.add_input("in", 1);
    Population p{"x", Model::lif, 1, {}};
    p["tau_mem"] = row.tau_mem;
    p["tau_syn"] = row.tau_syn;
    p["bias"] = 1.0;
    n.add_population(p);
    const auto none = spikes_of({{}});
    EXPECT_THAT(test::refusal([&] {
                  simulate(n, {{none.view()}, never});
                }),
                testing::HasSubstr("x.bias[0] = 1 is at v_threshold = 1"));
  }
}

}  // namespace
}  // namespace saltus
