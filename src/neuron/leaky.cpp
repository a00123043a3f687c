// SPDX-License-Identifier: Apache-2.0
// LIF and LI (docs/theory.md, section 1) with other synapses than the exponential one, of which they
// have formulas of their own (neuron/lif.hpp).
#include "neuron/driven.hpp"
#include "neuron/models.hpp"

namespace saltus {
namespace {

struct Leaky {
  static constexpr std::array membrane{rows::tau_mem};
  static constexpr std::array<ParameterRow, 0> initial{};
  static constexpr std::array<std::string_view, 0> components{};
};

struct Lif : Leaky {
  static constexpr std::string_view name = "LIF", says = "leaky integrate-and-fire";
  static constexpr bool spikes = true;
  static constexpr auto own = of_spikes;

  template <class T>
  static void add(LinearNeuron<T>& n, const Values<T>& q, std::size_t) {
    drive(n, q);
    spike_at_threshold(n, q);
  }
  static void check(const Population& p) { check_below_threshold(p); }
};

struct Li : Leaky {
  static constexpr std::string_view name = "LI", says = "leaky integrator, a readout";
  static constexpr bool spikes = false;
  static constexpr std::array own{rows::bias};

  template <class T>
  static void add(LinearNeuron<T>& n, const Values<T>& q, std::size_t) {
    drive(n, q);
  }
};

}  // namespace

constinit const std::array<ModelInfo, 4> lif_models =
    models_with<Lif, synapse::Alpha, synapse::DoubleExponential, synapse::Delta,
                synapse::TwoExponentials>;
constinit const std::array<ModelInfo, 4> li_models =
    models_with<Li, synapse::Alpha, synapse::DoubleExponential, synapse::Delta,
                synapse::TwoExponentials>;

}  // namespace saltus
