// SPDX-License-Identifier: Apache-2.0
// A neuron model that is one file outside of src/ is found by all that walks over models: networks,
// the engine there and back, random networks of `gradcheck`, files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "data/data_folder.hpp"
#include "gradcheck/gradcheck.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/error.hpp"
#include "saltus/simulate.hpp"
#include "saltus/store.hpp"
#include "toy_neuron.hpp"

namespace saltus {
namespace {

using ::testing::HasSubstr;

// One alpha current of peak 3: V in closed form.
TEST(ToyNeuron, spikes_where_its_closed_form_does) {
  Network<double> network;
  network.add_input("in", 1);
  Population p;
  p.name = "h";
  p.model = toy::add_alpha_soft();
  p.size = 1;
  network.add_population(p);
  network.connect("in", "h", {3.0});
  const Spikes in{{0, 1}, {1e-3}, {0}};
  const std::vector<double> end{0.1};
  const auto record = simulate(network, Inputs{{in.view()}, end});
  const Spikes& spikes = record.populations[1].spikes;
  ASSERT_FALSE(spikes.times.empty());
  // V(t) = (w e/(tau_m tau_s)) int_0^t u exp(-u/tau_s) exp(-(t-u)/tau_m) du
  const double m = 20e-3, s = 5e-3, r = 1 / s - 1 / m, t = spikes.times[0] - 1e-3;
  const double v = 3 * std::exp(1) / (m * s) * std::exp(-t / m) *
                   (1 / (r * r) - std::exp(-r * t) * (t / r + 1 / (r * r)));
  EXPECT_NEAR(v, 1, 1e-12);
}

// Layers of it are among those of random networks, with LIF and ALIF, in cycles and with delays.
TEST(ToyNeuron, has_exact_gradients) {
  toy::add_alpha_soft();
  gradcheck::Settings settings;
  settings.networks = 30;
  settings.seed = 11;
  settings.with_oracle = false;
  const auto r = gradcheck::run(settings);
  std::cout << r.census.linear_spikes << " spikes of linear neurons, " << r.parameters
            << " differences (" << r.voided() << " void), worst " << r.differences.error << " in "
            << r.differences.where << "; " << r.relations << " relations, worst "
            << r.relation_gradients.error << " in " << r.relation_gradients.where << "\n";
  EXPECT_TRUE(r.passed());
  EXPECT_GT(r.census.linear_spikes, r.networks);
}

TEST(ToyNeuron, is_saved_and_loaded) {
  Network<double> network;
  network.add_input("in", 1);
  Population p;
  p.name = "h";
  p.model = toy::add_alpha_soft();
  p.size = 2;
  p["gain"] = Parameter(std::vector<double>{0.5, 2});
  network.add_population(p);
  network.connect("in", "h", {3.0, 2.0});
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  store::save_network(network, file);
  EXPECT_EQ(store::load_network<double>(file), network);
}

TEST(ToyNeuron, with_parameters_that_mean_nothing_is_refused) {
  Network<double> network;
  Population p;
  p.name = "h";
  p.model = toy::add_alpha_soft();
  p.size = 1;
  p["gain"] = -1.0;
  try {
    network.add_population(p);
    FAIL();
  } catch (const InvalidInput& e) {
    EXPECT_THAT(e.what(), HasSubstr("h.gain[0] is -1"));
  }
}

}  // namespace
}  // namespace saltus
