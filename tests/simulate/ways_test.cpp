// SPDX-License-Identifier: Apache-2.0
// The three ways of running a component agree, and the vector kernel has the bits of the scalar
// one.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>

#include "gradcheck/gradcheck.hpp"
#include "plan/plan.hpp"
#include "random/random.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/simulate.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

constexpr double spike_bar = 1e-11;    // of tau_mem
constexpr double current_bar = 1e-10;  // of the largest current
constexpr double gradient_bar = 1e-9;

bool differs(const Plan<double>& a, const Plan<double>& b) {
  for (std::size_t c = 0; c < a.components.size(); ++c) {
    if (a.components[c].way != b.components[c].way) return true;
  }
  return false;
}

// The largest difference of times, in units of tau_mem; infinity if neurons or counts differ.
double difference_of_spikes(const Network<double>& network, const Record<double>& a,
                            const Record<double>& b) {
  double worst = 0;
  for (std::size_t p = 0; p < a.populations.size(); ++p) {
    const Spikes &x = a.populations[p].spikes, &y = b.populations[p].spikes;
    if (x.offsets != y.offsets || x.neurons != y.neurons) return infinity;
    for (std::size_t k = 0; k < x.times.size(); ++k) {
      const double tau =
          network.populations()[p]["tau_mem"][static_cast<std::size_t>(x.neurons[k])];
      worst = std::max(worst, std::fabs(x.times[k] - y.times[k]) / tau);
    }
  }
  return worst;
}

double difference_of_currents(const Record<double>& a, const Record<double>& b) {
  double worst = 0;
  for (std::size_t p = 0; p < a.populations.size(); ++p) {
    for (const auto& [x, y] :
         {std::pair{&a.populations[p].currents, &b.populations[p].currents},
          {&a.populations[p].release_currents, &b.populations[p].release_currents}}) {
      if (x->size() != y->size()) return infinity;
      double scale = 1;
      for (const double i : *x) scale = std::max(scale, std::fabs(i));
      for (std::size_t k = 0; k < x->size(); ++k) {
        worst = std::max(worst, std::fabs((*x)[k] - (*y)[k]) / scale);
      }
    }
  }
  return worst;
}

TEST(Ways, GiveTheSameSpikesCurrentsAndGradientsOnEveryGraphThatSeveralCanRun) {
  constexpr std::uint64_t cases = 700;
  std::size_t grazing = 0, networks = 0, endless = 0, acyclic_windows = 0, acyclic_loop = 0,
              cyclic_loop = 0, spikes = 0, refractory = 0, per_synapse = 0;
  double worst_time = 0, worst_current = 0, worst_gradient = 0;
  for (std::uint64_t seed = 1; seed <= cases; ++seed) {
    const auto c = gradcheck::random_case(seed);
    const auto base = gradcheck::evaluate(c, c.network, c.inputs);
    gradcheck::Census census;
    gradcheck::topology(c, c.network, c.inputs, base, &census);
    if (census.flattest_spike < gradcheck::grazing_slope) {  // amplifies rounding without bound
      ++grazing;
      continue;
    }
    ++networks;
    spikes += census.spikes;
    endless += std::isinf(c.t_end[0]);
    const Plan<double> plan(c.network);
    for (const auto& p : plan.populations) {
      refractory += p.refractory;
      per_synapse += p.per_column;
    }
    const auto gradients = backward(c.network, c.view(), base.record, base.errors);
    for (const Way way : {Way::sweep, Way::windows, Way::event_loop}) {
      Options options;
      options.way = way;
      const Plan<double> forced(c.network, way);
      if (!differs(plan, forced)) continue;
      acyclic_windows += !plan.cyclic && way == Way::windows;
      acyclic_loop += !plan.cyclic && way == Way::event_loop;
      cyclic_loop += plan.cyclic && way == Way::event_loop;
      const auto record = simulate(c.network, c.view(), options);
      const double time = difference_of_spikes(c.network, base.record, record);
      ASSERT_LE(time, spike_bar) << "network " << seed << ", way " << static_cast<int>(way);
      const double current = difference_of_currents(base.record, record);
      ASSERT_LE(current, current_bar) << "network " << seed << ", way " << static_cast<int>(way);
      std::string where;
      Errors<double> errors = base.errors;  // a maximum at an arrival is known by its very time
      for (std::size_t p = 0; p < errors.maxima.size(); ++p) {
        if (errors.maxima[p].times.empty()) continue;
        errors.maxima[p] = gradcheck::maxima(c.objective, c.network, c.view(), record, p);
        ASSERT_EQ(errors.maxima[p].places, base.errors.maxima[p].places) << "network " << seed;
      }
      const auto others = backward(c.network, c.view(), record, errors, {}, options);
      const double gradient = test::largest_difference(c.network, gradients, others, gradient_bar,
                                                       base.magnitude, &where);
      ASSERT_LE(gradient, gradient_bar)
          << "network " << seed << ", way " << static_cast<int>(way) << ", " << where;
      worst_time = std::max(worst_time, time);
      worst_current = std::max(worst_current, current);
      worst_gradient = std::max(worst_gradient, gradient);
    }
  }
  std::printf(
      "%zu networks (%zu grazing left out), %zu spikes, %zu endless; acyclic by windows %zu, by "
      "the "
      "event loop %zu; cyclic by windows and by the event loop %zu; populations refractory %zu, "
      "with "
      "a delay per synapse %zu\nworst: time %.1e tau, current %.1e, gradient %.1e\n",
      networks, grazing, spikes, endless, acyclic_windows, acyclic_loop, cyclic_loop, refractory,
      per_synapse, worst_time, worst_current, worst_gradient);
  EXPECT_GT(networks, cases * 8 / 10);
  EXPECT_GT(spikes, 5000u);
  EXPECT_GT(endless, 50u);
  EXPECT_GT(acyclic_windows, 200u);
  EXPECT_GT(acyclic_loop, 200u);
  EXPECT_GT(cyclic_loop, 50u);
  EXPECT_GT(refractory, 100u);
  EXPECT_GT(per_synapse, 100u);
}

