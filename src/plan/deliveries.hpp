// SPDX-License-Identifier: Apache-2.0
// The spikes of one sample handed out to the neurons that they reach, where a projection does not
// reach all: as many steps as there are synaptic events.
#pragma once

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "plan/calendar.hpp"
#include "saltus/network.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

/// Some neurons of a population, one after the other.
struct Neurons {
  std::size_t begin = 0, end = static_cast<std::size_t>(-1);
};

/// The synapses of each source into some neurons: looked up once by those who ask for many samples.
class Reach {
 public:
  Reach() = default;
  Reach(const SynapseList& synapses, Neurons targets) {
    for (std::size_t pre = 0; pre < synapses.sources(); ++pre) {
      reached_.push_back(within(synapses.from(pre), targets));
    }
  }
  /// Of those of one source.
  static std::span<const SynapseList::Reached> within(std::span<const SynapseList::Reached> all,
                                                      Neurons targets) {
    const auto before = [](const SynapseList::Reached& s, std::size_t post) {
      return static_cast<std::size_t>(s.post) < post;
    };
    const auto first = std::lower_bound(all.begin(), all.end(), targets.begin, before);
    return {first, std::lower_bound(first, all.end(), targets.end, before)};
  }
  std::span<const SynapseList::Reached> from(std::size_t pre) const { return reached_[pre]; }
  bool known() const { return !reached_.empty(); }

 private:
  std::vector<std::span<const SynapseList::Reached>> reached_;
};

/// The spikes of one sample of a source, neuron by neuron, with their times: for those who go through
/// the synapses of a few targets instead of all spikes. Memory is kept.
class SpikesByNeuron {
 public:
  struct Sent {
    double time;
    std::int32_t spike;  // number within the sample
  };

  bool empty() const { return first_.empty(); }
  /// @param size  neurons of the source
  void sort(SampleSpikes spikes, std::size_t size) {
    first_.assign(size + 2, 0);
    for (const std::int32_t n : spikes.neurons) ++first_[static_cast<std::size_t>(n) + 2];
    for (std::size_t j = 2; j < first_.size(); ++j) first_[j] += first_[j - 1];
    list_.resize(spikes.times.size());
    for (std::size_t k = 0; k < list_.size(); ++k) {
      // first_[n + 1] runs from where those of n begin to where they end.
      list_[first_[static_cast<std::size_t>(spikes.neurons[k]) + 1]++] = {
          spikes.times[k], static_cast<std::int32_t>(k)};
    }
  }
  /// Ascending in time.
  std::span<const Sent> of(std::int32_t neuron) const {
    const auto n = static_cast<std::size_t>(neuron);
    return {list_.data() + first_[n], first_[n + 1] - first_[n]};
  }
  void prefetch(std::int32_t neuron) const {
    hwy::Prefetch(list_.data() + first_[static_cast<std::size_t>(neuron)]);
  }

 private:
  std::vector<std::uint32_t> first_;  // [neuron + 1]
  std::vector<Sent> list_;
};

