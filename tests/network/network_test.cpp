// SPDX-License-Identifier: Apache-2.0
#include "saltus/network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "saltus/error.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::nan;
using test::refusal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Population population(std::string name, Model model = Model::lif, std::size_t size = 3) {
  Population p;
  p.name = std::move(name);
  p.model = model;
  p.size = size;
  return p;
}

// in(2) -> hidden(3) -> out(2), all kinds of delay.
template <class Real = double>
Network<Real> good() {
  Network<Real> n;
  n.add_input("in", 2);
  n.add_population(population("hidden"));
  n.add_population(population("out", Model::li, 2));
  n.connect("in", "hidden", std::vector<Real>(6, 1), Delay::per_source({1e-3, 2e-3}));
  n.connect("hidden", "hidden", std::vector<Real>(9, 1), Delay::common(3e-3));
  n.connect("hidden", "out", std::vector<Real>(6, 1), Delay::per_synapse(std::vector(6, 4e-3)));
  n.connect("in", "out", std::vector<Real>(4, 1));
  return n;
}

std::string refused(Population p) {
  Network<double> n = good();
  const Network<double> before = n;
  const std::string message = refusal([&] { n.add_population(std::move(p)); });
  EXPECT_EQ(n == before, !message.empty());
  return message;
}

TEST(Network, RefusesAPopulationWithoutNameOrWithAUsedOne) {
  Network<double> n = good();
  EXPECT_EQ(refusal([&] { n.add_input("", 2); }), "a population needs a name");
  EXPECT_EQ(refused(population("")), "a population needs a name");
  EXPECT_EQ(refusal([&] { n.add_input("out", 2); }),
            "population 'out' exists already; give another name");
  EXPECT_EQ(refused(population("in")), "population 'in' exists already; give another name");
}

TEST(Network, RefusesAPopulationWithoutNeuronsOrWithMoreThanInt32) {
  Network<double> n;
  EXPECT_EQ(refusal([&] { n.add_input("x", 0); }),
            "population 'x' has size 0; expected 1 to 2147483647");
  for (const Model model : {Model::lif, Model::li}) {
    EXPECT_EQ(refused(population("x", model, 0)),
              "population 'x' has size 0; expected 1 to 2147483647");
  }
  EXPECT_EQ(refusal([&] { n.add_input("x", std::size_t{1} << 31); }),
            "population 'x' has size 2147483648; expected 1 to 2147483647");
}

TEST(Network, RefusesEveryNeuronParameterThatIsNotFiniteAndNamesNeuronAndValue) {
  for (const Model model : {Model::lif, Model::li}) {
    for (const ParameterRow& row : model->parameters) {
      const std::string name(row.name);
      for (const auto& [value, text] :
           {std::pair{nan, "nan"}, {infinity, "inf"}, {-infinity, "-inf"}}) {
        Population p = population("x", model);
        std::vector<double> values(3, row.usual);
        values[1] = value;
        p[name] = Parameter(values);
        EXPECT_THAT(refused(p), HasSubstr("x." + name + "[1] is " + text + "; expected a finite "));
        p[name] = Parameter(value);
        EXPECT_THAT(refused(p), HasSubstr("x." + name + "[0] is " + text));
      }
    }
  }
}

TEST(Network, RefusesParametersThatAModelDoesNotHave) {
  Population p = population("x", Model::li);
  EXPECT_EQ(refusal([&] { p["v_reset"] = 0.0; }),
            "LI has no parameter 'v_reset'; expected one of: tau_mem, tau_syn, bias, v_initial, "
            "i_initial");
  Population late = population("x");
  late["v_reset"] = -1.0;
  late.model = Model::li;
  EXPECT_EQ(refused(late), "population 'x' has 8 parameters; expected the 5 of LI");
}

TEST(Models, AreFoundByName) {
  for (const Model model : Model::all()) EXPECT_EQ(Model::named(model->name), model);
  EXPECT_EQ(Model::named("LIF"), Model::lif);
  EXPECT_THAT(refusal([] { Model::named("lif"); }),
              HasSubstr("no neuron model is called 'lif'; there are: input, LIF, LI"));
}

TEST(Network, RefusesTimeConstantsThatAreNotPositive) {
  for (const char* name : {"tau_mem", "tau_syn"}) {
    for (const auto& [value, text] : {std::pair{0.0, "0"}, {-0.0, "-0"}, {-5e-3, "-0.005"}}) {
      Population p = population("x");
      p[name] = Parameter({1e-3, 1e-3, value});
      EXPECT_EQ(refused(p), "x." + std::string(name) + "[2] is " + text +
                                "; expected a finite time above 0, in seconds");
    }
  }
}

