// SPDX-License-Identifier: Apache-2.0
// Models of a neuron whose V a synapse drives: each neuron with each kind of synapse
// (neuron/synapse_kinds.hpp) is one, without being written down.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "neuron/synapse_kinds.hpp"
#include "saltus/linear.hpp"
#include "saltus/network.hpp"

namespace saltus {

/// Tables of parameters, or names of components, one behind the other.
template <class T, std::size_t... sizes>
constexpr auto joined(const std::array<T, sizes>&... parts) {
  std::array<T, (sizes + ...)> all{};
  std::size_t at = 0;
  const auto append = [&](const auto& part) {
    for (const T& item : part) all[at++] = item;
  };
  (append(parts), ...);
  return all;
}

/// Texts, one behind the other.
template <const std::string_view&... parts>
struct Text {
  static constexpr auto characters = [] {
    std::array<char, (parts.size() + ...)> all{};
    auto at = all.begin();
    ((at = std::copy(parts.begin(), parts.end(), at)), ...);
    return all;
  }();
  static constexpr std::string_view value{characters.data(), characters.size()};
};

/// A model of a neuron whose V, component 0, a synapse drives. `Neuron` is
///
///     static constexpr std::string_view name, says;
///     static constexpr bool spikes;
///     static constexpr std::array<ParameterRow, n> membrane, own;  // before and behind tau_syn
///     static constexpr std::array<ParameterRow, n> initial;        // of components of its own
///     static constexpr std::array<std::string_view, n> components; // the same, behind V and synapse
///     template <class T> static void add(LinearNeuron<T>&, const Values<T>&, std::size_t own);
///     static void check(const Population&);         // if parameters must fit each other
///     static constexpr bool drives_v = false;       // the synapse drives its first own component
///
/// With an exponential synapse the model bears the neuron's name alone, else one as "LIF:alpha".
template <class Neuron, class Synapse>
struct Driven {
  static constexpr std::string_view colon = ":", comma = ", ";
  static constexpr bool plain = Synapse::name == synapse::Exponential::name;
  static constexpr std::string_view name =
      plain ? Neuron::name : Text<Neuron::name, colon, Synapse::name>::value;
  static constexpr std::string_view says = Text<Neuron::says, comma, Synapse::says>::value;
  static constexpr bool spikes = Neuron::spikes;
  static constexpr auto receptors = Synapse::receptors;
  static constexpr auto parameters =
      joined<ParameterRow>(Neuron::membrane, Synapse::time_constants, Neuron::own,
                           std::array{rows::v_initial}, Synapse::initial, Neuron::initial);
  static constexpr auto components = joined<std::string_view>(
      std::array<std::string_view, 1>{"V"}, Synapse::components, Neuron::components);

  template <class T>
  static LinearNeuron<T> neuron(const Values<T>& q) {
    LinearNeuron<T> n;
    n.initial[0] = q["v_initial"];
    constexpr std::size_t own = 1 + Synapse::components.size();
    constexpr std::size_t driven = drives_v() ? 0 : own;
    Synapse::add(n, q, driven);
    for (std::size_t k = 1; k <= Synapse::currents; ++k) n.a[driven][k] = 1.0 / q["tau_mem"];
    Neuron::add(n, q, own);
    return n;
  }
  static void check(const Population& p) requires requires { Neuron::check(p); }
  { Neuron::check(p); }

 private:
  static constexpr bool drives_v() {
    if constexpr (requires { Neuron::drives_v; }) return Neuron::drives_v;
    return true;
  }
};

/// The models of a neuron with some kinds of synapses.
template <class Neuron, class... Synapses>
inline constexpr std::array<ModelInfo, sizeof...(Synapses)> models_with{
    linear_model<Driven<Neuron, Synapses>>()...};

/// The parameters of V that spikes.
inline constexpr std::array of_spikes{rows::v_threshold, rows::v_reset, rows::bias, rows::tau_ref};

/// tau_mem dV/dt = -leak V + bias, to which the current of the synapse comes.
template <class T>
void drive(LinearNeuron<T>& n, const Values<T>& q, double leak = 1) {
  n.a[0][0] = -leak / q["tau_mem"];
  n.b[0] = q["bias"] / q["tau_mem"];
}
/// V reaches v_threshold: V <- v_reset, held there for tau_ref.
template <class T>
void spike_at_threshold(LinearNeuron<T>& n, const Values<T>& q) {
  n.c[0] = T(1);
  n.theta = q["v_threshold"];
  n.reset[0][0] = T(0);
  n.reset_to[0] = q["v_reset"];
  n.tau_ref = q["tau_ref"];
}

}  // namespace saltus
