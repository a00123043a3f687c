// SPDX-License-Identifier: Apache-2.0
//
// Checks of the oracle itself: its forward run against a plain Runge-Kutta integration, its
// derivatives against Richardson differences of its forward run (docs/theory.md section 12), and
// small cases that can be done by hand.
#include "oracle.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <tuple>

using namespace saltus_oracle;

namespace {

struct Case {
  Network network;
  std::vector<InputSpike> inputs;
  double t_end = 0.06;
  Errors errors;
  bool zero_delay_cycle = false;
};

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  // Rounded to float, so that adding and subtracting a step that is a power of two is exact in
  // double.
  double uniform(double a, double b) {
    return float(std::uniform_real_distribution<>(a, b)(engine_));
  }
  double normal(double mean, double sd) {
    return float(std::normal_distribution<>(mean, sd)(engine_));
  }
  bool chance(double p) { return std::uniform_real_distribution<>()(engine_) < p; }
  int integer(int a, int b) { return std::uniform_int_distribution<>(a, b)(engine_); }

 private:
  std::mt19937 engine_;
};

// A path of zero-delay connections between spiking neurons that closes on itself?
bool has_zero_delay_cycle(const Network& network) {
  const std::size_t n = network.neurons.size();
  std::vector<std::vector<bool>> reach(n, std::vector<bool>(n, false));
  for (const Synapse& s : network.synapses)
    if (!s.from_input && s.delay == 0 && network.neurons[std::size_t(s.source)].spikes)
      reach[std::size_t(s.source)][std::size_t(s.target)] = true;
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (reach[i][k] && reach[k][j]) reach[i][j] = true;
  for (std::size_t i = 0; i < n; ++i)
    if (reach[i][i]) return true;
  return false;
}

// Thresholds that adapt, in both directions and at time constants equal or nearly equal to the
// others'.
void adapt(Neuron& p, Random& random) {
  p.beta = random.chance(0.3) ? random.uniform(-0.3, 0) : random.uniform(0, 1);
  p.tau_adapt = random.uniform(0.003, 0.1);
  if (random.chance(0.1)) p.tau_adapt = p.tau_mem;
  if (random.chance(0.1)) p.tau_adapt = p.tau_syn;
  if (random.chance(0.1)) p.tau_adapt *= 1 + std::ldexp(1, -random.integer(8, 20));
  p.a_initial = random.chance(0.5) ? 0 : random.uniform(-0.5, 1.5);
  if (random.chance(0.7)) return;
  // A high threshold that soon falls below a V that falls as well.
  p.v_threshold = 0.5625;
  p.v_initial = random.uniform(0.8, 1.2);
  p.i_initial = random.uniform(-1, 0.25);
  p.tau_mem = random.uniform(0.015, 0.03);
  p.beta = random.uniform(0.7, 1);
  p.tau_adapt = random.uniform(0.002, 0.005);
  p.a_initial = random.uniform(1, 2);
}