TEST(Network, RefusesANegativeRefractoryTimeButNotZero) {
  Population p = population("x");
  p["tau_ref"] = -1e-3;
  EXPECT_EQ(refused(p), "x.tau_ref[0] is -0.001; expected a finite time of at least 0, in seconds");
  p["tau_ref"] = 0.0;
  EXPECT_EQ(refused(p), "");
}

TEST(Network, RefusesParametersOfAWrongLength) {
  for (const ParameterRow& row : Model::lif->parameters) {
    const std::string_view name = row.name;
    for (const std::size_t length : {0u, 2u, 4u}) {
      Population p = population("x");
      p[name] = Parameter(std::vector<double>(length, (p[name])[0]));
      EXPECT_EQ(refused(p), "x." + std::string(name) + " has " + std::to_string(length) +
                                " values; expected one number or 3 (one per neuron)");
    }
  }
}

TEST(Network, RefusesAResetOrAnInitialVoltageThatIsNotBelowTheThreshold) {
  for (const char* name : {"v_reset", "v_initial"}) {
    Population p = population("x");
    p[name] = Parameter(1.0);
    EXPECT_EQ(refused(p),
              "x." + std::string(name) + "[0] is 1; expected less than v_threshold = 1");
    p[name] = Parameter({0, 0, 1.5});
    EXPECT_EQ(refused(p),
              "x." + std::string(name) + "[2] is 1.5; expected less than v_threshold = 1");
    p["v_threshold"] = Parameter({1, 0.25, 2});
    p[name] = Parameter(0.5);
    EXPECT_EQ(refused(p),
              "x." + std::string(name) + "[1] is 0.5; expected less than v_threshold = 0.25");
    p[name] = Parameter({0.5, 0.2, 1.9});
    EXPECT_EQ(refused(p), "");
  }
}

template <class... Arguments>
std::string refused_connection(const Arguments&... arguments) {
  Network<double> n = good();
  const Network<double> before = n;
  const std::string message = refusal([&] { n.connect(arguments...); });
  EXPECT_EQ(n == before, !message.empty());
  return message;
}

TEST(Connect, RefusesUnknownPopulationsAndListsThoseThatThereAre) {
  const std::vector<double> w(6, 1);
  EXPECT_EQ(refused_connection("inn", "hidden", w),
            "no population is called 'inn'; there are: 'in', 'hidden', 'out'");
  EXPECT_EQ(refused_connection("in", "hid", w),
            "no population is called 'hid'; there are: 'in', 'hidden', 'out'");
  Network<double> empty;
  EXPECT_EQ(refusal([&] { empty.connect("a", "b", w); }),
            "no population is called 'a'; there are: none yet");
}

TEST(Connect, RefusesAReadoutAsSourceAndAnInputAsTarget) {
  EXPECT_EQ(refused_connection("out", "hidden", std::vector<double>(6)),
            "projection 'out->hidden': 'out' is an LI population, which never spikes; expected an "
            "input, or what spikes, as source");
  EXPECT_EQ(refused_connection("hidden", "in", std::vector<double>(6)),
            "projection 'hidden->in': 'in' is an input; expected neurons as target");
}

TEST(Connect, RefusesWeightsOfAWrongNumberAndNamesTheShape) {
  for (const std::size_t count : {0u, 5u, 7u}) {
    EXPECT_EQ(
        refused_connection("in", "hidden", std::vector<double>(count), Delay{}, "w"),
        "w.weight has " + std::to_string(count) + " values; expected 2 x 3 = 6 ([pre, post])");
  }
}

TEST(Connect, RefusesWeightsThatAreNotFiniteAndNamesTheSynapse) {
  for (const auto& [value, text] :
       {std::pair{nan, "nan"}, {infinity, "inf"}, {-infinity, "-inf"}}) {
    std::vector<double> w(6, 1);
    w[5] = value;
    EXPECT_EQ(refused_connection("in", "hidden", w, Delay{}, "w"),
              "w.weight[1, 2] is " + std::string(text) + "; expected a finite number");
  }
}

TEST(Connect, RefusesDelaysOfAWrongNumberForTheirKind) {
  const std::vector<double> w(6, 1);
  const std::vector<double> three(3, 1e-3);
  const auto refuses = [&](Delay::Kind kind, const char* expected) {
    EXPECT_EQ(refused_connection("in", "hidden", w, Delay{kind, three}, "w"),
              std::string("w.delay has 3 values; expected ") + expected);
  };
  refuses(Delay::Kind::none, "0");
  refuses(Delay::Kind::common, "1");
  refuses(Delay::Kind::per_source, "2");
  refuses(Delay::Kind::per_synapse, "6");
}

