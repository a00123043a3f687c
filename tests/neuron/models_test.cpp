// SPDX-License-Identifier: Apache-2.0
// The first spike of every model of the library that is linear between events, where a peak of V
// grazes the threshold and elsewhere, against extended precision. The environment variable
// SALTUS_CROSSINGS says how many searches there are of each model: 100,000 unless given.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "linear_course.hpp"
#include "neuron/linear_crossing.hpp"
#include "random/random.hpp"
#include "saltus/model.hpp"

namespace saltus {
namespace {

using linear_course::Course;
using linear_course::Peak;
using saltus_oracle::Scalar;
namespace course = saltus_oracle::matrix_course;

std::size_t searches() {
  const char* text = std::getenv("SALTUS_CROSSINGS");
  return text ? static_cast<std::size_t>(std::atof(text)) : 100000;
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
              : model.name.ends_with(":delta")              ? Current::delta
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
  } else if (n.current == Current::alpha || n.current == Current::double_exponential) {
    c.x[course::h] = random.uniform(-2, 20) / (n.tau_syn + n.tau_rise);
  } else if (n.current == Current::delta) {
    c.x[course::i] = 0;
  }
  c.x[course::one] = 1;
  if (model.name.starts_with("RF")) {
    n.resonates = true;
    n.frequency = logarithmic(3, 300);
    c.x[course::u] = random.uniform(-1.5, 2);
    if (random.chance(0.4)) {  // many turns on what rises slowly
      n.tau_mem = logarithmic(20e-3, 200e-3);
      n.tau_syn = n.tau_syn_in = logarithmic(50e-3, 500e-3);
      c.x[course::i] = n.current == Current::delta ? 0 : random.uniform(-8, -1);
      c.x[course::u] = random.uniform(-0.5, 0.5);
      c.x[course::v] = random.uniform(-0.5, 0);
    }
  }
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
  set("frequency", c.neuron.frequency);
  set("v_threshold", v_threshold);
  linear::Neuron n(model.linear->neuron(Values<double>(model, values)),
                   model.linear->components.size(), true);
  for (std::size_t k = 0; k < model.linear->components.size(); ++k) {
    const std::string_view name = model.linear->components[k];
    const auto from = name == "V"                     ? course::v
                      : name == "I" || name == "I_ex" ? course::i
                      : name == "h" || name == "I_in" ? course::h
                      : name == "U"                   ? course::u
                                                      : course::a;
    n.initial[k] = static_cast<double>(c.x[from]);
  }
  return n;
}

// What the search says of a threshold, next to the peaks: is there a spike, and on the first slope that
// leads over the threshold?
class Witness {
 public:
  std::size_t searched = 0, grazed = 0, spikes = 0, silent = 0, later = 0;
  Scalar worst = 0;  // of V - beta a - theta at a spike

  Witness(const ModelInfo& model) : model_(model) {}

  // @param peak  that may graze it, for which it is known to be more than rounding off
  void look(const Case& c, const Course& known, double end, double v_threshold,
            std::optional<std::size_t> peak = {}) {
    constexpr Scalar rounding = 5e-13L;
    if (!(known.start < v_threshold - rounding)) return;
    std::size_t first = known.peaks.size();  // that lies above
    for (std::size_t k = known.peaks.size(); k-- > 0;) {
      const Scalar above = known.peaks[k].height - v_threshold;
      if (k != peak && std::fabs(above) < rounding) return;
      if (above > 0) first = k;
    }
    if (std::fabs(known.end - v_threshold) < rounding) return;
    const bool expected = first < known.peaks.size() || known.end > v_threshold;
    const linear::Neuron n = neuron(model_, c, v_threshold);
    const auto found = linear::Search(n, n.initial, true).first(end, n.free.flow(n.initial, end));
    ++searched;
    grazed += peak.has_value();
    ++(expected ? spikes : silent);
    ASSERT_EQ(found.found(), expected) << where(c, v_threshold);
    if (!expected) return;
    later += peak && *peak < first;
    const Scalar after = first > 0 ? known.peaks[first - 1].time : 0;
    const Scalar until = first < known.peaks.size() ? known.peaks[first].time : Scalar(end);
    constexpr Scalar flat = 1e-15L;  // times know no more digits
    ASSERT_GT(found.after, after * (1 - flat)) << where(c, v_threshold);
    ASSERT_LE(found.after, until * (1 + flat)) << where(c, v_threshold);
    worst = std::max(worst, std::fabs(known.at(found.after) - v_threshold));
  }

