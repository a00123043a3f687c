// SPDX-License-Identifier: Apache-2.0
#include "simulate/prepared.hpp"

#include <fmt/format.h>

#include "saltus/error.hpp"
#include "simulate/continued.hpp"

namespace saltus {
namespace {

template <class Real>
void check_record(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record) {
  const auto& populations = plan.network->populations();
  if (record.populations.size() != populations.size() || record.samples != inputs.samples()) {
    throw InvalidInput(fmt::format(
        "the record holds {} populations and {} samples; network and inputs have {} and {}",
        record.populations.size(), record.samples, populations.size(), inputs.samples()));
  }
  for (std::size_t p = 0; p < populations.size(); ++p) {
    const SpikeRecord<Real>& r = record.populations[p];
    const std::string name = fmt::format("the record of '{}'", populations[p].name);
    validate(r.spikes.view(), populations[p].size, name);
    const std::size_t spikes = r.spikes.times.size();
    const bool lif = populations[p].model == Model::lif;
    if (r.spikes.view().samples() != record.samples || r.currents.size() != (lif ? spikes : 0) ||
        (!r.thresholds.empty() && r.thresholds.size() != spikes) ||
        r.release_currents.size() != (plan.populations[p].refractory ? spikes : 0)) {
      throw InvalidInput(fmt::format(
          "{} has {} samples, {} spikes, {} currents and {} at releases; expected one "
          "that simulate() or record() made of this network",
          name, r.spikes.view().samples(), spikes, r.currents.size(), r.release_currents.size()));
    }
  }
}

}  // namespace

template <class Real>
Prepared<Real>::Prepared(const Network<Real>& network, const Inputs& given, const Options& options)
    : plan((network.check(), network), options.way, options.kernel == Kernel::scalar),
      inputs(given) {
  plan.limits = options.limits;
  check(plan, inputs);
  check_state(plan, inputs);
}

template <class Real>
Prepared<Real>::Prepared(const Network<Real>& network, const Inputs& given, const Record<Real>& of,
                         const Options& options)
    : Prepared(network, given, options) {
  check_record(plan, inputs, of);
  record = &of;
}

template <class Real>
const Population& Prepared<Real>::neurons(std::size_t population, std::string_view what) const {
  const auto& all = plan.network->populations();
  if (population >= all.size()) {
    throw InvalidInput(
        fmt::format("there is no population {}; the network has {}", population, all.size()));
  }
  if (all[population].model == Model::input) {
    throw InvalidInput(fmt::format("'{}' is an input: it has no {}", all[population].name, what));
  }
  return all[population];
}

template struct Prepared<float>;
template struct Prepared<double>;

}  // namespace saltus
