// SPDX-License-Identifier: Apache-2.0
// ALIF: LIF with an adaptive threshold, v_threshold + beta a (docs/theory.md, section 9; Bellec et
// al. 2018, "Long short-term memory and learning-to-learn in networks of spiking neurons").
//
//     tau_adapt da/dt = -a,   a <- a + 1 at a spike; a goes on while V is held
#include <fmt/format.h>

#include "neuron/driven.hpp"
#include "neuron/models.hpp"
#include "saltus/error.hpp"

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
  // At 0 and after a first spike the threshold may be lower.
  static void check(const Population& p) {
    check_below_threshold(p);
    const Parameter &v_threshold = p["v_threshold"], &beta = p["beta"], &a = p["a_initial"];
    for (std::size_t j = 0; j < p.size; ++j) {
      const double at_0 = v_threshold[j] + beta[j] * a[j], after = v_threshold[j] + beta[j];
      expect_below(p, "v_initial", j, at_0, "v_threshold + beta a_initial");
      expect_below(p, "v_reset", j, after, "v_threshold + beta");
    }
  }

 private:
  static void expect_below(const Population& p, std::string_view name, std::size_t j,
                           double threshold, std::string_view sum) {
    const double value = p[name][j];
    if (value < threshold) return;
    throw InvalidInput(fmt::format("{}.{}[{}] is {}; expected less than {} = {}", p.name, name, j,
                                   value, sum, threshold));
  }
};

}  // namespace

constinit const std::array<ModelInfo, 5> alif_models =
    models_with<Alif, synapse::Exponential, synapse::Alpha, synapse::DoubleExponential,
                synapse::Delta, synapse::TwoExponentials>;

}  // namespace saltus
