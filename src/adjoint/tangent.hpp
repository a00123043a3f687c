// SPDX-License-Identifier: Apache-2.0
// V and I of neurons that see the same arrivals and decay alike, with their derivatives by the time
// constants (neuron/tangent.hpp), side by side.
#pragma once

#include <span>

#include "machine/slots.hpp"
#include "neuron/own_decay.hpp"
#include "neuron/tangent.hpp"
#include "plan/arrivals.hpp"

namespace saltus {

/// The state of some neurons at one time. Memory is kept.
template <class Real>
class TangentLanes {
 public:
  Slots<Real, 7> slots;
  Real *v, *i, *v_mem, *v_syn, *i_syn, *bias;
  Real* arrived;  // the sum of all weights so far; if a loss of the integral of V asks for it

  void start(std::size_t neurons) {
    slots.resize(neurons);
    std::size_t array = 0;
    for (Real** p : {&v, &i, &v_mem, &v_syn, &i_syn, &bias, &arrived}) *p = slots[array++];
    std::fill_n(v, array * static_cast<std::size_t>(i - v), Real(0));
  }
  std::size_t slot(std::size_t lane) const { return slots.layout().slot_of(lane); }
  neuron::Tangent<double> get(std::size_t lane) const {
    const std::size_t s = slot(lane);
    return {v[s], i[s], v_mem[s], v_syn[s], i_syn[s]};
  }
  void set(std::size_t lane, const neuron::Tangent<double>& x) {
    const std::size_t s = slot(lane);
    v[s] = static_cast<Real>(x.v);
    i[s] = static_cast<Real>(x.i);
    v_mem[s] = static_cast<Real>(x.v_mem);
    v_syn[s] = static_cast<Real>(x.v_syn);
    i_syn[s] = static_cast<Real>(x.i_syn);
  }
};

/// adjoint/tangent_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct TangentKernels {
  /// Adds a row of weights to I, or to `arrived`.
  void (*add)(const SlotLayout& layout, const Real* row, Real* to);
  /// Lets all decay over an interval: neuron::flow, with both time constants or one of them.
  void (*flow)(TangentLanes<Real>& lanes, bool mem, bool syn, const neuron::Decay<Real>& d,
               const neuron::DecaySlopes<Real>& s);
  /// The same over dt seconds where each has time constants of its own.
  void (*own_flow)(TangentLanes<Real>& lanes, bool mem, bool syn,
                   const neuron::LaneConstants<Real>& own, double dt);

  static const TangentKernels& best();
};

}  // namespace saltus
