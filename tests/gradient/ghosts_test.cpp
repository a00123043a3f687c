// SPDX-License-Identifier: Apache-2.0
// The terms of ghosts in the adjoint against central differences (docs/ghosts.md), over the random
// networks of the gradient check. Built once more with each term deleted, this test must fail.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <iostream>
#include <optional>

#include "gradcheck/random_case.hpp"
#include "gradcheck/tensors.hpp"
#include "observe/replay.hpp"
#include "random/random.hpp"
#include "saltus/ghosts.hpp"

namespace saltus {
namespace {

using gradcheck::Case;

// A number in [-1, 1] that belongs to its keys.
double coefficient(std::initializer_list<std::uint64_t> keys) {
  std::uint64_t seed = 12345;
  for (const std::uint64_t k : keys) seed = (seed ^ (k + 1)) * 0x9E3779B97F4A7C15u;
  return Random(seed, Purpose::synthetic).uniform(-1, 1);
}

struct Met {
  std::size_t networks = 0, compared = 0, voided = 0;
  std::size_t interior = 0, kinks = 0, ends = 0, free = 0, recurrent_kinks = 0, moved = 0;
  double worst = 0;
  std::string where;
  void meet(double error, const std::string& name) {
    ++compared;
    if (error > worst || std::isnan(error)) {
      worst = std::isnan(error) ? infinity : error;
      where = name;
    }
  }
  void tell() const {
    std::cout << networks << " networks, " << compared << " differences (" << voided
              << " void), worst " << worst << " in " << where << "; ghosts inside " << interior
              << ", at arrivals " << kinks << ", at the end " << ends << ", free " << free
              << ", replacing a later spike " << moved << "\n";
  }
};

// F = sum over ghosts of c (V_peak - theta) + over spikes of c t / tau_mem + over neurons of the
// integral of V: what the adjoint of peaks must differentiate, beside spikes at noisy thresholds.
struct Heights {
  double value = 0;
  std::uint64_t branch = 0;  // which ghosts and spikes there are
  Record<double> record;
  Errors<double> errors{0};
  Ghosts<double> ghosts;
};

Heights heights(const Case& c, const Network<double>& network, const std::vector<Spikes>& spikes,
                const Smoothing& smoothing) {
  Inputs inputs{{}, c.t_end};
  for (const Spikes& s : spikes) inputs.spikes.push_back(s.view());
  Heights h;
  h.record = simulate(network, inputs, smoothing);
  h.ghosts = find_ghosts(network, inputs, h.record, smoothing);
  h.errors = Errors<double>(network.populations().size());
  const auto mix = [&](std::uint64_t v) { h.branch = (h.branch ^ (v + 1)) * 0x100000001B3u; };
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Population& population = network.populations()[p];
    if (population.model != Model::lif) continue;
    const auto& r = h.record.populations[p].spikes;
    h.errors.populations[p].spikes.assign(r.times.size(), 0);
    for (std::size_t s = 0; s < c.t_end.size(); ++s) {
      std::vector<std::uint64_t> count(population.size, 0);
      for (auto k = static_cast<std::size_t>(r.offsets[s]);
           k < static_cast<std::size_t>(r.offsets[s + 1]); ++k) {
        const auto n = static_cast<std::size_t>(r.neurons[k]);
        const double a = coefficient({p, s, n, count[n]++}) / 20e-3;
        h.value += a * r.times[k];
        h.errors.populations[p].spikes[k] = a;
        mix(n);
      }
      for (Ghost<double>& g : h.ghosts.populations[p][s]) {
        const auto n = static_cast<std::size_t>(g.neuron);
        g.density = coefficient({p, s, n, static_cast<std::uint64_t>(g.segment), 77});
        g.difference = 1;
        h.value += g.density * (g.height - population["v_threshold"][n]);
        for (const auto v : {n, static_cast<std::size_t>(g.segment),
                             static_cast<std::size_t>(g.place), std::size_t(g.behind >= 0)}) {
          mix(v);
        }
      }
      mix(999);
    }
    if (std::isfinite(c.t_end[0])) {
      const auto integral = integrals(network, inputs, h.record, p);
      auto& e = h.errors.populations[p].integrals;
      for (std::size_t k = 0; k < integral.size(); ++k) {
        e.push_back(10 * coefficient({p, k}));
        h.value += e.back() * integral[k];
      }
    }
  }
  h.ghosts.differences_known = true;
  return h;
}

// The derivative at 0 of value(h) by Richardson's extrapolation, from steps that shrink until two
// agree; nothing if they do not, or lie on other branches.
std::optional<double> derivative(const std::function<std::optional<double>(double)>& value,
                                 double step, double scale, double bar) {
  std::optional<double> last, last_extrapolated;
  for (int level = 0; level < 14; ++level, step /= 2) {
    const auto above = value(step), below = value(-step);
    if (!above || !below) {
      last = last_extrapolated = std::nullopt;
      continue;
    }
    const double now = (*above - *below) / (2 * step);
    if (last) {
      const double extrapolated = now + (now - *last) / 3;
      if (last_extrapolated && std::fabs(extrapolated - *last_extrapolated) < 0.2 * bar * scale) {
        return extrapolated;
      }
      last_extrapolated = extrapolated;
    }
    last = now;
  }
  return std::nullopt;
}

constexpr double bar = 2e-6;

void compare(std::uint64_t seed, const Smoothing& smoothing, Met& met) {
  const Case c = gradcheck::random_case(seed);
  for (const Population& p : c.network.populations()) {  // room for the noise
    if (p.model != Model::lif) continue;
    for (std::size_t j = 0; smoothing.thresholds == ThresholdReading::sampled && j < p.size; ++j) {
      if (p["v_threshold"][j] - smoothing.range() <= std::max(p["v_reset"][j], p["v_initial"][j]))
        return;
    }
  }
  Case moved = c;
  Heights base = heights(c, c.network, c.inputs, smoothing);
  // A spike that grazes amplifies rounding.
  for (std::size_t p = 0; p < c.network.populations().size(); ++p) {
    const auto& r = base.record.populations[p];
    for (std::size_t k = 0; k < r.currents.size(); ++k) {
      const auto n = static_cast<std::size_t>(r.spikes.neurons[k]);
      const Population& population = c.network.populations()[p];
      const double theta = r.thresholds.empty() ? population["v_threshold"][n] : r.thresholds[k];
      if (r.currents[k] + population["bias"][n] - theta < 0.05) return;
    }
  }
  ++met.networks;
  for (const auto& samples : base.ghosts.populations) {
    for (const auto& list : samples) {
      for (const Ghost<double>& g : list) {
        met.interior += g.place == Place::interior;
        met.kinks += g.place == Place::arrival;
        met.ends += g.place == Place::end;
        met.free += g.behind >= 0;
        met.moved += g.later < infinity;
      }
    }
  }
  const Inputs inputs = c.view();
  const auto gradients = backward(c.network, inputs, base.record, base.errors, base.ghosts);
  const auto check = [&](const std::string& name, std::vector<double>& values,
                         const std::vector<double>& gradient, double typical, bool bounded) {
    double largest = 1e-3 * std::fabs(base.value) / typical;
    for (const double g : gradient) largest = std::max(largest, std::fabs(g));
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double centre = values[k];
      if (bounded && centre == 0) continue;
      const double step = bounded ? std::min(2e-3 * typical, centre / 2) : 2e-3 * typical;
      const auto found = derivative(
          [&](double h) -> std::optional<double> {
            values[k] = centre + h;
            std::optional<double> result;
            try {
              const Heights there = heights(c, moved.network, moved.inputs, smoothing);
              if (there.branch == base.branch) result = there.value;
            } catch (const std::exception&) {
            }
            values[k] = centre;
            return result;
          },
          step, largest, bar);
      if (!found) {
        ++met.voided;
        continue;
      }
      met.meet(std::fabs(gradient[k] - *found) / largest,
               "network " + std::to_string(seed) + " " + name);
    }
  };
  for (const auto& t : gradcheck::tensors(moved.network, gradients)) {
    check(t.name, *t.values, *t.gradient, t.typical, t.bounded_below);
  }
  check("in.times", moved.inputs[0].times, gradients.times[0], 1e-3, true);
}

