// SPDX-License-Identifier: Apache-2.0
// What a weight does to its neuron (docs/theory.md, section 14): a current, exponential as in LIF or
// one that takes time to rise, or a jump of what the current would drive. A kind is its parameters, its
// components of the state, behind V and those that are currents first, and what it adds to a neuron
// whose component `driven` it drives; neuron/driven.hpp makes models of neurons and kinds.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include "saltus/linear.hpp"

namespace saltus::synapse {

/// I' = -I/tau_syn; an arrival adds w to I.
struct Exponential {
  static constexpr std::string_view name = "exponential", says = "exponential synapse";
  static constexpr std::array time_constants{rows::tau_syn};
  static constexpr std::array initial{rows::i_initial};
  static constexpr std::array<std::string_view, 1> components{"I"};
  static constexpr std::size_t currents = 1;
  static constexpr std::array<std::string_view, 0> receptors{};

  template <class T>
  static void add(LinearNeuron<T>& n, const Values<T>& q, std::size_t) {
    enum { i = 1 };
    n.a[i][i] = -1.0 / q["tau_syn"];
    n.receptors[0][i] = T(1);
    n.initial[i] = q["i_initial"];
  }
};

/// Two receptors, "ex" and "in", each as an exponential synapse with a time constant of its own; a
/// projection names the one that it drives.
struct TwoExponentials {
  static constexpr std::string_view
      name = "ex_in",
      says = "two receptors, ex and in, with an exponential synapse each";
  static constexpr std::array time_constants{
      ParameterRow{"tau_syn_ex", 5e-3, Range::positive, 5e-3, "s",
                   "time constant of the current through receptor ex"},
      ParameterRow{"tau_syn_in", 10e-3, Range::positive, 5e-3, "s",
                   "time constant of the current through receptor in"}};
  static constexpr std::array<ParameterRow, 0> initial{};
  static constexpr std::array<std::string_view, 2> components{"I_ex", "I_in"};
  static constexpr std::size_t currents = 2;
  static constexpr std::array<std::string_view, 2> receptors{"ex", "in"};

  template <class T>
  static void add(LinearNeuron<T>& n, const Values<T>& q, std::size_t) {
    enum { ex = 1, in };
    n.a[ex][ex] = -1.0 / q["tau_syn_ex"];
    n.a[in][in] = -1.0 / q["tau_syn_in"];
    n.receptors[0][ex] = n.receptors[1][in] = T(1);
  }
};

/// An arrival adds w to V, or to what else is driven: no current.
struct Delta {
  static constexpr std::string_view name = "delta", says = "delta synapse, a jump by the weight";
  static constexpr std::array<ParameterRow, 0> time_constants{};
  static constexpr std::array<ParameterRow, 0> initial{};
  static constexpr std::array<std::string_view, 0> components{};
  static constexpr std::size_t currents = 0;
  static constexpr std::array<std::string_view, 0> receptors{};

  template <class T>
  static void add(LinearNeuron<T>& n, const Values<T>&, std::size_t driven) {
    n.receptors[0][driven] = T(1);
  }
};

/// I(t) = w (t/tau_syn) exp(1 - t/tau_syn), which is w at its peak: I' = -I/tau_syn + h,
/// h' = -h/tau_syn; an arrival adds w exp(1)/tau_syn to h.
struct Alpha {
  static constexpr std::string_view name = "alpha",
                                    says = "alpha synapse, whose current peaks at the weight";
  static constexpr std::array time_constants{rows::tau_syn};
  static constexpr std::array<ParameterRow, 0> initial{};
  static constexpr std::array<std::string_view, 2> components{"I", "h"};
  static constexpr std::size_t currents = 1;
  static constexpr std::array<std::string_view, 0> receptors{};

  template <class T>
  static void add(LinearNeuron<T>& n, const Values<T>& q, std::size_t) {
    enum { i = 1, h };
    n.a[i][i] = n.a[h][h] = -1.0 / q["tau_syn"];
    n.a[i][h] = T(1);
    n.receptors[0][h] = std::exp(1) / q["tau_syn"];
  }
};

/// I(t) = w N (exp(-t/tau_syn) - exp(-t/tau_rise)), N such that it is w at its peak. As the alpha
/// synapse, with h' = -h/tau_rise: no difference cancels, however close the two lie. Nor does it
/// matter which is longer.
///
/// An arrival adds w exp(u)/tau_syn to h, u = t_peak/tau_rise = ln(r) r/(r - 1), r = tau_syn/tau_rise:
/// where I' = 0, I = tau_syn h.
struct DoubleExponential {
  static constexpr std::string_view
      name = "double_exponential",
      says = "double exponential synapse, whose current peaks at the weight";
  static constexpr std::array time_constants{
      rows::tau_syn, ParameterRow{"tau_rise", 1e-3, Range::positive, 1e-3, "s",
                                  "time constant of the rise of the current"}};
  static constexpr std::array<ParameterRow, 0> initial{};
  static constexpr std::array<std::string_view, 2> components{"I", "h"};
  static constexpr std::size_t currents = 1;
  static constexpr std::array<std::string_view, 0> receptors{};

  template <class T>
  static void add(LinearNeuron<T>& n, const Values<T>& q, std::size_t) {
    using std::exp;
    enum { i = 1, h };
    const T &tau_syn = q["tau_syn"], &tau_rise = q["tau_rise"];
    n.a[i][i] = -1.0 / tau_syn;
    n.a[h][h] = -1.0 / tau_rise;
    n.a[i][h] = T(1);
    n.receptors[0][h] =
        exp(tau_syn / tau_rise * log_over((tau_syn - tau_rise) / tau_rise)) / tau_syn;
  }

 private:
  /// ln(1 + y)/y.
  template <class T>
  static T log_over(const T& y) {
    using std::log;
    double size = 0;
    if constexpr (std::is_same_v<T, double>) {
      size = std::fabs(y);
    } else {
      size = std::fabs(y.value);
    }
    if (size > 0.1) return log(1.0 + y) / y;
    T sum(0.0), power(1.0);
    for (int k = 1; k < 20; ++k) {
      sum += power * (1.0 / k);
      power = power * -y;
    }
    return sum;
  }
};

}  // namespace saltus::synapse
