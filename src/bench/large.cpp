// SPDX-License-Identifier: Apache-2.0
#include "bench/large.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "adjoint/backward.hpp"
#include "bench/bench.hpp"
#include "random/random.hpp"
#include "saltus/error.hpp"
#include "simulate/forward.hpp"

namespace saltus::bench {
namespace {

constexpr double shortest_delay = 1e-3, longest_delay = 10e-3;  // s
constexpr double excitatory = 0.8;                              // of all neurons
constexpr double weight = 0.15, inhibition = 5;                 // times as strong
constexpr double least_bias = 0.8, most_bias = 1.08;

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // KiB on Linux
}

// Synapses source by source: what a spike reads lies together.
struct Drawn {
  std::vector<std::int64_t> pre, post;
};
Drawn draw(std::size_t neurons, std::size_t synapses, std::uint64_t seed) {
  Random random(seed, Purpose::synthetic);
  std::vector<std::uint32_t> sources(neurons * synapses);
  std::vector<std::size_t> next(neurons + 1, 0);
  for (std::uint32_t& pre : sources) {
    pre = random.below(static_cast<std::uint32_t>(neurons));
    ++next[pre + 1];
  }
  std::partial_sum(next.begin(), next.end(), next.begin());
  Drawn drawn{std::vector<std::int64_t>(sources.size()), std::vector<std::int64_t>(sources.size())};
  for (std::size_t k = 0; k < sources.size(); ++k) {
    const std::size_t at = next[sources[k]]++;
    drawn.pre[at] = sources[k];
    drawn.post[at] = static_cast<std::int64_t>(k / synapses);
  }
  return drawn;
}

std::vector<double> uniform(std::size_t count, double low, double high, std::uint64_t seed,
                            std::uint32_t stream) {
  Random random(seed, Purpose::synthetic, stream);
  std::vector<double> values(count);
  for (double& v : values) v = random.uniform(low, high);
  return values;
}

template <class Real>
std::size_t count_events(const Network<Real>& network, const Spikes& spikes, double end) {
  const Projection<Real>& p = network.projections()[0];
  std::size_t events = 0;
  for (std::size_t k = 0; k < spikes.times.size(); ++k) {
    const auto pre = static_cast<std::size_t>(spikes.neurons[k]);
    const auto reached = p.connection.synapses().from(pre);
    if (spikes.times[k] + longest_delay < end) {
      events += reached.size();
      continue;
    }
    for (const auto& s : reached) {
      events += spikes.times[k] + p.delay(pre, static_cast<std::size_t>(s.number)) < end;
    }
  }
  return events;
}

template <class Real>
Large measure(std::size_t neurons, const LargeSettings& s) {
  Large result;
  result.neurons = neurons;
  Network<Real> network;
  result.build_s = seconds_of([&] { network = large_network<Real>(neurons, s); });
  result.synapses = network.projections()[0].weight.size();
  const double ends[] = {s.t_end};
  const Inputs inputs{{}, ends};
  ForwardMemory<Real> forward;
  BackwardMemory<Real> back;
  Record<Real> record;
  Gradients<Real> gradients;
  const Wanted wanted{.delays = true, .input_times = false, .neurons = false};
  result.forward_s = result.backward_s = infinity;
  for (std::size_t round = 0; round < s.rounds; ++round) {
    const Plan<Real> plan(network, std::nullopt, s.kernel == Kernel::scalar);
    result.forward_s =
        std::min(result.forward_s,
                 seconds_of([&] { simulate<Real>(plan, inputs, s.threads, forward, record); }));
    Errors<Real> errors(1);
    Random random(s.seed, Purpose::synthetic, 3);
    for (std::size_t k = 0; k < record.populations[0].spikes.times.size(); ++k) {
      errors.populations[0].spikes.push_back(random.chance(0.5) ? Real(1) : Real(-1));
    }
    result.backward_s = std::min(result.backward_s, seconds_of([&] {
                                   backward<Real>(plan, inputs, record, errors, wanted, s.threads,
                                                  &forward.timelines, back, gradients);
                                 }));
  }
  const Spikes& spikes = record.populations[0].spikes;
  result.spikes = spikes.times.size();
  result.rate = static_cast<double>(result.spikes) / static_cast<double>(neurons) / s.t_end;
  result.synaptic_events = count_events(network, spikes, s.t_end);
  const double events = std::max(1.0, static_cast<double>(result.synaptic_events));
  result.forward_ns = 1e9 * result.forward_s / events;
  result.backward_ns = 1e9 * result.backward_s / events;
  for (const Real g : gradients.weights[0]) {
    const double size = std::fabs(static_cast<double>(g));
    if (!(size <= result.largest_gradient)) result.largest_gradient = size;
  }
  result.peak_mib = peak_mib();
  return result;
}

void check(const LargeSettings& s) {
  for (const std::size_t n : s.neurons) {
    if (n == 0 || n > INT32_MAX) {
      throw InvalidInput(fmt::format("neurons lists {}; expected 1 to {}", n, INT32_MAX));
    }
  }
  if (!(s.t_end > 0 && std::isfinite(s.t_end))) {
    throw InvalidInput(fmt::format("t_end is {}; expected more than 0, finite", s.t_end));
  }
  if (s.rounds == 0) throw InvalidInput("rounds is 0; expected at least 1");
  if (s.precision != "float32" && s.precision != "float64") {
    throw InvalidInput(fmt::format("precision is '{}'; expected float32 or float64", s.precision));
  }
}

}  // namespace

template <class Real>
Network<Real> large_network(std::size_t neurons, const LargeSettings& s) {
  Population p{"neurons", Model::lif, neurons, {}};
  p["tau_mem"] = Parameter(20e-3);
  p["tau_syn"] = Parameter(5e-3);
  p["bias"] = Parameter(uniform(neurons, least_bias, most_bias, s.seed, 1));
  p["v_initial"] = Parameter(uniform(neurons, 0, 0.99, s.seed, 2));
  Network<Real> network;
  network.add_population(std::move(p));
  Drawn drawn = draw(neurons, s.synapses, s.seed);
  std::vector<Real> weights(drawn.pre.size());
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const bool excites =
        static_cast<double>(drawn.pre[k]) < excitatory * static_cast<double>(neurons);
    weights[k] = static_cast<Real>(excites ? weight : -inhibition * weight);
  }
  Delay delays =
      Delay::per_synapse(uniform(weights.size(), shortest_delay, longest_delay, s.seed, 4));
  network.connect("neurons", "neurons", std::move(weights), std::move(delays), "",
                  Connection("sparse", Shape{{"pre", std::move(drawn.pre)},
                                             {"post", std::move(drawn.post)},
                                             {"place", {}}}));
  return network;
}

std::vector<Large> large(const LargeSettings& settings,
                         const std::function<void(const std::string&)>& progress) {
  check(settings);
  std::vector<std::size_t> sizes = settings.neurons;
  std::ranges::sort(sizes);  // the peak of memory is that of the largest so far
  std::vector<Large> rows;
  for (const std::size_t n : sizes) {
    progress(fmt::format("{} neurons", n));
    rows.push_back(settings.precision == "float64" ? measure<double>(n, settings)
                                                   : measure<float>(n, settings));
  }
  return rows;
}

template Network<float> large_network(std::size_t, const LargeSettings&);
template Network<double> large_network(std::size_t, const LargeSettings&);

}  // namespace saltus::bench
