// SPDX-License-Identifier: Apache-2.0
// The formulas of neuron/decay.hpp, spike_search.hpp and lif.hpp in vectors, for the kernels: the
// same names, and the same operations in the same order, so the same bits. Compiled once for each
// instruction set: include it after hwy/highway.h, outside of all namespaces.
#if defined(SALTUS_NEURON_LIF_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SALTUS_NEURON_LIF_INL
#undef SALTUS_NEURON_LIF_INL
#else
#define SALTUS_NEURON_LIF_INL
#endif

#include <hwy/highway.h>

#include <limits>

#include "machine/exponential-inl.hpp"
#include "machine/power-inl.hpp"
#include "neuron/decay.hpp"
#include "neuron/lif.hpp"
#include "neuron/own_decay.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {

template <class V>
using MaskOf = hwy::HWY_NAMESPACE::Mask<hwy::HWY_NAMESPACE::DFromV<V>>;

/// neuron::Decay of each lane.
template <class V>
struct Decays {
  V mem, syn, k, reach, end_slope;
};

/// All lanes decay alike.
template <class Tag, class Real>
HWY_INLINE auto in_all_lanes(Tag tag, const neuron::Decay<Real>& d) {
  namespace hn = hwy::HWY_NAMESPACE;
  return Decays<hn::Vec<Tag>>{hn::Set(tag, d.mem), hn::Set(tag, d.syn), hn::Set(tag, d.k),
                              hn::Set(tag, d.reach), hn::Set(tag, d.end_slope)};
}

/// All lanes decay alike, whatever the slot.
template <class V>
struct SharedPace {
  Decays<V> decays;

  HWY_INLINE const Decays<V>& at(std::size_t) const { return decays; }
};

/// neuron::OwnTimeConstants of each lane.
template <class V>
struct OwnConstants {
  V rate_mem, rate_syn, gap, per_q, p, t_peak, k_peak, end_slope;
};

/// The same in all lanes.
template <class Tag, class Real>
HWY_INLINE auto in_all_lanes(Tag tag, const neuron::OwnTimeConstants<Real>& c) {
  namespace hn = hwy::HWY_NAMESPACE;
  return OwnConstants<hn::Vec<Tag>>{hn::Set(tag, c.rate_mem), hn::Set(tag, c.rate_syn),
                                    hn::Set(tag, c.gap),      hn::Set(tag, c.per_q),
                                    hn::Set(tag, c.p),        hn::Set(tag, c.t_peak),
                                    hn::Set(tag, c.k_peak),   hn::Set(tag, c.end_slope)};
}

/// neuron::short_decline
template <class V>
HWY_INLINE V short_decline(V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using Real = hn::TFromV<V>;
  const hn::DFromV<V> tag;
  const V one = hn::Set(tag, Real(1));
  V sum = one;
  for (const int k : {5, 4, 3, 2}) {
    const V part = hn::Set(tag, Real(1) / static_cast<Real>(k));
    sum = hn::Sub(one, hn::Mul(x, hn::Mul(sum, part)));
  }
  return sum;
}

/// What a series says of short intervals, else `exact` of all.
template <class V, class Exact>
HWY_INLINE V by_series_if_short(V x, V by_series, Exact&& exact) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::DFromV<V> tag;
  const auto is_short = hn::Lt(x, hn::Set(tag, neuron::short_interval<hn::TFromV<V>>));
  if (HWY_LIKELY(hn::AllTrue(tag, is_short))) return by_series;
  return hn::IfThenElse(is_short, by_series, exact(hn::Neg(x)));
}
/// neuron::decay_by, decay_by_less_one
template <class V>
HWY_INLINE V decay_by(V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using Real = hn::TFromV<V>;
  const auto exact = [](V y) HWY_ATTR { return exponential(y); };
  if constexpr (neuron::short_interval<Real> == 0) return exact(hn::Neg(x));
  const V one = hn::Set(hn::DFromV<V>(), Real(1));
  return by_series_if_short(x, hn::Sub(one, hn::Mul(x, short_decline(x))), exact);
}
template <class V>
HWY_INLINE V decay_by_less_one(V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const auto exact = [](V y) HWY_ATTR { return exponential_less_one(y); };
  if constexpr (neuron::short_interval<hn::TFromV<V>> == 0) return exact(hn::Neg(x));
  return by_series_if_short(x, hn::Neg(hn::Mul(x, short_decline(x))), exact);
}

