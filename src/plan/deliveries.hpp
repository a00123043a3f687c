// SPDX-License-Identifier: Apache-2.0
// The spikes of one sample handed out to the neurons that they reach, where a projection does not
// reach all: as many steps as there are synaptic events.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "saltus/network.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

template <class Real>
struct Delivery {
  double time;           // of its arrival
  std::int32_t spike;    // number within the source's sample
  std::int32_t synapse;  // its place in the list of synapses
  Real weight;
};

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

 private:
  std::vector<std::span<const SynapseList::Reached>> reached_;
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
            static_cast<std::int32_t>(k), s.place, p.weight[static_cast<std::size_t>(s.weight)]};
      }
    }
  }
  /// All of them, neuron by neuron.
  std::size_t size() const { return list_.size(); }
  const Delivery<Real>& operator[](std::size_t number) const { return list_[number]; }
  /// The number of the first one to a neuron.
  std::size_t first(std::size_t neuron) const { return first_[neuron - begin_]; }
  /// Those to a neuron, in the order of the spikes.
  std::span<const Delivery<Real>> to(std::size_t neuron) const {
    const std::size_t j = neuron - begin_;
    return {list_.data() + first_[j], first_[j + 1] - first_[j]};
  }

 private:
  std::size_t begin_ = 0;
  std::vector<std::size_t> first_;
  std::vector<Delivery<Real>> list_;
  // Per spike, of these targets; scratch.
  std::vector<std::span<const SynapseList::Reached>> reached_;

  std::size_t place_of(std::int32_t target) const {
    return static_cast<std::size_t>(target) - begin_;
  }
};

}  // namespace saltus
