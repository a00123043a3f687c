// SPDX-License-Identifier: Apache-2.0
// The backward pass: component by component, targets before sources.
//
//     dynamics      errors -> segments of lambda              (sweep.cpp, event_loop.cpp)
//     accumulation  segments -> gradients, errors of sources  (accumulate.cpp, parameters.cpp)
#include <fmt/format.h>

#include <cmath>

#include "adjoint/accumulate.hpp"
#include "adjoint/backward.hpp"
#include "adjoint/continued.hpp"
#include "adjoint/dynamics.hpp"
#include "adjoint/shape.hpp"
#include "machine/parallel.hpp"
#include "observe/observe.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/error.hpp"
#include "saltus/ghosts.hpp"
#include "simulate/continued.hpp"
#include "simulate/prepared.hpp"

namespace saltus {
namespace {

template <class Values>
void check_array(const Values& values, std::size_t expected, const std::string& population,
                 std::string_view what) {
  if (values.empty()) return;
  if (values.size() != expected) {
    throw InvalidInput(fmt::format("{} of '{}' have {} values; expected {}", what, population,
                                   values.size(), expected));
  }
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (!std::isfinite(values[k])) {
      throw InvalidInput(fmt::format("{} of '{}': value {} is {}; expected a finite number", what,
                                     population, k, values[k]));
    }
  }
}

}  // namespace

template <class Real>
void check_errors(const Network<Real>& network, const Inputs& inputs, const Record<Real>& record,
                  const Errors<Real>& errors) {
  const auto& populations = network.populations();
  if (errors.populations.size() != populations.size()) {
    throw InvalidInput(fmt::format("errors for {} populations given; the network has {}",
                                   errors.populations.size(), populations.size()));
  }
  for (std::size_t p = 0; p < populations.size(); ++p) {
    const auto& e = errors.populations[p];
    const auto& name = populations[p].name;
    const std::size_t all = record.samples * populations[p].size;
    const bool given =
        !e.spikes.empty() || !e.maxima.empty() || !e.integrals.empty() || !e.samples.empty();
    if (given && populations[p].model == Model::input) {
      throw InvalidInput(fmt::format("'{}' is an input: a loss cannot depend on it", name));
    }
    check_array(e.spikes, record.populations[p].spikes.times.size(), name, "spike errors");
    check_array(e.maxima, all, name, "maximum errors");
    check_array(e.integrals, all, name, "integral errors");
    check_array(e.samples, all * e.sample_times.size(), name, "sample errors");
    if (!e.sample_times.empty() && e.samples.empty()) {
      throw InvalidInput(fmt::format("'{}' has sample times but no sample errors", name));
    }
    for (std::size_t k = 0; k < e.sample_times.size(); ++k) {
      const double at = e.sample_times[k];
      bool inside = at >= 0 && !std::isinf(at) && (k == 0 || at >= e.sample_times[k - 1]);
      for (const double end : inputs.t_end) inside = inside && at <= end;
      if (!inside) {
        throw InvalidInput(fmt::format(
            "sample time {} of '{}' is {}; expected times in [0, t_end], ascending", k, name, at));
      }
    }
    if (!e.maxima.empty() && errors.maxima[p].times.size() != all) {
      throw InvalidInput(
          fmt::format("maximum errors of '{}' need its maxima, an LI population's", name));
    }
    for (std::size_t s = 0; !e.maxima.empty() && s < record.samples; ++s) {
      for (const std::int32_t j : sample_of(record.populations[p].spikes.view(), s).neurons) {
        if (e.maxima[s * populations[p].size + static_cast<std::size_t>(j)] == 0) continue;
        throw InvalidInput(fmt::format(
            "neuron {} of '{}' spikes in sample {}: its maximum is its threshold; expected "
            "a maximum error of 0",
            j, name, s));
      }
    }
    if (!e.integrals.empty()) check_integral(populations[p], inputs);
  }
  check_errors_at_end(network, inputs, record, errors);
}