/// neuron::own_decay of each lane. @param any_slow  any p < 1?
template <class V>
HWY_INLINE Decays<V> own_decay(const OwnConstants<V>& c, V dt, bool any_slow) {
  namespace hn = hwy::HWY_NAMESPACE;
  using Real = hn::TFromV<V>;
  const hn::DFromV<V> tag;
  const V one = hn::Set(tag, Real(1));
  const V mem = decay_by(hn::Mul(dt, c.rate_mem));
  const V e = decay_by_less_one(hn::Mul(dt, c.gap)), h = hn::Mul(e, c.per_q);
  V syn = hn::Add(mem, hn::Mul(mem, e)), slow = mem, slope = hn::Add(one, hn::Mul(c.p, h));
  if (HWY_UNLIKELY(any_slow)) {
    const auto is_slow = hn::Lt(c.p, one);
    const V by_itself = decay_by(hn::Mul(dt, c.rate_syn));
    syn = hn::IfThenElse(is_slow, by_itself, syn);
    slow = hn::IfThenElse(is_slow, by_itself, slow);
    const V quotient = hn::Add(one, hn::Div(hn::Mul(c.p, hn::Mul(by_itself, h)), mem));
    const auto enough = hn::Ge(mem, hn::Set(tag, std::numeric_limits<Real>::min()));
    const V at_end = hn::IfThenElse(enough, quotient, c.end_slope);
    const V lowest = hn::Set(tag, std::numeric_limits<Real>::lowest());
    slope = hn::IfThenElse(is_slow, hn::Max(at_end, lowest), slope);
  }
  const V k = hn::Neg(hn::Mul(slow, h));
  return {mem, syn, k, hn::IfThenElse(hn::Lt(dt, c.t_peak), k, c.k_peak), slope};
}

/// neuron::own_decay of each slot.
template <class V>
struct OwnPace {
  using Real = hwy::HWY_NAMESPACE::TFromV<V>;
  const neuron::LaneConstants<Real>& constants;
  V dt;

  HWY_INLINE Decays<V> at(std::size_t slot) const { return over(slot, dt); }
  /// The same over an interval of its own for each.
  HWY_INLINE Decays<V> over(std::size_t slot, V seconds) const {
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::DFromV<V> tag;
    const auto& c = constants;
    return own_decay(
        OwnConstants<V>{hn::Load(tag, c.rate_mem + slot), hn::Load(tag, c.rate_syn + slot),
                        hn::Load(tag, c.gap + slot), hn::Load(tag, c.per_q + slot),
                        hn::Load(tag, c.p + slot), hn::Load(tag, c.t_peak + slot),
                        hn::Load(tag, c.k_peak + slot), hn::Load(tag, c.end_slope + slot)},
        seconds, c.any_slow);
  }
};

/// V after an interval without a spike.
template <class V>
HWY_INLINE V membrane_after(V v, V i, V bias, const Decays<V>& d) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::Add(hn::Add(bias, hn::Mul(hn::Sub(v, bias), d.mem)), hn::Mul(i, d.k));
}

/// V stays below this.
template <class V>
HWY_INLINE V highest_reach(V v, V i, V bias, const Decays<V>& d) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V zero = hn::Zero(hn::DFromV<V>());
  return hn::Add(hn::Max(v, bias), hn::Mul(hn::Max(i, zero), d.reach));
}

template <class V>
HWY_INLINE MaskOf<V> rises_at_start(V v, V i, V bias) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::Gt(hn::Add(i, bias), v);
}

template <class V>
HWY_INLINE MaskOf<V> rises_at_end(V v, V i, V bias, const Decays<V>& d) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::Lt(hn::Sub(v, bias), hn::Mul(i, d.end_slope));
}

/// TimeConstants::h and synaptic of Lif::by_z, for a whole-numbered ratio of time constants; and Lif::by_y.
template <class V>
class WholePowers {
  using Tag = hwy::HWY_NAMESPACE::DFromV<V>;
  using Real = hwy::HWY_NAMESPACE::TFromV<V>;

 public:
  V ratio, less_one;  // P, P - 1

  explicit WholePowers(const neuron::Lif<Real>& n)
      : ratio(hwy::HWY_NAMESPACE::Set(Tag(), static_cast<Real>(n.by_z.p))),
        less_one(hwy::HWY_NAMESPACE::Set(Tag(), static_cast<Real>(n.by_z.p - 1))),
        p_(n.by_z.integer_p),
        slow_(n.by_y),
        one_(hwy::HWY_NAMESPACE::Set(Tag(), Real(1))),
        per_q_(hwy::HWY_NAMESPACE::Set(Tag(), static_cast<Real>(1 / (n.by_z.p - 1)))) {}

  HWY_INLINE V h(V z) const {
    namespace hn = hwy::HWY_NAMESPACE;
    return hn::Mul(hn::Sub(integer_power(z, p_ - 1), one_), per_q_);
  }
  HWY_INLINE V synaptic(V z) const { return integer_power(z, p_); }
  HWY_INLINE bool any_slow() const { return slow_; }
  /// Of a slow synapse the first, of others the second.
  HWY_INLINE V if_slow(V yes, V no) const { return slow_ ? yes : no; }

 private:
  int p_;
  bool slow_;
  V one_, per_q_;
};

/// The same for any other.
template <class V>
class AnyPowers {
  using Tag = hwy::HWY_NAMESPACE::DFromV<V>;
  using Real = hwy::HWY_NAMESPACE::TFromV<V>;

 public:
  V ratio, less_one;  // P, P - 1

