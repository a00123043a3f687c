// SPDX-License-Identifier: Apache-2.0
// The arrivals and decays of one sample as one neuron of a population sees them: computed once for
// all neurons where they are the same, anew for each where they are not.
#pragma once

#include "plan/arrivals.hpp"
#include "plan/plan.hpp"
#include "saltus/inputs.hpp"

namespace saltus {

/// What the neurons of every population see in every sample of a batch, where all of a population
/// see the same: found out in the forward pass, used again by the loss and the backward pass.
template <class Real>
class Timelines {
 public:
  struct Kept {
    Arrivals<Real> arrivals;
    bool ready = false;
  };

  /// Forgets what it holds, but not the memory.
  void start(std::size_t populations, std::size_t samples) {
    kept_.resize(populations);
    for (auto& population : kept_) {
      if (population.size() < samples) population.resize(samples);
      for (Kept& k : population) k.ready = false;
    }
  }
  Kept& at(std::size_t population, std::size_t sample) { return kept_[population][sample]; }

 private:
  std::vector<std::vector<Kept>> kept_;  // [population][sample]
};

template <class Real>
class Timeline {
 public:
  /// @param spikes_of  (population) -> SampleSpikes: the input, or the record so far
  /// @param take  which projections to take, by number
  /// @param kept  where to look first, and to leave what is found out; null: nowhere
  /// @param targets  the neurons that it will be asked of
  template <class SpikesOf, class Take>
  void start(const Plan<Real>& plan, std::size_t population, double end, SpikesOf&& spikes_of,
             typename Timelines<Real>::Kept* kept, Take&& take, Neurons targets = {}) {
    population_ = &plan.populations[population];
    kept_ = population_->in_step() ? kept : nullptr;
    arrivals_ = kept_ ? &kept_->arrivals : &own_;
    fresh_ = kept_ && kept_->ready;
    copied_ = false;
    end_ = end;
    if (fresh_) return;
    post_ = plan.size(population);
    sources_.clear();
    for (const std::size_t k : population_->incoming) {
      if (!take(k)) continue;
      const Projection<Real>& p = plan.network->projections()[k];
      sources_.push_back({&p, plan.rows(k), static_cast<std::int32_t>(k), spikes_of(p.source)});
      if (p.connection.all_to_all()) continue;
      if (deliveries_.size() < sources_.size()) deliveries_.resize(sources_.size());
      deliveries_[sources_.size() - 1].start(p.connection.synapses(), sources_.back().spikes,
                                             targets);
    }
  }

  template <class SpikesOf>
  void start(const Plan<Real>& plan, std::size_t population, double end, SpikesOf&& spikes_of,
             typename Timelines<Real>::Kept* kept = nullptr, Neurons targets = {}) {
    start(
        plan, population, end, spikes_of, kept, [](std::size_t) { return true; }, targets);
  }

  /// What all neurons of a population in step see; the decays only if they decay alike.
  Arrivals<Real>& shared() {
    if (!fresh_) {
      list_arrivals(any_column);
      if (population_->alike()) arrivals_->decay_through(*population_, 0, 0, end_);
      fresh_ = true;
      if (kept_) kept_->ready = true;
    }
    return *arrivals_;
  }

  /// What neuron j, one of those targets, sees. Valid until the next call.
  const Arrivals<Real>& of(std::size_t j) {
    if (population_->alike()) return shared();
    if (population_->in_step()) {  // decays of its own
      if (!copied_) mine_ = shared();
      copied_ = true;
      mine_.decay_through(*population_, j, 0, end_);
      return mine_;
    }
    if (!fresh_ || population_->per_column) list_arrivals(j);
    if (!population_->is_linear()) arrivals_->decay_through(*population_, j, 0, end_);
    fresh_ = true;
    return *arrivals_;
  }

 private:
  void list_arrivals(std::size_t j) {
    arrivals_->clear();
    for (std::size_t k = 0; k < sources_.size(); ++k) {
      const Source& s = sources_[k];
      if (s.projection->connection.all_to_all()) {
        arrivals_->add(*s.projection, s.rows, s.number, post_, s.spikes,
                       population_->per_column ? j : any_column);
      } else {
        arrivals_->add(*s.projection, s.number, s.spikes, deliveries_[k].to(j));
      }
    }
    arrivals_->finish(end_);
  }

  struct Source {
    const Projection<Real>* projection;
    Rows<Real> rows;
    std::int32_t number;
    SampleSpikes spikes;
  };
  const PopulationPlan<Real>* population_ = nullptr;
  std::vector<Source> sources_;
  std::vector<Deliveries> deliveries_;  // as sources_; of those that are not all to all
  std::size_t post_ = 0;
  double end_ = 0;
  bool fresh_ = false;
  bool copied_ = false;
  Arrivals<Real> own_, mine_;
  Arrivals<Real>* arrivals_ = &own_;
  typename Timelines<Real>::Kept* kept_ = nullptr;
};

}  // namespace saltus