namespace {

template <class Real>
void check_ghosts(const Network<Real>& network, const Record<Real>& record,
                  const Ghosts<Real>& ghosts) {
  const auto& populations = network.populations();
  bool fits = ghosts.populations.size() == populations.size();
  for (std::size_t p = 0; fits && p < populations.size(); ++p) {
    const bool lif = populations[p].model == Model::lif;
    fits = ghosts.populations[p].size() == (lif ? record.samples : 0);
    for (std::size_t s = 0; fits && s < ghosts.populations[p].size(); ++s) {
      const auto& offsets = record.populations[p].spikes.offsets;
      const std::int64_t spikes = offsets[s + 1] - offsets[s];
      std::int32_t before = 0;
      for (const Ghost<Real>& g : ghosts.populations[p][s]) {
        fits = fits && g.neuron >= before &&
               static_cast<std::size_t>(g.neuron) < populations[p].size && g.behind < spikes;
        before = g.neuron;
      }
    }
  }
  if (!fits) {
    throw InvalidInput(
        "the ghosts do not fit the record; expected those that find_ghosts() returned for it");
  }
}

}  // namespace

template <class Real>
void backward(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
              const Errors<Real>& errors, const Wanted& wanted, int threads,
              Timelines<Real>* timelines, BackwardMemory<Real>& memory, Gradients<Real>& gradients,
              Ghosts<Real>* ghosts, std::span<const Plan<Real>> starts, Team* team) {
  if (inputs.state) {
    if (ghosts) refuse_state(inputs, "ghosts");
    return backward_to_state(plan, inputs, record, errors, wanted, threads, gradients);
  }
  if (says_of_spikes_at_end(errors)) {
    return backward(plan, inputs, record, with_spikes_at_end(plan, inputs, record, errors), wanted,
                    threads, timelines, memory, gradients, ghosts, starts, team);
  }
  const Network<Real>& network = *plan.network;
  const std::size_t count = network.populations().size();
  set_to_zero(network, wanted, gradients);
  Timelines<Real> anew;
  if (!timelines) {
    anew.start(count, inputs.samples());
    timelines = &anew;
  }
  Pass<Real> pass{plan,
                  inputs,
                  record,
                  errors,
                  wanted,
                  threads,
                  *timelines,
                  memory.segments,
                  memory.linear,
                  memory.entries,
                  memory.linear_entries,
                  memory.spike_errors,
                  gradients};
  pass.segments.resize(inputs.samples());
  pass.linear.resize(inputs.samples());
  pass.entries.resize(inputs.samples());
  pass.linear_entries.resize(inputs.samples());
  for (auto& sample : pass.segments) sample.resize(count);
  for (auto& sample : pass.linear) sample.resize(count);
  for (auto& sample : pass.entries) sample.resize(count);
  for (auto& sample : pass.linear_entries) sample.resize(count);
  pass.starts = starts;
  pass.team = team;
  const bool some = ghosts && ghosts->count() > 0;
  if (ghosts && team ? team->any(some) : some) {
    start_ghosts(plan, inputs.samples(), threads, *ghosts, memory.ghosts);
    pass.ghosts = &memory.ghosts;
  }
  pass.spike_errors.resize(count);
  for (std::size_t p = 0; p < count; ++p) {
    pass.spike_errors[p].assign(pass.spikes_of(p).times.size(), 0);
    const auto& given = errors.populations[p].spikes;
    if (terms::spike_error) std::copy(given.begin(), given.end(), pass.spike_errors[p].begin());
  }

  for (auto c = plan.components.rbegin(); c != plan.components.rend(); ++c) {
    for (const std::size_t population : c->component.populations) {
      if (pass.ghosts) read_probes(pass, population);
    }
    parallel_for(threads, inputs.samples(), [&](std::size_t s) {
      const SampleAdjoint<Real> sample{
          pass.plan_of(s), inputs, record, errors, s, pass.ghosts ? &memory.ghosts[s] : nullptr,
          timelines};
      const std::size_t population = c->component.populations[0];
      if (c->way == Way::sweep && !plan.populations[population].is_linear()) {
        sweep_back(sample, population, pass.spike_errors[population], pass.segments[s][population]);
      } else {
        event_loop_back(sample, c->component, pass.spike_errors, pass.segments[s], pass.linear[s]);
      }
      for (const std::size_t p : c->component.populations) prepare_tiles(pass, p, s);
    });
    for (const std::size_t population : c->component.populations) {
      accumulate_synapses(pass, population);
      if (wanted.neurons && plan.populations[population].is_linear()) {
        accumulate_linear_parameters(pass, population);
        continue;
      }
      if (wanted.neurons) accumulate_parameters(pass, population);
      if (wanted.neurons && pass.ghosts) accumulate_free_pieces(pass, population);
    }
  }
  if (team) {
    from_last(*team, [&](auto visit) {
      for (auto& weights : gradients.weights) visit(std::span(weights));
      for (auto& delays : gradients.delays) visit(std::span(delays));
      for (auto& neurons : gradients.neurons) {
        for (auto& values : neurons.parameters) visit(std::span(values));
      }
    });
  }
  for (const std::size_t p : network.inputs()) {
    if (wanted.input_times) gradients.times[p] = std::move(pass.spike_errors[p]);
  }
}

