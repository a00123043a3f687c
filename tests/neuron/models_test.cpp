// SPDX-License-Identifier: Apache-2.0
// The first spike of every model of the library that is linear between events, next to a threshold
// that a peak of V touches but for 10^-12, against extended precision. Cases are multiplied by the
// environment variable SALTUS_TEST_SCALE.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <vector>

#include "matrix_course.hpp"
#include "neuron/linear_crossing.hpp"
#include "random/random.hpp"
#include "saltus/model.hpp"

namespace saltus {
namespace {

using saltus_oracle::Scalar;
namespace course = saltus_oracle::matrix_course;

int scale() {
  const char* text = std::getenv("SALTUS_TEST_SCALE");
  return text ? std::atoi(text) : 1;
}

struct Case {
  saltus_oracle::Neuron neuron;
  course::Vector x{};
};

Case random_case(Random& random, const ModelInfo& model) {
  const auto logarithmic = [&](double low, double high) {
    return std::exp(random.uniform(std::log(low), std::log(high)));
  };
  using Current = saltus_oracle::Neuron::Current;
  Case c;
  saltus_oracle::Neuron& n = c.neuron;
  n.current = model.name.ends_with(":alpha")                ? Current::alpha
              : model.name.ends_with(":ex_in")              ? Current::two
              : model.name.ends_with(":double_exponential") ? Current::double_exponential
                                                            : Current::exponential;
  n.leaks = !model.name.starts_with("IF");
  n.tau_mem = logarithmic(2e-3, 50e-3);
  n.tau_syn = random.chance(0.1) ? n.tau_mem : logarithmic(1e-3, 50e-3);
  n.tau_rise = logarithmic(0.3e-3, 20e-3);
  n.tau_syn_in = random.chance(0.1) ? n.tau_syn : logarithmic(1e-3, 50e-3);
  n.bias = random.uniform(-1, 1);
  c.x[course::v] = random.uniform(-1, 0.5);
  c.x[course::i] = random.uniform(-2, 8);
  if (n.current == Current::two) {
    c.x[course::h] = random.uniform(-4, 2);
  } else if (n.current != Current::exponential) {
    c.x[course::h] = random.uniform(-2, 20) / (n.tau_syn + n.tau_rise);
  }
  c.x[course::one] = 1;
  if (model.name.starts_with("ALIF")) {
    n.tau_adapt = random.chance(0.1) ? n.tau_syn : logarithmic(2e-3, 500e-3);
    n.beta = random.uniform(-0.3, 1);
    c.x[course::a] = random.uniform(-1, 5);
  }
  return c;
}

// As the library has it, at a threshold.
linear::Neuron neuron(const ModelInfo& model, const Case& c, double v_threshold) {
  std::vector<double> values;
  for (const ParameterRow& row : model.parameters) values.push_back(row.usual);
  const auto set = [&](std::string_view name, double value) {
    if (model.has(name)) values[model.index(name)] = value;
  };
  set("tau_mem", c.neuron.tau_mem);
  set("tau_syn", c.neuron.tau_syn);
  set("tau_rise", c.neuron.tau_rise);
  set("tau_syn_ex", c.neuron.tau_syn);
  set("tau_syn_in", c.neuron.tau_syn_in);
  set("tau_adapt", c.neuron.tau_adapt);
  set("beta", c.neuron.beta);
  set("bias", c.neuron.bias);
  set("v_threshold", v_threshold);
  linear::Neuron n(model.linear->neuron(Values<double>(model, values)),
                   model.linear->components.size(), true);
  for (std::size_t k = 0; k < model.linear->components.size(); ++k) {
    const std::string_view name = model.linear->components[k];
    const auto from = name == "V"                     ? course::v
                      : name == "I" || name == "I_ex" ? course::i
                      : name == "h" || name == "I_in" ? course::h
                                                      : course::a;
    n.initial[k] = static_cast<double>(c.x[from]);
  }
  return n;
}

// V - beta a as it goes on: where its peaks are, and how high.
struct Peak {
  Scalar time, height;
};
struct Course {
  std::vector<Peak> peaks;
  Scalar start, end;