std::optional<Case> draw(Random& random, bool adaptive) {
  Case c;
  const bool infinite = random.chance(0.12);
  if (infinite) c.t_end = std::numeric_limits<double>::infinity();
  const int neurons = random.integer(1, 12);
  c.network.inputs = random.integer(2, 8);
  const bool equal_taus = random.chance(0.25);
  for (int n = 0; n < neurons; ++n) {
    Neuron p;
    p.spikes = random.chance(0.65);
    p.tau_mem = random.uniform(0.004, 0.03);
    p.tau_syn = equal_taus ? p.tau_mem : random.uniform(0.002, 0.025);
    if (random.chance(0.1)) p.tau_syn = p.tau_mem * (1 + std::ldexp(1, -random.integer(8, 20)));
    p.v_threshold = random.uniform(0.6, 1.2);
    p.v_reset = random.chance(0.5) ? 0 : random.uniform(-0.5, 0.4);
    p.bias = random.chance(0.5) ? 0 : random.uniform(-0.4, infinite ? 0.5 : 1.4);
    p.tau_ref = random.chance(0.4) ? 0 : random.uniform(0.0005, 0.008);
    p.v_initial = random.chance(0.5) ? 0 : random.uniform(-0.5, 0.5);
    p.i_initial = random.chance(0.5) ? 0 : random.uniform(-1, 2);
    // A readout that nothing lifts above a rest at 0 has one-sided derivatives for its initial
    // state: few of those.
    if (!p.spikes && p.i_initial == 0 && p.bias == 0 && random.chance(0.9)) p.i_initial = 0.125;
    if (adaptive && p.spikes && random.chance(0.85)) adapt(p, random);
    c.network.neurons.push_back(p);
  }
  // One zero delay per pair at most: two would tie, and a difference across a tie is void.
  std::set<std::tuple<bool, int, int>> direct;
  const auto connect = [&](bool from_input, int source, int target, double mean) {
    const bool zero = random.chance(0.4) && direct.insert({from_input, source, target}).second;
    const double delay = zero ? 0 : random.uniform(0.0002, 0.01);
    c.network.synapses.push_back({from_input, source, target, random.normal(mean, 1.3), delay});
  };
  for (int target = 0; target < neurons; ++target) {
    for (int k = random.integer(1, 4); k > 0; --k)
      connect(true, random.integer(0, c.network.inputs - 1), target, 0.8);
    for (int k = random.integer(0, 3); k > 0; --k) {
      const int source = random.integer(0, neurons - 1);  // a self-connection now and then
      if (!infinite || source < target) connect(false, source, target, 0.3);
    }
  }
  for (int k = random.integer(3, 16); k > 0; --k)
    c.inputs.push_back({random.uniform(0.0005, 0.045), random.integer(0, c.network.inputs - 1)});
  for (int k = 0; k < 3; ++k) c.errors.sample_times.push_back(random.uniform(0.001, 0.058));
  std::sort(c.errors.sample_times.begin(), c.errors.sample_times.end());

  Outcome outcome;
  try {
    outcome = simulate(c.network, c.inputs, c.t_end, c.errors.sample_times);
  } catch (const std::runtime_error&) {  // a runaway, or a release above the adapted threshold
    return std::nullopt;
  } catch (const std::invalid_argument&) {  // only an adapted threshold starts below V
    if (!adaptive) throw;
    return std::nullopt;
  }
  if (outcome.arrivals > 200) return std::nullopt;
  for (std::size_t n = 0; n < c.network.neurons.size(); ++n) {
    const Neuron& p = c.network.neurons[n];
    const bool silent = outcome.spikes[n].empty();
    c.errors.spike.emplace_back();
    for (std::size_t k = 0; k < outcome.spikes[n].size(); ++k)
      c.errors.spike.back().push_back(random.normal(0, 100));
    c.errors.maximum.push_back(silent ? random.normal(0, 1) : 0);
    c.errors.integral.push_back(infinite && p.bias != 0 ? 0 : random.normal(0, 40));
    c.errors.sample.emplace_back();
    for (int k = 0; k < 3; ++k) c.errors.sample.back().push_back(random.normal(0, 1));
  }
  c.zero_delay_cycle = has_zero_delay_cycle(c.network);
  return c;
}

Case random_case(unsigned seed) {
  for (Random random(seed);;)
    if (auto c = draw(random, false)) return *std::move(c);
}

Case adaptive_case(unsigned seed) {
  for (Random random(seed);;)
    if (auto c = draw(random, true)) return *std::move(c);
}

// One neuron left to itself, from an extreme state: what a network seldom brings to the search for
// the next spike.
Case lone_case(unsigned seed) {
  for (Random random(seed);;) {
    Case c;
    Neuron p;
    p.tau_mem = std::exp(random.uniform(-6, -2.5));
    p.tau_syn = random.chance(0.2) ? p.tau_mem : std::exp(random.uniform(-6, -2.5));
    p.bias = random.uniform(-1, 2);
    p.v_initial = random.uniform(-2, 2);
    p.i_initial = random.uniform(-8, 8);
    p.tau_ref = random.uniform(0, 0.01);
    p.v_reset = random.uniform(-1, 0.6);
    adapt(p, random);
    if (random.chance(0.5)) {
      p.tau_adapt = std::exp(random.uniform(-6, -2.5));
      p.a_initial = random.uniform(-3, 3);
    }
    c.network.neurons.push_back(p);
    try {
      if (simulate(c.network, c.inputs, c.t_end).spikes[0].size() <= 100) return c;
    } catch (const std::runtime_error&) {
    } catch (const std::invalid_argument&) {
    }
  }
}

// A crossing that the threshold brings about, falling faster than V.
bool voltage_falls(const Neuron& p, const Spike& s) {
  return s.current + p.bias < p.v_threshold + p.beta * s.adaptation;
}

// ------------------------------------------------------------------------------------------------------------------

const char* const kinds[] = {"weight",      "delay",   "input_time", "tau_mem",  "tau_syn",
                             "v_threshold", "v_reset", "bias",       "tau_ref",  "v_initial",
                             "i_initial",   "beta",    "tau_adapt",  "a_initial"};

struct Handle {  // one parameter of a case, and what the oracle says of it
  std::size_t kind;
  double* parameter;
  Scalar expected;
  bool one_sided;
  Scalar step;
};

