// SPDX-License-Identifier: Apache-2.0
// Random networks with inputs and a loss, for checks of the gradient: one to three layers, cycles,
// self-connections, delays of every kind, refractory times, biases, resets, initial states, equal
// and unequal time constants, finite and infinite ends.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "saltus/adjoint.hpp"
#include "saltus/loss.hpp"
#include "saltus/network.hpp"
#include "saltus/spikes.hpp"

namespace saltus::gradcheck {

/// What is differentiated: a loss of the library, or a random linear functional of spike times,
/// maxima, integrals and samples.
struct Objective {
  bool linear = true;
  std::uint64_t seed = 0;  // of the coefficients
  bool spikes = false, maxima = false, integrals = false, samples = false;
  std::vector<double> sample_times;
  LossSettings loss;  // if not linear
  std::size_t readout = 0;
  std::vector<std::int32_t> labels;
};

struct Case {
  Network<double> network;
  std::vector<Spikes> inputs;  // per input population
  std::vector<double> t_end;   // [sample]
  Objective objective;

  Inputs view() const {
    Inputs result{{}, t_end};
    for (const Spikes& s : inputs) result.spikes.push_back(s.view());
    return result;
  }
};

/// @param wide  also time constants far apart, biases above the threshold, long silences
/// @param any_kind  also layers of other models than LIF, and projections that do not connect all to
/// all
/// @param neuron  of every layer then, with any synapse; empty: LIF, and now and then another
Case random_case(std::uint64_t seed, bool wide = false, bool any_kind = false,
                 std::string_view neuron = {});

/// The smallest time constant of a network, s.
double fastest(const Network<double>& network);

/// What rounding leaves of a term, relative to it: of its own operations, and of the times, which
/// are float64 and known to so many digits of a time constant.
double rounding(const Case& c);

/// The maxima that an objective looks at: those of neurons that do not spike, LI and LIF.
template <class Real>
Maxima<Real> maxima(const Objective& objective, const Network<Real>& network, const Inputs& inputs,
                    const Record<Real>& record, std::size_t population);

/// Errors of the objective for a record, and its value.
struct Evaluation {
  double value = 0;
  double magnitude = 0;  // sum of the absolute values of its terms: what rounding scales with
  Record<double> record;
  Errors<double> errors{0};
};
Evaluation evaluate(const Case& c, const Network<double>& network,
                    const std::vector<Spikes>& inputs);

}  // namespace saltus::gradcheck
