// SPDX-License-Identifier: Apache-2.0
//
// An independent check of the library: it shares no code and no method with it. One sample of an
// arbitrary graph of point neurons is simulated event by event in long double, and every state,
// arrival time and spike time carries its derivatives with respect to every parameter FORWARD in
// time (sensitivity equations), so that nothing here resembles the adjoint equations under test.
// The model is that of docs/theory.md sections 1, 3, 7 and 8, and beyond it a threshold that
// adapts:
//     theta(t) = v_threshold + beta a(t),   tau_adapt da/dt = -a,   a <- a + 1 at a spike,
// where a goes on decaying while V is held in the refractory time; currents that take time to rise;
// V that does not leak, and V that oscillates (section 14).
#pragma once

#include <cstddef>
#include <vector>

namespace saltus_oracle {

using Scalar = long double;

// A LIF neuron (spikes; ALIF if beta is not 0) or an LI readout (does not spike: threshold, reset,
// tau_ref and the adaptation mean nothing to it).
struct Neuron {
  bool spikes = true;
  double tau_mem = 0.02, tau_syn = 0.005, v_threshold = 1, v_reset = 0, bias = 0, tau_ref = 0,
         v_initial = 0, i_initial = 0;
  double beta = 0, tau_adapt = 0.1, a_initial = 0;

  // What an arrival of weight w adds to the current: w exp(-t/tau_syn), or one whose peak is w,
  // (t/tau_syn) exp(1 - t/tau_syn), or exp(-t/tau_syn) - exp(-t/tau_rise). Or none: w is added to V, at
  // once, unless it is held.
  // Or one of two exponential ones, of which a synapse drives one: of tau_syn and tau_syn_in.
  enum class Current { exponential, alpha, double_exponential, delta, two };
  Current current = Current::exponential;
  double tau_rise = 0.001, tau_syn_in = 0.01;
  bool leaks = true;  // else tau_mem dV/dt = I + bias

  // V = Im z and U = Re z, tau_mem dz/dt = -z + 2 pi i frequency tau_mem z + I + bias; at a spike z becomes
  // u_reset + i v_reset, and both are held. What does not take the way of a current is added to U.
  bool resonates = false;
  double frequency = 25, u_reset = 0, u_initial = 0;

  // None of them has the formulas of section 1: it moves by the exponential of a matrix.
  bool general() const { return current != Current::exponential || !leaks || resonates; }
};

struct Synapse {
  bool from_input;
  int source;  // input channel or neuron
  int target;
  double weight, delay;
  int receptor = 0;  // of Current::two
};

struct InputSpike {
  double time;
  int channel;
};

struct Network {
  int inputs = 0;  // number of input channels
  std::vector<Neuron> neurons;
  std::vector<Synapse> synapses;
};

// What happened at one neuron, in order. Two runs whose logs agree in all but the times lie on one
// smooth branch.
struct Event {
  enum class Kind { arrival, spike, release, sample };
  Kind kind;
  int synapse;     // arrival: which synapse; otherwise -1
  int occurrence;  // arrival: index of the input spike, or number of the source's spike; spike,
                   // sample: its number
  Scalar time;
  bool same_as(const Event& other) const {
    return kind == other.kind && synapse == other.synapse && occurrence == other.occurrence;
  }
};

struct Spike {
  Scalar time;
  Scalar current;         // I just before the spike (and before any arrival at that instant)
  Scalar adaptation = 0;  // a just before the spike
};

struct Maximum {
  enum class Place { start, interior, arrival, end };
  Scalar value = 0, time = 0;
  Place place = Place::start;
  bool tied = false;  // several arrivals, or an arrival and the start, at that instant: one-sided
                      // derivatives
  std::size_t event = 0;  // length of the neuron's log when the maximum was passed
};

// All vectors have one entry per neuron. Maxima are those of neurons without a spike; for others
// the entry means nothing; nor does that of a neuron that is general().
struct Outcome {
  std::vector<std::vector<Spike>> spikes;
  std::vector<Maximum> maxima;
  std::vector<Scalar>
      integrals;  // of V over [0, T]; infinite or NaN if T is infinite and bias is not 0
  std::vector<std::vector<Scalar>> samples;  // V at the sample times, left limits
  std::vector<std::vector<Event>> log;
  std::size_t arrivals = 0;
  std::size_t refractory_arrivals = 0;  // arrivals at a clamped neuron
};

// A linear functional of the outcome. Any outer vector may be empty, meaning zero.
struct Errors {
  std::vector<std::vector<double>>
      spike;  // [neuron][k] dL/dt_k; inner vector: empty, or up to the number of spikes
  std::vector<double> maximum;              // [neuron] dL/dVmax, if it has no spike
  std::vector<double> integral;             // [neuron] dL/d(integral of V)
  std::vector<double> sample_times;         // ascending, within [0, T]
  std::vector<std::vector<double>> sample;  // [neuron][sample time] dL/dV(at)
};

struct Gradient {
  std::vector<Scalar> weight, delay;  // per synapse
  std::vector<Scalar> input_time;     // per input spike, in the order given
  std::vector<Scalar> tau_mem, tau_syn, v_threshold, v_reset, bias, tau_ref, v_initial, i_initial,
      beta, tau_adapt, a_initial, tau_rise, tau_syn_in, frequency, u_reset,
      u_initial;  // per neuron
};

// Both throw std::invalid_argument for a network, input or functional that has no meaning, and
// std::runtime_error after 100,000 events (a runaway of mutual excitation) and for a neuron
// released at or above its own adapted threshold. t_end may be infinite. At a tau_ref or delay of
// exactly 0 the derivative is the one-sided one, towards larger values. With t_end infinite and an
// integral asked for, the derivative for that neuron's own bias is truly infinite, and returned so.
Outcome simulate(const Network& network, const std::vector<InputSpike>& inputs, double t_end,
                 const std::vector<double>& sample_times = {});
Gradient gradient(const Network& network, const std::vector<InputSpike>& inputs, double t_end,
                  const Errors& errors, Outcome* outcome = nullptr);

// The value of the functional.
Scalar functional(const Outcome& outcome, const Errors& errors);

}  // namespace saltus_oracle
