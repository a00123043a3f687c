// SPDX-License-Identifier: Apache-2.0
/// @file
/// The forward pass: a network and its input spikes give a record.
#pragma once

#include <span>
#include <vector>

#include "saltus/inputs.hpp"
#include "saltus/network.hpp"
#include "saltus/spikes.hpp"
#include "saltus/thresholds.hpp"

namespace saltus {

/// The spikes of one population. `currents` and `release_currents` are what the adjoint needs of
/// the state (docs/theory.md, sections 5 and 8).
template <class Real>
struct SpikeRecord {
  Spikes spikes;                       ///< ascending in time within a sample
  std::vector<Real> currents;          ///< [spikes] I just before the spike
  std::vector<Real> release_currents;  ///< [spikes] I at the end of the refractory time, 0 if that
                                       ///< lies after the sample; empty without refractory time
  std::vector<Real> thresholds;        ///< [spikes] where each was fired; empty: at v_threshold
};

/// All that the adjoint needs of a forward pass: per population its spikes (empty for inputs and
/// LI).
template <class Real>
struct Record {
  std::vector<SpikeRecord<Real>> populations;  ///< as Network::populations()
  std::size_t samples = 0;                     ///< of the batch
};

/// Simulates every sample, event by event, exactly.
/// @throws InvalidInput  spikes that validate() refuses; an end that is negative, NaN, or infinite
///         with a cycle or with a LIF bias above its threshold (or at it, and tau_syn not below
///         tau_mem: docs/theory.md, sections 1 and 2)
/// @throws LimitExceeded  a sample that takes more than Options::limits: the first of them
template <class Real>
Record<Real> simulate(const Network<Real>& network, const Inputs& inputs, const Options& = {});

/// Simulates with thresholds as `smoothing` says: at their means, or drawn from the noise. A draw
/// depends on the seed, the sample, the neuron and how often it has spiked, and on nothing else.
/// The record then holds the threshold of each spike.
/// @param overrides  thresholds that are set instead; they may be infinite
/// @throws InvalidInput  as simulate(); sampled thresholds that could lie below V(0) or V_reset
template <class Real>
Record<Real> simulate(const Network<Real>& network, const Inputs& inputs,
                      const Smoothing& smoothing, std::span<const ThresholdOverride> overrides = {},
                      const Options& = {});

}  // namespace saltus