// Cycles whose every delay is positive: the random cases hold few of them.
TEST(Ways, WindowsAndTheEventLoopAgreeOnCyclesWithDelays) {
  std::size_t spikes = 0, networks = 0, longest_first = 0;
  double worst_time = 0, worst_gradient = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Random random(seed, Purpose::synthetic);
    const std::size_t size = 1 + random.below(6);
    const auto weights = [&](std::size_t count, double mean, double spread) {
      std::vector<double> w(count);
      for (double& v : w) v = std::min(mean + spread * random.normal(), 2.5);
      return w;
    };
    const auto delays = [&](std::size_t count) {
      std::vector<double> d(count);
      for (double& v : d) v = random.uniform(0.2e-3, 5e-3);
      return d;
    };
    Network<double> n;
    n.add_input("in", 4);
    for (const char* name : {"a", "b"}) {
      Population p;
      p.name = name;
      p.size = size;
      p["bias"] = random.uniform(-0.2, 0.3);
      p["v_reset"] = random.uniform(-0.4, 0.2);
      if (random.chance(0.4)) p["tau_ref"] = random.uniform(0.5e-3, 6e-3);
      if (random.chance(0.3)) p["tau_syn"] = p["tau_mem"];
      n.add_population(p);
      n.connect("in", name, weights(4 * size, 2, 1.5));
    }
    n.connect("a", "b", weights(size * size, 0, 0.4), Delay::per_source(delays(size)));
    n.connect("b", "a", weights(size * size, 0, 0.4), Delay::per_synapse(delays(size * size)));
    n.connect("b", "b", weights(size * size, -0.2, 0.3), Delay::common(delays(1)[0]));
    std::vector<std::vector<std::pair<double, int>>> samples(2);
    for (auto& sample : samples) {
      for (int k = 0; k < 12; ++k) {
        sample.emplace_back(random.uniform(0, 40e-3), static_cast<int>(random.below(4)));
      }
      std::sort(sample.begin(), sample.end());
    }
    const Spikes spikes_in = test::spikes_of(samples);
    const double ends[] = {50e-3, random.uniform(10e-3, 60e-3)};
    const Inputs inputs{{spikes_in}, ends};
    Options windows, loop;
    windows.way = Way::windows;
    loop.way = Way::event_loop;
    ASSERT_EQ(Plan<double>(n).components[0].way, Way::windows);
    const auto a = simulate(n, inputs, windows), b = simulate(n, inputs, loop);
    double flattest = infinity;
    Errors<double> errors(3);
    for (std::size_t p = 1; p < 3; ++p) {
      for (std::size_t k = 0; k < a.populations[p].currents.size(); ++k) {
        flattest =
            std::min(flattest, a.populations[p].currents[k] + n.populations()[p]["bias"][0] - 1);
        errors.populations[p].spikes.push_back(100 * random.uniform(-1, 1));
      }
    }
    if (flattest < gradcheck::grazing_slope) continue;
    ++networks;
    spikes += a.populations[1].currents.size() + a.populations[2].currents.size();
    const double time = difference_of_spikes(n, a, b);
    ASSERT_LE(time, spike_bar) << seed;
    ASSERT_LE(difference_of_currents(a, b), current_bar) << seed;
    std::string where;
    const double gradient =
        test::largest_difference(n, backward(n, inputs, a, errors, {}, windows),
                                 backward(n, inputs, b, errors, {}, loop), gradient_bar, 0, &where);
    ASSERT_LE(gradient, gradient_bar) << seed << " " << where;
    worst_time = std::max(worst_time, time);
    worst_gradient = std::max(worst_gradient, gradient);
    longest_first += inputs.end(0) > inputs.end(1);
  }
  std::printf("%zu networks, %zu spikes; worst: time %.1e tau, gradient %.1e\n", networks, spikes,
              worst_time, worst_gradient);
  EXPECT_GT(networks, 100u);
  EXPECT_GT(spikes, 3000u);
  EXPECT_GT(longest_first, 20u);
}

