// SPDX-License-Identifier: Apache-2.0
// The door of the public functions: whichever one a network, its inputs and a record go through,
// what does not fit is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "saltus/adjoint.hpp"
#include "saltus/ghosts.hpp"
#include "saltus/loss.hpp"
#include "saltus/observe.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::refusal;
using ::testing::HasSubstr;

class Door : public ::testing::Test {
 protected:
  static Network<double> network(std::size_t hidden) {
    Network<double> net;
    net.add_input("in", 1);
    for (const char* name : {"h", "out"}) {
      Population p;
      p.name = name;
      p.model = p.name == "h" ? Model::lif : Model::li;
      p.size = p.name == "h" ? hidden : 2;
      net.add_population(p);
    }
    net.connect("in", "h", std::vector<double>(hidden, 8.0));
    net.connect("h", "out", std::vector<double>(2 * hidden, 1.0));
    return net;
  }
  Network<double> net_ = network(3);
  Spikes in_{{0, 1, 2}, {1e-3, 2e-3}, {0, 0}};
  std::vector<double> end_{30e-3}, at_{10e-3};
  Inputs inputs_{{in_.view()}, end_};
  std::vector<std::int32_t> labels_{0, 1};

  // What each of them says of a record; nothing if it takes it.
  std::vector<std::string> refusals(const Record<double>& r) const {
    Errors<double> errors(3);
    LossSettings loss;
    loss.kind = "maximum_voltage";
    const std::function<void()> all[] = {
        [&] { maxima(net_, inputs_, r, 2); },
        [&] { integrals(net_, inputs_, r, 1); },
        [&] { voltages(net_, inputs_, r, 1, at_); },
        [&] { currents(net_, inputs_, r, 2, at_); },
        [&] { find_ghosts(net_, inputs_, r, Smoothing{}); },
        [&] { evaluate(loss, net_, inputs_, r, 2, labels_); },
        [&] { backward(net_, inputs_, r, errors); },
        [&] { adjoint_traces(net_, inputs_, r, errors, 1, at_); },
    };
    std::vector<std::string> result;
    for (const auto& f : all) result.push_back(refusal(f));
    return result;
  }
};

TEST_F(Door, lets_in_what_fits) {
  EXPECT_THAT(refusals(simulate(net_, inputs_)), ::testing::Each(std::string()));
}

TEST_F(Door, refuses_a_record_of_another_network) {
  EXPECT_THAT(refusals(simulate(network(4), inputs_)),
              ::testing::Each(HasSubstr("the record of 'h'.neurons[3] is 3 (sample 0); expected a "
                                        "number in [0, 3)")));
}

TEST_F(Door, refuses_a_record_of_other_inputs) {
  const Spikes other{{0, 1}, {1e-3}, {0}};
  EXPECT_THAT(refusals(simulate(net_, Inputs{{other.view()}, end_})),
              ::testing::Each(HasSubstr("the record holds 3 populations and 1 samples; network and "
                                        "inputs have 3 and 2")));
}

TEST_F(Door, refuses_a_record_that_was_cut) {
  auto record = simulate(net_, inputs_);
  record.populations[1].currents.pop_back();
  EXPECT_THAT(refusals(record), ::testing::Each(HasSubstr("currents and 0 at releases; expected")));
  record = simulate(net_, inputs_);
  record.populations[1].spikes.offsets = {0, 99, 6};
  EXPECT_THAT(refusals(record), ::testing::Each(HasSubstr("the record of 'h'.offsets[2]")));
}

TEST_F(Door, refuses_what_network_and_inputs_may_not_be) {
  const auto record = simulate(net_, inputs_);
  net_.populations()[1]["tau_mem"] = -1.0;
  EXPECT_THAT(refusals(record), ::testing::Each(HasSubstr("h.tau_mem[0] is -1")));
  net_ = network(3);
  in_.times[1] = -2e-3;
  EXPECT_THAT(refusals(record), ::testing::Each(HasSubstr("in.times[1] is -0.002")));
}

TEST_F(Door, refuses_a_population_that_there_is_not) {
  const auto record = simulate(net_, inputs_);
  EXPECT_THAT(refusal([&] { integrals(net_, inputs_, record, 7); }),
              HasSubstr("there is no population 7; the network has 3"));
}

}  // namespace
}  // namespace saltus
