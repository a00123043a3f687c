// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_large.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/bench.hpp"
#include "cli/commands.hpp"
#include "saltus/version.hpp"

namespace saltus::cli {
namespace {

void print(const std::vector<bench::Large>& rows, const bench::LargeSettings& s) {
  fmt::print(
      "LIF, {} synapses into each neuron with delays of their own, one sample of {:g} s; {}, {}, "
      "{} "
      "thread(s)\n\n{:>9}{:>11}{:>7}{:>13}{:>22}{:>22}{:>11}\n",
      s.synapses, s.t_end, bench::kernel_in_use(s.kernel), s.precision, s.threads, "neurons",
      "spikes", "/ s", "events", "forward", "backward", "peak");
  for (const bench::Large& r : rows) {
    fmt::print("{:>9}{:>11}{:>7.1f}{:>13}{:>9.2f} s{:>8.1f} ns{:>9.2f} s{:>8.1f} ns{:>7.0f} MiB\n",
               r.neurons, r.spikes, r.rate, r.synaptic_events, r.forward_s, r.forward_ns,
               r.backward_s, r.backward_ns, r.peak_mib);
  }
}

void print_json(const std::vector<bench::Large>& rows, const bench::LargeSettings& s) {
  nlohmann::json result = {{"rows", nlohmann::json::array()},
                           {"synapses_per_neuron", s.synapses},
                           {"simulated_s", s.t_end},
                           {"threads", s.threads},
                           {"precision", s.precision},
                           {"kernel", bench::kernel_in_use(s.kernel)},
                           {"version", version},
                           {"commit", git_commit()}};
  for (const bench::Large& r : rows) {
    result["rows"].push_back({{"neurons", r.neurons},
                              {"synapses", r.synapses},
                              {"spikes", r.spikes},
                              {"rate", r.rate},
                              {"synaptic_events", r.synaptic_events},
                              {"build_s", r.build_s},
                              {"forward_s", r.forward_s},
                              {"backward_s", r.backward_s},
                              {"forward_ns_per_synaptic_event", r.forward_ns},
                              {"backward_ns_per_synaptic_event", r.backward_ns},
                              {"largest_gradient", r.largest_gradient},
                              {"peak_mib", r.peak_mib}});
  }
  fmt::print("{}\n", result.dump());
}

}  // namespace

int bench_large(const bench::LargeSettings& settings, bool json) {
  const auto rows =
      bench::large(settings, [](const std::string& next) { fmt::print(stderr, "{}\n", next); });
  json ? print_json(rows, settings) : print(rows, settings);
  return success;
}

}  // namespace saltus::cli
