// SPDX-License-Identifier: Apache-2.0
// Highest (observe/highest.hpp) in vectors: only a maximum inside an interval, which is rare, is
// looked for one by one.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "observe/highest_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>

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
HWY_INLINE InSlots<Real> at_start(const std::vector<Highest<Real>>& highest) {
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

// Where interval g ends.
template <class Real>
double time_after(const Arrivals<Real>& arrivals, std::size_t g, double end) {
  return g < arrivals.group_count() ? arrivals.times[g] : end;
}

// The maximum inside interval g, for the lanes of `peak` from `slot` on: (v, i) at its start.
template <class Real, class V>
HWY_INLINE void look_inside(const InSlots<Real>& all, std::size_t slot, MaskOf<V> peak, V v, V i,
                            const Arrivals<Real>& arrivals, std::size_t g, double end,
                            std::vector<Highest<Real>>& highest) {
  const hn::ScalableTag<Real> tag;
  HWY_ALIGN Real v_at[HWY_MAX_BYTES / sizeof(Real)], i_at[HWY_MAX_BYTES / sizeof(Real)];
  hn::Store(v, tag, v_at);
  hn::Store(i, tag, i_at);
  for (std::uint64_t left = bits_of(tag, peak); left != 0; left &= left - 1) {
    const auto l = static_cast<std::size_t>(std::countr_zero(left));
    if (!all.layout.used(slot + l)) continue;
    Highest<Real>& one = highest[all.layout.neuron(slot + l)];
    one.value = all.best[slot + l];
    one.peak(g > 0 ? arrivals.times[g - 1] : 0, time_after(arrivals, g, end), v_at[l], i_at[l],
             arrivals.decays[g].mem);
    if (!(one.value > all.best[slot + l])) continue;
    all.best[slot + l] = one.value;
    all.group[slot + l] = all.as_it_was;
  }
}

// Tells each where its maximum is.
template <class Real>
HWY_INLINE void hand_over(const InSlots<Real>& all, const Arrivals<Real>& arrivals, double end,
                          std::vector<Highest<Real>>& highest) {
  for (std::size_t s = 0; s < all.layout.count(); ++s) {
    if (!all.layout.used(s)) continue;
    Highest<Real>& one = highest[all.layout.neuron(s)];
    one.value = all.best[s];
    if (all.group[s] == all.as_it_was) continue;
    const auto g = static_cast<std::size_t>(all.group[s]);
    one.time = time_after(arrivals, g, end);
    one.place = one.time >= end ? Place::end : Place::arrival;
    one.current = all.current[s];
  }
}

template <class Real>
void find(const Arrivals<Real>& arrivals, double end, std::vector<Highest<Real>>& highest) {
  using Int = typename InSlots<Real>::Int;
  const hn::ScalableTag<Real> tag;
  const hn::ScalableTag<Int> ints;
  using V = hn::Vec<decltype(tag)>;
  const std::size_t lanes = hn::Lanes(tag);
  const InSlots<Real> all = at_start(highest);
  for (std::size_t g = 0; g <= arrivals.group_count(); ++g) {
    const neuron::Decay<Real>& d = arrivals.decays[g];
    const auto arrived = g > 0 ? arrivals.group(g - 1) : std::span<const Arrival<Real>>();
    const Decays<V> decays = in_all_lanes(tag, d);
    for (std::size_t slot = 0; slot < all.layout.end(lanes); slot += lanes) {
      const std::size_t neuron = all.layout.neuron(slot);
      const V v = hn::Load(tag, all.v + slot), bias = hn::Load(tag, all.bias + slot);
      V i = hn::Load(tag, all.i + slot);
      for (const auto& arrival : arrived) i = hn::Add(i, hn::LoadU(tag, arrival.row + neuron));
      const V v_end = membrane_after(v, i, bias, decays), later_i = hn::Mul(i, decays.syn);
      hn::Store(v_end, tag, all.v + slot);
      hn::Store(later_i, tag, all.i + slot);
      const auto higher = hn::Gt(highest_reach(v, i, bias, decays), hn::Load(tag, all.best + slot));
      if (hn::AllFalse(tag, higher)) continue;
      const auto peak =
          hn::And(higher, hn::AndNot(rises_at_end(v, i, bias, decays), rises_at_start(v, i, bias)));
      if (!hn::AllFalse(tag, peak)) look_inside(all, slot, peak, v, i, arrivals, g, end, highest);
      const V best = hn::Load(tag, all.best + slot), current = hn::Load(tag, all.current + slot);
      const auto at_end = hn::And(higher, hn::Gt(v_end, best));
      hn::Store(hn::IfThenElse(at_end, v_end, best), tag, all.best + slot);
      hn::Store(hn::IfThenElse(at_end, later_i, current), tag, all.current + slot);
      const auto group = hn::Load(ints, all.group + slot);
      const auto this_one = hn::Set(ints, static_cast<Int>(g));
      hn::Store(hn::IfThenElse(hn::RebindMask(ints, at_end), this_one, group), ints,
                all.group + slot);
    }
  }
  hand_over(all, arrivals, end, highest);
}

SALTUS_KERNELS(HighestKernels, find<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(HighestKernels)
}  // namespace saltus
#endif