TEST(Connect, RefusesDelaysThatAreNegativeOrNotFinite) {
  const std::vector<double> w(6, 1);
  for (const auto& [value, text] :
       {std::pair{nan, "nan"}, {infinity, "inf"}, {-infinity, "-inf"}, {-1e-3, "-0.001"}}) {
    const std::string tail =
        std::string("] is ") + text + "; expected a finite time of at least 0, in seconds";
    EXPECT_EQ(refused_connection("in", "hidden", w, Delay::common(value), "w"), "w.delay[0" + tail);
    EXPECT_EQ(refused_connection("in", "hidden", w, Delay::per_source({0, value}), "w"),
              "w.delay[1" + tail);
    EXPECT_EQ(
        refused_connection("in", "hidden", w, Delay::per_synapse({0, 0, 0, 0, value, 0}), "w"),
        "w.delay[4" + tail);
  }
}

TEST(Connect, NamesAProjectionAfterItsEndsAndRefusesTheSameNameTwice) {
  Network<double> n = good();
  EXPECT_EQ(n.projections()[1].name, "hidden->hidden");
  EXPECT_EQ(refused_connection("in", "hidden", std::vector<double>(6)),
            "projection 'in->hidden' exists already; give another name");
  EXPECT_EQ(n.connect("in", "hidden", std::vector<double>(6), {}, "second"), 4u);
  EXPECT_EQ(n.projections()[4].name, "second");
  EXPECT_EQ(refusal([&] { n.connect("in", "out", std::vector<double>(4), {}, "second"); }),
            "projection 'second' exists already; give another name");
}

TEST(Check, FindsEveryParameterThatAStepMovedOutOfItsRange) {
  EXPECT_EQ(refusal([] { good().check(); }), "");
  const auto broken = [](auto&& change) {
    Network<double> n = good();
    change(n);
    return refusal([&] { n.check(); });
  };
  for (const ParameterRow& row : Model::lif->parameters) {
    EXPECT_THAT(broken([&](auto& n) { n.populations()[1][row.name] = nan; }),
                HasSubstr("hidden." + std::string(row.name) + "[0] is nan"));
  }
  EXPECT_EQ(broken([](auto& n) { n.populations()[1]["v_reset"] = 2.0; }),
            "hidden.v_reset[0] is 2; expected less than v_threshold = 1");
  EXPECT_EQ(broken([](auto& n) { n.populations()[1]["v_threshold"] = -0.5; }),
            "hidden.v_reset[0] is 0; expected less than v_threshold = -0.5");
  EXPECT_EQ(broken([](auto& n) { n.populations()[2]["tau_mem"] = -1.0; }),
            "out.tau_mem[0] is -1; expected a finite time above 0, in seconds");
  EXPECT_EQ(broken([](auto& n) { n.projections()[2].weight[3] = nan; }),
            "hidden->out.weight[1, 1] is nan; expected a finite number");
  EXPECT_EQ(broken([](auto& n) { n.projections()[0].delay.values[1] = -1; }),
            "in->hidden.delay[1] is -1; expected a finite time of at least 0, in seconds");
  EXPECT_EQ(broken([](auto& n) { n.projections()[3].weight.pop_back(); }),
            "in->out.weight has 3 values; expected 2 x 2 = 4 ([pre, post])");
}

TEST(Network, NumbersPopulationsProjectionsAndInputsAsTheyWereAdded) {
  Network<double> n;
  EXPECT_EQ(n.add_input("b", 1), 0u);
  EXPECT_EQ(n.add_population(population("x")), 1u);
  EXPECT_EQ(n.add_input("a", 4), 2u);
  EXPECT_EQ(n.connect("a", "x", std::vector<double>(12)), 0u);
  EXPECT_EQ(n.connect("b", "x", std::vector<double>(3)), 1u);
  EXPECT_EQ(n.index("b"), 0u);
  EXPECT_EQ(n.index("x"), 1u);
  EXPECT_EQ(n.index("a"), 2u);
  EXPECT_THAT(n.inputs(), ElementsAre(0, 2));
  EXPECT_EQ(n.projections()[0].source, 2u);
  EXPECT_EQ(n.projections()[0].target, 1u);
  EXPECT_EQ(refusal([&] { n.index("y"); }),
            "no population is called 'y'; there are: 'b', 'x', 'a'");
}