  Course(const Case& c, Scalar until) {
    const auto m = course::generator(c.neuron, false).value;
    const auto height = [&](const course::Vector& x) {
      return x[course::v] - c.neuron.beta * x[course::a];
    };
    const auto slope = [&](const course::Vector& x) { return height(course::product(m, x)); };
    const Scalar stride = Scalar(std::min({c.neuron.tau_mem, c.neuron.tau_syn, c.neuron.tau_rise,
                                           c.neuron.tau_syn_in, 5e-3})) /
                          20;
    course::Vector x = c.x;
    start = height(x);
    for (Scalar t = 0; t < until; t += stride) {
      const Scalar by = std::min(stride, until - t);
      const course::Vector next = course::step(m, x, by);
      if (slope(x) > 0 && slope(next) <= 0) {
        Scalar low = 0, high = by;
        for (int k = 0; k < 60; ++k) {
          const Scalar middle = (low + high) / 2;
          (slope(course::step(m, x, middle)) > 0 ? low : high) = middle;
        }
        peaks.push_back({t + low, height(course::step(m, x, low))});
      }
      x = next;
    }
    end = height(x);
  }
  // The highest from the peak of a number on, that peak not counted.
  Scalar later(std::size_t peak) const {
    Scalar highest = end;
    for (std::size_t k = peak + 1; k < peaks.size(); ++k) {
      highest = std::max(highest, peaks[k].height);
    }
    return highest;
  }
};

class LinearModel : public ::testing::TestWithParam<Model> {};

TEST_P(LinearModel, misses_and_invents_no_spike_where_a_peak_grazes_the_threshold) {
  const ModelInfo& model = *GetParam();
  Random random(7, Purpose::gradcheck, 0);
  std::size_t over = 0, under = 0, later = 0;
  for (int k = 0; k < 1500 * scale(); ++k) {
    const Case c = random_case(random, model);
    const double end = random.uniform(1, 6) * c.neuron.tau_mem;
    const Course known(c, end);
    Scalar before = known.start;
    for (std::size_t p = 0; p < known.peaks.size(); ++p) {
      const Peak& peak = known.peaks[p];
      for (const double gap : {1e-6, 1e-9, 1e-12}) {
        for (const bool above : {true, false}) {
          const auto v_threshold = static_cast<double>(peak.height) + (above ? -gap : gap);
          // Something else must not touch it too.
          if (!(before < v_threshold - 2 * gap)) continue;
          const Scalar rest = known.later(p) - v_threshold;
          if (!above && std::fabs(rest) < 2 * gap) continue;
          const linear::Neuron n = neuron(model, c, v_threshold);
          const auto found =
              linear::Search(n, n.initial, true).first(end, n.free.flow(n.initial, end));
          ASSERT_EQ(found.found(), above || rest > 0)
              << model.name << " case " << k << ", peak " << p << ", gap " << gap;
          if (!found.found()) {
            ++under;
            continue;
          }
          ++(above ? over : later);
          const bool early = found.after <= static_cast<double>(peak.time) * (1 + 1e-15);
          ASSERT_EQ(early, above) << model.name << " case " << k << ", gap " << gap;
        }
      }
      before = std::max(before, peak.height);
    }
  }
  std::cout << model.name << ": " << over << " just above, " << under << " just below, " << later
            << " just below and later above\n";
  EXPECT_GT(over, 900U * static_cast<std::size_t>(scale()));
  EXPECT_GT(under, 400U * static_cast<std::size_t>(scale()));
}

// Where V tends to the threshold itself, or stays where it is: the last element of the chain is 0.
TEST_P(LinearModel, misses_and_invents_no_spike_where_the_bias_is_the_threshold) {
  const ModelInfo& model = *GetParam();
  Random random(8, Purpose::gradcheck, 0);
  int crossed = 0, silent = 0;
  for (int k = 0; k < 1500 * scale(); ++k) {
    Case c = random_case(random, model);
    const double v_threshold = 1;
    c.neuron.v_threshold = v_threshold;
    c.neuron.bias = c.neuron.leaks ? v_threshold : 0;
    // V has come up, and a current that turns negative pulls it down again.
    c.x[course::v] = random.uniform(0.3, 1) + c.neuron.beta * c.x[course::a];
    c.x[course::i] = random.uniform(0, 4);
    if (c.neuron.current == saltus_oracle::Neuron::Current::two) {
      c.x[course::h] = random.uniform(-6, 1);
    } else if (c.neuron.current != saltus_oracle::Neuron::Current::exponential) {
      c.x[course::h] = random.uniform(-30, 5) / (c.neuron.tau_syn + c.neuron.tau_rise);
    }
    if (!(course::distance(c.neuron, c.x) < -1e-9)) continue;
    const double end = random.uniform(1, 12) * c.neuron.tau_mem;
    const Scalar expected = course::first_crossing(c.neuron, c.x, end);
    const linear::Neuron n = neuron(model, c, v_threshold);
    const auto found = linear::Search(n, n.initial, true).first(end, n.free.flow(n.initial, end));
    if (found.found() != std::isfinite(expected)) {  // a grazing one may go either way
      Scalar highest = -1;
      for (const Peak& peak : Course(c, end).peaks) highest = std::max(highest, peak.height);
      EXPECT_LT(std::fabs(highest - v_threshold), 1e-11L) << model.name << " case " << k;
      continue;
    }
    ++(found.found() ? crossed : silent);
    if (found.found()) {
      EXPECT_NEAR(found.after, static_cast<double>(expected), 1e-6 * end) << model.name << k;
    }
  }
  std::cout << model.name << ": " << crossed << " crossed, " << silent << " silent\n";
  EXPECT_GT(crossed, 200 * scale());
  EXPECT_GT(silent, 100 * scale());
}

// (What a delta synapse adds to V has no peak: tests/simulate/jumps_test.cpp.)
std::vector<Model> spiking() {
  std::vector<Model> result;
  for (const Model model : Model::all()) {
    if (model->linear && model->spikes && !model->name.ends_with(":delta")) result.push_back(model);
  }
  return result;
}

INSTANTIATE_TEST_SUITE_P(Models, LinearModel, ::testing::ValuesIn(spiking()), [](const auto& of) {
  std::string name(of.param->name);
  std::replace(name.begin(), name.end(), ':', '_');
  return name;
});

// The current of an arrival of weight 1 is 1 at its peak, of whichever rise.
TEST(SynapseKinds, peak_at_the_weight) {
  for (const double ratio : {0.2, 0.999999, 1.0, 1.0 + 1e-9, 1.05, 1.2, 30.0}) {
    const ModelInfo& model = *Model::named("LIF:double_exponential");
    std::vector<double> values;
    for (const ParameterRow& row : model.parameters) values.push_back(row.usual);
    values[model.index("tau_rise")] = 5e-3 / ratio;
    const linear::Neuron n(model.linear->neuron(Values<double>(model, values)), 3, true);
    linear::Vector<double> x{};
    linear::add(x, n.receptors[0], 1.0);
    double highest = 0;  // looked for every microsecond: so it may be lower by what is bent there
    for (int k = 1; k < 40000; ++k) highest = std::max(highest, n.free.flow(x, k * 1e-6)[1]);
    EXPECT_LE(highest, 1 + 1e-14) << ratio;
    EXPECT_GT(highest, 1 - 1.1e-12 / (8 * 5e-3 * 5e-3 / ratio)) << ratio;
  }
}

}  // namespace
}  // namespace saltus
