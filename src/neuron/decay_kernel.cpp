// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "neuron/decay_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "machine/dispatch.hpp"
#include "machine/exponential-inl.hpp"
#include "machine/power-inl.hpp"
#include "neuron/decay_kernel.hpp"
#include "neuron/lif-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus::neuron {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// K of the intervals t with the decays mem and syn: as neuron::decay.
template <class V>
HWY_INLINE V response(const TimeConstants& tc, V t, V mem, V syn) {
  const hn::DFromV<V> tag;
  const double q = tc.p - 1;
  if (std::fabs(q) > 0.5) return hn::Div(hn::Sub(mem, syn), hn::Set(tag, q));
  const V tau_mem = hn::Set(tag, tc.tau_mem), zero = hn::Zero(tag);
  if (q == 0) {  // an endless interval: mem is 0
    return hn::IfThenZeroElse(hn::Eq(mem, zero), hn::Mul(hn::Div(t, tau_mem), mem));
  }
  const V less = saltus::HWY_NAMESPACE::exponential_less_one(
      hn::Div(hn::Mul(hn::Set(tag, -std::fabs(q)), t), tau_mem));
  return hn::Div(hn::Mul(q > 0 ? mem : syn, hn::Neg(less)), hn::Set(tag, std::fabs(q)));
}

template <class V>
HWY_INLINE void store_as(V v, double* out) {
  hn::Store(v, hn::DFromV<V>(), out);
}
template <class V>
HWY_INLINE void store_as(V v, float* out) {
  const hn::Rebind<float, hn::DFromV<V>> tag;
  hn::Store(hn::DemoteTo(tag, v), tag, out);
}

// One or two exponentials each.
template <class Real>
void decays_in_vectors(const TimeConstants& tc, std::span<const double> dt, Decay<Real>* out) {
  const hn::ScalableTag<double> tag;
  constexpr std::size_t most_lanes = HWY_MAX_BYTES / sizeof(double);
  constexpr double lowest = std::numeric_limits<Real>::lowest();
  const std::size_t lanes = hn::Lanes(tag);
  const auto tau_mem = hn::Set(tag, tc.tau_mem), tau_syn = hn::Set(tag, tc.tau_syn);
  const auto p = hn::Set(tag, tc.p), one = hn::Set(tag, 1.0);
  const auto t_peak = hn::Set(tag, tc.t_peak), k_peak = hn::Set(tag, tc.k_peak);
  const auto smallest = hn::Set(tag, std::numeric_limits<double>::min());
  const auto at_infinity = hn::Set(tag, tc.end_slope_at_infinity());
  HWY_ALIGN double rest[most_lanes] = {};
  HWY_ALIGN Real of[5][most_lanes];
  for (std::size_t at = 0; at < dt.size(); at += lanes) {
    const std::size_t count = std::min(lanes, dt.size() - at);
    if (HWY_UNLIKELY(count < lanes)) std::copy_n(dt.data() + at, count, rest);
    const auto t = hn::LoadU(tag, count < lanes ? rest : dt.data() + at);
    const auto mem = saltus::HWY_NAMESPACE::exponential(hn::Neg(hn::Div(t, tau_mem)));
    const auto syn = tc.integer_p
                         ? saltus::HWY_NAMESPACE::integer_power(mem, tc.integer_p)
                         : saltus::HWY_NAMESPACE::exponential(hn::Neg(hn::Div(t, tau_syn)));
    const auto k = response(tc, t, mem, syn);
    const auto slope = hn::Sub(one, hn::Div(hn::Mul(p, k), mem));
    const auto end_slope = hn::IfThenElse(hn::Ge(mem, smallest), slope, at_infinity);
    store_as(mem, of[0]);
    store_as(syn, of[1]);
    store_as(k, of[2]);
    store_as(hn::IfThenElse(hn::Lt(t, t_peak), k, k_peak), of[3]);
    store_as(hn::Max(end_slope, hn::Set(tag, lowest)), of[4]);
    for (std::size_t l = 0; l < count; ++l) {
      out[at + l] = {of[0][l], of[1][l], of[2][l], of[3][l], of[4][l]};
    }
  }
}

template <class Real>
void own_decays_in_vectors(const OwnTimeConstants<Real>& own, std::span<const double> dt,
                           Decay<Real>* out) {
  namespace vectors = saltus::HWY_NAMESPACE;
  const hn::ScalableTag<Real> tag;
  constexpr std::size_t most_lanes = HWY_MAX_BYTES / sizeof(Real);
  const std::size_t lanes = hn::Lanes(tag);
  const auto constants = vectors::in_all_lanes(tag, own);
  HWY_ALIGN Real seconds[most_lanes] = {}, of[5][most_lanes];
  for (std::size_t at = 0; at < dt.size(); at += lanes) {
    const std::size_t count = std::min(lanes, dt.size() - at);
    for (std::size_t l = 0; l < count; ++l) seconds[l] = static_cast<Real>(dt[at + l]);
    const auto d = vectors::own_decay(constants, hn::Load(tag, seconds), own.p < 1);
    hn::Store(d.mem, tag, of[0]);
    hn::Store(d.syn, tag, of[1]);
    hn::Store(d.k, tag, of[2]);
    hn::Store(d.reach, tag, of[3]);
    hn::Store(d.end_slope, tag, of[4]);
    for (std::size_t l = 0; l < count; ++l) {
      out[at + l] = {of[0][l], of[1][l], of[2][l], of[3][l], of[4][l]};
    }
  }
}

SALTUS_KERNELS(DecayKernels, decays_in_vectors<Real>, own_decays_in_vectors<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus::neuron
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus::neuron {
SALTUS_DISPATCH(DecayKernels)
}  // namespace saltus::neuron
#endif
