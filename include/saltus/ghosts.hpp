// SPDX-License-Identifier: Apache-2.0
// Gradients that see spikes appear and vanish: thresholds with noise, the peaks of V near them
// ("ghosts": spikes that nearly exist, or nearly do not), and what they add to the exact gradient
// (docs/ghosts.md; docs/theory.md, section 10).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "saltus/adjoint.hpp"
#include "saltus/network.hpp"
#include "saltus/simulate.hpp"

namespace saltus {

/// At which thresholds a network runs whose expected loss over noisy thresholds is wanted.
enum class ThresholdReading {
  fixed,    ///< at their means: deterministic; the mean over the noise is not taken
  sampled,  ///< drawn for each neuron and sample, anew after each of its spikes: unbiased
};

/// How L(with the spike) - L(without) of a ghost is found.
enum class DifferenceForm {
  first_order,  ///< from the backward pass that is run anyway: a dot product or two for each ghost
  exact,        ///< from two more simulations for each ghost: for reference and small networks
};

/// Noise of the thresholds: Gaussian, cut off at `reach` standard deviations and normalised.
struct Smoothing {
  double sigma = 0;  ///< standard deviation before the cut, in units of V; 0: nothing is done
  double reach = 3;  ///< peaks further from the threshold than reach * sigma have no part
  ThresholdReading thresholds = ThresholdReading::fixed;
  DifferenceForm difference = DifferenceForm::first_order;
  std::uint64_t seed = 0;  ///< of sampled thresholds

  double range() const { return sigma * reach; }
  bool draws() const { return sigma > 0 && thresholds == ThresholdReading::sampled; }
};

/// @throws InvalidInput  sigma negative or not finite, reach not above 0
void check(const Smoothing& smoothing);

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
  Smoothing smoothing;
  bool differences_known = false;  ///< by measure_differences(); else backward() finds them

  std::size_t count() const {
    std::size_t sum = 0;
    for (const auto& samples : populations) {
      for (const auto& ghosts : samples) sum += ghosts.size();
    }
    return sum;
  }
};

/// One threshold that is set by hand: that of a neuron in one sample, after `segment` spikes.
struct ThresholdOverride {
  std::size_t population = 0, sample = 0, neuron = 0, segment = 0;
  double threshold = 0;
};

/// Simulates with thresholds as `smoothing` says: at their means, or drawn from the noise. A draw
/// depends on the seed, the sample, the neuron and how often it has spiked, and on nothing else.
/// The record then holds the threshold of each spike.
/// @param overrides  thresholds that are set instead; they may be infinite
/// @throws InvalidInput  as simulate(); sampled thresholds that could lie below V(0) or V_reset
template <class Real>
Record<Real> simulate(const Network<Real>& network, const Inputs& inputs,
                      const Smoothing& smoothing, std::span<const ThresholdOverride> overrides = {},
                      const Options& = {});

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

/// The gradient of the loss averaged over noisy thresholds: the exact gradient of the record plus,
/// for each ghost, density * grad V_peak * (L(with the spike) - L(without)) (docs/theory.md,
/// section 10). Without ghosts: to the last bit what backward() without them returns.
/// @param ghosts  those of this record; unless their differences are known they are filled in
/// @throws InvalidInput  as backward() without them; ghosts of another network or batch
template <class Real>
Gradients<Real> backward(const Network<Real>& network, const Inputs& inputs,
                         const Record<Real>& record, const Errors<Real>& errors,
                         Ghosts<Real>& ghosts, const Wanted& wanted = {}, const Options& = {});

}  // namespace saltus
