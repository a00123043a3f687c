// SPDX-License-Identifier: Apache-2.0
// Highest (observe/highest.hpp) in vectors: only a maximum inside an interval, which is rare, is
// looked for one by one.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "observe/highest_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>
#include <limits>

#include "machine/dispatch.hpp"
#include "machine/mask-inl.hpp"
#include "machine/slots.hpp"
#include "neuron/lif-inl.hpp"
#include "observe/highest.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// All neurons in slots: V, I, and the maximum so far with I there.
template <class Real>
struct InSlots {
  using Int = hwy::MakeSigned<Real>;
  static constexpr Int as_it_was = -1;  // at the start, or inside an interval

  SlotLayout layout;
  Real *v, *i, *bias, *best, *current;
  Int* group;  // the interval at whose end the maximum is
};

template <class Real>
HWY_INLINE InSlots<Real> at_start(std::span<Highest<Real>> highest) {
  using Int = typename InSlots<Real>::Int;
  thread_local Slots<Real, 5> numbers;
  thread_local Slots<Int, 1> groups;
  numbers.resize(highest.size());
  groups.resize(highest.size());
  const InSlots<Real> all{numbers.layout(), numbers[0], numbers[1], numbers[2],
                          numbers[3],       numbers[4], groups[0]};
  for (std::size_t s = 0; s < all.layout.count(); ++s) {
    const auto& n = highest[all.layout.used(s) ? all.layout.neuron(s) : 0].n;
    all.v[s] = all.best[s] = n.v_initial;
    all.i[s] = all.current[s] = n.i_initial;
    all.bias[s] = n.bias;
    all.group[s] = all.as_it_was;
  }
  return all;
}

// When the intervals of each neuron begin and end, and how V decays in them.
template <class Real>
struct SharedIntervals {
  const Arrivals<Real>& arrivals;
  double t_end;

  double start(std::size_t g, std::size_t) const { return g > 0 ? arrivals.times[g - 1] : 0; }
  double end(std::size_t g, std::size_t) const {
    return g < arrivals.group_count() ? arrivals.times[g] : t_end;
  }
};
template <class Real>
struct OwnIntervals {
  const LaneCourse<Real>& course;

  double start(std::size_t k, std::size_t slot) const {
    return course.start(course.blocks[0], k, slot, 0);
  }
  double end(std::size_t k, std::size_t slot) const {
    return course.end[k * LaneCourse<Real>::lanes + slot];
  }
};

// The maximum inside interval g, for the lanes of `peak` from `slot` on: (v, i) at its start.
template <class Real, class V, class Intervals>
HWY_INLINE void look_inside(const InSlots<Real>& all, std::size_t slot, MaskOf<V> peak, V v, V i,
                            V mem, const Intervals& intervals, std::size_t g,
                            std::span<Highest<Real>> highest) {
  const hn::ScalableTag<Real> tag;
  constexpr std::size_t most_lanes = HWY_MAX_BYTES / sizeof(Real);
  HWY_ALIGN Real v_at[most_lanes], i_at[most_lanes], mem_at[most_lanes];
  hn::Store(v, tag, v_at);
  hn::Store(i, tag, i_at);
  hn::Store(mem, tag, mem_at);
  for (std::uint64_t left = bits_of(tag, peak); left != 0; left &= left - 1) {
    const auto l = static_cast<std::size_t>(std::countr_zero(left));
    if (!all.layout.used(slot + l)) continue;
    Highest<Real>& one = highest[all.layout.neuron(slot + l)];
    one.value = all.best[slot + l];
    one.peak(intervals.start(g, slot + l), intervals.end(g, slot + l), v_at[l], i_at[l], mem_at[l]);
    if (!(one.value > all.best[slot + l])) continue;
    all.best[slot + l] = one.value;
    all.group[slot + l] = all.as_it_was;
  }
}

// What interval g says of a vector of neurons whose state at its start is (v, i).
template <class Real, class V, class Intervals>
HWY_INLINE void meet(const InSlots<Real>& all, std::size_t slot, V v, V i, V bias, V v_end,
                     V later_i, const Decays<V>& decays, const Intervals& intervals, std::size_t g,
                     std::span<Highest<Real>> highest) {
  using Int = typename InSlots<Real>::Int;
  const hn::ScalableTag<Real> tag;
  const hn::ScalableTag<Int> ints;
  const auto higher = hn::Gt(highest_reach(v, i, bias, decays), hn::Load(tag, all.best + slot));
  if (hn::AllFalse(tag, higher)) return;
  const auto peak =
      hn::And(higher, hn::AndNot(rises_at_end(v, i, bias, decays), rises_at_start(v, i, bias)));
  if (!hn::AllFalse(tag, peak)) {
    look_inside(all, slot, peak, v, i, decays.mem, intervals, g, highest);
  }
  const V best = hn::Load(tag, all.best + slot), current = hn::Load(tag, all.current + slot);
  const auto at_end = hn::And(higher, hn::Gt(v_end, best));
  hn::Store(hn::IfThenElse(at_end, v_end, best), tag, all.best + slot);
  hn::Store(hn::IfThenElse(at_end, later_i, current), tag, all.current + slot);
  const auto group = hn::Load(ints, all.group + slot);
  const auto this_one = hn::Set(ints, static_cast<Int>(g));
  hn::Store(hn::IfThenElse(hn::RebindMask(ints, at_end), this_one, group), ints, all.group + slot);
}