std::vector<Handle> handles(Case& c, const Gradient& g, bool adaptive) {
  std::vector<Handle> all;
  const Scalar unit = std::ldexp(Scalar(1), -17), time = std::ldexp(Scalar(1), -24);
  for (std::size_t s = 0; s < c.network.synapses.size(); ++s) {
    Synapse& synapse = c.network.synapses[s];
    all.push_back({0, &synapse.weight, g.weight[s], false, unit});
    all.push_back({1, &synapse.delay, g.delay[s], synapse.delay == 0, time});
  }
  for (std::size_t k = 0; k < c.inputs.size(); ++k)
    all.push_back({2, &c.inputs[k].time, g.input_time[k], false, time});
  for (std::size_t n = 0; n < c.network.neurons.size(); ++n) {
    Neuron& p = c.network.neurons[n];
    all.push_back({3, &p.tau_mem, g.tau_mem[n], false, time});
    all.push_back({4, &p.tau_syn, g.tau_syn[n], false, time});
    all.push_back({5, &p.v_threshold, g.v_threshold[n], false, unit});
    all.push_back({6, &p.v_reset, g.v_reset[n], false, unit});
    // The integral to infinity has an infinite derivative for its own bias, and no value beside 0.
    if (std::isfinite(c.t_end) || c.errors.integral[n] == 0)
      all.push_back({7, &p.bias, g.bias[n], false, unit});
    all.push_back({8, &p.tau_ref, g.tau_ref[n], p.tau_ref == 0, time});
    all.push_back({9, &p.v_initial, g.v_initial[n], false, unit});
    all.push_back({10, &p.i_initial, g.i_initial[n], false, unit});
    if (!adaptive || !p.spikes) continue;
    all.push_back({11, &p.beta, g.beta[n], false, unit});
    all.push_back({12, &p.tau_adapt, g.tau_adapt[n], false, time});
    all.push_back({13, &p.a_initial, g.a_initial[n], false, unit});
  }
  return all;
}

bool same_branch(const Outcome& x, const Outcome& y) {
  for (std::size_t n = 0; n < x.log.size(); ++n) {
    if (x.log[n].size() != y.log[n].size()) return false;
    for (std::size_t k = 0; k < x.log[n].size(); ++k)
      if (!x.log[n][k].same_as(y.log[n][k])) return false;
    if (!x.spikes[n].empty()) continue;  // its maximum is nothing
    if (x.maxima[n].place != y.maxima[n].place || x.maxima[n].event != y.maxima[n].event)
      return false;
  }
  return true;
}

struct Estimate {
  bool valid = false;           // all points on one branch
  Scalar value = 0, moved = 0;  // moved: by the last halving of the step
};

// Neville's scheme on central differences (errors in h^2) or one-sided ones (errors in h).
Estimate difference(const Case& c, const Handle& handle, const Outcome& base, Scalar h) {
  const double origin = *handle.parameter;
  const auto value = [&](Scalar shift) -> std::optional<Scalar> {
    *handle.parameter = double(origin + shift);
    const Outcome outcome = simulate(c.network, c.inputs, c.t_end, c.errors.sample_times);
    *handle.parameter = origin;
    if (!same_branch(base, outcome)) return std::nullopt;
    return functional(outcome, c.errors);
  };
  const std::size_t levels = handle.one_sided ? 6 : 4;
  const Scalar centre = functional(base, c.errors);
  std::vector<Scalar> row;
  Scalar moved = 0;
  for (std::size_t level = 0; level < levels; ++level, h /= 2) {
    const auto above = value(h);
    const auto below = handle.one_sided ? std::optional(centre) : value(-h);
    if (!above || !below) return {};
    std::vector<Scalar> next{(*above - *below) / (handle.one_sided ? h : 2 * h)};
    Scalar ratio = 1;
    for (const Scalar coarse : row) {
      ratio *= handle.one_sided ? 2 : 4;
      next.push_back(next.back() + (next.back() - coarse) / (ratio - 1));
    }
    if (!row.empty()) moved = std::fabs(next.back() - row.back());
    row = std::move(next);
  }
  return {true, row.back(), moved};
}

