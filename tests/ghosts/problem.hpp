// SPDX-License-Identifier: Apache-2.0
// Random networks with a loss, whose gradient averaged over noisy thresholds is to be known.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "random/random.hpp"
#include "saltus/adjoint.hpp"

namespace saltus::test {

/// in(4) -> one to three LIF layers -> out(2, LI), the last layer perhaps onto itself, some
/// projections delayed; the loss is a fixed combination of the largest V and the integrals of out.
struct Problem {
  Network<double> network;
  Spikes in;
  std::vector<double> end{45e-3};
  std::size_t last = 0, out = 0;

  Problem(std::uint64_t seed, std::size_t layers, bool recurrent, bool delayed) {
    Random random(seed, Purpose::synthetic, 7);
    const auto draw = [&](std::size_t count, double mean, double spread) {
      std::vector<double> v(count);
      for (double& x : v) x = mean + spread * random.normal();
      return v;
    };
    const auto delay = [&](std::size_t pre, std::size_t post) {
      std::vector<double> d(pre * post);
      for (double& x : d) x = random.uniform(0.5e-3, 3e-3);
      return delayed ? Delay::per_synapse(d) : Delay::none();
    };
    network.add_input("in", 4);
    std::string below = "in";
    std::size_t pre = 4;
    for (std::size_t l = 0; l < layers; ++l) {
      Population p;
      p.name = "layer" + std::to_string(l + 1);
      p.size = 2;
      p["bias"] = 0.05;
      last = network.add_population(p);
      network.connect(below, p.name, draw(pre * 2, l == 0 ? 1.2 : 3.0, l == 0 ? 1.5 : 1.0),
                      delay(pre, 2));
      if (recurrent && l + 1 == layers) {
        network.connect(p.name, p.name, draw(4, 0, 0.6), Delay::common(2e-3));
      }
      below = p.name;
      pre = 2;
    }
    Population o;
    o.name = "out";
    o.become(Model::li);
    o.size = 2;
    o["bias"] = 0.05;  // V is nowhere flat: a maximum on a plateau has one-sided derivatives only
    out = network.add_population(o);
    network.connect(below, "out", draw(4, 0.5, 0.7), delay(2, 2));
    network.connect("in", "out", draw(8, 0.1, 0.2));
    std::vector<std::pair<double, std::int32_t>> spikes;
    for (int k = 0; k < 10; ++k) {
      spikes.emplace_back(random.uniform(0, 25e-3), static_cast<std::int32_t>(random.below(4)));
    }
    std::sort(spikes.begin(), spikes.end());
    for (const auto& [time, neuron] : spikes) {
      in.times.push_back(time);
      in.neurons.push_back(neuron);
    }
    in.offsets.push_back(static_cast<std::int64_t>(in.times.size()));
  }
  Inputs inputs() const { return {{in}, end}; }

  struct Result {
    double value = 0;
    Errors<double> errors{0};
  };
  /// @param with_maxima  else the loss is smooth where no spike comes or goes
  Result loss(const Network<double>& net, const Record<double>& record,
              bool with_maxima = true) const {
    Result r;
    r.errors = Errors<double>(net.populations().size());
    auto& e = r.errors.populations[out];
    r.errors.maxima[out] = maxima(net, inputs(), record, out);
    const auto integral = integrals(net, inputs(), record, out);
    e.maxima = with_maxima ? std::vector{1.0, -0.7} : std::vector{0.0, 0.0};
    e.integrals = {-20, 30};
    for (std::size_t j = 0; j < 2; ++j) {
      r.value += e.maxima[j] * r.errors.maxima[out].values[j] + e.integrals[j] * integral[j];
    }
    return r;
  }
};

/// sum += factor * part
inline void add(Gradients<double>& sum, const Gradients<double>& part, double factor) {
  const auto all = [&](auto& a, const auto& b) {
    if (a.size() < b.size()) a.resize(b.size());
    for (std::size_t k = 0; k < b.size(); ++k) a[k] += factor * b[k];
  };
  sum.weights.resize(part.weights.size());
  sum.delays.resize(part.delays.size());
  sum.neurons.resize(part.neurons.size());
  sum.times.resize(part.times.size());
  for (std::size_t k = 0; k < part.weights.size(); ++k) {
    all(sum.weights[k], part.weights[k]);
    all(sum.delays[k], part.delays[k]);
  }
  for (std::size_t p = 0; p < part.neurons.size(); ++p) {
    auto& x = sum.neurons[p].parameters;
    const auto& y = part.neurons[p].parameters;
    all(sum.times[p], part.times[p]);
    x.resize(y.size());
    for (std::size_t q = 0; q < y.size(); ++q) all(x[q], y[q]);
  }
}

/// How far the gradients of all weights are from those of `right`, relative to those.
inline double distance(const Gradients<double>& g, const Gradients<double>& right) {
  double difference = 0, size = 0;
  for (std::size_t k = 0; k < g.weights.size(); ++k) {
    for (std::size_t m = 0; m < g.weights[k].size(); ++m) {
      difference += std::pow(g.weights[k][m] - right.weights[k][m], 2);
      size += std::pow(right.weights[k][m], 2);
    }
  }
  return std::sqrt(difference / size);
}

/// How much the ghosts of a few draws, to first order, change the gradient of the weights.
inline double share_of_ghosts(const Problem& problem) {
  Smoothing smoothing;
  smoothing.sigma = 0.1;
  smoothing.thresholds = ThresholdReading::sampled;
  Gradients<double> with, without;
  for (smoothing.seed = 0; smoothing.seed < 50; ++smoothing.seed) {
    const auto record = simulate(problem.network, problem.inputs(), smoothing);
    const auto errors = problem.loss(problem.network, record).errors;
    auto ghosts = find_ghosts(problem.network, problem.inputs(), record, smoothing);
    add(with, backward(problem.network, problem.inputs(), record, errors, ghosts), 1);
    add(without, backward(problem.network, problem.inputs(), record, errors), 1);
  }
  return distance(without, with);
}

}  // namespace saltus::test
