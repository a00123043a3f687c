// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adjoint/lambda_kernel.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "adjoint/lambda.hpp"
#include "machine/dispatch.hpp"
#include "neuron/lif-inl.hpp"
#include "neuron/terms.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// So many partial sums make the sum over neurons, whatever the vectors of the machine hold.
constexpr std::size_t partial_sums = 8;
template <class Real>
using Tag = hn::CappedTag<Real, partial_sums>;

// What takes lambda back over an interval: how it decays, and how lambda_V drives lambda_I.
template <class V>
struct BackDecays {
  V mem, syn, drive;
};
template <class V>
struct SharedBackPace {
  BackDecays<V> decays;

  HWY_INLINE const BackDecays<V>& at(std::size_t) const { return decays; }
};
template <class V>
HWY_INLINE V drive_of(const OwnPace<V>& pace, std::size_t slot, const Decays<V>& d) {
  const hn::DFromV<V> tag;
  if (!terms::lambda_v_drives_i) return hn::Zero(tag);
  return hn::Mul(hn::Load(tag, pace.constants.p + slot), d.k);
}
template <class V>
struct OwnBackPace {
  OwnPace<V> pace;

  HWY_INLINE BackDecays<V> at(std::size_t slot) const {
    const Decays<V> d = pace.at(slot);
    return {d.mem, d.syn, drive_of(pace, slot, d)};
  }
};

// Over an interval of its own each.
template <class V>
struct LaneBackPace {
  OwnPace<V> pace;
  const hn::TFromV<V>* lengths;

  HWY_INLINE BackDecays<V> at(std::size_t slot) const {
    const hn::DFromV<V> tag;
    const Decays<V> d = pace.over(slot, hn::Load(tag, lengths + slot));
    return {d.mem, d.syn, drive_of(pace, slot, d)};
  }
};

template <class V>
struct BackState {
  V v, i;
};
template <class V>
HWY_INLINE BackState<V> back_over(V v, V i, const BackDecays<V>& d) {
  return {hn::Mul(v, d.mem), hn::Add(hn::Mul(i, d.syn), hn::Mul(v, d.drive))};
}
template <class V>
HWY_INLINE BackState<V> back_over(V v, V i, V source, const BackDecays<V>& d) {
  const V a = hn::Add(v, source), from_v = hn::Mul(a, d.drive);
  return {hn::Sub(hn::Mul(a, d.mem), source),
          hn::Sub(hn::Add(hn::Mul(hn::Add(i, source), d.syn), from_v), source)};
}

template <class Real, class Pace>
HWY_INLINE void flow_back_at(Lambda<Real>& lambda, const Pace& pace) {
  const Tag<Real> tag;
  Real *const v_of = lambda.slots[0], *const i_of = lambda.slots[1];
  const Real* const source_of = lambda.slots[2];
  const std::size_t count = lambda.slots.layout().count();
  if (HWY_LIKELY(!lambda.driven)) {
    for (std::size_t s = 0; s < count; s += hn::Lanes(tag)) {
      const auto v = hn::Load(tag, v_of + s), i = hn::Load(tag, i_of + s);
      const auto back = back_over(v, i, pace.at(s));
      hn::Store(back.i, tag, i_of + s);
      hn::Store(back.v, tag, v_of + s);
    }
    return;
  }
  for (std::size_t s = 0; s < count; s += hn::Lanes(tag)) {
    const auto v = hn::Load(tag, v_of + s), i = hn::Load(tag, i_of + s);
    const auto back = back_over(v, i, hn::Load(tag, source_of + s), pace.at(s));
    hn::Store(back.i, tag, i_of + s);
    hn::Store(back.v, tag, v_of + s);
  }
}

template <class Real>
HWY_INLINE void flow_back(Lambda<Real>& lambda, const neuron::TimeConstants& tc,
                          const neuron::Decay<Real>& d) {
  const Tag<Real> tag;
  const Real p = static_cast<Real>(terms::lambda_v_drives_i ? tc.p : 0);
  flow_back_at(lambda, SharedBackPace<hn::Vec<Tag<Real>>>{
                           {hn::Set(tag, d.mem), hn::Set(tag, d.syn), hn::Set(tag, p * d.k)}});
}

template <class Real>
HWY_INLINE void own_flow_back(Lambda<Real>& lambda, const neuron::LaneConstants<Real>& own,
                              double dt) {
  const Tag<Real> tag;
  flow_back_at(lambda, OwnBackPace<hn::Vec<Tag<Real>>>{{own, hn::Set(tag, static_cast<Real>(dt))}});
}