// Delays on a coarse grid half of the time: simultaneous arrivals.
std::vector<double> some_delays(Random& random, std::size_t count, double low, double high) {
  std::vector<double> delays(count);
  for (double& d : delays) {
    d = random.chance(0.5) ? low + (high - low) / 4 * random.below(5) : random.uniform(low, high);
  }
  return delays;
}

std::vector<double> times_of(const Record<double>& record, std::size_t population, int neuron) {
  const Spikes& spikes = record.populations[population].spikes;
  std::vector<double> times;
  for (std::size_t k = 0; k < spikes.times.size(); ++k) {
    if (spikes.neurons[k] == neuron) times.push_back(spikes.times[k]);
  }
  return times;
}

// What is found a last digit earlier than it was expected arrives a last digit before its window.
TEST(Ways, WindowsLoseNothingOfAlifInCycles) {
  std::size_t spikes = 0;
  double worst = 0;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    Random random(seed, Purpose::synthetic, 3);
    const auto weights = [&](std::size_t count, double mean, double spread) {
      std::vector<double> w(count);
      for (double& v : w) v = std::min(mean + spread * random.normal(), 2.5);
      return w;
    };
    Network<double> n;
    n.add_input("in", 4);
    for (const char* name : {"a", "b"}) {
      Population p;
      p.name = name;
      p.size = 5;
      p.become(Model::alif);
      p["tau_adapt"] = 30e-3;
      p["beta"] = random.uniform(0.1, 0.4);
      if (random.chance(0.5)) p["tau_ref"] = 1.5e-3;
      n.add_population(p);
      n.connect("in", name, weights(20, 2.5, 1.5));
    }
    const double delay = random.uniform(0.3e-3, 3e-3);
    n.connect("a", "a", weights(25, 0, 0.4), Delay::common(delay));
    if (random.chance(0.5)) n.connect("a", "b", weights(25, 0, 0.4), Delay::common(delay));
    n.connect(
        "b", "a", weights(25, 0, 0.4),
        Delay::per_synapse(some_delays(random, 25, delay, (random.chance(0.3) ? 60 : 2) * delay)));
    std::vector<std::pair<double, int>> sample;
    for (int k = 0; k < 12; ++k) {
      sample.emplace_back(random.uniform(0, 40e-3), static_cast<int>(random.below(4)));
    }
    std::sort(sample.begin(), sample.end());
    const Spikes in = test::spikes_of({sample});
    const double ends[] = {60e-3};
    Options windows, loop;
    windows.way = Way::windows;
    loop.way = Way::event_loop;
    const auto a = simulate(n, Inputs{{in}, ends}, windows);
    spikes += a.populations[1].spikes.times.size() + a.populations[2].spikes.times.size();
    const auto b = simulate(n, Inputs{{in}, ends}, loop);
    double time = 0;
    for (const std::size_t p : {1u, 2u}) {  // neuron by neuron: those released at one time may swap
      for (int j = 0; j < 5; ++j) {
        const auto x = times_of(a, p, j), y = times_of(b, p, j);
        ASSERT_EQ(x.size(), y.size()) << seed;
        for (std::size_t k = 0; k < x.size(); ++k) {
          time = std::max(time, std::fabs(x[k] - y[k]) / 20e-3);
        }
      }
    }
    ASSERT_LE(time, 1e-6) << seed;  // a grazing spike amplifies rounding
    worst = std::max(worst, time);
  }
  std::printf("%zu spikes; worst: time %.1e tau\n", spikes, worst);
  EXPECT_GT(spikes, 20000u);
}