TEST(Network, IsAValue) {
  const Network<double> a = good();
  Network<double> b = a;
  EXPECT_EQ(a, b);
  b.projections()[0].weight[2] = 3;
  EXPECT_NE(a, b);
  EXPECT_EQ(a, good());
}

TEST(Delay, FindsTheEntryOfASynapse) {
  const Delay source = Delay::per_source({1, 2}), synapse = Delay::per_synapse({1, 2, 3, 4, 5, 6});
  EXPECT_EQ(Delay::none()(1, 5), 0);
  EXPECT_EQ(Delay::common(7)(1, 5), 7);
  EXPECT_EQ(source(1, 5), 2);
  EXPECT_EQ(synapse(0, 2), 3);
  EXPECT_EQ(synapse(1, 3), 4);
}

TEST(Convert, RoundsWeightsToFloatAndKeepsEverythingElse) {
  Network<double> n = good();
  for (std::size_t k = 0; k < 9; ++k) n.projections()[1].weight[k] = 0.1 * static_cast<double>(k);
  n.populations()[1]["tau_mem"] = Parameter({0.1, 0.2, 0.3});
  const auto f = convert<float>(n);
  EXPECT_EQ(f.populations(), n.populations());
  ASSERT_EQ(f.projections().size(), n.projections().size());
  for (std::size_t p = 0; p < n.projections().size(); ++p) {
    const auto& x = f.projections()[p];
    const auto& y = n.projections()[p];
    EXPECT_EQ(std::tie(x.name, x.source, x.target, x.delay),
              std::tie(y.name, y.source, y.target, y.delay));
    ASSERT_EQ(x.weight.size(), y.weight.size());
    for (std::size_t k = 0; k < x.weight.size(); ++k) {
      EXPECT_EQ(x.weight[k], static_cast<float>(y.weight[k]));
    }
  }
  EXPECT_EQ(convert<double>(n), n);
  EXPECT_EQ(convert<float>(convert<double>(f)), f);
  EXPECT_NE(convert<double>(f), n);
}

TEST(Describe, ShowsTheGridsOfConvolutionAndPooling) {
  Network<double> n;
  n.add_input("in", 2 * 5 * 6);
  n.add_population(Population{"a", Model::lif, 3 * 2 * 3, {}});
  n.add_population(Population{"b", Model::li, 3 * 1 * 1, {}});
  n.connect("in", "a", std::vector<double>(3 * 2 * 3 * 2, 1), Delay::none(), "",
            Connection("conv2d", {{"input", {2, 5, 6}},
                                  {"kernel", {3, 2, 3, 2}},
                                  {"stride", {2, 2}},
                                  {"padding", {0, 0}},
                                  {"dilation", {1, 1}}}));
  n.connect("a", "b", {1}, Delay::none(), "",
            Connection("pool2d", {{"input", {3, 2, 3}}, {"size", {2, 2}}, {"stride", {2, 2}}}));
  EXPECT_THAT(describe(n), HasSubstr("delay none  grid 2 x 5 x 6 to 3 x 2 x 3\n"));
  EXPECT_THAT(describe(n), HasSubstr("delay none  grid 3 x 2 x 3 to 3 x 1 x 1\n"));
}

TEST(Network, RefusesATimeConstantWhoseInverseIsNoNumber) {
  Network<double> n = good();
  n.populations()[1]["tau_mem"] = 1e-320;
  EXPECT_THAT(refusal([&] { n.check(); }), HasSubstr("hidden.tau_mem[0] is "));
}

TEST(Describe, ShowsEveryPopulationAndProjectionOnALineOfItsOwn) {
  Network<double> n = good();
  n.populations()[1]["bias"] = Parameter({0.25, -0.5, 0});
  EXPECT_EQ(describe(n),
            "in           input       2\n"
            "hidden       LIF         3  tau_mem 0.02  tau_syn 0.005  v_threshold 1  v_reset 0  "
            "bias -0.5..0.25  tau_ref 0  v_initial 0  i_initial 0\n"
            "out          LI          2  tau_mem 0.02  tau_syn 0.005  bias 0  v_initial 0  "
            "i_initial 0\n"
            "in->hidden           dense 2 x 3  delay per source\n"
            "hidden->hidden       dense 3 x 3  delay common\n"
            "hidden->out          dense 3 x 2  delay per synapse\n"
            "in->out              dense 2 x 2  delay none\n");
  EXPECT_EQ(describe(good<float>()), describe(good<double>()));
}

}  // namespace
}  // namespace saltus