// Tells each where its maximum is.
template <class Real, class Intervals>
HWY_INLINE void hand_over(const InSlots<Real>& all, const Intervals& intervals, double end,
                          std::span<Highest<Real>> highest) {
  for (std::size_t s = 0; s < all.layout.count(); ++s) {
    if (!all.layout.used(s)) continue;
    Highest<Real>& one = highest[all.layout.neuron(s)];
    one.value = all.best[s];
    if (all.group[s] == all.as_it_was) continue;
    one.time = intervals.end(static_cast<std::size_t>(all.group[s]), s);
    one.place = one.time >= end ? Place::end : Place::arrival;
    one.current = all.current[s];
  }
}

template <class Real>
void find(const Arrivals<Real>& arrivals, double end, std::span<Highest<Real>> highest) {
  const hn::ScalableTag<Real> tag;
  using V = hn::Vec<decltype(tag)>;
  const std::size_t lanes = hn::Lanes(tag);
  const InSlots<Real> all = at_start(highest);
  const SharedIntervals<Real> intervals{arrivals, end};
  for (std::size_t g = 0; g <= arrivals.group_count(); ++g) {
    const auto arrived = g > 0 ? arrivals.group(g - 1) : std::span<const Arrival<Real>>();
    const Decays<V> decays = in_all_lanes(tag, arrivals.decays[g]);
    for (std::size_t slot = 0; slot < all.layout.end(lanes); slot += lanes) {
      const std::size_t neuron = all.layout.neuron(slot);
      const V v = hn::Load(tag, all.v + slot), bias = hn::Load(tag, all.bias + slot);
      V i = hn::Load(tag, all.i + slot);
      for (const auto& arrival : arrived) i = hn::Add(i, hn::LoadU(tag, arrival.row + neuron));
      const V v_end = membrane_after(v, i, bias, decays), later_i = hn::Mul(i, decays.syn);
      hn::Store(v_end, tag, all.v + slot);
      hn::Store(later_i, tag, all.i + slot);
      meet(all, slot, v, i, bias, v_end, later_i, decays, intervals, g, highest);
    }
  }
  hand_over(all, intervals, end, highest);
}

template <class Real>
void find_in_lanes(const LaneCourse<Real>& course, const neuron::LaneConstants<Real>& own,
                   double end, std::span<Highest<Real>> highest) {
  const hn::ScalableTag<Real> tag;
  using V = hn::Vec<decltype(tag)>;
  const InSlots<Real> all = at_start(highest);
  const OwnIntervals<Real> intervals{course};
  const V zero = hn::Zero(tag);
  const OwnPace<V> pace{own, zero};
  for (std::size_t k = 0; k < course.longest; ++k) {
    for (std::size_t slot = 0; slot < widest_vector; slot += hn::Lanes(tag)) {
      const std::size_t at = k * widest_vector + slot;
      const V length = hn::Load(tag, course.length.data() + at);
      const auto none = hn::Lt(length, zero);
      const Decays<V> decays = pace.over(slot, hn::Max(length, zero));
      const V v = hn::Load(tag, all.v + slot), bias = hn::Load(tag, all.bias + slot);
      const V i = hn::Add(hn::Load(tag, all.i + slot), hn::Load(tag, course.weight.data() + at));
      const V v_end = hn::IfThenElse(none, v, membrane_after(v, i, bias, decays));
      const V later_i = hn::Mul(i, decays.syn);
      hn::Store(v_end, tag, all.v + slot);
      hn::Store(later_i, tag, all.i + slot);
      // Who has no interval cannot get higher.
      const V seen = hn::IfThenElse(none, hn::Set(tag, std::numeric_limits<Real>::lowest()), v_end);
      const V low = hn::IfThenElse(none, seen, v);
      meet(all, slot, low, hn::IfThenZeroElse(none, i), hn::IfThenElse(none, seen, bias), seen,
           later_i, decays, intervals, k, highest);
    }
  }
  hand_over(all, intervals, end, highest);
}

SALTUS_KERNELS(HighestKernels, find<Real>, find_in_lanes<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(HighestKernels)
}  // namespace saltus
#endif
