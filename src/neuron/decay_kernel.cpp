// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "neuron/decay_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "machine/dispatch.hpp"
#include "machine/power-inl.hpp"
#include "neuron/decay_kernel.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus::neuron {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// saltus::exponential
template <class V>
HWY_INLINE V exponential(V x) {
  using E = Exponential;
  const hn::DFromV<V> tag;
  const hn::RebindToUnsigned<decltype(tag)> bits;
  const auto round = hn::Set(tag, E::round);
  const auto shifted = hn::Add(hn::Mul(x, hn::Set(tag, E::per_ln2)), round);
  const auto n = hn::Sub(shifted, round);
  const auto r = hn::Sub(hn::Sub(x, hn::Mul(n, hn::Set(tag, E::ln2_high))),
                         hn::Mul(n, hn::Set(tag, E::ln2_low)));
  const auto r2 = hn::Mul(r, r), r4 = hn::Mul(r2, r2);
  const auto pair = [&](std::size_t k) HWY_ATTR {
    return hn::Add(hn::Set(tag, E::series[k]), hn::Mul(hn::Set(tag, E::series[k + 1]), r));
  };
  const auto a = hn::Add(pair(0), hn::Mul(pair(2), r2));
  const auto b = hn::Add(pair(4), hn::Mul(pair(6), r2));
  const auto d = hn::Add(pair(8), hn::Mul(pair(10), r2));
  const auto sum = hn::Add(a, hn::Mul(hn::Add(b, hn::Mul(d, r4)), r4));
  const auto result = hn::Add(hn::Set(tag, 1.0), hn::Add(r, hn::Mul(r2, sum)));
  const auto exponent = hn::ShiftLeft<52>(hn::BitCast(bits, shifted));
  const auto scaled = hn::BitCast(tag, hn::Add(hn::BitCast(bits, result), exponent));
  return hn::IfThenElseZero(hn::Ge(x, hn::Set(tag, E::lowest)), scaled);
}

// One exponential each.
template <class Real>
void decays_in_vectors(const TimeConstants& tc, std::span<const double> dt, Decay<Real>* out) {
  const hn::ScalableTag<double> tag;
  constexpr std::size_t most_lanes = HWY_MAX_BYTES / sizeof(double);
  const std::size_t lanes = hn::Lanes(tag);
  const auto tau_mem = hn::Set(tag, tc.tau_mem), q = hn::Set(tag, tc.p - 1);
  const auto p = hn::Set(tag, tc.p), one = hn::Set(tag, 1.0);
  const auto t_peak = hn::Set(tag, tc.t_peak), k_peak = hn::Set(tag, tc.k_peak);
  const auto smallest = hn::Set(tag, std::numeric_limits<double>::min());
  const auto at_infinity = hn::Set(tag, tc.end_slope_at_infinity());
  HWY_ALIGN double rest[most_lanes] = {}, of[5][most_lanes];
  for (std::size_t at = 0; at < dt.size(); at += lanes) {
    const std::size_t count = std::min(lanes, dt.size() - at);
    if (HWY_UNLIKELY(count < lanes)) std::copy_n(dt.data() + at, count, rest);
    const auto t = hn::LoadU(tag, count < lanes ? rest : dt.data() + at);
    const auto mem = exponential(hn::Neg(hn::Div(t, tau_mem)));
    const auto syn = saltus::HWY_NAMESPACE::integer_power(mem, tc.integer_p);
    const auto k = hn::Div(hn::Sub(mem, syn), q);
    const auto slope = hn::Sub(one, hn::Div(hn::Mul(p, k), mem));
    hn::Store(mem, tag, of[0]);
    hn::Store(syn, tag, of[1]);
    hn::Store(k, tag, of[2]);
    hn::Store(hn::IfThenElse(hn::Lt(t, t_peak), k, k_peak), tag, of[3]);
    hn::Store(hn::IfThenElse(hn::Ge(mem, smallest), slope, at_infinity), tag, of[4]);
    for (std::size_t l = 0; l < count; ++l) {
      out[at + l] = {static_cast<Real>(of[0][l]), static_cast<Real>(of[1][l]),
                     static_cast<Real>(of[2][l]), static_cast<Real>(of[3][l]),
                     static_cast<Real>(of[4][l])};
    }
  }
}

SALTUS_KERNELS(DecayKernels, decays_in_vectors<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus::neuron
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus::neuron {
SALTUS_DISPATCH(DecayKernels)
}  // namespace saltus::neuron
#endif