void derivatives_match_richardson_differences(unsigned cases, bool adaptive) {
  constexpr Scalar bar = 1e-8L;
  const std::size_t shown = adaptive ? std::size(kinds) : std::size(kinds) - 3;
  std::size_t spikes = 0, multi = 0, kinks = 0, interior = 0, refractory = 0, cycles = 0, loops = 0,
              negative = 0;
  std::size_t endless = 0, one_sided = 0, entries = 0, voids = 0, absolute = 0, arrivals = 0,
              shrunk = 0, unresolved = 0, falling = 0, lowered = 0;
  std::vector<Scalar> worst(std::size(kinds), 0), largest(std::size(kinds), 0);
  for (unsigned seed = 1; seed <= cases; ++seed) {
    Case c = adaptive ? adaptive_case(seed) : random_case(seed);
    Outcome base;
    const Gradient g = gradient(c.network, c.inputs, c.t_end, c.errors, &base);
    std::vector<Handle> all = handles(c, g, adaptive);
    std::vector<Scalar> scale(std::size(kinds), 0);
    for (const Handle& h : all) scale[h.kind] = std::max(scale[h.kind], std::fabs(h.expected));

    bool is_void = false;
    for (std::size_t n = 0; n < base.maxima.size(); ++n)
      is_void = is_void || (base.spikes[n].empty() && base.maxima[n].tied);
    voids += is_void;
    std::vector<Scalar> errors(std::size(kinds), 0);
    for (const Handle& h : all) {
      if (is_void) break;
      const Scalar noise = 1e6L * std::numeric_limits<Scalar>::epsilon() *
                           std::max(Scalar(1), std::fabs(functional(base, c.errors))) / h.step;
      Estimate estimate;
      Scalar step = h.step;
      for (int attempt = 0; attempt < 5; ++attempt, step /= 16) {
        const Estimate next = difference(c, h, base, step);
        if (next.valid && (!estimate.valid || next.moved < estimate.moved)) estimate = next;
        if (estimate.valid && (estimate.moved <= bar / 10 * scale[h.kind] || scale[h.kind] < noise))
          break;
        ++shrunk;
      }
      if (!estimate.valid) {
        ++voids;
        is_void = true;
      } else if (scale[h.kind] >= noise && estimate.moved > bar / 10 * scale[h.kind]) {
        ++unresolved;  // so steep that no step gives enough digits
        is_void = true;
      } else if (scale[h.kind] < noise) {
        ++absolute;
        EXPECT_LE(std::fabs(estimate.value - h.expected), noise)
            << kinds[h.kind] << " seed " << seed;
      } else {
        const Scalar error = std::fabs(estimate.value - h.expected) / scale[h.kind];
        EXPECT_LE(error, bar) << kinds[h.kind] << " seed " << seed << " expected " << h.expected;
        errors[h.kind] = std::max(errors[h.kind], error);
      }
    }
    if (is_void) continue;
    entries += all.size();
    for (std::size_t k = 0; k < std::size(kinds); ++k) {
      worst[k] = std::max(worst[k], errors[k]);
      largest[k] = std::max(largest[k], scale[k]);
    }
    for (const Handle& h : all) one_sided += h.one_sided;
    for (std::size_t n = 0; n < c.network.neurons.size(); ++n) {
      spikes += base.spikes[n].size();
      multi += base.spikes[n].size() > 1;
      lowered += c.network.neurons[n].beta < 0 && base.spikes[n].size() > 1;
      for (const Spike& s : base.spikes[n]) falling += voltage_falls(c.network.neurons[n], s);
      if (!base.spikes[n].empty()) continue;
      kinks += base.maxima[n].place == Maximum::Place::arrival;
      interior += base.maxima[n].place == Maximum::Place::interior;
    }
    for (const Synapse& s : c.network.synapses) {
      negative += s.weight < 0;
      loops +=
          !s.from_input && s.source == s.target && c.network.neurons[std::size_t(s.source)].spikes;
    }
    arrivals += base.arrivals;
    refractory += base.refractory_arrivals;
    cycles += c.zero_delay_cycle;
    endless += std::isinf(c.t_end);
  }
  std::printf(
      "networks %u, void %zu, too steep %zu, with a zero-delay cycle %zu, with infinite T %zu\n",
      cases, voids, unresolved, cycles, endless);
  std::printf("entries %zu, one-sided %zu, compared absolutely %zu, steps shrunk %zu\n", entries,
              one_sided, absolute, shrunk);
  std::printf("spikes %zu, multi-spike neurons %zu, arrivals %zu, refractory arrivals %zu\n",
              spikes, multi, arrivals, refractory);
  std::printf("maxima at kinks %zu, inside %zu; negative weights %zu, self-connections %zu\n",
              kinks, interior, negative, loops);
  std::printf("spikes while V falls %zu, multi-spike neurons with beta < 0 %zu\n", falling,
              lowered);
  for (std::size_t k = 0; k < shown; ++k)
    std::printf("  %-12s worst relative error %.1Le, largest entry %.1Le\n", kinds[k], worst[k],
                largest[k]);
  EXPECT_LT((voids + unresolved) * 100, cases * 15);
  EXPECT_GT(multi, cases / 3);
  EXPECT_GT(kinks, cases / 6);
  EXPECT_GT(interior, cases / 6);
  EXPECT_GT(refractory, cases / 3);
  EXPECT_GT(cycles, cases / 15);
  EXPECT_GT(loops, cases / 6);
  EXPECT_GT(endless, cases / 30);
  for (std::size_t k = 0; k < shown; ++k) EXPECT_GT(largest[k], 0.1L) << kinds[k];
  if (!adaptive) return;
  EXPECT_GT(falling, cases / 10);
  EXPECT_GT(lowered, cases / 20);
}

