// SPDX-License-Identifier: Apache-2.0
// lambda at chosen times, read off the segments of a backward pass.
#include <fmt/format.h>

#include "adjoint/backward.hpp"
#include "observe/trace_times.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/error.hpp"
#include "simulate/continued.hpp"

namespace saltus {

template <class Real>
AdjointTraces<Real> adjoint_traces(const Network<Real>& network, const Inputs& inputs,
                                   const Record<Real>& record, const Errors<Real>& errors,
                                   std::size_t population, std::span<const double> at,
                                   const Options& options) {
  const Prepared<Real> prepared(network, inputs, record, options);
  const Plan<Real>& plan = prepared.plan;
  const Population& p = check_trace(prepared, population, at, "adjoint variables");
  if (p.model->linear) {
    throw InvalidInput(
        fmt::format("'{}' is {}: adjoint variables can be read of LIF and LI populations", p.name,
                    p.model->name));
  }
  refuse_state(inputs, "adjoint variables");
  check_errors(network, inputs, record, errors);
  Gradients<Real> gradients;
  BackwardMemory<Real> memory;
  backward<Real>(plan, inputs, record, errors, Wanted::weights_only(), options.threads, nullptr,
                 memory, gradients);
  const std::size_t count = inputs.samples() * at.size() * p.size;
  AdjointTraces<Real> result{std::vector<Real>(count), std::vector<Real>(count)};
  for (std::size_t s = 0; s < inputs.samples(); ++s) {
    memory.segments[s][population].finish();
    for (std::size_t j = 0; j < p.size; ++j) {
      const auto segments = memory.segments[s][population].of(j);  // latest first
      const auto& tc = plan.populations[population].neuron(j).tc;
      std::size_t last = 0;  // the earliest segment that begins after the time, or at the end
      for (std::size_t k = at.size(); k-- > 0;) {
        while (last + 1 < segments.size() && segments[last + 1].from > at[k]) ++last;
        const bool still_zero = segments.empty() || segments[last].from < at[k] ||
                                (segments[last].from == at[k] && at[k] < inputs.end(s));
        if (still_zero) continue;
        const auto lambda = segments[last].read(tc, at[k]);
        const std::size_t place = (s * at.size() + k) * p.size + j;
        result.v[place] = lambda.v;
        result.i[place] = lambda.i;
      }
    }
  }
  return result;
}

template AdjointTraces<float> adjoint_traces(const Network<float>&, const Inputs&,
                                             const Record<float>&, const Errors<float>&,
                                             std::size_t, std::span<const double>, const Options&);
template AdjointTraces<double> adjoint_traces(const Network<double>&, const Inputs&,
                                              const Record<double>&, const Errors<double>&,
                                              std::size_t, std::span<const double>, const Options&);

}  // namespace saltus
