// SPDX-License-Identifier: Apache-2.0
// Neurons that are linear between events, side by side and one by one: the same spikes to the last
// bit, on every instruction set; gradients to rounding.
#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "random/random.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/simulate.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

constexpr const char* time_constants[] = {"tau_mem", "tau_syn", "tau_syn_ex", "tau_rise",
                                          "tau_adapt"};

struct Census {
  std::size_t networks = 0, spikes = 0, refractory = 0, cycles = 0, tonic = 0, endless = 0, own = 0;
  double worst = 0;
};

Parameter per_neuron(Random& random, std::size_t size, double low, double high) {
  std::vector<double> values(size);
  for (double& v : values) v = random.uniform(low, high);
  return Parameter(std::move(values));
}

// Input, a population of the model (in a cycle or not), a readout with the same synapse.
template <class Real>
Network<Real> network(Random& random, Model model, std::size_t size, bool cyclic, double delay) {
  const auto weights = [&](std::size_t count, double mean, double spread) {
    std::vector<Real> w(count);
    for (Real& v : w) v = static_cast<Real>(mean + spread * random.normal());
    return w;
  };
  const std::string name(model->name);
  const auto synapse = std::min(name.find(':'), name.size());
  Network<Real> n;
  n.add_input("in", 6);
  Population p;
  p.name = "h";
  p.model = model;
  p.size = size;
  const bool jumps = name.ends_with(":delta");
  if (model->has("tau_syn") && random.chance(0.3)) p["tau_syn"] = p["tau_mem"];
  if (model->has("tau_rise")) p["tau_rise"] = random.chance(0.3) ? p["tau_syn"] : Parameter(2e-3);
  p["bias"] = per_neuron(random, size, -0.3, random.chance(0.3) ? 1.6 : 0.4);
  p["v_threshold"] = per_neuron(random, size, 0.8, 1.2);
  p["v_reset"] = per_neuron(random, size, -0.3, 0.3);
  p["v_initial"] = per_neuron(random, size, -0.3, 0.5);
  if (model->has("beta")) p["beta"] = per_neuron(random, size, -0.1, 0.3);
  if (random.chance(0.5)) {
    p["tau_ref"] = per_neuron(random, size, -2e-3, 3e-3);
    for (double& v : p["tau_ref"].values()) v = std::max(v, 0.0);
  }
  if (size > 1 && size != 64 && random.chance(0.5)) {  // each with a motion of its own
    for (const char* tau : time_constants) {
      if (!model->has(tau) || random.chance(0.4)) continue;
      const double usual = p[tau][0];
      p[tau] = per_neuron(random, size, 0.7 * usual, 1.3 * usual);
    }
  }
  n.add_population(p);
  const bool strong = name.find(':') == std::string::npos;
  const auto receptor = [](Model of, std::size_t k) {
    return of->receptor_name(k % std::max<std::size_t>(1, of->receptors().size()));
  };
  n.connect("in", "h",
            weights(6 * size,
                    strong  ? 2.5
                    : jumps ? 0.4
                            : 1.2,
                    jumps ? 0.3 : 1),
            {}, "", {}, receptor(model, size));
  if (cyclic) {
    n.connect("h", "h", weights(size * size, 0, 0.5 / static_cast<double>(size)),
              delay > 0 ? Delay::common(delay)
              : jumps   ? Delay::common(2e-3)
                        : Delay::none(),
              "", {}, receptor(model, size + 1));
  }
  Population out;
  out.name = "out";
  out.model = Model::named("LI" + name.substr(synapse));
  out.size = 3;
  if (random.chance(0.3)) out["tau_mem"] = per_neuron(random, 3, 10e-3, 30e-3);
  n.add_population(out);
  n.connect("h", "out", weights(3 * size, 0.2, 0.5), {}, "", {}, receptor(out.model, 1));
  return n;
}