TEST(OracleSelfTest, DerivativesMatchRichardsonDifferences) {
  derivatives_match_richardson_differences(300, false);
}

TEST(OracleSelfTest, DerivativesOfAdaptiveThresholdsMatchRichardsonDifferences) {
  derivatives_match_richardson_differences(60, true);
}

// The oracle's spike trains, given as arrivals to each neuron in turn, integrated with small
// Runge-Kutta steps: the voltage must stay below threshold except at the spikes (none lost), and
// reach it there (none invented).
struct Met {
  std::size_t spikes = 0, falling = 0;  // falling: spikes at which V falls
};

Met forward_run_matches_runge_kutta(Case (*make)(unsigned), unsigned cases) {
  Scalar worst_spike = 0, worst_overshoot = 0, worst_value = 0;
  std::size_t spikes = 0, falling = 0;
  for (unsigned seed = 1; seed <= cases; ++seed) {
    Case c = make(seed);
    if (std::isinf(c.t_end)) continue;
    const std::vector<double>& at = c.errors.sample_times;
    const Outcome out = simulate(c.network, c.inputs, c.t_end, at);
    for (std::size_t n = 0; n < c.network.neurons.size(); ++n) {
      const Neuron& p = c.network.neurons[n];
      enum Order { release, sample, spike, arrival, finish };
      std::multimap<std::pair<Scalar, Order>, double>
          marks;  // breakpoints; the weight if an arrival
      for (const Spike& s : out.spikes[n]) {
        marks.insert({{s.time, spike}, 0});
        marks.insert({{s.time + p.tau_ref, release}, 0});
      }
      for (const double t : at) marks.insert({{t, sample}, 0});
      for (const Synapse& s : c.network.synapses) {
        if (std::size_t(s.target) != n) continue;
        if (s.from_input) {
          for (const InputSpike& in : c.inputs)
            if (in.channel == s.source)
              marks.insert({{Scalar(in.time) + s.delay, arrival}, s.weight});
        } else {
          for (const Spike& from : out.spikes[std::size_t(s.source)])
            marks.insert({{from.time + s.delay, arrival}, s.weight});
        }
      }
      marks.insert({{c.t_end, finish}, 0});
      Scalar t = 0, v = p.v_initial, i = p.i_initial, a = p.a_initial, integral = 0, maximum = v;
      bool clamped = false;
      std::size_t reads = 0;
      for (const auto& [mark, weight] : marks) {
        if (mark.first > c.t_end) break;
        const int steps = int(std::ceil((mark.first - t) / 2e-5L));
        const Scalar h = steps > 0 ? (mark.first - t) / steps : 0;
        const auto dv = [&](Scalar x, Scalar y) {
          return clamped ? 0 : (p.bias + y - x) / p.tau_mem;
        };
        const auto di = [&](Scalar y) { return -y / p.tau_syn; };
        const Scalar ha = h / p.tau_adapt;
        for (int k = 0; k < steps; ++k) {
          const Scalar v1 = dv(v, i), i1 = di(i);
          const Scalar v2 = dv(v + h / 2 * v1, i + h / 2 * i1), i2 = di(i + h / 2 * i1);
          const Scalar v3 = dv(v + h / 2 * v2, i + h / 2 * i2), i3 = di(i + h / 2 * i2);
          const Scalar v4 = dv(v + h * v3, i + h * i3), i4 = di(i + h * i3);
          integral += h * (v + h / 6 * (v1 + v2 + v3));  // the same scheme for its own equation
          v += h / 6 * (v1 + 2 * v2 + 2 * v3 + v4);
          i += h / 6 * (i1 + 2 * i2 + 2 * i3 + i4);
          a *= 1 - ha * (1 - ha / 2 * (1 - ha / 3 * (1 - ha / 4)));
          maximum = std::max(maximum, v);
          if (p.spikes && !clamped)
            worst_overshoot = std::max(worst_overshoot, v - p.v_threshold - p.beta * a);
        }
        t = mark.first;
        if (mark.second == release) clamped = false;
        if (mark.second == sample)
          worst_value = std::max(worst_value, std::fabs(v - out.samples[n].at(reads++)));
        if (mark.second == spike) {
          worst_spike = std::max(worst_spike, std::fabs(v - p.v_threshold - p.beta * a));
          falling += (p.bias + i) < v;
          a += 1;
          v = p.v_reset;
          clamped = p.tau_ref > 0;
          ++spikes;
        }
        if (mark.second == arrival) i += weight;
      }
      worst_value = std::max(worst_value, std::fabs(integral - out.integrals[n]) / 0.06L);
      if (!p.spikes) {
        EXPECT_LE(maximum, out.maxima[n].value + 1e-8L) << seed;
        EXPECT_GE(maximum, out.maxima[n].value - 1e-4L)
            << seed;  // the grid misses the peak by a little
      }
    }
  }
  std::printf(
      "spikes %zu: V - threshold off by %.1Le at spikes, above 0 by %.1Le between; values off by "
      "%.1Le\n",
      spikes, worst_spike, worst_overshoot, worst_value);
  EXPECT_LT(worst_spike, 1e-8L);
  EXPECT_LT(worst_overshoot, 1e-8L);
  EXPECT_LT(worst_value, 1e-8L);
  return {spikes, falling};
}

