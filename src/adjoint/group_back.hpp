// SPDX-License-Identifier: Apache-2.0
// The neurons of one population of a cycle on their way back through one sample: the mirror of
// simulate/group.hpp.
#pragma once

#include <span>
#include <vector>

#include "adjoint/dynamics.hpp"
#include "plan/arrivals.hpp"

namespace saltus {

template <class Real>
class GroupBack {
 public:
  PopulationAdjoint<Real> p;
  std::vector<double> errors;  // [spike] E_k

  GroupBack(const SampleAdjoint<Real>& sample, std::size_t population,
            const std::vector<double>& spike_errors)
      : p(sample, population, spike_errors), errors(p.times.size(), 0) {
    for (std::size_t k = 0; k < p.spike_errors.size(); ++k) errors[k] = p.spike_errors[k];
  }
  virtual ~GroupBack() = default;

  /// When V of neuron j moves again after a spike.
  virtual double release_after(std::size_t j, double time) const = 0;
  /// At the end of the sample neuron j is still held.
  virtual void begin_held(std::size_t j) = 0;
  /// Once those are known.
  virtual void begin() = 0;

  /// All lengths, in seconds, by which move_to() will go back, in order: what they take can be found
  /// side by side. Kept, not copied.
  virtual void will_move_by(std::span<const double> lengths) { static_cast<void>(lengths); }
  /// Takes all neurons back to t.
  virtual void move_to(double t) = 0;
  /// What an arrival at t adds to E_k. @param column  the neuron that it reaches, whose adjoint is
  /// not moved; or any_column: all, which are at t. @param weight  of that neuron; or of all
  virtual double error(std::int32_t projection, const Real* weight, std::size_t column,
                       double t) const = 0;
  /// Can a spike ask for all that its arrivals add to E_k, once all that happens later is known? Then
  /// error() is not asked, and arrivals are no events.
  virtual bool can_be_asked() const { return false; }
  /// Of one projection of the component. @param pre, time  of the spike
  virtual double error_of_spike(const Source<Real>& source, std::int32_t pre, double time) const {
    static_cast<void>(source), static_cast<void>(pre), static_cast<void>(time);
    return 0;
  }
  /// What an arrival more there would do to the loss.
  virtual double probe(const Real* weight, std::size_t column, double t) const {
    static_cast<void>(weight), static_cast<void>(column), static_cast<void>(t);
    return 0;
  }
  /// Spike k, all of whose error is known.
  virtual void spike(std::size_t k) = 0;
  /// The arrival that made spike k; null if it came in between arrivals.
  virtual const MovedSpike* moved(std::size_t k) const {
    static_cast<void>(k);
    return nullptr;
  }
  /// The end of the refractory time of spike k.
  virtual void release(std::size_t k) = 0;
  /// Spike k, of before the sample, all of whose arrivals are known: its release may lie within.
  virtual void past(std::size_t k) = 0;
  /// The loss looks at V at sample time k.
  virtual void sample(std::size_t k) = 0;
  /// At a ghost, or the maximum of neuron j. @returns  dL/dt of the arrival that sits there, if one
  /// does
  virtual double ghost(std::size_t number) {
    static_cast<void>(number);
    return 0;
  }
  virtual double maximum(std::size_t j) {
    static_cast<void>(j);
    return 0;
  }
  virtual void finish() = 0;
};

}  // namespace saltus
