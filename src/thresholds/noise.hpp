// SPDX-License-Identifier: Apache-2.0
// The noise of a threshold (docs/ghosts.md): a Gaussian cut off at `reach` standard deviations and
// normalised, so that what lies further away has no part in the mean, to the last bit.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "random/random.hpp"
#include "saltus/thresholds.hpp"

namespace saltus {

class ThresholdNoise {
 public:
  explicit ThresholdNoise(const Smoothing& s)
      : sigma_(s.sigma), reach_(s.reach), mass_(std::erf(s.reach / std::numbers::sqrt2)) {}

  /// Density at a distance `d` from the mean, in 1 / V.
  double density(double d) const {
    const double z = d / sigma_;
    if (!(std::fabs(z) <= reach_)) return 0;
    return std::exp(-z * z / 2) / (std::sqrt(2 * std::numbers::pi) * mass_ * sigma_);
  }
  /// Density divided by the probability of a threshold further up: that of a change at d for a
  /// neuron that is known not to have spiked before.
  double hazard(double d) const {
    const double above =
        (std::erf(reach_ / std::numbers::sqrt2) - std::erf(d / sigma_ / std::numbers::sqrt2)) /
        (2 * mass_);
    return above > 0 ? density(d) / above : 0;
  }
  /// The distance from the mean that a neuron draws after `segment` spikes in a sample: a function
  /// of its arguments alone.
  double draw(std::uint64_t seed, std::size_t population, std::size_t sample, std::size_t neuron,
              std::size_t segment) const {
    for (const std::uint64_t key : {population, sample, neuron}) seed = mix(seed ^ mix(key + 1));
    Random random(seed, Purpose::thresholds, static_cast<std::uint32_t>(segment));
    for (;;) {
      const double z = random.normal();
      if (std::fabs(z) <= reach_) return sigma_ * z;
    }
  }

 private:
  double sigma_, reach_, mass_;

  // SplitMix64 (Steele, Lea, Flood 2014).
  static std::uint64_t mix(std::uint64_t z) {
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
};

}  // namespace saltus