TEST(OracleSelfTest, ForwardRunMatchesRungeKutta) {
  EXPECT_GT(forward_run_matches_runge_kutta(random_case, 60).spikes, 500u);
}

TEST(OracleSelfTest, AdaptiveForwardRunMatchesRungeKutta) {
  const Met networks = forward_run_matches_runge_kutta(adaptive_case, 60);
  const Met lone = forward_run_matches_runge_kutta(lone_case, 800);
  std::printf("spikes while V falls: %zu in networks, %zu of lone neurons\n", networks.falling,
              lone.falling);
  EXPECT_GT(networks.spikes, 300u);
  EXPECT_GT(lone.spikes, 400u);
  EXPECT_GT(networks.falling, 10u);
  EXPECT_GT(lone.falling, 50u);
}

// ------------------------------------------------------------------------------------------------------------------

Neuron readout(double tau_mem, double tau_syn) {
  Neuron p;
  p.spikes = false;
  p.tau_mem = tau_mem;
  p.tau_syn = tau_syn;
  return p;
}

TEST(OracleSelfTest, ClosedFormsAtEqualAndNearlyEqualTimeConstants) {
  const Network network{1, {readout(0.5, 0.5)}, {{true, 0, 0, 2.0, 0.0}}};
  Errors errors{{}, {1}, {0}, {0.75}, {{0}}};
  Outcome out;
  Gradient g = gradient(network, {{0.25, 0}}, 8, errors, &out);
  // V = 2 (t / tau) exp(-t / tau): the peak 2 / e after tau; the integral to infinity is 2 tau.
  EXPECT_NEAR(double(out.maxima[0].value), 2 * std::exp(-1.0), 1e-16);
  EXPECT_NEAR(double(out.maxima[0].time), 0.75, 1e-16);
  EXPECT_NEAR(double(g.weight[0]), std::exp(-1.0), 1e-16);
  EXPECT_NEAR(double(g.input_time[0]), 0, 1e-16);
  // Perturbing one time constant alone moves V by -t^2 / (2 tau^2) exp(-t / tau) I0 per unit of its
  // rate.
  errors = {{}, {}, {}, {0.75}, {{1}}};
  g = gradient(network, {{0.25, 0}}, 8, errors, &out);
  EXPECT_NEAR(double(g.tau_syn[0]), 2 * 0.5 * std::exp(-1.0) / 0.5, 1e-15);
  EXPECT_NEAR(double(g.tau_mem[0]), 2 * (0.5 - 1) * std::exp(-1.0) / 0.5, 1e-15);
  for (int power = 5; power < 53; ++power) {  // continuous across equality
    const Network near{1, {readout(0.5, 0.5 + std::ldexp(1, -power))}, network.synapses};
    const Gradient h = gradient(near, {{0.25, 0}}, 8, errors);
    EXPECT_NEAR(double(h.tau_syn[0] - g.tau_syn[0]), 0, 10 * std::ldexp(1, -power) + 1e-16);
    EXPECT_NEAR(double(h.tau_mem[0] - g.tau_mem[0]), 0, 10 * std::ldexp(1, -power) + 1e-16);
  }
}

