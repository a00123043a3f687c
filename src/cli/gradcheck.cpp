// SPDX-License-Identifier: Apache-2.0
#include "gradcheck/gradcheck.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/values.hpp"
#include "saltus/error.hpp"

namespace saltus::cli {
namespace {

void print(const gradcheck::Report& r) {
  const auto verdict = [](bool good) { return good ? "ok" : "FAILED"; };
  const auto share = [](std::size_t part, std::size_t all) {
    return all ? 100.0 * static_cast<double>(part) / static_cast<double>(all) : 0.0;
  };
  fmt::print("{} networks, float64\n\n", r.networks);
  fmt::print(
      "central differences   {:>9} taken, {} void ({:.1f} %: {} order, {} step), {} compared "
      "absolutely\n"
      "                      largest error {:.2e}, bar {:.0e}  {}   {}\n",
      r.parameters, r.voided(), share(r.voided(), r.parameters), r.void_order, r.void_unresolved,
      r.compared_absolutely, r.differences.error, gradcheck::difference_bar,
      verdict(r.differences.error <= gradcheck::difference_bar), r.differences.where);
  fmt::print(
      "independent oracle    {:>9} compared, {} networks void: a maximum elsewhere on a flat V\n"
      "                      largest error {:.2e}, bar {:.0e}  {}   {}\n",
      r.oracle_parameters, r.oracle_void, r.oracle.error, gradcheck::oracle_bar,
      verdict(r.oracle.error <= gradcheck::oracle_bar), r.oracle.where);
  fmt::print("spike times           largest difference {:.2e} tau_mem\n", r.spike_times.error);
  fmt::print(
      "relations             {:>9} networks that must say the same: arrivals of weight 0 in every\n"
      "                      way of running, neurons relabelled, populations split, projections\n"
      "                      halved, time shifted, as a training runs, the run cut into chunks,\n"
      "                      which hand on {} spikes;\n"
      "                      {} with a maximum elsewhere on a flat V\n"
      "                      largest error {:.2e}, bar {:.0e}  {}   {}\n"
      "                      spike times {:.2e} tau_mem, bar {:.0e}  {}   {}\n\n",
      r.relations, r.on_their_way, r.relations_void, r.relation_gradients.error,
      gradcheck::relation_bar, verdict(r.relation_gradients.error <= gradcheck::relation_bar),
      r.relation_gradients.where, r.relation_times.error, gradcheck::relation_time_bar,
      verdict(r.relation_times.error <= gradcheck::relation_time_bar), r.relation_times.where);
  fmt::print(
      "met: {} spikes ({} not of LIF), {} neurons with several, {} maxima at arrivals, {} inside, "
      "{} "
      "at the "
      "end,\n     {} of silent LIF neurons, {} arrivals at refractory neurons, {} negative "
      "weights, {} zero-delay "
      "cycles,\n     {} synapses listed one by one, {} weights of several of them;\n     {} "
      "networks left out: a spike grazes the threshold (slope below {})\n",
      r.census.spikes, r.census.linear_spikes, r.census.multi_spike_neurons, r.census.kink_maxima,
      r.census.interior_maxima, r.census.end_maxima, r.census.silent_maxima,
      r.census.refractory_arrivals, r.census.negative_weights, r.census.zero_delay_cycles,
      r.census.listed_synapses, r.census.shared_weights, r.grazing_networks,
      gradcheck::grazing_slope);
  std::size_t built_in = 0;
  std::string losses;
  for (const auto& [name, networks] : r.census.losses) {
    built_in += networks;
    losses += fmt::format(", {} in {}", name, networks);
  }
  fmt::print("losses: sums of all that can be read off in {} networks{}\n", r.networks - built_in,
             losses);
  if (r.too_many_void()) {
    fmt::print("more than {:.0f} % of the differences or networks are void\n",
               100 * gradcheck::void_bar);
  }
  fmt::print("{}\n", r.passed() ? "passed" : "FAILED");
}

}  // namespace

Command add_gradcheck(CLI::App& app) {
  struct Options {
    gradcheck::Settings settings;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  add_value<std::size_t>(app, "--networks", "random networks (default 200)", [options](auto n) {
    if (n == 0) throw InvalidInput("--networks is 0; expected 1 or more");
    options->settings.networks = n;
  });
  add_value<std::uint64_t>(app, "--seed", "of the networks (default 1)",
                           [options](auto seed) { options->settings.seed = seed; });
  add_value<int>(app, "--threads", "0: all cores (default 1)",
                 [options](auto threads) { options->settings.threads = threads; });
  app.add_flag("--json", options->json, "last line on standard output: one JSON object");
  app.footer(
      "Networks of one to three layers, with cycles, delays, self-connections, refractory times,\n"
      "biases, resets and every loss. Errors are relative to the largest entry of each tensor.\n\n"
      "Example:\n  saltus gradcheck --networks 500 --seed 7 --json");
  return [options] {
    catch_interrupts();
    Progress progress(options->settings.networks, "networks", false);
    options->settings.progress = [&](std::size_t done) { progress.show(done, "gradcheck"); };
    options->settings.stop = &stop_requested();
    const gradcheck::Report r = gradcheck::run(options->settings);
    progress.clear();
    if (options->json) {
      const nlohmann::json result = {{"networks", r.networks},
                                     {"parameters", r.parameters},
                                     {"oracle_parameters", r.oracle_parameters},
                                     {"max_relative_error_fd", r.differences.error},
                                     {"max_relative_error_oracle", r.oracle.error},
                                     {"max_spike_time_error", r.spike_times.error},
                                     {"oracle_void", r.oracle_void},
                                     {"relations", r.relations},
                                     {"relations_void", r.relations_void},
                                     {"spikes_handed_on", r.on_their_way},
                                     {"cuts_at_events", r.cuts_at_events},
                                     {"max_relative_error_relations", r.relation_gradients.error},
                                     {"max_spike_time_error_relations", r.relation_times.error},
                                     {"losses", r.census.losses},
                                     {"spikes", r.census.spikes},
                                     {"kink_maxima", r.census.kink_maxima},
                                     {"interior_maxima", r.census.interior_maxima},
                                     {"silent_maxima", r.census.silent_maxima},
                                     {"linear_spikes", r.census.linear_spikes},
                                     {"multi_spike_neurons", r.census.multi_spike_neurons},
                                     {"negative_weights", r.census.negative_weights},
                                     {"refractory_arrivals", r.census.refractory_arrivals},
                                     {"zero_delay_cycles", r.census.zero_delay_cycles},
                                     {"listed_synapses", r.census.listed_synapses},
                                     {"shared_weights", r.census.shared_weights},
                                     {"void", r.voided()},
                                     {"compared_absolutely", r.compared_absolutely},
                                     {"grazing_networks", r.grazing_networks},
                                     {"seed", options->settings.seed},
                                     {"interrupted", stop_requested().load()},
                                     {"passed", r.passed()}};
      fmt::print("{}\n", result.dump());
    } else {
      print(r);
    }
    if (stop_requested()) return static_cast<int>(stop_code());
    return static_cast<int>(r.passed() ? success : failure);
  };
}

}  // namespace saltus::cli
