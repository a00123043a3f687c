// SPDX-License-Identifier: Apache-2.0
// Gradients of a recurrent network with a delay for each synapse, against central differences. The
// loss is L = sum of (t / 10 ms)^2 / 2 over all spikes t of its neurons.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <vector>

#include "saltus/adjoint.hpp"
#include "saltus/simulate.hpp"

namespace {

constexpr std::size_t inputs = 6, neurons = 5;
constexpr double unit = 10e-3;  // s

double loss(const std::vector<double>& times) {
  double sum = 0;
  for (const double t : times) sum += t / unit * t / unit / 2;
  return sum;
}

}  // namespace

int main() {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> unit_interval(0, 1);
  const auto draw = [&](std::size_t n, double from, double to) {
    std::vector<double> values(n);
    for (double& v : values) v = from + (to - from) * unit_interval(random);
    return values;
  };
  saltus::Network<double> net;
  net.add_input("in", inputs);
  saltus::Population hidden;
  hidden.name = "hidden";
  hidden.size = neurons;
  hidden["tau_ref"] = 2e-3;  // s
  const std::size_t h = net.add_population(hidden);
  net.connect("in", "hidden", draw(inputs * neurons, 2, 6));
  net.connect("hidden", "hidden", draw(neurons * neurons, -1, 2),
              saltus::Delay::per_synapse(draw(neurons * neurons, 1e-3, 5e-3)));

  const saltus::Spikes spikes{{0, 6}, {1e-3, 2e-3, 4e-3, 7e-3, 9e-3, 12e-3}, {0, 1, 2, 3, 4, 5}};
  const double t_end[] = {60e-3};  // one sample, or an end for each
  const saltus::Inputs given{{spikes.view()}, t_end};

  const auto record = saltus::simulate(net, given);
  const std::vector<double>& times = record.populations[h].spikes.times;
  saltus::Errors<double> errors(net.populations().size());
  for (const double t : times) errors.populations[h].spikes.push_back(t / unit / unit);  // dL/dt
  const auto gradients = saltus::backward(net, given, record, errors);
  std::printf("%zu spikes, L = %.6f\n", times.size(), loss(times));

  // The loss with one value of the second projection moved; the spikes must stay the same ones.
  const auto moved = [&](double& value, double by) {
    const double before = value;
    value += by;
    const auto other = saltus::simulate(net, given).populations[h].spikes.times;
    value = before;
    if (other.size() != times.size()) throw std::runtime_error("a spike came or went");
    return loss(other);
  };
  const auto worst = [&](std::vector<double>& values, const std::vector<double>& exact,
                         double step) {
    double largest = 0, error = 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double difference = (moved(values[k], step) - moved(values[k], -step)) / (2 * step);
      largest = std::max(largest, std::abs(exact[k]));
      error = std::max(error, std::abs(exact[k] - difference));
    }
    return error / largest;
  };
  saltus::Projection<double>& recurrent = net.projections()[1];
  const double of_weights = worst(recurrent.weight, gradients.weights[1], 1e-5);
  const double of_delays = worst(recurrent.delay.values, gradients.delays[1], 1e-7);
  std::printf("largest error, relative to the largest entry: weights %.1e, delays %.1e\n",
              of_weights, of_delays);
  return of_weights < 1e-6 && of_delays < 1e-6 ? 0 : 1;
}