template <class Real>
Gradients<Real> backward(const Network<Real>& network, const Inputs& inputs,
                         const Record<Real>& record, const Errors<Real>& errors,
                         const Wanted& wanted, const Options& options) {
  const Prepared<Real> prepared(network, inputs, record, options);
  check_errors(network, inputs, record, errors);
  Gradients<Real> gradients;
  BackwardMemory<Real> memory;
  backward<Real>(prepared.plan, inputs, record, errors, wanted, options.threads, nullptr, memory,
                 gradients);
  return gradients;
}

template <class Real>
Gradients<Real> backward(const Network<Real>& network, const Inputs& inputs,
                         const Record<Real>& record, const Errors<Real>& errors,
                         Ghosts<Real>& ghosts, const Wanted& wanted, const Options& options) {
  const Prepared<Real> prepared(network, inputs, record, options);
  check_errors(network, inputs, record, errors);
  check_ghosts(network, record, ghosts);
  Gradients<Real> gradients;
  BackwardMemory<Real> memory;
  backward<Real>(prepared.plan, inputs, record, errors, wanted, options.threads, nullptr, memory,
                 gradients, &ghosts);
  return gradients;
}

template void check_errors(const Network<float>&, const Inputs&, const Record<float>&,
                           const Errors<float>&);
template void check_errors(const Network<double>&, const Inputs&, const Record<double>&,
                           const Errors<double>&);
template void backward(const Plan<float>&, const Inputs&, const Record<float>&,
                       const Errors<float>&, const Wanted&, int, Timelines<float>*,
                       BackwardMemory<float>&, Gradients<float>&, Ghosts<float>*,
                       std::span<const Plan<float>>, Team*);
template void backward(const Plan<double>&, const Inputs&, const Record<double>&,
                       const Errors<double>&, const Wanted&, int, Timelines<double>*,
                       BackwardMemory<double>&, Gradients<double>&, Ghosts<double>*,
                       std::span<const Plan<double>>, Team*);
template Gradients<float> backward(const Network<float>&, const Inputs&, const Record<float>&,
                                   const Errors<float>&, Ghosts<float>&, const Wanted&,
                                   const Options&);
template Gradients<double> backward(const Network<double>&, const Inputs&, const Record<double>&,
                                    const Errors<double>&, Ghosts<double>&, const Wanted&,
                                    const Options&);
template Gradients<float> backward(const Network<float>&, const Inputs&, const Record<float>&,
                                   const Errors<float>&, const Wanted&, const Options&);
template Gradients<double> backward(const Network<double>&, const Inputs&, const Record<double>&,
                                    const Errors<double>&, const Wanted&, const Options&);

}  // namespace saltus
