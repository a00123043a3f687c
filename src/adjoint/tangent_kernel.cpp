// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adjoint/tangent_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <limits>

#include "adjoint/tangent.hpp"
#include "machine/dispatch.hpp"
#include "neuron/lif-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
void add(const SlotLayout& slots, const Real* row, Real* to) {
  const hn::ScalableTag<Real> tag;
  const SlotLayout layout = slots;
  for (std::size_t s = 0; s < layout.count(); s += hn::Lanes(tag)) {
    const auto weight = hn::LoadU(tag, row + layout.place(s));
    hn::Store(hn::Add(hn::Load(tag, to + s), weight), tag, to + s);
  }
}

/// neuron::DecaySlopes of each lane.
template <class V>
struct Slopes {
  V mem_mem, syn_syn, k_mem, k_syn;
};

// Of all lanes, whatever the slot.
template <class V>
struct SharedPaceWithSlopes {
  Decays<V> d;
  Slopes<V> s;

  HWY_INLINE const Decays<V>& decays(std::size_t) const { return d; }
  HWY_INLINE const Slopes<V>& slopes(std::size_t, const Decays<V>&) const { return s; }
};

// neuron::slopes of each slot, with x = dt / tau_mem and q = p - 1; in float32 eight terms of the series
// tell all digits.
template <class V>
struct OwnPaceWithSlopes {
  using Real = hn::TFromV<V>;
  const neuron::LaneConstants<Real>& own;
  V dt;

  HWY_INLINE Decays<V> decays(std::size_t slot) const { return OwnPace<V>{own, dt}.at(slot); }
  HWY_INLINE Slopes<V> slopes(std::size_t slot, const Decays<V>& d) const {
    constexpr neuron::ConvolutionSeries series;
    constexpr std::size_t terms =
        sizeof(Real) == sizeof(float) ? std::size_t{8} : std::size_t{series.terms};
    const hn::DFromV<V> tag;
    const V rate_mem = hn::Load(tag, own.rate_mem + slot), p = hn::Load(tag, own.p + slot);
    const V rate_syn = hn::Load(tag, own.rate_syn + slot);
    const V q = hn::Sub(p, hn::Set(tag, Real(1)));
    const V x = hn::Mul(dt, rate_mem), gap = hn::Mul(dt, hn::Load(tag, own.gap + slot));
    const V minus_r = hn::CopySign(gap, hn::Neg(q));
    const V per_q = hn::CopySign(hn::Load(tag, own.per_q + slot), q);
    V a = hn::Zero(tag), b = hn::Zero(tag);
    for (std::size_t k = terms; k-- > 0;) {
      a = hn::Add(hn::Mul(a, minus_r), hn::Set(tag, static_cast<Real>(series.a[k])));
      b = hn::Add(hn::Mul(b, minus_r), hn::Set(tag, static_cast<Real>(series.b[k])));
    }
    const auto far = hn::Gt(gap, hn::Set(tag, Real(0.5)));
    const V x_mem = hn::Mul(x, d.mem), scale = hn::Mul(x, x_mem);
    const V lost = hn::Mul(hn::Sub(x_mem, d.k), per_q);
    const V gained = hn::Mul(hn::Sub(d.k, hn::Mul(x, d.syn)), per_q);
    const V mem_mem_syn = hn::IfThenElse(far, lost, hn::Mul(scale, a));
    const V mem_syn_syn = hn::IfThenElse(far, gained, hn::Mul(scale, b));
    return {hn::Mul(x_mem, rate_mem), hn::Mul(hn::Mul(hn::Mul(dt, rate_syn), rate_syn), d.syn),
            hn::Mul(rate_mem, hn::Sub(mem_mem_syn, d.k)),
            hn::Mul(hn::Mul(rate_syn, p), mem_syn_syn)};
  }
};

template <bool mem, bool syn, class Real, class Pace>
HWY_INLINE void flow_by(TangentLanes<Real>& lanes, const Pace& pace) {
  const hn::ScalableTag<Real> tag;
  const TangentLanes<Real>& l = lanes;
  Real *const v_of = l.v, *const i_of = l.i, *const v_mem_of = l.v_mem, *const v_syn_of = l.v_syn;
  Real* const i_syn_of = l.i_syn;
  const Real* const bias_of = l.bias;
  const std::size_t count = l.slots.layout().count();
  for (std::size_t at = 0; at < count; at += hn::Lanes(tag)) {
    const auto d = pace.decays(at);
    const auto s = pace.slopes(at, d);
    const auto i = hn::Load(tag, i_of + at);
    if constexpr (mem) {
      const auto bias = hn::Load(tag, bias_of + at);
      const auto above = hn::Sub(hn::Load(tag, v_of + at), bias);
      const auto v_mem = hn::Load(tag, v_mem_of + at);
      hn::Store(
          hn::Add(hn::Add(hn::Mul(v_mem, d.mem), hn::Mul(above, s.mem_mem)), hn::Mul(i, s.k_mem)),
          tag, v_mem_of + at);
      hn::Store(hn::Add(hn::Add(bias, hn::Mul(above, d.mem)), hn::Mul(i, d.k)), tag, v_of + at);
    }
    if constexpr (syn) {
      const auto v_syn = hn::Load(tag, v_syn_of + at), i_syn = hn::Load(tag, i_syn_of + at);
      hn::Store(hn::Add(hn::Add(hn::Mul(v_syn, d.mem), hn::Mul(i_syn, d.k)), hn::Mul(i, s.k_syn)),
                tag, v_syn_of + at);
      hn::Store(hn::Add(hn::Mul(i_syn, d.syn), hn::Mul(i, s.syn_syn)), tag, i_syn_of + at);
    }
    hn::Store(hn::Mul(i, d.syn), tag, i_of + at);
  }
}
template <class Real, class Pace>
HWY_INLINE void flow_by(TangentLanes<Real>& lanes, bool mem, bool syn, const Pace& pace) {
  if (mem && syn) return flow_by<true, true>(lanes, pace);
  if (mem) return flow_by<true, false>(lanes, pace);
  flow_by<false, true>(lanes, pace);
}

template <class Real>
void flow(TangentLanes<Real>& lanes, bool mem, bool syn, const neuron::Decay<Real>& d,
          const neuron::DecaySlopes<Real>& s) {
  const hn::ScalableTag<Real> tag;
  using V = hn::Vec<decltype(tag)>;
  flow_by(lanes, mem, syn,
          SharedPaceWithSlopes<V>{in_all_lanes(tag, d),
                                  {hn::Set(tag, s.mem_mem), hn::Set(tag, s.syn_syn),
                                   hn::Set(tag, s.k_mem), hn::Set(tag, s.k_syn)}});
}

template <class Real>
void own_flow(TangentLanes<Real>& lanes, bool mem, bool syn, const neuron::LaneConstants<Real>& own,
              double dt) {
  constexpr double longest =
      1e30;  // instead of an endless one: all has decayed, and 0 times this is 0
  const hn::ScalableTag<Real> tag;
  flow_by(lanes, mem, syn,
          OwnPaceWithSlopes<hn::Vec<decltype(tag)>>{
              own, hn::Set(tag, static_cast<Real>(std::min(dt, longest)))});
}

SALTUS_KERNELS(TangentKernels, add<Real>, flow<Real>, own_flow<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(TangentKernels)
}  // namespace saltus
#endif
