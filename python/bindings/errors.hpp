// SPDX-License-Identifier: Apache-2.0
// The errors of a loss as Python gives them, and the maxima that they are about.
#pragma once

#include <nanobind/stl/optional.h>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "observe/observe.hpp"
#include "plan/plan.hpp"
#include "record.hpp"

namespace saltus::python {

// spikes, maxima, integrals, sample times, samples; of the state at the end: x, spikes on their way. None
// where the loss says nothing
template <class Real>
using ErrorArrays =
    std::tuple<std::optional<In<Real>>, std::optional<In<Real>>, std::optional<In<Real>>,
               std::optional<In<double>>, std::optional<In<Real>>, std::optional<In<double>>,
               std::optional<In<double>>>;

template <class Real>
std::shared_ptr<const Maxima<Real>> find_maxima(Run<Real>& run, std::size_t population) {
  if (const auto found = run.maxima.find(population); found != run.maxima.end()) {
    return found->second;
  }
  std::shared_ptr<const Maxima<Real>> result;
  {
    const Released released;
    run.check_unchanged();
    result = std::make_shared<Maxima<Real>>(
        maxima(*run.network, run.inputs, run.record, population, run.options));
  }
  run.maxima[population] = result;
  return result;
}

// The errors that Python gives, without the places of the maxima.
template <class Real>
Errors<Real> errors_of(const std::map<std::size_t, ErrorArrays<Real>>& given, std::size_t count) {
  Errors<Real> errors(count);
  for (const auto& [p, arrays] : given) {
    const auto fill = [](auto& to, const auto& from) {
      if (from) to = vector_of(*from);
    };
    PopulationErrors<Real>& e = errors.populations.at(p);
    fill(e.spikes, std::get<0>(arrays));
    fill(e.maxima, std::get<1>(arrays));
    fill(e.integrals, std::get<2>(arrays));
    fill(e.sample_times, std::get<3>(arrays));
    fill(e.samples, std::get<4>(arrays));
    fill(e.at_end.x, std::get<5>(arrays));
    fill(e.at_end.past, std::get<6>(arrays));
  }
  return errors;
}

// The maxima that errors are given of: of a LIF population those of neurons that do not spike.
template <class Real>
Maxima<Real> maxima_for(const Run<Real>& run, const Network<Real>& network, std::size_t population,
                        const std::vector<Real>& errors, const Options& options) {
  const Population& neurons = network.populations()[population];
  if (neurons.model == Model::li) {
    return maxima(network, run.inputs, run.record, population, options);
  }
  std::vector<SilentNeuron> silent;
  for (std::size_t k = 0; k < errors.size(); ++k) {
    if (errors[k] != 0) silent.push_back({k / neurons.size, k % neurons.size});
  }
  return maxima_of(Plan<Real>(network), run.inputs, run.record, population, silent);
}

template <class Real>
void place_maxima(Run<Real>& run, Errors<Real>& errors) {
  for (std::size_t p = 0; p < errors.populations.size(); ++p) {
    const std::vector<Real>& given = errors.populations[p].maxima;
    if (given.empty()) continue;
    if (run.network->populations()[p].model == Model::li) {
      errors.maxima[p] = *find_maxima(run, p);
      continue;
    }
    const Released released;
    run.check_unchanged();
    errors.maxima[p] = maxima_for(run, *run.network, p, given, run.options);
  }
}

}  // namespace saltus::python
