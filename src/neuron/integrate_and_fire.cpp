// SPDX-License-Identifier: Apache-2.0
// IF: LIF without the leak (docs/theory.md, section 14). tau_mem stays as the scale of the currents,
// so that weights mean what they mean for LIF:
//
//     tau_mem dV/dt = I + bias
#include "neuron/driven.hpp"
#include "neuron/models.hpp"

namespace saltus {
namespace {

struct IntegrateAndFire {
  static constexpr std::string_view name = "IF", says = "integrate-and-fire without a leak";
  static constexpr bool spikes = true;
  static constexpr std::array membrane{
      ParameterRow{"tau_mem", 20e-3, Range::positive, 10e-3, "s",
                   "a current of 1 lifts V by 1 in this time: nothing leaks"}};
  static constexpr auto own = of_spikes;
  static constexpr std::array<ParameterRow, 0> initial{};
  static constexpr std::array<std::string_view, 0> components{};

  template <class T>
  static void add(LinearNeuron<T>& n, const Values<T>& q, std::size_t) {
    drive(n, q, 0);
    spike_at_threshold(n, q);
  }
  static void check(const Population& p) { check_below_threshold(p); }
};

}  // namespace

constinit const std::array<ModelInfo, 5> if_models =
    models_with<IntegrateAndFire, synapse::Exponential, synapse::Alpha, synapse::DoubleExponential,
                synapse::Delta, synapse::TwoExponentials>;

}  // namespace saltus
