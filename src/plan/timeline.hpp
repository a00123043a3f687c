// SPDX-License-Identifier: Apache-2.0
// The arrivals and decays of one sample as one neuron of a population sees them: computed once for
// all neurons where they are the same, anew for each where they are not.
#pragma once

#include <optional>

#include "plan/arrivals.hpp"
#include "plan/lane_lists.hpp"
#include "plan/plan.hpp"
#include "saltus/inputs.hpp"

namespace saltus {

/// What the neurons of every population see in every sample of a batch, where all of a population
/// see the same, and how they are when they spike: found out in the forward pass, used again by the loss and
/// the backward pass.
template <class Real>
class Timelines {
 public:
  struct Kept {
    Arrivals<Real> arrivals;
    bool ready = false;
    // Of linear neurons: x just before each of their spikes, as in the record. None: not found out.
    std::vector<linear::Vector<double>> states;
  };

  /// Forgets what it holds, but not the memory.
  void start(std::size_t populations, std::size_t samples) {
    kept_.resize(populations);
    for (auto& population : kept_) {
      if (population.size() < samples) population.resize(samples);
      for (Kept& k : population) {
        k.ready = false;
        k.states.clear();
      }
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
  /// @param kept  where to look first, and to leave what is found out; null: nowhere
  /// @param targets  the neurons that it will be asked of
  /// @param reach    of these, per incoming projection, if it is known
  /// @param by_neuron  per incoming projection, its spikes if they are to be found by way of the
  ///                   synapses of the targets; else empty. Keep it
  template <class SpikesOf>
  void start(const Plan<Real>& plan, std::size_t population, double end, SpikesOf&& spikes_of,
             typename Timelines<Real>::Kept* kept = nullptr, Neurons targets = {},
             std::span<const Reach> reach = {}, std::span<const SpikesByNeuron> by_neuron = {}) {
    begin(plan, population, 0, end, kept, targets);
    reach_ = reach;
    by_neuron_ = by_neuron;
    if (fresh_) return;
    for (const std::size_t k : population_->incoming) {
      add(plan, k, spikes_of(plan.network->projections()[k].source));
    }
  }
  /// Of some projections only. @param take  (number of a projection) -> bool
  template <class SpikesOf, class Take>
  void start_some(const Plan<Real>& plan, std::size_t population, double end, SpikesOf&& spikes_of,
                  Take&& take) {
    begin(plan, population, 0, end, nullptr, {});
    for (const std::size_t k : population_->incoming) {
      if (take(k)) add(plan, k, spikes_of(plan.network->projections()[k].source));
    }
  }
  /// What arrives from `from` on, before `end`.
  /// @param first_of  (projection) -> the number of a spike before which all have arrived by `from`
  /// @param fresh_of  (population) -> the number of its first spike that was not known in the window
  ///                  before: rounding may let it arrive at the end of that one
  /// @param calendars  per projection, of those that list their synapses
  template <class SpikesOf, class FirstOf, class FreshOf>
  void start_window(const Plan<Real>& plan, std::size_t population, double from, double end,
                    SpikesOf&& spikes_of, FirstOf&& first_of, FreshOf&& fresh_of,
                    std::span<std::optional<Calendar<Real>>> calendars) {
    begin(plan, population, from, end, nullptr, {});
    for (const std::size_t k : population_->incoming) {
      const std::size_t source = plan.network->projections()[k].source;
      const std::size_t fresh = fresh_of(source), first = std::min(first_of(k), fresh);
      const auto [times, neurons] = spikes_of(source);
      std::size_t last = first;  // few are on their way
      while (last < times.size() && times[last] + plan.delays[k].shortest < end) ++last;
      if (calendars[k]) calendars[k]->send({times, neurons}, last);
      add(plan, k, {times.subspan(first, last - first), neurons.subspan(first, last - first)},
          first, fresh - first, calendars[k] ? &*calendars[k] : nullptr);
    }
  }

  /// The same, taken from queues: simulate/pending.hpp.
  template <class Queues>
  void start_window(const Plan<Real>& plan, std::size_t population, double from, double end,
                    Queues& queues) {
    begin(plan, population, from, end, nullptr, {});
    queued_ = true;
    taken_.resize(queues.count());
    for (std::size_t q = 0; q < taken_.size(); ++q) {
      taken_[q].clear();
      while (queues.next(q) < end) {
        taken_[q].push_back(queues.take(q));
        taken_[q].back().time = std::max(taken_[q].back().time, from);  // late, by rounding
      }
    }
  }

  /// What all neurons of a population in step see; the decays, or steps, only if they decay alike.
  Arrivals<Real>& shared() {
    if (!fresh_) {
      arrivals_->clear();
      if (queued_) arrivals_->list = taken_[0];
      for (const Source<Real>& source : sources_) arrivals_->add(source, from_);
      arrivals_->finish(end_);
      if (population_->alike()) arrivals_->decay_through(*population_, 0, from_, end_);
      if (population_->linear_alike()) {
        arrivals_->step_through(*population_, from_, end_);
      } else if (population_->motion) {
        arrivals_->flows.find(*population_->motion, arrivals_->times, most_components, from_);
      }
      fresh_ = true;
      if (kept_) kept_->ready = true;
    }
    return *arrivals_;
  }

  /// What those neurons see, where each has a list of its own: at most as many as there are lanes.
  /// Valid until the next call.
  const LaneLists<Real>& lists(Neurons neurons) {
    if (neurons.begin != listed_.begin || neurons.end != listed_.end) {
      if (queued_) {
        lists_.list(taken_, neurons);
      } else {
        for (std::size_t k = 0; k < by_neuron_.size(); ++k) {
          if (!by_neuron_[k].empty()) {
            deliveries_[k].start(*sources_[k].projection, by_neuron_[k], neurons);
          }
        }
        lists_.list(sources_, deliveries_, post_, neurons, from_, end_);
      }
      listed_ = neurons;
    }
    return lists_;
  }

  /// What neuron j, one of those targets, sees. Valid until the next call.
  const Arrivals<Real>& of(std::size_t j) {
    const bool without_decays = population_->is_linear() && population_->sees_the_same();
    if (population_->alike() || without_decays) return shared();
    if (population_->in_step()) {  // decays of its own
      if (!copied_) mine_ = shared();
      copied_ = true;
      mine_.decay_through(*population_, j, from_, end_);
      return mine_;
    }
    if (population_->per_column && queued_) {
      own_.clear();
      own_.list = taken_[j];
      own_.finish(end_);
    } else {
      const std::size_t first = j - (j - targets_.begin) % LaneLists<Real>::lanes;
      lists({first, std::min(first + LaneLists<Real>::lanes, targets_.end)}).copy(j - first, own_);
    }
    if (!population_->is_linear()) own_.decay_through(*population_, j, from_, end_);
    return own_;
  }

 private:
  const PopulationPlan<Real>* population_ = nullptr;
  std::vector<Source<Real>> sources_;
  std::vector<Deliveries<Real>> deliveries_;  // as sources_; of those that are not all to all
  Neurons targets_, listed_;
  std::span<const Reach> reach_;
  std::span<const SpikesByNeuron> by_neuron_;
  std::size_t post_ = 0;
  double from_ = 0, end_ = 0;
  bool fresh_ = false;
  bool copied_ = false;
  bool queued_ = false;
  std::vector<std::vector<Arrival<Real>>> taken_;  // if queued: of all, or of each neuron
  LaneLists<Real> lists_;                          // of the neurons listed_
  Arrivals<Real> own_, mine_;
  Arrivals<Real>* arrivals_ = &own_;
  typename Timelines<Real>::Kept* kept_ = nullptr;

  void begin(const Plan<Real>& plan, std::size_t population, double from, double end,
             typename Timelines<Real>::Kept* kept, Neurons targets) {
    population_ = &plan.populations[population];
    kept_ = population_->sees_the_same() ? kept : nullptr;
    arrivals_ = kept_ ? &kept_->arrivals : &own_;
    fresh_ = kept_ && kept_->ready;
    copied_ = queued_ = false;
    from_ = from;
    end_ = end;
    post_ = plan.size(population);
    targets_ = {targets.begin, std::min(targets.end, post_)};
    listed_ = {};
    reach_ = {};
    by_neuron_ = {};
    sources_.clear();
  }
  // @param first  number of the first of these spikes within the sample @param fresh  see Source
  void add(const Plan<Real>& plan, std::size_t k, SampleSpikes spikes, std::size_t first = 0,
           std::size_t fresh = static_cast<std::size_t>(-1), Calendar<Real>* calendar = nullptr) {
    const Projection<Real>& p = plan.network->projections()[k];
    sources_.push_back({&p, plan.rows(k), static_cast<std::int32_t>(k), spikes,
                        static_cast<std::int32_t>(first), fresh});
    if (deliveries_.size() < sources_.size()) deliveries_.resize(sources_.size());
    const std::size_t at = sources_.size() - 1;
    if (plan.in_rows(k) || (!by_neuron_.empty() && !by_neuron_[at].empty())) return;
    if (calendar) {
      deliveries_[at].start(*calendar, from_, end_, post_, first);
      return;
    }
    const bool known = !reach_.empty() && reach_[at].known();
    deliveries_[at].start(p, spikes, targets_, known ? &reach_[at] : nullptr);
  }
};

}  // namespace saltus
