// SPDX-License-Identifier: Apache-2.0
// p = dL/dx of linear neurons that move alike, or in the same way (neuron/linear_alike.hpp), side by side:
// what adjoint/entries.hpp and adjoint/lambda.hpp are for LIF.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "adjoint/entries.hpp"
#include "adjoint/lambda.hpp"
#include "adjoint/segments.hpp"
#include "neuron/linear_alike.hpp"
#include "plan/arrivals.hpp"

namespace saltus {

/// Where the walk back through the arrivals enters a segment.
struct LinearEntry {
  std::uint32_t group, neuron;  // of arrivals; within the tile
  LinearSegment segment;        // taken back to the group
};

/// Of one sample of a population: for each tile, latest group first.
template <class Real>
class LinearEntries {
 public:
  bool driven = false;  // by a loss of the integral of V

  /// @param segments  of one sample, in order of time, latest first
  void find(const PopulationPlan<Real>& plan, const LinearSegments& segments,
            const Arrivals<Real>& arrivals) {
    const Tiles tiles(segments.neurons());
    const auto list = segments.added();
    const auto neurons = segments.neurons_added();
    found_.clear();
    tile_.clear();
    first_.assign(tiles.count + 1, 0);
    driven = false;
    std::size_t below = arrivals.group_count(), most = 0;
    // Of several segments of a neuron without an arrival in between the earliest counts: it is
    // entered last.
    for (std::size_t k = 0; k < list.size(); ++k) {
      while (below > 0 && !list[k].holds_at(arrivals.times[below - 1])) --below;
      if (below == 0) break;
      most = std::max(most, below);
      const std::size_t j = neurons[k], tile = tiles.of(j);
      found_.push_back({static_cast<std::uint32_t>(below - 1),
                        static_cast<std::uint32_t>(j - tiles.begin(tile)), list[k]});
      driven = driven || list[k].p[linear::integral_of_v] != 0;
      if (list[k].held)
        found_.back().segment.move_to(plan.linear_neuron(j), arrivals.times[below - 1]);
      tile_.push_back(tile);
      ++first_[tile + 1];
    }
    take_to_groups(plan, neurons, arrivals);
    for (std::size_t tile = 0; tile < tiles.count; ++tile) first_[tile + 1] += first_[tile];
    next_.assign(first_.begin(), first_.end() - 1);
    list_.resize(found_.size());
    for (std::size_t k = 0; k < found_.size(); ++k) list_[next_[tile_[k]]++] = found_[k];
    if (driven && !plan.alike_linear->own()) find_driven_steps(plan, arrivals, most);
  }
  /// Of those that move alike: from a group that is met to the next one.
  const linear::Step& step(const Arrivals<Real>& arrivals, std::size_t group) const {
    return driven ? driven_steps_[group] : arrivals.steps[group + 1];
  }

  std::span<const LinearEntry> of(std::size_t tile) const {
    return {list_.data() + first_[tile], first_[tile + 1] - first_[tile]};
  }

 private:
  std::vector<LinearEntry> list_, found_;
  std::vector<std::size_t> first_, tile_, next_;
  std::vector<linear::Step> driven_steps_, to_groups_;
  std::vector<double> gaps_;

  // Those whose V is not held, all at once. @param neurons  as found_
  void take_to_groups(const PopulationPlan<Real>& plan, std::span<const std::uint32_t> neurons,
                      const Arrivals<Real>& arrivals) {
    const linear::Alike& all = *plan.alike_linear;
    gaps_.clear();
    for (const LinearEntry& e : found_) {
      gaps_.push_back(std::max(e.segment.from - arrivals.times[e.group], 0.0));
    }
    if (!all.own()) {
      to_groups_.resize(gaps_.size());
      all.steps(gaps_, to_groups_.data(), driven);
    }
    for (std::size_t k = 0; k < found_.size(); ++k) {
      LinearSegment& s = found_[k].segment;
      if (s.held || gaps_[k] == 0) continue;
      s.p = all.own() ? all.step(plan.linear_neuron(neurons[k]).free, gaps_[k], driven)
                            .back(s.p, all.components)
                      : to_groups_[k].back(s.p, all.components);
    }
  }

