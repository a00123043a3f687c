// SPDX-License-Identifier: Apache-2.0
/// @file
/// Ghosts: the peaks of V near noisy thresholds, spikes that nearly exist or nearly do not
/// (docs/ghosts.md; docs/theory.md, section 10). With them backward() (saltus/adjoint.hpp) sees
/// spikes appear and vanish.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "saltus/network.hpp"
#include "saltus/observe.hpp"
#include "saltus/simulate.hpp"
#include "saltus/thresholds.hpp"

namespace saltus {

/// A peak of V near the threshold, higher than all V since the neuron's last spike or release.
template <class Real>
struct Ghost {
  double time;           ///< of the peak, s
  std::int32_t neuron;   ///< within the population
  std::int32_t segment;  ///< spikes that the neuron had before the threshold in question was drawn
  Place place;           ///< interior, arrival or end
  Real height;           ///< V there
  Real current;          ///< I just before
  double density;        ///< of the noise at the peak, 1 / V; sampled thresholds: the hazard there
  std::int64_t behind = -1;  ///< a free peak: number, within the sample, of the spike before it
  double later = infinity;   ///< when V would be as high again, were there no spike until then, s
  double effect_time = infinity;  ///< when the neuron's own reset is felt, s; infinite: never
  Real effect = 0;                ///< V with the spike minus V without it, then
  double direct = 0;      ///< what the loss itself says of a spike there, apart from its effects
  double difference = 0;  ///< L(with the spike at the peak) - L(without)
};

/// The ghosts of a batch.
template <class Real>
struct Ghosts {
  /// [population][sample]: by neuron, then in time. Empty for inputs and LI.
  std::vector<std::vector<std::vector<Ghost<Real>>>> populations;
  Smoothing smoothing;             ///< with which they were found
  bool differences_known = false;  ///< by measure_differences(); else backward() finds them

  /// How many there are.
  std::size_t count() const {
    std::size_t sum = 0;
    for (const auto& samples : populations) {
      for (const auto& ghosts : samples) sum += ghosts.size();
    }
    return sum;
  }
};

/// Finds the ghosts of a record (docs/ghosts.md): with fixed thresholds the peaks below them and
/// the free peak behind each spike, weighed by the density of the noise; with sampled ones the
/// peaks before each spike, weighed by the hazard.
/// @throws InvalidInput  see check(Smoothing)
template <class Real>
Ghosts<Real> find_ghosts(const Network<Real>& network, const Inputs& inputs,
                         const Record<Real>& record, const Smoothing& smoothing,
                         const Options& = {});

/// L of a record of the network that was simulated.
template <class Real>
using LossOfRecord = std::function<double(const Record<Real>&)>;

/// Fills Ghost::difference by simulating with the threshold just below and just above each peak.
/// @param loss  of the whole batch, as the errors that go to backward() with these ghosts
template <class Real>
void measure_differences(const Network<Real>& network, const Inputs& inputs,
                         const LossOfRecord<Real>& loss, Ghosts<Real>& ghosts, const Options& = {});

}  // namespace saltus
