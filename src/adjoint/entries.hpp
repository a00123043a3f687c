// SPDX-License-Identifier: Apache-2.0
// Neurons walk back through their arrivals side by side, a tile of them at a time, or a few where each
// has arrivals of its own (adjoint/lambda.hpp). lambda of each is carried from arrival to arrival, and read anew where the
// walk enters its next segment: those values, in the order in which the walk meets them. They are
// found while the sample is at hand; what is left for the tiles is a short list each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "adjoint/ghosts.hpp"
#include "adjoint/segments.hpp"
#include "neuron/decay_kernel.hpp"
#include "plan/lane_lists.hpp"

namespace saltus {

/// The neurons of a population in tiles of at most 64. Fixed: partial sums depend on it.
struct Tiles {
  std::size_t size, count;

  explicit Tiles(std::size_t neurons) : size(neurons), count((neurons + 63) / 64) {}
  std::size_t begin(std::size_t tile) const { return tile * size / count; }
  /// That of a neuron.
  std::size_t of(std::size_t neuron) const { return ((neuron + 1) * count - 1) / size; }
};

template <class Real>
struct Entry {
  std::uint32_t group, neuron;  // of arrivals; within the tile
  neuron::Adjoint<Real> lambda;
  Real source;
};

/// Of one sample of a population: for each tile, latest group first.
template <class Real>
class Entries {
 public:
  std::span<const Entry<Real>> of(std::size_t tile) const {
    return {list_.data() + first_[tile], first_[tile + 1] - first_[tile]};
  }

 private:
  template <class>
  friend class EntryFinder;
  std::vector<Entry<Real>> list_;
  std::vector<std::size_t> first_;  // [tile + 1]
};

/// The times of one of the lists of LaneLists, as EntryFinder asks for them.
template <class Real>
struct LaneTimes {
  const LaneLists<Real>& lists;
  std::size_t lane;

  double time(std::size_t place) const { return lists.time(lists.at(place, lane)); }
  std::size_t count_before(double t) const {
    std::size_t low = 0, high = lists.size(lane);
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      time(middle) < t ? low = middle + 1 : high = middle;
    }
    return low;
  }
};

/// Memory is kept from sample to sample.
template <class Real>
class EntryFinder {
 public:
  /// @param plan  of a population in step
  /// @param segments, arrivals  of one sample of it; not finished, best in order of time
  void find(const PopulationPlan<Real>& plan, const Segments<Real>& segments,
            const Arrivals<Real>& arrivals, Entries<Real>& out) {
    const Tiles tiles(segments.neurons());
    const auto list = segments.added();
    const auto neurons = segments.neurons_added();
    start(out);
    out.first_.assign(tiles.count + 1, 0);
    std::size_t below = arrivals.group_count();
    double last = infinity;
    bool in_order = true;
    for (std::size_t k = 0; k < list.size(); ++k) {
      const double from = list[k].from;
      if (from > last) {
        in_order = false;
        below = arrivals.count_before(from);
      }
      while (below > 0 && arrivals.times[below - 1] >= from) --below;
      last = from;
      // Of several segments of a neuron without an arrival in between the earliest counts: it is
      // entered last.
      if (below == 0) continue;
      const std::size_t tile = tiles.of(neurons[k]);
      ++out.first_[tile + 1];
      tile_.push_back(tile);
      add_entry(below - 1, neurons[k] - tiles.begin(tile));
      neuron_ = neurons[k];
      add_part(from - arrivals.times[below - 1], list[k].at, list[k].source);
    }
    for (std::size_t tile = 0; tile < tiles.count; ++tile) out.first_[tile + 1] += out.first_[tile];
    read(plan);
    out.list_.resize(found_.size());
    next_.assign(out.first_.begin(), out.first_.end() - 1);
    for (std::size_t k = 0; k < found_.size(); ++k) out.list_[next_[tile_[k]]++] = found_[k];
    if (in_order) return;
    found_ = out.list_;
    sort_tiles(arrivals.group_count(), out);
  }

  /// @param segments  finished
  /// @param free  pieces behind spikes, by neuron; they are added to the lambda of their neurons:
  ///              what is read off lambda is linear in it
  void find(const PopulationPlan<Real>& plan, const Segments<Real>& segments,
            const Arrivals<Real>& arrivals, std::span<const FreePiece<Real>> free,
            Entries<Real>& out) {
    const Tiles tiles(segments.neurons());
    start(out);
    auto piece = free.begin();
    const auto next = [&](std::size_t j) {
      const std::size_t with_segments = segments.next(j);
      return piece == free.end() ? with_segments : std::min(with_segments, piece->neuron);
    };
    std::size_t tile = 0;
    for (std::size_t j = next(0); j < segments.neurons(); j = next(j + 1)) {
      for (; j >= tiles.begin(tile + 1); ++tile) out.first_.push_back(found_.size());
      const auto begin = piece;
      while (piece != free.end() && piece->neuron == j) ++piece;
      enter(arrivals, j, j - tiles.begin(tile), segments.of(j), {begin, piece});
    }
    out.first_.resize(tiles.count + 1, found_.size());
    read(plan);
    sort_tiles(arrivals.group_count(), out);
  }