  // With what the integral of V adds, between the first groups.
  void find_driven_steps(const PopulationPlan<Real>& plan, const Arrivals<Real>& arrivals,
                         std::size_t groups) {
    gaps_.clear();
    for (std::size_t g = 0; g + 1 < groups; ++g) {
      gaps_.push_back(arrivals.times[g + 1] - arrivals.times[g]);
    }
    driven_steps_.resize(gaps_.size());
    plan.alike_linear->steps(gaps_, driven_steps_.data(), true);
  }
};

/// p of some neurons at one time, and what drives that of V.
class LinearLambda {
 public:
  Slots<double, most_components + 1> slots;

  /// All to 0.
  void start(std::size_t neurons) {
    slots.resize(neurons);
    for (std::size_t a = 0; a <= most_components; ++a) {
      std::fill_n(slots[a], slots.layout().count(), 0.0);
    }
  }
  /// While V is held its p stays, and drives nothing: it is not needed here.
  void set(std::size_t neuron, const LinearSegment& segment) {
    const std::size_t slot = slots.layout().slot_of(neuron);
    for (std::size_t a = 0; a <= most_components; ++a) slots[a][slot] = segment.p[a];
    if (segment.held) slots[0][slot] = slots[most_components][slot] = 0;
  }
  /// The same back.
  void get(std::size_t neuron, LinearSegment& segment) const {
    const std::size_t slot = slots.layout().slot_of(neuron);
    for (std::size_t a = segment.held ? 1 : 0; a < most_components; ++a) {
      segment.p[a] = slots[a][slot];
    }
  }
};

/// Of neurons with a motion of their own, for each receptor: e, where it drives, and A e.
class OwnReceptors {
 public:
  void start(const linear::Alike& all, std::span<const linear::Neuron> neurons) {
    factors_.resize(neurons.size());
    const SlotLayout& layout = factors_.layout();
    for (std::size_t s = 0; s < layout.count(); ++s) {
      const linear::Neuron& n = neurons[layout.used(s) ? layout.neuron(s) : 0];
      for (std::size_t r = 0; r < most_receptors; ++r) {
        const linear::Vector<double> moves = linear::product(n.free.matrix(), n.receptors[r]);
        for (std::size_t k = 0; k < linear::dimension; ++k) {
          if (all.receptors[r][k] != 0) factors_[r * of_receptor][s] = n.receptors[r][k];
          factors_[r * of_receptor + 1 + k][s] = moves[k];
        }
      }
    }
  }
  // Of all slots.
  const double* e(std::size_t receptor) const { return factors_[receptor * of_receptor]; }
  const double* slope(std::size_t receptor, std::size_t k) const {
    return factors_[receptor * of_receptor + 1 + k];
  }

 private:
  static constexpr std::size_t of_receptor = 1 + linear::dimension;
  Slots<double, most_receptors * of_receptor> factors_;
};

/// adjoint/linear_lambda_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct LinearLambdaKernels {
  /// Reads p at the arrivals of one sample, for a tile of neurons first .. first + width - 1: p of each is
  /// 0 until its first entry.
  /// @param targets  by number of the projection
  void (*read_arrivals)(const PopulationPlan<Real>& plan, const LinearEntries<Real>& entries,
                        std::size_t tile, const Arrivals<Real>& arrivals, std::size_t first,
                        std::size_t width, const std::vector<Target<Real>>& targets);
  /// Takes all of them back over an interval.
  void (*flow_back)(LinearLambda& lambda, const linear::Step& step);
  /// The same by the first of their own steps.
  void (*flow_own_back)(LinearLambda& lambda, const linear::OwnSteps& steps, std::size_t components,
                        bool driven);
  /// dL/dt of an arrival with these weights, which can be read to the end of their last vector.
  /// @param own  null: they move alike
  double (*error_of_arrival)(const linear::Alike& all, const OwnReceptors* own,
                             const LinearLambda& lambda, const Real* row, std::size_t receptor);

  static const LinearLambdaKernels& best();
};

}  // namespace saltus
