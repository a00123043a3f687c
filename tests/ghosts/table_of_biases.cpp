// SPDX-License-Identifier: Apache-2.0
// Prints the table of docs/ghosts.md: the bias of cheaper forms over sigma and the size of the
// weights behind the first layer, relative to the mean of the unbiased one: of the gradient by all
// weights, median over networks with ghosts.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "problem.hpp"

namespace saltus::test {
namespace {

// Distances from the unbiased gradient.
struct Biases {
  double first_order, fixed, none;
};

Biases biases(const Problem& problem, double sigma) {
  const Network<double>& net = problem.network;
  Smoothing smoothing;
  smoothing.sigma = sigma;
  smoothing.thresholds = ThresholdReading::sampled;
  Gradients<double> exact, first_order;
  for (smoothing.seed = 0; smoothing.seed < 1000; ++smoothing.seed) {
    const auto record = simulate(net, problem.inputs(), smoothing);
    const auto errors = problem.loss(net, record).errors;
    auto ghosts = find_ghosts(net, problem.inputs(), record, smoothing);
    add(first_order, backward(net, problem.inputs(), record, errors, ghosts), 1e-3);
    measure_differences<double>(
        net, problem.inputs(), [&](const Record<double>& r) { return problem.loss(net, r).value; },
        ghosts);
    add(exact, backward(net, problem.inputs(), record, errors, ghosts), 1e-3);
  }
  smoothing.thresholds = ThresholdReading::fixed;
  const auto record = simulate(net, problem.inputs());
  const auto errors = problem.loss(net, record).errors;
  auto ghosts = find_ghosts(net, problem.inputs(), record, smoothing);
  const auto fixed = backward(net, problem.inputs(), record, errors, ghosts);
  const auto none = backward(net, problem.inputs(), record, errors);
  return {distance(first_order, exact), distance(fixed, exact), distance(none, exact)};
}

double median(const std::vector<Biases>& all, double Biases::*form) {
  std::vector<double> values;
  for (const Biases& b : all) values.push_back(b.*form);
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void print_row(double sigma, double factor) {
  std::vector<Biases> all;
  for (std::uint64_t seed = 1; all.size() < 12; ++seed) {
    Problem problem(seed, 1 + seed % 3, seed % 2 == 0, seed % 4 < 2);
    for (std::size_t k = 1; k < problem.network.projections().size(); ++k) {
      for (double& w : problem.network.projections()[k].weight) w *= factor;
    }
    if (share_of_ghosts(problem) >= 0.1) all.push_back(biases(problem, sigma));
  }
  fmt::print("| {} | {} | {:.2g} % | {:.2g} % | {:.2g} % |\n", sigma, factor,
             100 * median(all, &Biases::first_order), 100 * median(all, &Biases::fixed),
             100 * median(all, &Biases::none));
  std::fflush(stdout);
}

}  // namespace
}  // namespace saltus::test

int main() {
  for (const double sigma : {0.03, 0.1, 0.2}) {
    for (const double factor : {0.25, 0.5, 1.0}) saltus::test::print_row(sigma, factor);
  }
}
