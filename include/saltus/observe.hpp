// SPDX-License-Identifier: Apache-2.0
/// @file
/// What can be read off a record: maxima, integrals and samples of V, the synaptic current; and what
/// a loss says of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "saltus/network.hpp"
#include "saltus/simulate.hpp"
#include "saltus/state.hpp"

namespace saltus {

/// A record from spikes that were measured elsewhere (other hardware, another simulator): currents
/// are rebuilt from the weights.
/// @param spikes  one per population, as Network::populations(); ignored for inputs and LI
/// @throws InvalidInput  as simulate(); spikes after the end, or of one neuron closer than tau_ref
template <class Real>
Record<Real> record(const Network<Real>& network, const Inputs& inputs,
                    std::span<const SpikeView> spikes, const Options& = {});

/// How often the same neurons spike at the same times in two batches, but for some jitter.
struct Agreement {
  std::size_t matched = 0;  ///< spikes with one of `others` within the tolerance
  std::size_t extra = 0;    ///< spikes without
  std::size_t missing = 0;  ///< of `others` those without a spike
  double jitter = 0;        ///< s, root mean square of the matched ones' distances to the nearest
};

/// Compares spikes with others, neuron by neuron.
/// @param tolerance  s
/// @throws InvalidInput  batches of different numbers of samples, a negative tolerance; what
///         validate() refuses
Agreement agreement(SpikeView spikes, SpikeView others, std::size_t neurons, double tolerance);

/// Where the maximum of a readout sits (docs/theory.md, section 7).
enum class Place : std::uint8_t { start, interior, arrival, end };

/// The largest V of each neuron of an LI population: all arrays [sample, neuron].
template <class Real>
struct Maxima {
  std::vector<Real> values;    ///< V there
  std::vector<double> times;   ///< seconds
  std::vector<Place> places;   ///< what sits there
  std::vector<Real> currents;  ///< I just before that time
};

/// @throws InvalidInput  not an LI population
template <class Real>
Maxima<Real> maxima(const Network<Real>& network, const Inputs& inputs, const Record<Real>& record,
                    std::size_t population, const Options& = {});

/// The integral of V over the sample, [sample, neuron].
/// @throws InvalidInput  an input population; an infinite end and a bias that is not 0
template <class Real>
std::vector<Real> integrals(const Network<Real>& network, const Inputs& inputs,
                            const Record<Real>& record, std::size_t population,
                            const Options& = {});

/// V at chosen times, the same for all samples: [sample, time, neuron]. At the very time of a spike
/// it is V just before it.
/// @param at  seconds, ascending, not after any sample's end
/// @throws InvalidInput  an input population; times unsorted, negative or after the end
template <class Real>
std::vector<Real> voltages(const Network<Real>& network, const Inputs& inputs,
                           const Record<Real>& record, std::size_t population,
                           std::span<const double> at, const Options& = {});

/// I at chosen times, the same for all samples: [sample, time, neuron]. At the very time of an
/// arrival it is I just before it. (For V see voltages().)
/// @param at  seconds, ascending, not after any sample's end
/// @throws InvalidInput  an input population; times unsorted, negative or after the end
template <class Real>
std::vector<Real> currents(const Network<Real>& network, const Inputs& inputs,
                           const Record<Real>& record, std::size_t population,
                           std::span<const double> at, const Options& = {});

/// What a loss says about one population; empty where it says nothing.
template <class Real>
struct PopulationErrors {
  std::vector<Real> spikes;     ///< [spikes] dL/dt_k, in the order of the record
  std::vector<Real> maxima;     ///< [sample, neuron] dL/d(maximum of V); 0 for neurons that spike
  std::vector<Real> integrals;  ///< [sample, neuron] dL/d(integral of V)
  std::vector<double> sample_times;  ///< [time] seconds, ascending
  std::vector<Real> samples;         ///< [sample, time, neuron] dL/dV(time)
  StateErrors::Neurons at_end;       ///< of the state at the end (final_state)
};

/// What a loss returns and the adjoint eats.
template <class Real>
struct Errors {
  std::vector<PopulationErrors<Real>> populations;  ///< as Network::populations()
  /// Where the maxima sit, for each population that has errors of maxima (others stay empty).
  std::vector<Maxima<Real>> maxima;

  /// @param count  of populations
  explicit Errors(std::size_t count) : populations(count), maxima(count) {}
};

}  // namespace saltus
