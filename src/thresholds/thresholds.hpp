// SPDX-License-Identifier: Apache-2.0
// Which threshold a neuron has in one sample after so many spikes: its mean, a draw of the noise,
// or a number that was set by hand.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "neuron/lif.hpp"
#include "plan/plan.hpp"
#include "saltus/thresholds.hpp"
#include "thresholds/noise.hpp"

namespace saltus {

class Thresholds {
 public:
  /// @param first  the number of the first sample, for draws: what runs may be a part of a minibatch
  Thresholds(const Smoothing& smoothing, std::span<const ThresholdOverride> overrides,
             std::size_t first = 0)
      : smoothing_(smoothing), noise_(smoothing), overrides_(overrides), first_(first) {}

  double of(std::size_t population, std::size_t sample, std::size_t neuron, std::size_t segment,
            double mean) const {
    for (const ThresholdOverride& o : overrides_) {
      if (o.population == population && o.sample == sample && o.neuron == neuron &&
          o.segment == segment) {
        return o.threshold;
      }
    }
    if (!smoothing_.draws()) return mean;
    return mean + noise_.draw(smoothing_.seed, population, first_ + sample, neuron, segment);
  }

 private:
  Smoothing smoothing_;
  ThresholdNoise noise_;
  std::span<const ThresholdOverride> overrides_;
  std::size_t first_;
};

/// The neurons of one population in one sample, each at its present threshold.
template <class Real>
class AtThresholds {
 public:
  AtThresholds(const Thresholds& thresholds, const Plan<Real>& plan, std::size_t population,
               std::size_t sample)
      : thresholds_(&thresholds), population_(population), sample_(sample) {
    const std::size_t size = plan.size(population);
    for (std::size_t j = 0; j < size; ++j) {
      neurons_.push_back(plan.populations[population].neuron(j));
      means_.push_back(neurons_[j].theta);
      // Near which biases its thresholds will lie is not known: in time, not in y.
      neurons_[j].by_y = false;
      neurons_[j].by_z = neurons_[j].tc;
    }
    segments_.assign(size, 0);
    for (std::size_t j = 0; j < size; ++j) set(j);
  }
  const neuron::Lif<Real>& operator[](std::size_t j) const { return neurons_[j]; }
  /// Neuron j has spiked: (*this)[j] changes in place.
  void next(std::size_t j) {
    ++segments_[j];
    set(j);
  }

 private:
  const Thresholds* thresholds_;
  std::size_t population_, sample_;
  std::vector<neuron::Lif<Real>> neurons_;
  std::vector<Real> means_;
  std::vector<std::size_t> segments_;

  void set(std::size_t j) {
    const Real theta =
        static_cast<Real>(thresholds_->of(population_, sample_, j, segments_[j], means_[j]));
    neurons_[j].theta = theta;
    neurons_[j].just_below_theta = std::nextafter(theta, -std::numeric_limits<Real>::infinity());
  }
};

/// Only thresholds of LIF have noise, and ghosts.
/// @throws InvalidInput  a population of another model that spikes
template <class Real>
void check_noisy(const Network<Real>& network);

/// @throws InvalidInput  as check_noisy(); a draw could lie below V(0) or V_reset
template <class Real>
void check_room(const Network<Real>& network, const Smoothing& smoothing);

}  // namespace saltus
