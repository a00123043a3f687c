// SPDX-License-Identifier: Apache-2.0
// The forward pass: a network and its input spikes give a record.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "saltus/network.hpp"
#include "saltus/spikes.hpp"

namespace saltus {

/// What goes into a network: the spikes of each input population, in the order of
/// Network::inputs(), and when each sample ends.
struct Inputs {
  std::vector<SpikeView> spikes;  ///< one per input population, all with the same number of samples
  std::span<const double> t_end;  ///< [1] or [samples], seconds; may be infinite

  std::size_t samples() const { return spikes.empty() ? t_end.size() : spikes[0].samples(); }
  double end(std::size_t sample) const { return t_end[t_end.size() == 1 ? 0 : sample]; }
};

/// How to run a component of the graph (docs/architecture.md).
enum class Way {
  sweep,       ///< no cycle: one neuron after the other, each through the whole sample
  windows,     ///< a cycle whose every delay is positive: a sweep per shortest delay
  event_loop,  ///< any graph: all neurons from one event to the next
};

/// How the loops over neurons are run. Both give the same bits.
enum class Kernel {
  scalar,  ///< one neuron after the other: the readable version
  vector,  ///< side by side, with the best instructions that the machine has
};

struct Options {
  int threads = 1;  ///< 0: all cores. The result has the same bits for any number
  Kernel kernel = Kernel::vector;
  std::optional<Way> way;  ///< force a way on every component that can be run so (for tests)
};

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
  std::size_t samples = 0;
};

/// Simulates every sample, event by event, exactly.
/// @throws InvalidInput  spikes that validate() refuses, an end that is negative or NaN, an
/// infinite
///         end with a cycle or with a LIF bias above its threshold (docs/theory.md, section 1)
template <class Real>
Record<Real> simulate(const Network<Real>& network, const Inputs& inputs, const Options& = {});

/// A record from spikes that were measured elsewhere (other hardware, another simulator): currents
/// are rebuilt from the weights.
/// @param spikes  one per population, as Network::populations(); ignored for inputs and LI
/// @throws InvalidInput  as simulate(); spikes after the end, or of one neuron closer than tau_ref
template <class Real>
Record<Real> record(const Network<Real>& network, const Inputs& inputs,
                    std::span<const SpikeView> spikes, const Options& = {});

/// Where the maximum of a readout sits (docs/theory.md, section 7).
enum class Place : std::uint8_t { start, interior, arrival, end };

/// The largest V of each neuron of an LI population: all arrays [sample, neuron].
template <class Real>
struct Maxima {
  std::vector<Real> values;
  std::vector<double> times;  ///< seconds
  std::vector<Place> places;
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

}  // namespace saltus
