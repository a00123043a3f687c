// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adjoint/lambda_kernel.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "adjoint/lambda.hpp"
#include "adjoint/partial_sums.hpp"
#include "machine/dispatch.hpp"
#include "machine/promote-inl.hpp"
#include "neuron/lif-inl.hpp"
#include "neuron/terms.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Where neurons are summed up, and where each is by itself.
template <class Real>
using Summed = hn::CappedTag<Real, partial_sums>;
template <class Real>
using Each = hn::CappedTag<Real, widest_vector>;

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
  const Each<Real> tag;
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

template <class Tag, class Real>
HWY_INLINE auto shared_back_pace(Tag tag, const neuron::TimeConstants& tc,
                                 const neuron::Decay<Real>& d) {
  const Real p = static_cast<Real>(terms::lambda_v_drives_i ? tc.p : 0);
  return SharedBackPace<hn::Vec<Tag>>{
      {hn::Set(tag, d.mem), hn::Set(tag, d.syn), hn::Set(tag, p * d.k)}};
}
template <class Tag, class Real>
HWY_INLINE auto own_back_pace(Tag tag, const neuron::LaneConstants<Real>& own, double dt) {
  return OwnBackPace<hn::Vec<Tag>>{{own, hn::Set(tag, static_cast<Real>(dt))}};
}

template <class Real>
HWY_INLINE void flow_back(Lambda<Real>& lambda, const neuron::TimeConstants& tc,
                          const neuron::Decay<Real>& d) {
  flow_back_at(lambda, shared_back_pace(Each<Real>(), tc, d));
}

template <class Real>
HWY_INLINE void own_flow_back(Lambda<Real>& lambda, const neuron::LaneConstants<Real>& own,
                              double dt) {
  flow_back_at(lambda, own_back_pace(Each<Real>(), own, dt));
}

// dL/dt of an arrival with these weights.
template <class V>
HWY_INLINE V moved(V weights, V lambda_v, V lambda_i) {
  const auto zero = hn::Zero(hn::DFromV<V>());
  return hn::Mul(weights, hn::Sub(terms::lambda_v_in_e ? lambda_v : zero,
                                  terms::lambda_i_in_e ? lambda_i : zero));
}
template <class Real>
HWY_INLINE double error_of_arrival(const Lambda<Real>& lambda, const Real* row) {
  const Summed<Real> tag;
  const std::size_t lanes = hn::Lanes(tag);
  const SlotLayout layout = lambda.slots.layout();
  const Real *const v_of = lambda.slots[0], *const i_of = lambda.slots[1];
  HWY_ALIGN Real sum[partial_sums];
  for (std::size_t l = 0; l < partial_sums; l += lanes) {
    auto part = hn::Zero(tag);
    for (std::size_t s = l; s < layout.count(); s += partial_sums) {
      const auto v = hn::Load(tag, v_of + s), i = hn::Load(tag, i_of + s);
      part = hn::Add(part, moved(hn::LoadU(tag, row + layout.place(s)), v, i));
    }
    hn::Store(part, tag, sum + l);
  }
  return total(sum);
}

template <class Real>
struct SharedTauSyn {
  Real tau_syn;

  template <class Tag>
  HWY_INLINE auto at(Tag tag, std::size_t) const {
    return hn::Set(tag, tau_syn);
  }
};
template <class Real>
struct OwnTauSyn {
  const Real* tau_syn;

  template <class Tag>
  HWY_INLINE auto at(Tag tag, std::size_t slot) const {
    return hn::Load(tag, tau_syn + slot);
  }
};

// gradient -= tau_syn lambda_I
template <class Tag, class TauSyn, class V, class Real>
HWY_INLINE void add(Tag tag, const TauSyn& tau_syn, std::size_t slot, V i, Real* gradient) {
  const auto change = hn::Mul(tau_syn.at(tag, slot), i);
  hn::Store(hn::Sub(hn::Load(tag, gradient + slot), change), tag, gradient + slot);
}
template <class Real, class TauSyn>
HWY_INLINE void add(const Lambda<Real>& lambda, const TauSyn& tau_syn, Real* gradient) {
  const Each<Real> tag;
  const std::size_t count = lambda.slots.layout().count();
  const Real* const i_of = lambda.slots[1];
  for (std::size_t s = 0; s < count; s += hn::Lanes(tag)) {
    add(tag, tau_syn, s, hn::Load(tag, i_of + s), gradient);
  }
}