 private:
  const ModelInfo& model_;
  static std::string where(const Case& c, double v_threshold) {
    std::ostringstream text;
    text.precision(17);
    const saltus_oracle::Neuron& n = c.neuron;
    text << "v_threshold " << v_threshold << ", tau_mem " << n.tau_mem << ", tau_syn " << n.tau_syn
         << ", tau_rise " << n.tau_rise << ", tau_syn_in " << n.tau_syn_in << ", tau_adapt "
         << n.tau_adapt << ", beta " << n.beta << ", frequency " << n.frequency << ", bias "
         << n.bias << ", x";
    for (const Scalar x : c.x) text << " " << x;
    return text.str();
  }
};

class LinearModel : public ::testing::TestWithParam<Model> {};

TEST_P(LinearModel, misses_and_invents_no_spike) {
  const ModelInfo& model = *GetParam();
  Random random(7, Purpose::gradcheck, 0);
  Witness witness(model);
  while (witness.searched < searches()) {
    const Case c = random_case(random, model);
    const double end = random.uniform(1, 6) * c.neuron.tau_mem;
    const Course known(c.neuron, c.x, end);
    Scalar highest = std::max(known.start, known.end);
    for (std::size_t p = 0; p < known.peaks.size(); ++p) {
      for (int k = 0; k < 3; ++k) {
        const double gap = std::pow(10, random.uniform(-12, -5));
        for (const double shift : {-gap, gap}) {
          witness.look(c, known, end, static_cast<double>(known.peaks[p].height) + shift, p);
          if (HasFatalFailure()) return;
        }
      }
      highest = std::max(highest, known.peaks[p].height);
    }
    for (int k = 0; k < 2; ++k) {
      const double low = static_cast<double>(known.start), high = static_cast<double>(highest);
      witness.look(c, known, end, random.uniform(low, high + 0.2 * (high - low)));
      if (HasFatalFailure()) return;
    }
  }
  std::cout << model.name << ": " << witness.searched << " searches, " << witness.grazed
            << " where a peak grazes the threshold; " << witness.spikes << " spikes, "
            << witness.later << " of them behind a peak that did not reach it; " << witness.silent
            << " without; V at a spike is off by " << static_cast<double>(witness.worst)
            << " at most\n";
  EXPECT_GT(witness.spikes, witness.searched / 4);
  EXPECT_GT(witness.silent, witness.searched / 30);
  EXPECT_LT(witness.worst, 1e-12L);
}

// Where V tends to the threshold itself, or stays where it is: the last element of the chain is 0.
TEST_P(LinearModel, misses_and_invents_no_spike_where_the_bias_is_the_threshold) {
  const ModelInfo& model = *GetParam();
  if (model.name.starts_with("RF") || model.name.ends_with(":delta")) {
    GTEST_SKIP() << "V oscillates about another value, or has no current that pulls it down";
  }
  Random random(8, Purpose::gradcheck, 0);
  int crossed = 0, silent = 0;
  for (int k = 0; k < 1500; ++k) {
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
      for (const Peak& peak : Course(c.neuron, c.x, end).peaks)
        highest = std::max(highest, peak.height);
      EXPECT_LT(std::fabs(highest - v_threshold), 1e-11L) << model.name << " case " << k;
      continue;
    }
    ++(found.found() ? crossed : silent);
    if (found.found()) {
      EXPECT_NEAR(found.after, static_cast<double>(expected), 1e-6 * end) << model.name << k;
    }
  }
  std::cout << model.name << ": " << crossed << " crossed, " << silent << " silent\n";
  EXPECT_GT(crossed, 200);
  EXPECT_GT(silent, 100);
}

// (Spikes at arrivals: tests/simulate/jumps_test.cpp.)
std::vector<Model> spiking() {
  std::vector<Model> result;
  for (const Model model : Model::all()) {
    if (model->linear && model->spikes) result.push_back(model);
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
