// SPDX-License-Identifier: Apache-2.0
// The dynamics of the adjoint through one sample: from errors to segments (docs/theory.md, sections
// 5, 7 and 8). Two ways, the mirror of simulate/: a neuron alone, and all neurons of a cycle
// together.
#pragma once

#include <span>
#include <vector>

#include "adjoint/ghosts.hpp"
#include "adjoint/segments.hpp"
#include "network/graph.hpp"
#include "plan/plan.hpp"
#include "plan/timeline.hpp"
#include "saltus/adjoint.hpp"

namespace saltus {

/// What the backward pass knows of one sample.
template <class Real>
struct SampleAdjoint {
  const Plan<Real>& plan;
  const Inputs& inputs;
  const Record<Real>& record;
  const Errors<Real>& errors;
  std::size_t sample;
  std::vector<SampleGhosts<Real>>* ghosts = nullptr;  // per population
  Timelines<Real>* timelines = nullptr;               // what populations see

  double end() const { return inputs.end(sample); }
};

/// dL/dV and dL/dI, or dL/dx, of a neuron in the state at the end, of which something is said.
template <class Real>
std::span<const double> said_of_end(const PopulationErrors<Real>& errors, std::size_t samples,
                                    std::size_t size, std::size_t sample, std::size_t j) {
  const std::size_t components = errors.at_end.x.size() / (samples * size);
  return std::span(errors.at_end.x).subspan((sample * size + j) * components, components);
}

/// The view that the dynamics have of one population in one sample.
template <class Real>
struct PopulationAdjoint {
  const PopulationPlan<Real>& plan;
  const PopulationErrors<Real>& errors;
  const Maxima<Real>& maxima;
  std::size_t size, sample, samples;
  double end;
  std::span<const double> times;  // spikes of the sample
  std::size_t past;               // so many of these, in front, are of before it
  std::span<const std::int32_t> neurons;
  std::span<const Real> currents, release_currents, thresholds;
  SampleGhosts<Real>* ghosts = nullptr;
  std::span<const double> spike_errors;  // E_k without what comes from inside the component

  PopulationAdjoint(const SampleAdjoint<Real>& s, std::size_t population,
                    const std::vector<double>& all_spike_errors)
      : plan(s.plan.populations[population]),
        errors(s.errors.populations[population]),
        maxima(s.errors.maxima[population]),
        size(s.plan.size(population)),
        sample(s.sample),
        samples(s.record.samples),
        end(s.end()),
        ghosts(s.ghosts && s.plan.network->populations()[population].model == Model::lif
                   ? &(*s.ghosts)[population]
                   : nullptr) {
    const SpikeRecord<Real>& r = s.record.populations[population];
    const auto first = static_cast<std::size_t>(r.spikes.offsets[sample]);
    const auto count = static_cast<std::size_t>(r.spikes.offsets[sample + 1]) - first;
    times = std::span(r.spikes.times).subspan(first, count);
    past = count_past(times);
    neurons = std::span(r.spikes.neurons).subspan(first, count);
    currents = of_spikes(r.currents, first, count);
    release_currents = of_spikes(r.release_currents, first, count);
    thresholds = of_spikes(r.thresholds, first, count);
    spike_errors = of_spikes(all_spike_errors, first, count);
  }

  /// Does what arrives then belong to the sample?
  bool holds(double time) const { return time >= 0 && time < end; }
  /// dl_V/dV of neuron j, for a loss of the integral of V.
  Real source(std::size_t j) const {
    return errors.integrals.empty() ? Real(0) : errors.integrals[sample * size + j];
  }
  Real driving_source(std::size_t j) const { return terms::loss_source ? source(j) : Real(0); }
  /// dL/dV of neuron j at sample time k.
  Real at_sample(std::size_t k, std::size_t j) const {
    return errors.samples[(sample * errors.sample_times.size() + k) * size + j];
  }
  /// I where V starts to move again after spike k: at the spike itself without a refractory time,
  /// which others of the population may have.
  Real release_current(std::size_t k) const {
    const double tau_ref = plan.neuron(static_cast<std::size_t>(neurons[k])).tau_ref;
    return times[k] + tau_ref > times[k] ? release_currents[k] : currents[k];
  }
  /// Where spike k was fired.
  Real threshold(std::size_t k) const {
    return thresholds.empty() ? plan.neuron(static_cast<std::size_t>(neurons[k])).theta
                              : thresholds[k];
  }
  /// lambda at the end of the sample: what is said of its state, or where it settles if it never ends.
  neuron::Adjoint<Real> last(std::size_t j) const {
    if (std::isinf(end)) return {-driving_source(j), -driving_source(j)};
    if (errors.at_end.x.empty() || !terms::state_end) return {};
    const auto& tc = plan.neuron(j).tc;
    return {static_cast<Real>(-at_end(j)[0] / tc.tau_mem),
            static_cast<Real>(-at_end(j)[1] / tc.tau_syn)};
  }
  std::span<const double> at_end(std::size_t j) const {
    return said_of_end(errors, samples, size, sample, j);
  }
  /// What an error of V at the end does where V is held then: V is v_reset.
  double held_at_end(std::size_t j) const {
    return errors.at_end.x.empty() || !terms::state_reset ? 0 : at_end(j)[0];
  }
};

/// A neuron whose spikes have all their errors already: not part of a cycle. adjoint/sweep.cpp
template <class Real>
void sweep_back(const SampleAdjoint<Real>& sample, std::size_t population,
                const std::vector<double>& spike_errors, Segments<Real>& segments);

/// All neurons of a component with cycles, where what a spike causes inside it is read on the way,
/// and all linear ones. adjoint/event_loop.cpp
/// @param spike_errors, segments, linear_segments  per population of the network
template <class Real>
void event_loop_back(const SampleAdjoint<Real>& sample, const Component& component,
                     const std::vector<std::vector<double>>& spike_errors,
                     std::vector<Segments<Real>>& segments,
                     std::vector<LinearSegments>& linear_segments);

}  // namespace saltus
