// SPDX-License-Identifier: Apache-2.0
// A neuron model in one file, against the public headers alone. Its synapse is an alpha function
// (docs/theory.md, section 14), I(t) = w (t/tau_syn) exp(1 - t/tau_syn); a spike takes v_threshold
// away from V.
#include "toy_neuron.hpp"

#include "saltus/linear.hpp"
#include "saltus/network.hpp"

namespace saltus::toy {
namespace {

struct AlphaSoft {
  static constexpr std::string_view name = "AlphaSoft";
  static constexpr std::string_view says = "leaky, alpha synapse, V <- V - v_threshold at a spike";
  static constexpr ParameterRow parameters[] = {
      rows::tau_mem, rows::tau_syn, rows::v_threshold,
      rows::bias,    rows::tau_ref, {"gain", 1.0, Range::positive, 0.5, "", "of the synapse"},
  };
  static constexpr std::string_view components[] = {"V", "I", "h"};

  template <class T>
  static LinearNeuron<T> neuron(const Values<T>& q) {
    enum { v, i, h };
    LinearNeuron<T> n;
    n.a[v][v] = -1.0 / q["tau_mem"];
    n.a[v][i] = 1.0 / q["tau_mem"];
    n.b[v] = q["bias"] / q["tau_mem"];
    n.a[i][i] = n.a[h][h] = -1.0 / q["tau_syn"];
    n.a[i][h] = T(1);
    n.receptors[0][h] = q["gain"] * std::exp(1) / q["tau_syn"];
    n.c[v] = T(1);
    n.theta = q["v_threshold"];
    n.reset_to[v] = -q["v_threshold"];
    n.tau_ref = q["tau_ref"];
    return n;
  }
};

constexpr ModelInfo info = linear_model<AlphaSoft>();

}  // namespace

Model add_alpha_soft() { return Model::add(info); }

}  // namespace saltus::toy