// Synapses at random; some pairs have two.
template <class Real, class Weight>
void connect_some(Network<Real>& n, const char* from, const char* to, Random& random,
                  Weight&& weight, double density, double shortest) {
  const std::size_t pre = n.populations()[n.index(from)].size,
                    post = n.populations()[n.index(to)].size;
  std::vector<std::int64_t> pres{0}, posts{0};
  for (std::size_t k = 0; k < 2 * pre * post; ++k) {
    if (!random.chance(density / 2)) continue;
    pres.push_back(static_cast<std::int64_t>(k / 2 / post));
    posts.push_back(static_cast<std::int64_t>(k / 2 % post));
  }
  std::vector<Real> weights(pres.size());
  for (Real& w : weights) w = weight();
  const Delay delay = shortest > 0 || random.chance(0.5)
                          ? Delay::per_synapse(some_delays(random, pres.size(), shortest, 5e-3))
                          : Delay::none();
  n.connect(from, to, weights, delay, std::string(from) + "->" + to + ", some",
            Connection("sparse", {{"pre", pres}, {"post", posts}, {"place", {}}}));
}

struct Census {
  std::size_t layers = 0, own_lists = 0, spikes = 0, bursting = 0, silent = 0, tonic = 0,
              simultaneous = 0, at_arrivals = 0, endless = 0, in_vectors = 0, refractory = 0,
              own_time_constants = 0;
};