TEST(Ghosts, heights_of_peaks_match_central_differences) {
  Met met;
  Smoothing smoothing;
  smoothing.sigma = 0.2;
  for (std::uint64_t seed = 1; met.networks < 60; ++seed) compare(seed, smoothing, met);
  met.tell();
  EXPECT_LE(met.worst, bar) << met.where;
  EXPECT_GT(met.compared, 40 * met.networks);
  EXPECT_LE(met.voided, met.compared / 10);
  EXPECT_GT(met.interior, met.networks);
  EXPECT_GT(met.kinks, met.networks);
  EXPECT_GT(met.free, met.networks / 4);
  EXPECT_GT(met.ends, met.networks / 10);
}

TEST(Ghosts, sampled_thresholds_match_central_differences) {
  Met met;
  Smoothing smoothing;
  smoothing.sigma = 0.08;
  smoothing.thresholds = ThresholdReading::sampled;
  smoothing.seed = 3;
  for (std::uint64_t seed = 1000; met.networks < 25; ++seed) compare(seed, smoothing, met);
  met.tell();
  EXPECT_LE(met.worst, bar) << met.where;
  EXPECT_GT(met.compared, 40 * met.networks);
  EXPECT_LE(met.voided, met.compared / 10);
  EXPECT_GT(met.interior + met.kinks, met.networks / 2);
  EXPECT_EQ(met.free, 0u);
}

