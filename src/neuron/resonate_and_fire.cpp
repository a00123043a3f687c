// SPDX-License-Identifier: Apache-2.0
// RF: resonate-and-fire (docs/theory.md, section 14; Izhikevich 2001, "Resonate-and-fire neurons").
// Of z = U + i V the real part takes the current, the imaginary one is the voltage:
//
//     tau_mem dz/dt = (-1 + i w tau_mem) z + I + bias,   w = 2 pi frequency
//     V reaches v_threshold:  z <- u_reset + i v_reset, held there for tau_ref
//
// His b is -1/tau_mem, and his reset, to i where the threshold is 1, the usual one here. V may so lie on
// its threshold after a spike, or above: what counts is a crossing from below.
#include <numbers>

#include "neuron/driven.hpp"
#include "neuron/models.hpp"

namespace saltus {
namespace {

struct ResonateAndFire {
  static constexpr std::string_view name = "RF", says = "resonate-and-fire";
  static constexpr bool spikes = true, drives_v = false;
  static constexpr std::array membrane{
      ParameterRow{"tau_mem", 20e-3, Range::positive, 10e-3, "s",
                   "time constant with which the oscillation decays"},
      ParameterRow{"frequency", 25, Range::positive, 10, "Hz", "of the oscillation"}};
  static constexpr std::array own{
      rows::v_threshold, ParameterRow{"v_reset", 1, Range::any, 1, "", "V just after a spike"},
      ParameterRow{"u_reset", 0, Range::any, 0.5, "", "U just after a spike"}, rows::bias,
      rows::tau_ref};
  static constexpr std::array initial{ParameterRow{"u_initial", 0, Range::any, 0.5, "", "U(0)"}};
  static constexpr std::array<std::string_view, 1> components{"U"};

  template <class T>
  static void add(LinearNeuron<T>& n, const Values<T>& q, std::size_t u) {
    constexpr std::size_t v = 0;
    const T turn = q["frequency"] * (2 * std::numbers::pi);
    n.a[u][u] = n.a[v][v] = -1.0 / q["tau_mem"];
    n.a[v][u] = turn;
    n.a[u][v] = -turn;
    n.b[u] = q["bias"] / q["tau_mem"];
    spike_at_threshold(n, q);
    n.reset[u][u] = T(0);
    n.reset_to[u] = q["u_reset"];
    n.held[u] = true;
    n.initial[u] = q["u_initial"];
  }
};

}  // namespace

constinit const std::array<ModelInfo, 5> rf_models =
    models_with<ResonateAndFire, synapse::Exponential, synapse::Alpha, synapse::DoubleExponential,
                synapse::Delta, synapse::TwoExponentials>;

}  // namespace saltus
