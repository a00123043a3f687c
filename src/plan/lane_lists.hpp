// SPDX-License-Identifier: Apache-2.0
// Where each neuron of a population has a list of arrivals of its own (a delay per synapse, or not
// all connect to all): the lists of a few neurons side by side, one in each lane.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "machine/aligned.hpp"
#include "plan/arrivals.hpp"
#include "plan/deliveries.hpp"
#include "plan/lane_order.hpp"
#include "plan/lane_rows.hpp"

namespace saltus {

/// What reaches up to `lanes` neurons in a span of time. Memory is kept.
template <class Real>
class LaneLists {
 public:
  static constexpr std::size_t lanes = widest_vector;

  /// Lists what arrives at neurons.begin .. neurons.end - 1 from `from` on, before `to`.
  /// @param sources     keep them
  /// @param deliveries  as sources; of those that do not connect all to all, these neurons included
  /// @param post        neurons of the population
  void list(std::span<const Source<Real>> sources, std::span<const Deliveries<Real>> deliveries,
            std::size_t post, Neurons neurons, double from, double to) {
    sources_ = sources;
    neurons_ = neurons;
    post_ = post;
    from_ = from;
    to_ = to;
    deliveries_ = deliveries;
    reserve();
    sizes_.fill(0);
    even_ = in_order_ = true;
    for (std::size_t k = 0; k < sources.size(); ++k) {
      sources[k].projection->connection.all_to_all() ? put_rows(k) : put_synapses(k);
    }
    longest_ = *std::ranges::max_element(sizes_);
    shortest_ = *std::min_element(sizes_.begin(), sizes_.begin() + width());
    for (std::size_t l = 0; l < lanes; ++l) {
      for (std::size_t k = sizes_[l]; k < longest_; ++k) times_[k * lanes + l] = infinity;
    }
    sort();
  }

  /// The same of lists that are in order already: times and weights alone, no origins.
  /// @param taken  per neuron of the population
  void list(std::span<const std::vector<Arrival<Real>>> taken, Neurons neurons) {
    neurons_ = neurons;
    longest_ = 0;
    sizes_.fill(0);
    for (std::size_t j = neurons.begin; j < neurons.end; ++j) {
      longest_ = std::max(longest_, taken[j].size());
    }
    times_.reserve(longest_ * lanes);
    weights_.reserve(longest_ * lanes);
    order_.reserve(longest_ * lanes);
    for (std::size_t k = 0; k < longest_ * lanes; ++k) order_[k] = static_cast<std::int32_t>(k);
    for (std::size_t j = neurons.begin; j < neurons.end; ++j) {
      const std::size_t lane = j - neurons.begin;
      sizes_[lane] = taken[j].size();
      for (std::size_t k = 0; k < taken[j].size(); ++k) {
        times_[k * lanes + lane] = taken[j][k].time;
        weights_[k * lanes + lane] = taken[j][k].weight(j);
      }
    }
    shortest_ = *std::min_element(sizes_.begin(), sizes_.begin() + width());
  }

  std::size_t longest() const { return longest_; }
  std::size_t size(std::size_t lane) const { return sizes_[lane]; }
  std::size_t first_neuron() const { return neurons_.begin; }
  std::size_t width() const { return neurons_.end - neurons_.begin; }
  /// Does each spike reach all of these neurons? Then the arrays hold a row for each: [spike, lane].
  bool even() const { return even_; }