// The network with a part of what a ghost to first order is: `strength` times its would-be spike,
// minus the one that it replaces; or V of its neuron pushed by what its reset leaves of itself. (V
// is pushed by two inputs a moment apart, the second of which takes back the current of the first.)
enum class Part { spikes, reset };
struct Perturbed {
  Network<double> network;
  std::vector<Spikes> inputs;
};

Perturbed perturb(const Case& c, std::size_t population, std::size_t sample, const Ghost<double>& g,
                  Part part, double strength) {
  constexpr double moment = 1e-8;       // s; the push is right but for moment / tau
  constexpr double just_after = 1e-11;  // s; at the instant of a spike the order would be rounding
  Perturbed result{c.network, c.inputs};
  const std::size_t samples = c.t_end.size();
  const auto add = [&](double first, double second) {
    Spikes spikes;
    for (std::size_t s = 0; s < samples; ++s) {
      for (const auto& [time, channel] : {std::pair{first, 0}, std::pair{second, 1}}) {
        if (s != sample || std::isinf(time)) continue;
        spikes.times.push_back(time + just_after);
        spikes.neurons.push_back(channel);
      }
      spikes.offsets.push_back(static_cast<std::int64_t>(spikes.times.size()));
    }
    result.inputs.push_back(spikes);
  };
  const auto n = static_cast<std::size_t>(g.neuron);
  if (part == Part::spikes) {
    result.network.add_input("probe", 2);
    add(g.place == Place::end ? infinity : g.time, g.later);
    for (const auto& p : c.network.projections()) {
      if (p.source != population) continue;
      const auto& target = c.network.populations()[p.target];
      std::vector<double> weight, delay;
      for (const double sign : {1.0, -1.0}) {
        for (std::size_t j = 0; j < target.size; ++j) {
          weight.push_back(sign * strength * p.weight[n * target.size + j]);
          delay.push_back(p.delay(n, n * target.size + j));
        }
      }
      result.network.connect("probe", target.name, weight, Delay::per_synapse(delay), p.name + "*");
    }
    return result;
  }
  const auto& own = c.network.populations()[population];
  const neuron::TimeConstants tc(own["tau_mem"][n], own["tau_syn"][n]);
  const auto d = neuron::decay<double>(tc, moment);
  std::vector<double> weight(2 * own.size, 0.0);
  weight[n] = strength * g.effect / d.k;
  weight[own.size + n] = -weight[n] * d.syn;
  result.network.add_input("push", 2);
  add(g.effect_time, g.effect_time + moment);
  result.network.connect("push", own.name, weight);
  return result;
}

// Order of the spikes of all populations and places of the maxima.
std::uint64_t branch_of(const gradcheck::Evaluation& e) {
  std::uint64_t hash = 0;
  const auto mix = [&](std::uint64_t v) { hash = (hash ^ (v + 1)) * 0x100000001B3u; };
  for (const auto& p : e.record.populations) {
    for (const auto n : p.spikes.neurons) mix(static_cast<std::uint64_t>(n));
    if (!p.spikes.neurons.empty()) mix(999);
  }
  for (const auto& m : e.errors.maxima) {
    for (std::size_t k = 0; k < m.places.size(); ++k) {
      mix(static_cast<std::uint64_t>(m.places[k]));
      // Where V has settled every arrival is as high as the next: which one, to a millisecond.
      if (m.places[k] == Place::arrival) mix(static_cast<std::uint64_t>(m.times[k] * 1e3));
    }
  }
  return hash;
}

