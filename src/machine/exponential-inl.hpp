// SPDX-License-Identifier: Apache-2.0
// machine/exponential.hpp in vectors: the same operations in the same order, so the same bits.
// Compiled once for each instruction set: include it after hwy/highway.h, outside of all namespaces.
#if defined(SALTUS_MACHINE_EXPONENTIAL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SALTUS_MACHINE_EXPONENTIAL_INL
#undef SALTUS_MACHINE_EXPONENTIAL_INL
#else
#define SALTUS_MACHINE_EXPONENTIAL_INL
#endif

#include <hwy/highway.h>

#include "machine/exponential.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {

/// saltus::ReducedExponential
template <class V>
struct Reduced {
  using Tag = hwy::HWY_NAMESPACE::DFromV<V>;
  using Bits = hwy::HWY_NAMESPACE::RebindToUnsigned<Tag>;
  using Real = hwy::HWY_NAMESPACE::TFromV<V>;
  V rest;
  hwy::HWY_NAMESPACE::Vec<Bits> n;

  HWY_INLINE V scaled(V number) const {
    namespace hn = hwy::HWY_NAMESPACE;
    return hn::BitCast(Tag(), hn::Add(hn::BitCast(Bits(), number), n));
  }
};

template <class V>
HWY_INLINE Reduced<V> reduced_exponential(V x, V low) {
  namespace hn = hwy::HWY_NAMESPACE;
  using Real = hn::TFromV<V>;
  using E = Exponential<Real>;
  const hn::DFromV<V> tag;
  const typename Reduced<V>::Bits bits;
  const auto round = hn::Set(tag, E::round);
  const auto shifted = hn::Add(hn::Mul(hn::Add(x, low), hn::Set(tag, E::per_ln2)), round);
  const auto count = hn::Sub(shifted, round);
  const auto r = hn::Add(hn::Sub(x, hn::Mul(count, hn::Set(tag, E::ln2_high))),
                         hn::Sub(low, hn::Mul(count, hn::Set(tag, E::ln2_low))));
  const auto r2 = hn::Mul(r, r), r4 = hn::Mul(r2, r2);
  constexpr auto& c = exponential_series<Real>;
  const auto pair = [&](std::size_t k) HWY_ATTR {
    return hn::Add(hn::Set(tag, c[k]), hn::Mul(hn::Set(tag, c[k + 1]), r));
  };
  const auto four = [&](std::size_t k)
                        HWY_ATTR { return hn::Add(pair(k), hn::Mul(pair(k + 2), r2)); };
  auto sum = four(4);
  if constexpr (E::terms == 12) sum = hn::Add(sum, hn::Mul(four(8), r4));
  sum = hn::Add(four(0), hn::Mul(sum, r4));
  return {hn::Add(r, hn::Mul(r2, sum)), hn::ShiftLeft<E::mantissa>(hn::BitCast(bits, shifted))};
}

/// saltus::exponential
template <class V>
HWY_INLINE V exponential(V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using Real = hn::TFromV<V>;
  const hn::DFromV<V> tag;
  const auto e = reduced_exponential(x, hn::Zero(tag));
  const V result = e.scaled(hn::Add(hn::Set(tag, Real(1)), e.rest));
  return hn::IfThenElseZero(hn::Ge(x, hn::Set(tag, Exponential<Real>::lowest)), result);
}

/// saltus::exponential_less_one
template <class V>
HWY_INLINE V exponential_less_one(V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using Real = hn::TFromV<V>;
  const hn::DFromV<V> tag;
  const auto e = reduced_exponential(x, hn::Zero(tag));
  const V one = hn::Set(tag, Real(1)), power = e.scaled(one);
  const V result = hn::Add(hn::Mul(power, e.rest), hn::Sub(power, one));
  return hn::IfThenElse(hn::Ge(x, hn::Set(tag, Exponential<Real>::lowest)), result, hn::Neg(one));
}

/// saltus::SplitLogarithm
template <class V>
struct SplitLogarithms {
  V high, low;
};
template <class V>
HWY_INLINE SplitLogarithms<V> split_logarithm(V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using Real = hn::TFromV<V>;
  using E = Exponential<Real>;
  const hn::DFromV<V> tag;
  const hn::RebindToSigned<decltype(tag)> ints;
  using Int = hn::TFromD<decltype(ints)>;
  const auto bits = hn::BitCast(ints, x);
  const auto root = hn::Set(ints, static_cast<Int>(Logarithm<Real>::root_of_half));
  const auto k = hn::ShiftRight<E::mantissa>(hn::Sub(bits, root));
  const V m = hn::BitCast(tag, hn::Sub(bits, hn::ShiftLeft<E::mantissa>(k)));
  const V f = hn::Sub(m, hn::Set(tag, Real(1)));
  const V half = hn::Mul(hn::Mul(f, f), hn::Set(tag, Real(0.5)));
  const V s = hn::Div(f, hn::Add(hn::Set(tag, Real(2)), f)), z = hn::Mul(s, s);
  constexpr auto& c = logarithm_series<Real>;
  V sum = hn::Set(tag, c.back());
  for (std::size_t j = Logarithm<Real>::terms - 1; j-- > 0;) {
    sum = hn::Add(hn::Mul(sum, z), hn::Set(tag, c[j]));
  }
  const V count = hn::ConvertTo(tag, k);
  const V rest =
      hn::Add(hn::Mul(s, hn::Add(half, hn::Mul(z, sum))), hn::Mul(count, hn::Set(tag, E::ln2_low)));
  return {hn::Mul(count, hn::Set(tag, E::ln2_high)), hn::Sub(f, hn::Sub(half, rest))};
}

/// saltus::logarithm
template <class V>
HWY_INLINE V logarithm(V x) {
  const auto log = split_logarithm(x);
  return hwy::HWY_NAMESPACE::Add(log.high, log.low);
}

/// saltus::power
template <class V>
HWY_INLINE V power(V x, V p_high, V p_low) {
  namespace hn = hwy::HWY_NAMESPACE;
  using Real = hn::TFromV<V>;
  const hn::DFromV<V> tag;
  const auto log = split_logarithm(x);
  const V high = hn::Mul(p_high, log.high);
  const V low = hn::Add(hn::Mul(p_low, log.high), hn::Mul(hn::Add(p_high, p_low), log.low));
  const auto e = reduced_exponential(high, low);
  using E = Exponential<Real>;
  const V near_one = hn::Add(hn::Set(tag, Real(1)), e.rest);
  const V result =
      hn::Mul(e.scaled(hn::Mul(hn::Set(tag, E::up), near_one)), hn::Set(tag, 1 / E::up));
  const auto enough = hn::Ge(hn::Add(high, low), hn::Set(tag, E::lowest_power));
  return hn::IfThenElseZero(enough, result);
}

}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();
#endif
