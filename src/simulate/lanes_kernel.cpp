// SPDX-License-Identifier: Apache-2.0
// Neurons that each have arrivals of their own, side by side: each lane goes through its own list of
// intervals.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simulate/lanes_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "machine/dispatch.hpp"
#include "simulate/lane_course.hpp"
#include "simulate/search-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

template <class Real>
class Walk : Search<Real> {
 public:
  using Base = Search<Real>;
  using Base::Base;
  using typename Base::M, typename Base::Tag, typename Base::V;

  void go(const LaneCourse<Real>& course, double from) {
    const neuron::Lif<Real>& n = plan_.neurons[0];
    for (std::size_t interval = 0; interval < course.longest; ++interval) {
      std::size_t count = 0;
      freed_.clear();
      for (const auto& block : course.blocks) {
        if (block.intervals <= interval) continue;
        if (!state_.held.empty()) free_those(course, block, interval);
        const std::size_t first = count;
        count = pass(course, block, interval, count);
        for (std::size_t k = first; k < count; ++k) {
          const std::size_t lane = static_cast<std::size_t>(state_.may_slot[k]) - block.slot;
          state_.may_t[k] = course.start(block, interval, lane, from);
          state_.may_end[k] = course.end[block.at + interval * lanes + lane];
        }
      }
      if (count > 0) {
        if (!plan_.same_time_constants || plan_.in_time) {
          search_own(count, OwnPowers<V>());
        } else if (n.by_z.integer_p) {
          search_own(count, WholePowers<V>(n));
        } else {
          search_own(count, AnyPowers<V>(n));
        }
      }
      for (const Freed& f : freed_) {
        const neuron::Lif<Real>& freed = plan_.neuron(layout_.neuron(f.held.slot));
        const double t = course.start(*f.block, interval, f.held.slot - f.block->slot, from);
        state_.theta[f.held.slot] = freed.theta;
        go_alone(f.held.slot, {freed.v_reset, f.i, f.held.release}, t, f.end,
                 neuron::own_decay(freed.own, f.end - t), f.held.spike);
      }
    }
  }

 private:
  using Base::go_alone, Base::keep, Base::layout_, Base::may_spike, Base::plan_, Base::search_own,
      Base::state_;
  using Block = typename LaneCourse<Real>::Block;
  static constexpr std::size_t lanes = LaneCourse<Real>::lanes;

  // Released within an interval: it goes through it by itself.
  struct Freed {
    typename LayerState<Real>::Held held;
    const Block* block;
    double end;
    Real i;  // at the start of the interval
  };
  inline static thread_local std::vector<Freed> freed_;

  void free_those(const LaneCourse<Real>& course, const Block& block, std::size_t interval) {
    auto& held = state_.held;
    const std::size_t before = held.size();
    std::erase_if(held, [&](const auto& h) {
      if (h.slot < block.slot || h.slot >= block.slot + lanes) return false;
      const std::size_t at = block.at + interval * lanes + h.slot - block.slot;
      if (course.length[at] < 0 || h.release > course.end[at]) return false;
      freed_.push_back({h, &block, course.end[at], state_.i[h.slot] + course.weight[at]});
      return true;
    });
    if (held.size() < before) std::make_heap(held.begin(), held.end());
  }

  // As Kernel::pass of simulate/layer_kernel.cpp: who has no interval stays where it is.
  HWY_INLINE std::size_t pass(const LaneCourse<Real>& course, const Block& block,
                              std::size_t interval, std::size_t count) {
    const Tag tag;
    const V zero = hn::Zero(tag);
    const OwnPace<V> pace{state_.own, zero};
    const Real* const weights = course.weight.data() + block.at + interval * lanes;
    const Real* const lengths = course.length.data() + block.at + interval * lanes;
    Real *const state_v = state_.v, *const state_i = state_.i;
    const Real *const bias_of = state_.bias, *const theta_of = state_.theta;
    for (std::size_t l = 0; l < lanes; l += hn::Lanes(tag)) {
      const std::size_t slot = block.slot + l;
      const V length = hn::Load(tag, lengths + l);
      const Decays<V> decays = pace.over(slot, hn::Max(length, zero));
      const V v = hn::Load(tag, state_v + slot), bias = hn::Load(tag, bias_of + slot);
      const V theta = hn::Load(tag, theta_of + slot);
      const V i = hn::Add(hn::Load(tag, state_i + slot), hn::Load(tag, weights + l));
      const V end = membrane_after(v, i, bias, decays);
      const M none = hn::Lt(length, zero);
      const M may = hn::AndNot(none, may_spike(v, i, bias, theta, end, decays));
      hn::Store(hn::IfThenElse(none, v, end), tag, state_v + slot);
      hn::Store(hn::Mul(i, decays.syn), tag, state_i + slot);
      if (HWY_LIKELY(hn::AllFalse(tag, may))) continue;
      count = keep(may, slot, v, i, decays, count);
    }
    return count;
  }
};

template <class Real>
void walk(const PopulationPlan<Real>& plan, LayerState<Real>& state, const LaneCourse<Real>& course,
          double from, std::vector<RecordedSpike<Real>>& spikes) {
  Walk<Real>(plan, state, spikes).go(course, from);
}

SALTUS_KERNELS(LaneKernels, walk<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(LaneKernels)
}  // namespace saltus
#endif