// One layer over `channels` inputs. Every feature by the bits of `seed`.
template <class Real>
void compare_kernels(std::uint64_t seed, std::size_t size, double ratio, Census& census) {
  Random random(seed, Purpose::synthetic, 1);
  constexpr std::size_t channels = 12;
  Network<Real> n;
  n.add_input("in", channels);
  Population p;
  p.name = "layer";
  p.size = size;
  p["tau_syn"] = 5e-3;
  p["tau_mem"] = 5e-3 * ratio;
  const bool per_neuron = random.chance(0.6), tonic = random.chance(0.3);
  const auto values = [&](double low, double high) {
    std::vector<double> v(per_neuron ? size : 1);
    for (double& x : v) x = random.uniform(low, high);
    return Parameter(std::move(v));
  };
  if (random.chance(0.7)) p["v_threshold"] = values(0.8, 1.2);
  if (random.chance(0.6)) p["bias"] = values(-0.3, tonic ? 1.6 : 0.7);
  if (random.chance(0.5)) p["v_reset"] = values(-0.5, 0.5);
  if (random.chance(0.5)) p["v_initial"] = values(-0.5, 0.7);
  if (random.chance(0.5)) p["i_initial"] = values(-1, 3);
  if (random.chance(0.4)) {  // some 0
    std::vector<double> v(per_neuron ? size : 1);
    for (double& x : v) x = random.chance(0.2) ? 0 : random.uniform(0, 5e-3);
    p["tau_ref"] = Parameter(std::move(v));
  }
  if (per_neuron && random.chance(0.3)) {  // some of them equal, some slow synapses
    std::vector<double> mem(size), syn(size);
    for (std::size_t j = 0; j < size; ++j) {
      mem[j] = random.chance(0.2) ? 5e-3 : 5e-3 * ratio * random.uniform(0.7, 1.4);
      syn[j] = random.chance(0.5) ? 5e-3 : random.uniform(3e-3, 7e-3);
    }
    p["tau_mem"] = Parameter(std::move(mem));
    if (random.chance(0.7)) p["tau_syn"] = Parameter(std::move(syn));
    census.own_time_constants += size > 1;
  }
  census.refractory += p["tau_ref"].values() != std::vector{0.0};
  n.add_population(p);
  // Strong weights: several spikes between two arrivals; weak ones: near the threshold.
  const double strength = std::exp(random.uniform(std::log(0.3), std::log(8.0)));
  std::vector<Real> w(channels * size);
  for (Real& x : w) x = static_cast<Real>(strength * (0.4 + random.normal()));
  const std::uint32_t kind = random.below(6);
  const auto weight = [&] { return static_cast<Real>(2 * strength * (0.4 + random.normal())); };
  if (kind < 5) {
    n.connect("in", "layer", w,
              kind == 0   ? Delay::common(1e-3)
              : kind >= 3 ? Delay::per_synapse(some_delays(random, w.size(), 0, 5e-3))
                          : Delay::none());
  }
  if (kind >= 4) connect_some(n, "in", "layer", random, weight, 0.4, 0);
  census.own_lists += kind >= 3;

  std::vector<std::vector<std::pair<double, int>>> samples(2);
  for (auto& sample : samples) {
    for (int k = 0; k < 16; ++k) {
      // On a coarse grid half of the time: simultaneous arrivals.
      const double t = random.chance(0.5) ? 2e-3 * random.below(12) : random.uniform(0, 25e-3);
      sample.emplace_back(t, static_cast<int>(random.below(channels)));
    }
    std::sort(sample.begin(), sample.end());
  }
  bool above = false;
  for (std::size_t j = 0; j < size; ++j) above = above || p["bias"][j] > p["v_threshold"][j];
  const double ends[] = {above ? 40e-3 : random.chance(0.5) ? infinity : 35e-3};

  Options scalar, vector;
  scalar.kernel = Kernel::scalar;
  for (int pass = 0; pass < 2; ++pass) {
    const Spikes in = test::spikes_of(samples);
    const Inputs inputs{{in}, ends};
    const auto a = simulate(n, inputs, scalar);
    ++census.layers;
    census.in_vectors += size >= 2 * 32 / sizeof(Real);
    census.endless += std::isinf(ends[0]);
    census.tonic += above;
    const Spikes& out = a.populations[1].spikes;
    for (std::size_t s = 0; s < 2; ++s) {
      std::vector<int> count(size);
      for (auto k = out.offsets[s]; k < out.offsets[s + 1]; ++k) {
        const auto at = static_cast<std::size_t>(k);
        ++count[static_cast<std::size_t>(out.neurons[at])];
        census.at_arrivals += std::any_of(samples[s].begin(), samples[s].end(),
                                          [&](auto spike) { return spike.first == out.times[at]; });
      }
      for (const int k : count) {
        census.spikes += static_cast<std::size_t>(k);
        census.bursting += k > 1;
        census.silent += k == 0;
      }
      for (std::size_t k = 1; k < samples[s].size(); ++k) {
        census.simultaneous += samples[s][k].first == samples[s][k - 1].first;
      }
    }
    for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
      hwy::SetSupportedTargetsForTest(left & -left);
      const auto b = simulate(n, inputs, vector);
      hwy::SetSupportedTargetsForTest(0);
      ASSERT_TRUE(test::same_bits(a, b)) << "seed " << seed << ", size " << size << ", ratio "
                                         << ratio << ", " << hwy::TargetName(left & -left);
    }
    // Once more with inputs exactly at the times of some spikes (where delays allow).
    if (!n.projections().back().delay.values.empty()) break;
    for (std::size_t s = 0; s < 2; ++s) {
      for (auto k = out.offsets[s]; k < out.offsets[s + 1];
           k += 1 + (out.offsets[s + 1] - out.offsets[s]) / 8) {
        samples[s].emplace_back(out.times[static_cast<std::size_t>(k)],
                                static_cast<int>(random.below(channels)));
      }
      std::sort(samples[s].begin(), samples[s].end());
    }
  }
}