// flow_back and add in one pass over the neurons.
template <class Real, class Pace, class TauSyn>
HWY_INLINE void pass_back(Lambda<Real>& lambda, const Pace& pace, const TauSyn& tau_syn,
                          Real* gradient) {
  const Each<Real> tag;
  const std::size_t count = lambda.slots.layout().count();
  Real *const v_of = lambda.slots[0], *const i_of = lambda.slots[1];
  for (std::size_t s = 0; s < count; s += hn::Lanes(tag)) {
    const auto now = back_over(hn::Load(tag, v_of + s), hn::Load(tag, i_of + s), pace.at(s));
    hn::Store(now.v, tag, v_of + s);
    hn::Store(now.i, tag, i_of + s);
    add(tag, tau_syn, s, now.i, gradient);
  }
}

// The same, and error_of_arrival.
template <class Real, class Pace, class TauSyn>
HWY_INLINE double pass_back(Lambda<Real>& lambda, const Pace& pace, const TauSyn& tau_syn,
                            Real* gradient, const Real* row) {
  const Summed<Real> tag;
  const SlotLayout layout = lambda.slots.layout();
  const std::size_t lanes = hn::Lanes(tag), count = layout.count();
  Real *const v_of = lambda.slots[0], *const i_of = lambda.slots[1];
  HWY_ALIGN Real sum[partial_sums];
  for (std::size_t l = 0; l < partial_sums; l += lanes) {
    auto part = hn::Zero(tag);
    for (std::size_t s = l; s < count; s += partial_sums) {
      const auto now = back_over(hn::Load(tag, v_of + s), hn::Load(tag, i_of + s), pace.at(s));
      hn::Store(now.v, tag, v_of + s);
      hn::Store(now.i, tag, i_of + s);
      add(tag, tau_syn, s, now.i, gradient);
      part = hn::Add(part, moved(hn::LoadU(tag, row + layout.place(s)), now.v, now.i));
    }
    hn::Store(part, tag, sum + l);
  }
  return total(sum);
}

// Rows come in no order that the machine could guess. (From the second-level cache they come soon enough.)
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

// @param pace_of  (tag, group) -> what takes lambda back to it from the one behind
template <class Real, class PaceOf, class TauSyn>
HWY_INLINE void read_by(const PaceOf& pace_of, const TauSyn& tau_syn,
                        std::span<const Entry<Real>> entries, const Arrivals<Real>& arrivals,
                        std::size_t first, std::size_t width,
                        const std::vector<Target<Real>>& targets, bool far) {
  thread_local Lambda<Real> memory;
  Lambda<Real>& lambda = memory;
  lambda.start(width);
  const std::size_t stride = lambda.slots.layout().count();
  auto entry = entries.begin();
  for (std::size_t g = entry->group + 1; g-- > 0;) {
    if (far && g >= rows_ahead) prefetch_rows(arrivals, g - rows_ahead, targets, stride);
    const auto group = arrivals.group(g);
    const bool entered = entry != entries.end() && entry->group == g;
    if (HWY_LIKELY(!entered && group.size() == 1 && !lambda.driven)) {
      const Target<Real>& target = targets[static_cast<std::size_t>(group[0].projection)];
      Real* const gradient = target.weights + static_cast<std::size_t>(group[0].pre) * stride;
      const Real* const row = group[0].row + first;
      if (target.errors || target.delays) {
        const auto pace = pace_of(Summed<Real>(), g);
        target.move(group[0], pass_back(lambda, pace, tau_syn, gradient, row));
      } else {
        pass_back(lambda, pace_of(Each<Real>(), g), tau_syn, gradient);
      }
      continue;
    }
    if (g < entries.front().group) flow_back_at(lambda, pace_of(Each<Real>(), g));  // else all is 0
    for (; entry != entries.end() && entry->group == g; ++entry) {
      lambda.set(entry->neuron, entry->lambda, entry->source);
    }
    for (const auto& arrival : group) {
      const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
      add(lambda, tau_syn, target.weights + static_cast<std::size_t>(arrival.pre) * stride);
      if (!target.errors && !target.delays) continue;
      target.move(arrival, error_of_arrival(lambda, arrival.row + first));
    }
  }
}

template <class Real>
void read_arrivals(const neuron::TimeConstants& tc, const neuron::LaneConstants<Real>* own,
                   std::span<const Entry<Real>> entries, const Arrivals<Real>& arrivals,
                   std::size_t first, std::size_t width, const std::vector<Target<Real>>& targets,
                   bool far) {
  if (entries.empty()) return;
  if (HWY_LIKELY(!own)) {
    const auto pace_of = [&](auto tag, std::size_t g)
                             HWY_ATTR { return shared_back_pace(tag, tc, arrivals.decays[g + 1]); };
    const SharedTauSyn<Real> tau_syn{static_cast<Real>(tc.tau_syn)};
    read_by(pace_of, tau_syn, entries, arrivals, first, width, targets, far);
  } else {
    const auto pace_of = [&](auto tag, std::size_t g) HWY_ATTR {
      return own_back_pace(tag, *own, arrivals.times[g + 1] - arrivals.times[g]);
    };
    read_by(pace_of, OwnTauSyn<Real>{own->tau_syn}, entries, arrivals, first, width, targets, far);
  }
}

