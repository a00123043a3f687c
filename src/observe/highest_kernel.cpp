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
#include "observe/highest.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
void find(const Arrivals<Real>& arrivals, double end, std::vector<Highest<Real>>& highest) {
  using Int = hwy::MakeSigned<Real>;
  const hn::ScalableTag<Real> tag;
  const hn::ScalableTag<Int> ints;
  using V = hn::Vec<decltype(tag)>;
  const std::size_t lanes = hn::Lanes(tag);
  constexpr Int as_it_was = -1;  // at the start, or inside an interval

  thread_local Slots<Real, 5> slots;
  thread_local Slots<Int, 1> groups;
  slots.resize(highest.size());
  groups.resize(highest.size());
  const SlotLayout layout = slots.layout();
  Real *const v_of = slots[0], *const i_of = slots[1], *const bias_of = slots[2];
  Real *const best_of = slots[3], *const current_of = slots[4];
  Int* const group_of = groups[0];  // the interval at whose end the maximum is
  for (std::size_t s = 0; s < layout.count(); ++s) {
    const auto& n = highest[layout.used(s) ? layout.neuron(s) : 0].n;
    v_of[s] = best_of[s] = n.v_initial;
    i_of[s] = current_of[s] = n.i_initial;
    bias_of[s] = n.bias;
    group_of[s] = as_it_was;
  }

  const V zero = hn::Zero(tag);
  for (std::size_t g = 0; g <= arrivals.group_count(); ++g) {
    const neuron::Decay<Real>& d = arrivals.decays[g];
    const auto arrived = g > 0 ? arrivals.group(g - 1) : std::span<const Arrival<Real>>();
    const V mem = hn::Set(tag, d.mem), syn = hn::Set(tag, d.syn), k = hn::Set(tag, d.k);
    const V reach = hn::Set(tag, d.reach), end_slope = hn::Set(tag, d.end_slope);
    for (std::size_t slot = 0; slot < layout.end(lanes); slot += lanes) {
      const std::size_t neuron = layout.neuron(slot);
      const V v = hn::Load(tag, v_of + slot), bias = hn::Load(tag, bias_of + slot);
      const V best = hn::Load(tag, best_of + slot);
      V i = hn::Load(tag, i_of + slot);
      for (const auto& arrival : arrived) i = hn::Add(i, hn::LoadU(tag, arrival.row + neuron));
      const V above = hn::Sub(v, bias), later_i = hn::Mul(i, syn);
      const V v_end = hn::Add(hn::Add(bias, hn::Mul(above, mem)), hn::Mul(i, k));
      const V top = hn::Add(hn::Max(v, bias), hn::Mul(hn::Max(i, zero), reach));
      hn::Store(v_end, tag, v_of + slot);
      hn::Store(later_i, tag, i_of + slot);
      const auto higher = hn::Gt(top, best);
      if (hn::AllFalse(tag, higher)) continue;
      const auto peak = hn::And(higher, hn::And(hn::Gt(hn::Add(i, bias), v),
                                                hn::Not(hn::Lt(above, hn::Mul(i, end_slope)))));
      if (!hn::AllFalse(tag, peak)) {
        HWY_ALIGN Real v_at[HWY_MAX_BYTES / sizeof(Real)], i_at[HWY_MAX_BYTES / sizeof(Real)];
        hn::Store(v, tag, v_at);
        hn::Store(i, tag, i_at);
        for (std::uint64_t left = bits_of(tag, peak); left != 0; left &= left - 1) {
          const auto l = static_cast<std::size_t>(std::countr_zero(left));
          if (!layout.used(slot + l)) continue;
          Highest<Real>& one = highest[neuron + l];
          one.value = best_of[slot + l];
          one.peak(g > 0 ? arrivals.times[g - 1] : 0,
                   g < arrivals.group_count() ? arrivals.times[g] : end, v_at[l], i_at[l], d.mem);
          if (!(one.value > best_of[slot + l])) continue;
          best_of[slot + l] = one.value;
          group_of[slot + l] = as_it_was;
        }
      }
      const V so_far = hn::Load(tag, best_of + slot);
      const auto ends_highest = hn::And(higher, hn::Gt(v_end, so_far));
      hn::Store(hn::IfThenElse(ends_highest, v_end, so_far), tag, best_of + slot);
      hn::Store(hn::IfThenElse(ends_highest, later_i, hn::Load(tag, current_of + slot)), tag,
                current_of + slot);
      hn::Store(hn::IfThenElse(hn::RebindMask(ints, ends_highest),
                               hn::Set(ints, static_cast<Int>(g)), hn::Load(ints, group_of + slot)),
                ints, group_of + slot);
    }
  }
  for (std::size_t s = 0; s < layout.count(); ++s) {
    if (!layout.used(s)) continue;
    Highest<Real>& one = highest[layout.neuron(s)];
    one.value = best_of[s];
    if (group_of[s] == as_it_was) continue;
    const auto g = static_cast<std::size_t>(group_of[s]);
    one.time = g < arrivals.group_count() ? arrivals.times[g] : end;
    one.place = one.time >= end ? Place::end : Place::arrival;
    one.current = current_of[s];
  }
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