  /// Of what comes at `place` in the list of a lane: where it lies in the arrays.
  std::size_t at(std::size_t place, std::size_t lane) const {
    return static_cast<std::size_t>(order_[place * lanes + lane]);
  }
  /// Calls visit(lane, time, weight) for what comes at `place` in all of them: 0 at the time `beyond` where a
  /// list has ended.
  template <class Visit>
  void for_row(std::size_t place, double beyond, Visit&& visit) const {
    const std::int32_t* const order = order_.data() + place * lanes;
    const double* const times = times_.data();
    const Real* const weights = weights_.data();
    if (place < shortest_ && width() == lanes) {
      for (std::size_t l = 0; l < lanes; ++l) visit(l, times[order[l]], weights[order[l]]);
      return;
    }
    for (std::size_t l = 0; l < lanes; ++l) {
      if (place < sizes_[l]) {
        visit(l, times[order[l]], weights[order[l]]);
      } else {
        visit(l, beyond, Real(0));
      }
    }
  }
  double time(std::size_t at) const { return times_[at]; }
  Real weight(std::size_t at) const { return weights_[at]; }
  Arrival<Real> arrival(std::size_t at) const {
    const std::size_t k = source_of(at);
    const Source<Real>& s = sources_[k];
    std::size_t spike = origins_[at] - bases_[k];
    if (s.projection->connection.all_to_all()) {
      const std::int32_t pre = s.spikes.neurons[spike];
      return {times_[at], s.rows[static_cast<std::size_t>(pre)], pre, s.number, number(s, spike)};
    }
    const auto& d = deliveries_[k][spike];
    const auto& synapse = s.projection->connection.synapses()[d.synapse];
    spike = static_cast<std::size_t>(d.spike);
    return {times_[at], &weight_of(*s.projection, synapse), synapse.pre, s.number, number(s, spike),
            d.synapse};
  }
  /// What of it a gradient belongs to: without a row, and, of a listed synapse, without its source.
  Arrival<Real> origin(std::size_t at) const {
    const std::size_t k = source_of(at);
    const Source<Real>& s = sources_[k];
    const std::size_t spike = origins_[at] - bases_[k];
    if (s.projection->connection.all_to_all()) {
      return {times_[at], nullptr, s.spikes.neurons[spike], s.number, number(s, spike)};
    }
    const auto& d = deliveries_[k][spike];
    return {times_[at], nullptr, -1, s.number, number(s, static_cast<std::size_t>(d.spike)),
            d.synapse};
  }

  /// One of the lists, as a neuron by itself walks it.
  void copy(std::size_t lane, Arrivals<Real>& out) const {
    out.clear();
    out.list.resize(sizes_[lane]);
    for (std::size_t k = 0; k < sizes_[lane]; ++k) out.list[k] = arrival(at(k, lane));
    out.finish(to_);
  }

 private:
  std::span<const Source<Real>> sources_;
  std::span<const Deliveries<Real>> deliveries_;
  std::vector<std::uint32_t>
      bases_;  // per source: what its first spike or delivery has in origins_
  Neurons neurons_;
  std::size_t post_ = 0, longest_ = 0, shortest_ = 0;  // of the lists of its neurons
  double from_ = 0, to_ = 0;
  std::array<std::size_t, lanes> sizes_{};
  bool even_ = true;      // are all lists equally long?
  bool in_order_ = true;  // put in the order that those of equal time have
  // [place, lane], in the order in which they were put
  Aligned<double> times_;
  Aligned<Real> weights_;
  Aligned<std::uint32_t> origins_;  // a spike, or a delivery, of one of the sources
  Aligned<std::int32_t> order_;     // [place, lane], in order of time
  std::vector<double> shared_;      // when spikes arrive at all neurons alike

  static std::int32_t number(const Source<Real>& s, std::size_t spike) {
    return s.first + static_cast<std::int32_t>(spike);
  }
  std::size_t source_of(std::size_t at) const {
    std::size_t k = 0;
    while (origins_[at] >= bases_[k + 1]) ++k;
    return k;
  }
  void reserve() {
    std::size_t most = 0;
    bases_.assign(1, 0);
    for (std::size_t k = 0; k < sources_.size(); ++k) {
      std::size_t all = sources_[k].spikes.times.size(), longest = all;
      if (!sources_[k].projection->connection.all_to_all()) {
        all = deliveries_[k].size();
        longest = 0;
        for (std::size_t j = neurons_.begin; j < neurons_.end; ++j) {
          longest = std::max(longest, deliveries_[k].to(j).size());
        }
      }
      bases_.push_back(bases_.back() + static_cast<std::uint32_t>(all));
      most += longest;
    }
    times_.reserve(most * lanes);
    weights_.reserve(most * lanes);
    origins_.reserve(most * lanes);
    order_.reserve(most * lanes);
  }