  /// The same of a few neurons that each have a list of their own: one tile, and a group is a place
  /// in such a list.
  /// @param free_of  (neuron) -> its free pieces
  template <class FreeOf>
  void find(const PopulationPlan<Real>& plan, const Segments<Real>& segments,
            const LaneLists<Real>& lists, Neurons neurons, FreeOf&& free_of, Entries<Real>& out) {
    start(out);
    for (std::size_t j = neurons.begin; j < neurons.end; ++j) {
      const std::size_t lane = j - neurons.begin;
      enter(LaneTimes<Real>{lists, lane}, j, lane, segments.of(j), free_of(j));
    }
    out.first_.push_back(found_.size());
    read(plan);
    sort_tiles(lists.longest(), out);
  }

 private:
  struct Part {
    std::size_t entry;  // that it is added to
    std::size_t neuron;
    neuron::Adjoint<Real> at;
    Real source;
  };
  std::vector<Entry<Real>> found_;
  std::vector<std::size_t> tile_;  // of each entry
  std::vector<Part> parts_;
  std::size_t neuron_ = 0;    // at hand
  std::vector<double> gaps_;  // of each part, from the arrival to where it is known
  std::vector<neuron::Decay<Real>> decays_;
  std::vector<std::size_t> groups_, next_;

  void start(Entries<Real>& out) {
    tile_.clear();
    found_.clear();
    parts_.clear();
    gaps_.clear();
    out.first_.assign(1, 0);
  }
  // What each entry finds: the sum of its parts.
  void read(const PopulationPlan<Real>& plan) {
    decays_.resize(gaps_.size());
    if (plan.same_time_constants) neuron::decays(plan.neuron(0).tc, gaps_, decays_.data());
    for (std::size_t k = 0; k < parts_.size(); ++k) {
      const auto& tc = plan.neuron(parts_[k].neuron).tc;
      if (!plan.same_time_constants) decays_[k] = neuron::decay<Real>(tc, gaps_[k]);
      const auto lambda = neuron::flow_back(tc, parts_[k].at, parts_[k].source, decays_[k]);
      Entry<Real>& entry = found_[parts_[k].entry];
      entry.lambda.v += lambda.v;
      entry.lambda.i += lambda.i;
      entry.source += parts_[k].source;
    }
  }
  // Each tile latest group first.
  void sort_tiles(std::size_t groups, Entries<Real>& out) {
    out.list_.resize(found_.size());
    for (std::size_t tile = 0; tile + 1 < out.first_.size(); ++tile) {
      sort(groups, out.first_[tile], out.first_[tile + 1], out.list_);
    }
  }

  void add_entry(std::size_t group, std::size_t l) {
    found_.push_back({static_cast<std::uint32_t>(group), static_cast<std::uint32_t>(l), {}, 0});
  }
  void add_part(double gap, neuron::Adjoint<Real> at, Real source) {
    gaps_.push_back(gap);
    parts_.push_back({found_.size() - 1, neuron_, at, source});
  }

  template <class Times>
  void enter(const Times& arrivals, std::size_t neuron, std::size_t l,
             std::span<const Segment<Real>> own, std::span<const FreePiece<Real>> free) {
    neuron_ = neuron;
    free.empty() ? enter(arrivals, l, own) : enter(arrivals, l, own, free);
  }

  template <class Times>
  void enter(const Times& arrivals, std::size_t l, std::span<const Segment<Real>> own) {
    for (std::size_t k = 0; k < own.size(); ++k) {
      const std::size_t below = arrivals.count_before(own[k].from);
      // A segment without an arrival in it is never read.
      if (below == 0) continue;
      const double last = arrivals.time(below - 1);
      if (k + 1 < own.size() && own[k + 1].from > last) continue;
      add_entry(below - 1, l);
      add_part(own[k].from - last, own[k].at, own[k].source);
    }
  }

  // Wherever a segment or a free piece begins or ends: the sum of all that hold there.
  template <class Times>
  void enter(const Times& arrivals, std::size_t l, std::span<const Segment<Real>> own,
             std::span<const FreePiece<Real>> free) {
    groups_.clear();
    const auto last_before = [&](double time) {
      const std::size_t below = arrivals.count_before(time);
      if (below > 0) groups_.push_back(below - 1);
    };
    for (const auto& segment : own) last_before(segment.from);
    for (const auto& piece : free) {
      last_before(piece.to);
      last_before(piece.from);
    }
    std::sort(groups_.begin(), groups_.end(), std::greater<>());
    groups_.erase(std::unique(groups_.begin(), groups_.end()), groups_.end());
    std::size_t held = 0;  // so many segments begin later
    for (const std::size_t g : groups_) {
      const double t = arrivals.time(g);
      add_entry(g, l);
      while (held < own.size() && own[held].from > t) ++held;
      if (held > 0) add_part(own[held - 1].from - t, own[held - 1].at, own[held - 1].source);
      for (const auto& piece : free) {
        if (piece.from <= t && t < piece.to) add_part(piece.to - t, piece.at, 0);
      }
    }
  }

  void sort(std::size_t groups, std::size_t first, std::size_t last,
            std::vector<Entry<Real>>& out) {
    next_.assign(groups, 0);
    for (std::size_t k = first; k < last; ++k) ++next_[found_[k].group];
    for (std::size_t g = groups, at = first; g-- > 0;) at += std::exchange(next_[g], at);
    for (std::size_t k = first; k < last; ++k) out[next_[found_[k].group]++] = found_[k];
  }
};

}  // namespace saltus
