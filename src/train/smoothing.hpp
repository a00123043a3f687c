// SPDX-License-Identifier: Apache-2.0
// Smoothed thresholds in the loop of training: how wide they are in an epoch, and what the ghosts
// of its minibatches add up to (docs/ghosts.md).
#pragma once

#include "adjoint/backward.hpp"
#include "ghosts/find.hpp"
#include "random/random.hpp"
#include "saltus/loss.hpp"
#include "saltus/train.hpp"
#include "simulate/forward.hpp"

namespace saltus {

template <class Real>
class Smoother {
 public:
  /// @param epoch        counted from 0
  /// @param minibatches  of it that are done
  Smoother(const TrainSettings& settings, int epoch, std::size_t minibatches = 0)
      : seeds_(settings.seed, Purpose::thresholds, static_cast<std::uint32_t>(epoch)) {
    ghosts_.smoothing.sigma = smoothing_sigma(settings, epoch);
    ghosts_.smoothing.thresholds = settings.smooth_reading;
    if (!ghosts_.smoothing.draws()) return;
    for (std::size_t k = 0; k < minibatches; ++k) next_seed();
  }
  bool on() const { return ghosts_.smoothing.sigma > 0; }
  double sigma() const { return ghosts_.smoothing.sigma; }
  /// Ghosts of the last minibatch.
  std::size_t count() const { return on() ? ghosts_.count() : 0; }

  /// simulate(), at thresholds drawn anew for this minibatch if they are to be sampled.
  /// @param first  the number of the first of these samples in the minibatch
  void simulate(const Plan<Real>& plan, const Inputs& inputs, int threads,
                ForwardMemory<Real>& memory, Record<Real>& record, std::size_t first = 0) {
    Smoothing& smoothing = ghosts_.smoothing;
    if (!smoothing.draws()) {
      saltus::simulate(plan, inputs, threads, memory, record);
      return;
    }
    check_room(*plan.network, smoothing);
    smoothing.seed = next_seed();
    const Thresholds thresholds(smoothing, {}, first);
    saltus::simulate(plan, inputs, threads, memory, record, &thresholds);
  }

  const Smoothing& smoothing() const { return ghosts_.smoothing; }

  /// backward(), of the smoothed loss if smoothing is on.
  void backward(const Batch<Real>& b, const Loss<Real>& loss, const Errors<Real>& errors,
                const Wanted& wanted, BackwardMemory<Real>& memory, Gradients<Real>& gradients) {
    Ghosts<Real>* ghosts = nullptr;
    if (on()) {
      ghosts = &ghosts_;
      find_ghosts(b.plan, b.inputs, b.record, smoothing(), b.threads, b.timelines, ghosts_);
      loss.add_direct_differences(b, ghosts_);
    }
    saltus::backward(b.plan, b.inputs, b.record, errors, wanted, b.threads, b.timelines, memory,
                     gradients, ghosts, {}, b.team);
  }

 private:
  Random seeds_;  // of the draws, minibatch by minibatch
  Ghosts<Real> ghosts_;

  std::uint64_t next_seed() { return seeds_.bits() | std::uint64_t{seeds_.bits()} << 32; }
};

}  // namespace saltus