TEST(OracleSelfTest, InfiniteSample) {
  const double infinity = std::numeric_limits<double>::infinity();
  Network network{1, {readout(0.5, 0.25)}, {{true, 0, 0, 2.0, 0.0}}};
  network.neurons[0].v_initial = 0.5;
  Outcome out;
  const Gradient g = gradient(network, {{0.25, 0}}, infinity, {{}, {}, {3}, {}, {}}, &out);
  EXPECT_NEAR(double(out.integrals[0]), 0.5 * 0.5 + 2 * 0.25, 1e-16);  // tau_mem V0 + tau_syn w
  EXPECT_NEAR(double(g.tau_mem[0]), 3 * 0.5, 1e-16);
  EXPECT_NEAR(double(g.tau_syn[0]), 3 * 2, 1e-15);
  EXPECT_NEAR(double(g.input_time[0]), 0, 1e-16);
  EXPECT_TRUE(std::isinf(g.bias[0]));
  network.neurons[0].bias = 4;  // approached from below, never reached
  const Gradient m = gradient(network, {}, infinity, {{}, {2}, {}, {}, {}}, &out);
  EXPECT_EQ(out.maxima[0].place, Maximum::Place::end);
  EXPECT_EQ(out.maxima[0].value, 4);
  EXPECT_EQ(m.bias[0], 2);
  EXPECT_EQ(m.v_initial[0], 0);
  EXPECT_THROW(gradient(network, {}, infinity, {{}, {}, {1}, {}, {}}), std::invalid_argument);
  network.neurons[0].spikes = true;
  network.neurons[0].v_threshold = 2;
  EXPECT_THROW(simulate(network, {}, infinity), std::invalid_argument);
  network.neurons[0].bias = 0;
  EXPECT_NO_THROW(simulate(network, {}, infinity));
  network.synapses.push_back({false, 0, 0, 1.0, 0.0});
  EXPECT_THROW(simulate(network, {}, infinity), std::invalid_argument);
}

TEST(OracleSelfTest, KinkMaximumAndTies) {
  // One arrival lifts the voltage, one or two later ones press it down: the maximum sits at the
  // later instant.
  Network network{2, {readout(0.02, 0.01)}, {{true, 0, 0, 2.0, 0.0}, {true, 1, 0, -9.0, 0.0}}};
  Outcome out;
  const Gradient one = gradient(network, {{0, 0}, {0.004, 1}}, 0.1, {{}, {1}, {}, {}, {}}, &out);
  EXPECT_EQ(out.maxima[0].place, Maximum::Place::arrival);
  EXPECT_FALSE(out.maxima[0].tied);
  const Scalar current = 2 * std::exp(-0.4L), slope = (current - out.maxima[0].value) / 0.02;
  EXPECT_NEAR(double(one.input_time[1]), double(slope), 1e-12);
  EXPECT_NEAR(double(one.delay[1]), double(slope), 1e-12);
  EXPECT_EQ(one.weight[1], 0);
  network.synapses.push_back({true, 1, 0, -1.0, 0.0});
  const Gradient two = gradient(network, {{0, 0}, {0.004, 1}}, 0.1, {{}, {1}, {}, {}, {}}, &out);
  EXPECT_TRUE(out.maxima[0].tied);
  EXPECT_NEAR(double(two.delay[1]), double(slope) / 2, 1e-12);
  EXPECT_NEAR(double(two.delay[2]), double(slope) / 2, 1e-12);
  EXPECT_NEAR(double(two.input_time[1]), double(slope), 1e-12);
}

TEST(OracleSelfTest, OrderAtOneInstant) {
  // A neuron driven by its bias alone: V = 2 (1 - exp(-t / tau)), which spikes at tau log 2.
  Neuron p;
  p.bias = 2;
  const double at = 0.02 * std::log(2.0);
  Network network{1, {p}, {{true, 0, 0, -3.0, 0.0}}};
  // An arrival a rounding error after the spike, or on it, does not suppress it.
  const Scalar exact = simulate(network, {}, 0.03).spikes[0].at(0).time;
  for (double t = at; exact > t;) t = std::nextafter(t, 1.0);
  const Outcome out =
      simulate(network, {{std::nextafter(at, 1.0), 0}}, 0.03, {std::nextafter(at, 0.0)});
  EXPECT_EQ(out.spikes[0].at(0).time, exact);
  EXPECT_EQ(out.spikes[0].at(0).current, 0);
  EXPECT_NEAR(double(out.samples[0][0]), 1, 1e-12);  // read before the reset
  // A self-connection whose delay equals tau_ref arrives after the release; a shorter one into the
  // clamp.
  network.neurons[0].tau_ref = 0.25;
  network.synapses = {{false, 0, 0, 1.0, 0.25}};
  EXPECT_EQ(simulate(network, {}, 0.3).refractory_arrivals, 0u);
  network.synapses = {{false, 0, 0, 1.0, 0.0}};
  EXPECT_EQ(simulate(network, {}, 0.3).refractory_arrivals, 2u);
}

