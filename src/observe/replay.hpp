// SPDX-License-Identifier: Apache-2.0
// The course of one neuron whose spikes are known, piece by piece: what integrals, voltages, maxima
// and the gradients of time constants are made of, and how a foreign record gets its currents.
#pragma once

#include <span>
#include <utility>

#include "neuron/lif.hpp"
#include "plan/timeline.hpp"
#include "saltus/simulate.hpp"
#include "spikes/own_spikes.hpp"

namespace saltus {

/// A stretch of time without events: V and I start from (v, i) at t0. `held`: V stays at v_reset.
template <class Real>
struct Piece {
  double t0, t1;
  Real v, i;
  bool held;
  const neuron::Decay<Real>& decay;
  Real v_end;
};

/// Does nothing; visitors of replay() derive from it and hide what they need.
struct ReplayVisitor {
  template <class Real>
  void piece(const Piece<Real>&) {}
  template <class Real>
  void spike(std::size_t, Real) {}  // number within the sample, I just before
  template <class Real>
  void release(std::size_t, Real) {}  // of that spike, I at its release
  template <class Real>
  void arrival(double, Real, Real) {}  // time, V, I just before
};

/// @param own    numbers of the neuron's spikes within the sample; `times`: of all spikes there
/// @returns  V and I at `end`
template <class Real, class Visitor>
std::pair<Real, Real> replay(const neuron::Lif<Real>& n, const Arrivals<Real>& arrivals,
                             std::size_t j, std::span<const std::size_t> own,
                             std::span<const double> times, double end, Visitor&& visit) {
  Real v = n.v_initial, i = n.i_initial;
  double t = 0, release = 0;
  std::size_t next_own = 0;
  for (; next_own < own.size() && is_past(times[own[next_own]]); ++next_own) {
    release = times[own[next_own]] + n.tau_ref;
  }

  const auto piece = [&](double to, const neuron::Decay<Real>& d, bool held) {
    const Real v_end = held ? n.v_reset : neuron::membrane_after(n, v, i, d);
    visit.piece(Piece<Real>{t, to, v, i, held, d, v_end});
    v = v_end;
    i *= d.syn;
    t = to;
  };
  // From t to `to` without a spike; `whole` is the decay of that stretch where it is known.
  const auto walk = [&](double to, const neuron::Decay<Real>* whole) {
    if (release > t) {
      const bool all = release > to;
      const double until = all ? to : release;
      piece(until, neuron::decay<Real>(n.tc, until - t), true);
      if (all) return;
      visit.release(own[next_own - 1], i);
      whole = nullptr;
    }
    if (whole) {
      piece(to, *whole, false);
    } else {
      piece(to, neuron::decay<Real>(n.tc, to - t), false);
    }
  };

  for (std::size_t g = 0; g <= arrivals.group_count(); ++g) {
    const bool last = g == arrivals.group_count();
    const double to = last ? end : arrivals.times[g];
    const neuron::Decay<Real>* whole = &arrivals.decays[g];
    while (next_own < own.size() && times[own[next_own]] <= to) {
      const std::size_t k = own[next_own];
      walk(times[k], nullptr);
      visit.spike(k, i);
      ++next_own;
      v = n.v_reset;
      release = times[k] + n.tau_ref;
      whole = nullptr;
    }
    walk(to, whole);
    if (last) break;
    visit.arrival(t, v, i);
    for (const auto& arrival : arrivals.group(g)) i += arrival.weight(j);
  }
  return {v, i};
}

/// The spikes of a population: of an input, or of the record.
template <class Real>
SpikeView spikes_of(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                    std::size_t population) {
  const int input = plan.input_number[population];
  return input >= 0 ? inputs.spikes[static_cast<std::size_t>(input)]
                    : record.populations[population].spikes.view();
}

/// Points a timeline at what reaches a population in one sample, and returns the spikes of any
/// population there.
template <class Real>
auto start_timeline(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                    std::size_t population, std::size_t sample, Timeline<Real>& timeline,
                    Timelines<Real>* timelines = nullptr) {
  const auto of_sample = [&plan, &inputs, &record, sample](std::size_t p) {
    return sample_of(spikes_of(plan, inputs, record, p), sample);
  };
  timeline.start(plan, population, inputs.end(sample), of_sample,
                 timelines ? &timelines->at(population, sample) : nullptr);
  return of_sample;
}

/// Does a spike of before the sample hold any neuron of a LIF population at its start?
template <class Real>
bool held_at_start(const PopulationPlan<Real>& plan, SampleSpikes spikes) {
  for (std::size_t k = 0; k < count_past(spikes.times); ++k) {
    const auto j = static_cast<std::size_t>(spikes.neurons[k]);
    if (spikes.times[k] + plan.neuron(j).tau_ref > 0) return true;
  }
  return false;
}

/// Calls body(j, arrivals, own, times) for every neuron of a population in one sample, as replay()
/// wants it.
template <class Real, class Body>
void for_each_neuron(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                     std::size_t population, std::size_t sample, Timeline<Real>& timeline,
                     OwnSpikes& own, Body&& body) {
  const auto of_sample = start_timeline(plan, inputs, record, population, sample, timeline);
  const SampleSpikes spikes = of_sample(population);
  own.sort(spikes, plan.size(population));
  for (std::size_t j = 0; j < plan.size(population); ++j) {
    body(j, timeline.of(j), own.of(j), spikes.times);
  }
}

}  // namespace saltus
