// SPDX-License-Identifier: Apache-2.0
// The synaptic current at chosen times, read off a record.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "observe/trace_times.hpp"
#include "saltus/observe.hpp"

namespace saltus {
namespace {

template <class Real>
struct CurrentSamples : ReplayVisitor {
  double tau_syn;
  std::span<const double> at;
  Real* out;           // [time, neuron], this neuron's column
  std::size_t stride;  // neurons
  std::size_t next = 0;

  CurrentSamples(const neuron::Lif<Real>& n, std::span<const double> times, Real* o, std::size_t s)
      : tau_syn(n.tc.tau_syn), at(times), out(o), stride(s) {
    while (next < at.size() && at[next] <= 0) out[stride * next++] = n.i_initial;
  }

  void piece(const Piece<Real>& p) {
    for (; next < at.size() && at[next] <= p.t1; ++next) {
      out[stride * next] = p.i * static_cast<Real>(std::exp((p.t0 - at[next]) / tau_syn));
    }
  }
};

}  // namespace

template <class Real>
std::vector<Real> currents(const Network<Real>& network, const Inputs& inputs,
                           const Record<Real>& record, std::size_t population,
                           std::span<const double> at, const Options& options) {
  const Prepared<Real> prepared(network, inputs, record, options);
  const Population& p = check_trace(prepared, population, at, "synaptic current");
  std::size_t component = 0;
  if (p.model->linear) {
    const auto& names = p.model->linear->components;
    component =
        static_cast<std::size_t>(std::find(names.begin(), names.end(), "I") - names.begin());
    if (component == names.size()) {
      throw InvalidInput(
          fmt::format("'{}' is {}: its state has no component I", p.name, p.model->name));
    }
  }
  return read_trace<CurrentSamples<Real>>(prepared.plan, inputs, record, population, at, component,
                                          options.threads);
}

template std::vector<float> currents(const Network<float>&, const Inputs&, const Record<float>&,
                                     std::size_t, std::span<const double>, const Options&);
template std::vector<double> currents(const Network<double>&, const Inputs&, const Record<double>&,
                                      std::size_t, std::span<const double>, const Options&);

}  // namespace saltus