// How far back from what is known to what is asked for, in double.
template <class Real>
AskedTimes find_lengths(LastLambda<Real>& last, LastLambda<Real>& before, const Asked& asked) {
  const hn::CappedTag<double, widest_vector> tag;
  const SlotLayout layout = last.lambda.slots.layout();
  const std::size_t width = std::min(widest_vector, asked.neurons), lanes = hn::Lanes(tag);
  const auto sent = hn::Set(tag, asked.sent), never = hn::Set(tag, infinity);
  auto earliest = never, latest = sent, shortest = never;
  const double* delay = asked.delay;
  double filled_up[widest_vector] = {};
  if (delay && width < widest_vector) {  // (Highway 1.0.3 has no load of a part, below AVX2)
    std::copy_n(delay, width, filled_up);
    delay = filled_up;
  }
  for (std::size_t slot = 0; slot < layout.count(); slot += widest_vector) {
    for (std::size_t l = 0; l < widest_vector; l += lanes) {
      const std::size_t at = slot + l;
      const auto used = hn::FirstN(tag, std::max(width, l) - l);
      auto t = sent;
      if (delay) t = hn::Add(t, hn::LoadU(tag, delay + layout.place(slot) + l));
      const auto length = hn::Sub(hn::LoadU(tag, last.from.data() + at), t);
      const auto longer = hn::Sub(hn::LoadU(tag, before.from.data() + at), t);
      store_demoted(tag, hn::IfThenElseZero(used, length), last.lengths.data() + at);
      store_demoted(tag, hn::IfThenElseZero(used, longer), before.lengths.data() + at);
      latest = hn::Max(latest, t);  // lanes of no neuron have no delay
      earliest = hn::Min(earliest, hn::IfThenElse(used, t, never));
      shortest = hn::Min(shortest, hn::IfThenElse(used, hn::Max(length, longer), never));
    }
  }
  return {hn::GetLane(hn::MinOfLanes(tag, earliest)), hn::GetLane(hn::MaxOfLanes(tag, latest)),
          hn::GetLane(hn::MinOfLanes(tag, shortest))};
}

template <class Real>
AskedTimes errors_of_lanes(LastLambda<Real>& known, LastLambda<Real>& known_before,
                           const Asked& asked, const neuron::LaneConstants<Real>& own,
                           const Real* row, Real* moved_by) {
  const AskedTimes times = find_lengths(known, known_before, asked);
  const Lambda<Real>&last = known.lambda, &before = known_before.lambda;
  const Real *const lengths = known.lengths.data(), *const longer = known_before.lengths.data();
  const Each<Real> tag;
  const SlotLayout layout = last.slots.layout();
  const auto zero = hn::Zero(tag);
  const OwnPace<hn::Vec<Each<Real>>> pace{own, zero};
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
    const Decays<hn::Vec<Each<Real>>> d = pace.over(s, length);
    const auto back = back_over(v, i, source, {d.mem, d.syn, drive_of(pace, s, d)});
    const auto w = hn::LoadU(tag, row + layout.place(s));
    hn::Store(moved(w, back.v, back.i), tag, moved_by + s);
  }
  return times;
}

template <class Real>
void read_lanes(const neuron::LaneConstants<Real>& own, std::span<const Entry<Real>> entries,
                LaneReadings<Real>& readings) {
  const Each<Real> tag;
  thread_local Lambda<Real> lambda;
  lambda.start(widest_vector);
  const Real *const v_of = lambda.slots[0], *const i_of = lambda.slots[1];
  const OwnPace<hn::Vec<Each<Real>>> pace{own, hn::Zero(tag)};
  auto entry = entries.begin();
  for (std::size_t place = entry->group + 1; place-- > 0;) {
    const std::size_t row = place * widest_vector;
    flow_back_at(lambda, LaneBackPace<hn::Vec<Each<Real>>>{pace, readings.length.data() + row});
    for (; entry != entries.end() && entry->group == place; ++entry) {
      lambda.set(entry->neuron, entry->lambda, entry->source);
    }
    for (std::size_t l = 0; l < widest_vector; l += hn::Lanes(tag)) {
      const auto lambda_v = hn::Load(tag, v_of + l), lambda_i = hn::Load(tag, i_of + l);
      const auto change = hn::Neg(hn::Mul(hn::Load(tag, own.tau_syn + l), lambda_i));
      hn::Store(change, tag, readings.change.data() + row + l);
      const auto w = hn::Load(tag, readings.weight.data() + row + l);
      hn::Store(moved(w, lambda_v, lambda_i), tag, readings.moved.data() + row + l);
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
