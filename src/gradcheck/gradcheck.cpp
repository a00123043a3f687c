// SPDX-License-Identifier: Apache-2.0
#include "gradcheck/gradcheck.hpp"

#include <fmt/format.h>

#include <cmath>
#include <mutex>

#include "machine/parallel.hpp"
#include "random/random.hpp"

namespace saltus::gradcheck {
namespace {

void add(Report& sum, const Report& part) {
  sum.networks += part.networks;
  sum.parameters += part.parameters;
  sum.void_order += part.void_order;
  sum.void_unresolved += part.void_unresolved;
  sum.oracle_parameters += part.oracle_parameters;
  sum.oracle_void += part.oracle_void;
  sum.grazing_networks += part.grazing_networks;
  sum.compared_absolutely += part.compared_absolutely;
  sum.differences.meet(part.differences.error, part.differences.where);
  sum.oracle.meet(part.oracle.error, part.oracle.where);
  sum.spike_times.meet(part.spike_times.error, part.spike_times.where);
  sum.relations += part.relations;
  sum.relations_void += part.relations_void;
  sum.on_their_way += part.on_their_way;
  sum.cuts_at_events += part.cuts_at_events;
  sum.relation_gradients.meet(part.relation_gradients.error, part.relation_gradients.where);
  sum.relation_times.meet(part.relation_times.error, part.relation_times.where);
  sum.census.add(part.census);
}

Report check(std::uint64_t seed, const Settings& settings) {
  Report report;
  report.networks = 1;
  const Case c = random_case(seed, seed % 2 == 0, true, settings.neuron);  // half of them are wide
  const Evaluation base = evaluate(c, c.network, c.inputs);
  const std::uint64_t branch = topology(c, c.network, c.inputs, base, &report.census);
  if (report.census.flattest_spike < grazing_slope) {
    report.grazing_networks = 1;
    return report;
  }
  const Gradients<double> gradients = backward(c.network, c.view(), base.record, base.errors);
  const std::string label = fmt::format("network {}", seed);
  if (settings.with_differences) {
    compare_with_differences(c, base, branch, gradients, label, report);
  }
  if (settings.with_relations) {
    check_relations(c, base, seed, label, report);
    check_chunks(c, base, seed, label, report);
  }
  if (settings.with_oracle) compare_with_oracle(c, base, gradients, label, report);
  return report;
}

}  // namespace

void Worst::meet(double value, const std::string& name) {
  if (value > error || std::isnan(value)) {
    error = std::isnan(value) ? infinity : value;
    where = name;
  }
}

bool Report::too_many_void() const {
  return networks >= void_networks &&
         (static_cast<double>(voided()) > void_bar * static_cast<double>(parameters) ||
          static_cast<double>(grazing_networks + oracle_void) >
              void_bar * static_cast<double>(networks));
}

bool Report::passed() const {
  return networks > 0 && differences.error <= difference_bar && oracle.error <= oracle_bar &&
         std::isfinite(spike_times.error) && relation_gradients.error <= relation_bar &&
         relation_times.error <= relation_time_bar && !too_many_void();
}

Report run(const Settings& settings) {
  std::vector<Report> reports(settings.networks);
  std::size_t done = 0;
  std::mutex mutex;
  parallel_for(settings.threads, settings.networks, [&](std::size_t k) {
    if (settings.stop && *settings.stop) return;
    Random random(settings.seed, Purpose::gradcheck, static_cast<std::uint32_t>(k));
    const std::uint64_t seed = (static_cast<std::uint64_t>(random.bits()) << 20) + k;
    reports[k] = check(seed, settings);
    const std::lock_guard lock(mutex);
    ++done;
    if (settings.progress) settings.progress(done);
  });
  Report sum;
  for (const Report& r : reports) add(sum, r);
  return sum;
}

}  // namespace saltus::gradcheck
