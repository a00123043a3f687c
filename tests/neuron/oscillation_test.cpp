// SPDX-License-Identifier: Apache-2.0
// Two components that oscillate: their flow and its derivatives in closed form against the exponential
// of a matrix in extended precision, and which pairs are allowed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "matrix_course.hpp"
#include "neuron/linear.hpp"
#include "neuron/models.hpp"
#include "random/random.hpp"

namespace saltus::linear {
namespace {

using saltus_oracle::Scalar;
namespace course = saltus_oracle::matrix_course;

// What the oracle calls the components of a state and the parameters of the flow.
std::size_t oracle_component(const ModelInfo& model, std::size_t k) {
  if (k == integral_of_v) return course::integral;
  const std::string_view name = model.linear->components[k];
  return name == "V"                     ? course::v
         : name == "I" || name == "I_ex" ? course::i
         : name == "h" || name == "I_in" ? course::h
                                         : course::u;
}
std::optional<saltus_oracle::Parameter> oracle_parameter(std::string_view name) {
  if (name == "tau_mem") return saltus_oracle::tau_mem;
  if (name == "frequency") return saltus_oracle::frequency;
  if (name == "bias") return saltus_oracle::bias;
  if (name == "tau_syn" || name == "tau_syn_ex") return saltus_oracle::tau_syn;
  if (name == "tau_syn_in") return saltus_oracle::tau_syn_in;
  if (name == "tau_rise") return saltus_oracle::tau_rise;
  return {};
}

struct Drawn {
  saltus_oracle::Neuron neuron;
  std::vector<double> values;
  course::Vector x{};
};

Drawn draw(Random& random, const ModelInfo& model) {
  const auto logarithmic = [&](double low, double high) {
    return std::exp(random.uniform(std::log(low), std::log(high)));
  };
  using Current = saltus_oracle::Neuron::Current;
  Drawn d;
  saltus_oracle::Neuron& n = d.neuron;
  n.resonates = true;
  n.current = model.name.ends_with(":alpha")                ? Current::alpha
              : model.name.ends_with(":delta")              ? Current::delta
              : model.name.ends_with(":ex_in")              ? Current::two
              : model.name.ends_with(":double_exponential") ? Current::double_exponential
                                                            : Current::exponential;
  n.tau_mem = logarithmic(1e-3, 0.1);
  n.frequency = logarithmic(0.1, 1000);
  n.tau_syn = random.chance(0.2) ? n.tau_mem : logarithmic(1e-3, 0.1);
  n.tau_rise = random.chance(0.2) ? n.tau_syn : logarithmic(0.3e-3, 20e-3);
  n.tau_syn_in = random.chance(0.2) ? n.tau_syn : logarithmic(1e-3, 0.1);
  n.bias = random.chance(0.3) ? 0 : random.uniform(-1, 1);
  for (const ParameterRow& row : model.parameters) d.values.push_back(row.usual);
  const auto set = [&](std::string_view name, double value) {
    if (model.has(name)) d.values[model.index(name)] = value;
  };
  set("tau_mem", n.tau_mem);
  set("frequency", n.frequency);
  set("tau_syn", n.tau_syn);
  set("tau_syn_ex", n.tau_syn);
  set("tau_syn_in", n.tau_syn_in);
  set("tau_rise", n.tau_rise);
  set("bias", n.bias);
  d.x[course::one] = 1;
  for (std::size_t k = 0; k < model.linear->components.size(); ++k) {
    const bool in_seconds = model.linear->components[k] == "h";
    d.x[oracle_component(model, k)] = random.uniform(-2, 2) * (in_seconds ? 1 / n.tau_syn : 1);
  }
  return d;
}

Vector<double> state_of(const ModelInfo& model, const course::Vector& x) {
  Vector<double> result{};
  for (std::size_t k = 0; k < model.linear->components.size(); ++k) {
    result[k] = static_cast<double>(x[oracle_component(model, k)]);
  }
  return result;
}

class Oscillation : public ::testing::TestWithParam<const ModelInfo*> {};

// Errors are compared with the largest that the entry has been: where it passes through 0 no digit is
// its own.
TEST_P(Oscillation, flows_as_the_exponential_of_its_matrix_with_its_derivatives) {
  const ModelInfo& model = *GetParam();
  const std::size_t components = model.linear->components.size();
  Random random(11, Purpose::gradcheck, 0);
  Scalar worst = 0, worst_slope = 0;
  for (int k = 0; k < 300; ++k) {
    const Drawn d = draw(random, model);
    const double t = std::exp(random.uniform(std::log(1e-5), std::log(20.0))) * d.neuron.tau_mem;
    const auto flow = course::exponential(course::generator(d.neuron, false), t);
    std::vector<std::size_t> moving;
    for (std::size_t q = 0; q < model.parameters.size(); ++q) {
      if (oracle_parameter(model.parameters[q].name)) moving.push_back(q);
    }
    const Motion<double> plain(model.linear->neuron(Values<double>(model, d.values)), components);
    const Vector<double> x = state_of(model, d.x), found = plain.free.flow(x, t);
    for (std::size_t q = 0; q < moving.size(); ++q) {
      std::vector<Dual> values(d.values.begin(), d.values.end());
      values[moving[q]].slopes[0] = 1;
      const Motion<Dual> dual(model.linear->with_slopes(Values<Dual>(model, values)), components);
      Vector<Dual> start;
      for (std::size_t c = 0; c < dimension; ++c) start[c] = x[c];
      const Vector<Dual> moved = dual.free.flow(start, t);
      const ParameterRow& row = model.parameters[moving[q]];
      const auto by = *oracle_parameter(row.name);
      const Scalar unit = row.name == "bias" ? 1 : d.values[moving[q]];
      for (std::size_t c = 0; c < dimension; ++c) {
        if (c >= components && c != integral_of_v) continue;
        const std::size_t to = oracle_component(model, c);
        Scalar value = 0, slope = 0, scale = 0;
        for (std::size_t from = 0; from < course::components; ++from) {
          value += flow.value[to][from] * d.x[from];
          slope += flow.d[by][to][from] * d.x[from];
          const Scalar seconds = to == course::integral ? Scalar(t) : 1;
          const Scalar size =
              from == course::h && d.neuron.current != saltus_oracle::Neuron::Current::two
                  ? Scalar(d.neuron.tau_syn)
                  : 1;
          scale += std::fabs(d.x[from]) * size * seconds;
        }
        if (to == course::h) scale /= d.neuron.tau_syn;
        const Scalar turns = 1 + 2 * std::numbers::pi * d.neuron.frequency * t;
        for (const double x_c : {found[c], moved[c].value}) {
          worst = std::max(worst, std::fabs(x_c - value) / scale / turns);
        }
        worst_slope = std::max(
            worst_slope, std::fabs(moved[c].slopes[0] - slope) * unit / scale / turns / turns);
      }
    }
  }
  std::cout << model.name << ": flow off by " << static_cast<double>(worst) << ", derivatives by "
            << static_cast<double>(worst_slope) << "\n";
  EXPECT_LT(worst, 1e-15L);
  EXPECT_LT(worst_slope, 1e-14L);
}

std::vector<const ModelInfo*> oscillating() {
  std::vector<const ModelInfo*> result;
  for (const ModelInfo& model : rf_models) result.push_back(&model);
  return result;
}

INSTANTIATE_TEST_SUITE_P(Models, Oscillation, ::testing::ValuesIn(oscillating()), [](auto& of) {
  std::string name(of.param->name);
  std::replace(name.begin(), name.end(), ':', '_');
  return name;
});

// Any two that oscillate, not only those that decay alike: V that a current of its own pulls back.
LinearNeuron<double> pulled_back(double pull) {
  LinearNeuron<double> n;
  n.a[0][0] = -1 / 20e-3;
  n.a[0][1] = -1 / 20e-3;
  n.a[1][0] = pull / 50e-3;
  n.a[1][1] = -1 / 50e-3;
  n.b[0] = 1.5 / 20e-3;
  n.c[0] = 1;
  n.theta = 0.9;
  n.initial = {0.2, -0.3};
  return n;
}

TEST(Oscillation, of_two_that_decay_differently_flows_as_its_series) {
  const Neuron n(pulled_back(8), 2, true);
  ASSERT_TRUE(n.free.pair());
  EXPECT_FALSE(has_circle(pulled_back(8)));
  for (const double t : {1e-4, 3e-3, 30e-3}) {
    std::array<long double, 2> x{0.2L, -0.3L}, term = x;
    const auto& a = n.free.matrix();
    const long double drive = n.free.constant()[0];
    for (int k = 1; k < 80; ++k) {
      const std::array<long double, 2> f{
          a[0][0] * term[0] + a[0][1] * term[1] + (k == 1 ? drive : 0),
          a[1][0] * term[0] + a[1][1] * term[1]};
      for (std::size_t c = 0; c < 2; ++c) x[c] += term[c] = f[c] * t / k;
    }
    const Vector<double> found = n.free.flow(n.initial, t);
    for (std::size_t c = 0; c < 2; ++c) EXPECT_NEAR(found[c], static_cast<double>(x[c]), 1e-15);
  }
}

TEST(Oscillation, is_of_two_that_do_not_merely_decay_and_of_no_more) {
  EXPECT_TRUE(has_circle(pulled_back(0.1)));  // two real rates
  EXPECT_TRUE(has_circle(pulled_back(-8)));   // they drive each other up
  LinearNeuron<double> three = pulled_back(8);
  three.a[2][2] = -1 / 5e-3;
  three.a[2][0] = 1;
  EXPECT_FALSE(has_circle(three));
  three.a[1][2] = 1;  // and back
  EXPECT_TRUE(has_circle(three));
  LinearNeuron<double> both = pulled_back(8);
  both.a[2][2] = both.a[3][3] = -1;
  both.a[2][3] = 10;
  both.a[3][2] = -10;
  EXPECT_TRUE(has_circle(both));
}

// No other way out than down the chain would notice a V that has come to rest, or grows by rounding.
TEST(Oscillation, that_fades_is_not_searched_for_ever) {
  const ModelInfo& model = rf_models[0];
  std::vector<double> values;
  for (const ParameterRow& row : model.parameters) values.push_back(row.usual);
  values[model.index("frequency")] = 1e5;
  const Neuron n(model.linear->neuron(Values<double>(model, values)), 3, true);
  ASSERT_TRUE(n.turns);
  EXPECT_TRUE(n.turns->may_rise({0, 0, 2}));
  EXPECT_FALSE(n.turns->may_rise({0.3, 0.1, 0.3}));
}

}  // namespace
}  // namespace saltus::linear
