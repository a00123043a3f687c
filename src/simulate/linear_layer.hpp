// SPDX-License-Identifier: Apache-2.0
// Neurons that are linear between events and move alike (neuron/linear_alike.hpp), side by side, in
// vectors: all of them from one arrival to the next. Those that may spike are told, and searched one by
// one (simulate/linear_group.hpp). All in double.
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "machine/slots.hpp"
#include "neuron/linear_alike.hpp"
#include "plan/arrivals.hpp"
#include "plan/plan.hpp"

namespace saltus {

/// The state of all neurons at one time. Memory is kept from run to run.
template <class Real>
class LinearLayer {
 public:
  static constexpr std::size_t most = most_components;
  Slots<double, 3 * most + 2> slots;
  const linear::Alike* alike = nullptr;
  double *x[most], *start[most];       // start: at the beginning of an interval, of those told
  double *bias, *theta, *c[most];      // bias: of dV/dt
  std::vector<std::size_t> may_spike;  // neurons, told by the last pass

  void begin(const PopulationPlan<Real>& plan, std::size_t size) {
    alike = &*plan.alike_linear;
    slots.resize(size);
    held.clear();
    for (std::size_t k = 0; k < most; ++k) {
      x[k] = slots[k];
      start[k] = slots[most + k];
      c[k] = slots[2 * most + k];
    }
    bias = slots[3 * most];
    theta = slots[3 * most + 1];
    const SlotLayout& layout = slots.layout();
    for (std::size_t s = 0; s < layout.count(); ++s) {
      const bool used = layout.used(s);
      const linear::Neuron& n = plan.linear_neuron(used ? layout.neuron(s) : 0);
      for (std::size_t k = 0; k < alike->components; ++k) {
        x[k][s] = used ? n.initial[k] : 0;
        c[k][s] = n.c[k];
      }
      bias[s] = n.free.constant()[0];
      theta[s] = used ? n.theta : std::numeric_limits<double>::infinity();
    }
  }

  /// A neuron whose V is held, and goes its own way in the vectors.
  struct Held {
    double release;
    std::size_t neuron;
    bool operator<(const Held& other) const { return release > other.release; }
  };
  std::vector<Held> held;  // a heap, the earliest release first

  /// It cannot spike until then.
  void hold(std::size_t neuron, double release) {
    set_theta(neuron, std::numeric_limits<double>::infinity());
    held.push_back({release, neuron});
    std::push_heap(held.begin(), held.end());
  }
  /// Calls take(neuron) for those that are released until `next`.
  template <class Take>
  void release_until(double next, Take&& take) {
    while (!held.empty() && held.front().release <= next) {
      std::pop_heap(held.begin(), held.end());
      const std::size_t neuron = held.back().neuron;
      held.pop_back();
      take(neuron);
    }
  }

  linear::Vector<double> get(std::size_t neuron) const { return at(x, neuron); }
  /// With what has arrived, which the next pass adds.
  linear::Vector<double> get(std::size_t neuron, std::span<const Arrival<Real>> arrived) const {
    linear::Vector<double> now = get(neuron);
    for (const auto& arrival : arrived) {
      linear::add(now, alike->receptors[alike->receptor_of(arrival.projection)],
                  static_cast<double>(arrival.weight(neuron)));
    }
    return now;
  }
  linear::Vector<double> at_start(std::size_t neuron) const { return at(start, neuron); }
  void set(std::size_t neuron, const linear::Vector<double>& now) {
    for_slots(neuron, [&](std::size_t s) {
      for (std::size_t k = 0; k < alike->components; ++k) x[k][s] = now[k];
    });
  }
  void set_theta(std::size_t neuron, double value) {
    for_slots(neuron, [&](std::size_t s) { theta[s] = value; });
  }

 private:
  linear::Vector<double> at(double* const* arrays, std::size_t neuron) const {
    const std::size_t s = slots.layout().slot_of(neuron);
    linear::Vector<double> now{};
    for (std::size_t k = 0; k < alike->components; ++k) now[k] = arrays[k][s];
    return now;
  }
  template <class Do>
  void for_slots(std::size_t neuron, Do&& act) {
    act(slots.layout().slot_of(neuron));
    act(slots.layout().second_slot_of(neuron));
  }
};

/// simulate/linear_kernel.cpp (machine/dispatch.hpp). To the last bit what linear::System::flow does
/// with one after the other.
template <class Real>
struct LinearKernels {
  /// Adds what has arrived, then takes all of them over an interval, and tells which may spike in
  /// it.
  void (*pass)(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend,
               std::span<const Arrival<Real>> arrived);
  /// Tells alone.
  void (*look)(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend);
  /// Adds and takes them over the interval, without a spike.
  void (*flow)(LinearLayer<Real>& layer, const linear::Step& step,
               std::span<const Arrival<Real>> arrived);
  /// Adds the weights of a source, through a receptor.
  void (*arrive)(LinearLayer<Real>& layer, const Real* row, std::size_t receptor);

  static const LinearKernels& best();
};

}  // namespace saltus
