// SPDX-License-Identifier: Apache-2.0
// The judge (docs/theory.md, section 12): gradients over random networks against two witnesses.
// Built once more with each term of the adjoint deleted, this test must fail (scripts/mutation.sh).
#include "gradcheck/gradcheck.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include <cstdlib>
#include <iostream>

namespace saltus::gradcheck {
namespace {

// SALTUS_TEST_SCALE: so many times the networks. A part of them tells nothing of how many meet what.
double scale() {
  const char* const text = std::getenv("SALTUS_TEST_SCALE");
  return text ? std::atof(text) : 1;
}
std::size_t scaled(std::size_t networks) {
  return static_cast<std::size_t>(std::ceil(scale() * static_cast<double>(networks)));
}

void tell(const Report& r) {
  std::cout << r.networks << " networks: " << r.parameters << " differences (" << r.voided()
            << " void, " << r.compared_absolutely << " compared absolutely), worst "
            << r.differences.error << " in " << r.differences.where << "; " << r.oracle_parameters
            << " derivatives of the oracle, worst " << r.oracle.error << " in " << r.oracle.where
            << "; met " << r.census.spikes << " spikes, " << r.census.multi_spike_neurons
            << " neurons with several, " << r.census.kink_maxima << " maxima at arrivals, "
            << r.census.interior_maxima << " inside, " << r.census.end_maxima << " at the end, "
            << r.census.silent_maxima << " of silent LIF neurons, " << r.census.refractory_arrivals
            << " refractory arrivals, " << r.census.negative_weights << " negative weights, "
            << r.census.zero_delay_cycles << " zero-delay cycles, " << r.census.linear_spikes
            << " spikes not of LIF, " << r.census.listed_synapses << " synapses listed, "
            << r.census.shared_weights << " weights shared; " << r.grazing_networks
            << " networks left out (grazing)\n";
}

TEST(Gradient, matches_the_independent_oracle) {
  Settings settings;
  settings.networks = scaled(500);
  settings.with_differences = false;
  settings.with_relations = false;
  const Report r = run(settings);
  tell(r);
  EXPECT_LE(r.oracle.error, oracle_bar) << r.oracle.where;
  EXPECT_LE(r.spike_times.error, 1e-10) << r.spike_times.where;  // in units of tau_mem
  if (scale() < 1) return;
  EXPECT_GT(r.oracle_parameters, 60 * r.networks);
  EXPECT_LE(r.grazing_networks, r.networks / 10);
  EXPECT_LE(r.oracle_void, r.networks / 50);
  // A check that does not meet these proves little.
  EXPECT_GT(r.census.multi_spike_neurons, r.networks);
  EXPECT_GT(r.census.kink_maxima, r.networks / 10);
  EXPECT_GT(r.census.interior_maxima, r.networks / 10);
  EXPECT_GT(r.census.end_maxima, r.networks / 10);
  EXPECT_GT(r.census.silent_maxima, r.networks / 10);
  EXPECT_GT(r.census.refractory_arrivals, r.networks);
  EXPECT_GT(r.census.negative_weights, r.networks);
  EXPECT_GT(r.census.zero_delay_cycles, r.networks / 10);
  EXPECT_GT(r.census.linear_spikes, r.networks);
  EXPECT_GT(r.census.listed_synapses, r.networks);
  EXPECT_GT(r.census.shared_weights, r.networks / 10);
}

TEST(Gradient, matches_central_differences) {
  Settings settings;
  settings.networks = scaled(60);
  settings.seed = 2;
  settings.with_oracle = false;
  settings.with_relations = false;
  const Report r = run(settings);
  tell(r);
  EXPECT_LE(r.differences.error, difference_bar) << r.differences.where;
  if (scale() < 1) return;
  EXPECT_GT(r.parameters, 50 * r.networks);
  EXPECT_LE(static_cast<double>(r.voided()), void_bar * static_cast<double>(r.parameters));
  EXPECT_LE(r.compared_absolutely, r.parameters / 3);
}

// Of neurons that oscillate alone, with every synapse: both witnesses.
TEST(Gradient, of_resonate_and_fire_matches) {
  Settings settings;
  settings.networks = scaled(25);
  settings.seed = 4;
  settings.neuron = "RF";
  const Report r = run(settings);
  tell(r);
  EXPECT_LE(r.differences.error, difference_bar) << r.differences.where;
  EXPECT_LE(r.oracle.error, oracle_bar) << r.oracle.where;
  EXPECT_LE(r.spike_times.error, 1e-10) << r.spike_times.where;
  EXPECT_LE(r.relation_gradients.error, relation_bar) << r.relation_gradients.where;
  if (scale() < 1) return;
  EXPECT_LE(static_cast<double>(r.voided()), void_bar * static_cast<double>(r.parameters));
  EXPECT_GT(r.oracle_parameters, 60 * r.networks);
  EXPECT_GT(r.census.linear_spikes, 3 * r.networks);
}

// Blind to how the code works: arrivals of weight 0, in every way of running, neurons relabelled,
// populations split, projections halved, time shifted, the run cut into chunks.
TEST(Gradient, does_not_change_where_nothing_changes) {
  Settings settings;
  settings.networks = scaled(300);
  settings.seed = 3;
  settings.with_differences = settings.with_oracle = false;
  const Report r = run(settings);
  std::cout << r.relations << " networks that must say the same (" << r.relations_void
            << " with a maximum elsewhere on a flat V; " << r.on_their_way
            << " spikes handed from chunk to chunk): gradients " << r.relation_gradients.error
            << " in " << r.relation_gradients.where << ", spike times " << r.relation_times.error
            << " tau_mem in " << r.relation_times.where << "\n";
  EXPECT_LE(r.relation_gradients.error, relation_bar) << r.relation_gradients.where;
  EXPECT_LE(r.relation_times.error, relation_time_bar) << r.relation_times.where;
  if (scale() < 1) return;
  EXPECT_GT(r.relations, 10 * r.networks);
  EXPECT_GT(r.on_their_way, 5 * r.networks);
  EXPECT_GT(4 * r.cuts_at_events, r.networks);
  EXPECT_LT(r.relations_void, r.relations / 20);
}

}  // namespace
}  // namespace saltus::gradcheck
