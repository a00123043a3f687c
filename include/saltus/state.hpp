// SPDX-License-Identifier: Apache-2.0
/// @file
/// Where a run stands at its end: another goes on from there (docs/theory.md, section 15).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "saltus/model.hpp"
#include "saltus/simulate.hpp"
#include "saltus/spikes.hpp"

namespace saltus {

/// All that a network remembers at the end of each sample of a batch.
struct State {
  /// What a population remembers.
  struct Neurons {
    std::vector<double> x;  ///< [sample, neuron, component]; empty of an input
    /// Those that have not arrived everywhere yet, or behind which V is still held, with their times in
    /// seconds from the end: at most 0, ascending within a sample.
    Spikes past;
  };
  std::vector<Neurons> populations;  ///< as Network::populations()
  std::size_t samples = 0;           ///< of the batch
};

/// What the components of a neuron's state are called: V and I, of other models as they say. None of an
/// input.
std::span<const std::string_view> components(const Model& model);

/// The state at the end of every sample. A run that starts there (Inputs::state), of the inputs that come
/// after, is the rest of one long run.
/// @throws InvalidInput  as voltages(); an infinite end
template <class Real>
State final_state(const Network<Real>& network, const Inputs& inputs, const Record<Real>& record,
                  const Options& = {});

/// The same with V just below the threshold where it is not below: for a network whose thresholds were
/// lowered since.
template <class Real>
State below_thresholds(const Network<Real>& network, State state);

/// What a loss says of a state, in its layout: dL/dx, and dL/dt of its spikes.
struct StateErrors {
  /// Of one population.
  struct Neurons {
    std::vector<double> x;     ///< dL/dx, as State::Neurons::x
    std::vector<double> past;  ///< dL/dt of its spikes, as State::Neurons::past
  };
  std::vector<Neurons> populations;  ///< as Network::populations()
};

}  // namespace saltus