template <class Real>
HWY_INLINE double error_of_arrival(const Lambda<Real>& lambda, const Real* row) {
  const Tag<Real> tag;
  const std::size_t lanes = hn::Lanes(tag);
  const SlotLayout layout = lambda.slots.layout();
  const Real *const v_of = lambda.slots[0], *const i_of = lambda.slots[1];
  HWY_ALIGN Real sum[partial_sums];
  for (std::size_t l = 0; l < partial_sums; l += lanes) {
    auto part = hn::Zero(tag);
    for (std::size_t s = l; s < layout.count(); s += partial_sums) {
      const auto v = terms::lambda_v_in_e ? hn::Load(tag, v_of + s) : hn::Zero(tag);
      const auto i = terms::lambda_i_in_e ? hn::Load(tag, i_of + s) : hn::Zero(tag);
      const auto w = hn::LoadU(tag, row + layout.place(s));
      part = hn::Add(part, hn::Mul(w, hn::Sub(v, i)));
    }
    hn::Store(part, tag, sum + l);
  }
  return static_cast<double>(((sum[0] + sum[4]) + (sum[2] + sum[6])) +
                             ((sum[1] + sum[5]) + (sum[3] + sum[7])));
}

// gradient += factor lambda_I
template <class Real>
HWY_INLINE void add(const Lambda<Real>& lambda, Real factor, Real* gradient) {
  const Tag<Real> tag;
  const auto times = hn::Set(tag, factor);
  const std::size_t count = lambda.slots.layout().count();
  const Real* const i_of = lambda.slots[1];
  for (std::size_t s = 0; s < count; s += hn::Lanes(tag)) {
    const auto change = hn::Mul(times, hn::Load(tag, i_of + s));
    hn::Store(hn::Add(hn::Load(tag, gradient + s), change), tag, gradient + s);
  }
}

// The same where tau_syn is each neuron's own: gradient -= tau_syn lambda_I
template <class Real>
HWY_INLINE void add(const Lambda<Real>& lambda, const neuron::LaneConstants<Real>& own,
                    Real* gradient) {
  const Tag<Real> tag;
  const std::size_t count = lambda.slots.layout().count();
  const Real* const i_of = lambda.slots[1];
  for (std::size_t s = 0; s < count; s += hn::Lanes(tag)) {
    const auto change = hn::Mul(hn::Load(tag, own.tau_syn + s), hn::Load(tag, i_of + s));
    hn::Store(hn::Sub(hn::Load(tag, gradient + s), change), tag, gradient + s);
  }
}

// Rows come in no order that the machine could guess.
constexpr std::size_t rows_ahead = 4;

template <class Real>
HWY_INLINE void prefetch_rows(const Arrivals<Real>& arrivals, std::size_t group,
                              const std::vector<Target<Real>>& targets, std::size_t stride) {
  for (const auto& arrival : arrivals.group(group)) {
    const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
    const Real* const row = target.weights + static_cast<std::size_t>(arrival.pre) * stride;
    constexpr std::size_t line = 64 / sizeof(Real);
    for (std::size_t s = 0; s < stride; s += line) hwy::Prefetch(row + s);
  }
}

template <class Real>
void read_arrivals(const neuron::TimeConstants& tc, const neuron::LaneConstants<Real>* own,
                   std::span<const Entry<Real>> entries, const Arrivals<Real>& arrivals,
                   std::size_t first, std::size_t width, const std::vector<Target<Real>>& targets) {
  if (entries.empty()) return;
  thread_local Lambda<Real> lambda;
  lambda.start(width);
  const std::size_t stride = lambda.slots.layout().count();
  auto entry = entries.begin();
  for (std::size_t g = entry->group + 1; g-- > 0;) {
    if (g >= rows_ahead) prefetch_rows(arrivals, g - rows_ahead, targets, stride);
    if (HWY_LIKELY(!own)) {
      flow_back(lambda, tc, arrivals.decays[g + 1]);
    } else if (g < entries.front().group) {  // all is 0 before
      own_flow_back(lambda, *own, arrivals.times[g + 1] - arrivals.times[g]);
    }
    for (; entry != entries.end() && entry->group == g; ++entry) {
      lambda.set(entry->neuron, entry->lambda, entry->source);
    }
    for (const auto& arrival : arrivals.group(g)) {
      const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
      const auto pre = static_cast<std::size_t>(arrival.pre);
      if (HWY_LIKELY(!own)) {
        add(lambda, static_cast<Real>(-tc.tau_syn), target.weights + pre * stride);
      } else {
        add(lambda, *own, target.weights + pre * stride);
      }
      if (!target.errors && !target.delays) continue;
      const double moved = error_of_arrival(lambda, arrival.row + first);
      if (target.errors) target.errors[arrival.spike] += moved;
      if (target.delays) target.delays[target.projection->delay.index(pre, 0)] += moved;
    }
  }
}

