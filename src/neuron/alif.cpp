// SPDX-License-Identifier: Apache-2.0
// ALIF: LIF with an adaptive threshold, v_threshold + beta a (docs/theory.md, section 9; Bellec et
// al. 2018, "Long short-term memory and learning-to-learn in networks of spiking neurons").
//
//     tau_adapt da/dt = -a,   a <- a + 1 at a spike; a goes on while V is held
#include "neuron/driven.hpp"
#include "neuron/models.hpp"

namespace saltus {
namespace {

struct Alif {
  static constexpr std::string_view name = "ALIF";
  static constexpr std::string_view says =
      "leaky integrate-and-fire whose threshold rises at its spikes";
  static constexpr bool spikes = true;
  static constexpr std::array membrane{rows::tau_mem};
  static constexpr auto own = joined<ParameterRow>(
      of_spikes, std::array{ParameterRow{"tau_adapt", 100e-3, Range::positive, 50e-3, "s",
                                         "time constant of the adaptation"},
                            ParameterRow{"beta", 0.1, Range::any, 0.1, "",
                                         "what a spike adds to the threshold"}});
  static constexpr std::array initial{ParameterRow{
      "a_initial", 0, Range::any, 1, "", "adaptation at 0: the threshold is higher by beta of it"}};
  static constexpr std::array<std::string_view, 1> components{"a"};

  template <class T>
  static void add(LinearNeuron<T>& n, const Values<T>& q, std::size_t a) {
    drive(n, q);
    spike_at_threshold(n, q);
    n.a[a][a] = -1.0 / q["tau_adapt"];
    n.c[a] = -q["beta"];
    n.reset_to[a] = T(1);
    n.initial[a] = q["a_initial"];
  }
  static void check(const Population& p) { check_below_threshold(p); }
};

}  // namespace

constinit const std::array<ModelInfo, 5> alif_models =
    models_with<Alif, synapse::Exponential, synapse::Alpha, synapse::DoubleExponential,
                synapse::Delta, synapse::TwoExponentials>;

}  // namespace saltus