template <class Real>
class Deliveries {
 public:
  /// @param p        keeps a list of its synapses
  /// @param targets  those that are asked for later
  /// @param reach    of these, if it is known
  void start(const Projection<Real>& p, SampleSpikes spikes, Neurons targets,
             const Reach* reach = nullptr) {
    const SynapseList& synapses = p.connection.synapses();
    by_spike_ = true;
    begin_ = targets.begin;
    const std::size_t end = std::min(targets.end, synapses.targets());
    first_.assign(end - begin_ + 2, 0);
    reached_.clear();
    const bool all_targets = begin_ == 0 && end == synapses.targets();
    for (const std::int32_t neuron : spikes.neurons) {
      const auto pre = static_cast<std::size_t>(neuron);
      auto reached = reach ? reach->from(pre) : synapses.from(pre);
      if (!reach && !all_targets) reached = Reach::within(reached, targets);
      reached_.push_back(reached);
      for (const auto& s : reached) ++first_[place_of(s.post) + 2];
    }
    for (std::size_t j = 2; j < first_.size(); ++j) first_[j] += first_[j - 1];
    list_.resize(first_.back());
    for (std::size_t k = 0; k < spikes.neurons.size(); ++k) {
      const auto pre = static_cast<std::size_t>(spikes.neurons[k]);
      for (const auto& s : reached_[k]) {
        // first_[j + 1] runs from where those of j begin to where they end.
        list_[first_[place_of(s.post) + 1]++] = {
            spikes.times[k] + p.delay(pre, static_cast<std::size_t>(s.number)),
            static_cast<std::int32_t>(k), s.place, p.weight[static_cast<std::size_t>(s.weight)],
            s.post};
      }
    }
  }
  /// The same by way of the synapses of the targets: as many steps as these have synapses and as there
  /// are synaptic events, however many spikes there are.
  void start(const Projection<Real>& p, const SpikesByNeuron& spikes, Neurons targets) {
    const SynapseList& synapses = p.connection.synapses();
    by_spike_ = false;
    begin_ = targets.begin;
    first_.assign(1, 0);
    list_.clear();
    const std::size_t last = synapses.first_into(targets.end);
    for (std::size_t j = targets.begin, place = synapses.first_into(j); j < targets.end; ++j) {
      for (; place < synapses.first_into(j + 1); ++place) {
        if (place + ahead < last) prefetch(p, spikes, synapses[place + ahead]);
        const SynapseList::Entry& s = synapses[place];
        const auto sent = spikes.of(s.pre);
        if (sent.empty()) continue;
        const double delay =
            p.delay(static_cast<std::size_t>(s.pre), static_cast<std::size_t>(s.number));
        const Real weight = p.weight[static_cast<std::size_t>(s.weight)];
        for (const auto& spike : sent) {
          list_.push_back(
              {spike.time + delay, spike.spike, static_cast<std::int32_t>(place), weight, s.post});
        }
      }
      first_.push_back(static_cast<std::uint32_t>(list_.size()));
    }
  }
  /// What a calendar has from `from` to `end`.
  /// @param targets  neurons of the population
  /// @param first  number of the spike that is called 0
  void start(Calendar<Real>& calendar, double from, double end, std::size_t targets,
             std::size_t first) {
    by_spike_ = true;
    begin_ = 0;
    due_.clear();
    calendar.take(from, end, due_);
    first_.assign(targets + 2, 0);
    for (const auto& d : due_) ++first_[place_of(d.target) + 2];
    for (std::size_t j = 2; j < first_.size(); ++j) first_[j] += first_[j - 1];
    list_.resize(due_.size());
    for (Delivery<Real>& d : due_) {
      d.spike -= static_cast<std::int32_t>(first);
      list_[first_[place_of(d.target) + 1]++] = d;
    }
  }
  /// Do those to a neuron come in the order of the spikes? Else synapse by synapse.
  bool by_spike() const { return by_spike_; }
  /// All of them, neuron by neuron.
  std::size_t size() const { return list_.size(); }
  const Delivery<Real>& operator[](std::size_t number) const { return list_[number]; }
  /// The number of the first one to a neuron.
  std::size_t first(std::size_t neuron) const { return first_[neuron - begin_]; }
  /// Those to a neuron.
  std::span<const Delivery<Real>> to(std::size_t neuron) const {
    const std::size_t j = neuron - begin_;
    return {list_.data() + first_[j], first_[j + 1] - first_[j]};
  }

 private:
  bool by_spike_ = true;
  std::size_t begin_ = 0;
  std::vector<std::uint32_t> first_;
  std::vector<Delivery<Real>> due_;  // scratch
  std::vector<Delivery<Real>> list_;
  // Per spike, of these targets; scratch.
  std::vector<std::span<const SynapseList::Reached>> reached_;

  // Neither sources nor what belongs to a synapse come in an order that the machine could guess.
  static constexpr std::size_t ahead = 12;
  static void prefetch(const Projection<Real>& p, const SpikesByNeuron& spikes,
                       const SynapseList::Entry& s) {
    spikes.prefetch(s.pre);
    hwy::Prefetch(p.weight.data() + s.weight);
    if (p.delay.kind == Delay::Kind::per_synapse) hwy::Prefetch(p.delay.values.data() + s.number);
  }
  std::size_t place_of(std::int32_t target) const {
    return static_cast<std::size_t>(target) - begin_;
  }
};

}  // namespace saltus