TEST(Ghosts, first_order_difference_is_the_derivative_by_a_small_spike) {
  constexpr double push_bar = 2e-5;  // of the push of V: a moment over the shortest time constant
  Met met;
  std::size_t with_reset = 0, in_cycles = 0;
  Smoothing smoothing;
  smoothing.sigma = 0.2;
  for (std::uint64_t seed = 1; met.networks < 150; ++seed) {
    const Case c = gradcheck::random_case(seed);
    const auto base = evaluate(c, c.network, c.inputs);
    bool grazing = false;
    for (std::size_t p = 0; p < c.network.populations().size(); ++p) {
      const auto& r = base.record.populations[p];
      for (std::size_t k = 0; k < r.currents.size(); ++k) {
        const auto n = static_cast<std::size_t>(r.spikes.neurons[k]);
        const auto& population = c.network.populations()[p];
        grazing =
            grazing || r.currents[k] + population["bias"][n] - population["v_threshold"][n] < 0.05;
      }
    }
    if (grazing) continue;
    auto ghosts = find_ghosts(c.network, c.view(), base.record, smoothing);
    for (auto& samples : ghosts.populations) {
      for (auto& list : samples) {
        for (auto& g : list) g.density = 0;  // then lambda is that of the loss alone
      }
    }
    auto without_reset = ghosts;
    for (auto& samples : without_reset.populations) {
      for (auto& list : samples) {
        for (auto& g : list) g.effect_time = infinity;
      }
    }
    backward(c.network, c.view(), base.record, base.errors, ghosts);
    backward(c.network, c.view(), base.record, base.errors, without_reset);
    ++met.networks;
    double scale = 1e-3 * base.magnitude;
    for (const auto& samples : ghosts.populations) {
      for (const auto& list : samples) {
        for (const auto& g : list) scale = std::max(scale, std::fabs(g.difference));
      }
    }
    for (std::size_t p = 0; p < ghosts.populations.size(); ++p) {
      for (std::size_t s = 0; s < ghosts.populations[p].size(); ++s) {
        for (std::size_t k = 0; k < std::min<std::size_t>(12, ghosts.populations[p][s].size());
             ++k) {
          const auto& g = ghosts.populations[p][s][k];
          // A peak where a spike of the network arrives at once: its would-be spike coincides with
          // that spike, and only one-sided derivatives exist (docs/theory.md, section 3).
          bool coincides = false;
          for (const auto& r : base.record.populations) {
            for (const double time : r.spikes.times) coincides = coincides || time == g.time;
          }
          if (coincides) {
            ++met.voided;
            continue;
          }
          for (const Part part : {Part::spikes, Part::reset}) {
            if (part == Part::reset && std::isinf(g.effect_time)) continue;
            const auto value = [&](double strength) -> std::optional<double> {
              try {
                const Perturbed there = perturb(c, p, s, g, part, strength);
                const auto e = evaluate(c, there.network, there.inputs);
                if (branch_of(e) == branch_of(base)) return e.value;
              } catch (const std::exception&) {
              }
              return std::nullopt;
            };
            const double spikes = without_reset.populations[p][s][k].difference;
            const double expected = part == Part::spikes ? spikes : g.difference - spikes;
            const auto found = derivative(value, 1e-3, scale, push_bar);
            if (!found) {
              ++met.voided;
              continue;
            }
            met.meet(std::fabs(expected - *found) / scale,
                     "network " + std::to_string(seed) + " ghost " + std::to_string(k) +
                         (part == Part::reset ? " reset" : ""));
            met.free += g.behind >= 0;
            met.moved += g.later < infinity;
            with_reset += part == Part::reset;
            for (const auto& q : c.network.projections()) {
              in_cycles += q.source == p && q.target == p;
            }
          }
        }
      }
    }
  }
  met.tell();
  EXPECT_LE(met.worst, push_bar) << met.where;
  EXPECT_GT(met.compared, met.networks);
  EXPECT_LE(met.voided, met.compared / 5);
  EXPECT_GT(met.free, met.networks / 4);
  EXPECT_GT(met.moved, met.networks / 4);
  EXPECT_GT(with_reset, met.networks / 2);
  EXPECT_GT(in_cycles, met.networks / 4);
}

}  // namespace
}  // namespace saltus