template <class Real>
void errors_of_lanes(const Lambda<Real>& last, const Real* lengths, const Lambda<Real>& before,
                     const Real* longer, const neuron::LaneConstants<Real>& own, const Real* row,
                     Real* moved) {
  const Tag<Real> tag;
  const SlotLayout layout = last.slots.layout();
  const auto zero = hn::Zero(tag);
  const OwnPace<hn::Vec<Tag<Real>>> pace{own, zero};
  for (std::size_t s = 0; s < layout.count(); s += hn::Lanes(tag)) {
    auto v = hn::Load(tag, last.slots[0] + s), i = hn::Load(tag, last.slots[1] + s);
    auto source = hn::Load(tag, last.slots[2] + s), length = hn::Load(tag, lengths + s);
    const auto late = hn::Le(length, zero);
    if (!hn::AllFalse(tag, late)) {
      v = hn::IfThenElse(late, hn::Load(tag, before.slots[0] + s), v);
      i = hn::IfThenElse(late, hn::Load(tag, before.slots[1] + s), i);
      source = hn::IfThenElse(late, hn::Load(tag, before.slots[2] + s), source);
      length = hn::Max(hn::IfThenElse(late, hn::Load(tag, longer + s), length), zero);
    }
    const Decays<hn::Vec<Tag<Real>>> d = pace.over(s, length);
    const auto back = back_over(v, i, source, {d.mem, d.syn, drive_of(pace, s, d)});
    const auto back_v = terms::lambda_v_in_e ? back.v : zero;
    const auto back_i = terms::lambda_i_in_e ? back.i : zero;
    const auto w = hn::LoadU(tag, row + layout.place(s));
    hn::Store(hn::Mul(w, hn::Sub(back_v, back_i)), tag, moved + s);
  }
}

template <class Real>
void read_lanes(const neuron::LaneConstants<Real>& own, std::span<const Entry<Real>> entries,
                LaneReadings<Real>& readings) {
  const Tag<Real> tag;
  thread_local Lambda<Real> lambda;
  lambda.start(widest_vector);
  const Real *const v_of = lambda.slots[0], *const i_of = lambda.slots[1];
  const OwnPace<hn::Vec<Tag<Real>>> pace{own, hn::Zero(tag)};
  auto entry = entries.begin();
  for (std::size_t place = entry->group + 1; place-- > 0;) {
    const std::size_t row = place * widest_vector;
    flow_back_at(lambda, LaneBackPace<hn::Vec<Tag<Real>>>{pace, readings.length.data() + row});
    for (; entry != entries.end() && entry->group == place; ++entry) {
      lambda.set(entry->neuron, entry->lambda, entry->source);
    }
    for (std::size_t l = 0; l < widest_vector; l += hn::Lanes(tag)) {
      const auto lambda_v = hn::Load(tag, v_of + l), lambda_i = hn::Load(tag, i_of + l);
      const auto change = hn::Neg(hn::Mul(hn::Load(tag, own.tau_syn + l), lambda_i));
      hn::Store(change, tag, readings.change.data() + row + l);
      const auto v = terms::lambda_v_in_e ? lambda_v : hn::Zero(tag);
      const auto i = terms::lambda_i_in_e ? lambda_i : hn::Zero(tag);
      const auto w = hn::Load(tag, readings.weight.data() + row + l);
      hn::Store(hn::Mul(w, hn::Sub(v, i)), tag, readings.moved.data() + row + l);
    }
  }
}

SALTUS_KERNELS(LambdaKernels, flow_back<Real>, own_flow_back<Real>, error_of_arrival<Real>,
               errors_of_lanes<Real>, read_arrivals<Real>, read_lanes<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(LambdaKernels)
}  // namespace saltus
#endif
