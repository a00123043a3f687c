// SPDX-License-Identifier: Apache-2.0
// lambda of neurons that see the same arrivals, side by side (docs/theory.md, section 5).
#pragma once

#include <algorithm>
#include <vector>

#include "adjoint/entries.hpp"
#include "machine/aligned.hpp"
#include "machine/slots.hpp"
#include "neuron/own_decay.hpp"
#include "plan/arrivals.hpp"

namespace saltus {

/// lambda_V, lambda_I and dl_V/dV of some neurons at one time. Memory is kept.
template <class Real>
class Lambda {
 public:
  Slots<Real, 3> slots;
  bool driven = false;  // by a loss of the integral of V

  /// All to 0.
  void start(std::size_t neurons) {
    slots.resize(neurons);
    driven = false;
    for (std::size_t a = 0; a < 3; ++a) std::fill_n(slots[a], slots.layout().count(), Real(0));
  }
  neuron::Adjoint<Real> get(std::size_t neuron) const {
    const std::size_t slot = slots.layout().slot_of(neuron);
    return {slots[0][slot], slots[1][slot]};
  }
  void set(std::size_t neuron, neuron::Adjoint<Real> lambda, Real source) {
    const std::size_t slot = slots.layout().slot_of(neuron);
    slots[0][slot] = lambda.v;
    slots[1][slot] = lambda.i;
    slots[2][slot] = source;
    driven = driven || source != 0;
  }
  Real source(std::size_t neuron) const { return slots[2][slots.layout().slot_of(neuron)]; }
};

/// lambda of some neurons, each as it was when something last happened to it.
template <class Real>
struct LastLambda {
  Lambda<Real> lambda;
  std::vector<double> from;  // [slot] when that was
  Aligned<Real> lengths;  // [slot] scratch: from what is asked for to then; 0 in slots of no neuron

  void start(std::size_t neurons, double end) {
    lambda.start(neurons);
    const std::size_t slots = lambda.slots.layout().count();
    from.assign(slots, end);
    lengths.reserve(slots);
  }
};

/// What a spike asks all neurons for: lambda at its arrivals.
struct Asked {
  double sent;
  const double* delay;  // [neuron]; null: 0
  std::size_t neurons;
};

/// The times of what was asked for.
struct AskedTimes {
  double earliest, latest;
  double shortest;  // least time to when lambda was last known, or last but one
};

/// Where one projection into a population wants its gradients.
template <class Real>
struct Target {
  const Projection<Real>* projection = nullptr;
  Real* weights = nullptr;     // of the tile: [pre, slot]
  double* synapses = nullptr;  // of the tile, where not all connect to all: one by one
  std::size_t first_synapse = 0;
  double* delays = nullptr;  // null if not wanted
  double* errors = nullptr;  // of the source's spikes in this sample; null if not wanted

  /// dL/dt of an arrival at all of them.
  void move(const Arrival<Real>& arrival, double error) const {
    if (errors) errors[arrival.spike] += error;
    if (delays) delays[projection->delay.index(static_cast<std::size_t>(arrival.pre), 0)] += error;
  }
};

/// What some neurons read where each has arrivals of its own: [place in its list, lane].
template <class Real>
struct LaneReadings {
  Aligned<Real> length;  // from an arrival to the next one; 0 behind the last
  Aligned<Real> weight;
  Aligned<Real> change;                 // out: dL/dw
  Aligned<Real> moved;                  // out: dL/dt
  Aligned<Real> change_put, moved_put;  // the same where LaneLists has put it

  /// @param times  is dL/dt asked for?
  void put_back(const LaneLists<Real>& lists, std::size_t places, bool times) {
    constexpr std::size_t lanes = LaneLists<Real>::lanes;
    const std::size_t all = lists.longest() * lanes;
    change_put.reserve(all);
    moved_put.reserve(all);
    const auto put = [&](const Real* from, Real* to) {
      for (std::size_t place = 0; place < lists.longest(); ++place) {
        for (std::size_t l = 0; l < lanes; ++l) {
          to[lists.at(place, l)] = place < places ? from[place * lanes + l] : Real(0);
        }
      }
    };
    put(change.data(), change_put.data());
    if (times) put(moved.data(), moved_put.data());
  }

  /// Of the first `places` of their lists.
  void start(const LaneLists<Real>& lists, std::size_t places) {
    constexpr std::size_t lanes = LaneLists<Real>::lanes;
    for (auto* array : {&length, &weight, &change, &moved}) array->reserve(places * lanes);
    double next[lanes];
    std::fill_n(next, lanes, infinity);
    if (places < lists.longest()) {
      lists.for_row(places, infinity, [&](std::size_t l, double time, Real) { next[l] = time; });
    }
    while (places-- > 0) {
      Real *const lengths = length.data() + places * lanes, *const weights =
                                                                weight.data() + places * lanes;
      lists.for_row(places, infinity, [&](std::size_t l, double time, Real w) {
        lengths[l] = next[l] < infinity ? static_cast<Real>(next[l] - time) : Real(0);
        next[l] = time;
        weights[l] = w;
      });
    }
  }
};

/// adjoint/lambda_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct LambdaKernels {
  /// Takes all of them back over an interval: neuron::flow_back.
  void (*flow_back)(Lambda<Real>& lambda, const neuron::TimeConstants& tc,
                    const neuron::Decay<Real>& d);
  /// The same where each has time constants of its own, over dt seconds.
  void (*own_flow_back)(Lambda<Real>& lambda, const neuron::LaneConstants<Real>& own, double dt);

  /// The sum of w (lambda_V - lambda_I): what an arrival with these weights adds to E_k. In an
  /// order that is the same on every machine.
  /// @param row  weights of these neurons; can be read to the end of its last vector
  double (*error_of_arrival)(const Lambda<Real>& lambda, const Real* row);

  /// w (lambda_V - lambda_I) of each, taken back from `last`, or from `before` where that is not later,
  /// to what is asked for; lambda stays.
  /// @param moved  [slot] @param row  as above
  AskedTimes (*errors_of_lanes)(LastLambda<Real>& last, LastLambda<Real>& before,
                                const Asked& asked, const neuron::LaneConstants<Real>& own,
                                const Real* row, Real* moved);

  /// Reads lambda at the arrivals of one sample, for a tile of neurons first .. first + width - 1
  /// that see the same arrivals: lambda of each is 0 until its first entry.
  /// @param width    at least widest_vector, unless the rows are filled up
  /// @param own      their time constants, where they do not decay alike; else null
  /// @param targets  by number of the projection
  /// @param far      their gradients may lie beyond the second-level cache
  void (*read_arrivals)(const neuron::TimeConstants& tc, const neuron::LaneConstants<Real>* own,
                        std::span<const Entry<Real>> entries, const Arrivals<Real>& arrivals,
                        std::size_t first, std::size_t width,
                        const std::vector<Target<Real>>& targets, bool far);

  /// The same of up to widest_vector neurons that each have arrivals of their own, from the first
  /// entry back.
  /// @param entries  group: place in the list; neuron: lane
  void (*read_lanes)(const neuron::LaneConstants<Real>& own, std::span<const Entry<Real>> entries,
                     LaneReadings<Real>& readings);

  static const LambdaKernels& best();
};

}  // namespace saltus