template <class Real>
void compare_kernels() {
  Census census;
  std::uint64_t seed = sizeof(Real);
  for (const std::size_t size : {1, 3, 17, 64, 350}) {
    for (const double ratio : {4.0, 2.0, 3.0, 1.0, 1 + 1e-6, 0.6, 2.7, 20.0}) {
      for (int k = 0; k < (size > 100 ? 3 : 8); ++k) {
        compare_kernels<Real>(++seed * 16, size, ratio, census);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
  int targets = 0;
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) ++targets;
  std::printf(
      "%zu layers (%zu wide enough for vectors, %zu endless, %zu with a bias above threshold, %zu "
      "refractory, %zu with time constants of each neuron, %zu with arrivals of each) on %d "
      "instruction sets: %zu spikes, %zu of them at an arrival, %zu neurons with several, %zu "
      "silent, %zu simultaneous inputs\n",
      census.layers, census.in_vectors, census.endless, census.tonic, census.refractory,
      census.own_time_constants, census.own_lists, targets, census.spikes, census.at_arrivals,
      census.bursting, census.silent, census.simultaneous);
  EXPECT_GT(census.in_vectors, 200u);
  EXPECT_GT(census.endless, 50u);
  EXPECT_GT(census.tonic, 30u);
  EXPECT_GT(census.refractory, 50u);
  EXPECT_GT(census.own_time_constants, 30u);
  EXPECT_GT(census.own_lists, 100u);
  EXPECT_GT(census.spikes, 50000u);
  EXPECT_GT(census.at_arrivals, 100u);
  EXPECT_GT(census.bursting, 10000u);
  EXPECT_GT(census.silent, 5000u);
  EXPECT_GT(census.simultaneous, 1000u);
}

TEST(Kernels, ScalarAndVectorGiveTheSameBitsInFloat64OnEveryInstructionSet) {
  compare_kernels<double>();
}

TEST(Kernels, ScalarAndVectorGiveTheSameBitsInFloat32OnEveryInstructionSet) {
  compare_kernels<float>();
}

// A recurrent layer, by windows or by the event loop, and a readout: spikes and maxima have the
// bits of the scalar path, gradients agree to rounding.
template <class Real>
void compare_cycles(std::uint64_t seed, std::size_t size, double ratio, double delay,
                    std::size_t& spikes, std::size_t& own_lists, double& worst) {
  Random random(seed, Purpose::synthetic, 2);
  constexpr std::size_t channels = 12, outputs = 3;
  const auto weights = [&](std::size_t count, double mean, double spread) {
    std::vector<Real> w(count);
    for (Real& x : w) x = static_cast<Real>(mean + spread * random.normal());
    return w;
  };
  Network<Real> n;
  n.add_input("in", channels);
  Population p;
  p.name = "layer";
  p.size = size;
  p["tau_syn"] = 5e-3;
  p["tau_mem"] = 5e-3 * ratio;
  p["v_reset"] = random.uniform(-0.4, 0.2);
  p["bias"] = random.uniform(-0.3, 0.3);
  if (random.chance(0.4)) p["tau_ref"] = random.uniform(0, 5e-3);
  if (random.chance(0.4)) {
    std::vector<double> mem(size), syn(size);
    for (double& x : mem) x = 5e-3 * ratio * random.uniform(0.7, 1.4);
    for (double& x : syn) x = random.uniform(3e-3, 7e-3);
    p["tau_mem"] = Parameter(std::move(mem));
    if (random.chance(0.7)) p["tau_syn"] = Parameter(std::move(syn));
  }
  n.add_population(p);
  p["tau_mem"] = 5e-3 * ratio;
  p["tau_syn"] = 5e-3;
  p.name = "out";
  p.size = outputs;
  p.become(Model::li);
  n.add_population(p);
  // Each neuron with arrivals of its own: by delays of each synapse, or by a list of synapses.
  const std::uint32_t kind = random.below(4);
  const bool own = kind >= 2;
  own_lists += own;
  n.connect("in", "layer", weights(channels * size, 1, 1),
            kind == 1 ? Delay::per_source(some_delays(random, channels, 0, 3e-3)) : Delay::none());
  const double spread = 0.5 / std::sqrt(static_cast<double>(size));
  if (kind == 3) {
    const auto weight = [&] { return static_cast<Real>(-0.1 + spread * random.normal()); };
    connect_some(n, "layer", "layer", random, weight, 0.5, delay);
  } else {
    n.connect("layer", "layer", weights(size * size, -0.1, spread),
              own         ? Delay::per_synapse(some_delays(random, size * size, delay, 2 * delay))
              : delay > 0 ? Delay::common(delay)
                          : Delay::none());
  }
  n.connect("layer", "out", weights(size * outputs, 0, 1),
            own ? Delay::per_synapse(some_delays(random, size * outputs, 0, 3e-3)) : Delay::none());
  std::vector<std::vector<std::pair<double, int>>> samples(2);
  for (auto& sample : samples) {
    for (int k = 0; k < 25; ++k) {
      const double t = random.chance(0.3) ? 2e-3 * random.below(12) : random.uniform(0, 30e-3);
      sample.emplace_back(t, static_cast<int>(random.below(channels)));
    }
    std::sort(sample.begin(), sample.end());
  }
  const Spikes in = test::spikes_of(samples);
  const double ends[] = {40e-3};
  const Inputs inputs{{in}, ends};
  Options scalar, vector;
  scalar.kernel = Kernel::scalar;
  const auto a = simulate(n, inputs, scalar);
  spikes += a.populations[1].currents.size();
  Errors<Real> errors(3);
  for (std::size_t k = 0; k < a.populations[1].currents.size(); ++k) {
    errors.populations[1].spikes.push_back(static_cast<Real>(random.uniform(-1, 1)));
  }
  errors.populations[1].integrals.assign(2 * size, Real(0.5));
  errors.populations[2].maxima.assign(2 * outputs, Real(1));
  errors.maxima[2] = maxima(n, inputs, a, 2, scalar);
  const auto gradients = backward(n, inputs, a, errors, {}, scalar);
  std::optional<Gradients<Real>> in_vectors;
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left & -left);
    const auto b = simulate(n, inputs, vector);
    const auto highest = maxima(n, inputs, b, 2, vector);
    const auto others = backward(n, inputs, b, errors, {}, vector);
    hwy::SetSupportedTargetsForTest(0);
    const auto what = "seed " + std::to_string(seed) + ", size " + std::to_string(size) + ", " +
                      hwy::TargetName(left & -left);
    ASSERT_TRUE(test::same_bits(a, b)) << what;
    ASSERT_TRUE(test::same_bits(errors.maxima[2].values, highest.values)) << what;
    ASSERT_TRUE(test::same_bits(errors.maxima[2].times, highest.times)) << what;
    ASSERT_TRUE(test::same_bits(errors.maxima[2].currents, highest.currents)) << what;
    ASSERT_EQ(errors.maxima[2].places, highest.places) << what;
    if (!in_vectors) in_vectors = others;
    ASSERT_TRUE(test::same_bits(*in_vectors, others)) << what;
    if constexpr (std::is_same_v<Real, double>) {
      worst = std::max(worst, test::largest_difference(n, gradients, others, gradient_bar));
    }
  }
}

template <class Real>
void compare_cycles() {
  std::size_t spikes = 0, own_lists = 0;
  double worst = 0;
  std::uint64_t seed = 0;
  for (const std::size_t size : {1, 3, 17, 64, 100}) {
    for (const double ratio : {4.0, 2.0, 1.0, 2.7}) {
      for (const double delay : {0.0, 1e-3, 1e-4}) {
        for (int k = 0; k < (size > 50 ? 1 : 4); ++k) {
          compare_cycles<Real>(++seed, size, ratio, delay, spikes, own_lists, worst);
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
  std::printf("%zu networks (%zu with arrivals of each neuron), %zu spikes; worst gradient %.1e\n",
              static_cast<std::size_t>(seed), own_lists, spikes, worst);
  EXPECT_GT(spikes, 10000u);
  EXPECT_GT(own_lists, 50u);
  EXPECT_LE(worst, gradient_bar);
}

TEST(Kernels, CyclesInVectorsHaveTheBitsOfTheScalarPathInFloat64) { compare_cycles<double>(); }
TEST(Kernels, CyclesInVectorsHaveTheBitsOfTheScalarPathInFloat32) { compare_cycles<float>(); }

}  // namespace
}  // namespace saltus