TEST(OracleSelfTest, AdaptiveSpikesAreContinuousAcrossEqualTimeConstants) {
  Neuron p;
  p.tau_mem = p.tau_syn = p.tau_adapt = 0.5;
  p.i_initial = 6;
  p.beta = 0.25;
  p.a_initial = 0.5;
  const Network equal{0, {p}, {}};
  const std::vector<Spike> spikes = simulate(equal, {}, 4).spikes[0];
  ASSERT_GT(spikes.size(), 1u);
  // By hand, with x = t / tau: (6 x + (0.25 * 0.5) * -1) exp(-x) = 1.
  const Scalar x = spikes[0].time / 0.5L;
  EXPECT_NEAR(double((6 * x - 0.125L) * std::exp(-x)), 1, 1e-16);
  for (int power = 8; power < 53; ++power)
    for (double Neuron::*tau : {&Neuron::tau_mem, &Neuron::tau_syn, &Neuron::tau_adapt}) {
      Network near = equal;
      near.neurons[0].*tau += std::ldexp(1, -power);
      const std::vector<Spike> moved = simulate(near, {}, 4).spikes[0];
      ASSERT_EQ(moved.size(), spikes.size());
      for (std::size_t k = 0; k < spikes.size(); ++k)
        EXPECT_NEAR(double(moved[k].time - spikes[k].time), 0, 20 * std::ldexp(1, -power) + 1e-16);
    }
}

TEST(OracleSelfTest, AFallingThresholdFindsAFallingVoltage) {
  // V = 2 exp(-t / 0.5) is overtaken by theta = 0.5 + 2 exp(-t / 0.1).
  Neuron p;
  p.tau_mem = 0.5;
  p.tau_adapt = 0.1;
  p.v_threshold = 0.5;
  p.v_initial = 2;
  p.beta = 1;
  p.a_initial = 2;
  const Scalar infinity = std::numeric_limits<Scalar>::infinity();
  for (const double t_end : {8.0, double(infinity)}) {
    const std::vector<Spike> spikes = simulate({0, {p}, {}}, {}, t_end).spikes[0];
    ASSERT_EQ(spikes.size(), 1u);
    const Scalar t = spikes[0].time;
    EXPECT_NEAR(double(2 * std::exp(-2 * t) - 0.5L - 2 * std::exp(-10 * t)), 0, 1e-16);
    EXPECT_TRUE(voltage_falls(p, spikes[0]));
  }
}

TEST(OracleSelfTest, RefusesNonsense) {
  Network network{1, {Neuron{}}, {{true, 0, 0, 1.0, 0.0}}};
  EXPECT_THROW(simulate(network, {{0.01, 1}}, 1), std::invalid_argument);
  EXPECT_THROW(simulate(network, {{-0.01, 0}}, 1), std::invalid_argument);
  EXPECT_NO_THROW(gradient(network, {}, 1, {{}, {1}, {}, {}, {}}));
  Network firing = network;  // its largest V is the threshold
  firing.synapses[0].weight = 100;
  EXPECT_THROW(gradient(firing, {{0.01, 0}}, 1, {{}, {1}, {}, {}, {}}), std::invalid_argument);
  EXPECT_THROW(gradient(network, {}, 1, {{{1.0}}, {}, {}, {}, {}}), std::invalid_argument);
  network.neurons[0].v_reset = 1;
  EXPECT_THROW(simulate(network, {}, 1), std::invalid_argument);
  firing.neurons[0].beta = -1.5;  // after a spike the threshold lies below the reset
  EXPECT_THROW(simulate(firing, {{0.01, 0}}, 1), std::runtime_error);
  firing.neurons[0].a_initial = 1;  // and here from the start
  EXPECT_THROW(simulate(firing, {}, 1), std::invalid_argument);
}

TEST(OracleSelfTest, Speed) {
  Case c;  // the largest of the first random cases
  for (unsigned seed = 1; seed <= 100; ++seed) {
    Case next = random_case(seed);
    if (next.network.synapses.size() > c.network.synapses.size()) c = std::move(next);
  }
  const auto start = std::chrono::steady_clock::now();
  Outcome out;
  for (int k = 0; k < 100; ++k) gradient(c.network, c.inputs, c.t_end, c.errors, &out);
  const std::chrono::duration<double, std::milli> elapsed =
      std::chrono::steady_clock::now() - start;
  std::printf("%zu neurons, %zu synapses, %zu arrivals: %.3f ms a gradient\n",
              c.network.neurons.size(), c.network.synapses.size(), out.arrivals,
              elapsed.count() / 100);
}

}  // namespace
