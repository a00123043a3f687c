// SPDX-License-Identifier: Apache-2.0
// The first crossings of linear neurons, side by side and one by one: the same, to the last bit.
#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cmath>
#include <vector>

#include "neuron/linear_crossing.hpp"
#include "neuron/models.hpp"
#include "random/random.hpp"
#include "simulate/linear_layer.hpp"

namespace saltus {
namespace {

double logarithmic(Random& random, double low, double high) {
  return std::exp(random.uniform(std::log(low), std::log(high)));
}

// Neurons that move alike; one, or each with a bias and an adaptation of its own, or time constants.
PopulationPlan<double> population(Random& random, const ModelInfo& model, std::size_t count,
                                  bool own) {
  double tau_mem = 0, tau_syn = 0, tau_adapt = 0;
  PopulationPlan<double> plan;
  for (std::size_t j = 0; j < count; ++j) {
    if (j == 0 || own) {
      tau_mem = logarithmic(random, 2e-3, 50e-3);
      tau_syn = random.chance(0.2) ? tau_mem : logarithmic(random, 1e-3, 50e-3);
      tau_adapt = random.chance(0.2) ? tau_syn : logarithmic(random, 2e-3, 0.5);
    }
    std::vector<double> values;
    for (const ParameterRow& row : model.parameters) {
      values.push_back(row.name == "tau_mem"             ? tau_mem
                       : row.name.starts_with("tau_syn") ? tau_syn
                       : row.name == "tau_adapt"         ? tau_adapt
                       : row.name == "bias"              ? random.uniform(-1, 1.5)
                       : row.name == "beta"              ? random.uniform(-0.3, 1)
                                                         : row.usual);
    }
    plan.linear_neurons.emplace_back(model.linear->neuron(Values<double>(model, values)),
                                     model.linear->components.size(), true);
  }
  plan.alike_linear = linear::Alike::of(plan.linear_neurons);
  return plan;
}

TEST(LinearSearch, side_by_side_gives_the_bits_of_one_by_one) {
  std::size_t found = 0, none = 0, alone = 0, own = 0;
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left & -left);
    Random random(5, Purpose::gradcheck, 0);
    for (int round = 0; round < 60; ++round) {
      for (const Model model : Model::all()) {
        if (!model->linear || !model->spikes) continue;
        const std::size_t count = 11;
        const auto plan = population(random, *model, round % 2 == 0 ? 1 : count, round % 4 == 1);
        if (!plan.alike_linear) continue;  // V oscillates: they go one by one
        const std::size_t components = plan.alike_linear->components;
        const double fastest = plan.linear_neurons[0].free.fastest();
        const double shortest = fastest > 0 ? 1 / fastest : 10e-3;  // time constant
        LinearCandidates may;
        may.resize(count);
        may.count = count;
        for (std::size_t i = 0; i < count; ++i) {
          may.neuron[i] = 3 * i % count;
          may.length[i] = logarithmic(random, 1e-3, 100) * shortest;
          may.x[0][i] = random.uniform(-1, 1);
          for (std::size_t k = 1; k < components; ++k) {
            const bool drives = model->linear->components[k] == "h";
            may.x[k][i] = random.uniform(-2, 8) * (drives ? 1 / shortest : 1);
          }
        }
        LinearKernels<double>::best().search(*plan.alike_linear, plan.linear_neurons, may, true);
        for (std::size_t i = 0; i < count; ++i) {
          const linear::Neuron& n = plan.linear_neuron(may.neuron[i]);
          const auto x = may.state(may.x, i, components);
          const auto end = n.free.flow(x, may.length[i], most_components);
          ASSERT_EQ(may.state(may.end, i, components), end) << model->name;
          if (may.after[i] < 0) {
            ++alone;
            continue;
          }
          const auto one = linear::Search(n, x, true).first(may.length[i], end);
          ASSERT_EQ(may.after[i], one.after) << model->name;
          one.found() ? ++found : ++none;
          own += one.found() && plan.alike_linear->own();
          if (one.found()) {
            ASSERT_EQ(may.state(may.at, i, components), one.x) << model->name;
          }
        }
      }
    }
    hwy::SetSupportedTargetsForTest(0);
  }
  EXPECT_GT(found, 4000U);
  EXPECT_GT(none, 4000U);
  EXPECT_GT(alone, 50U);
  EXPECT_GT(own, 1000U);
  EXPECT_LT(alone, (found + none) / 20);
}

}  // namespace
}  // namespace saltus
