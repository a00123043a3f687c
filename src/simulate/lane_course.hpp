// SPDX-License-Identifier: Apache-2.0
// What some neurons of a population go through where each has arrivals of its own: in every lane, a
// list of intervals.
#pragma once

#include <vector>

#include "machine/aligned.hpp"
#include "plan/lane_lists.hpp"
#include "simulate/layer.hpp"

namespace saltus {

template <class Real>
class LaneCourse {
 public:
  static constexpr std::size_t lanes = widest_vector;

  /// So many lanes that stand side by side, from one slot on.
  struct Block {
    std::size_t slot, intervals;  // the most that any of them has
    std::size_t at;               // where its first interval lies in the arrays
  };
  std::vector<Block> blocks;
  std::size_t longest = 0;  // intervals
  // [interval, lane] of one block after the other. What arrives at the start of an interval, how
  // long it is (negative: more arrives at the same time, or there are no more), and its end.
  Aligned<Real> weight, length;
  Aligned<double> end;

  void clear() {
    blocks.clear();
    longest = used_ = 0;
  }
  /// Is it as long as a cache bears?
  bool full() const { return used_ > 8192; }

  /// @param lists  of what arrives from `from` on, before `to`
  void add(const LaneLists<Real>& lists, std::size_t slot, double from, double to) {
    const Block block{slot, lists.longest() + 1, used_};
    blocks.push_back(block);
    longest = std::max(longest, block.intervals);
    used_ += block.intervals * lanes;
    weight.extend(used_);
    length.extend(used_);
    end.extend(used_);
    Real* const weights = weight.data() + block.at;
    Real* const lengths = length.data() + block.at;
    double* const ends = end.data() + block.at;
    std::fill_n(weights, lanes, Real(0));
    double t[lanes], next[lanes];
    std::fill_n(t, lanes, from);
    for (std::size_t k = 0, row = 0; k < block.intervals; ++k, row += lanes) {
      if (k + 1 == block.intervals) {
        std::fill_n(next, lanes, to);
      } else {
        lists.for_row(k, to, [&](std::size_t l, double time, Real arrives) {
          next[l] = time;
          weights[row + lanes + l] = arrives;
        });
      }
      // In vectors. (Who has no more arrivals has been at `to` already.)
      for (std::size_t l = 0; l < lanes; ++l) {
        const bool none = k > 0 && next[l] == t[l];
        lengths[row + l] = none ? Real(-1) : static_cast<Real>(next[l] - t[l]);
        ends[row + l] = t[l] = next[l];
      }
    }
  }
  /// When an interval begins.
  double start(const Block& block, std::size_t interval, std::size_t lane, double from) const {
    return interval == 0 ? from : end[block.at + (interval - 1) * lanes + lane];
  }

 private:
  std::size_t used_ = 0;
};

/// simulate/lanes_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct LaneKernels {
  /// Takes the neurons of a course from `from` to its end. To the last bit what neuron::advance does
  /// with one after the other, by the decays of neuron::own_decay.
  /// @param state  releases: appended to
  /// @param spikes  appended to, in no order
  void (*walk)(const PopulationPlan<Real>& plan, LayerState<Real>& state,
               const LaneCourse<Real>& course, double from,
               std::vector<RecordedSpike<Real>>& spikes);

  static const LaneKernels& best();
};

}  // namespace saltus