  // Whether it arrives in time is hard to guess: no branch.
  void put(std::size_t lane, double time, Real weight, std::uint32_t origin) {
    const std::size_t at = sizes_[lane] * lanes + lane;
    times_[at] = time;
    weights_[at] = weight;
    origins_[at] = origin;
    sizes_[lane] += static_cast<std::size_t>(from_ <= time) & static_cast<std::size_t>(time < to_);
  }
  void put_rows(std::size_t k) {
    const Source<Real>& source = sources_[k];
    const auto& delay = source.projection->delay;
    const std::size_t spikes = source.spikes.times.size();
    const bool own = delay.kind == Delay::Kind::per_synapse;
    const double* const delays = own ? delay.values.data() + neurons_.begin : nullptr;
    if (!own) {
      shared_.resize(spikes);
      for (std::size_t s = 0; s < spikes; ++s) {
        shared_[s] = arrival_time(*source.projection, source.spikes.times[s],
                                  source.spikes.neurons[s], any_column, post_);
      }
    }
    const std::span<const double> sent =
        own ? source.spikes.times : std::span<const double>(shared_);
    ListsInLanes<Real> lists{
        times_.data(), weights_.data(), origins_.data(), sizes_.data(), from_, to_, even_};
    LaneRowKernels<Real>::best().put(
        {sent, source.spikes.neurons.data(), width(), source.rows[0] + neurons_.begin, delays,
         source.rows.stride, post_, bases_[k], source.fresh},
        lists);
    even_ = lists.even;
  }
  void put_synapses(std::size_t k) {
    even_ = false;
    in_order_ = in_order_ && deliveries_[k].by_spike();
    const std::size_t fresh = sources_[k].fresh;
    for (std::size_t j = neurons_.begin; j < neurons_.end; ++j) {
      std::uint32_t origin = bases_[k] + static_cast<std::uint32_t>(deliveries_[k].first(j));
      for (const auto& d : deliveries_[k].to(j)) {
        const double least = static_cast<std::size_t>(d.spike) < fresh ? -infinity : from_;
        put(j - neurons_.begin, std::max(d.time, least), d.weight, origin++);
      }
    }
  }

  // What arrives at one time comes in the order of saltus::earlier: nearly always that in which it was put.
  void sort() {
    const bool falls =
        longest_ > 1 && (!in_order_ || LaneRowKernels<Real>::best().falls(times_.data(), longest_));
    if (!falls || longest_ > LaneOrderKernels<double>::longest) {
      for (std::size_t k = 0; k < longest_ * lanes; ++k) order_[k] = static_cast<std::int32_t>(k);
    }
    if (!falls) return;
    if (longest_ > LaneOrderKernels<double>::longest) {
      for (std::size_t l = 0; l < lanes; ++l) sort_one(l);
    } else if (!LaneOrderKernels<double>::best().order(times_.data(), longest_, order_.data())) {
      for (std::size_t l = 0; l < lanes; ++l) insert(l);
    }
  }
  // Nearly in order: only times that lie close together may stand the wrong way round.
  void insert(std::size_t lane) {
    for (std::size_t k = 1; k < sizes_[lane]; ++k) {
      for (std::size_t p = k * lanes + lane;
           p >= lanes && earlier(at_place(p), at_place(p - lanes)); p -= lanes) {
        std::swap(order_[p - lanes], order_[p]);
      }
    }
  }
  bool earlier(std::size_t a, std::size_t b) const {
    if (times_[a] != times_[b] || in_order_) return times_[a] < times_[b];
    return saltus::earlier(origin(a), origin(b));
  }
  std::size_t at_place(std::size_t p) const { return static_cast<std::size_t>(order_[p]); }
  void sort_one(std::size_t lane) {
    std::vector<std::int32_t> list(sizes_[lane]);
    for (std::size_t k = 0; k < list.size(); ++k) list[k] = order_[k * lanes + lane];
    std::ranges::stable_sort(list, [&](std::int32_t a, std::int32_t b) {
      return earlier(static_cast<std::size_t>(a), static_cast<std::size_t>(b));
    });
    for (std::size_t k = 0; k < list.size(); ++k) order_[k * lanes + lane] = list[k];
  }
};

}  // namespace saltus
