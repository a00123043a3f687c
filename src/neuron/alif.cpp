// SPDX-License-Identifier: Apache-2.0
// ALIF: LIF with an adaptive threshold, v_threshold + beta a (docs/theory.md, section 9; Bellec et
// al. 2018, "Long short-term memory and learning-to-learn in networks of spiking neurons").
//
//     tau_adapt da/dt = -a,   a <- a + 1 at a spike; a goes on while V is held
#include "neuron/models.hpp"
#include "saltus/linear.hpp"
#include "saltus/network.hpp"

namespace saltus {
namespace {

struct Alif {
  static constexpr std::string_view name = "ALIF";
  static constexpr std::string_view says =
      "leaky integrate-and-fire whose threshold rises at its spikes, exponential synapse";
  static constexpr ParameterRow parameters[] = {
      rows::tau_mem,
      rows::tau_syn,
      rows::v_threshold,
      rows::v_reset,
      rows::bias,
      rows::tau_ref,
      {"tau_adapt", 100e-3, Range::positive, 50e-3, "s", "time constant of the adaptation"},
      {"beta", 0.1, Range::any, 0.1, "", "what a spike adds to the threshold"},
      rows::v_initial,
      rows::i_initial,
      {"a_initial", 0, Range::any, 1, "", "adaptation at 0: the threshold is higher by beta of it"},
  };
  static constexpr std::string_view components[] = {"V", "I", "a"};

  template <class T>
  static LinearNeuron<T> neuron(const Values<T>& q) {
    enum { v, i, a };
    LinearNeuron<T> n;
    n.a[v][v] = -1.0 / q["tau_mem"];
    n.a[v][i] = 1.0 / q["tau_mem"];
    n.b[v] = q["bias"] / q["tau_mem"];
    n.a[i][i] = -1.0 / q["tau_syn"];
    n.a[a][a] = -1.0 / q["tau_adapt"];
    n.receptor[i] = T(1);
    n.c[v] = T(1);
    n.c[a] = -q["beta"];
    n.theta = q["v_threshold"];
    n.reset[v][v] = T(0);
    n.reset_to[v] = q["v_reset"];
    n.reset_to[a] = T(1);
    n.initial[v] = q["v_initial"];
    n.initial[i] = q["i_initial"];
    n.initial[a] = q["a_initial"];
    n.tau_ref = q["tau_ref"];
    return n;
  }
  static void check(const Population& p) { check_below_threshold(p); }
};

}  // namespace

constinit const ModelInfo alif_info = linear_model<Alif>();

}  // namespace saltus
