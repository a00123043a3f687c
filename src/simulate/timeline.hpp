// SPDX-License-Identifier: Apache-2.0
// The arrivals and decays of one sample as one neuron of a population sees them: computed once for
// all neurons where they are the same, anew for each where they are not.
#pragma once

#include "saltus/simulate.hpp"
#include "simulate/arrivals.hpp"
#include "simulate/plan.hpp"

namespace saltus {

template <class Real>
class Timeline {
 public:
  /// @param spikes_of  (population) -> SampleSpikes: the input, or the record so far
  /// @param keep  which projections to take, by number
  template <class SpikesOf, class Keep>
  void start(const Plan<Real>& plan, std::size_t population, double end, SpikesOf&& spikes_of,
             Keep&& keep) {
    population_ = &plan.populations[population];
    end_ = end;
    post_ = plan.size(population);
    sources_.clear();
    for (const std::size_t k : population_->incoming) {
      if (!keep(k)) continue;
      const Projection<Real>& p = plan.network->projections()[k];
      sources_.push_back({&p, static_cast<std::int32_t>(k), spikes_of(p.source)});
    }
    fresh_ = false;
  }

  template <class SpikesOf>
  void start(const Plan<Real>& plan, std::size_t population, double end, SpikesOf&& spikes_of) {
    start(plan, population, end, spikes_of, [](std::size_t) { return true; });
  }

  /// What neuron j sees. Valid until the next call.
  const Arrivals<Real>& of(std::size_t j) {
    if (!fresh_ || population_->per_column) {
      arrivals_.clear();
      for (const Source& s : sources_) {
        arrivals_.add(*s.projection, s.number, post_, s.spikes,
                      population_->per_column ? j : any_column);
      }
      arrivals_.finish(end_);
    }
    if (!fresh_ || population_->per_column || !population_->same_time_constants) {
      arrivals_.decay_through(population_->neuron(j).tc, 0, end_);
    }
    fresh_ = true;
    return arrivals_;
  }

 private:
  struct Source {
    const Projection<Real>* projection;
    std::int32_t number;
    SampleSpikes spikes;
  };
  const PopulationPlan<Real>* population_ = nullptr;
  std::vector<Source> sources_;
  std::size_t post_ = 0;
  double end_ = 0;
  bool fresh_ = false;
  Arrivals<Real> arrivals_;
};

}  // namespace saltus