  explicit AnyPowers(const neuron::Lif<Real>& n)
      : ratio(hwy::HWY_NAMESPACE::Set(Tag(), static_cast<Real>(n.by_z.p))),
        less_one(hwy::HWY_NAMESPACE::Set(Tag(), static_cast<Real>(n.by_z.p - 1))),
        equal_(n.by_z.p == 1),
        slow_(n.by_y),
        p_high_(hwy::HWY_NAMESPACE::Set(Tag(), static_cast<Real>(n.by_z.p_high))),
        p_low_(hwy::HWY_NAMESPACE::Set(Tag(), static_cast<Real>(n.by_z.p - n.by_z.p_high))),
        per_q_(hwy::HWY_NAMESPACE::Set(Tag(), static_cast<Real>(1 / (n.by_z.p - 1)))) {}

  HWY_INLINE V h(V z) const {
    namespace hn = hwy::HWY_NAMESPACE;
    const V log = logarithm(z);
    return equal_ ? log : hn::Mul(exponential_less_one(hn::Mul(less_one, log)), per_q_);
  }
  HWY_INLINE V synaptic(V z) const { return equal_ ? z : power(z, p_high_, p_low_); }
  HWY_INLINE bool any_slow() const { return slow_; }
  HWY_INLINE V if_slow(V yes, V no) const { return slow_ ? yes : no; }

 private:
  bool equal_, slow_;
  V p_high_, p_low_, per_q_;
};

/// The same where each lane has a ratio of its own.
template <class V>
struct OwnPowers {
  V ratio, p_high, p_low, less_one, per_q;
  V slow;  // 1 in lanes of slow synapses, else 0
  bool some_slow;

  HWY_INLINE V h(V z) const {
    namespace hn = hwy::HWY_NAMESPACE;
    const V log = logarithm(z);
    return hn::IfThenElse(equal(), log,
                          hn::Mul(exponential_less_one(hn::Mul(less_one, log)), per_q));
  }
  HWY_INLINE V synaptic(V z) const {
    return hwy::HWY_NAMESPACE::IfThenElse(equal(), z, power(z, p_high, p_low));
  }
  HWY_INLINE bool any_slow() const { return some_slow; }
  HWY_INLINE V if_slow(V yes, V no) const {
    namespace hn = hwy::HWY_NAMESPACE;
    if (HWY_LIKELY(!some_slow)) return no;
    return hn::IfThenElse(hn::Gt(slow, hn::Zero(hn::DFromV<V>())), yes, no);
  }

 private:
  HWY_INLINE MaskOf<V> equal() const {
    namespace hn = hwy::HWY_NAMESPACE;
    return hn::Eq(less_one, hn::Zero(hn::DFromV<V>()));
  }
};

/// What neuron::crossing searches with in place of I0. @param a  V0 - b
template <class Powers, class V>
HWY_INLINE V drive(const Powers& powers, V i, V a) {
  namespace hn = hwy::HWY_NAMESPACE;
  if (HWY_LIKELY(!powers.any_slow())) return i;
  return powers.if_slow(hn::Sub(hn::Mul(powers.ratio, i), hn::Mul(powers.less_one, a)), i);
}
/// I when z has come to this, from I at the start.
template <class Powers, class V>
HWY_INLINE V current_at(const Powers& powers, V i, V z) {
  return hwy::HWY_NAMESPACE::Mul(i, powers.if_slow(z, powers.synaptic(z)));
}

/// neuron::decay_at; endless where z is below the smallest normal number.
template <class V, class Powers>
HWY_INLINE Decays<V> decay_at(const neuron::TimeConstants& tc, const neuron::TimeConstants& by_z,
                              const Powers& powers, V z) {
  namespace hn = hwy::HWY_NAMESPACE;
  using Real = hn::TFromV<V>;
  const hn::DFromV<V> tag;
  const V one = hn::Set(tag, Real(1)), smallest = hn::Set(tag, std::numeric_limits<Real>::min());
  const auto ended = hn::Lt(z, smallest);
  z = hn::IfThenZeroElse(ended, z);
  const V k_peak = hn::Set(tag, static_cast<Real>(tc.k_peak));
  const V h = powers.h(z), faster = powers.synaptic(z), part = hn::Mul(hn::Neg(z), h);
  const auto before_peak = hn::Gt(z, hn::Set(tag, static_cast<Real>(by_z.x_peak)));
  if (HWY_UNLIKELY(powers.any_slow())) {  // all are
    const V k = hn::Mul(powers.ratio, part);
    const V lowest = hn::Set(tag, std::numeric_limits<Real>::lowest());
    const V slope =
        hn::IfThenElse(hn::Ge(faster, smallest), hn::Sub(one, hn::Div(part, faster)), lowest);
    return {faster, z, k, hn::IfThenElse(before_peak, k, k_peak), hn::Max(slope, lowest)};
  }
  const V p = hn::Set(tag, static_cast<Real>(tc.p));
  const V at_infinity = hn::Set(tag, static_cast<Real>(tc.end_slope_at_infinity()));
  return {z, faster, part, hn::IfThenElse(before_peak, part, k_peak),
          hn::IfThenElse(ended, at_infinity, hn::Add(one, hn::Mul(p, h)))};
}

}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();
#endif
