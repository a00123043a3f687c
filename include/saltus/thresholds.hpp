// SPDX-License-Identifier: Apache-2.0
/// @file
/// Thresholds with noise (docs/ghosts.md; docs/theory.md, section 10), or set by hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <utility>

#include "saltus/fields.hpp"

namespace saltus {

/// At which thresholds a network runs whose expected loss over noisy thresholds is wanted.
enum class ThresholdReading {
  fixed,    ///< at their means: deterministic; the mean over the noise is not taken
  sampled,  ///< drawn for each neuron and sample, anew after each of its spikes: unbiased
};

template <>
struct Names<ThresholdReading> {
  static constexpr std::string_view what = "reading of thresholds";
  static constexpr std::pair<ThresholdReading, std::string_view> all[] = {
      {ThresholdReading::fixed, "fixed"}, {ThresholdReading::sampled, "sampled"}};
};

/// Noise of the thresholds: Gaussian, cut off at `reach` standard deviations and normalised.
struct Smoothing {
  double sigma = 0;  ///< standard deviation before the cut, in units of V; 0: nothing is done
  double reach = 3;  ///< peaks further from the threshold than reach * sigma have no part
  ThresholdReading thresholds = ThresholdReading::fixed;  ///< mean or drawn
  std::uint64_t seed = 0;                                 ///< of sampled thresholds

  /// How far peaks may lie from the threshold, in units of V.
  double range() const { return sigma * reach; }
  /// Are thresholds drawn?
  bool draws() const { return sigma > 0 && thresholds == ThresholdReading::sampled; }

  static constexpr auto fields();  ///< a row for each setting: see below
};

constexpr auto Smoothing::fields() {
  using S = Smoothing;
  return std::tuple{Field{"sigma", &S::sigma, bounds::at_least_0},
                    Field{"reach", &S::reach, bounds::time.says("a finite number above 0")},
                    Field{"thresholds", &S::thresholds, anything},
                    Field{"seed", &S::seed, anything}};
}

/// @throws InvalidInput  sigma negative or not finite, reach not above 0
void check(const Smoothing& smoothing);

/// One threshold that is set by hand: that of a neuron in one sample, after `segment` spikes.
struct ThresholdOverride {
  std::size_t population = 0;  ///< its number
  std::size_t sample = 0;      ///< of the batch
  std::size_t neuron = 0;      ///< within the population
  std::size_t segment = 0;     ///< spikes that the neuron had before
  double threshold = 0;        ///< in units of V
};

}  // namespace saltus
