// SPDX-License-Identifier: Apache-2.0
// A population whose neurons go side by side, in vectors (Google Highway, the best instruction set
// that the machine has): all of them from one arrival to the next.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "machine/slots.hpp"
#include "plan/arrivals.hpp"
#include "plan/plan.hpp"
#include "simulate/sample.hpp"

namespace saltus {

/// I of a neuron at the release of a spike: of `spike` in the list of a pass, or, of an earlier pass,
/// its last one.
template <class Real>
struct Release {
  static constexpr std::size_t earlier_pass = static_cast<std::size_t>(-1);
  std::size_t neuron, spike;
  Real current;
};

/// The state of all neurons at one time. Memory is kept from run to run.
template <class Real>
class LayerState {
 public:
  Slots<Real, 10> slots;
  Real *v, *i, *bias, *theta, *just_below_theta;
  // Those that may spike in an interval: their state at its start, and what is left of it.
  Real *may_v, *may_i, *may_mem;
  Real *may_syn, *may_k;               // if each has time constants of its own
  std::vector<double> may_t, may_end;  // its start and, if each has its own, its end
  std::vector<std::int32_t> may_slot;
  std::vector<Release<Real>> releases;  // of a pass
  neuron::LaneConstants<Real> own;      // if they do not decay alike

  // Slots whose V is held at V_reset: a heap, the earliest release first. Their V in `v` goes its
  // own way, and their theta is infinite, until then.
  struct Held {
    double release;
    std::size_t slot, spike;  // the spike's number in the list of the pass
    bool operator<(const Held& other) const { return release > other.release; }
  };
  std::vector<Held> held;

  void hold(std::size_t slot, double release, std::size_t spike) {
    theta[slot] = std::numeric_limits<Real>::infinity();
    held.push_back({release, slot, spike});
    std::push_heap(held.begin(), held.end());
  }
  double next_release() const {
    return held.empty() ? std::numeric_limits<double>::infinity() : held.front().release;
  }
  Held take_held() {
    std::pop_heap(held.begin(), held.end());
    const Held first = held.back();
    held.pop_back();
    return first;
  }

  /// The spikes of earlier passes are in the record.
  void begin_pass() {
    releases.clear();
    for (Held& h : held) h.spike = Release<Real>::earlier_pass;
  }
  Real current(std::size_t neuron) const { return i[slots.layout().slot_of(neuron)]; }
  void set(std::size_t neuron, Real v_now, Real i_now) {
    const SlotLayout& layout = slots.layout();
    for (const std::size_t slot : {layout.slot_of(neuron), layout.second_slot_of(neuron)}) {
      v[slot] = v_now;
      i[slot] = i_now;
    }
  }

  /// All neurons to their initial state.
  void start(const PopulationPlan<Real>& plan, std::size_t size) {
    slots.resize(size);
    held.clear();
    releases.clear();
    std::size_t array = 0;
    for (Real** p :
         {&v, &i, &bias, &theta, &just_below_theta, &may_v, &may_i, &may_mem, &may_syn, &may_k})
      *p = slots[array++];
    if (!plan.alike()) own.start(plan.neurons, 0, size);
    const SlotLayout& layout = slots.layout();
    may_t.resize(layout.count());
    may_end.resize(layout.count());
    may_slot.resize(layout.count());
    const auto fill = [](Real* values, std::size_t from, std::size_t to, Real value) {
      std::fill(values + from, values + to, value);
    };
    const std::size_t filled = std::max(size, size < widest_vector ? 0 : layout.count());
    for (std::size_t s = 0, to; s < filled; s = to) {
      to = plan.neurons.size() == 1 ? filled : s + 1;
      const neuron::Lif<Real>& n = plan.neuron(layout.neuron(s));
      fill(v, s, to, n.v_initial);
      fill(i, s, to, n.i_initial);
      fill(bias, s, to, n.bias);
      fill(theta, s, to, n.theta);
      fill(just_below_theta, s, to, n.just_below_theta);
    }
    for (Real* values : {v, i, bias}) fill(values, filled, layout.count(), 0);
    for (Real* values : {theta, just_below_theta}) {
      fill(values, filled, layout.count(), std::numeric_limits<Real>::infinity());
    }
  }
};

/// simulate/layer_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct LayerKernels {
  /// Takes all neurons of a population from `from`, through all arrivals, to `to`. They must see
  /// the same arrivals. To the last bit what neuron::advance does with one after the other.
  /// @param state  releases: appended to
  /// @param spikes  appended to, in no order
  void (*sweep)(const PopulationPlan<Real>& plan, LayerState<Real>& state,
                const Arrivals<Real>& arrivals, double from, double to,
                std::vector<RecordedSpike<Real>>& spikes);

  /// The spikes of the earliest time in (from, to], in which nobody is released, if there are any: by
  /// number of the neuron.
  /// @param d  decay from `from` to `to`, where they decay alike
  /// @param spikes  overwritten
  void (*earliest_spikes)(const PopulationPlan<Real>& plan, LayerState<Real>& state,
                          const neuron::Decay<Real>& d, double from, double to,
                          std::vector<RecordedSpike<Real>>& spikes);

  /// Takes all neurons over an interval without a spike.
  void (*flow)(const PopulationPlan<Real>& plan, LayerState<Real>& state,
               const neuron::Decay<Real>& d, double dt);

  /// Adds the weights that arrive to I.
  void (*arrive)(LayerState<Real>& state, const Real* row);

  static const LayerKernels& best();
};

}  // namespace saltus