template <class Real>
void compare(std::uint64_t seed, Model model, std::size_t size, bool cyclic, double delay,
             Census& census) {
  Random random(seed, Purpose::synthetic, 4);
  const Network<Real> n = network<Real>(random, model, size, cyclic, delay);
  const Population& h = n.populations()[1];
  bool tonic = model->name.starts_with("IF");
  for (std::size_t j = 0; j < size; ++j)
    tonic = tonic || h["bias"][j] >= 0.75 * h["v_threshold"][j];
  std::vector<std::vector<std::pair<double, int>>> samples(2);
  for (auto& sample : samples) {
    for (int k = 0; k < 16; ++k) {
      const double t = random.chance(0.3) ? 2e-3 * random.below(12) : random.uniform(0, 25e-3);
      sample.emplace_back(t, static_cast<int>(random.below(6)));
    }
    std::sort(sample.begin(), sample.end());
  }
  const bool endless = !cyclic && !tonic && random.chance(0.9);
  const Spikes in = test::spikes_of(samples);
  const double ends[] = {endless ? infinity : 40e-3};
  const Inputs inputs{{in}, ends};
  Options scalar, vector;
  scalar.kernel = Kernel::scalar;
  const auto a = simulate(n, inputs, scalar);
  const std::size_t spikes = a.populations[1].spikes.times.size();
  ++census.networks;
  census.spikes += spikes;
  census.refractory += !h["tau_ref"].shared();
  census.cycles += cyclic;
  census.tonic += tonic;
  census.endless += endless;
  for (const char* tau : time_constants) {
    if (!model->has(tau) || h[tau].shared()) continue;
    census.own += !model->name.starts_with("RF");  // which goes one by one
    break;
  }
  Errors<Real> errors(3);
  for (std::size_t k = 0; k < spikes; ++k) {
    errors.populations[1].spikes.push_back(static_cast<Real>(random.uniform(-1, 1)));
  }
  errors.populations[2].integrals.assign(2 * 3, Real(0.5));
  errors.populations[1].sample_times = {5e-3, 20e-3};
  errors.populations[1].samples.assign(2 * 2 * size, Real(0.3));
  const auto gradients = backward(n, inputs, a, errors, {}, scalar);
  std::optional<Gradients<Real>> in_vectors;
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left & -left);
    const auto b = simulate(n, inputs, vector);
    const auto others = backward(n, inputs, b, errors, {}, vector);
    hwy::SetSupportedTargetsForTest(0);
    const std::string what = std::string(model->name) + ", seed " + std::to_string(seed) +
                             ", size " + std::to_string(size) + ", " +
                             hwy::TargetName(left & -left);
    ASSERT_TRUE(test::same_bits(a, b)) << what;
    if (!in_vectors) in_vectors = others;
    ASSERT_TRUE(test::same_bits(*in_vectors, others)) << what;
    if constexpr (std::is_same_v<Real, double>) {
      census.worst = std::max(census.worst, test::largest_difference(n, gradients, others, 1e-9));
    }
  }
}

template <class Real>
void compare_all() {
  Census census;
  std::uint64_t seed = 0;
  for (const Model model : Model::all()) {
    if (!model->linear || !model->spikes) continue;
    for (const std::size_t size : {1, 3, 16, 17, 64, 70}) {  // 70: two tiles
      for (int k = 0; k < (size > 3 ? 1 : 2); ++k) {
        for (const double delay : {-1.0, 0.0, 1e-3}) {
          if (size == 70 && delay >= 0) continue;
          compare<Real>(++seed, model, size, delay >= 0, delay, census);
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
  std::printf(
      "%zu networks (%zu refractory, %zu cycles, %zu that spike by themselves, %zu endless, %zu of "
      "time constants of each neuron), %zu spikes; worst gradient %.1e\n",
      census.networks, census.refractory, census.cycles, census.tonic, census.endless, census.own,
      census.spikes, census.worst);
  EXPECT_GT(census.spikes, 30000U);
  EXPECT_GT(census.refractory, 50U);
  EXPECT_GT(census.tonic, 50U);
  EXPECT_GT(census.endless, 10U);
  EXPECT_GT(census.own, 50U);
  EXPECT_LE(census.worst, 1e-9);
}

TEST(LinearKernels, give_the_bits_of_one_by_one_in_float64) { compare_all<double>(); }
TEST(LinearKernels, give_the_bits_of_one_by_one_in_float32) { compare_all<float>(); }

}  // namespace
}  // namespace saltus
